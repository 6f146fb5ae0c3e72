//! CSV exports: a header row of the system's field names, one record per row.

mod decode;
#[cfg(test)]
mod tests;

pub(crate) use decode::{decode, delimiter, hint, id_column, row};
