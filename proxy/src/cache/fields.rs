//! The fields of a stored response in one block of bytes.
//!
//! A `HeaderMap` costs some hundred bytes for each field, and its values keep the origin connection's whole read buffer
//! alive. A stored response has neither: its fields are one block of just their size, from which a map is made for each
//! answer, whose values borrow from one copy of the block. Deliberately absent: changing a block; who changes fields does it in a map.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Fields that an answer gets beyond those that are stored: room for them saves growing the map.
const MORE: usize = 8;

/// Stands at the beginning, before four bytes of length and the block of the trailers, where there are any.
const TRAILERS: u8 = u8::MAX - 1;

/// Stands for a name that is written out.
const SPELLED: u8 = u8::MAX;

/// Names that are written as their place in this list.
const KNOWN: [HeaderName; 32] = [
    header::ACCEPT_RANGES,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::AGE,
    header::ALT_SVC,
    header::CACHE_CONTROL,
    header::CACHE_STATUS,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LENGTH,
    header::CONTENT_LOCATION,
    header::CONTENT_RANGE,
    header::CONTENT_SECURITY_POLICY,
    header::CONTENT_TYPE,
    header::DATE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::LINK,
    header::LOCATION,
    header::REFERRER_POLICY,
    header::SERVER,
    header::STRICT_TRANSPORT_SECURITY,
    header::VARY,
    header::VIA,
    header::X_CONTENT_TYPE_OPTIONS,
    header::X_FRAME_OPTIONS,
    header::X_XSS_PROTECTION,
];

/// Fields in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    /// For each field: its name's place in [`KNOWN`], or [`SPELLED`], two bytes of length and the name; four bytes of length
    /// and the value.
    block: Box<[u8]>,
}

impl Fields {
    /// A map of them, with room for what an answer gets besides.
    pub(crate) fn to_map(&self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.iter().count() + MORE);
        let block = Bytes::copy_from_slice(&self.block);
        for (name, value) in pairs(&block) {
            let value = HeaderValue::from_maybe_shared(block.slice_ref(value));
            // Both were a name and a value when they were written.
            if let (Some(name), Ok(value)) = (name.to_name(), value) {
                map.append(name, value);
            }
        }
        map
    }

    /// The first value of a field.
    pub(crate) fn get(&self, name: &HeaderName) -> Option<&[u8]> {
        self.iter().find(|(known, _)| known.is(name)).map(|(_, value)| value)
    }

    /// The same fields with these trailers behind the body.
    pub(crate) fn with_trailers(&self, trailers: &HeaderMap) -> Self {
        let (_, fields) = split(&self.block);
        let own = Self::from(trailers).block;
        let Some(length) = u32::try_from(own.len()).ok().filter(|length| *length > 0) else { return self.clone() };
        let block = [&[TRAILERS][..], &length.to_be_bytes()[..], &own[..], fields].concat();
        Self { block: block.into() }
    }

    /// The trailers, if there are any.
    pub(crate) fn trailers(&self) -> Option<HeaderMap> {
        let (trailers, _) = split(&self.block);
        trailers.map(|block| Self { block: block.into() }.to_map())
    }

    /// Bytes that they occupy.
    pub(crate) fn weight(&self) -> usize {
        self.block.len()
    }

    /// Names and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (FieldName<'_>, &[u8])> {
        pairs(&self.block)
    }
}

/// The block of the trailers, and that of the fields.
fn split(block: &[u8]) -> (Option<&[u8]>, &[u8]) {
    match block.split_first() {
        Some((&TRAILERS, mut rest)) => (take::<4>(&mut rest), rest),
        _ => (None, block),
    }
}

/// The names and values of a block.
fn pairs(block: &[u8]) -> impl Iterator<Item = (FieldName<'_>, &[u8])> {
    let (_, mut rest) = split(block);
    std::iter::from_fn(move || {
        let name = match *rest.split_off_first()? {
            SPELLED => FieldName::Spelled(take::<2>(&mut rest)?),
            place => FieldName::Known(KNOWN.get(usize::from(place))?),
        };
        Some((name, take::<4>(&mut rest)?))
    })
}

/// Takes as many bytes as `N` bytes of length say.
fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = rest.split_off(..N)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    rest.split_off(..length)
}

/// A field's name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FieldName<'a> {
    /// One that most responses have.
    Known(&'static HeaderName),
    /// Any other, in lower case.
    Spelled(&'a [u8]),
}

impl<'a> FieldName<'a> {
    /// In lower case.
    pub(crate) fn as_str(&self) -> &'a str {
        match self {
            Self::Known(name) => name.as_str(),
            Self::Spelled(bytes) => std::str::from_utf8(bytes).unwrap_or_default(), // it was a name, so it is ASCII
        }
    }

    /// Whether it is this name.
    pub(crate) fn is(&self, name: &HeaderName) -> bool {
        match self {
            Self::Known(known) => *known == name,
            Self::Spelled(bytes) => *bytes == name.as_str().as_bytes(),
        }
    }

    fn to_name(self) -> Option<HeaderName> {
        match self {
            Self::Known(name) => Some(name.clone()),
            Self::Spelled(bytes) => HeaderName::from_bytes(bytes).ok(),
        }
    }
}

impl From<&HeaderMap> for Fields {
    fn from(map: &HeaderMap) -> Self {
        let size = map.iter().map(|(name, value)| 7 + name.as_str().len() + value.len()).sum();
        let mut block = Vec::with_capacity(size);
        for (name, value) in map {
            let (spelled, bytes) = (name.as_str().as_bytes(), value.as_bytes());
            // Longer ones never came: heads are limited to far less.
            let (Ok(name_length), Ok(length)) = (u16::try_from(spelled.len()), u32::try_from(bytes.len())) else {
                continue;
            };
            match KNOWN.iter().position(|known| known == name).and_then(|place| u8::try_from(place).ok()) {
                Some(place) => block.push(place),
                None => {
                    block.push(SPELLED);
                    block.extend_from_slice(&name_length.to_be_bytes());
                    block.extend_from_slice(spelled);
                }
            }
            block.extend_from_slice(&length.to_be_bytes());
            block.extend_from_slice(bytes);
        }
        Self { block: block.into() }
    }
}

#[cfg(test)]
#[path = "tests/fields.rs"]
mod tests;
