//! `baton schema`: what editors and consumers validate against.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use baton_core::wire;
use schemars::JsonSchema;

use super::output;
use crate::telemetry;

#[derive(clap::Args, Clone, Debug)]
#[group(multiple = false)]
pub struct Args {
    /// The schemas of the messages on Baton's topics, as one JSON object
    #[arg(long)]
    messages: bool,
    /// The list of metrics (docs/metrics.md)
    #[arg(long)]
    metrics: bool,
    /// Write the schemas of the messages to DIR/<name>.schema.json
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.metrics {
        output::line(telemetry::reference().trim_end())?;
    } else if args.messages {
        output::line(serde_json::to_string_pretty(&messages())?)?;
    } else if let Some(dir) = &args.write {
        for (name, schema) in messages() {
            let path = dir.join(format!("{name}.schema.json"));
            let text = serde_json::to_string_pretty(&schema)? + "\n";
            std::fs::write(&path, text)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
    } else {
        output::line(serde_json::to_string_pretty(&baton_config::schema())?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The JSON Schema of every message on Baton's own topics, by name.
#[must_use]
pub fn messages() -> BTreeMap<&'static str, serde_json::Value> {
    BTreeMap::from([
        ("command", of::<wire::Command>()),
        ("command-result", of::<wire::CommandResult>()),
        ("golden", of::<wire::GoldenMessage>()),
        ("decision", of::<wire::DecisionMessage>()),
        ("lifecycle", of::<wire::LifecycleMessage>()),
        ("dead-letter", of::<wire::DeadLetter>()),
    ])
}

fn of<T: JsonSchema>() -> serde_json::Value {
    schemars::schema_for!(T).to_value()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    #[test]
    fn the_published_schemas_are_those_of_the_code() {
        for (name, schema) in messages() {
            let path = root().join(format!("schemas/{name}.schema.json"));
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let published: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            assert!(
                published == schema,
                "{} is stale: run `cargo run -- schema --write schemas`",
                path.display()
            );
        }
    }

    #[test]
    fn the_list_of_metrics_is_that_of_the_code() {
        let text = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap_or_default();
        assert!(
            text == telemetry::reference(),
            "docs/metrics.md is stale: run `cargo run -- schema --metrics > docs/metrics.md`"
        );
    }
}
