//! Bytes in and out of the engine: views and buffers of scripts, copied.

use boa_engine::{
    Context, JsArgs as _, JsNativeError, JsResult, JsValue,
    object::builtins::{AlignedVec, JsArrayBuffer, JsTypedArray},
};

/// The bytes of the typed array at `index`.
///
/// # Errors
/// It is no typed array, or its buffer is detached.
pub(super) fn taken(arguments: &[JsValue], index: usize, context: &mut Context) -> JsResult<Vec<u8>> {
    let detached = || JsNativeError::typ().with_message("the buffer is detached");
    let view = arguments
        .get_or_undefined(index)
        .as_object()
        .ok_or_else(|| JsNativeError::typ().with_message("an instance of Buffer, TypedArray or DataView is needed"))?;
    let view = JsTypedArray::from_object(view)?;
    let (start, length) = (view.byte_offset(context)?, view.byte_length(context)?);
    let buffer = view.buffer(context)?.as_object().ok_or_else(detached)?;
    let buffer = JsArrayBuffer::from_object(buffer)?;
    let bytes = buffer.data().ok_or_else(detached)?;
    Ok(bytes.get(start..start + length).unwrap_or_default().to_vec())
}

/// The bytes as an `ArrayBuffer`.
///
/// # Errors
/// There is no room for it.
pub(super) fn given(bytes: &[u8], context: &mut Context) -> JsResult<JsValue> {
    Ok(JsArrayBuffer::from_byte_block(AlignedVec::from_slice(0, bytes), context)?.into())
}
