//! How a column's values are written, where the message carries a schema: times as counts since 1970, exact numbers
//! as bytes. Without one they stay as they came.

use base64::Engine as _;
use baton_core::value::Raw;
use compact_str::{CompactString, ToCompactString as _};
use jiff::{Span, Timestamp, civil, tz::TimeZone};

use crate::{
    error::{Code, DecodeError, Place},
    json::Node,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Days since 1970.
    Days,
    /// A date and time of day without a zone, counted as if it were UTC: so many units a second.
    Local { per_second: i64 },
    /// The number's digits as a big-endian two's complement, so many of them after the point.
    Decimal { scale: i32 },
    /// The same, its scale beside it.
    AnyDecimal,
}

/// The columns that need reading; empty where the message carries no schema.
#[derive(Default)]
pub(super) struct Types<'n>(Vec<(&'n str, Kind)>);

impl<'n> Types<'n> {
    /// `schema`: of the message. It is an envelope's, or the row's own.
    pub(super) fn of(schema: Option<&'n Node<'_>>) -> Self {
        let Some(schema) = schema else {
            return Self::default();
        };
        let row = fields(schema)
            .iter()
            .find(|field| text(field, "field") == Some("after"))
            .unwrap_or(schema);
        let column = |column: &'n Node<'_>| Some((text(column, "field")?, kind(column)?));
        Self(fields(row).iter().filter_map(column).collect())
    }

    /// The column's value, if the schema says how it is written and it is not null.
    ///
    /// # Errors
    /// If it is not written so.
    pub(super) fn read(&self, name: &str, value: &Node<'_>) -> Result<Option<Raw>, DecodeError> {
        let found = self.0.iter().find(|(column, _)| *column == name);
        let Some((_, kind)) = found.filter(|_| !value.is_null()) else {
            return Ok(None);
        };
        kind.read(value).map(Some).ok_or_else(|| {
            let (root, what) = (Place::Root, "the value is not written as the schema says");
            let row = root.member("after");
            DecodeError::new(Code::WrongType, row.member(name), what)
        })
    }
}

fn fields<'n, 'a>(schema: &'n Node<'a>) -> &'n [Node<'a>] {
    schema.get("fields").map_or(&[][..], Node::elements)
}

fn text<'n>(node: &'n Node<'_>, name: &str) -> Option<&'n str> {
    node.get(name).and_then(Node::text)
}

fn kind(column: &Node<'_>) -> Option<Kind> {
    let local = |per_second| Some(Kind::Local { per_second });
    match text(column, "name")? {
        "io.debezium.time.Date" | "org.apache.kafka.connect.data.Date" => Some(Kind::Days),
        "io.debezium.time.Timestamp" | "org.apache.kafka.connect.data.Timestamp" => local(1_000),
        "io.debezium.time.MicroTimestamp" => local(1_000_000),
        "io.debezium.time.NanoTimestamp" => local(1_000_000_000),
        "org.apache.kafka.connect.data.Decimal" => {
            let scale = text(column.get("parameters")?, "scale")?;
            Some(Kind::Decimal {
                scale: scale.parse().ok()?,
            })
        }
        "io.debezium.data.VariableScaleDecimal" => Some(Kind::AnyDecimal),
        _ => None,
    }
}

impl Kind {
    fn read(self, value: &Node<'_>) -> Option<Raw> {
        let number = || match value {
            Node::Number(digits) => digits.parse::<i64>().ok(),
            _ => None,
        };
        match self {
            Self::Days => {
                let days = Span::new().try_days(number()?).ok()?;
                let date = civil::date(1970, 1, 1).checked_add(days).ok()?;
                Some(Raw::Text(date.to_compact_string()))
            }
            Self::Local { per_second } => {
                let number = number()?;
                let second = number.div_euclid(per_second);
                let nanos = number.rem_euclid(per_second) * (1_000_000_000 / per_second);
                let at = Timestamp::new(second, i32::try_from(nanos).ok()?).ok()?;
                let written = at.to_zoned(TimeZone::UTC).datetime();
                Some(Raw::Text(written.to_compact_string()))
            }
            Self::Decimal { scale } => match value {
                Node::Text(bytes) => decimal(bytes, scale),
                // A connector may be told to send plain numbers or texts, and keep the schema's name.
                Node::Number(number) => Some(Raw::Number((*number).into())),
                _ => None,
            },
            Self::AnyDecimal => {
                let scale = value.get("scale").and_then(Node::word)?.parse().ok()?;
                decimal(value.get("value").and_then(Node::text)?, scale)
            }
        }
    }
}

/// Databases' exact numbers have at most 38 digits with few exceptions, and 16 bytes hold them.
fn decimal(base64: &str, scale: i32) -> Option<Raw> {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(base64)
        .ok()?;
    let [first, ..] = bytes.as_slice() else {
        return None;
    };
    if bytes.len() > 16 || scale.unsigned_abs() > 64 {
        return None;
    }
    let sign = if *first >= 0x80 { -1 } else { 0 };
    let number = bytes
        .iter()
        .fold(sign, |number: i128, byte| number << 8 | i128::from(*byte));
    Some(Raw::Number(pointed(number, scale)))
}

/// The number with its point `scale` digits from the end.
fn pointed(number: i128, scale: i32) -> CompactString {
    let sign = if number < 0 { "-" } else { "" };
    let mut digits = number.unsigned_abs().to_string();
    let after = scale.unsigned_abs() as usize;
    if scale <= 0 {
        if number != 0 {
            digits.extend(std::iter::repeat_n('0', after));
        }
        return format!("{sign}{digits}").into();
    }
    if digits.len() <= after {
        digits.insert_str(0, &"0".repeat(after + 1 - digits.len()));
    }
    let (whole, fraction) = digits.split_at(digits.len() - after);
    format!("{sign}{whole}.{fraction}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimals_point_stands_as_many_digits_from_the_end_as_the_schema_says() {
        let written = |number, scale| pointed(number, scale).to_string();
        assert_eq!(written(125_050, 2), "1250.50");
        assert_eq!(written(-5, 2), "-0.05");
        assert_eq!(written(0, 2), "0.00");
        assert_eq!(written(7, 0), "7");
        assert_eq!(written(7, -3), "7000");
        assert_eq!(written(i128::MAX, 38).len(), 40);
    }

    #[test]
    fn bytes_that_are_no_number_are_none() {
        for (text, scale) in [
            ("", 2),
            ("%", 2),
            ("AAAAAAAAAAAAAAAAAAAAAAAA", 2),
            ("AQ==", 99),
        ] {
            assert_eq!(decimal(text, scale), None, "{text}");
        }
    }
}
