//! Values as the store in memory keeps them.

use std::sync::Arc;

use crate::cell::Cell;

/// One value. Ordered as both databases order values of one column: texts by their bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(Arc<str>),
    Bytes(Arc<[u8]>),
}

impl From<Cell> for Value {
    fn from(cell: Cell) -> Self {
        match cell {
            Cell::Int(Some(value)) => Self::Int(value),
            Cell::Text(Some(value)) => Self::Text(value.into()),
            Cell::Bytes(Some(value)) => Self::Bytes(value.into()),
            Cell::Int(None) | Cell::Text(None) | Cell::Bytes(None) => Self::Null,
        }
    }
}

/// A value that is not of the type that was asked for, or is not there.
#[derive(Debug, thiserror::Error)]
#[error("the column holds {0}")]
pub(crate) struct Unfit(&'static str);

impl Value {
    const fn unfit(&self) -> Unfit {
        Unfit(match self {
            Self::Null => "nothing",
            Self::Int(_) => "a number",
            Self::Text(_) => "a text",
            Self::Bytes(_) => "bytes",
        })
    }
}

/// What can be read from a value.
pub(crate) trait Get<'v>: Sized {
    fn get(value: &'v Value) -> Result<Self, Unfit>;
}

impl<'v> Get<'v> for i64 {
    fn get(value: &'v Value) -> Result<Self, Unfit> {
        match value {
            Value::Int(int) => Ok(*int),
            other => Err(other.unfit()),
        }
    }
}

impl<'v> Get<'v> for &'v str {
    fn get(value: &'v Value) -> Result<Self, Unfit> {
        match value {
            Value::Text(text) => Ok(text),
            other => Err(other.unfit()),
        }
    }
}

impl<'v> Get<'v> for &'v [u8] {
    fn get(value: &'v Value) -> Result<Self, Unfit> {
        match value {
            Value::Bytes(bytes) => Ok(bytes),
            other => Err(other.unfit()),
        }
    }
}

impl<'v, T: Get<'v>> Get<'v> for Option<T> {
    fn get(value: &'v Value) -> Result<Self, Unfit> {
        match value {
            Value::Null => Ok(None),
            other => T::get(other).map(Some),
        }
    }
}

/// Reads column `at` of a row.
pub(crate) fn get<'v, T: Get<'v>>(row: &'v [Value], at: usize) -> Result<T, Unfit> {
    T::get(row.get(at).unwrap_or(&Value::Null))
}
