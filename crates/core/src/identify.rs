//! Finds whose record an input is about, and hands it to `apply`.

use crate::{
    book::{Book, Item, Needs, Settled},
    rules::Rules,
    time::Millis,
};

pub fn needs(_book: &Book, _items: &[Item], _rules: &Rules) -> Needs {
    Needs::default()
}

pub fn settle(_book: &mut Book, _item: Item, _rules: &Rules, _at: Millis) -> Settled {
    Settled {
        outcome: crate::change::Outcome::Noop,
        entity: None,
    }
}
