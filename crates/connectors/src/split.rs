//! Turns a file into the messages that its system would have sent.
//!
//! Nothing is refused here: what cannot be read becomes a message as it stands, so that decoding it says why and
//! the file's other messages are not lost.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use baton_core::change::Format;
use compact_str::CompactString;

use crate::{
    MAX_BYTES,
    csv::{delimiter, hint, id_column, row},
    json::{Node, Reader, parse},
};

/// One message taken from a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payload<'a> {
    /// The record's id where it is cheap to know, so that one record's messages stay in one partition.
    pub key: Option<Cow<'a, [u8]>>,
    /// None is a tombstone.
    pub value: Option<Cow<'a, [u8]>>,
    /// What the capture says the record is (a table's name).
    pub object: Option<CompactString>,
    /// The line at which it begins, from 1.
    pub line: usize,
    /// The byte after it: how far the file has been read, for a progress bar.
    pub end: usize,
}

/// Longest array that stays one message, as the vendor sent it: its order is the vendor's. Webhooks hold at most
/// 100 events. Longer arrays are exports; their elements go one by one, one record's in order by their key.
const WEBHOOK: usize = 100;

/// Splits a file into messages: one JSON value, an array, JSON lines (or values one after another), or CSV.
///
/// A webhook's array and a page of results stay whole. Captured requests (`{"path", "headers", "body"}`) and
/// captured messages (`{"dest", "key", "value"}`) are unwrapped. Each CSV row becomes a message of its own, with
/// the header above it.
#[must_use]
pub fn split(format: Format, bytes: &[u8]) -> Split<'_> {
    let start = if bytes.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    let body = bytes.get(start..).unwrap_or_default().trim_ascii_start();
    let is_table = format == Format::Csv && !body.starts_with(b"{");
    let rows = is_table.then(|| Rows::new(bytes, start)).flatten();
    Split {
        format,
        bytes,
        text: std::str::from_utf8(bytes).ok(),
        at: start,
        line: 1,
        elements: Vec::new().into_iter(),
        rows,
    }
}

/// The messages of a file, in its order.
pub struct Split<'a> {
    format: Format,
    bytes: &'a [u8],
    /// The same as text, if all of it is.
    text: Option<&'a str>,
    at: usize,
    line: usize,
    /// What is left of an array or capture whose elements go one by one.
    elements: std::vec::IntoIter<Payload<'a>>,
    rows: Option<Rows<'a>>,
}

impl<'a> Iterator for Split<'a> {
    type Item = Payload<'a>;

    fn next(&mut self) -> Option<Payload<'a>> {
        loop {
            if let Some(payload) = self.elements.next() {
                return Some(payload);
            }
            if let Some(rows) = &mut self.rows {
                return rows.next();
            }
            self.blank();
            if self.at >= self.bytes.len() {
                return None;
            }
            let (line, document) = (self.line, self.document());
            self.line += document.iter().filter(|b| **b == b'\n').count();
            self.elements = self.messages(document, line).into_iter();
        }
    }
}

impl<'a> Split<'a> {
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Moves over white space between messages.
    fn blank(&mut self) {
        for byte in self.rest() {
            if !byte.is_ascii_whitespace() {
                break;
            }
            self.at += 1;
            self.line += usize::from(*byte == b'\n');
        }
    }

    /// Takes the next JSON value, on one line or over several; a line that is none is taken as it stands.
    ///
    /// A broken line costs only itself if the next one can be read; where it cannot, the breach lies within a
    /// value that spans lines, and all that is left is one broken message.
    fn document(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let line = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        let length = if whole(first(rest, line)) {
            line
        } else if let Some(length) = self.value() {
            length
        } else {
            let after = rest.get(line..).unwrap_or_default().trim_ascii_start();
            let next = after
                .iter()
                .position(|b| *b == b'\n')
                .unwrap_or(after.len());
            let next = first(after, next);
            if matches!(next.first(), Some(b'{' | b'[')) && whole(next) {
                line
            } else {
                rest.len()
            }
        };
        self.at += length;
        first(rest, length).trim_ascii_end()
    }

    /// The length of the JSON value that the rest begins with. In a file that is not all UTF-8 only as much is
    /// looked at as a message may be long.
    fn value(&self) -> Option<usize> {
        let text = match self.text {
            Some(text) => text.get(self.at..)?,
            None => {
                let near = first(self.rest(), MAX_BYTES);
                match std::str::from_utf8(near) {
                    Ok(text) => text,
                    Err(e) => std::str::from_utf8(first(near, e.valid_up_to())).ok()?,
                }
            }
        };
        let mut reader = Reader::new(text);
        reader.skip().ok()?;
        Some(reader.at())
    }

    fn messages(&self, document: &'a [u8], line: usize) -> Vec<Payload<'a>> {
        let whole = Payload {
            key: None,
            value: Some(Cow::Borrowed(document)),
            object: None,
            line,
            end: self.at,
        };
        let unwrapped = match std::str::from_utf8(document) {
            Ok(text) => unwrap(text, &whole),
            Err(_) => return vec![whole],
        };
        match unwrapped.value.clone() {
            Some(Cow::Borrowed(bytes)) => apart(self.format, bytes, &unwrapped),
            Some(Cow::Owned(bytes)) => apart(self.format, &bytes, &unwrapped)
                .into_iter()
                .map(owned)
                .collect(),
            None => vec![unwrapped],
        }
    }
}

fn first(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(..length).unwrap_or(bytes)
}

fn owned(payload: Payload<'_>) -> Payload<'static> {
    let own = |bytes: Cow<'_, [u8]>| Cow::Owned(bytes.into_owned());
    Payload {
        key: payload.key.map(own),
        value: payload.value.map(own),
        object: payload.object,
        line: payload.line,
        end: payload.end,
    }
}

/// The bytes are one JSON value and nothing else.
fn whole(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| {
        let mut reader = Reader::new(text);
        reader.skip().is_ok() && reader.end().is_ok()
    })
}

/// Takes the message out of a captured request or a captured log line.
fn unwrap<'a>(text: &'a str, whole: &Payload<'a>) -> Payload<'a> {
    let mut payload = whole.clone();
    let Some(members) = shallow(text) else {
        return payload;
    };
    let get = |name: &str| {
        let found = members.iter().find(|(member, _)| member == name);
        found.map(|(_, value)| *value)
    };
    if let (Some(headers), Some(body)) = (get("headers"), get("body"))
        && headers.starts_with('{')
    {
        payload.value = content(body);
    } else if let (Some(dest), Some(value)) = (get("dest"), get("value"))
        && dest.starts_with('"')
    {
        payload.value = content(value);
        payload.key = get("key").and_then(content);
        let topic = parse(dest).ok().and_then(|d| d.word());
        payload.object = topic.map(|t| t.rsplit('.').next().unwrap_or_default().into());
    }
    payload
}

/// The members of an object with their values unread.
fn shallow(text: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    let mut reader = Reader::new(text);
    if reader.peek() != Some(b'{') {
        return None;
    }
    let mut members = Vec::new();
    let read = reader.object(|reader, name| {
        members.push((name, reader.skip()?));
        Ok(())
    });
    read.is_ok().then_some(members)
}

/// A captured body or value: text holds the message, null is none, anything else is the message itself.
fn content(json: &str) -> Option<Cow<'_, [u8]>> {
    match json.as_bytes().first() {
        Some(b'n') => None,
        Some(b'"') => match Reader::new(json).string() {
            Ok(Cow::Borrowed(text)) => Some(Cow::Borrowed(text.as_bytes())),
            Ok(Cow::Owned(text)) => Some(Cow::Owned(text.into_bytes())),
            Err(_) => Some(Cow::Borrowed(json.as_bytes())),
        },
        _ => Some(Cow::Borrowed(json.as_bytes())),
    }
}

/// Sets long arrays, and those of formats that know none, apart into their elements.
fn apart<'b>(format: Format, bytes: &'b [u8], whole: &Payload<'_>) -> Vec<Payload<'b>> {
    let message = |value: &'b [u8], key: Option<CompactString>| Payload {
        key: key.map(|key| Cow::Owned(key.as_bytes().to_vec())),
        value: Some(Cow::Borrowed(value)),
        object: whole.object.clone(),
        line: whole.line,
        end: whole.end,
    };
    let captured = |mut payload: Payload<'b>| {
        if let Some(key) = &whole.key {
            payload.key = Some(Cow::Owned(key.to_vec()));
        }
        payload
    };
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let Some(elements) = elements(text) else {
        let key = parse(text).ok().and_then(|node| id(format, &node));
        return vec![captured(message(bytes, key))];
    };
    let ids = |element: &&str| parse(element).ok().and_then(|node| id(format, &node));
    let webhooks = matches!(
        format,
        Format::Salesforce | Format::Hubspot | Format::Espocrm | Format::Marketo
    );
    if elements.is_empty() || webhooks && elements.len() <= WEBHOOK {
        let mut names: Vec<_> = elements.iter().map(ids).collect();
        names.dedup();
        let one = if names.len() == 1 {
            names.pop().flatten()
        } else {
            None
        };
        return vec![captured(message(bytes, one))];
    }
    elements
        .iter()
        .map(|element| captured(message(element.as_bytes(), ids(element))))
        .collect()
}

/// The texts of an array's elements.
fn elements(text: &str) -> Option<Vec<&str>> {
    let mut reader = Reader::new(text);
    if reader.peek() != Some(b'[') {
        return None;
    }
    let mut elements = Vec::new();
    let read = reader.list(|reader| {
        elements.push(reader.skip()?);
        Ok(())
    });
    (read.is_ok() && reader.end().is_ok()).then_some(elements)
}

/// The id of the one record that a message is about, where the format makes it easy to see.
fn id(format: Format, node: &Node<'_>) -> Option<CompactString> {
    match format {
        Format::Salesforce => {
            let body = ["payload", "data"].iter().find_map(|name| node.some(name));
            let body = body
                .and_then(|b| b.some("payload"))
                .or(body)
                .unwrap_or(node);
            let header = body.get("ChangeEventHeader");
            let [one] = header?.get("recordIds")?.elements() else {
                return None;
            };
            one.id()
        }
        Format::Hubspot => node.get("objectId").or_else(|| node.get("id"))?.id(),
        Format::Marketo => node.get("leadId")?.id(),
        Format::Espocrm | Format::Baton => node.get("id")?.id(),
        Format::Cloudevents => match node.get("data")?.get("id") {
            Some(id) => id.id(),
            None => node.get("subject")?.id(),
        },
        // A body of Mautic names many; a row of a database has its key in the message; CSV goes by rows.
        Format::Mautic | Format::Debezium | Format::Csv => None,
    }
}

/// The rows of a CSV file, each with the header above it.
struct Rows<'a> {
    bytes: Cow<'a, [u8]>,
    header: Vec<u8>,
    delimiter: u8,
    id: Option<usize>,
    at: usize,
    line: usize,
}

impl<'a> Rows<'a> {
    fn new(bytes: &'a [u8], start: usize) -> Option<Self> {
        let (bytes, start) = match utf16(bytes) {
            Some(text) => (Cow::Owned(text.into_bytes()), 0),
            None => (Cow::Borrowed(bytes), start),
        };
        let rest = bytes.get(start..)?;
        let skipped = rest.len() - rest.trim_ascii_start().len();
        let at = start + skipped;
        let at = at + hint(bytes.get(at..)?);
        let rest = bytes.get(at..)?;
        let delimiter = delimiter(&String::from_utf8_lossy(rest));
        let (length, _) = row(rest, delimiter);
        let header = first(rest, length).to_vec();
        let names = cells(&header, delimiter);
        let id = id_column(names.iter().map(String::as_str), None);
        let before = bytes.get(..at + length).unwrap_or_default();
        Some(Self {
            header,
            delimiter,
            id,
            at: at + length,
            line: 1 + before.iter().filter(|b| **b == b'\n').count(),
            bytes,
        })
    }

    fn next(&mut self) -> Option<Payload<'a>> {
        loop {
            let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
            let line = self.line;
            let row = first(rest, row(rest, self.delimiter).0);
            self.at += row.len();
            self.line += row.iter().filter(|b| **b == b'\n').count();
            if row.trim_ascii().is_empty() {
                continue;
            }
            let key = self
                .id
                .and_then(|id| cells(row, self.delimiter).into_iter().nth(id));
            let key = key
                .map(|key| key.trim().to_owned())
                .filter(|key| !key.is_empty());
            let mut value = self.header.clone();
            if !value.ends_with(b"\n") && !value.ends_with(b"\r") {
                value.push(b'\n');
            }
            value.extend_from_slice(row);
            return Some(Payload {
                key: key.map(|key| Cow::Owned(key.into_bytes())),
                value: Some(Cow::Owned(value)),
                object: None,
                line,
                end: self.at,
            });
        }
    }
}

/// The text of a file that a byte order mark calls UTF-16, as spreadsheets save "Unicode text".
fn utf16(bytes: &[u8]) -> Option<String> {
    let (body, read): (_, fn([u8; 2]) -> u16) = match bytes {
        [0xff, 0xfe, body @ ..] => (body, u16::from_le_bytes),
        [0xfe, 0xff, body @ ..] => (body, u16::from_be_bytes),
        _ => return None,
    };
    let (pairs, odd) = body.as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    String::from_utf16(&pairs.iter().map(|pair| read(*pair)).collect::<Vec<u16>>()).ok()
}

fn cells(row: &[u8], delimiter: u8) -> Vec<String> {
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .from_reader(row);
    let mut record = ::csv::ByteRecord::new();
    match reader.read_byte_record(&mut record) {
        Ok(true) => record
            .iter()
            .map(|cell| String::from_utf8_lossy(cell).into_owned())
            .collect(),
        _ => Vec::new(),
    }
}
