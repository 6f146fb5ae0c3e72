//! Steps of pipeline, relay and timers at which a test can end the process, as a power cut would.
//!
//! `BATON_CRASH=committed:3` ends a debug build when it has reached that step for the third time, and
//! `BATON_CLOCK=FILE` sets its clock off by the milliseconds that the file says at the time. A release build knows no
//! such thing.

/// The steps, in the order in which a change passes them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A batch came from the log.
    Consumed,
    Decoded,
    /// Rows are loaded, entities are known.
    Identified,
    /// Everything is decided, nothing is written.
    Applied,
    /// The transaction is through; the consumer has not heard of it.
    Committed,
    /// Timers are found due.
    Due,
    /// Timers are carried out.
    Fired,
    /// A page of the outbox is read.
    PageRead,
    /// The log has the page, the outbox still has it, too.
    Published,
    /// The outbox has let go of the page.
    Cleared,
}

impl Step {
    pub const ALL: [Self; 10] = [
        Self::Consumed,
        Self::Decoded,
        Self::Identified,
        Self::Applied,
        Self::Committed,
        Self::Due,
        Self::Fired,
        Self::PageRead,
        Self::Published,
        Self::Cleared,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Consumed => "consumed",
            Self::Decoded => "decoded",
            Self::Identified => "identified",
            Self::Applied => "applied",
            Self::Committed => "committed",
            Self::Due => "due",
            Self::Fired => "fired",
            Self::PageRead => "page-read",
            Self::Published => "published",
            Self::Cleared => "cleared",
        }
    }
}

/// Where the process is; it may not get any further.
#[cfg(debug_assertions)]
pub(crate) fn reached(step: Step) {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    };

    static WANTED: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let text = std::env::var("BATON_CRASH").ok()?;
        let (name, times) = text.split_once(':')?;
        Some((name.to_owned(), times.parse().ok()?))
    });
    static TIMES: AtomicU64 = AtomicU64::new(0);

    if let Some((name, times)) = &*WANTED
        && name == step.name()
        && TIMES.fetch_add(1, Ordering::Relaxed) + 1 == *times
    {
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
pub(crate) const fn reached(_: Step) {}

/// By how many ms the machine's clock is to be taken for wrong.
#[cfg(debug_assertions)]
pub(crate) fn clock_is_off() -> i64 {
    static FILE: std::sync::LazyLock<Option<std::ffi::OsString>> =
        std::sync::LazyLock::new(|| std::env::var_os("BATON_CLOCK"));
    let told = FILE
        .as_ref()
        .and_then(|file| std::fs::read_to_string(file).ok());
    told.and_then(|text| text.trim().parse().ok())
        .unwrap_or_default()
}

#[cfg(not(debug_assertions))]
pub(crate) const fn clock_is_off() -> i64 {
    0
}
