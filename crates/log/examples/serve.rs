//! The log alone, for trying other clients against it.
//!
//! `cargo run -p baton-log --example serve -- 127.0.0.1:9092 /tmp/log [always]`

#![allow(clippy::print_stdout, reason = "a program to be run by hand")]

use std::error::Error;

use baton_log::{Config, Fsync, Log};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let listen = args.next().unwrap_or_else(|| "127.0.0.1:9092".to_owned());
    let folder = args.next().unwrap_or_else(|| "log-data".to_owned());
    let mut config = Config::new(folder);
    config.listen = listen.parse()?;
    if args.next().is_some_and(|a| a == "always") {
        config.fsync = Fsync::Always;
    }
    let log = Log::open(config).await?;
    println!("listening {}", log.addr());
    tokio::signal::ctrl_c().await?;
    log.shutdown().await?;
    Ok(())
}
