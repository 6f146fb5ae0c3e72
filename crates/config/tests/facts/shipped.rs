//! The configuration that Baton ships with.

use std::path::Path;

use baton_config::{Style, load, render};

#[test]
fn shipped_configuration_has_no_problems() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let loaded = load(&dir).unwrap();
    let shown = render(&loaded.problems, &loaded.sources, Style::Plain);
    assert!(loaded.problems.is_empty(), "{shown}");
    assert!(loaded.rules.is_some() && loaded.settings.is_some());
}
