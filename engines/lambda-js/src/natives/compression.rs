//! Packing and unpacking, for `zlib`. What is unpacked has a limit, since a few bytes can become gigabytes.

use super::{bytes, string};
use boa_engine::{Context, JsArgs as _, JsNativeError, JsResult, JsValue, js_string};
use flate2::{
    Compression,
    read::{DeflateDecoder, DeflateEncoder, GzEncoder, MultiGzDecoder, ZlibDecoder, ZlibEncoder},
};
use std::io::{self, Read};

/// Working memory of the Brotli codec, in bytes.
const BROTLI_BUFFER: usize = 4096;

fn failed(code: &str, message: &str, context: &mut Context) -> boa_engine::JsError {
    let error = JsNativeError::error().with_message(message.to_owned()).into_opaque(context);
    let code = boa_engine::JsString::from(code);
    // A fresh error object takes any property.
    let _ = error.set(js_string!("code"), code, false, context);
    boa_engine::JsError::from_opaque(error.into())
}

fn all(mut from: impl Read) -> io::Result<Vec<u8>> {
    let mut output = Vec::new();
    from.read_to_end(&mut output)?;
    Ok(output)
}

/// `pack(form, level, view)`: an `ArrayBuffer`.
pub(super) fn pack(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let form = string(arguments, 0, context)?;
    let level = arguments.get_or_undefined(1).to_i32(context)?;
    let input = bytes::taken(arguments, 2, context)?;
    let wanted = u32::try_from(level).unwrap_or(6);
    let strength = Compression::new(wanted.min(9));
    let packed = match form.as_str() {
        "gzip" => all(GzEncoder::new(&*input, strength)),
        "deflate" => all(ZlibEncoder::new(&*input, strength)),
        "raw" => all(DeflateEncoder::new(&*input, strength)),
        _ => all(brotli::CompressorReader::new(&*input, BROTLI_BUFFER, wanted.min(11), 22)),
    };
    match packed {
        Ok(packed) => bytes::given(&packed, context),
        Err(error) => Err(failed("Z_STREAM_ERROR", &error.to_string(), context)),
    }
}

/// `unpack(form, limit, view)`: an `ArrayBuffer`.
pub(super) fn unpack(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let form = string(arguments, 0, context)?;
    let limit = arguments.get_or_undefined(1).to_index(context)?;
    let input = bytes::taken(arguments, 2, context)?;
    let form = match form.as_str() {
        "any" if input.starts_with(&[0x1f, 0x8b]) => "gzip",
        "any" => "deflate",
        form => form,
    };
    if form == "gzip" && !input.starts_with(&[0x1f, 0x8b]) {
        return Err(failed("Z_DATA_ERROR", "incorrect header check or data", context));
    }
    // One byte beyond the limit tells that it was passed.
    let most = limit.saturating_add(1);
    let unpacked = match form {
        "gzip" => all(MultiGzDecoder::new(&*input).take(most)),
        "deflate" => all(ZlibDecoder::new(&*input).take(most)),
        "raw" => all(DeflateDecoder::new(&*input).take(most)),
        _ => all(brotli::Decompressor::new(&*input, BROTLI_BUFFER).take(most)),
    };
    match unpacked {
        Ok(unpacked) if unpacked.len() as u64 > limit => {
            Err(failed("ERR_BUFFER_TOO_LARGE", &format!("Cannot create a Buffer larger than {limit} bytes"), context))
        }
        Ok(unpacked) => bytes::given(&unpacked, context),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(failed("Z_BUF_ERROR", "unexpected end of file", context))
        }
        Err(_) if form == "brotli" => Err(failed("ERR__ERROR_FORMAT", "Decompression failed", context)),
        Err(_) => Err(failed("Z_DATA_ERROR", "incorrect header check or data", context)),
    }
}
