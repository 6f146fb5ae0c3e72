//! Values and rows on their way into a statement.

use baton_core::id::Digest;

/// A value to bind.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Int(Option<i64>),
    Bytes(Option<Vec<u8>>),
    Text(Option<String>),
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}
impl From<Option<i64>> for Cell {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}
impl From<Vec<u8>> for Cell {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(Some(value))
    }
}
impl From<Option<Vec<u8>>> for Cell {
    fn from(value: Option<Vec<u8>>) -> Self {
        Self::Bytes(value)
    }
}
impl From<Digest> for Cell {
    fn from(value: Digest) -> Self {
        Self::Bytes(Some(value.0.to_vec()))
    }
}
impl From<&str> for Cell {
    /// PostgreSQL has no NUL in texts; such a character (only a broken payload has one) becomes U+FFFD.
    /// Texts that must come back as they were go through [`escape`].
    fn from(value: &str) -> Self {
        Self::Text(Some(value.replace('\0', "\u{fffd}")))
    }
}
impl From<Option<&str>> for Cell {
    fn from(value: Option<&str>) -> Self {
        value.map_or(Self::Text(None), Self::from)
    }
}

/// A text without NUL from which [`unescape`] makes the original: `\` becomes `\\`, NUL becomes `\0`.
pub(crate) fn escape(text: &str) -> String {
    if text.contains(['\\', '\0']) {
        text.replace('\\', "\\\\").replace('\0', "\\0")
    } else {
        text.to_owned()
    }
}

/// The inverse of [`escape`]; none if the text did not come from it.
pub(crate) fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        out.push(match char {
            '\\' => match chars.next()? {
                '0' => '\0',
                '\\' => '\\',
                _ => return None,
            },
            other => other,
        });
    }
    Some(out)
}

/// Rows for `{values}` or `{input}`.
#[derive(Clone, Default, Debug)]
pub(crate) struct Rows {
    pub cells: Vec<Cell>,
    pub len: usize,
}

impl Rows {
    pub fn push<const N: usize>(&mut self, row: [Cell; N]) {
        self.cells.extend(row);
        self.len += 1;
    }

    pub const fn len(&self) -> usize {
        self.len
    }

    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_texts_come_back_without_nul_between() {
        for text in ["", "a", "\\", "\\0", "\0", "a\0\\b\\\\0"] {
            let escaped = escape(text);
            assert!(!escaped.contains('\0'));
            assert_eq!(unescape(&escaped).as_deref(), Some(text));
        }
        assert_ne!(escape("\0"), escape("\\0"));
        assert_eq!(unescape("\\"), None);
    }
}
