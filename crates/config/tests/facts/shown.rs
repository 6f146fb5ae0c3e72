//! Problems as people see them, and folders that cannot be read.

use baton_config::{Style, Unreadable, load, render};

use crate::base::with;

#[test]
fn a_problem_is_shown_in_its_line_with_what_was_meant() {
    let loaded = with("[person.fields.nick]\nrule = \"lastest\"\n");
    let shown = render(&loaded.problems, &loaded.sources, Style::Plain);
    for part in [
        "error[unknown-strategy]: there is no strategy `lastest`",
        "example.toml:2:8",
        "rule = \"lastest\"",
        "did you mean `latest`?",
        "note: Baton cannot tell which value should survive.",
        "help: Did you mean `latest`?",
        "1 error",
    ] {
        assert!(shown.contains(part), "{part:?} is not in\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'));
}

#[test]
fn a_folder_that_is_not_there_is_no_list_of_problems() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("nowhere");
    assert!(matches!(load(&missing), Err(Unreadable::Missing(_))));
    assert!(matches!(load(folder.path()), Err(Unreadable::NoFiles(_))));
    let file = folder.path().join("a.toml");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(load(&file), Err(Unreadable::NotAFolder(_))));
}

#[test]
fn an_unreadable_file_is_a_problem_like_others() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("a.toml")).unwrap();
    std::fs::write(folder.path().join("b.toml"), "[timing]\nquantm = \"1s\"\n").unwrap();
    let loaded = load(folder.path()).unwrap();
    let codes: Vec<_> = loaded.problems.iter().map(|p| p.code).collect();
    assert_eq!(codes, ["file-unreadable", "unknown-key"]);
}
