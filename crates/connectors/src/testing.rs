//! What the tests of every system need: a payload in, its changes or its one refusal out.

use baton_core::{
    change::{Format, RawChange, RawField},
    value::Raw,
};

use crate::{DecodeError, Item, Message, decode};

pub(crate) fn items(format: Format, text: &str) -> Result<Vec<Item>, DecodeError> {
    decode(
        format,
        &Message {
            value: Some(text.as_bytes()),
            ..Message::default()
        },
    )
}

/// All changes of a payload, none of which is refused.
#[track_caller]
pub(crate) fn changes(format: Format, text: &str) -> Vec<RawChange> {
    let change = |item| match item {
        Item::Change(change) => change,
        Item::Refused(e) => panic!("refused: {e}"),
    };
    match items(format, text) {
        Ok(items) => items.into_iter().map(change).collect(),
        Err(e) => panic!("unreadable: {e}"),
    }
}

/// The one change of a payload.
#[track_caller]
pub(crate) fn change(format: Format, text: &str) -> RawChange {
    let mut all = changes(format, text);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// Why the payload, or its first refused element, cannot be read.
#[track_caller]
pub(crate) fn refusal(format: Format, text: &str) -> DecodeError {
    let refused = |item| match item {
        Item::Refused(e) => Some(e),
        Item::Change(_) => None,
    };
    match items(format, text) {
        Err(e) => e,
        Ok(items) => match items.into_iter().find_map(refused) {
            Some(e) => e,
            None => panic!("nothing was refused"),
        },
    }
}

pub(crate) fn field<'c>(change: &'c RawChange, name: &str) -> Option<&'c RawField> {
    change.fields.iter().find(|field| field.name == name)
}

pub(crate) fn value<'c>(change: &'c RawChange, name: &str) -> Option<&'c Raw> {
    field(change, name).map(|field| &field.value)
}

pub(crate) fn names(change: &RawChange) -> Vec<&str> {
    change.fields.iter().map(|f| f.name.as_str()).collect()
}

pub(crate) fn number(text: &str) -> Raw {
    Raw::Number(text.into())
}
