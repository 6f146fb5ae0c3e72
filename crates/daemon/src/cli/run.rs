//! `baton run`: the daemon.

use std::{collections::BTreeSet, process::ExitCode};

use baton_config::Role;

use super::Place;
use crate::daemon::{self, Stop};

#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// What this process does [default: what `daemon.roles` says, or all]: engine, relay, timers, admin
    #[arg(long, value_delimiter = ',', value_parser = parse_role, value_name = "ROLE,…")]
    roles: Vec<Role>,
    /// End when standard input does
    #[arg(long, hide = true)]
    until_stdin_ends: bool,
}

fn parse_role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| {
        let known: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        format!("a role is one of {}", known.join(", "))
    })
}

pub async fn run(place: &Place, args: Args) -> anyhow::Result<ExitCode> {
    let roles: BTreeSet<Role> = args.roles.into_iter().collect();
    let mut stop = Stop::on_signals()?;
    if args.until_stdin_ends {
        stop = stop.and_with_stdin()?;
    }
    daemon::run(place, (!roles.is_empty()).then_some(roles), stop).await
}
