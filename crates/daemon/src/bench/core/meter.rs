//! What time and memory something took.

use std::time::Instant;

/// Nanoseconds by stage, over everything fed so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    pub decode: u64,
    pub normalise: u64,
    pub settle: u64,
    pub settled: usize,
}

/// A stop watch of this thread's time on a processor; the wall where the system does not tell it.
///
/// Other programs do not count into processor time. The kernel adds it up at its ticks, so one lap may be off by a
/// few milliseconds either way; over many laps that evens out.
pub struct Clock {
    wall: Instant,
    cpu: Option<u64>,
}

impl Clock {
    pub fn start() -> Self {
        Self {
            wall: Instant::now(),
            cpu: cpu(),
        }
    }

    pub const fn name(&self) -> &'static str {
        if self.cpu.is_some() { "cpu" } else { "wall" }
    }

    /// Nanoseconds since the start or the lap before.
    pub fn lap(&mut self) -> u64 {
        let now = Self::start();
        let took = match (self.cpu, now.cpu) {
            (Some(before), Some(after)) => after.saturating_sub(before),
            _ => u64::try_from(now.wall.duration_since(self.wall).as_nanos()).unwrap_or(u64::MAX),
        };
        *self = now;
        took
    }
}

/// Nanoseconds that this thread has spent on a processor (Linux).
fn cpu() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// Bytes of this process that are in memory (Linux).
pub fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}
