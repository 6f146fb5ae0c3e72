//! What the documentation says of the repository holds: links lead somewhere, files that it names are there, every
//! error code has its page, and the pages' index is fresh.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All files below `folder` with this ending, as paths from the root, sorted.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::from(folder)];
    while let Some(folder) = open.pop() {
        let listed = fs::read_dir(root().join(&folder)).expect("a folder of the repository");
        for entry in listed {
            let entry = entry.expect("readable");
            let path = folder.join(entry.file_name());
            if entry.file_type().expect("known").is_dir() {
                if entry.file_name() != "target" {
                    open.push(path);
                }
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(&path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

fn pages() -> Vec<PathBuf> {
    let mut pages = files("docs", ".md");
    pages.extend(["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(PathBuf::from));
    pages
}

/// The lines of a page that are not inside a fenced block.
fn prose(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    page.lines().enumerate().filter(move |(_, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return false;
        }
        !fenced
    })
}

/// The anchor of a heading, as forges make it.
fn anchor(heading: &str) -> String {
    let kept = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || c == ' ';
    let lower = heading.to_lowercase();
    lower
        .chars()
        .filter(|c| kept(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn anchors(page: &str) -> BTreeSet<String> {
    prose(page)
        .filter_map(|(_, line)| line.strip_prefix('#'))
        .map(|heading| anchor(heading.trim_start_matches('#').trim()))
        .collect()
}

#[test]
fn every_link_of_the_documentation_leads_somewhere() {
    let mut dead = Vec::new();
    let mut checked = 0;
    for page in pages() {
        let content = text(&page);
        for (number, line) in prose(&content) {
            for target in line
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split(')').next())
            {
                if target.starts_with("http") || target.starts_with("mailto:") {
                    continue;
                }
                checked += 1;
                let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
                let path = if file.is_empty() {
                    page.clone()
                } else {
                    page.parent().unwrap_or(Path::new("")).join(file)
                };
                let there = root().join(&path);
                let leads = if fragment.is_empty() {
                    there.exists()
                } else {
                    there.is_file() && anchors(&text(&path)).contains(fragment)
                };
                if !leads {
                    dead.push(format!("{}:{}: {target}", page.display(), number + 1));
                }
            }
        }
    }
    assert!(checked > 20, "only {checked} links found");
    assert!(dead.is_empty(), "{dead:#?}");
}

/// The pages that a page links to.
fn linked(page: &Path) -> BTreeSet<PathBuf> {
    let content = text(page);
    let lines = prose(&content).map(|(_, line)| line);
    let targets = lines.flat_map(|line| line.split("](").skip(1));
    targets
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|target| target.ends_with(".md") && !target.starts_with("http"))
        .map(|target| {
            let from = page.parent().unwrap_or(Path::new("")).join(target);
            let mut plain = PathBuf::new();
            for part in from.components() {
                match part {
                    std::path::Component::ParentDir => drop(plain.pop()),
                    part => plain.push(part),
                }
            }
            plain
        })
        .collect()
}

#[test]
fn every_page_can_be_found_from_the_index() {
    let mut found: BTreeSet<PathBuf> = BTreeSet::new();
    let mut open = vec![PathBuf::from("docs/README.md")];
    while let Some(page) = open.pop() {
        if found.insert(page.clone()) {
            open.extend(linked(&page));
        }
    }
    let lost: Vec<PathBuf> = files("docs", ".md")
        .into_iter()
        .filter(|page| !found.contains(page))
        .collect();
    assert!(lost.is_empty(), "nobody links {lost:?}");
}

#[test]
fn every_file_that_the_documentation_names_is_there() {
    let mut missing = Vec::new();
    let mut checked = 0;
    for page in pages() {
        for (number, line) in prose(&text(&page)) {
            for named in line.split('`').skip(1).step_by(2) {
                let of_repository = [
                    "crates/", "tests/", "docs/", "config/", "schemas/", "deploy/", ".ci/",
                ];
                if !of_repository.iter().any(|start| named.starts_with(start))
                    || named.contains(['<', '*', ' ', '…'])
                {
                    continue;
                }
                checked += 1;
                if !root().join(named).exists() {
                    missing.push(format!("{}:{}: {named}", page.display(), number + 1));
                }
            }
        }
    }
    assert!(checked > 20, "only {checked} names found");
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Codes that stand in the sources as `code: "…"`.
fn codes_in_sources() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for file in files("crates", ".rs") {
        if !file.components().any(|part| part.as_os_str() == "src") {
            continue;
        }
        for rest in text(&file).split("code: \"").skip(1) {
            codes.extend(rest.split('"').next().map(str::to_owned));
        }
    }
    codes
}

/// Every code that a message, a file or a problem can get, as its page is called.
fn known_codes() -> BTreeSet<String> {
    let mut codes = codes_in_sources();
    assert!(codes.len() > 5, "only {codes:?}");
    codes.extend(baton_connectors::Code::ALL.iter().map(ToString::to_string));
    codes.extend(
        baton_config::codes()
            .iter()
            .map(|code| format!("config-{code}")),
    );
    codes
}

fn error_pages() -> BTreeSet<String> {
    files("docs/errors", ".md")
        .iter()
        .filter_map(|path| path.file_stem()?.to_str().map(str::to_owned))
        .filter(|name| name != "README")
        .collect()
}

#[test]
fn every_error_code_has_a_page_and_every_page_a_code() {
    let (codes, pages) = (known_codes(), error_pages());
    let without_page: Vec<_> = codes.difference(&pages).collect();
    // What waits for a steward has pages of its own; the daemon's tests compare them with its codes.
    let without_code: Vec<_> = pages
        .difference(&codes)
        .filter(|page| !page.starts_with("parked-"))
        .collect();
    assert!(
        without_page.is_empty(),
        "no page in docs/errors for {without_page:?}"
    );
    assert!(
        without_code.is_empty(),
        "no code for the pages {without_code:?}"
    );
}

/// The first sentence of a page: bold in those of `check`, under "What" in the others.
fn summary(page: &str) -> String {
    let bold = page.split("**").nth(1);
    let what = page
        .split("## What\n")
        .nth(1)
        .and_then(|rest| rest.trim_start().lines().next());
    let first = what.or(bold).unwrap_or_default();
    match first.split_once(". ") {
        Some((sentence, _)) => sentence.to_owned(),
        None => first.trim_end_matches('.').to_owned(),
    }
}

fn index() -> String {
    let mut index = String::from(
        "# Codes of errors and tasks\n\n\
         Made of the pages by `BATON_BLESS=1 cargo test -p baton-tests --test documentation`; a test fails when it is \
         stale.\n",
    );
    let pages = error_pages();
    let (config, rest): (Vec<_>, Vec<_>) =
        pages.iter().partition(|name| name.starts_with("config-"));
    let (parked, letters): (Vec<_>, Vec<_>) = rest
        .into_iter()
        .partition(|name| name.starts_with("parked-"));
    for (title, names) in [
        ("Messages that end in the dead letters", letters),
        ("What waits for a steward", parked),
        ("Problems that `baton check` finds", config),
    ] {
        let _ = write!(index, "\n## {title}\n\n| code | what |\n| --- | --- |\n");
        for name in names {
            let said = summary(&text(format!("docs/errors/{name}.md")));
            let _ = writeln!(
                index,
                "| [`{name}`]({name}.md) | {} |",
                said.replace('|', "\\|")
            );
        }
    }
    index
}

#[test]
fn the_index_of_error_pages_is_fresh() {
    let path = root().join("docs/errors/README.md");
    let fresh = index();
    if std::env::var_os("BATON_BLESS").is_some() {
        fs::write(&path, &fresh).expect("writable");
    }
    let stands = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stands == fresh,
        "docs/errors/README.md is stale; run the test with BATON_BLESS=1"
    );
    assert!(
        !fresh.contains("|  |"),
        "a page without a first sentence:\n{fresh}"
    );
}

#[test]
fn the_page_of_the_funnel_shows_the_rules_as_they_are_configured() {
    let path = root().join("docs/stewards/funnel.md");
    let page = fs::read_to_string(&path).expect("readable");
    let loaded = baton_config::load(&root().join("config")).expect("readable");
    let rules = loaded.rules.expect("sound");
    let setup = rules.funnel.expect("a funnel");
    let (before, rest) = page
        .rsplit_once("```text\n")
        .expect("a block with the rules");
    let (shown, after) = rest.split_once("```\n").expect("closed");
    let fresh = baton_config::described(&setup);
    if std::env::var_os("BATON_BLESS").is_some() {
        let page = format!("{before}```text\n{fresh}```\n{after}");
        fs::write(&path, page).expect("writable");
        return;
    }
    assert!(
        shown == fresh,
        "docs/stewards/funnel.md is stale; run the test with BATON_BLESS=1"
    );
}

/// `backoff` is unmaintained and must be easy to replace: one file knows of it (see deny.toml).
#[test]
fn backoff_is_named_in_exactly_one_source_file() {
    let mut naming = Vec::new();
    for folder in ["crates", "tests"] {
        for file in files(folder, ".rs") {
            let content = text(&file);
            let word = ["back", "off"].concat();
            let named = content.match_indices(&word).any(|(at, _)| {
                let before = content[..at].chars().next_back().unwrap_or(' ');
                let after = &content[at + word.len()..];
                let alone = !before.is_alphanumeric() && !matches!(before, '_' | '.' | '"' | '`');
                alone && (after.starts_with("::") || after.starts_with(';'))
            });
            if named {
                naming.push(file);
            }
        }
    }
    assert_eq!(naming, [PathBuf::from("crates/daemon/src/retry.rs")]);
}
