//! Plays many simulated histories, and says how one that is wrong is played again.
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use baton_simulation::{Mishap, Plan, Played, play};
use clap::Parser;

/// How to play one again.
const AGAIN: &str = "cargo run --release -p baton-simulation --";

/// Plays simulated histories of the engine: workers, crashes, faults at every boundary, all from seeds.
#[derive(Parser)]
struct Options {
    /// How many histories.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Plays this one alone and tells what happens in it.
    #[arg(long)]
    seed: Option<u64>,
    /// Lets nothing go wrong: what is wrong then is wrong without any help.
    #[arg(long)]
    calm: bool,
    /// Gives everybody some months in a funnel.
    #[arg(long)]
    funnel: bool,
    /// How many at once; as many as there are processors, unless told otherwise.
    #[arg(long)]
    threads: Option<usize>,
}

#[derive(Default)]
struct Sum {
    histories: u64,
    steps: u64,
    messages: u64,
    mishaps: BTreeMap<Mishap, (u64, u64)>,
    deeds: BTreeMap<&'static str, u64>,
    wrong: BTreeMap<u64, Vec<String>>,
}

impl Sum {
    fn add(&mut self, seed: u64, played: Played) {
        self.histories += 1;
        self.steps += played.steps;
        self.messages += played.messages;
        for (mishap, count) in played.mishaps {
            let (times, histories) = self.mishaps.entry(mishap).or_default();
            *times += count;
            *histories += 1;
        }
        for (kind, count) in played.deeds {
            *self.deeds.entry(kind).or_default() += count;
        }
        if !played.wrong.is_empty() {
            self.wrong.insert(seed, played.wrong);
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(seed) = options.seed {
        let played = play(&plan(&options, seed), None, true);
        for line in &played.story {
            println!("{line}");
        }
        println!("{}", played.plan);
        for (mishap, times) in &played.mishaps {
            println!("{times:>10}  {}", mishap.told());
        }
        println!("trace {} after {} steps", played.trace, played.steps);
        return verdict(&options, &BTreeMap::from([(seed, played.wrong)]));
    }
    let sum = play_all(&options);
    verdict(&options, &sum.wrong)
}

fn plan(options: &Options, seed: u64) -> Plan {
    let mut plan = Plan::of_seed(seed);
    if options.funnel {
        plan = plan.in_a_funnel();
    }
    if options.calm { plan.calm() } else { plan }
}

fn play_all(options: &Options) -> Sum {
    let started = Instant::now();
    let next = AtomicU64::new(options.from);
    let end = options.from + options.seeds;
    let sum = Mutex::new(Sum::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    // What a history that panics says stands in its verdict.
    std::panic::set_hook(Box::new(|_| {}));
    std::thread::scope(|scope| {
        for _ in 0..options.threads.unwrap_or(threads) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let played = play(&plan(options, seed), None, false);
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    if !played.wrong.is_empty() {
                        println!("seed {seed}: {}", played.wrong.join("; "));
                    }
                    sum.add(seed, played);
                    if sum.histories.is_multiple_of(1_000) {
                        println!("{} histories, {} wrong", sum.histories, sum.wrong.len());
                    }
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    let took = started.elapsed().as_secs_f64();
    println!(
        "{} histories in {took:.1} s ({:.0} a minute); {} messages, {} steps",
        sum.histories,
        sum.histories as f64 * 60.0 / took,
        sum.messages,
        sum.steps
    );
    println!(
        "{:>10} {:>10}  what went wrong on purpose",
        "times", "histories"
    );
    for (mishap, (times, histories)) in &sum.mishaps {
        println!("{times:>10} {histories:>10}  {}", mishap.told());
    }
    for (kind, count) in &sum.deeds {
        println!("{count:>10}  done in the funnel: {kind}");
    }
    sum
}

fn verdict(options: &Options, wrong: &BTreeMap<u64, Vec<String>>) -> ExitCode {
    let funnel = if options.funnel { "--funnel " } else { "" };
    let wrong: Vec<_> = wrong.iter().filter(|(_, why)| !why.is_empty()).collect();
    for (seed, why) in wrong.iter().take(20) {
        println!(
            "wrong: seed {seed}\n  {}\n  again: {AGAIN} {funnel}--seed {seed}",
            why.join("\n  ")
        );
    }
    if wrong.is_empty() {
        println!("all laws hold");
        return ExitCode::SUCCESS;
    }
    println!("{} histories are wrong", wrong.len());
    ExitCode::FAILURE
}
