//! `baton completions SHELL`.

use std::process::ExitCode;

#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    shell: clap_complete::Shell,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "baton", &mut script);
    super::output::line(String::from_utf8(script)?.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
