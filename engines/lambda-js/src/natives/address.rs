//! URLs, domain names, percent-encoding and text encodings, for `url`, `punycode` and `TextDecoder`.

use super::{bytes, string, text};
use boa_engine::{Context, JsArgs as _, JsResult, JsValue, object::builtins::JsArray};
use url::{Url, quirks};

/// The parts in the order of `PARTS` in `js/modules/url.js`.
fn parts(url: &Url, context: &mut Context) -> JsResult<JsValue> {
    let origin = quirks::origin(url);
    let parts = [
        quirks::href(url),
        &origin,
        quirks::protocol(url),
        quirks::username(url),
        quirks::password(url),
        quirks::host(url),
        quirks::hostname(url),
        quirks::port(url),
        quirks::pathname(url),
        quirks::search(url),
        quirks::hash(url),
    ];
    let parts = parts.map(text);
    Ok(JsArray::from_iter(parts, context).into())
}

/// `parseUrl(input, base)`: the parts, or undefined.
pub(super) fn parse_url(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let input = string(arguments, 0, context)?;
    let parsed = if arguments.get_or_undefined(1).is_undefined() {
        Url::parse(&input)
    } else {
        Url::parse(&string(arguments, 1, context)?).and_then(|base| base.join(&input))
    };
    parsed.map_or_else(|_| Ok(JsValue::undefined()), |url| parts(&url, context))
}

/// `changeUrl(href, part, value)`: the parts after the change, which may have been none; undefined when `href` became
/// invalid.
pub(super) fn change_url(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let [href, part, value] = [0, 1, 2].map(|index| string(arguments, index, context));
    let (part, value) = (part?, value?);
    let Ok(mut url) = Url::parse(&href?) else { return Ok(JsValue::undefined()) };
    // A value that does not fit leaves the address as it was, as the standard says; only `href` can fail.
    let _ = match part.as_str() {
        "href" if quirks::set_href(&mut url, &value).is_err() => return Ok(JsValue::undefined()),
        "protocol" => quirks::set_protocol(&mut url, &value),
        "username" => quirks::set_username(&mut url, &value),
        "password" => quirks::set_password(&mut url, &value),
        "host" => quirks::set_host(&mut url, &value),
        "hostname" => quirks::set_hostname(&mut url, &value),
        "port" => quirks::set_port(&mut url, &value),
        "pathname" => {
            quirks::set_pathname(&mut url, &value);
            Ok(())
        }
        "search" => {
            quirks::set_search(&mut url, &value);
            Ok(())
        }
        "hash" => {
            quirks::set_hash(&mut url, &value);
            Ok(())
        }
        _ => Ok(()),
    };
    parts(&url, context)
}

/// `domain(name, toAscii)`: empty when it is no domain name.
pub(super) fn domain(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let name = string(arguments, 0, context)?;
    let ascii = arguments.get_or_undefined(1).to_boolean();
    Ok(text(&if ascii { quirks::domain_to_ascii(&name) } else { quirks::domain_to_unicode(&name) }))
}

/// `punycode(text, encode)`: undefined when it cannot be done.
pub(super) fn punycode(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let input = string(arguments, 0, context)?;
    let encode = arguments.get_or_undefined(1).to_boolean();
    let output = if encode { idna::punycode::encode_str(&input) } else { idna::punycode::decode_to_string(&input) };
    Ok(output.map_or_else(JsValue::undefined, |output| text(&output)))
}

/// `percentDecode(text)`: broken escapes stay, bytes that are no UTF-8 become U+FFFD.
pub(super) fn percent_decode(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let input = string(arguments, 0, context)?;
    Ok(text(&percent_encoding::percent_decode_str(&input).decode_utf8_lossy()))
}

/// `encodingOf(label)`: the name of the encoding in lower case, or undefined.
pub(super) fn encoding_of(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let label = string(arguments, 0, context)?;
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes());
    Ok(encoding.map_or_else(JsValue::undefined, |encoding| text(&encoding.name().to_ascii_lowercase())))
}

/// `decodeText(encoding, fatal, keepMark, view)`: undefined when `fatal` and not valid.
pub(super) fn decode_text(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let label = string(arguments, 0, context)?;
    let fatal = arguments.get_or_undefined(1).to_boolean();
    let keep_mark = arguments.get_or_undefined(2).to_boolean();
    let data = bytes::taken(arguments, 3, context)?;
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap_or(encoding_rs::UTF_8);
    let (decoded, broken) =
        if keep_mark { encoding.decode_without_bom_handling(&data) } else { encoding.decode_with_bom_removal(&data) };
    Ok(if fatal && broken { JsValue::undefined() } else { text(&decoded) })
}

/// `unfinishedUtf8(view)`: how many bytes at its end begin a character that more bytes could complete.
pub(super) fn unfinished_utf8(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let data = bytes::taken(arguments, 0, context)?;
    let tail = &data[data.len().saturating_sub(3)..];
    let count = (1..=tail.len()).find(|&count| {
        let end = &tail[tail.len() - count..];
        matches!(std::str::from_utf8(end), Err(error) if error.error_len().is_none() && error.valid_up_to() == 0)
    });
    Ok(i32::try_from(count.unwrap_or(0)).unwrap_or(0).into())
}
