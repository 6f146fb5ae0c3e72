//! The stored form of everything that is not a column: one format byte, then postcard.
//!
//! Postcard has no field names, so a changed type needs a new format byte and a reader for the old one; golden
//! files under `tests/golden` hold every form that was ever stored.

use serde::{Serialize, de::DeserializeOwned};

/// The format that is written.
pub const FORMAT: u8 = 1;

#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("the blob is empty")]
    Empty,
    #[error("the blob's format is {0}, this Baton reads up to {FORMAT}")]
    Format(u8),
    #[error("the blob is not what its format says")]
    Body(#[source] postcard::Error),
    #[error("{0} bytes follow the end of the blob")]
    Trailing(usize),
}

/// # Errors
/// If the value's own serialisation refuses, which is a mistake in Baton.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, BlobError> {
    let mut out = Vec::with_capacity(512);
    out.push(FORMAT);
    postcard::to_extend(value, out).map_err(BlobError::Body)
}

/// # Errors
/// If the bytes are of an unknown format, end early or late, or do not make a value.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BlobError> {
    match bytes.split_first() {
        None => Err(BlobError::Empty),
        Some((&FORMAT, body)) => {
            let (value, rest) = postcard::take_from_bytes(body).map_err(BlobError::Body)?;
            if rest.is_empty() {
                Ok(value)
            } else {
                Err(BlobError::Trailing(rest.len()))
            }
        }
        Some((&format, _)) => Err(BlobError::Format(format)),
    }
}

#[cfg(test)]
#[expect(
    clippy::needless_update,
    reason = "a type that gains a field must not stop the samples from compiling"
)]
mod golden;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_that_ends_early_or_late_or_is_of_another_format_is_refused() -> Result<(), BlobError>
    {
        let whole = encode(&("text".to_owned(), 300_u32))?;
        assert_eq!(decode::<(String, u32)>(&whole)?, ("text".to_owned(), 300));
        for end in 0..whole.len() {
            assert!(decode::<(String, u32)>(&whole[..end]).is_err(), "{end}");
        }
        let mut late = whole.clone();
        late.push(0);
        assert!(matches!(
            decode::<(String, u32)>(&late),
            Err(BlobError::Trailing(1))
        ));
        let mut newer = whole;
        newer[0] = FORMAT + 1;
        assert!(matches!(
            decode::<(String, u32)>(&newer),
            Err(BlobError::Format(_))
        ));
        Ok(())
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_are_a_value_or_an_error(bytes: Vec<u8>) {
            let mut bytes = bytes;
            bytes.insert(0, FORMAT);
            drop(decode::<baton_core::state::State>(&bytes));
            drop(decode::<baton_core::book::LedgerRow>(&bytes));
        }
    }
}
