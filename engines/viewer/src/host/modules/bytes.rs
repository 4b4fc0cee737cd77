//! Bytes between JavaScript and Rust: views of typed arrays, text encodings, byte strings.

use super::type_error;
use boa_engine::{
    Context, JsResult, JsStr, JsString, JsValue,
    object::builtins::{JsArrayBuffer, JsTypedArray},
    string::JsStrVariant,
};
use std::collections::VecDeque;

/// The encodings that this runtime knows (cloudfront-functions.md 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Hex,
    Base64,
    Base64Url,
}

impl Encoding {
    /// The encoding of a name, in any case of letters.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "utf8" | "utf-8" => Self::Utf8,
            "hex" => Self::Hex,
            "base64" => Self::Base64,
            "base64url" => Self::Base64Url,
            _ => return None,
        })
    }

    /// The bytes that `text` stands for. Decoders stop at the first character outside their alphabet.
    pub(super) fn decode(self, text: &JsString) -> Vec<u8> {
        match self {
            Self::Utf8 => utf8(text),
            Self::Hex => decode_hex(text),
            Self::Base64 => decode_base64(text, b'+', b'/'),
            Self::Base64Url => decode_base64(text, b'-', b'_'),
        }
    }

    /// The text of `bytes`.
    pub(super) fn encode(self, bytes: &[u8]) -> JsString {
        match self {
            Self::Utf8 => JsString::from(String::from_utf8_lossy(bytes).as_ref()),
            Self::Hex => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let digits =
                    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
                latin1(&digits.collect::<Vec<u8>>())
            }
            Self::Base64 => encode_base64(bytes, *b"+/", true),
            Self::Base64Url => encode_base64(bytes, *b"-_", false),
        }
    }
}

/// UTF-8 of a string; what is no character becomes U+FFFD.
pub(super) fn utf8(text: &JsString) -> Vec<u8> {
    match text.as_str().variant() {
        JsStrVariant::Latin1(bytes) if bytes.is_ascii() => bytes.to_vec(),
        _ => text.to_std_string_lossy().into_bytes(),
    }
}

/// A string with one character per byte.
pub(super) fn latin1(bytes: &[u8]) -> JsString {
    JsString::from(JsStr::latin1(bytes))
}

/// The bytes of a byte string; `None` when a character has none.
pub(super) fn byte_string(text: &JsString) -> Option<Vec<u8>> {
    match text.as_str().variant() {
        JsStrVariant::Latin1(bytes) => Some(bytes.to_vec()),
        JsStrVariant::Utf16(units) => units.iter().map(|&unit| u8::try_from(unit).ok()).collect(),
    }
}

fn units(text: &JsString) -> impl Iterator<Item = u8> {
    // What is beyond ASCII is in no alphabet; 0xff stands for it.
    text.iter().map(|unit| u8::try_from(unit).unwrap_or(0xff))
}

fn decode_hex(text: &JsString) -> Vec<u8> {
    let digits: Vec<u8> = units(text)
        .map_while(|unit| char::from(unit).to_digit(16))
        .filter_map(|digit| u8::try_from(digit).ok())
        .collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn decode_base64(text: &JsString, plus: u8, slash: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0_u32, 0);
    for unit in units(text) {
        let digit = match unit {
            b'A'..=b'Z' => unit - b'A',
            b'a'..=b'z' => unit - b'a' + 26,
            b'0'..=b'9' => unit - b'0' + 52,
            _ if unit == plus => 62,
            _ if unit == slash => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    bytes
}

fn encode_base64(bytes: &[u8], last: [u8; 2], padded: bool) -> JsString {
    const DIGITS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let digit = |bits: u32| {
        let index = (bits & 63) as usize;
        DIGITS.get(index).copied().unwrap_or_else(|| last[index - 62])
    };
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            if place <= chunk.len() {
                text.push(digit(bits >> (18 - 6 * place)));
            } else if padded {
                text.push(b'=');
            }
        }
    }
    latin1(&text)
}

/// A part of an array buffer: the memory of a typed array.
pub(super) struct View {
    buffer: JsArrayBuffer,
    start: usize,
    length: usize,
}

impl View {
    /// The view of a typed array or an array buffer; `None` for anything else.
    pub(super) fn of(value: &JsValue, context: &mut Context) -> JsResult<Option<Self>> {
        let Some(object) = value.as_object() else { return Ok(None) };
        if let Ok(buffer) = JsArrayBuffer::from_object(object.clone()) {
            let length = buffer.byte_length();
            return Ok(Some(Self { buffer, start: 0, length }));
        }
        let Ok(array) = JsTypedArray::from_object(object) else { return Ok(None) };
        let Some(buffer) = array.buffer(context)?.as_object() else { return Ok(None) };
        let buffer = JsArrayBuffer::from_object(buffer)?;
        Ok(Some(Self { buffer, start: array.byte_offset(context)?, length: array.byte_length(context)? }))
    }

    pub(super) fn length(&self) -> usize {
        self.length
    }

    pub(super) fn buffer(&self) -> JsArrayBuffer {
        self.buffer.clone()
    }

    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// Looks at the bytes.
    ///
    /// # Errors
    /// The buffer was taken away or has shrunk.
    pub(super) fn read<T>(&self, look: impl FnOnce(&[u8]) -> T) -> JsResult<T> {
        let data = self.buffer.data();
        let bytes = data.as_deref().and_then(|bytes| bytes.get(self.start..)?.get(..self.length));
        bytes.map(look).ok_or_else(|| type_error("the buffer's memory is gone"))
    }

    /// Changes the bytes.
    ///
    /// # Errors
    /// As [`View::read`].
    pub(super) fn write<T>(&self, change: impl FnOnce(&mut [u8]) -> T) -> JsResult<T> {
        let mut data = self.buffer.data_mut();
        let bytes = data.as_deref_mut().and_then(|bytes| bytes.get_mut(self.start..)?.get_mut(..self.length));
        bytes.map(change).ok_or_else(|| type_error("the buffer's memory is gone"))
    }
}

/// Byte strings that were made lately under runtime 1.0, kept beside the context. There a string knows whether it is bytes or text;
/// here both are strings of the same characters, and only where one came from tells what `createHmac` is to make of it.
#[derive(Default)]
struct Made(VecDeque<JsString>);

/// How many of them are remembered.
const MADE: usize = 64;

/// From now on [`made`] remembers.
pub(super) fn remember_made(context: &mut Context) {
    context.insert_data(Made::default());
}

/// A byte string with these bytes.
pub(super) fn made(bytes: &[u8], context: &mut Context) -> JsString {
    let text = latin1(bytes);
    // For ASCII there is no difference.
    if let Some(mut made) = context.remove_data::<Made>() {
        if !bytes.is_ascii() {
            made.0.truncate(MADE - 1);
            made.0.push_front(text.clone());
        }
        context.insert_data(*made);
    }
    text
}

/// The bytes of a string (those of a byte string as they are, UTF-8 of any other), a typed array or an array buffer.
///
/// # Errors
/// `what` is anything else.
pub(super) fn data(value: &JsValue, what: &str, context: &mut Context) -> JsResult<Vec<u8>> {
    if let Some(text) = value.as_string() {
        let made = context.get_data::<Made>().is_some_and(|made| made.0.contains(&text));
        return Ok(byte_string(&text).filter(|_| made).unwrap_or_else(|| utf8(&text)));
    }
    match View::of(value, context)? {
        Some(view) => view.read(<[u8]>::to_vec),
        None => Err(type_error(format!("{what} must be a string, a Buffer or a typed array"))),
    }
}
