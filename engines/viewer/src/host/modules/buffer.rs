//! `Buffer`: bytes with text encodings, on top of `Uint8Array` (cloudfront-functions.md 6.3). Reading and writing of numbers is in
//! `buffer_numbers`.
//!
//! `Buffer` is a function and no constructor, so that `new Buffer()` is a TypeError; what it makes are `Uint8Array`s whose
//! prototype is `Buffer.prototype`.

use super::{
    buffer_numbers,
    bytes::{Encoding, View},
    define, type_error,
};
use boa_engine::{
    Context, JsError, JsNativeError, JsObject, JsResult, JsValue, NativeFunction, js_string,
    object::builtins::{JsArray, JsArrayBuffer},
    property::PropertyDescriptor,
};
use std::cmp::Ordering;

/// `Buffer.prototype`, kept beside the context.
#[derive(Debug)]
struct Prototype(JsObject);

/// A native method.
type Native = fn(&JsValue, &[JsValue], &mut Context) -> JsResult<JsValue>;

const STATICS: [(&str, usize, Native); 8] = [
    ("alloc", 1, alloc),
    ("allocUnsafe", 1, alloc_unsafe),
    ("byteLength", 1, byte_length),
    ("compare", 2, compare_static),
    ("concat", 1, concat),
    ("from", 1, from),
    ("isBuffer", 1, is_buffer),
    ("isEncoding", 1, is_encoding),
];

const METHODS: [(&str, usize, Native); 15] = [
    ("compare", 1, compare),
    ("copy", 1, copy),
    ("equals", 1, equals),
    ("fill", 1, fill),
    ("includes", 1, includes),
    ("indexOf", 1, index_of),
    ("lastIndexOf", 1, last_index_of),
    ("slice", 2, subarray),
    ("subarray", 2, subarray),
    ("swap16", 0, swap::<2>),
    ("swap32", 0, swap::<4>),
    ("swap64", 0, swap::<8>),
    ("toJSON", 0, to_json),
    ("toString", 0, to_string),
    ("write", 1, write),
];

/// Makes the global `Buffer`; the module `buffer` exports an object that holds it.
pub(super) fn install(context: &mut Context) -> JsResult<JsObject> {
    let parent = context.intrinsics().constructors().typed_uint8_array().prototype();
    let prototype = JsObject::with_object_proto(context.intrinsics());
    prototype.set_prototype(Some(parent));
    for (name, length, native) in METHODS {
        define::method(&prototype, name, length, native, context)?;
    }
    buffer_numbers::install(&prototype, context)?;
    let refuse = NativeFunction::from_fn_ptr(|_, _, _| {
        Err(type_error("Buffer is no function; use Buffer.from or Buffer.alloc"))
    });
    let buffer: JsObject = define::function(js_string!("Buffer"), 0, refuse, context).into();
    let fixed =
        PropertyDescriptor::builder().value(prototype.clone()).writable(false).enumerable(false).configurable(false);
    buffer.define_property_or_throw(js_string!("prototype"), fixed, context)?;
    define::hidden(&prototype, js_string!("constructor"), buffer.clone(), context)?;
    for (name, length, native) in STATICS {
        define::method(&buffer, name, length, native, context)?;
    }
    context.insert_data(Prototype(prototype));
    let global = context.global_object();
    define::hidden(&global, js_string!("Buffer"), buffer.clone(), context)?;
    let module = define::object(context);
    module.create_data_property_or_throw(js_string!("Buffer"), buffer, context)?;
    Ok(module)
}

/// A new Buffer with these bytes.
pub(super) fn make(bytes: &[u8], context: &mut Context) -> JsResult<JsObject> {
    let memory = JsArrayBuffer::new(bytes.len(), context)?;
    if let Some(mut data) = memory.data_mut() {
        data.copy_from_slice(bytes);
    }
    over(&memory, 0, bytes.len(), context)
}

/// A Buffer over a part of existing memory.
fn over(memory: &JsArrayBuffer, start: usize, length: usize, context: &mut Context) -> JsResult<JsObject> {
    let constructor = context.intrinsics().constructors().typed_uint8_array().constructor();
    let array = constructor.construct(&[memory.clone().into(), number(start), number(length)], None, context)?;
    let prototype = context.get_data::<Prototype>().map(|prototype| prototype.0.clone());
    array.set_prototype(prototype);
    Ok(array)
}

/// A length or a place as a value.
pub(super) fn number(number: usize) -> JsValue {
    #[allow(clippy::cast_precision_loss, reason = "lengths of buffers are far below 2^53")]
    JsValue::from(number as f64)
}

fn range_error(message: &'static str) -> JsError {
    JsNativeError::range().with_message(message).into()
}

/// The view of `this`.
pub(super) fn this_view(this: &JsValue, context: &mut Context) -> JsResult<View> {
    View::of(this, context)?.ok_or_else(|| type_error("this is not a Buffer"))
}

fn view_argument(arguments: &[JsValue], index: usize, context: &mut Context) -> JsResult<View> {
    let value = arguments.get(index).cloned().unwrap_or_default();
    View::of(&value, context)?.ok_or_else(|| type_error("the argument must be a Buffer or a typed array"))
}

/// An encoding argument; absent: UTF-8.
fn encoding(value: Option<&JsValue>) -> JsResult<Encoding> {
    let Some(value) = value.filter(|value| !value.is_undefined()) else { return Ok(Encoding::Utf8) };
    let Some(name) = value.as_string() else { return Err(type_error("the encoding must be a string")) };
    let name = name.to_std_string_lossy();
    Encoding::of(&name).ok_or_else(|| {
        let shown: String = name.chars().take(64).collect();
        type_error(format!("\"{shown}\" encoding is not supported"))
    })
}

/// An integer argument between `least` and `most`, `default` when it is absent; out of range it is cut to the range.
fn clamped(value: Option<&JsValue>, default: usize, most: usize, context: &mut Context) -> JsResult<usize> {
    let Some(value) = value.filter(|value| !value.is_undefined()) else { return Ok(default.min(most)) };
    Ok(cut(value.to_number(context)?, most))
}

fn cut(number: f64, most: usize) -> usize {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates; NaN becomes 0")]
    let number = number.trunc() as usize;
    number.min(most)
}

/// An integer argument that counts from the end when it is negative.
fn relative(value: Option<&JsValue>, default: usize, length: usize, context: &mut Context) -> JsResult<usize> {
    let Some(value) = value.filter(|value| !value.is_undefined()) else { return Ok(default.min(length)) };
    let number = value.to_number(context)?;
    #[allow(clippy::cast_precision_loss, reason = "lengths of buffers are far below 2^53")]
    let from_end = length as f64 + number.trunc();
    Ok(if number < 0.0 { cut(from_end.max(0.0), length) } else { cut(number, length) })
}

fn size(value: Option<&JsValue>) -> JsResult<usize> {
    let Some(size) = value.and_then(JsValue::as_number) else { return Err(type_error("size must be a number")) };
    if !(0.0..=4_294_967_295.0).contains(&size) {
        return Err(range_error("invalid size"));
    }
    Ok(cut(size, usize::MAX))
}

fn alloc(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let length = size(arguments.first())?;
    let memory = JsArrayBuffer::new(length, context)?;
    let buffer = over(&memory, 0, length, context)?;
    if let Some(value) = arguments.get(1).filter(|value| !value.is_undefined()) {
        let pattern = pattern(value, arguments.get(2), context)?;
        this_view(&buffer.clone().into(), context)?.write(|bytes| repeat(&pattern, bytes))?;
    }
    Ok(buffer.into())
}

fn alloc_unsafe(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let length = size(arguments.first())?;
    let memory = JsArrayBuffer::new(length, context)?;
    over(&memory, 0, length, context).map(Into::into)
}

/// What `fill`, `indexOf` and their like look at: text, bytes, or one byte.
fn pattern(value: &JsValue, encoding: Option<&JsValue>, context: &mut Context) -> JsResult<Vec<u8>> {
    if let Some(text) = value.as_string() {
        return Ok(self::encoding(encoding)?.decode(&text));
    }
    if let Some(view) = View::of(value, context)? {
        return view.read(<[u8]>::to_vec);
    }
    Ok(vec![value.to_uint8(context)?])
}

fn repeat(pattern: &[u8], bytes: &mut [u8]) {
    if !pattern.is_empty() {
        for (byte, from) in bytes.iter_mut().zip(pattern.iter().cycle()) {
            *byte = *from;
        }
    }
}

fn byte_length(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let value = arguments.first().cloned().unwrap_or_default();
    if let Some(text) = value.as_string() {
        return Ok(number(encoding(arguments.get(1))?.decode(&text).len()));
    }
    match View::of(&value, context)? {
        Some(view) => Ok(number(view.length())),
        None => Err(type_error("the argument must be a string, a Buffer or an ArrayBuffer")),
    }
}

fn ordering(ordering: Ordering) -> JsValue {
    JsValue::from(ordering as i8)
}

fn compare_static(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let left = view_argument(arguments, 0, context)?.read(<[u8]>::to_vec)?;
    let right = view_argument(arguments, 1, context)?.read(<[u8]>::to_vec)?;
    Ok(ordering(left.cmp(&right)))
}

fn concat(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let list = arguments.first().and_then(JsValue::as_object).map(JsArray::from_object);
    let Some(Ok(list)) = list else { return Err(type_error("list must be an array of Buffers")) };
    let mut joined = Vec::new();
    for index in 0..list.length(context)? {
        let item = list.get(index, context)?;
        let Some(view) = View::of(&item, context)? else { return Err(type_error("list must hold only Buffers")) };
        view.read(|bytes| joined.extend_from_slice(bytes))?;
    }
    if arguments.get(1).is_some_and(|value| !value.is_undefined()) {
        let total = size(arguments.get(1))?;
        joined.truncate(total);
        let memory = JsArrayBuffer::new(total, context)?;
        if let Some(mut data) = memory.data_mut() {
            data[..joined.len()].copy_from_slice(&joined);
        }
        return over(&memory, 0, total, context).map(Into::into);
    }
    make(&joined, context).map(Into::into)
}

fn from(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let value = arguments.first().cloned().unwrap_or_default();
    if let Some(text) = value.as_string() {
        let bytes = encoding(arguments.get(1))?.decode(&text);
        return make(&bytes, context).map(Into::into);
    }
    let refused = || type_error("the first argument must be a string, an array, an ArrayBuffer, a Buffer or an object");
    let Some(object) = value.as_object() else { return Err(refused()) };
    if let Ok(memory) = JsArrayBuffer::from_object(object.clone()) {
        return from_memory(&memory, arguments, context);
    }
    // An object of another kind may stand for something else.
    if View::of(&value, context)?.is_none() {
        let inner = object.get(js_string!("valueOf"), context)?;
        if let Some(function) = inner.as_callable() {
            let inner = function.call(&value, &[], context)?;
            if inner.is_string() || inner.as_object().is_some_and(|inner| !JsObject::equals(&inner, &object)) {
                let mut arguments = arguments.to_vec();
                arguments[0] = inner;
                return from(&JsValue::undefined(), &arguments, context);
            }
        }
    }
    let kind = object.get(js_string!("type"), context)?;
    let data = object.get(js_string!("data"), context)?;
    let list = match data.as_object() {
        Some(data) if kind.as_string().is_some_and(|kind| kind == js_string!("Buffer")) => data,
        _ => object,
    };
    let length = list.get(js_string!("length"), context)?;
    if length.is_undefined() {
        return Err(refused());
    }
    let length = length.to_length(context)?;
    let mut bytes = Vec::new();
    for index in 0..length {
        bytes.push(list.get(index, context)?.to_uint8(context)?);
    }
    make(&bytes, context).map(Into::into)
}

/// A Buffer that shares the memory of an array buffer.
fn from_memory(memory: &JsArrayBuffer, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let start = arguments.get(1).cloned().unwrap_or_default().to_index(context)?;
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let length = memory.byte_length();
    let rest = length.checked_sub(start).ok_or_else(|| range_error("the offset is outside the buffer"))?;
    let length = match arguments.get(2).filter(|value| !value.is_undefined()) {
        None => rest,
        Some(value) => usize::try_from(value.to_index(context)?).unwrap_or(usize::MAX),
    };
    if length > rest {
        return Err(range_error("the length is outside the buffer"));
    }
    over(memory, start, length, context).map(Into::into)
}

fn is_buffer(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let value = arguments.first().cloned().unwrap_or_default();
    if View::of(&value, context)?.is_none() {
        return Ok(false.into());
    }
    let Some(prototype) = context.get_data::<Prototype>().map(|prototype| prototype.0.clone()) else {
        return Ok(false.into());
    };
    let parent = value.as_object().and_then(|object| object.prototype());
    Ok(parent.is_some_and(|parent| JsObject::equals(&parent, &prototype)).into())
}

fn is_encoding(_: &JsValue, arguments: &[JsValue], _: &mut Context) -> JsResult<JsValue> {
    let name = arguments.first().and_then(JsValue::as_string);
    Ok(name.is_some_and(|name| Encoding::of(&name.to_std_string_lossy()).is_some()).into())
}

fn compare(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let other = view_argument(arguments, 0, context)?.read(<[u8]>::to_vec)?;
    let own = this_view(this, context)?.read(<[u8]>::to_vec)?;
    let other_start = clamped(arguments.get(1), 0, other.len(), context)?;
    let other_end = clamped(arguments.get(2), other.len(), other.len(), context)?;
    let own_start = clamped(arguments.get(3), 0, own.len(), context)?;
    let own_end = clamped(arguments.get(4), own.len(), own.len(), context)?;
    let other = other.get(other_start..other_end).unwrap_or_default();
    let own = own.get(own_start..own_end).unwrap_or_default();
    Ok(ordering(own.cmp(other)))
}

fn copy(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let length = this_view(this, context)?.length();
    let at = clamped(arguments.get(1), 0, usize::MAX, context)?;
    let start = clamped(arguments.get(2), 0, length, context)?;
    let end = clamped(arguments.get(3), length, length, context)?;
    let source = this_view(this, context)?.read(|bytes| bytes.get(start..end).unwrap_or_default().to_vec())?;
    let copied = view_argument(arguments, 0, context)?.write(|target| {
        let room = target.get_mut(at..).unwrap_or_default();
        let count = room.len().min(source.len());
        room[..count].copy_from_slice(&source[..count]);
        count
    })?;
    Ok(number(copied))
}

fn equals(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let other = view_argument(arguments, 0, context)?.read(<[u8]>::to_vec)?;
    this_view(this, context)?.read(|own| own == other).map(Into::into)
}

fn fill(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let value = arguments.first().cloned().unwrap_or_default();
    // The encoding may stand in any place behind the value.
    let (places, encoding) = match arguments[1.min(arguments.len())..].iter().position(JsValue::is_string) {
        None => (arguments.len(), None),
        Some(at) => (at + 1, arguments.get(at + 1)),
    };
    let pattern = pattern(&value, encoding, context)?;
    let length = this_view(this, context)?.length();
    let place = |index: usize| arguments.get(index).filter(|_| index < places);
    let start = clamped(place(1), 0, length, context)?;
    let end = clamped(place(2), length, length, context)?;
    this_view(this, context)?.write(|bytes| {
        if let Some(part) = bytes.get_mut(start..end) {
            repeat(&pattern, part);
        }
    })?;
    Ok(this.clone())
}

fn includes(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    Ok(found(this, arguments, false, context)?.is_some().into())
}

fn index_of(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    Ok(found(this, arguments, false, context)?.map_or(JsValue::from(-1), number))
}

fn last_index_of(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    Ok(found(this, arguments, true, context)?.map_or(JsValue::from(-1), number))
}

/// Where the first or the last occurrence begins.
fn found(this: &JsValue, arguments: &[JsValue], last: bool, context: &mut Context) -> JsResult<Option<usize>> {
    let value = arguments.first().cloned().unwrap_or_default();
    let named = arguments.get(1).filter(|value| value.is_string());
    let pattern = pattern(&value, named.or(arguments.get(2)), context)?;
    let length = this_view(this, context)?.length();
    let from = arguments.get(1).filter(|_| named.is_none());
    let from = relative(from, if last { length } else { 0 }, length, context)?;
    this_view(this, context)?.read(|bytes| {
        let matches = |&at: &usize| bytes.get(at..).is_some_and(|rest| rest.starts_with(&pattern));
        if pattern.is_empty() {
            return Some(from);
        }
        let most = bytes.len().checked_sub(pattern.len())?;
        if last { (0..=from.min(most)).rev().find(matches) } else { (from..=most).find(matches) }
    })
}

fn subarray(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let length = this_view(this, context)?.length();
    let start = relative(arguments.first(), 0, length, context)?;
    let end = relative(arguments.get(1), length, length, context)?;
    let view = this_view(this, context)?;
    over(&view.buffer(), view.start() + start, end.saturating_sub(start), context).map(Into::into)
}

fn swap<const N: usize>(this: &JsValue, _: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let view = this_view(this, context)?;
    if !view.length().is_multiple_of(N) {
        return Err(range_error("the length must be a multiple of the size to swap"));
    }
    view.write(|bytes| bytes.chunks_exact_mut(N).for_each(<[u8]>::reverse))?;
    Ok(this.clone())
}

fn to_json(this: &JsValue, _: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let bytes = this_view(this, context)?.read(<[u8]>::to_vec)?;
    let list = JsArray::from_iter(bytes.into_iter().map(JsValue::from), context);
    let object = define::object(context);
    object.create_data_property_or_throw(js_string!("type"), js_string!("Buffer"), context)?;
    object.create_data_property_or_throw(js_string!("data"), list, context)?;
    Ok(object.into())
}

fn to_string(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let encoding = encoding(arguments.first())?;
    let length = this_view(this, context)?.length();
    let start = clamped(arguments.get(1), 0, length, context)?;
    let end = clamped(arguments.get(2), length, length, context)?;
    let text = this_view(this, context)?.read(|bytes| encoding.encode(bytes.get(start..end).unwrap_or_default()))?;
    Ok(JsValue::from(text))
}

fn write(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let Some(text) = arguments.first().and_then(JsValue::as_string) else {
        return Err(type_error("the first argument must be a string"));
    };
    let named = arguments[1..].iter().position(JsValue::is_string).map_or(arguments.len(), |at| at + 1);
    let bytes = encoding(arguments.get(named))?.decode(&text);
    let length = this_view(this, context)?.length();
    let place = |index: usize| arguments.get(index).filter(|_| index < named);
    let start = clamped(place(1), 0, length, context)?;
    let most = clamped(place(2), length - start, length - start, context)?;
    let mut count = bytes.len().min(most);
    if count < bytes.len() && encoding(arguments.get(named))? == Encoding::Utf8 {
        // No half of a character is written.
        while count > 0 && bytes[count] & 0xc0 == 0x80 {
            count -= 1;
        }
    }
    this_view(this, context)?.write(|target| {
        if let Some(part) = target.get_mut(start..start + count) {
            part.copy_from_slice(&bytes[..count]);
        }
    })?;
    Ok(number(count))
}
