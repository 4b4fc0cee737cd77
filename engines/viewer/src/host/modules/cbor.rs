//! As much of CBOR (RFC 8949) as tokens need: definite lengths, bounded depth.

/// Deepest nesting that is read.
const DEPTH: u8 = 16;

/// A data item.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    /// Any integer; CBOR's are 65 bits wide.
    Integer(i128),
    /// A byte string.
    Bytes(Vec<u8>),
    /// A text string.
    Text(String),
    /// An array.
    List(Vec<Item>),
    /// A map, in the order written.
    Map(Vec<(Item, Item)>),
    /// A tagged item.
    Tagged(u64, Box<Item>),
    /// `true` or `false`.
    Flag(bool),
    /// `null`, `undefined`.
    Null,
    /// A floating-point number.
    Float(f64),
}

impl Item {
    /// The item that `bytes` are; `None` if they are none, or more than one.
    pub(super) fn parse(mut bytes: &[u8]) -> Option<Self> {
        let item = take(&mut bytes, DEPTH)?;
        bytes.is_empty().then_some(item)
    }

    /// Appends the item.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Integer(number) if *number >= 0 => head(0, clamp(*number), out),
            Self::Integer(number) => head(1, clamp(-1 - *number), out),
            Self::Bytes(bytes) => {
                head(2, bytes.len() as u64, out);
                out.extend_from_slice(bytes);
            }
            Self::Text(text) => {
                head(3, text.len() as u64, out);
                out.extend_from_slice(text.as_bytes());
            }
            Self::List(items) => {
                head(4, items.len() as u64, out);
                items.iter().for_each(|item| item.put(out));
            }
            Self::Map(pairs) => {
                head(5, pairs.len() as u64, out);
                for (key, value) in pairs {
                    key.put(out);
                    value.put(out);
                }
            }
            Self::Tagged(tag, item) => {
                head(6, *tag, out);
                item.put(out);
            }
            Self::Flag(flag) => out.push(if *flag { 0xf5 } else { 0xf4 }),
            Self::Null => out.push(0xf6),
            Self::Float(number) => {
                out.push(0xfb);
                out.extend_from_slice(&number.to_be_bytes());
            }
        }
    }

    /// The item's bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out);
        out
    }
}

fn clamp(number: i128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    if let Some(small) = u8::try_from(argument).ok().filter(|&small| small < 24) {
        out.push(major | small);
    } else if let Ok(byte) = u8::try_from(argument) {
        out.extend_from_slice(&[major | 24, byte]);
    } else if let Ok(short) = u16::try_from(argument) {
        out.push(major | 25);
        out.extend_from_slice(&short.to_be_bytes());
    } else if let Ok(word) = u32::try_from(argument) {
        out.push(major | 26);
        out.extend_from_slice(&word.to_be_bytes());
    } else {
        out.push(major | 27);
        out.extend_from_slice(&argument.to_be_bytes());
    }
}

fn split<'a>(bytes: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(head)
}

fn take(bytes: &mut &[u8], depth: u8) -> Option<Item> {
    let depth = depth.checked_sub(1)?;
    let first = split(bytes, 1)?[0];
    let (major, short) = (first >> 5, first & 31);
    if major == 7 {
        return simple(short, bytes);
    }
    let argument = match short {
        0..24 => u64::from(short),
        24..28 => split(bytes, 1 << (short - 24))?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        _ => return None,
    };
    Some(match major {
        0 => Item::Integer(i128::from(argument)),
        1 => Item::Integer(-1 - i128::from(argument)),
        2 => Item::Bytes(split(bytes, argument)?.to_vec()),
        3 => Item::Text(std::str::from_utf8(split(bytes, argument)?).ok()?.to_owned()),
        // No member takes less than a byte.
        4 | 5 if argument > bytes.len() as u64 => return None,
        4 => Item::List((0..argument).map(|_| take(bytes, depth)).collect::<Option<_>>()?),
        5 => Item::Map((0..argument).map(|_| Some((take(bytes, depth)?, take(bytes, depth)?))).collect::<Option<_>>()?),
        _ => Item::Tagged(argument, Box::new(take(bytes, depth)?)),
    })
}

fn simple(short: u8, bytes: &mut &[u8]) -> Option<Item> {
    Some(match short {
        20 => Item::Flag(false),
        21 => Item::Flag(true),
        22 | 23 => Item::Null,
        25 => Item::Float(half(u16::from_be_bytes(*split(bytes, 2)?.first_chunk()?))),
        26 => Item::Float(f64::from(f32::from_be_bytes(*split(bytes, 4)?.first_chunk()?))),
        27 => Item::Float(f64::from_be_bytes(*split(bytes, 8)?.first_chunk()?)),
        _ => return None,
    })
}

/// A number of half precision (RFC 8949, appendix D).
fn half(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let size = match exponent {
        0 => mantissa * 2_f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * 2_f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn item() -> impl Strategy<Value = Item> {
        let leaf = prop_oneof![
            any::<u64>().prop_map(|number| Item::Integer(i128::from(number))),
            any::<u64>().prop_map(|number| Item::Integer(-1 - i128::from(number))),
            any::<Vec<u8>>().prop_map(Item::Bytes),
            any::<String>().prop_map(Item::Text),
            any::<bool>().prop_map(Item::Flag),
            Just(Item::Null),
            (-1e9..1e9).prop_map(Item::Float),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Item::List),
                prop::collection::vec((inner.clone(), inner.clone()), 0..4).prop_map(Item::Map),
                (any::<u64>(), inner).prop_map(|(tag, item)| Item::Tagged(tag, Box::new(item))),
            ]
        })
    }

    proptest! {
        #[test]
        fn items_round_trip(item in item()) {
            prop_assert_eq!(Item::parse(&item.to_bytes()), Some(item));
        }

        #[test]
        fn junk_never_panics(bytes: Vec<u8>) {
            let _ = Item::parse(&bytes);
        }
    }

    #[test]
    fn nesting_and_lengths_are_bounded() {
        assert!(Item::parse(&[&[0x81; 15][..], &[0]].concat()).is_some());
        assert!(Item::parse(&[&[0x81; 16][..], &[0]].concat()).is_none());
        assert_eq!(Item::parse(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(Item::parse(&[0xf9, 0x3c, 0x00]), Some(Item::Float(1.0)));
        assert_eq!(Item::parse(&[0, 0]), None, "one item only");
    }
}
