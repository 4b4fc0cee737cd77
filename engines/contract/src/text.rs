//! Between the bytes on the wire and the text that functions see.

use std::borrow::Cow;

/// Text of a value: valid UTF-8 as it is, anything else read as ISO-8859-1 (cloudfront-functions.md 3, lambda-edge.md 2.3).
#[must_use]
pub fn text_from_bytes(bytes: &[u8]) -> String {
    shown(bytes).into_owned()
}

/// [`text_from_bytes`], borrowed where the bytes are the text.
pub(crate) fn shown(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|&byte| char::from(byte)).collect()),
    }
}

/// The bytes to send for `text`, given the bytes it was made from: untouched text goes out as it came, changed text as UTF-8.
#[must_use]
pub fn bytes_from_text(text: &str, original: Option<&[u8]>) -> Vec<u8> {
    match original {
        Some(bytes) if text_from_bytes(bytes) == text => bytes.to_vec(),
        _ => text.as_bytes().to_vec(),
    }
}

/// Whether `text` may stand in a header value: no control character but the tab.
pub(crate) fn forbidden_in_value(text: &str) -> Option<char> {
    text.chars().find(|&character| (character.is_ascii_control() && character != '\t') || character == '\u{7f}')
}

/// A name that a function wrote, for log texts: escaped, and of bounded length.
pub(crate) fn named(name: &str) -> String {
    name.escape_default().take(256).collect()
}

/// `%XX` of each byte of `character`, for log texts that must not carry it raw.
pub(crate) fn escaped(character: char) -> String {
    let mut buffer = [0; 4];
    character.encode_utf8(&mut buffer).bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The registered reason phrase of a status code (RFC 9110 section 15), empty for unregistered ones.
#[must_use]
pub const fn standard_phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        508 => "Loop Detected",
        511 => "Network Authentication Required",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin_1_is_read_and_restored() {
        let text = text_from_bytes(b"caf\xe9");
        assert_eq!(text, "café");
        assert_eq!(bytes_from_text(&text, Some(b"caf\xe9")), b"caf\xe9");
        assert_eq!(bytes_from_text("café!", Some(b"caf\xe9")), "café!".as_bytes());
    }

    #[test]
    fn control_characters_are_found() {
        assert_eq!(forbidden_in_value("a\tb"), None);
        assert_eq!(forbidden_in_value("a\rb").map(escaped), Some("%0D".to_owned()));
        assert_eq!(forbidden_in_value("\u{7f}").map(escaped), Some("%7F".to_owned()));
    }
}
