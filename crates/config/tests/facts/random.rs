//! Nothing that stands in the files makes `check` fall over, and its answer is always the same.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::LazyLock};

use baton_config::{Severity, Style, load_from, render};
use proptest::prelude::*;

use crate::base::environment;

/// The shipped files, to be damaged.
static SHIPPED: LazyLock<BTreeMap<PathBuf, Vec<u8>>> = LazyLock::new(|| {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let mut files = BTreeMap::new();
    for folder in ["", "vocabularies", "holidays"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ext| ext == "toml") {
                let name = PathBuf::from(folder).join(path.file_name().unwrap());
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
});

/// Loads, shows and loads again.
fn survives(files: &BTreeMap<PathBuf, Vec<u8>>) -> Result<(), TestCaseError> {
    let loaded = load_from(files, &environment());
    let shown = render(&loaded.problems, &loaded.sources, Style::Plain);
    prop_assert!(!shown.is_empty());
    prop_assert!(loaded.problems.is_sorted());
    let wrong = loaded
        .problems
        .iter()
        .any(|p| p.severity == Severity::Error);
    prop_assert_eq!(loaded.rules.is_none(), wrong);
    for problem in &loaded.problems {
        let text = &loaded.sources[&problem.file];
        prop_assert!(problem.line >= 1 && problem.line <= text.split('\n').count());
        let line = text.split('\n').nth(problem.line - 1).unwrap();
        prop_assert!(problem.column <= line.chars().count() + 1);
        prop_assert!(baton_config::explain_code(problem.code).is_some());
    }
    let again = load_from(files, &environment());
    prop_assert_eq!(again.problems, loaded.problems);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        survives(&BTreeMap::from([("a.toml".into(), bytes.clone()), ("vocabularies/csv.toml".into(), bytes)]))?;
    }

    #[test]
    fn toml_like_text_never_panics(text in "([\\[\\]{}=\",.#'a-z0-9 \\n\\\\-]|person|fields|rule|by_stage|trust|systems){0,80}") {
        survives(&BTreeMap::from([("a.toml".into(), text.into_bytes())]))?;
    }

    #[test]
    fn expressions_never_panic(text in "(concat|lower|sum|domain|[(),\" a-z0-9é-]){0,40}") {
        let quoted = serde_json::to_string(&text).unwrap();
        let file = format!("[person.fields.a]\nrule = {{ derived = {quoted} }}\n");
        survives(&BTreeMap::from([("a.toml".into(), file.into_bytes())]))?;
    }

    #[test]
    fn conditions_never_panic(text in "(and|or|not|is|in|within|stage|score|country|30d|true|[=<>!(),' a-z0-9é-]){0,30}") {
        let quoted = serde_json::to_string(&text).unwrap();
        let file = format!("[lifecycle]\nnurture = {quoted}\n[person.fields]\nscore = {{ type = \"number\" }}\ncountry = {{ type = \"country\" }}\n");
        survives(&BTreeMap::from([("a.toml".into(), file.into_bytes())]))?;
    }

    #[test]
    fn damaged_shipped_files_never_panic(
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        len in 0_usize..12,
        put in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b'['), Just(b'}'), Just(b'\n'), Just(b'='), Just(b'.'), any::<u8>()], 0..6),
    ) {
        let mut files = SHIPPED.clone();
        let name = files.keys().nth(file.index(files.len())).unwrap().clone();
        let bytes = files.get_mut(&name).unwrap();
        let start = at.index(bytes.len());
        let end = (start + len).min(bytes.len());
        bytes.splice(start..end, put);
        survives(&files)?;
    }
}
