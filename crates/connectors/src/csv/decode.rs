//! Every row is a snapshot of one record: what an export says now stands there. Nothing happened by it.

use baton_core::{
    change::{Class, RawChange},
    value::Raw,
};
use csv::ByteRecord;

use crate::{
    Item, MAX_FIELDS, Message,
    error::{Code, DecodeError, Place, shown},
    in_order,
    json::repeated,
};

/// The cause that every row names; a system's causes may map it otherwise.
const CAUSE: &str = "LIST_IMPORT";

pub(crate) fn decode(text: &str, message: &Message<'_>) -> Result<Vec<Item>, DecodeError> {
    let mut rows = ::csv::ReaderBuilder::new()
        .delimiter(delimiter(text))
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut row = ByteRecord::new();
    if !read(&mut rows, &mut row)? {
        let what = "the file has no header row";
        return Err(DecodeError::new(Code::EmptyPayload, Place::Root, what));
    }
    let header: Vec<String> = row
        .iter()
        .map(|cell| String::from_utf8_lossy(cell).trim().to_owned())
        .collect();
    let id = checked(&header, message.object)?;

    let mut out = Vec::new();
    while read(&mut rows, &mut row)? {
        if row.iter().all(<[u8]>::is_empty) {
            continue;
        }
        let line = row.position().map_or(0, |at| first_line(text, at));
        out.push(match record(&header, id, &row, line) {
            Ok(mut change) => {
                change.object = message.object.map(Into::into);
                Item::Change(change)
            }
            Err(refused) => Item::Refused(refused),
        });
    }
    Ok(out)
}

/// The id's column, if the header makes sense.
fn checked(header: &[String], object: Option<&str>) -> Result<usize, DecodeError> {
    let named = header.iter().map(String::as_str).filter(|n| !n.is_empty());
    let named: Vec<&str> = named.collect();
    if named.len() > MAX_FIELDS {
        let what = format!("the header has more than {MAX_FIELDS} columns");
        return Err(DecodeError::new(Code::TooLarge, "line 1", what));
    }
    if let Some(name) = repeated(named.iter().copied()) {
        let what = format!("column `{}` comes twice", shown(name));
        return Err(DecodeError::new(Code::RepeatedMember, "line 1", what));
    }
    id_column(header.iter().map(String::as_str), object).ok_or_else(|| {
        let what = "no column of the header is the record's id (`id`, `Record ID`, `Contact ID`)";
        DecodeError::new(Code::MissingId, "line 1", what)
    })
}

/// The line a row begins on; the reader's own position lies before the blank lines that it skips.
fn first_line(text: &str, at: &::csv::Position) -> u64 {
    let from = usize::try_from(at.byte()).unwrap_or(usize::MAX);
    let rest = text.as_bytes().get(from..).unwrap_or_default();
    let breaks = rest.iter().take_while(|b| matches!(b, b'\r' | b'\n'));
    breaks.fold(at.line(), |line, b| line + u64::from(*b == b'\n'))
}

fn record(
    header: &[String],
    id: usize,
    row: &ByteRecord,
    line: u64,
) -> Result<RawChange, DecodeError> {
    let place = format_args!("line {line}").to_string();
    if row.len() != header.len() {
        let what = format!(
            "the row has {} cells, the header has {}",
            row.len(),
            header.len()
        );
        return Err(DecodeError::new(Code::RaggedRow, place, what));
    }
    let cell = |bytes| {
        std::str::from_utf8(bytes)
            .map_err(|_| DecodeError::new(Code::NotUtf8, &place, "a cell is not UTF-8"))
    };
    let key = cell(row.get(id).unwrap_or_default())?.trim();
    if key.is_empty() {
        let what = "the row's id is blank";
        return Err(DecodeError::new(Code::MissingId, place, what));
    }
    let mut change = RawChange::new(key, Class::Snapshot);
    change.cause = Some(CAUSE.into());
    change.fields.reserve(header.len());
    for (name, bytes) in header.iter().zip(row) {
        let value = cell(bytes)?;
        if !name.is_empty() {
            let blank = value.is_empty();
            change.push(name, if blank { Raw::Null } else { Raw::text(value) });
        }
    }
    in_order(&mut change.fields);
    Ok(change)
}

fn read(rows: &mut ::csv::Reader<&[u8]>, row: &mut ByteRecord) -> Result<bool, DecodeError> {
    rows.read_byte_record(row).map_err(|e| {
        let line = e.position().map_or(0, ::csv::Position::line);
        let place = format_args!("line {line}").to_string();
        DecodeError::new(Code::MalformedCsv, place, "this is no CSV")
    })
}

/// The delimiter that the header row uses most outside of quotes; a comma if it uses none.
pub(crate) fn delimiter(text: &str) -> u8 {
    let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut quoted = false;
    for byte in text.trim_start().bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if !quoted => {
                for (delimiter, count) in &mut counts {
                    *count += usize::from(*delimiter == byte);
                }
            }
            _ => {}
        }
    }
    let mut best = (b',', 0);
    for candidate in counts {
        if candidate.1 > best.1 {
            best = candidate;
        }
    }
    best.0
}

/// The column with the record's id: `id`; else `Record ID…`; else `<object> ID`; else the first that ends in ` ID`.
pub(crate) fn id_column<'h>(
    header: impl Iterator<Item = &'h str>,
    object: Option<&str>,
) -> Option<usize> {
    let names: Vec<String> = header.map(|n| n.trim().to_ascii_lowercase()).collect();
    let named = |wanted: &dyn Fn(&str) -> bool| names.iter().position(|n| wanted(n));
    let object = object.map(str::to_ascii_lowercase);
    named(&|n| n == "id")
        .or_else(|| named(&|n| n.starts_with("record id")))
        .or_else(|| {
            let object = object.as_deref()?;
            named(&|n| {
                n.strip_prefix(object)
                    .is_some_and(|rest| matches!(rest, " id" | "id" | "_id"))
            })
        })
        .or_else(|| named(&|n| n.ends_with(" id")))
}
