//! `baton describe`: the funnel's rules as sentences, for both teams to sign.

use std::process::ExitCode;

use super::{Place, output, status, workspace};

/// Status 0: described; 1: there is no funnel; 2: the configuration has problems or cannot be read.
pub fn run(place: &Place) -> anyhow::Result<ExitCode> {
    let loaded = workspace::load_config(place.config.as_deref())?;
    let (rules, ..) = workspace::sound(loaded)?;
    let Some(setup) = &rules.funnel else {
        anyhow::bail!(
            "there is no funnel: no file of the configuration has a [lifecycle] section; the one that Baton ships with \
             is config/lifecycle.toml"
        );
    };
    if place.json {
        let sections = serde_json::json!({
            "version": rules.version.as_str(),
            "definition": setup.definition.as_str(),
            "sections": baton_config::describe(setup),
        });
        output::line(serde_json::to_string_pretty(&sections)?)?;
    } else {
        output::line(baton_config::described(setup).trim_end())?;
    }
    Ok(ExitCode::from(status::DONE))
}
