//! Every code that a message can end with has a page that says what, why and what to do.

use std::path::Path;

use baton_core::book::ParkedCode;

const PARKED: [ParkedCode; 10] = [
    ParkedCode::AmbiguousMatch,
    ParkedCode::NotAdmitted,
    ParkedCode::SharedKey,
    ParkedCode::HeldClears,
    ParkedCode::Contested,
    ParkedCode::RevertsUsedUp,
    ParkedCode::RequiredFieldBlank,
    ParkedCode::RefusedWrite,
    ParkedCode::ManualDecision,
    ParkedCode::UnknownStage,
];

/// Codes of normalising and of the daemon itself; those of decoding have a test of their own.
const DEAD: [&str; 7] = [
    "malformed-result",
    "malformed-command-id",
    "missing-id",
    "missing-object",
    "too-large",
    "unknown-format",
    "unmapped-object",
];

#[test]
fn every_code_has_its_page() {
    let parked = PARKED.map(|code| format!("parked-{}", code.as_str().replace('_', "-")));
    for name in DEAD.map(str::to_owned).into_iter().chain(parked) {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/errors/{name}.md"));
        let page = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for part in ["## What\n", "## Why\n", "## What to do\n"] {
            assert!(page.contains(part), "{name} lacks {part}");
        }
    }
}
