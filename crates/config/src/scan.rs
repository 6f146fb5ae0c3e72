//! Reads a little language inside a TOML text, and knows where each of its words stands in the file.

use crate::problem::Span;

/// A place in such a text.
pub(crate) struct Scan<'a> {
    pub text: &'a str,
    pub at: usize,
    /// The text as it stands in the file, with quotes and escapes.
    raw: String,
    span: Span,
}

impl<'a> Scan<'a> {
    /// `raw` is what stands at `span` in the file, of which `text` is the meaning.
    pub const fn new(text: &'a str, raw: String, span: Span) -> Self {
        Self {
            text,
            at: 0,
            raw,
            span,
        }
    }

    pub fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub fn blanks(&mut self) {
        let rest = self.rest();
        self.skip(rest.len().saturating_sub(rest.trim_start().len()));
    }

    pub fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    /// Where the bytes from `start` to `end` stand in the file.
    pub fn place(&self, start: usize, end: usize) -> Span {
        self.span.part(
            raw_offset(&self.raw, start),
            raw_offset(&self.raw, end.max(start)),
        )
    }

    /// The character that comes next, and where it stands. At the end that is the last one: the end of a text is no
    /// place one can see.
    pub fn here(&self) -> (Option<char>, Span) {
        let at = self.at;
        match self.rest().chars().next() {
            Some(c) => (Some(c), self.place(at, at.saturating_add(c.len_utf8()))),
            None => (None, self.place(at.saturating_sub(1), at)),
        }
    }

    /// Passes over blanks and a character, if that comes next.
    pub fn take(&mut self, c: char) -> bool {
        self.blanks();
        let there = self.rest().starts_with(c);
        if there {
            self.skip(c.len_utf8());
        }
        there
    }

    /// What comes next as far as all its characters are of a kind.
    pub fn run(&mut self, of: impl Fn(char) -> bool) -> (&'a str, Span) {
        let start = self.at;
        let rest = self.rest();
        let len = rest.find(|c: char| !of(c)).unwrap_or(rest.len());
        self.skip(len);
        (
            rest.get(..len).unwrap_or_default(),
            self.place(start, self.at),
        )
    }

    /// A word: letters, digits and underscores.
    pub fn word(&mut self) -> (&'a str, Span) {
        self.run(|c| c.is_alphanumeric() || c == '_')
    }

    /// The text between this quote, which comes next, and the one like it; none if there is no other.
    pub fn quoted(&mut self, quote: char) -> (Option<&'a str>, Span) {
        let start = self.at;
        let body = self.rest().get(1..).unwrap_or_default();
        let Some(end) = body.find(quote) else {
            self.at = self.text.len();
            return (None, self.place(start, self.at));
        };
        self.skip(end.saturating_add(2));
        (
            Some(body.get(..end).unwrap_or_default()),
            self.place(start, self.at),
        )
    }
}

/// Where the byte `offset` of a decoded TOML string stands in the string as written.
fn raw_offset(raw: &str, offset: usize) -> usize {
    let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") {
        3
    } else {
        1
    };
    let escapes = raw.starts_with('"');
    let mut decoded: usize = 0;
    let mut at: usize = quotes;
    while decoded < offset {
        let rest = raw.get(at..).unwrap_or_default();
        let Some(c) = rest.chars().next() else {
            break;
        };
        let (written, meant) = if c == '\\' && escapes {
            match rest.chars().nth(1) {
                // Long escapes are no part of an expression anybody writes; one byte is near enough.
                Some('u') => (6, 1),
                Some('U') => (10, 1),
                _ => (2, 1),
            }
        } else {
            (c.len_utf8(), c.len_utf8())
        };
        at = at.saturating_add(written);
        decoded = decoded.saturating_add(meant);
    }
    at
}
