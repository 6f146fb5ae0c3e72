//! Logs: structured, lower-case prose, fixed field names, never a field's value.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum LogForm {
    /// For people on a terminal, JSON otherwise.
    Auto,
    Text,
    Json,
}

/// Sends logs to standard error. `BATON_LOG` (or `RUST_LOG`) takes a filter such as `info,baton=debug`; otherwise
/// `default` holds. A second call does nothing.
pub fn init(form: LogForm, default: &str) {
    let filter = EnvFilter::try_from_env("BATON_LOG")
        .or_else(|_| EnvFilter::try_from_default_env())
        .unwrap_or_else(|_| EnvFilter::new(default));
    let terminal = std::io::stderr().is_terminal();
    let json = match form {
        LogForm::Auto => !terminal,
        LogForm::Text => false,
        LogForm::Json => true,
    };
    let layers = tracing_subscriber::registry().with(filter);
    let done = if json {
        layers
            .with(
                tracing_subscriber::fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_writer(std::io::stderr),
            )
            .try_init()
    } else {
        layers
            .with(
                tracing_subscriber::fmt::layer()
                    .with_ansi(terminal)
                    .with_target(false)
                    .with_writer(std::io::stderr),
            )
            .try_init()
    };
    // A test or the demo may have set it up before.
    drop(done);
}
