//! The shape of each request, walked before decoding.
//!
//! The decoder takes an array's length at its word and reserves memory for it, so four bytes
//! from a stranger could ask for gigabytes. The walk believes nothing: it visits every element,
//! and a request whose lengths do not fit its bytes is refused before anything is reserved.

/// A kind of value on the wire.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// So many bytes, always.
    Fixed(usize),
    Text,
    Bytes,
    /// An array of structures.
    Array(&'static [Field]),
    /// An array of single values.
    List(&'static Kind),
}

/// A field and the versions that have it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    kind: Kind,
    from: i16,
    to: i16,
}

const fn all(kind: Kind) -> Field {
    between(kind, 0, i16::MAX)
}

const fn from(kind: Kind, from: i16) -> Field {
    between(kind, from, i16::MAX)
}

const fn to(kind: Kind, to: i16) -> Field {
    between(kind, 0, to)
}

const fn between(kind: Kind, from: i16, to: i16) -> Field {
    Field { kind, from, to }
}

const I8: Kind = Kind::Fixed(1);
const BOOL: Kind = Kind::Fixed(1);
const I16: Kind = Kind::Fixed(2);
const I32: Kind = Kind::Fixed(4);
const I64: Kind = Kind::Fixed(8);
const UUID: Kind = Kind::Fixed(16);
const TEXT: Kind = Kind::Text;
const BYTES: Kind = Kind::Bytes;

const fn array(fields: &'static [Field]) -> Kind {
    Kind::Array(fields)
}

const fn list(kind: &'static Kind) -> Kind {
    Kind::List(kind)
}

pub(crate) const PRODUCE: &[Field] = &[
    all(TEXT),
    all(I16),
    all(I32),
    all(array(&[all(TEXT), all(array(&[all(I32), all(BYTES)]))])),
];

pub(crate) const FETCH: &[Field] = &[
    to(I32, 14),
    all(I32),
    all(I32),
    all(I32),
    all(I8),
    from(I32, 7),
    from(I32, 7),
    all(array(&[
        to(TEXT, 12),
        from(UUID, 13),
        all(array(&[
            all(I32),
            from(I32, 9),
            all(I64),
            from(I32, 12),
            from(I64, 5),
            all(I32),
        ])),
    ])),
    from(array(&[to(TEXT, 12), from(UUID, 13), all(list(&I32))]), 7),
    from(TEXT, 11),
];

pub(crate) const LIST_OFFSETS: &[Field] = &[
    all(I32),
    from(I8, 2),
    all(array(&[
        all(TEXT),
        all(array(&[all(I32), from(I32, 4), all(I64)])),
    ])),
];

pub(crate) const METADATA: &[Field] = &[
    all(array(&[from(UUID, 10), all(TEXT)])),
    from(BOOL, 4),
    between(BOOL, 8, 10),
    from(BOOL, 8),
];

pub(crate) const OFFSET_COMMIT: &[Field] = &[
    all(TEXT),
    all(I32),
    all(TEXT),
    from(TEXT, 7),
    to(I64, 4),
    all(array(&[
        all(TEXT),
        all(array(&[all(I32), all(I64), from(I32, 6), all(TEXT)])),
    ])),
];

pub(crate) const OFFSET_FETCH: &[Field] = &[
    to(TEXT, 7),
    to(array(&[all(TEXT), all(list(&I32))]), 7),
    from(
        array(&[
            all(TEXT),
            from(TEXT, 9),
            from(I32, 9),
            all(array(&[all(TEXT), all(list(&I32))])),
        ]),
        8,
    ),
    from(BOOL, 7),
];

pub(crate) const FIND_COORDINATOR: &[Field] = &[to(TEXT, 3), from(I8, 1), from(list(&TEXT), 4)];

pub(crate) const JOIN_GROUP: &[Field] = &[
    all(TEXT),
    all(I32),
    from(I32, 1),
    all(TEXT),
    from(TEXT, 5),
    all(TEXT),
    all(array(&[all(TEXT), all(BYTES)])),
    from(TEXT, 8),
];

pub(crate) const HEARTBEAT: &[Field] = &[all(TEXT), all(I32), all(TEXT), from(TEXT, 3)];

pub(crate) const LEAVE_GROUP: &[Field] = &[
    all(TEXT),
    to(TEXT, 2),
    from(array(&[all(TEXT), all(TEXT), from(TEXT, 5)]), 3),
];

pub(crate) const SYNC_GROUP: &[Field] = &[
    all(TEXT),
    all(I32),
    all(TEXT),
    from(TEXT, 3),
    from(TEXT, 5),
    from(TEXT, 5),
    all(array(&[all(TEXT), all(BYTES)])),
];

pub(crate) const DESCRIBE_GROUPS: &[Field] = &[all(list(&TEXT)), from(BOOL, 3)];
pub(crate) const LIST_GROUPS: &[Field] = &[from(list(&TEXT), 4), from(list(&TEXT), 5)];
pub(crate) const API_VERSIONS: &[Field] = &[from(TEXT, 3), from(TEXT, 3)];

pub(crate) const CREATE_TOPICS: &[Field] = &[
    all(array(&[
        all(TEXT),
        all(I32),
        all(I16),
        all(array(&[all(I32), all(list(&I32))])),
        all(array(&[all(TEXT), all(TEXT)])),
    ])),
    all(I32),
    all(BOOL),
];

pub(crate) const DELETE_TOPICS: &[Field] = &[
    from(array(&[all(TEXT), all(UUID)]), 6),
    to(list(&TEXT), 5),
    all(I32),
];

pub(crate) const DELETE_RECORDS: &[Field] = &[
    all(array(&[all(TEXT), all(array(&[all(I32), all(I64)]))])),
    all(I32),
];

pub(crate) const INIT_PRODUCER_ID: &[Field] = &[all(TEXT), all(I32), from(I64, 3), from(I16, 3)];

pub(crate) const DESCRIBE_CONFIGS: &[Field] = &[
    all(array(&[all(I8), all(TEXT), all(list(&TEXT))])),
    all(BOOL),
    from(BOOL, 3),
];

pub(crate) const ALTER_CONFIGS: &[Field] = &[
    all(array(&[
        all(I8),
        all(TEXT),
        all(array(&[all(TEXT), all(TEXT)])),
    ])),
    all(BOOL),
];

pub(crate) const INCREMENTAL_ALTER_CONFIGS: &[Field] = &[
    all(array(&[
        all(I8),
        all(TEXT),
        all(array(&[all(TEXT), all(I8), all(TEXT)])),
    ])),
    all(BOOL),
];

pub(crate) const CREATE_PARTITIONS: &[Field] = &[
    all(array(&[
        all(TEXT),
        all(I32),
        all(array(&[all(list(&I32))])),
    ])),
    all(I32),
    all(BOOL),
];

pub(crate) const DELETE_GROUPS: &[Field] = &[all(list(&TEXT))];
pub(crate) const OFFSET_DELETE: &[Field] =
    &[all(TEXT), all(array(&[all(TEXT), all(array(&[all(I32)]))]))];
pub(crate) const DESCRIBE_CLUSTER: &[Field] = &[all(BOOL), from(I8, 1)];

/// The bytes do not have the shape of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request does not fit its own lengths")]
pub(crate) struct Misshapen;

/// Elements of all arrays of one request together. More than any honest client asks for.
const MAX_ELEMENTS: usize = 20_000;

struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    flexible: bool,
    elements: usize,
}

/// Whether `body`, what follows the request's header, holds the fields and nothing else.
pub(crate) fn check(
    body: &[u8],
    fields: &[Field],
    version: i16,
    flexible: bool,
) -> Result<(), Misshapen> {
    let mut walk = Walk {
        rest: body,
        version,
        flexible,
        elements: 0,
    };
    walk.fields(fields).ok_or(Misshapen)?;
    Ok(())
}

/// What follows a request's header: key, version and correlation id, client id, tagged fields.
pub(crate) fn after_header(frame: &[u8], flexible: bool) -> Option<&[u8]> {
    let mut walk = Walk {
        rest: frame,
        version: 0,
        flexible: false,
        elements: 0,
    };
    walk.skip(8)?;
    walk.value(TEXT)?;
    walk.flexible = flexible;
    walk.tags()?;
    Some(walk.rest)
}

impl Walk<'_> {
    fn skip(&mut self, n: usize) -> Option<()> {
        self.rest = self.rest.get(n..)?;
        Some(())
    }

    fn fields(&mut self, fields: &[Field]) -> Option<()> {
        for field in fields {
            if (field.from..=field.to).contains(&self.version) {
                self.value(field.kind)?;
            }
        }
        self.tags()
    }

    fn tags(&mut self) -> Option<()> {
        if !self.flexible {
            return Some(());
        }
        for _ in 0..self.varint()? {
            self.count()?;
            self.varint()?;
            let size = self.varint()?;
            self.skip(usize::try_from(size).ok()?)?;
        }
        Some(())
    }

    fn count(&mut self) -> Option<()> {
        self.elements += 1;
        (self.elements <= MAX_ELEMENTS).then_some(())
    }

    fn value(&mut self, kind: Kind) -> Option<()> {
        match kind {
            Kind::Fixed(n) => self.skip(n),
            Kind::Text if !self.flexible => {
                let len = i16::from_be_bytes(self.take()?);
                self.skip(usize::try_from(len).unwrap_or(0))
            }
            Kind::Text | Kind::Bytes => {
                let len = self.length()?;
                self.skip(len)
            }
            Kind::Array(fields) => {
                for _ in 0..self.length()? {
                    self.count()?;
                    self.fields(fields)?;
                }
                Some(())
            }
            Kind::List(kind) => {
                for _ in 0..self.length()? {
                    self.count()?;
                    self.value(*kind)?;
                }
                Some(())
            }
        }
    }

    /// The length of bytes or an array; nothing counts as 0.
    fn length(&mut self) -> Option<usize> {
        if self.flexible {
            usize::try_from(self.varint()?.saturating_sub(1)).ok()
        } else {
            let len = i32::from_be_bytes(self.take()?);
            Some(usize::try_from(len).unwrap_or(0))
        }
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>()?;
        self.rest = tail;
        Some(*head)
    }

    /// As the decoder reads it: at most five bytes, the overflow lost.
    fn varint(&mut self) -> Option<u32> {
        let mut value = 0u32;
        for i in 0..5 {
            let [byte] = self.take()?;
            value |= u32::from(byte & 0x7f) << (i * 7);
            if byte < 0x80 {
                break;
            }
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::super::versions::APIS;
    use super::*;
    use kafka_protocol::messages::RequestKind;
    use proptest::prelude::*;

    #[test]
    fn a_small_request_cannot_ask_for_gigabytes() {
        // ListOffsets v1: replica, then an array of two thousand million topics.
        let body = [0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff];
        assert_eq!(check(&body, LIST_OFFSETS, 1, false), Err(Misshapen));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        /// Whatever passes the walk is decoded without panic, and what decodes passes the walk.
        #[test]
        fn the_walk_and_the_decoder_agree(
            which in 0..APIS.len(),
            version in 0i16..17,
            bytes in proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(2), Just(3), any::<u8>()], 0..200),
        ) {
            let api = &APIS[which];
            if (api.min..=api.max).contains(&version) {
                let fits = check(&bytes, api.request, version, version >= api.flexible).is_ok();
                if fits {
                    let mut buffer = bytes::Bytes::from(bytes);
                    let _ = RequestKind::decode(api.key, &mut buffer, version);
                }
            }
        }
    }
}
