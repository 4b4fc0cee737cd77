//! Reading and writing of numbers in a `Buffer`: `readUInt16BE`, `writeDoubleLE` and their like (cloudfront-functions.md 6.3).

use super::{
    buffer::{number, this_view},
    define, type_error,
};
use boa_engine::{Context, JsError, JsNativeError, JsObject, JsResult, JsValue, NativeFunction};

/// A kind of number.
#[derive(Clone, Copy)]
enum Kind {
    Signed,
    Unsigned,
    Float,
}

/// How a number lies in memory.
#[derive(Clone, Copy)]
struct Layout {
    kind: Kind,
    /// Bytes; `None`: the argument `byteLength`, 1 to 6.
    bytes: Option<usize>,
    little: bool,
}

/// Defines all of them.
pub(super) fn install(prototype: &JsObject, context: &mut Context) -> JsResult<()> {
    let kinds = [
        ("Int8", Kind::Signed, Some(1)),
        ("Int16", Kind::Signed, Some(2)),
        ("Int32", Kind::Signed, Some(4)),
        ("Int", Kind::Signed, None),
        ("UInt8", Kind::Unsigned, Some(1)),
        ("UInt16", Kind::Unsigned, Some(2)),
        ("UInt32", Kind::Unsigned, Some(4)),
        ("UInt", Kind::Unsigned, None),
        ("Float", Kind::Float, Some(4)),
        ("Double", Kind::Float, Some(8)),
    ];
    for (name, kind, bytes) in kinds {
        let orders: &[(&str, bool)] = if bytes == Some(1) { &[("", true)] } else { &[("LE", true), ("BE", false)] };
        for &(order, little) in orders {
            let layout = Layout { kind, bytes, little };
            let read = NativeFunction::from_copy_closure(move |this, arguments, context| {
                read(layout, this, arguments, context)
            });
            define::closure(prototype, &format!("read{name}{order}"), 1, read, context)?;
            let write = NativeFunction::from_copy_closure(move |this, arguments, context| {
                write(layout, this, arguments, context)
            });
            define::closure(prototype, &format!("write{name}{order}"), 2, write, context)?;
        }
    }
    Ok(())
}

fn outside() -> JsError {
    JsNativeError::range().with_message("index is outside the bounds of the buffer").into()
}

/// A place in the buffer; absent: 0.
fn offset(value: Option<&JsValue>, context: &mut Context) -> JsResult<usize> {
    let Some(value) = value.filter(|value| !value.is_undefined()) else { return Ok(0) };
    let Some(number) = value.as_number() else { return Err(type_error("the offset must be a number")) };
    if number.fract() != 0.0 || number < 0.0 {
        return Err(outside());
    }
    usize::try_from(value.to_index(context)?).map_err(|_| outside())
}

fn size(layout: Layout, value: Option<&JsValue>, context: &mut Context) -> JsResult<usize> {
    match layout.bytes {
        Some(bytes) => Ok(bytes),
        None => match offset(value, context)? {
            bytes @ 1..=6 => Ok(bytes),
            _ => Err(JsNativeError::range().with_message("byteLength must be 1 to 6").into()),
        },
    }
}

fn read(layout: Layout, this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let at = offset(arguments.first(), context)?;
    let size = size(layout, arguments.get(1), context)?;
    let mut bytes = this_view(this, context)?
        .read(|bytes| bytes.get(at..).and_then(|rest| rest.get(..size)).map(<[u8]>::to_vec))?
        .ok_or_else(outside)?;
    if layout.little {
        bytes.reverse();
    }
    let bits = bytes.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    Ok(match layout.kind {
        #[allow(clippy::cast_precision_loss, reason = "at most 48 bits")]
        Kind::Unsigned => JsValue::from(bits as f64),
        Kind::Signed => {
            let spare = 64 - 8 * size;
            #[allow(
                clippy::cast_possible_wrap,
                clippy::cast_precision_loss,
                reason = "the sign is what is wanted; at most 48 bits"
            )]
            JsValue::from(((bits << spare) as i64 >> spare) as f64)
        }
        #[allow(clippy::cast_possible_truncation, reason = "four bytes were read")]
        Kind::Float if size == 4 => JsValue::from(f64::from(f32::from_bits(bits as u32))),
        Kind::Float => JsValue::from(f64::from_bits(bits)),
    })
}

fn write(layout: Layout, this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let value = arguments.first().cloned().unwrap_or_default().to_number(context)?;
    let at = offset(arguments.get(1), context)?;
    let size = size(layout, arguments.get(2), context)?;
    let bits = match layout.kind {
        #[allow(clippy::cast_possible_truncation, reason = "that is what a float is")]
        Kind::Float if size == 4 => u64::from((value as f32).to_bits()),
        Kind::Float => value.to_bits(),
        Kind::Signed | Kind::Unsigned => integer(layout.kind, value, size)?,
    };
    let mut bytes = bits.to_be_bytes()[8 - size..].to_vec();
    if layout.little {
        bytes.reverse();
    }
    let written = this_view(this, context)?.write(|target| {
        let place = target.get_mut(at..).and_then(|rest| rest.get_mut(..size));
        place.map(|place| place.copy_from_slice(&bytes)).is_some()
    })?;
    if written { Ok(number(at + size)) } else { Err(outside()) }
}

/// The low bytes of a number that has to fit.
fn integer(kind: Kind, value: f64, size: usize) -> JsResult<u64> {
    let value = if value.is_nan() { 0.0 } else { value.trunc() };
    let span = 2_f64.powi(i32::try_from(8 * size).unwrap_or(64));
    let (least, past) = if matches!(kind, Kind::Signed) { (-span / 2.0, span / 2.0) } else { (0.0, span) };
    if value < least || value >= past {
        return Err(JsNativeError::range().with_message("the value does not fit").into());
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "in range, and two's complement is wanted"
    )]
    Ok(value as i64 as u64)
}
