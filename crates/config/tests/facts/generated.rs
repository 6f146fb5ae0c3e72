//! What is generated and checked in: help pages and the JSON Schema. `BATON_BLESS=1 cargo test` writes them anew.

use std::{collections::BTreeSet, fs, path::PathBuf};

use baton_config::{codes, explain_code, schema};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn check(path: PathBuf, wanted: &str) {
    if std::env::var_os("BATON_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "{} is stale: run the tests with BATON_BLESS=1",
        path.display()
    );
}

#[test]
fn every_code_has_its_page_and_every_page_its_code() {
    let folder = root().join("docs/errors");
    for code in codes() {
        let path = folder.join(format!("config-{code}.md"));
        check(path, &explain_code(code).unwrap());
    }
    let known: BTreeSet<String> = codes().iter().map(|c| format!("config-{c}.md")).collect();
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            !name.starts_with("config-") || known.contains(&name),
            "{name} explains nothing"
        );
    }
}

#[test]
fn checked_in_schema_is_fresh() {
    let text = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    check(root().join("schemas/config.schema.json"), &text);
}

#[test]
fn shipped_files_satisfy_the_schema() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let mut seen = 0;
    for folder in ["config", "config/vocabularies", "config/holidays"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|ext| ext != "toml") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let value: serde_json::Value = toml::from_str(&text).unwrap();
            let errors: Vec<String> = validator
                .iter_errors(&value)
                .map(|e| e.to_string())
                .collect();
            assert!(errors.is_empty(), "{}: {errors:?}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 10);
}

#[test]
fn schema_refuses_what_check_refuses() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for wrong in [
        "[timing]\nquantm = \"1s\"",
        "[person.groups.address]\nfields = \"street\"",
        "[person.fields.x]\nrule = \"lastest\"",
        "[person.fields.x]\nprotect_manual_for = \"6 months\"",
    ] {
        let value: serde_json::Value = toml::from_str(wrong).unwrap();
        assert!(!validator.is_valid(&value), "{wrong}");
    }
}
