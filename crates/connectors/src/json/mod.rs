//! Reads JSON where it lies: text is borrowed from the payload, numbers keep the text they were sent with,
//! and depth is bounded.
//!
//! Why not `serde_json`: it turns numbers into floating point unless a build-wide feature changes how every
//! crate here sees numbers, and amounts and ids must stay exactly as sent. The tests hold this reader to
//! `serde_json`'s answer on random and on damaged documents.

mod node;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use baton_core::value::Raw;
use compact_str::CompactString;
pub(crate) use node::{Members, Node};

use crate::error::{Code, DecodeError, shown};

/// Deepest nesting that is read. The deepest vendor payload known (a Debezium schema) needs about ten levels.
pub const MAX_DEPTH: usize = 64;

/// A position in a JSON text, with the means to read on from there.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
        }
    }

    /// The byte at which reading goes on.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        // All positions stand next to ASCII bytes, so the slice always exists.
        self.text.get(from..to).unwrap_or_default()
    }

    /// The next byte that is not white space, without taking it.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
        self.byte()
    }

    /// An error at this position, with line and column (in bytes), both counted from 1.
    pub(crate) fn fail(&self, code: Code, what: impl Into<Cow<'static, str>>) -> DecodeError {
        let before = self.text.as_bytes().get(..self.at).unwrap_or_default();
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|b| **b != b'\n').count() + 1;
        DecodeError::new(code, format_args!("line {line}, column {column}"), what)
    }

    fn malformed(&self, what: &'static str) -> DecodeError {
        self.fail(Code::MalformedJson, what)
    }

    /// Takes `wanted` if it comes next.
    fn take(&mut self, wanted: u8) -> bool {
        let here = self.peek() == Some(wanted);
        self.at += usize::from(here);
        here
    }

    fn literal(&mut self, word: &'static str) -> Result<(), DecodeError> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.malformed("this is no JSON value"))
        }
    }

    /// Reads on to the end: nothing but white space may follow.
    pub(crate) fn end(&mut self) -> Result<(), DecodeError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.malformed("something follows the end of the JSON value")),
        }
    }

    fn enter(&mut self) -> Result<(), DecodeError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fail(
                Code::TooDeep,
                format!("nested more than {MAX_DEPTH} levels deep"),
            ));
        }
        Ok(())
    }

    /// Reads an object; `each` gets every member's name and must read its value.
    pub(crate) fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if !self.take(b'{') {
            return Err(self.malformed("an object is wanted"));
        }
        self.enter()?;
        if !self.take(b'}') {
            loop {
                if self.peek() != Some(b'"') {
                    return Err(self.malformed("a member's name in quotes is wanted"));
                }
                let name = self.string()?;
                if !self.take(b':') {
                    return Err(self.malformed("a colon is wanted after the member's name"));
                }
                each(self, name)?;
                if self.take(b'}') {
                    break;
                }
                if !self.take(b',') {
                    return Err(self.malformed("a comma or the object's end is wanted"));
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads a list; `each` must read one element.
    pub(crate) fn list(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if !self.take(b'[') {
            return Err(self.malformed("a list is wanted"));
        }
        self.enter()?;
        if !self.take(b']') {
            loop {
                each(self)?;
                if self.take(b']') {
                    break;
                }
                if !self.take(b',') {
                    return Err(self.malformed("a comma or the list's end is wanted"));
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads a string. Borrowed unless it has escapes.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        if !self.take(b'"') {
            return Err(self.malformed("a string is wanted"));
        }
        let start = self.at;
        self.run();
        if self.byte() == Some(b'"') {
            let text = self.slice(start, self.at);
            self.at += 1;
            return Ok(Cow::Borrowed(text));
        }
        let mut owned = String::from(self.slice(start, self.at));
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(owned));
                }
                Some(b'\\') => {
                    self.at += 1;
                    owned.push(self.escape()?);
                }
                Some(_) => return Err(self.malformed("a control character stands in a string")),
                None => return Err(self.malformed("the text ends within a string")),
            }
            let from = self.at;
            self.run();
            owned.push_str(self.slice(from, self.at));
        }
    }

    /// Moves over characters that stand for themselves.
    fn run(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let (eights, _) = rest.as_chunks::<8>();
        for eight in eights {
            let special = special(u64::from_le_bytes(*eight));
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        while matches!(self.byte(), Some(byte) if !matches!(byte, b'"' | b'\\' | 0..0x20)) {
            self.at += 1;
        }
    }

    fn escape(&mut self) -> Result<char, DecodeError> {
        let Some(kind) = self.byte() else {
            return Err(self.malformed("the text ends within a string"));
        };
        self.at += 1;
        Ok(match kind {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(self.malformed("this escape does not exist in JSON")),
        })
    }

    fn unicode(&mut self) -> Result<char, DecodeError> {
        let high = self.hex()?;
        let code = if (0xd800..0xdc00).contains(&high) {
            let pair =
                self.byte() == Some(b'\\') && self.text.as_bytes().get(self.at + 1) == Some(&b'u');
            if !pair {
                return Err(self.malformed("half of a surrogate pair is missing"));
            }
            self.at += 2;
            let low = self.hex()?;
            if !(0xdc00..0xe000).contains(&low) {
                return Err(self.malformed("half of a surrogate pair is missing"));
            }
            0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)
        } else {
            high
        };
        char::from_u32(code).ok_or_else(|| self.malformed("half of a surrogate pair is missing"))
    }

    fn hex(&mut self) -> Result<u32, DecodeError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.byte().and_then(|b| char::from(b).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.malformed("four hexadecimal digits are wanted"));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn digits(&mut self) -> Result<(), DecodeError> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.malformed("a digit is wanted"));
        }
        Ok(())
    }

    /// Reads a number and gives its text.
    pub(crate) fn number(&mut self) -> Result<&'a str, DecodeError> {
        self.peek();
        let start = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(self.slice(start, self.at))
    }

    /// Reads any value as a tree.
    pub(crate) fn node(&mut self) -> Result<Node<'a>, DecodeError> {
        Ok(match self.peek() {
            Some(b'{') => {
                let mut members = Members::new();
                self.object(|reader, name| {
                    let value = reader.node()?;
                    members.push((name, value));
                    Ok(())
                })?;
                if let Some(name) = repeated(members.iter().map(|(name, _)| name.as_ref())) {
                    let what = format!("member `{}` comes twice in one object", shown(name));
                    return Err(self.fail(Code::RepeatedMember, what));
                }
                Node::Object(members)
            }
            Some(b'[') => {
                let mut elements = Vec::new();
                self.list(|reader| {
                    elements.push(reader.node()?);
                    Ok(())
                })?;
                Node::List(elements)
            }
            Some(b'"') => Node::Text(self.string()?),
            Some(b't') => self.literal("true").map(|()| Node::Bool(true))?,
            Some(b'f') => self.literal("false").map(|()| Node::Bool(false))?,
            Some(b'n') => self.literal("null").map(|()| Node::Null)?,
            Some(_) => Node::Number(self.number()?),
            None => return Err(self.malformed("the text ends where a value is wanted")),
        })
    }

    /// Reads a value straight into a raw value, without a tree for the common kinds.
    pub(crate) fn raw(&mut self) -> Result<Raw, DecodeError> {
        Ok(match self.peek() {
            Some(b'"') => Raw::Text(passing(&self.string()?)),
            Some(b'{' | b'[') => self.node()?.raw(),
            Some(b't') => self.literal("true").map(|()| Raw::Bool(true))?,
            Some(b'f') => self.literal("false").map(|()| Raw::Bool(false))?,
            Some(b'n') => self.literal("null").map(|()| Raw::Null)?,
            Some(_) => Raw::Number(self.number()?.into()),
            None => return Err(self.malformed("the text ends where a value is wanted")),
        })
    }

    /// Reads over a value and gives its text.
    pub(crate) fn skip(&mut self) -> Result<&'a str, DecodeError> {
        let first = self.peek();
        let start = self.at;
        match first {
            Some(b'{') => self.object(|reader, _| reader.skip().map(drop))?,
            Some(b'[') => self.list(|reader| reader.skip().map(drop))?,
            Some(b'"') => drop(self.string()?),
            Some(b't') => self.literal("true")?,
            Some(b'f') => self.literal("false")?,
            Some(b'n') => self.literal("null")?,
            Some(_) => drop(self.number()?),
            None => return Err(self.malformed("the text ends where a value is wanted")),
        }
        Ok(self.slice(start, self.at))
    }
}

/// A text that goes when its message has been settled.
///
/// Those too long to lie in place get room of one size, which the engine keeps nothing in: taken, given back and taken
/// again together, they neither leave holes among what is kept nor have to be looked for in them.
fn passing(text: &str) -> CompactString {
    const IN_PLACE: usize = size_of::<CompactString>();
    const ROOM: usize = 64;
    if !(IN_PLACE + 1..ROOM).contains(&text.len()) {
        return text.into();
    }
    let mut roomy = CompactString::with_capacity(ROOM);
    roomy.push_str(text);
    roomy
}

/// Reads a whole text as one JSON value.
pub(crate) fn parse(text: &str) -> Result<Node<'_>, DecodeError> {
    let mut reader = Reader::new(text);
    let node = reader.node()?;
    reader.end()?;
    Ok(node)
}

/// Of eight bytes at once: the high bit of the lowest byte that ends a run of plain characters (a quote, a backslash,
/// a control character) is set, and none below it. Bits above it may be wrong, as borrows carry upwards.
const fn special(eight: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let quote = eight ^ (ONES * b'"' as u64);
    let backslash = eight ^ (ONES * b'\\' as u64);
    let below = eight.wrapping_sub(ONES * 0x20) & !eight;
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    (below | quote | backslash) & HIGHS
}

/// A name that comes more than once.
///
/// A filter of 64 bits spares most comparisons; long lists are sorted, so that no payload makes this slow.
pub(crate) fn repeated<'n>(
    names: impl ExactSizeIterator<Item = &'n str> + Clone,
) -> Option<&'n str> {
    if names.len() > 64 {
        let mut sorted: Vec<&str> = names.collect();
        sorted.sort_unstable();
        return sorted.windows(2).find_map(|pair| match pair {
            [a, b] if a == b => Some(*a),
            _ => None,
        });
    }
    let mut seen = 0_u64;
    for (index, name) in names.clone().enumerate() {
        let bytes = name.as_bytes();
        let ends = bytes.first().zip(bytes.last());
        let mark = ends.map_or(0, |(a, z)| {
            usize::from(*a) * 7 + usize::from(*z) * 3 + bytes.len()
        });
        let bit = 1_u64 << (mark % 64);
        if seen & bit != 0 && names.clone().take(index).any(|earlier| earlier == name) {
            return Some(name);
        }
        seen |= bit;
    }
    None
}
