//! Every help page's example is run: the wrong one has exactly the page's problem, the right one has none.

use baton_config::{codes, explain_code};

use crate::base::{places, with};

/// No text can show these.
const WITHOUT_EXAMPLE: [&str; 4] = [
    "not-utf8",
    "file-unreadable",
    "identity-missing",
    "bad-holiday",
];

fn examples(page: &str) -> Vec<String> {
    page.split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_wrong_example_has_exactly_its_problem_and_every_right_one_none() {
    let mut failures = Vec::new();
    for code in codes() {
        let page = explain_code(code).unwrap();
        let found = examples(&page);
        let [wrong, right] = found.as_slice() else {
            assert!(WITHOUT_EXAMPLE.contains(&code), "{code} shows no example");
            continue;
        };
        let loaded = with(wrong);
        let said: Vec<_> = loaded.problems.iter().map(|p| p.code).collect();
        if said != [code] {
            failures.push(format!("{code}: wrong gives {:#?}", places(&loaded)));
        }
        if loaded.problems.iter().any(|p| p.file != "example.toml") {
            failures.push(format!("{code}: pointed at {:?}", places(&loaded)));
        }
        let loaded = with(right);
        if !loaded.problems.is_empty() {
            failures.push(format!("{code}: right gives {:#?}", places(&loaded)));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn there_are_at_least_thirty_five_codes() {
    assert!(codes().len() >= 35, "{}", codes().len());
}
