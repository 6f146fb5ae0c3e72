//! Printing: lines, tables, JSON, and errors in words.

use std::io::{self, Write};

/// Prints one line to standard output.
///
/// # Errors
/// When standard output is closed.
pub fn line(text: impl std::fmt::Display) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(())
}

/// Prints one JSON document on one line.
///
/// # Errors
/// When standard output is closed.
pub fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string(value)?)
}

/// Prints a table with aligned columns; the last column is left as long as it is.
///
/// # Errors
/// When standard output is closed.
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> anyhow::Result<()> {
    let mut widths = head.map(|h| h.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = io::stdout().lock();
    let mut print = |cells: [&str; N]| -> io::Result<()> {
        let mut text = String::new();
        for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
            if at > 0 {
                text.push_str("  ");
            }
            text.push_str(cell);
            if at + 1 < N {
                text.extend(std::iter::repeat_n(' ', width - cell.chars().count()));
            }
        }
        writeln!(out, "{}", text.trim_end())
    };
    print(head)?;
    for row in rows {
        print(row.each_ref().map(String::as_str))?;
    }
    Ok(())
}

/// Tells what went wrong, with every cause on its own line.
pub fn complain(error: &anyhow::Error) {
    let mut err = io::stderr().lock();
    let _ = writeln!(err, "baton: {error}");
    let mut last = error.to_string();
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        if text != last {
            let _ = writeln!(err, "  because: {text}");
        }
        last = text;
    }
}

/// Whether the reader of our output has gone (`baton … | head`): no error of ours.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// Every control character made visible, so that a value cannot play with a terminal.
pub fn safe(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped: Box<dyn Iterator<Item = char>> = if c.is_control() {
                Box::new(c.escape_default())
            } else {
                Box::new(std::iter::once(c))
            };
            escaped
        })
        .collect()
}

/// A value as people read it: text without quotes, nothing as "(blank)".
pub fn value(json: &serde_json::Value) -> String {
    match json {
        serde_json::Value::Null => "(blank)".to_owned(),
        serde_json::Value::String(text) => safe(text),
        serde_json::Value::Array(items) => items.iter().map(value).collect::<Vec<_>>().join("; "),
        other => safe(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_send_control_codes_to_the_terminal() {
        let shown = value(&serde_json::json!("a\u{1b}[2Jb"));
        assert!(!shown.contains('\u{1b}'), "{shown}");
    }

    #[test]
    fn a_blank_is_named() {
        assert_eq!(value(&serde_json::Value::Null), "(blank)");
    }
}
