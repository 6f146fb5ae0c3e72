//! The one retry policy of the daemon: for the log and the store being away for a while. What an outside system
//! answered is never retried here; that is a row with a next-attempt time.

use std::{future::Future, time::Duration};

use backoff::{ExponentialBackoff, backoff::Backoff};
use tokio_util::sync::CancellationToken;

/// Whether an error can pass by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passing {
    /// Waiting may help: connection lost, database busy.
    Yes,
    /// It will fail again the same way.
    No,
}

/// Tries until it works, the error is none that passes, or `stop` is asked for. Waits 50 ms at first, 5 s at
/// most, without end: a daemon whose store is away waits for it.
///
/// # Errors
/// The last error, when it is none that passes or when stopped.
pub async fn until_it_passes<T, E, F>(
    stop: &CancellationToken,
    what: &'static str,
    passing: impl Fn(&E) -> Passing,
    mut attempt: impl FnMut() -> F,
) -> Result<T, E>
where
    E: std::error::Error + 'static,
    F: Future<Output = Result<T, E>>,
{
    let mut policy = ExponentialBackoff {
        initial_interval: Duration::from_millis(50),
        current_interval: Duration::from_millis(50),
        max_interval: Duration::from_secs(5),
        max_elapsed_time: None,
        ..ExponentialBackoff::default()
    };
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if passing(&error) == Passing::No || stop.is_cancelled() {
            return Err(error);
        }
        let wait = policy.next_backoff().unwrap_or(Duration::from_secs(5));
        tracing::warn!(
            what,
            error = whole(&error),
            wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "failed, trying again"
        );
        tokio::select! {
            () = stop.cancelled() => return Err(error),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// An error with its causes, which a line of JSON would leave out.
fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Fault(&'static str);

    fn passing(fault: &Fault) -> Passing {
        if fault.0 == "away" {
            Passing::Yes
        } else {
            Passing::No
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_passing_error_is_tried_again_until_it_is_gone() {
        let mut tries = 0;
        let got = until_it_passes(&CancellationToken::new(), "test", passing, || {
            tries += 1;
            let result = if tries < 4 {
                Err(Fault("away"))
            } else {
                Ok(tries)
            };
            async move { result }
        })
        .await;
        assert_eq!(got.unwrap(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lasting_error_is_returned_at_once() {
        let mut tries = 0;
        let got: Result<(), _> =
            until_it_passes(&CancellationToken::new(), "test", passing, || {
                tries += 1;
                async { Err(Fault("wrong")) }
            })
            .await;
        assert_eq!(got.unwrap_err().0, "wrong");
        assert_eq!(tries, 1);
    }
}
