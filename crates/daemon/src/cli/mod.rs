//! The command line, one file per command.

mod bench;
mod check;
mod clocks;
mod completions;
mod dead_letters;
mod describe;
mod doctor;
mod english;
mod erase;
mod explain;
mod funnel;
mod ingest;
mod key;
mod lock;
mod log;
mod merge;
mod migrate;
pub(crate) mod output;
mod parked;
mod recycle;
mod run;
mod schema;
mod show;
mod simulate;
mod tail;
mod why_stage;
mod workspace;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

pub use schema::messages as message_schemas;
pub use workspace::{
    Held, LogHandle, Running, Unsound, Workspace, load_config, shipped_config, sound,
};

/// Exit statuses, also told by `--help`.
pub mod status {
    /// Done.
    pub const DONE: u8 = 0;
    /// The answer is no: problems found, nothing found, not converged.
    pub const NO: u8 = 1;
    /// Wrong usage, or the configuration cannot be read.
    pub const USAGE: u8 = 2;
    /// The log or the store cannot be reached, or failed.
    pub const FAILED: u8 = 3;
}

const AFTER: &str = "\
Exit status: 0 done; 1 the answer is no (problems found, nothing found, not converged); 2 wrong usage, or the \
configuration cannot be read; 3 the log or the store cannot be reached.

Logs go to standard error; BATON_LOG takes a filter such as `info,baton=debug`.";

/// What `baton --help` begins with: for people who use it.
const ABOUT: &str = "Keeps every lead, contact, account and deal the same in your CRM and your marketing system, by your own rules";

/// One truth about every lead, contact, account and deal, in every system that holds it.
#[derive(Parser, Debug)]
#[command(name = "baton", version, about = ABOUT, after_help = AFTER, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    place: Place,
    /// How log lines look
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        env = "BATON_LOG_FORM",
        hide_env = true
    )]
    log_form: crate::telemetry::LogForm,
}

/// Where configuration and data are, and how to print; every command takes these.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Place {
    /// Folder of the configuration [default: ./config if it is there, else the one in the binary]
    #[arg(long, global = true, value_name = "DIR", env = "BATON_CONFIG")]
    pub config: Option<PathBuf>,
    /// Folder of the embedded log and store [default: ./baton-data]
    #[arg(long, global = true, value_name = "DIR", env = "BATON_DATA")]
    pub data: Option<PathBuf>,
    /// Print records as JSON
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the daemon
    Run(run::Args),
    /// Play a day in the life of a thousand people
    Demo(DemoArgs),
    /// Find all problems in the configuration
    Check(check::Args),
    /// Print the funnel's rules as plain sentences, for marketing and sales to sign
    Describe,
    /// Print the JSON Schema that editors use
    Schema(schema::Args),
    /// See whether everything that a daemon needs is there and set as it should be
    Doctor,
    /// Create or update the tables of the store
    Migrate,
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Load payloads of a system, from files or standard input
    Ingest(ingest::Args),
    /// Follow what flows, without any Kafka tool
    Tail(tail::Args),
    /// Show a person, account or deal
    Show(show::Args),
    /// Tell why a field has its value
    Explain(explain::Args),
    /// Show the funnel in figures: who stands where, how people go on, who came back and why
    Funnel(funnel::Args),
    /// Tell where a person stands in the funnel, how they came there, and what stands in the way of more
    WhyStage(why_stage::Args),
    /// Show what both teams owe a person, by when, and whether they kept it
    Clocks(clocks::Args),
    /// Play what happened again under other rules, and tell what would have been different
    #[command(subcommand)]
    Simulate(simulate::Command),
    /// Look after messages that could not be understood
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    /// Look after what waits for a decision
    #[command(subcommand)]
    Parked(parked::Command),
    /// Fix a field to a value, or a field or group to a source
    Lock(lock::LockArgs),
    /// Let the rules decide a field or group again
    Unlock(lock::UnlockArgs),
    /// Make one person, account or deal of two
    Merge(merge::Args),
    /// Take a merge apart again
    Unmerge(merge::Args),
    /// Take somebody back to nurture, with a reason
    Recycle(recycle::RecycleArgs),
    /// Give somebody, or everybody of an account, back to marketing, as sales does it
    Return(recycle::ReturnArgs),
    /// Take a person, or everybody of an account, out of all marketing, or end that
    Suppress(recycle::SuppressArgs),
    /// Erase a person's values everywhere, keeping what suppression needs
    Erase(erase::Args),
    /// Run the embedded log alone
    Log(log::Args),
    /// Measure how fast the engine is on this machine
    #[command(subcommand)]
    Bench(bench::Command),
}

/// What `baton demo` takes beside the place.
#[derive(clap::Args, Clone, Debug)]
struct DemoArgs {
    /// Stop when the day is over: status 0 only if everything converged and no law was broken
    #[arg(long)]
    exit: bool,
    /// Repeat a run exactly
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Play on the configured log and store, which must be new
    #[arg(long, hide = true)]
    configured: bool,
    /// People in the cast when the day begins
    #[arg(long, value_name = "N", hide = true, default_value_t = baton_sandbox::day::PEOPLE)]
    people: usize,
}

/// Parses the command line and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let default = match cli.command {
        Command::Run(_) | Command::Log(_) => "info,librdkafka=warn,rdkafka=warn",
        // A command's answer is what it prints; only what went wrong is logged beside it.
        _ => "error,librdkafka=off,rdkafka=off",
    };
    crate::telemetry::init(cli.log_form, default);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("baton")
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            output::complain(&anyhow::Error::new(error).context("cannot start threads"));
            return ExitCode::from(status::FAILED);
        }
    };
    match runtime.block_on(dispatch(cli)) {
        Ok(code) => code,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            ExitCode::from(workspace::status_of(&error))
        }
    }
}

async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let place = cli.place;
    match cli.command {
        Command::Run(args) => run::run(&place, args).await,
        Command::Demo(args) => {
            crate::demo::run(crate::demo::Args {
                exit: args.exit,
                seed: args.seed,
                configured: args.configured,
                people: args.people,
                json: place.json,
                config: place.config,
                data: place.data,
            })
            .await
        }
        Command::Check(args) => check::run(&place, &args),
        Command::Describe => describe::run(&place),
        Command::Schema(args) => schema::run(&args),
        Command::Doctor => doctor::run(&place).await,
        Command::Migrate => migrate::run(&place).await,
        Command::Completions(args) => completions::run(&args),
        Command::Ingest(args) => ingest::run(&place, args).await,
        Command::Tail(args) => tail::run(&place, args).await,
        Command::Show(args) => show::run(&place, &args).await,
        Command::Explain(args) => explain::run(&place, &args).await,
        Command::Funnel(args) => funnel::run(&place, &args).await,
        Command::WhyStage(args) => why_stage::run(&place, &args).await,
        Command::Clocks(args) => clocks::run(&place, &args).await,
        Command::Simulate(command) => simulate::run(&place, &command).await,
        Command::DeadLetters(command) => dead_letters::run(&place, command).await,
        Command::Parked(command) => parked::run(&place, command).await,
        Command::Lock(args) => lock::lock(&place, args).await,
        Command::Unlock(args) => lock::unlock(&place, args).await,
        Command::Merge(args) => merge::run(&place, &args, false).await,
        Command::Unmerge(args) => merge::run(&place, &args, true).await,
        Command::Recycle(args) => recycle::recycle(&place, &args).await,
        Command::Return(args) => recycle::give_back_by_sales(&place, &args).await,
        Command::Suppress(args) => recycle::suppress(&place, &args).await,
        Command::Erase(args) => erase::run(&place, &args).await,
        Command::Log(args) => log::run(&place, &args).await,
        Command::Bench(command) => bench::run(&place, command).await,
    }
}

/// The whole command line, for completions and tests.
#[must_use]
pub fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
