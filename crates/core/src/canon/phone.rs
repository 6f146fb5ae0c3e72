//! Phone numbers: E.164, with ` x123` behind it where there is an extension.

use std::{cell::RefCell, collections::HashMap};

use compact_str::{CompactString, format_compact};
use phonenumber::country;
use rustc_hash::FxBuildHasher;
use smol_str::format_smolstr;

use crate::{change::Seen, value::Value};

/// E.164 allows fifteen digits.
const MOST_DIGITS: usize = 15;
/// Fewer are no number that can be dialled from elsewhere.
const FEWEST_DIGITS: usize = 7;

/// The canonical form of a phone number.
///
/// With a region, or in international form: E.164. Without: the digits, doubtful, for nobody can say whose they
/// are. Text in which there is a number among other words ("ask for 030 1234") is doubtful as it stands, and what
/// holds no number is invalid. Numbers are not checked against the numbering plan: plans change more often than
/// rules do, and a number that does not exist is still what somebody typed.
pub(super) fn phone(text: &str, region: Option<&str>) -> (Value, Seen) {
    let (body, extension) = split_extension(text);
    if is_settled(body) {
        return (join(body, extension), Seen::Value);
    }
    let Some(digits) = dialled(body) else {
        let count = text.bytes().filter(u8::is_ascii_digit).count();
        let seen = if count >= FEWEST_DIGITS {
            Seen::Doubtful
        } else {
            Seen::Invalid
        };
        return (Value::text(text), seen);
    };
    let count = digits.len() - usize::from(digits.starts_with('+'));
    if !(3..=MOST_DIGITS + 5).contains(&count) {
        return (Value::text(text), Seen::Invalid);
    }
    if is_settled(&digits) {
        return (join(&digits, extension), Seen::Value);
    }
    match e164(&digits, region) {
        Some(number) => (join(&number, extension), Seen::Value),
        None => (join(&digits, extension), Seen::Doubtful),
    }
}

fn join(number: &str, extension: Option<&str>) -> Value {
    Value::Text(match extension {
        Some(extension) => format_smolstr!("{number} x{extension}"),
        None => number.into(),
    })
}

/// Whether it is E.164 already, beyond doubt: the numbering library would leave it as it is. Numbers that may still
/// carry a trunk prefix (`+49030…`, `+11…`) are not.
fn is_settled(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else {
        return false;
    };
    if !(8..=MOST_DIGITS).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let Some((code, national)) = code_length(digits).and_then(|n| digits.split_at_checked(n))
    else {
        return false;
    };
    match code {
        "1" => national.len() == 10 && !national.starts_with(['0', '1']),
        "44" => (9..=10).contains(&national.len()) && !national.starts_with(['0', '1']),
        "61" => national.len() == 9 && !national.starts_with(['0', '1']),
        // Plans whose trunk or carrier prefixes begin with other digits than 0, or that complete local numbers.
        "7" | "36" | "52" | "54" | "55" | "86" | "261" | "298" | "352" | "370" | "375" | "378"
        | "423" | "506" | "672" | "692" | "992" | "993" | "996" | "998" => false,
        _ => !national.starts_with('0') && national.len() >= 6,
    }
}

/// Digits of the country calling code, by the zones of ITU-T E.164; none for codes that no country has.
fn code_length(digits: &str) -> Option<usize> {
    match digits.as_bytes() {
        [b'1' | b'7', ..] => Some(1),
        [b'2', b'0' | b'7', ..]
        | [b'3', b'0'..=b'4' | b'6' | b'9', ..]
        | [b'4', b'0' | b'1' | b'3'..=b'9', ..]
        | [b'5', b'1'..=b'8', ..]
        | [b'6', b'0'..=b'6', ..]
        | [b'8', b'1' | b'2' | b'4' | b'6', ..]
        | [b'9', b'0'..=b'5' | b'8', ..] => Some(2),
        [b'2', b'1', b'1'..=b'3' | b'6' | b'8', ..]
        | [b'2', b'2' | b'3' | b'4' | b'6', _, ..]
        | [b'2', b'5', b'0'..=b'8', ..]
        | [b'2', b'9', b'0' | b'1' | b'7'..=b'9', ..]
        | [b'3', b'5', _, ..]
        | [b'3', b'7', b'0'..=b'8', ..]
        | [b'3', b'8', b'0'..=b'3' | b'5'..=b'7' | b'9', ..]
        | [b'4', b'2', b'0' | b'1' | b'3', ..]
        | [b'5', b'0' | b'9', _, ..]
        | [b'6', b'7', b'0' | b'2'..=b'9', ..]
        | [b'6', b'8', b'0'..=b'3' | b'5'..=b'9', ..]
        | [b'6', b'9', b'0'..=b'2', ..]
        | [b'8', b'5', b'0' | b'2' | b'3' | b'5' | b'6', ..]
        | [b'8', b'8', b'0' | b'6', ..]
        | [b'9', b'6', b'0'..=b'8', ..]
        | [b'9', b'7', b'0'..=b'7', ..]
        | [b'9', b'9', b'2'..=b'6' | b'8', ..] => Some(3),
        _ => None,
    }
}

/// The number without its extension, and the extension's digits.
fn split_extension(text: &str) -> (&str, Option<&str>) {
    const MARKS: [&str; 6] = ["extension", "extn", "ext", "x", "#", "durchwahl"];
    let before = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let extension = &text[before.len()..];
    let head = before.trim_end_matches([' ', '.', ':', '=']);
    if extension.is_empty() || extension.len() > 7 {
        return (text, None);
    }
    let mark = MARKS.into_iter().find(|mark| {
        head.len()
            .checked_sub(mark.len())
            .and_then(|at| head.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(mark))
    });
    match mark {
        Some(mark) => {
            let body = head[..head.len() - mark.len()]
                .trim_end_matches([' ', ',', ';', '-', '.', '(', '/']);
            (body, Some(extension))
        }
        None => (text, None),
    }
}

/// What one would dial: digits, with `+` before them if the number is international. None where other words stand
/// between.
fn dialled(body: &str) -> Option<CompactString> {
    let body = body
        .get(..4)
        .filter(|scheme| scheme.eq_ignore_ascii_case("tel:"))
        .map_or(body, |scheme| &body[scheme.len()..]);
    let mut out = CompactString::default();
    let international = body.trim_start_matches(['(', ' ']).starts_with('+');
    // "+49 (0) 30": the trunk prefix is for callers at home.
    let trunk = if international {
        body.find("(0)").map(|at| at + 1)
    } else {
        None
    };
    for (at, c) in body.char_indices() {
        match c {
            _ if trunk == Some(at) => {}
            '0'..='9' => out.push(c),
            '+' if out.is_empty() => out.push('+'),
            ' ' | '-' | '.' | '(' | ')' | '/' | '[' | ']' | '\u{a0}' | '\u{ad}' | '~' | '\t' => {}
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{202a}'..='\u{202f}' => {}
            _ => return None,
        }
    }
    // "+0049": somebody wrote both.
    while let Some(rest) = out.strip_prefix("+00") {
        out = format_compact!("+{rest}");
    }
    (out.len() > 1).then_some(out)
}

/// The library reads a number by regular expressions, which takes microseconds; numbers repeat (main offices,
/// re-deliveries), so the last few are kept. Nothing depends on it but speed.
const KEPT: usize = 4_096;

type Known = HashMap<(CompactString, CompactString), Option<CompactString>, FxBuildHasher>;

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

fn e164(digits: &str, region: Option<&str>) -> Option<CompactString> {
    let key = (
        CompactString::from(region.unwrap_or_default()),
        CompactString::from(digits),
    );
    if let Some(found) = KNOWN.with_borrow(|known| known.get(&key).cloned()) {
        return found;
    }
    let found = read(digits, region);
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(key, found.clone());
    });
    found
}

/// Reads until reading again changes nothing, so that a canonical number is its own canonical form.
fn read(digits: &str, region: Option<&str>) -> Option<CompactString> {
    let mut number = read_once(digits, region)?;
    for _ in 0..3 {
        if is_settled(&number) {
            return Some(number);
        }
        let again = read_once(&number, None)?;
        if again == number {
            return Some(number);
        }
        number = again;
    }
    None
}

fn read_once(digits: &str, region: Option<&str>) -> Option<CompactString> {
    let region = if digits.starts_with('+') {
        None
    } else {
        Some(region?.to_ascii_uppercase().parse::<country::Id>().ok()?)
    };
    let number = phonenumber::parse(region, digits).ok()?;
    let national = number.national();
    let mut text = format_compact!("+{}", number.code().value());
    for _ in 0..national.zeros() {
        text.push('0');
    }
    if national.value() > 0 {
        text.push_str(&national.value().to_string());
    }
    (FEWEST_DIGITS..=MOST_DIGITS)
        .contains(&(text.len() - 1))
        .then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{is_settled, read_once};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn the_short_way_agrees_with_the_library(text in "[+][1-9][0-9]{7,14}") {
            if is_settled(&text)
                && let Some(read) = read_once(&text, None)
            {
                prop_assert_eq!(read.as_str(), text.as_str());
            }
        }
    }
}
