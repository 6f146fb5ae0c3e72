//! W3C traces by which a command is known as following from one of our changes.

/// The first half of every trace id of ours.
const OURS: &str = "ba70be9c4ba70be9";

/// The `traceparent` of change number `number`.
pub fn parent(number: u64) -> String {
    format!("00-{OURS}{number:016x}-{:016x}-01", number + 1)
}

/// The number of the change that a `traceparent` goes back to, if it is ours.
pub fn number(traceparent: &str) -> Option<u64> {
    let id = traceparent.split('-').nth(1)?;
    u64::from_str_radix(id.strip_prefix(OURS)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::headers::trace_id;

    #[test]
    fn a_change_is_known_by_its_trace() {
        for at in [0, 1, 20_000, u64::MAX - 1] {
            let parent = parent(at);
            assert!(trace_id(&parent).is_some(), "{parent} starts no trace");
            assert_eq!(number(&parent), Some(at));
        }
        assert_eq!(
            number("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            None
        );
    }
}
