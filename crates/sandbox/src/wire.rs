//! The messages that Baton and a system exchange, as the core publishes them: commands in, results out.

pub use baton_core::{
    state::CommandKind,
    wire::{Command, CommandResult, ResultOutcome, SchemaVersion},
};
