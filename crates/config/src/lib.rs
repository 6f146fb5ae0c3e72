//! Turns what stewards write into rules, or into a list of problems with positions.
//!
//! The configuration is a folder of TOML files. [`load`] reads all of it, reports **all** problems in one run, and
//! gives [`baton_core::rules::Rules`] and [`Settings`] only when no error was found.
//!
//! The way of a file: `syntax` makes a tree that knows where everything stands and goes on after mistakes; `shape`
//! judges keys and kinds of values against `spec`; `names` collects what is defined; `systems`, `entity` and `people`
//! make rules of it; `across` looks at what only shows together. A slip is reported once: what was misspelt is read
//! on as what was meant, what cannot be read is left out of every later judgement.

mod across;
mod codes;
mod condition;
mod cycles;
mod entity;
mod expression;
mod folder;
mod lifecycle;
mod mapping;
mod names;
mod operate;
mod people;
mod problem;
mod quantity;
mod regions;
mod render;
mod rules;
mod scan;
mod schema;
mod settings;
mod shape;
mod spec;
mod strategy;
mod syntax;
mod systems;
mod tree;

pub use folder::{Loaded, Unreadable, load, load_from, rules_from};
pub use lifecycle::{Section, describe, described};
pub use operate::Environment;
pub use problem::{Problem, Severity};
pub use render::{Style, render};
pub use schema::schema;
pub use settings::{Admin, Daemon, Kafka, Role, Secret, Settings, Store, SystemTopics, Topics};

/// The help page (Markdown) of a problem's code, with or without the `config-` before it. None where there is no such
/// code.
#[must_use]
pub fn explain_code(code: &str) -> Option<String> {
    let code = code.strip_prefix("config-").unwrap_or(code);
    codes::Code::ALL
        .iter()
        .find(|c| c.as_str() == code)
        .map(|c| c.page())
}

/// All codes that a [`Problem`] can have, sorted.
#[must_use]
pub fn codes() -> Vec<&'static str> {
    let mut codes: Vec<_> = codes::Code::ALL.iter().map(|c| c.as_str()).collect();
    codes.sort_unstable();
    codes
}
