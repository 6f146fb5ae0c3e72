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
};

/// The cause that every row names; a system's causes may map it otherwise.
const CAUSE: &str = "LIST_IMPORT";

pub(crate) fn decode(text: &str, message: &Message<'_>) -> Result<Vec<Item>, DecodeError> {
    let text = text.get(hint(text.as_bytes())..).unwrap_or_default();
    let delimiter = delimiter(text);
    if !is_closed(text.as_bytes(), delimiter) {
        let what = "a quotation mark opens a cell and none closes it";
        return Err(DecodeError::new(Code::MalformedCsv, Place::Root, what));
    }
    let mut rows = ::csv::ReaderBuilder::new()
        .delimiter(delimiter)
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
    if named.count() > MAX_FIELDS {
        let what = format!("the header has more than {MAX_FIELDS} columns");
        return Err(DecodeError::new(Code::TooLarge, "line 1", what));
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
    // Cells that nobody named and nobody filled are a spreadsheet's, not the row's.
    let extra = row.iter().skip(header.len());
    let lacking = header.iter().skip(row.len());
    if !extra.into_iter().all(<[u8]>::is_empty) || !lacking.into_iter().all(String::is_empty) {
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
    // A column that comes twice counts where both say the same.
    change.fields.dedup();
    let twice = change.fields.windows(2).find_map(|pair| match pair {
        [a, b] if a.name == b.name => Some(shown(&a.name)),
        _ => None,
    });
    match twice {
        Some(name) => {
            let what = format!("column `{name}` comes twice and says two things");
            Err(DecodeError::new(Code::RepeatedMember, place, what))
        }
        None => Ok(change),
    }
}

fn read(rows: &mut ::csv::Reader<&[u8]>, row: &mut ByteRecord) -> Result<bool, DecodeError> {
    rows.read_byte_record(row).map_err(|e| {
        let line = e.position().map_or(0, ::csv::Position::line);
        let place = format_args!("line {line}").to_string();
        DecodeError::new(Code::MalformedCsv, place, "this is no CSV")
    })
}

/// The length of the first line where it only names the separator (`sep=;`), for spreadsheets.
pub(crate) fn hint(bytes: &[u8]) -> usize {
    let (length, _) = row(bytes, b'\n');
    let line = bytes.get(..length).unwrap_or_default().trim_ascii();
    let is_hint = line.len() == 5
        && line
            .get(..4)
            .is_some_and(|w| w.eq_ignore_ascii_case(b"sep="));
    if is_hint { length } else { 0 }
}

/// The length of the row that the bytes begin with, line end included, and whether its cells are closed.
///
/// A quotation mark opens a cell only at its beginning, and a line end within such a cell does not end the row.
pub(crate) fn row(bytes: &[u8], delimiter: u8) -> (usize, bool) {
    let mut rest = bytes.iter().copied().enumerate().peekable();
    let mut begins = true;
    let mut quoted = false;
    while let Some((index, byte)) = rest.next() {
        let next = rest.peek().map(|(_, next)| *next);
        match byte {
            b'"' if quoted && next == Some(b'"') => drop(rest.next()),
            b'"' if quoted => quoted = false,
            _ if quoted => {}
            b'"' if begins => quoted = true,
            b'\n' => return (index + 1, true),
            // An old line end; the newer one's second half follows.
            b'\r' if next != Some(b'\n') => return (index + 1, true),
            _ => {}
        }
        begins = byte == delimiter && !quoted;
    }
    (bytes.len(), !quoted)
}

fn is_closed(bytes: &[u8], delimiter: u8) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (length, closed) = row(rest, delimiter);
        if !closed {
            return false;
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    true
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

/// The column with the record's id: `id`; else `Record ID…`; else `<object> ID`; else the first that ends in ` ID`;
/// else `LeadId` or `ContactId`.
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
        .or_else(|| named(&|n| matches!(n, "leadid" | "lead_id" | "contactid" | "contact_id")))
}
