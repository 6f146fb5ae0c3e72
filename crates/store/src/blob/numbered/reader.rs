use baton_core::{
    id::{Digest, Object, Position, RecordKey},
    name::Name,
    time::Millis,
    value::Value,
};
use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::Deserialize;

use super::{Before, Malformed, TEXTS, kind, unzigzag};

/// A state while it is read.
pub struct Reader<'b> {
    rest: &'b [u8],
    names: Vec<Name>,
    records: Vec<RecordKey>,
    texts: Vec<&'b str>,
    values: Vec<Value>,
    digests: Vec<Digest>,
    instant: Before,
    arrival: Before,
    place: Before,
}

impl<'b> Reader<'b> {
    pub fn new(rest: &'b [u8]) -> Self {
        Self {
            rest,
            // What a person of two systems has.
            names: Vec::with_capacity(32),
            records: Vec::with_capacity(4),
            texts: Vec::with_capacity(4),
            values: Vec::with_capacity(64),
            digests: Vec::with_capacity(32),
            instant: Before(0),
            arrival: Before(0),
            place: Before(0),
        }
    }

    /// How many bytes are left.
    pub const fn left(&self) -> usize {
        self.rest.len()
    }

    pub fn byte(&mut self) -> Result<u8, Malformed> {
        let (byte, rest) = self.rest.split_first().ok_or(Malformed::Early)?;
        self.rest = rest;
        Ok(*byte)
    }

    pub fn count(&mut self) -> Result<u64, Malformed> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(first.into());
        }
        let mut count = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            // The tenth byte has room for one bit.
            if shift == 63 && byte > 1 {
                return Err(Malformed::Number);
            }
            count |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(count);
            }
        }
        Err(Malformed::Number)
    }

    pub fn number(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.count()?).map_err(|_| Malformed::Number)
    }

    /// How many follow. Each takes a byte at least, so nobody can make us take much room with few.
    pub fn length(&mut self) -> Result<usize, Malformed> {
        let length = usize::try_from(self.count()?).unwrap_or(usize::MAX);
        if length > self.rest.len() {
            return Err(Malformed::Early);
        }
        Ok(length)
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed::Early)?;
        self.rest = rest;
        Ok(taken)
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (chunk, rest) = self.rest.split_first_chunk().ok_or(Malformed::Early)?;
        self.rest = rest;
        Ok(*chunk)
    }

    fn str(&mut self, length: usize) -> Result<&'b str, Malformed> {
        Ok(std::str::from_utf8(self.take(length)?)?)
    }

    fn new_text(&mut self) -> Result<&'b str, Malformed> {
        let length = self.length()?;
        self.str(length)
    }

    /// The place of something that was said before; none if it follows.
    fn known(&mut self) -> Result<Option<usize>, Malformed> {
        let number = self.count()?.checked_sub(1);
        Ok(number.map(|number| usize::try_from(number).unwrap_or(usize::MAX)))
    }

    pub fn name(&mut self) -> Result<Name, Malformed> {
        if let Some(number) = self.known()? {
            return self.names.get(number).copied().ok_or(Malformed::Reference);
        }
        let name = Name::new(self.new_text()?);
        self.names.push(name);
        Ok(name)
    }

    pub fn record(&mut self) -> Result<RecordKey, Malformed> {
        if let Some(number) = self.known()? {
            return self
                .records
                .get(number)
                .cloned()
                .ok_or(Malformed::Reference);
        }
        let record = RecordKey {
            system: self.name()?,
            object: *Object::ALL
                .get(usize::from(self.byte()?))
                .ok_or(Malformed::Code)?,
            id: self.new_text()?.into(),
        };
        self.records.push(record.clone());
        Ok(record)
    }

    pub fn text(&mut self) -> Result<CompactString, Malformed> {
        if let Some(back) = self.known()? {
            let mut lately = self.texts.iter().rev().take(TEXTS);
            let text = lately.nth(back).ok_or(Malformed::Reference)?;
            return Ok((*text).into());
        }
        let text = self.new_text()?;
        self.texts.push(text);
        Ok(text.into())
    }

    pub fn value(&mut self) -> Result<Value, Malformed> {
        let said = self.count()?;
        if said & 1 == 0 {
            let number = usize::try_from(said >> 1).unwrap_or(usize::MAX);
            return self.values.get(number).cloned().ok_or(Malformed::Reference);
        }
        let value = match said >> 1 {
            kind::BLANK => return Ok(Value::Blank),
            kind::NO => return Ok(Value::Bool(false)),
            kind::YES => return Ok(Value::Bool(true)),
            kind::NUMBER => Value::Number(Decimal::deserialize(self.chunk()?)),
            kind::DATE => {
                let days = unzigzag(self.count()?);
                let days = i32::try_from(days).map_err(|_| Malformed::Number)?;
                Value::Date(days)
            }
            kind::TIME => Value::Time(Millis(unzigzag(self.count()?))),
            kind::SET => {
                let length = self.length()?;
                let items = (0..length).map(|_| Ok(self.new_text()?.into()));
                Value::Set(items.collect::<Result<_, Malformed>>()?)
            }
            text => {
                let length = usize::try_from(text - kind::TEXT).unwrap_or(usize::MAX);
                Value::text(self.str(length)?)
            }
        };
        self.values.push(value.clone());
        Ok(value)
    }

    pub fn digest(&mut self) -> Result<Digest, Malformed> {
        if let Some(number) = self.known()? {
            let known = self.digests.get(number);
            return known.copied().ok_or(Malformed::Reference);
        }
        let digest = self.only_digest()?;
        self.digests.push(digest);
        Ok(digest)
    }

    pub fn only_digest(&mut self) -> Result<Digest, Malformed> {
        Ok(Digest(self.chunk()?))
    }

    pub fn instant(&mut self) -> Result<Millis, Malformed> {
        let said = self.count()?;
        Ok(Millis(self.instant.meant(said)))
    }

    pub fn position(&mut self) -> Result<Position, Malformed> {
        let arrival = self.count()?;
        let arrival = Millis(self.arrival.meant(arrival));
        let place = self.place.0.wrapping_add(unzigzag(self.count()?));
        self.place.0 = place;
        Ok(Position {
            arrival,
            log: place.cast_unsigned(),
        })
    }

    pub fn rare<T: Deserialize<'b>>(&mut self) -> Result<T, Malformed> {
        let (value, rest) = postcard::take_from_bytes(self.rest)?;
        self.rest = rest;
        Ok(value)
    }
}
