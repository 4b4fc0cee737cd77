//! `TextEncoder`, `TextDecoder`, `atob` and `btoa`, which only runtime 2.0 has (cloudfront-functions.md 6 and 7.1).

use super::{
    buffer::number,
    bytes::{self, Encoding, View},
    define, type_error,
};
use boa_engine::{
    Context, Finalize, JsData, JsNativeError, JsObject, JsResult, JsString, JsValue, NativeFunction, Trace,
    class::{Class, ClassBuilder},
    js_string,
    object::{FunctionObjectBuilder, builtins::JsUint8Array},
    property::Attribute,
};

/// Makes the globals.
pub(super) fn install(context: &mut Context) -> JsResult<()> {
    context.register_global_class::<Encoder>()?;
    context.register_global_class::<Decoder>()?;
    let global = context.global_object();
    define::method(&global, "atob", 1, atob, context)?;
    define::method(&global, "btoa", 1, btoa, context)
}

fn accessor(
    class: &mut ClassBuilder<'_>,
    name: &str,
    native: fn(&JsValue, &[JsValue], &mut Context) -> JsResult<JsValue>,
) {
    let function = NativeFunction::from_fn_ptr(native);
    let getter = FunctionObjectBuilder::new(class.context().realm(), function).name(JsString::from(name)).build();
    class.accessor(JsString::from(name), Some(getter), None, Attribute::CONFIGURABLE);
}

fn encoding_name(_: &JsValue, _: &[JsValue], _: &mut Context) -> JsResult<JsValue> {
    Ok(js_string!("utf-8").into())
}

/// `TextEncoder`.
#[derive(Debug, Trace, Finalize, JsData)]
struct Encoder;

impl Class for Encoder {
    const NAME: &'static str = "TextEncoder";
    const ATTRIBUTES: Attribute = Attribute::WRITABLE.union(Attribute::CONFIGURABLE);

    fn init(class: &mut ClassBuilder<'_>) -> JsResult<()> {
        accessor(class, "encoding", encoding_name);
        class.method(js_string!("encode"), 1, NativeFunction::from_fn_ptr(encode));
        class.method(js_string!("encodeInto"), 2, NativeFunction::from_fn_ptr(encode_into));
        Ok(())
    }

    fn data_constructor(_: &JsValue, _: &[JsValue], _: &mut Context) -> JsResult<Self> {
        Ok(Self)
    }
}

fn encode(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let text = match arguments.first().filter(|value| !value.is_undefined()) {
        None => js_string!(),
        Some(value) => value.to_string(context)?,
    };
    JsUint8Array::from_iter(bytes::utf8(&text), context).map(Into::into)
}

fn encode_into(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let text = arguments.first().cloned().unwrap_or_default().to_string(context)?;
    let target = arguments.get(1).cloned().unwrap_or_default();
    let Some(view) = View::of(&target, context)? else { return Err(type_error("the target must be a Uint8Array")) };
    let text = text.to_std_string_lossy();
    let mut taken = text.floor_char_boundary(view.length());
    taken = view.write(|target| {
        taken = taken.min(target.len());
        target[..taken].copy_from_slice(&text.as_bytes()[..taken]);
        taken
    })?;
    let result = define::object(context);
    let read = text[..taken].encode_utf16().count();
    result.create_data_property_or_throw(js_string!("read"), number(read), context)?;
    result.create_data_property_or_throw(js_string!("written"), number(taken), context)?;
    Ok(result.into())
}

/// `TextDecoder`, for UTF-8 alone.
#[derive(Debug, Trace, Finalize, JsData)]
struct Decoder {
    fatal: bool,
    ignore_bom: bool,
    /// The beginning of a character whose rest comes with the next call (`stream`).
    begun: Vec<u8>,
}

impl Class for Decoder {
    const NAME: &'static str = "TextDecoder";
    const ATTRIBUTES: Attribute = Attribute::WRITABLE.union(Attribute::CONFIGURABLE);

    fn init(class: &mut ClassBuilder<'_>) -> JsResult<()> {
        accessor(class, "encoding", encoding_name);
        accessor(class, "fatal", |this, _, _| with_decoder(this, |decoder| decoder.fatal.into()));
        accessor(class, "ignoreBOM", |this, _, _| with_decoder(this, |decoder| decoder.ignore_bom.into()));
        class.method(js_string!("decode"), 1, NativeFunction::from_fn_ptr(decode));
        Ok(())
    }

    fn data_constructor(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<Self> {
        if let Some(label) = arguments.first().filter(|value| !value.is_undefined()) {
            let label = label.to_string(context)?.to_std_string_lossy().trim().to_ascii_lowercase();
            if !matches!(label.as_str(), "utf-8" | "utf8") {
                return Err(JsNativeError::range().with_message("only utf-8 is supported").into());
            }
        }
        let mut option = |name: &str| -> JsResult<bool> {
            match arguments.get(1).and_then(JsValue::as_object) {
                None => Ok(false),
                Some(options) => Ok(options.get(JsString::from(name), context)?.to_boolean()),
            }
        };
        Ok(Self { fatal: option("fatal")?, ignore_bom: option("ignoreBOM")?, begun: Vec::new() })
    }
}

fn with_decoder(this: &JsValue, look: impl FnOnce(&mut Decoder) -> JsValue) -> JsResult<JsValue> {
    let object: Option<JsObject> = this.as_object();
    let decoder = object.as_ref().and_then(|object| object.downcast_mut::<Decoder>());
    decoder.map(|mut decoder| look(&mut decoder)).ok_or_else(|| type_error("this is not a TextDecoder"))
}

fn decode(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let input = match arguments.first().filter(|value| !value.is_undefined()) {
        None => Vec::new(),
        Some(value) => match View::of(value, context)? {
            Some(view) => view.read(<[u8]>::to_vec)?,
            None => return Err(type_error("the input must be a typed array or an ArrayBuffer")),
        },
    };
    let stream = match arguments.get(1).and_then(JsValue::as_object) {
        None => false,
        Some(options) => options.get(js_string!("stream"), context)?.to_boolean(),
    };
    let mut broken = false;
    let text = with_decoder(this, |decoder| {
        let mut bytes = std::mem::take(&mut decoder.begun);
        bytes.extend(input);
        if stream {
            let whole = whole_characters(&bytes);
            decoder.begun = bytes.split_off(whole);
        }
        broken = decoder.fatal && std::str::from_utf8(&bytes).is_err();
        let text = String::from_utf8_lossy(&bytes);
        let text = if decoder.ignore_bom { &text } else { text.strip_prefix('\u{feff}').unwrap_or(&text) };
        JsString::from(text).into()
    })?;
    if broken { Err(type_error("the data is not valid UTF-8")) } else { Ok(text) }
}

/// How many bytes stand before a character that has only begun.
fn whole_characters(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        // Broken bytes in the middle are not waited for; only the last three can be a beginning.
        Err(_) => {
            let tail = bytes.len().saturating_sub(3);
            let begun = (tail..bytes.len()).find(|&at| {
                std::str::from_utf8(&bytes[at..])
                    .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
            });
            begun.unwrap_or(bytes.len())
        }
        Ok(_) => bytes.len(),
    }
}

fn atob(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let text = arguments.first().cloned().unwrap_or_default().to_string(context)?.to_std_string_lossy();
    let mut text: String = text.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    if text.len().is_multiple_of(4) {
        let padding = text.len() - text.trim_end_matches('=').len();
        text.truncate(text.len() - padding.min(2));
    }
    let valid = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte)) && text.len() % 4 != 1;
    if !valid {
        return Err(type_error("the string to be decoded is not base64"));
    }
    Ok(bytes::latin1(&Encoding::Base64.decode(&JsString::from(text))).into())
}

fn btoa(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let text = arguments.first().cloned().unwrap_or_default().to_string(context)?;
    match bytes::byte_string(&text) {
        Some(octets) => Ok(Encoding::Base64.encode(&octets).into()),
        None => Err(type_error("the string to be encoded holds characters beyond Latin-1")),
    }
}
