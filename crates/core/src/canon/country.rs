//! Countries: from a code or a name to ISO 3166-1 alpha-2.

use std::sync::LazyLock;

use compact_str::CompactString;
use rustc_hash::FxHashMap;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// `alpha-2|alpha-3|English name|other names…`, one country a line. `XK` is a user-assigned code that vendors use
/// for Kosovo.
const TABLE: &str = include_str!("countries.txt");

/// Key of a code or name → alpha-2.
static CODES: LazyLock<FxHashMap<CompactString, &'static str>> = LazyLock::new(|| {
    let mut codes = FxHashMap::default();
    for line in TABLE.lines() {
        let mut words = line.split('|');
        let Some(alpha2) = words.next() else { continue };
        codes.insert(key(alpha2), alpha2);
        for word in words {
            codes.entry(key(word)).or_insert(alpha2);
        }
    }
    codes
});

/// The alpha-2 code of a code or name, whatever its case, accents and punctuation; none where it is unknown.
pub(super) fn alpha2(text: &str) -> Option<&'static str> {
    // Names longer than this are none; folding them would only cost time.
    const LONGEST: usize = 96;
    if text.len() > LONGEST {
        return None;
    }
    // What systems send most.
    if text.len() == 2 && text.is_ascii() {
        return CODES.get(text.to_ascii_lowercase().as_str()).copied();
    }
    CODES.get(&key(text)).copied()
}

/// Letters and digits only, lower case, without accents, without `the`; `&` reads as "and".
fn key(text: &str) -> CompactString {
    let mut key = CompactString::default();
    let mut word = CompactString::default();
    let mut close = |word: &mut CompactString| {
        if word != "the" {
            key.push_str(word);
        }
        word.clear();
    };
    for c in text.nfd().filter(|c| !is_combining_mark(*c)) {
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        } else if c == '&' {
            close(&mut word);
            word.push_str("and");
            close(&mut word);
        } else if !matches!(c, '.' | '\'' | '’') {
            close(&mut word);
        }
    }
    close(&mut word);
    key
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{TABLE, alpha2, key};

    #[test]
    fn every_code_and_name_of_the_table_means_one_country() {
        let mut owners = BTreeMap::new();
        for line in TABLE.lines() {
            let code = &line[..2];
            for word in line.split('|') {
                assert_eq!(alpha2(word), Some(code), "{word}");
                let owner = owners.entry(key(word)).or_insert(code);
                assert_eq!(*owner, code, "{word}");
            }
        }
        assert_eq!(TABLE.lines().count(), 250, "ISO 3166-1, and Kosovo");
    }
}
