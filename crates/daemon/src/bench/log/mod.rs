//! How fast the embedded log is, and beside it, in the same run, a real Apache Kafka where one is given.
//!
//! The log runs as a process of its own, so that processor time and memory are its own. The client is librdkafka, the
//! same for both. Rounds alternate between the two, so that what else the machine does meets both.

mod contender;
mod load;
mod table;

use std::{path::PathBuf, time::Duration};

pub use self::table::table;
use self::{contender::Contender, load::Client};

/// Bytes of each message.
const MESSAGE_BYTES: usize = 1_024;
/// Partitions of each topic.
const PARTITIONS: i32 = 4;
/// Messages a second while latency is measured.
const PACE: u32 = 2_000;

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Messages of each round, at least 1.
    pub messages: usize,
    /// Rounds of throughput, at least 1; the median counts.
    pub rounds: usize,
    /// How long latency is measured, and then idleness.
    pub quiet: Duration,
    /// Address of a real Apache Kafka; its processor time and memory are known if it runs on this machine.
    pub kafka: Option<String>,
    /// Where the embedded log's data goes, in a folder of its own that is deleted at the end.
    pub data: PathBuf,
}

/// When what was written is synced to the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fsync {
    /// From time to time; Apache Kafka: when the operating system does.
    Interval,
    /// Before it is acknowledged; Apache Kafka: `flush.messages=1`.
    Always,
}

impl Fsync {
    pub const ALL: [Self; 2] = [Self::Interval, Self::Always];
}

/// All that was measured.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Report {
    pub messages: usize,
    pub message_bytes: usize,
    pub partitions: i32,
    pub rounds: usize,
    pub modes: Vec<Mode>,
}

/// Both logs in one mode.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Mode {
    pub fsync: Fsync,
    pub log: Figures,
    pub kafka: Option<Figures>,
    /// The log's figures divided by Apache Kafka's.
    pub ratio: Option<Ratio>,
}

/// The figures of one log.
#[derive(Clone, Copy, Default, Debug, serde::Serialize)]
pub struct Figures {
    pub produced_per_s: f64,
    pub consumed_per_s: f64,
    /// Consumed and produced again to another topic, by one process.
    pub passed_per_s: f64,
    /// Seconds of the log's processor time for a million messages produced, consumed and passed on.
    pub cpu_s_per_million: Option<f64>,
    /// From sending a message to having it, at 2,000 a second.
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Percent of a core that the log takes while two consumers wait for messages that do not come.
    pub idle_cpu_percent: Option<f64>,
    /// The most memory of its own that the process had, page cache not counted.
    pub peak_memory_mib: Option<f64>,
}

/// What one log has for each that the other has.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Ratio {
    pub produced: f64,
    pub consumed: f64,
    pub passed: f64,
    pub cpu: Option<f64>,
    pub p50: f64,
    pub p99: f64,
    pub idle_cpu: Option<f64>,
    pub memory: Option<f64>,
}

impl Ratio {
    fn of(log: &Figures, kafka: &Figures) -> Self {
        let both = |a: Option<f64>, b: Option<f64>| Some(a? / b?);
        Self {
            produced: log.produced_per_s / kafka.produced_per_s,
            consumed: log.consumed_per_s / kafka.consumed_per_s,
            passed: log.passed_per_s / kafka.passed_per_s,
            cpu: both(log.cpu_s_per_million, kafka.cpu_s_per_million),
            p50: log.p50_ms / kafka.p50_ms,
            p99: log.p99_ms / kafka.p99_ms,
            idle_cpu: both(log.idle_cpu_percent, kafka.idle_cpu_percent),
            memory: both(log.peak_memory_mib, kafka.peak_memory_mib),
        }
    }
}

/// Runs the plan in both modes and tells of each step.
///
/// # Errors
/// If the log cannot be started, or one of the two cannot be reached or refuses.
pub async fn run(plan: &Plan, mut progress: impl FnMut(&str)) -> anyhow::Result<Report> {
    let mut modes = Vec::new();
    for fsync in Fsync::ALL {
        let mut contenders = vec![Contender::start(fsync, &plan.data)?];
        if let Some(address) = &plan.kafka {
            contenders.push(Contender::kafka(address, fsync)?);
        }
        let mut figures = Vec::new();
        for samples in throughput(plan, &contenders, &mut progress).await? {
            figures.push(Figures {
                produced_per_s: median(samples.iter().map(|s| s.produced_per_s)),
                consumed_per_s: median(samples.iter().map(|s| s.consumed_per_s)),
                passed_per_s: median(samples.iter().map(|s| s.passed_per_s)),
                cpu_s_per_million: samples
                    .iter()
                    .map(|s| s.cpu_s_per_million)
                    .collect::<Option<Vec<f64>>>()
                    .map(median),
                ..Figures::default()
            });
        }
        for (contender, figures) in contenders.iter().zip(&mut figures) {
            quiet(plan, contender, figures, &mut progress).await?;
        }
        let kafka = (figures.len() > 1).then(|| figures.swap_remove(1));
        let log = figures.swap_remove(0);
        modes.push(Mode {
            fsync,
            log,
            kafka,
            ratio: kafka.as_ref().map(|kafka| Ratio::of(&log, kafka)),
        });
    }
    Ok(Report {
        messages: plan.messages,
        message_bytes: MESSAGE_BYTES,
        partitions: PARTITIONS,
        rounds: plan.rounds,
        modes,
    })
}

/// One round of one log.
struct Sample {
    produced_per_s: f64,
    consumed_per_s: f64,
    passed_per_s: f64,
    cpu_s_per_million: Option<f64>,
}

/// The rounds of each contender, by turns.
async fn throughput(
    plan: &Plan,
    contenders: &[Contender],
    progress: &mut impl FnMut(&str),
) -> anyhow::Result<Vec<Vec<Sample>>> {
    let mut all: Vec<Vec<Sample>> = contenders.iter().map(|_| Vec::new()).collect();
    let count = plan.messages;
    for round in 0..plan.rounds {
        for (contender, samples) in contenders.iter().zip(&mut all) {
            progress(&format!(
                "{}: throughput, round {}",
                contender.name,
                round + 1
            ));
            let client = Client::of(contender);
            let from = client.create("bench-from").await?;
            let to = client.create("bench-to").await?;
            let before = contender.cpu();
            let rate = |took: Duration| count as f64 / took.as_secs_f64();
            let produced_per_s = rate(client.produce(&from, count)?);
            let consumed_per_s = rate(client.consume(&from, count)?);
            let passed_per_s = rate(client.pass_on(&from, &to, count)?);
            let cpu = used(before, contender.cpu());
            client.delete(&[&from, &to]).await?;
            samples.push(Sample {
                produced_per_s,
                consumed_per_s,
                passed_per_s,
                cpu_s_per_million: cpu.map(|seconds| seconds * 1e6 / count as f64),
            });
        }
    }
    Ok(all)
}

/// Latency at a steady pace, idleness, and then the memory that all of it took.
async fn quiet(
    plan: &Plan,
    contender: &Contender,
    figures: &mut Figures,
    progress: &mut impl FnMut(&str),
) -> anyhow::Result<()> {
    let client = Client::of(contender);
    let topic = client.create("bench-quiet").await?;
    progress(&format!("{}: latency", contender.name));
    let mut latencies = client.latencies(&topic, PACE, plan.quiet)?;
    latencies.sort_unstable();
    figures.p50_ms = quantile(&latencies, 0.50);
    figures.p99_ms = quantile(&latencies, 0.99);
    progress(&format!("{}: idle", contender.name));
    let waiting = client.waiting_consumers(&topic, 2)?;
    let before = contender.cpu();
    let took = waiting.idle(plan.quiet);
    figures.idle_cpu_percent =
        used(before, contender.cpu()).map(|seconds| 100.0 * seconds / took.as_secs_f64());
    drop(waiting);
    figures.peak_memory_mib = contender.peak_memory_mib();
    client.delete(&[&topic]).await
}

/// Seconds of processor time between two looks, where both are known.
fn used(before: Option<f64>, after: Option<f64>) -> Option<f64> {
    Some(after? - before?)
}

/// The middle one of some numbers, at least one.
fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

/// The value below which this share of sorted latencies lies, ms.
fn quantile(sorted: &[Duration], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    sorted
        .get(at.min(sorted.len().saturating_sub(1)))
        .map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_and_a_quantile_the_one_below_which_that_share_lies() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        let sorted: Vec<Duration> = (0..100).map(Duration::from_millis).collect();
        assert_eq!(quantile(&sorted, 0.99), 99.0);
        assert_eq!(quantile(&sorted, 0.5), 50.0);
    }

    #[test]
    fn a_ratio_is_the_logs_figure_for_each_of_kafka_and_missing_where_one_is_missing() {
        let log = Figures {
            consumed_per_s: 90.0,
            peak_memory_mib: Some(20.0),
            ..Figures::default()
        };
        let kafka = Figures {
            consumed_per_s: 100.0,
            peak_memory_mib: None,
            ..Figures::default()
        };
        let ratio = Ratio::of(&log, &kafka);
        assert_eq!((ratio.consumed, ratio.memory), (0.9, None));
    }
}
