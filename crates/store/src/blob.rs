//! The stored form of everything that is not a column: one format byte, then postcard, compressed where it is long. A
//! state, which is read and written with every input, has a form of its own ([`state`]).
//!
//! Postcard has no field names, so a changed type needs a new format byte and a reader for the old one; golden
//! files under `tests/golden` hold every form that was ever stored.

mod numbered;
mod state;

use std::borrow::Cow;

use baton_core::{book::LedgerRow, input::Input, state::State};
use lz4_flex::block::{DecompressError, compress_into, decompress_into, get_maximum_output_size};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Postcard as it is.
const PLAIN: u8 = 1;

/// The length of the postcard (four bytes, little endian), then the postcard as one block of LZ4.
const PACKED: u8 = 2;

/// A state, in which what was said before is a number.
const NUMBERED: u8 = 3;

/// The newest format.
pub const FORMAT: u8 = NUMBERED;

/// Shorter ones are left as they are.
const WORTH_PACKING: usize = 1_024;

/// LZ4 can say no more than this with one byte, so nobody can make us take much room with few.
const MOST_PER_BYTE: usize = 256;

#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("the blob is empty")]
    Empty,
    #[error("the blob's format is {0}, this Baton reads up to {FORMAT}")]
    Format(u8),
    #[error("the blob is not what its format says")]
    Body(#[source] postcard::Error),
    #[error("the blob is not the state that its format says it is")]
    State(#[source] numbered::Malformed),
    #[error("the blob cannot be unpacked")]
    Packed(#[source] DecompressError),
    #[error("the blob says that {said} bytes are packed in {in_bytes}, which cannot be")]
    Length { said: usize, in_bytes: usize },
    #[error("{0} bytes follow the end of the blob")]
    Trailing(usize),
}

/// Puts texts in by the piece; what postcard brings for anything that can be extended puts in byte by byte.
struct Bytes(Vec<u8>);

impl postcard::ser_flavors::Flavor for Bytes {
    type Output = Vec<u8>;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.0)
    }
}

/// # Errors
/// If the value's own serialisation refuses, which is a mistake in Baton.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, BlobError> {
    encode_sized(value, 512)
}

/// The same for a value that takes about so many bytes.
pub(crate) fn encode_sized<T: Serialize>(value: &T, bytes: usize) -> Result<Vec<u8>, BlobError> {
    let mut plain = Vec::with_capacity(bytes);
    plain.push(PLAIN);
    let plain = postcard::serialize_with_flavor(value, Bytes(plain)).map_err(BlobError::Body)?;
    Ok(packed(&plain).unwrap_or(plain))
}

/// The packed form of a plain one; none where that would not be worth it.
fn packed(plain: &[u8]) -> Option<Vec<u8>> {
    let body = plain.get(1..)?;
    if body.len() < WORTH_PACKING {
        return None;
    }
    let length = u32::try_from(body.len()).ok()?;
    let mut out = vec![0; 5 + get_maximum_output_size(body.len())];
    let (head, room) = out.split_at_mut_checked(5)?;
    let written = compress_into(body, room).ok()?;
    head.copy_from_slice(&[&[PACKED][..], &length.to_le_bytes()].concat());
    out.truncate(5 + written);
    out.shrink_to_fit();
    (out.len() < plain.len()).then_some(out)
}

/// # Errors
/// If the bytes are of an unknown format, end early or late, or do not make a value.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BlobError> {
    value(&unpacked(bytes)?)
}

/// The postcard in a blob.
pub(crate) fn unpacked(bytes: &[u8]) -> Result<Cow<'_, [u8]>, BlobError> {
    match bytes.split_first() {
        None => Err(BlobError::Empty),
        Some((&PLAIN, body)) => Ok(Cow::Borrowed(body)),
        Some((&PACKED, rest)) => {
            let (length, body) = rest.split_first_chunk().ok_or(BlobError::Empty)?;
            let said = u32::from_le_bytes(*length) as usize;
            if said > body.len().saturating_mul(MOST_PER_BYTE) {
                return Err(BlobError::Length {
                    said,
                    in_bytes: body.len(),
                });
            }
            let mut plain = vec![0; said];
            let unpacked = decompress_into(body, &mut plain).map_err(BlobError::Packed)?;
            if unpacked != said {
                return Err(BlobError::Length {
                    said,
                    in_bytes: body.len(),
                });
            }
            Ok(Cow::Owned(plain))
        }
        Some((&format, _)) => Err(BlobError::Format(format)),
    }
}

/// The value of a postcard.
pub(crate) fn value<'de, T: Deserialize<'de>>(plain: &'de [u8]) -> Result<T, BlobError> {
    let (value, rest) = postcard::take_from_bytes(plain).map_err(BlobError::Body)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(BlobError::Trailing(rest.len()))
    }
}

/// An input as the ledger keeps it. The state that a merge brings is written in its serialised form, and its funnel
/// behind the whole row: rows of before there was a funnel have nothing there.
///
/// # Errors
/// As [`encode`].
pub fn encode_row(row: &LedgerRow) -> Result<Vec<u8>, BlobError> {
    match &row.input {
        Input::Absorb(state) => match &state.funnel {
            Some(funnel) => encode(&(row, funnel)),
            None => encode(row),
        },
        _ => encode(row),
    }
}

/// # Errors
/// As [`decode`].
pub fn decode_row(bytes: &[u8]) -> Result<LedgerRow, BlobError> {
    let plain = unpacked(bytes)?;
    let (mut row, rest): (LedgerRow, _) =
        postcard::take_from_bytes(&plain).map_err(BlobError::Body)?;
    match &mut row.input {
        _ if rest.is_empty() => {}
        Input::Absorb(state) => state.funnel = Some(value(rest)?),
        _ => return Err(BlobError::Trailing(rest.len())),
    }
    Ok(row)
}

/// Bytes that a state takes at first.
const STATE: usize = 2 << 10;

/// # Errors
/// As [`encode`].
pub fn encode_state(state: &State) -> Result<Vec<u8>, BlobError> {
    let mut out = Vec::with_capacity(STATE);
    out.push(NUMBERED);
    state::write(state, out).map_err(BlobError::Body)
}

/// # Errors
/// As [`decode`].
pub fn decode_state(bytes: &[u8]) -> Result<State, BlobError> {
    let Some((&NUMBERED, body)) = bytes.split_first() else {
        return decode(bytes);
    };
    let (state, left) = state::read(body).map_err(BlobError::State)?;
    match left {
        0 => Ok(state),
        left => Err(BlobError::Trailing(left)),
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

    #[test]
    fn a_long_blob_is_packed_and_one_that_ends_early_or_lies_is_refused() -> Result<(), BlobError> {
        let long = vec!["the same again".to_owned(); 500];
        let whole = encode(&long)?;
        assert_eq!(whole.first(), Some(&PACKED));
        assert!(whole.len() < 500);
        assert_eq!(decode::<Vec<String>>(&whole)?, long);
        for end in 0..whole.len() {
            assert!(decode::<Vec<String>>(&whole[..end]).is_err(), "{end}");
        }
        let mut lies = whole.clone();
        lies[4] = 255;
        assert!(matches!(
            decode::<Vec<String>>(&lies),
            Err(BlobError::Length { .. })
        ));
        let mut longer = whole.clone();
        longer[1] += 1;
        assert!(decode::<Vec<String>>(&longer).is_err());
        Ok(())
    }

    #[test]
    fn a_long_blob_that_was_stored_as_it_is_is_read() -> Result<(), BlobError> {
        let long = vec!["the same again".to_owned(); 500];
        let plain = postcard::to_extend(&long, vec![PLAIN]).map_err(BlobError::Body)?;
        assert_eq!(decode::<Vec<String>>(&plain)?, long);
        Ok(())
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_are_a_value_or_an_error(bytes: Vec<u8>) {
            let mut bytes = bytes;
            bytes.insert(0, PLAIN);
            for format in [PLAIN, PACKED, NUMBERED] {
                bytes[0] = format;
                drop(decode_state(&bytes));
                drop(decode_row(&bytes));
            }
        }
    }
}
