//! The fields of requests to origins and responses from them: what may pass, and how bodies are framed.
//!
//! Pure. hyper writes whatever framing it finds among the fields and reads leniently (security.md F3), so both
//! directions are settled here. Deliberately absent: fields with end-to-end meaning; policies decide about those.

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, StatusCode, response};
use std::time::Duration;

use super::{BodyLength, Delimited, OriginError};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// Fields that concern one connection (RFC 9110, section 7.6.1) or that we answer ourselves.
const HOP_BY_HOP: [HeaderName; 11] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HTTP2_SETTINGS,
    EXPECT,
];

/// Fields that `Connection` cannot take away: they carry the message's framing and address.
const NOT_NOMINABLE: [HeaderName; 2] = [CONTENT_LENGTH, HOST];

/// How long a connection is kept on which a response with these fields came: `ours`, or a second less than the origin says
/// it keeps it, so that no request goes out while the origin closes.
pub(crate) fn kept_for(headers: &HeaderMap, ours: Duration) -> Duration {
    let parameters = headers.get(KEEP_ALIVE).and_then(|value| value.to_str().ok()).unwrap_or_default().split(',');
    let stated = parameters.filter_map(|parameter| parameter.trim().split_once('='));
    let timeout = stated.filter(|(name, _)| name.trim().eq_ignore_ascii_case("timeout")).find_map(|(_, value)| {
        let seconds: u64 = value.trim().parse().ok()?;
        Some(Duration::from_secs(seconds.saturating_sub(1)))
    });
    timeout.map_or(ours, |theirs| theirs.min(ours))
}

/// Removes hop-by-hop fields and those that `Connection` names.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let nominated: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
            .filter(|name| !NOT_NOMINABLE.contains(name))
            .collect();
        for name in nominated {
            headers.remove(name);
        }
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Makes the fields of a request those of one HTTP/1.1 message to `authority` with a body of `length`.
pub(crate) fn frame_request(headers: &mut HeaderMap, method: &Method, length: BodyLength, authority: &HeaderValue) {
    strip_hop_by_hop(headers);
    headers.remove(CONTENT_LENGTH);
    match length {
        BodyLength::Known(0) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
        }
        // A method that expects a body says that there is none (RFC 9110, section 8.6).
        BodyLength::None if [Method::POST, Method::PUT, Method::PATCH].contains(method) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
        }
        BodyLength::None => {}
        BodyLength::Known(length) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        BodyLength::Unknown => {
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
    }
    if !headers.contains_key(HOST) {
        headers.insert(HOST, authority.clone());
    }
}

/// Makes the fields of a request those of a call over HTTP/2 with a body of `length`; takes out `Host`, which goes elsewhere there.
pub(crate) fn frame_call(headers: &mut HeaderMap, length: BodyLength) -> Option<HeaderValue> {
    strip_hop_by_hop(headers);
    headers.remove(CONTENT_LENGTH);
    if let BodyLength::Known(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.remove(HOST)
}

/// Checks the framing of a response to `method` and leaves only end-to-end fields.
///
/// # Errors
/// [`OriginError::BadResponse`] for two framings, a coding that is not exactly `chunked`, more than one length, a length
/// that is no number, and for an upgrade that nobody asked for.
pub(crate) fn settle_response(head: &mut response::Parts, method: &Method) -> Result<Delimited, OriginError> {
    let delimited = framing(head, method).map_err(|reason| OriginError::BadResponse(reason.to_owned()))?;
    strip_hop_by_hop(&mut head.headers);
    if head.status == StatusCode::NO_CONTENT || delimited == Delimited::Close {
        head.headers.remove(CONTENT_LENGTH); // RFC 9110, section 8.6: must not be there; or meant another framing
    }
    Ok(delimited)
}

fn framing(head: &response::Parts, method: &Method) -> Result<Delimited, &'static str> {
    if head.status.is_informational() {
        return Err("switching protocols was not asked for");
    }
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    let mut lengths = head.headers.get_all(CONTENT_LENGTH).iter();
    let (coding, length) = (codings.next(), lengths.next());
    // A coding that nobody knows has no end but the connection's (RFC 9112, section 6.3); one that ends in chunks is in
    // between and refused.
    let names_chunks =
        |coding: &HeaderValue| coding.as_bytes().to_ascii_lowercase().windows(7).any(|it| it == b"chunked");
    let chunked = head.headers.get_all(TRANSFER_ENCODING).iter().any(names_chunks);
    if chunked && length.is_some() {
        return Err("both Content-Length and Transfer-Encoding");
    }
    let exactly = coding.is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if chunked && (codings.next().is_some() || !exactly) {
        return Err("a Transfer-Encoding other than chunked");
    }
    if lengths.next().is_some() {
        return Err("more than one Content-Length");
    }
    let length = length.map(|length| decimal(length).ok_or("an invalid Content-Length")).transpose()?;
    let bodiless = method == Method::HEAD || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    Ok(match (coding, length) {
        _ if bodiless => Delimited::None,
        (Some(_), _) if chunked => Delimited::Chunked,
        (Some(_), _) => Delimited::Close,
        (None, Some(length)) => Delimited::Length(length),
        (None, None) => Delimited::Close,
    })
}

fn decimal(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::tests::fields;

    #[track_caller]
    fn check_request(length: BodyLength, method: &Method, before: &[(&'static str, &'static str)], after: &str) {
        let mut headers = fields(before);
        frame_request(&mut headers, method, length, &HeaderValue::from_static("o.test"));
        let mut lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        assert_eq!(lines.join(", "), after);
    }

    #[test]
    fn requests_are_framed_by_us_alone() {
        let smuggler = [
            ("host", "v.test"),
            ("content-length", "5"),
            ("transfer-encoding", "gzip, chunked"),
            ("connection", "close, x-secret, content-length, host"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("http2-settings", "AA"),
            ("expect", "100-continue"),
            ("keep-alive", "5"),
            ("proxy-authorization", "x"),
            ("trailer", "x"),
            ("x-secret", "1"),
            ("accept", "*/*"),
        ];
        check_request(BodyLength::None, &Method::GET, &smuggler, "accept: */*, host: v.test");
        check_request(BodyLength::Known(7), &Method::PUT, &smuggler, "accept: */*, content-length: 7, host: v.test");
        check_request(
            BodyLength::Unknown,
            &Method::GET,
            &smuggler,
            "accept: */*, host: v.test, transfer-encoding: chunked",
        );
    }

    #[test]
    fn a_missing_host_and_an_absent_body_are_said() {
        check_request(BodyLength::None, &Method::POST, &[], "content-length: 0, host: o.test");
        check_request(BodyLength::Known(0), &Method::DELETE, &[], "content-length: 0, host: o.test");
        check_request(BodyLength::None, &Method::DELETE, &[], "host: o.test");
    }

    #[track_caller]
    fn check_response(
        status: u16,
        method: &Method,
        lines: &[(&'static str, &'static str)],
        expected: Result<Delimited, &str>,
    ) {
        let mut response = http::Response::builder().status(status).body(()).unwrap();
        *response.headers_mut() = fields(lines);
        let (mut head, ()) = response.into_parts();
        let found = settle_response(&mut head, method);
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(OriginError::BadResponse(found)), Err(expected)) => assert_eq!(found, expected),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn responses_are_delimited_in_one_way() {
        let get = Method::GET;
        check_response(200, &get, &[("content-length", "5")], Ok(Delimited::Length(5)));
        check_response(200, &get, &[("transfer-encoding", "Chunked")], Ok(Delimited::Chunked));
        check_response(200, &get, &[], Ok(Delimited::Close));
        check_response(200, &get, &[("transfer-encoding", "foo"), ("content-length", "5")], Ok(Delimited::Close));
        check_response(304, &get, &[("content-length", "5")], Ok(Delimited::None));
        check_response(204, &get, &[], Ok(Delimited::None));
        check_response(200, &Method::HEAD, &[("content-length", "5")], Ok(Delimited::None));
    }

    #[test]
    fn connections_are_kept_no_longer_than_the_origin_keeps_them() {
        let kept = |value: &'static str| kept_for(&fields(&[("keep-alive", value)]), Duration::from_secs(9)).as_secs();
        for (value, seconds) in
            [("timeout=5", 4), ("max=7, timeout=5", 4), ("Timeout=60", 9), ("timeout=0", 0), ("timeout=x", 9), ("", 9)]
        {
            assert_eq!(kept(value), seconds, "{value}");
        }
        assert_eq!(kept_for(&HeaderMap::new(), Duration::from_secs(9)).as_secs(), 9);
    }

    #[test]
    fn ambiguous_framing_is_refused() {
        let get = Method::GET;
        let both = "both Content-Length and Transfer-Encoding";
        let coding = "a Transfer-Encoding other than chunked";
        check_response(200, &get, &[("content-length", "5"), ("transfer-encoding", "chunked")], Err(both));
        check_response(200, &Method::HEAD, &[("content-length", "5"), ("transfer-encoding", "chunked")], Err(both));
        for value in ["gzip, chunked", "chunked, gzip", ",chunked", "xchunked"] {
            check_response(200, &get, &[("transfer-encoding", value)], Err(coding));
        }
        check_response(200, &get, &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")], Err(coding));
        let two = [("content-length", "5"), ("content-length", "5")];
        check_response(200, &get, &two, Err("more than one Content-Length"));
        for value in ["+5", "5,5", "-1", "0x5", ""] {
            let invalid = Err("an invalid Content-Length");
            check_response(200, &get, &[("content-length", value)], invalid);
        }
        check_response(101, &get, &[], Err("switching protocols was not asked for"));
    }

    #[test]
    fn responses_keep_end_to_end_fields_only() {
        let mut response = http::Response::builder().status(204).body(()).unwrap();
        *response.headers_mut() = fields(&[
            ("connection", "keep-alive, x-hop"),
            ("keep-alive", "timeout=5"),
            ("x-hop", "1"),
            ("content-length", "0"),
            ("etag", "\"a\""),
        ]);
        let (mut head, ()) = response.into_parts();
        settle_response(&mut head, &Method::GET).unwrap();
        assert_eq!(head.headers, fields(&[("etag", "\"a\"")]));
    }
}
