//! Every code that a message can end with has a page that says what, why and what to do.

use std::{collections::BTreeSet, path::Path};

use baton_core::book::ParkedCode;

/// Codes of normalising and of the daemon itself; those of decoding have a test of their own.
const DEAD: [&str; 8] = [
    "malformed-result",
    "malformed-command-id",
    "missing-id",
    "missing-object",
    "too-large",
    "unknown-format",
    "unmapped-object",
    "unpublishable",
];

fn parked() -> BTreeSet<String> {
    let page = |code: ParkedCode| format!("parked-{}", code.as_str().replace('_', "-"));
    ParkedCode::ALL.map(page).into()
}

#[test]
fn what_waits_for_a_steward_has_a_page_each_and_every_page_a_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    let pages: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
        .filter(|name| name.starts_with("parked-"))
        .collect();
    assert_eq!(pages, parked());
}

#[test]
fn every_code_has_its_page() {
    for name in DEAD.map(str::to_owned).into_iter().chain(parked()) {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/errors/{name}.md"));
        let page = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for part in ["## What\n", "## Why\n", "## What to do\n"] {
            assert!(page.contains(part), "{name} lacks {part}");
        }
    }
}
