//! A slip of the pen is one problem, and the rest of the file is still read.

use crate::base::{base_for, load_files, places};

/// Problems of `text` beside a sound base.
fn found(text: &str) -> Vec<String> {
    let loaded = load_files(&[("base.toml", &base_for("")), ("x.toml", text)]);
    places(&loaded)
        .into_iter()
        .map(|p| p.trim_start_matches("x.toml:").to_owned())
        .collect()
}

const AFTER: &str = "\n[mass_clear]\nrecords = -1\n";

#[test]
fn each_slip_is_one_problem_and_what_follows_is_judged() {
    let mut failures = Vec::new();
    for (slip, place) in [
        ("[timing]\nquantum = 1s", "2:11 toml-syntax"),
        ("[timing]\nquantum = \"1s", "2:13 toml-syntax"),
        ("[timing]\nquantum \"1s\"", "2:9 toml-syntax"),
        ("[timing]\nquantum", "2:7 toml-syntax"),
        ("[timing]\nfoo bar", "2:5 toml-syntax"),
        ("[timing]\n= \"1s\"", "2:1 toml-syntax"),
        ("[timing]]\nquantum = \"1s\"", "1:9 toml-syntax"),
        ("[[timing]\nquantum = \"1s\"", "1:1 toml-syntax"),
        ("[timing]\nquantum = '1s", "2:13 toml-syntax"),
        ("[timing]\nquantum = \"\"\"1s", "2:11 toml-syntax"),
        ("[timing]\nquantum = \"1\\s\"", "2:14 toml-syntax"),
        ("[timing]\nquantum = True", "2:11 toml-syntax"),
        ("[timing]\nquantum: \"1s\"", "2:8 toml-syntax"),
        (
            "[daemon]\nroles = [\"engine\", \"relay\"}",
            "2:27 toml-syntax",
        ),
        ("[kafka]\nclient = { a = [1 }", "2:16 toml-syntax"),
        ("[timing]\nquantum == \"1s\"", "2:10 toml-syntax"),
        ("[timing]\nquantum = \"1s\" \"2s\"", "2:16 toml-syntax"),
        ("[timing\nquantum = \"1s\"", "1:1 toml-syntax"),
        (
            "[daemon]\nroles = [\"engine\", \"relay\"",
            "2:9 toml-syntax",
        ),
        (
            "[daemon]\nroles = [\n  \"engine\",\n  \"relay\"",
            "2:9 toml-syntax",
        ),
        (
            "[daemon]\nroles = [\"engine\" \"relay\"]",
            "2:19 toml-syntax",
        ),
        (
            "[person.fields.nick]\nrule = { only = \"crm\"",
            "2:8 toml-syntax",
        ),
        (
            "[timing]\nquantum = \"1s\"\nquantum = \"2s\"",
            "3:1 duplicate-key",
        ),
    ] {
        let text = format!("{slip}{AFTER}");
        let line = text.lines().count();
        let wanted = [place.to_owned(), format!("{line}:11 number-out-of-range")];
        if found(&text) != wanted {
            failures.push(format!("{text}\n  {:?}\n  {wanted:?}", found(&text)));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn positions_count_characters_from_one() {
    let text = "[person.fields.\"größe\"]\n\"ä\" = 1\n";
    assert_eq!(found(text), ["1:16 bad-name", "2:1 unknown-key"]);
    let text = "[person.fields.nick]\nrule = { derived = \"concat('é', nope)\" }\n";
    assert_eq!(found(text), ["2:33 unknown-field"]);
}

#[test]
fn positions_in_expressions_survive_escapes() {
    let text = "[person.fields.nick]\nrule = { derived = \"concat(\\\" \\\", nope)\" }\n";
    assert_eq!(found(text), ["2:35 unknown-field"]);
    let text = "[person.fields.nick]\nrule = { derived = 'concat(\" \", nope)' }\n";
    assert_eq!(found(text), ["2:33 unknown-field"]);
}

#[test]
fn a_byte_order_mark_and_carriage_returns_are_no_mistakes() {
    assert!(found("\u{feff}[timing]\r\nquantum = \"1s\"\r\n").is_empty());
}

#[test]
fn bytes_that_are_no_text_are_one_problem_where_they_begin() {
    let files = std::collections::BTreeMap::from([
        ("base.toml".into(), base_for("").into_bytes()),
        ("x.toml".into(), b"[timing]\nquantum = \"\xff\"\n".to_vec()),
    ]);
    let loaded = baton_config::load_from(&files, &crate::base::environment());
    assert_eq!(places(&loaded), ["x.toml:2:12 not-utf8"]);
}

#[test]
fn people_without_identity_are_a_problem() {
    let text = base_for("").replace("[identity]\nemail = \"email\"\n", "");
    let loaded = load_files(&[("a.toml", &text)]);
    assert_eq!(places(&loaded), ["a.toml:1:1 identity-missing"]);
}
