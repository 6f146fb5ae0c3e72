//! Unpacking the four compressions, for the few places that must look into a batch.

use std::io::Read;

/// Largest result; a batch that would be larger is left alone.
const MAX_UNPACKED: usize = 32 * 1024 * 1024;
/// How Java clients frame snappy: a mark, two version numbers, then blocks with their lengths.
const XERIAL: &[u8; 8] = b"\x82SNAPPY\0";
const XERIAL_HEADER: usize = 16;

/// `None` when the bytes are damaged, too many, or the codec is not known.
pub(super) fn unpack(codec: i16, packed: &[u8]) -> Option<Vec<u8>> {
    match codec {
        1 => limited(flate2::read::MultiGzDecoder::new(packed)),
        2 => snappy(packed),
        3 => limited(lz4_flex::frame::FrameDecoder::new(packed)),
        4 => limited(ruzstd::decoding::StreamingDecoder::new(packed).ok()?),
        _ => None,
    }
}

fn limited(decoder: impl Read) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut decoder = decoder.take(MAX_UNPACKED as u64 + 1);
    decoder.read_to_end(&mut out).ok()?;
    (out.len() <= MAX_UNPACKED).then_some(out)
}

fn snappy(packed: &[u8]) -> Option<Vec<u8>> {
    if !packed.starts_with(XERIAL) {
        return snappy_block(packed, 0);
    }
    let mut rest = packed.get(XERIAL_HEADER..)?;
    let mut out = Vec::new();
    while !rest.is_empty() {
        let (len, tail) = rest.split_first_chunk::<4>()?;
        let len = usize::try_from(i32::from_be_bytes(*len)).ok()?;
        out.extend(snappy_block(tail.get(..len)?, out.len())?);
        rest = tail.get(len..)?;
    }
    Some(out)
}

fn snappy_block(block: &[u8], before: usize) -> Option<Vec<u8>> {
    // The length is only what the block says of itself, so it is checked before it is believed.
    let len = snap::raw::decompress_len(block).ok()?;
    if len > MAX_UNPACKED - before {
        return None;
    }
    snap::raw::Decoder::new().decompress_vec(block).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn lz4(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn each_compression_is_unpacked() {
        let text = b"again and again and again".repeat(100);
        let plain_snappy = snap::raw::Encoder::new().compress_vec(&text).unwrap();
        let mut framed = XERIAL.to_vec();
        framed.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
        for _ in 0..2 {
            framed.extend_from_slice(&(plain_snappy.len() as i32).to_be_bytes());
            framed.extend_from_slice(&plain_snappy);
        }
        assert_eq!(unpack(1, &gzip(&text)).unwrap(), text);
        assert_eq!(unpack(2, &plain_snappy).unwrap(), text);
        assert_eq!(unpack(2, &framed).unwrap(), text.repeat(2));
        assert_eq!(unpack(3, &lz4(&text)).unwrap(), text);
        assert_eq!(unpack(4, &zstd(&text)).unwrap(), text);
    }

    #[test]
    fn a_small_batch_that_would_unpack_to_gigabytes_is_left_alone() {
        let bomb = vec![0u8; MAX_UNPACKED + 1];
        assert_eq!(unpack(1, &gzip(&bomb)), None);
        assert_eq!(unpack(3, &lz4(&bomb)), None);
        // A snappy block that says it holds 4 GiB.
        assert_eq!(unpack(2, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_unpacking_panic(codec in 0i16..8, bytes: Vec<u8>, at in 0usize..400) {
            let _ = unpack(codec, &bytes);
            let text = b"again and again and again".repeat(20);
            for (codec, mut packed) in [(1, gzip(&text)), (3, lz4(&text)), (4, zstd(&text))] {
                let at = at % packed.len();
                packed[at] = packed[at].wrapping_add(bytes.first().copied().unwrap_or(1));
                let _ = unpack(codec, &packed);
            }
        }
    }
}
