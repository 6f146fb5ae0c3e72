use std::hash::BuildHasher as _;

use baton_core::{
    id::{Digest, Position, RecordKey},
    name::Name,
    time::Millis,
    value::Value,
};
use rustc_hash::FxBuildHasher;
use serde::Serialize;

use super::{Before, TEXTS, kind, zigzag};
use crate::blob::Bytes;

/// Two values, or digests, that share a slot are written anew by turns, which costs room and nothing else.
const SLOTS: usize = 256;

/// Whether one can stand for the other: of numbers, 1.50 is no 1.5.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.serialize() == b.serialize(),
        _ => a == b,
    }
}

/// A state while it is written.
pub struct Writer<'v> {
    pub out: Vec<u8>,
    names: Vec<Name>,
    /// The name after the one that was written last: most are written in the same order again.
    next_name: usize,
    records: Vec<&'v RecordKey>,
    texts: Vec<&'v str>,
    values: Vec<&'v Value>,
    digests: Vec<Digest>,
    /// By hash: one more than the number of the value that was written last.
    value_slots: [u32; SLOTS],
    digest_slots: [u32; SLOTS],
    instant: Before,
    arrival: Before,
    place: Before,
}

impl<'v> Writer<'v> {
    /// One that appends to `out`.
    pub fn new(out: Vec<u8>) -> Self {
        Self {
            out,
            // What a person of two systems has.
            names: Vec::with_capacity(32),
            next_name: 0,
            records: Vec::with_capacity(4),
            texts: Vec::with_capacity(4),
            values: Vec::with_capacity(64),
            digests: Vec::with_capacity(32),
            value_slots: [0; SLOTS],
            digest_slots: [0; SLOTS],
            instant: Before(0),
            arrival: Before(0),
            place: Before(0),
        }
    }

    pub fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    pub fn count(&mut self, mut count: u64) {
        while count >= 0x80 {
            self.out.push(count as u8 | 0x80);
            count >>= 7;
        }
        self.out.push(count as u8);
    }

    pub fn length(&mut self, length: usize) {
        self.count(length as u64);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.out.extend_from_slice(bytes);
    }

    pub fn name(&mut self, name: Name) {
        let (before, after) = self.names.split_at(self.next_name);
        let place = |names: &[Name]| names.iter().position(|known| *known == name);
        let after = place(after).map(|further| before.len() + further);
        let known = after.or_else(|| place(before));
        self.next_name = known.unwrap_or(self.names.len()) + 1;
        match known {
            Some(number) => self.length(number + 1),
            None => {
                self.names.push(name);
                self.byte(0);
                self.bytes(name.as_str().as_bytes());
            }
        }
    }

    pub fn record(&mut self, record: &'v RecordKey) {
        match self.records.iter().position(|known| *known == record) {
            Some(number) => self.length(number + 1),
            None => {
                self.records.push(record);
                self.byte(0);
                self.name(record.system);
                self.byte(record.object as u8);
                self.bytes(record.id.as_bytes());
            }
        }
    }

    pub fn text(&mut self, text: &'v str) {
        let lately = self.texts.iter().rev().take(TEXTS);
        match lately.enumerate().find(|(_, known)| **known == text) {
            Some((back, _)) => self.length(back + 1),
            None => {
                self.texts.push(text);
                self.byte(0);
                self.bytes(text.as_bytes());
            }
        }
    }

    pub fn value(&mut self, value: &'v Value) {
        match value {
            Value::Blank => return self.count(kind::BLANK << 1 | 1),
            Value::Bool(false) => return self.count(kind::NO << 1 | 1),
            Value::Bool(true) => return self.count(kind::YES << 1 | 1),
            _ => {}
        }
        let hash = FxBuildHasher.hash_one(value);
        let slot = &mut self.value_slots[hash as usize % SLOTS];
        let known = slot.wrapping_sub(1);
        if self
            .values
            .get(known as usize)
            .is_some_and(|known| is_same(known, value))
        {
            return self.count(u64::from(known) << 1);
        }
        self.values.push(value);
        // There are fewer of them than bytes in the longest blob.
        *slot = self.values.len() as u32;
        match value {
            Value::Blank | Value::Bool(_) => {}
            Value::Number(number) => {
                self.count(kind::NUMBER << 1 | 1);
                self.out.extend_from_slice(&number.serialize());
            }
            Value::Date(days) => {
                self.count(kind::DATE << 1 | 1);
                self.count(zigzag((*days).into()));
            }
            Value::Time(at) => {
                self.count(kind::TIME << 1 | 1);
                self.count(zigzag(at.0));
            }
            Value::Set(items) => {
                self.count(kind::SET << 1 | 1);
                self.length(items.len());
                for item in items {
                    self.bytes(item.as_bytes());
                }
            }
            Value::Text(text) => {
                self.count((kind::TEXT + text.len() as u64) << 1 | 1);
                self.out.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// A digest that may be meant again.
    pub fn digest(&mut self, digest: Digest) {
        let slot = &mut self.digest_slots[usize::from(digest.0[0]) % SLOTS];
        let known = *slot as usize;
        if known != 0 && self.digests.get(known - 1) == Some(&digest) {
            return self.length(known);
        }
        self.digests.push(digest);
        *slot = self.digests.len() as u32;
        self.byte(0);
        self.out.extend_from_slice(&digest.0);
    }

    /// A digest that stands here only.
    pub fn only_digest(&mut self, digest: Digest) {
        self.out.extend_from_slice(&digest.0);
    }

    pub fn instant(&mut self, instant: Millis) {
        let said = self.instant.said(instant.0);
        self.count(said);
    }

    pub fn position(&mut self, position: Position) {
        let arrival = self.arrival.said(position.arrival.0);
        self.count(arrival);
        // A difference like any other: it wraps.
        let before = std::mem::replace(&mut self.place.0, position.log.cast_signed());
        self.count(zigzag(position.log.cast_signed().wrapping_sub(before)));
    }

    /// What is rare: as postcard.
    pub fn rare<T: Serialize>(&mut self, value: &T) -> postcard::Result<()> {
        let out = std::mem::take(&mut self.out);
        self.out = postcard::serialize_with_flavor(value, Bytes(out))?;
        Ok(())
    }
}
