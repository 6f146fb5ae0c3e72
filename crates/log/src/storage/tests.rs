//! Partitions on their own: full disks, retention, compaction, reading.

use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::batch::BatchHeader;
use super::files::full_disk;
use super::partition::{AppendError, Durability, Partition};
use super::read::{AtTime, ReadError};
use super::records::{Records, build, payload};
use super::topic::TopicConfig;

fn config(set: &[(&str, &str)]) -> Arc<TopicConfig> {
    Arc::new(TopicConfig::new(set.iter().copied()).unwrap())
}

fn open(dir: &tempfile::TempDir, set: &[(&str, &str)]) -> Partition {
    Partition::open(dir.path(), Durability::Later, config(set))
        .unwrap()
        .0
}

fn append(partition: &Partition, bytes: &[u8], now: i64) -> Result<i64, AppendError> {
    let header = BatchHeader::parse_checked(bytes).unwrap();
    partition.append(&header, bytes, now).map(|a| a.base_offset)
}

/// What a consumer that asks for `max` bytes gets.
fn read(partition: &Partition, offset: i64, max: usize, at_least_one: bool) -> Vec<u8> {
    let found = partition.find(offset, max, at_least_one).unwrap();
    let Some(stretch) = found.records else {
        return Vec::new();
    };
    let mut bytes = vec![0; stretch.len];
    let file = &stretch.file;
    file.read_exact_at(&mut bytes, stretch.position).unwrap();
    bytes
}

/// Offset, key and value of everything, as a consumer would get it.
fn contents(partition: &Partition) -> Vec<(i64, String, Option<String>)> {
    let text = |b: &[u8]| String::from_utf8(b.to_vec()).unwrap();
    let mut offset = partition.bounds().start;
    let mut all = Vec::new();
    loop {
        let fetched = read(partition, offset, 1 << 20, true);
        let mut rest = &fetched[..];
        if rest.is_empty() {
            return all;
        }
        while !rest.is_empty() {
            let header = BatchHeader::parse_checked(rest).unwrap();
            let (batch, tail) = rest.split_at(header.len);
            for record in Records::new(&header, payload(batch)).map(Result::unwrap) {
                let at = header.base_offset + i64::from(record.offset_delta);
                let key = record.key.map(text).unwrap_or_default();
                all.push((at, key, record.value.map(text)));
            }
            offset = header.next_offset();
            rest = tail;
        }
    }
}

fn one(key: &str, value: Option<&str>) -> Vec<u8> {
    build::batch(&[(1000, Some(key), value)])
}

#[test]
fn a_full_disk_is_an_error_and_nothing_stored_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(&dir, &[]);
    append(&partition, &one("a", Some("1")), 0).unwrap();
    full_disk::leave(dir.path(), 20);
    let refused = append(&partition, &one("b", Some("2")), 0);
    assert!(
        matches!(refused, Err(AppendError::Storage(_))),
        "{refused:?}"
    );
    full_disk::empty(dir.path());
    assert_eq!(append(&partition, &one("c", Some("3")), 0).unwrap(), 1);
    let expected = [(0, "a"), (1, "c")];
    let got = contents(&partition);
    let got: Vec<(i64, &str)> = got.iter().map(|(o, k, _)| (*o, k.as_str())).collect();
    assert_eq!(got, expected);
    drop(partition);
    assert_eq!(contents(&open(&dir, &[])).len(), 2);
}

#[test]
fn a_segment_that_a_full_disk_has_no_room_for_is_begun_once_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(&dir, &[("segment.bytes", "1024")]);
    let filler = "x".repeat(900);
    append(&partition, &one("a", Some(&filler)), 0).unwrap();
    full_disk::leave(dir.path(), 0);
    for _ in 0..3 {
        let refused = append(&partition, &one("b", Some(&filler)), 0);
        assert!(matches!(refused, Err(AppendError::Storage(_))));
        assert_eq!(contents(&partition).len(), 1);
    }
    full_disk::empty(dir.path());
    append(&partition, &one("c", Some(&filler)), 0).unwrap();
    drop(partition);
    let got = contents(&open(&dir, &[]));
    let got: Vec<(i64, &str)> = got.iter().map(|(o, k, _)| (*o, k.as_str())).collect();
    assert_eq!(got, [(0, "a"), (1, "c")]);
}

#[test]
fn what_is_too_old_makes_room_on_a_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(&dir, &[("segment.bytes", "1024"), ("retention.ms", "1000")]);
    let filler = "x".repeat(900);
    for i in 0..4 {
        append(&partition, &one("k", Some(&filler)), i).unwrap();
    }
    full_disk::leave(dir.path(), 0);
    // The last segment stays: there is no room for another.
    assert!(partition.clean(100_000).is_err());
    assert_eq!(partition.bounds().start, 3);
    assert_eq!(contents(&partition).len(), 1);
    full_disk::empty(dir.path());
    partition.clean(100_000).unwrap();
    assert_eq!(partition.bounds().start, 4);
}

#[test]
fn a_compaction_that_a_full_disk_has_no_room_for_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1024"),
        ("min.cleanable.dirty.ratio", "0"),
    ];
    let partition = open(&dir, &settings);
    let filler = "x".repeat(900);
    let two = [(0, Some("a"), Some("old")), (0, Some("b"), Some("kept"))];
    append(&partition, &build::batch(&two), 0).unwrap();
    append(&partition, &one("a", Some(&filler)), 0).unwrap();
    append(&partition, &one("c", Some(&filler)), 0).unwrap();
    let before = contents(&partition);
    full_disk::leave(dir.path(), 20);
    assert!(partition.clean(0).is_err());
    assert_eq!(contents(&partition), before);
    let left_over = std::fs::read_dir(dir.path()).unwrap();
    let left_over = left_over.map(|entry| entry.unwrap().path());
    assert!(
        left_over
            .filter_map(|p| p.extension().map(|e| e.to_owned()))
            .all(|e| e != "cleaned")
    );
    full_disk::empty(dir.path());
    assert_eq!(partition.clean(0).unwrap().records_removed, 1);
}

#[test]
fn segments_older_than_the_retention_are_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(&dir, &[("segment.bytes", "1024"), ("retention.ms", "1000")]);
    let filler = "x".repeat(600);
    for i in 0..4 {
        let bytes = build::batch(&[(i * 1000, Some("k"), Some(&filler))]);
        append(&partition, &bytes, i * 1000).unwrap();
    }
    let cleaned = partition.clean(2500).unwrap();
    assert_eq!(cleaned.segments_deleted, 2);
    assert_eq!(partition.bounds().start, 2);
    assert!(matches!(
        partition.find(1, 100, true),
        Err(ReadError::OutOfRange(_))
    ));
    // All of it, the last segment too; offsets go on where they were.
    partition.clean(100_000).unwrap();
    assert_eq!(
        (partition.bounds().start, partition.bounds().high_watermark),
        (4, 4)
    );
    drop(partition);
    let partition = open(&dir, &[]);
    assert_eq!(
        (partition.bounds().start, partition.bounds().high_watermark),
        (4, 4)
    );
    assert_eq!(append(&partition, &one("k", None), 0).unwrap(), 4);
}

#[test]
fn old_segments_go_when_the_partition_is_too_large() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [
        ("segment.bytes", "1024"),
        ("retention.bytes", "1500"),
        ("retention.ms", "-1"),
    ];
    let partition = open(&dir, &settings);
    let filler = "x".repeat(600);
    for _ in 0..6 {
        append(&partition, &one("k", Some(&filler)), 0).unwrap();
    }
    assert_eq!(partition.clean(0).unwrap().segments_deleted, 3);
    assert_eq!(contents(&partition).len(), 3);
}

#[test]
fn compaction_keeps_the_newest_record_of_each_key() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1024"),
        ("min.cleanable.dirty.ratio", "0"),
        ("delete.retention.ms", "0"),
    ];
    let partition = open(&dir, &settings);
    let filler = "x".repeat(500);
    append(&partition, &one("a", Some("old")), 0).unwrap();
    let two = [(0, Some("a"), Some("new")), (0, Some("b"), Some("old"))];
    append(&partition, &build::batch(&two), 0).unwrap();
    append(&partition, &one("c", Some(&filler)), 0).unwrap();
    append(&partition, &one("b", Some(&filler)), 0).unwrap();
    append(&partition, &one("gone", None), 0).unwrap();
    append(&partition, &one("d", Some(&filler)), 0).unwrap();
    // Far in the future, so that the record without a value may go as well.
    let cleaned = partition.clean(i64::MAX / 2).unwrap();
    assert_eq!(cleaned.records_removed, 3, "{:?}", contents(&partition));
    let keys = |p: &Partition| -> Vec<(i64, String)> {
        contents(p).into_iter().map(|(o, k, _)| (o, k)).collect()
    };
    let expected: Vec<(i64, String)> = [(1, "a"), (3, "c"), (4, "b"), (6, "d")]
        .map(|(o, k)| (o, k.to_owned()))
        .to_vec();
    assert_eq!(keys(&partition), expected);
    // A second pass finds nothing to do.
    assert_eq!(partition.clean(i64::MAX / 2).unwrap().records_removed, 0);
    drop(partition);
    let partition = open(&dir, &settings);
    assert_eq!(keys(&partition), expected);
    assert_eq!(append(&partition, &one("e", None), 0).unwrap(), 7);
}

#[test]
fn reading_skips_over_offsets_that_compaction_removed() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1024"),
        ("min.cleanable.dirty.ratio", "0"),
    ];
    let partition = open(&dir, &settings);
    let filler = "x".repeat(900);
    for _ in 0..5 {
        append(&partition, &one("k", Some(&filler)), 0).unwrap();
    }
    partition.clean(0).unwrap();
    for offset in 0..3 {
        let fetched = read(&partition, offset, 10, true);
        let header = BatchHeader::parse(&fetched).unwrap();
        assert!(header.base_offset >= 3, "{header:?}");
    }
}

#[test]
fn a_fetch_returns_whole_batches_within_its_limit_but_at_least_one() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(&dir, &[]);
    let filler = "x".repeat(1000);
    for _ in 0..100 {
        append(&partition, &one("k", Some(&filler)), 0).unwrap();
    }
    let len = one("k", Some(&filler)).len();
    let read = |offset, max, one| read(&partition, offset, max, one).len();
    assert_eq!(read(50, len * 3 + 5, false), len * 3);
    assert_eq!(read(50, 10, true), len);
    assert_eq!(read(50, 10, false), 0);
    assert_eq!(read(99, 1 << 20, false), len);
    assert_eq!(read(100, 1 << 20, true), 0);
    assert!(partition.find(101, 100, true).is_err());
    assert!(partition.find(-1, 100, true).is_err());
}

#[test]
fn a_fetch_ends_with_a_whole_batch_wherever_its_limit_lies() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(&dir, &[]);
    // Some far larger than what stands between two entries of the index, some far smaller.
    let mut ends = vec![0];
    for size in [100, 50_000, 3_000, 3_000, 3_000, 3_000, 20_000, 100, 90_000].repeat(4) {
        let bytes = one("k", Some(&"x".repeat(size)));
        append(&partition, &bytes, 0).unwrap();
        ends.push(ends[ends.len() - 1] + bytes.len());
    }
    for (offset, start) in ends.iter().enumerate().take(ends.len() - 1) {
        for limit in [10, 3_500, 16_384, 60_000, 150_000, 1_000_000] {
            let fits = ends.iter().rfind(|end| **end <= start + limit).unwrap();
            let whole = (*fits).max(ends[offset + 1]) - start;
            let got = read(&partition, offset as i64, limit, true);
            assert_eq!(got.len(), whole, "{offset} {limit}");
            let header = BatchHeader::parse(&got).unwrap();
            assert_eq!(header.base_offset, offset as i64);
        }
    }
}

#[test]
fn a_time_is_found_to_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(&dir, &[("segment.bytes", "1024")]);
    let filler = "x".repeat(300);
    for i in 0..20 {
        let t = i * 100;
        let records = [
            (t, Some("a"), Some(filler.as_str())),
            (t + 50, Some("b"), None),
        ];
        append(&partition, &build::batch(&records), 0).unwrap();
    }
    let find = |t| {
        partition
            .find_time(t)
            .unwrap()
            .map(|a| (a.offset, a.timestamp))
    };
    assert_eq!(find(0), Some((0, 0)));
    assert_eq!(find(1010), Some((21, 1050)));
    assert_eq!(find(1950), Some((39, 1950)));
    assert_eq!(find(1951), None);
    let newest = partition.find_max_timestamp().unwrap();
    assert_eq!(
        newest,
        Some(AtTime {
            offset: 39,
            timestamp: 1950
        })
    );
}

#[tokio::test]
async fn with_fsync_always_nobody_sees_what_is_not_durable() {
    let dir = tempfile::tempdir().unwrap();
    let (partition, _) = Partition::open(dir.path(), Durability::Always, config(&[])).unwrap();
    let partition = Arc::new(partition);
    append(&partition, &one("a", None), 0).unwrap();
    assert_eq!(partition.bounds().high_watermark, 0);
    assert!(read(&partition, 0, 1000, true).is_empty());
    partition.wait_durable(1).await.unwrap();
    assert_eq!(partition.bounds().high_watermark, 1);
    assert_eq!(contents(&partition).len(), 1);
}

#[test]
fn a_closed_partition_takes_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(&dir, &[]);
    partition.close();
    assert!(matches!(
        append(&partition, &one("a", None), 0),
        Err(AppendError::Closed)
    ));
}
