//! The compact form of values: fixed-width little-endian numbers, length-prefixed text and lists, one tag byte per variant.

use edgehook_contract::{Header, HookPoint, RequestMessage, ResponseMessage};

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end within a value.
    #[error("the frame ends too early")]
    Short,
    /// Bytes are left after the message.
    #[error("the frame holds more than its message")]
    Surplus,
    /// The frame is longer than any message may be.
    #[error("the frame is too long")]
    TooLong,
    /// A tag that no variant has.
    #[error("unknown tag {0}")]
    Tag(u8),
    /// Text that is not UTF-8.
    #[error("text is not UTF-8")]
    Text,
}

/// A value with a wire form.
pub trait Wire: Sized {
    /// Appends the value.
    fn put(&self, out: &mut Vec<u8>);

    /// Takes the value from the front of `bytes`.
    ///
    /// # Errors
    /// The bytes are not such a value.
    fn take(bytes: &mut &[u8]) -> Result<Self, DecodeError>;
}

fn take_slice<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], DecodeError> {
    let (head, rest) = bytes.split_at_checked(length).ok_or(DecodeError::Short)?;
    *bytes = rest;
    Ok(head)
}

pub(crate) fn put_length(length: usize, out: &mut Vec<u8>) {
    u32::try_from(length).unwrap_or(u32::MAX).put(out);
}

macro_rules! number {
    ($($kind:ty),*) => {$(
        impl Wire for $kind {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn take(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
                let (head, rest) = bytes.split_first_chunk().ok_or(DecodeError::Short)?;
                *bytes = rest;
                Ok(Self::from_le_bytes(*head))
            }
        }
    )*};
}
number!(u8, u16, u32, u64, f64);

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn take(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        match u8::take(bytes)? {
            0 => Ok(false),
            1 => Ok(true),
            tag => Err(DecodeError::Tag(tag)),
        }
    }
}

impl Wire for String {
    fn put(&self, out: &mut Vec<u8>) {
        put_length(self.len(), out);
        out.extend_from_slice(self.as_bytes());
    }
    fn take(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        take_text(bytes).map(str::to_owned)
    }
}

/// A [`String`], left where it lies.
pub(crate) fn take_text<'a>(bytes: &mut &'a [u8]) -> Result<&'a str, DecodeError> {
    std::str::from_utf8(take_blob(bytes)?).map_err(|_| DecodeError::Text)
}

/// A [`Blob`], left where it lies.
pub(crate) fn take_blob<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let length = u32::take(bytes)? as usize;
    take_slice(bytes, length)
}

/// Raw bytes; a type of its own so that they are copied whole and not one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

impl Wire for Blob {
    fn put(&self, out: &mut Vec<u8>) {
        put_length(self.0.len(), out);
        out.extend_from_slice(&self.0);
    }
    fn take(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        take_blob(bytes).map(|blob| Self(blob.to_vec()))
    }
}

impl<const N: usize> Wire for [u8; N] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
    fn take(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        let (head, rest) = bytes.split_first_chunk().ok_or(DecodeError::Short)?;
        *bytes = rest;
        Ok(*head)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                value.put(out);
            }
        }
    }
    fn take(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        bool::take(bytes)?.then(|| T::take(bytes)).transpose()
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_length(self.len(), out);
        for value in self {
            value.put(out);
        }
    }
    fn take(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        let length = u32::take(bytes)? as usize;
        // No member takes less than a byte, so a list cannot claim more members than bytes are left.
        if length > bytes.len() {
            return Err(DecodeError::Short);
        }
        (0..length).map(|_| T::take(bytes)).collect()
    }
}

impl<T: Wire> Wire for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }
    fn take(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        T::take(bytes).map(Self::new)
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn take(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        Ok((A::take(bytes)?, B::take(bytes)?))
    }
}

/// The wire form of a struct: its fields, in the order named.
macro_rules! wire_struct {
    ($name:path { $($field:ident),* $(,)? }) => {
        impl $crate::wire::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $($crate::wire::Wire::put(&self.$field, out);)*
            }
            fn take(bytes: &mut &[u8]) -> Result<Self, $crate::wire::DecodeError> {
                Ok(Self { $($field: $crate::wire::Wire::take(bytes)?),* })
            }
        }
    };
}

/// The wire form of an enum: a tag, then the fields of the variant.
macro_rules! wire_enum {
    ($name:path { $($tag:literal => $variant:ident $( { $($field:ident),* $(,)? } )? $( ( $inner:ident ) )?),* $(,)? }) => {
        impl $crate::wire::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $( { $($field),* } )? $( ( $inner ) )? => {
                        out.push($tag);
                        $($($crate::wire::Wire::put($field, out);)*)?
                        $($crate::wire::Wire::put($inner, out);)?
                    })*
                }
            }
            fn take(bytes: &mut &[u8]) -> Result<Self, $crate::wire::DecodeError> {
                match <u8 as $crate::wire::Wire>::take(bytes)? {
                    $($tag => Ok(Self::$variant
                        $( { $($field: $crate::wire::Wire::take(bytes)?),* } )?
                        $( ( { let $inner = $crate::wire::Wire::take(bytes)?; $inner } ) )?
                    ),)*
                    tag => Err($crate::wire::DecodeError::Tag(tag)),
                }
            }
        }
    };
}

pub(crate) use {wire_enum, wire_struct};

impl Wire for Header {
    fn put(&self, out: &mut Vec<u8>) {
        self.name.put(out);
        put_length(self.value.len(), out);
        out.extend_from_slice(&self.value);
    }
    fn take(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        Ok(Self { name: String::take(bytes)?, value: Blob::take(bytes)?.0 })
    }
}

wire_struct!(RequestMessage { method, uri, query, headers });
wire_struct!(ResponseMessage { status, reason, headers });
wire_enum!(HookPoint { 0 => ViewerRequest, 1 => OriginRequest, 2 => OriginResponse, 3 => ViewerResponse });
