//! `baton bench`: how fast the engine is on this machine.

use std::process::ExitCode;

use super::{Place, output};
use crate::bench;

#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// The engine alone, in memory: from the bytes of a change to the decision, beside the vendors' formats
    Core(CoreArgs),
}

#[derive(clap::Args, Clone, Copy, Debug)]
pub struct CoreArgs {
    /// People that exist before the clock starts (vendors' formats: at most 20,000)
    #[arg(long, value_name = "N", default_value = "100000", value_parser = clap::value_parser!(u32).range(1..))]
    people: u32,
    /// Changes to settle, of people chosen uniformly (vendors' formats: at most 50,000)
    #[arg(long, value_name = "N", default_value = "200000", value_parser = clap::value_parser!(u32).range(1..))]
    changes: u32,
}

pub fn run(place: &Place, command: Command) -> anyhow::Result<ExitCode> {
    let Command::Core(args) = command;
    let size = bench::Size {
        people: args.people as usize,
        changes: args.changes as usize,
    };
    let report = bench::core(size, |format| {
        tracing::info!(format = format.as_str(), "measuring");
    })?;
    if place.json {
        output::json(&report)?;
    } else {
        output::line(bench::table(&report).trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}
