//! `baton run`: the daemon.

use std::{collections::BTreeSet, process::ExitCode};

use baton_config::Role;

use super::Place;

#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// What this process does [default: what `daemon.roles` says, or all]: engine, relay, timers, admin
    #[arg(long, value_delimiter = ',', value_parser = parse_role, value_name = "ROLE,…")]
    roles: Vec<Role>,
}

fn parse_role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| {
        let known: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        format!("a role is one of {}", known.join(", "))
    })
}

pub async fn run(place: &Place, args: Args) -> anyhow::Result<ExitCode> {
    let roles: BTreeSet<Role> = args.roles.into_iter().collect();
    crate::daemon::run(place, (!roles.is_empty()).then_some(roles)).await
}
