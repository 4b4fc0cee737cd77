//! Rows of cloudfront-functions.md 13 that need no engine.

use super::*;

const RULES: Rules = Rules { lenient: false, body_limit: 40_960 };

fn request(query: Option<&str>, headers: &[(&str, &[u8])]) -> RequestMessage {
    let mut lines = vec![Header::new("host", "h.example")];
    lines.extend(headers.iter().map(|(name, value)| Header::new(*name, *value)));
    RequestMessage { method: "GET".to_owned(), uri: "/a".to_owned(), query: query.map(str::to_owned), headers: lines }
}

fn item(value: &str) -> Item {
    Item { value: value.to_owned(), attributes: None }
}

fn one(name: &str, value: &str) -> Field {
    Field { name: name.to_owned(), first: item(value), multi: None }
}

/// The headers of `given`, with an edit made on them, applied; shown as `name: value` lines without `host`.
fn edited_headers(
    given: &RequestMessage,
    edit: impl FnOnce(&mut Vec<Field>),
    rules: &Rules,
) -> Result<Vec<String>, String> {
    let mut headers = fields::from_headers(&given.headers, false);
    edit(&mut headers);
    let returned = ReturnedRequest { headers: Some(headers), ..ReturnedRequest::default() };
    apply_request(given, &returned, rules).map_err(|violation| violation.to_string()).map(|request| {
        let lines = request.headers.iter().filter(|header| header.name != "host");
        lines.map(|header| format!("{}: {}", header.name, text::text_from_bytes(&header.value))).collect()
    })
}

fn edited_query(query: &str, edit: impl FnOnce(&mut Vec<Field>)) -> Result<Option<String>, String> {
    let given = request(Some(query), &[]);
    let mut fields = fields::from_query(query);
    edit(&mut fields);
    let returned = ReturnedRequest { query: Some(Query::Fields(fields)), ..ReturnedRequest::default() };
    apply_request(&given, &returned, &RULES).map(|request| request.query).map_err(|violation| violation.to_string())
}

fn edited_uri(uri: &str) -> Result<String, String> {
    let returned = ReturnedRequest { uri: Some(uri.to_owned()), ..ReturnedRequest::default() };
    apply_request(&request(None, &[]), &returned, &RULES)
        .map(|request| request.uri)
        .map_err(|violation| violation.listed()[0].code.as_str().to_owned())
}

#[test]
fn untouched_query_keeps_its_bytes() {
    assert_eq!(edited_query("b=2&a=1&b", |_| {}), Ok(Some("b=2&a=1&b".to_owned())));
}

#[test]
fn edited_query_is_rewritten() {
    let set_first = |fields: &mut Vec<Field>| fields[0].first.value = "9".to_owned();
    assert_eq!(edited_query("a=1&b&a=3", set_first), Ok(Some("a=9&a=3&b=".to_owned())));
    assert_eq!(edited_query("jwt=t&x=1", |fields| drop(fields.remove(0))), Ok(Some("x=1".to_owned())));
    assert_eq!(edited_query("jwt=t", Vec::clear), Ok(None));
}

#[test]
fn raw_query_is_checked() {
    let set = |raw: &str| {
        let returned = ReturnedRequest { query: Some(Query::Raw(raw.to_owned())), ..ReturnedRequest::default() };
        apply_request(&request(Some("z=1&a=2"), &[]), &returned, &RULES)
            .map(|request| request.query)
            .map_err(|violation| violation.listed()[0].code.as_str())
    };
    assert_eq!(set("a=2&z=1"), Ok(Some("a=2&z=1".to_owned())));
    assert_eq!(set("a b"), Err("query.format"));
    assert_eq!(set("a#b"), Err("query.format"));
}

#[test]
fn uri_rules() {
    assert_eq!(edited_uri("new"), Err("uri.format".to_owned()));
    assert_eq!(edited_uri("/a\u{1}"), Err("uri.format".to_owned()));
    assert_eq!(edited_uri("/a?b c#d"), Ok("/a%3Fb%20c%23d".to_owned()));
    assert_eq!(edited_uri("/家"), Ok("/%E5%AE%B6".to_owned()));
    assert_eq!(edited_uri(&format!("/{}", "x".repeat(8_191))), Err("uri.length".to_owned()));
    assert!(edited_uri(&format!("/{}", "x".repeat(8_190))).is_ok());
}

#[test]
fn method_may_not_change() {
    let returned = ReturnedRequest { method: Some("POST".to_owned()), ..ReturnedRequest::default() };
    let violation = apply_request(&request(None, &[]), &returned, &RULES).unwrap_err();
    assert_eq!(violation.listed()[0].code, ViolationCode::RequestReadOnly);
}

#[test]
fn read_only_headers() {
    let given = request(None, &[("cdn-loop", b"x")]);
    let refused = |edit: fn(&mut Vec<Field>)| edited_headers(&given, edit, &RULES).unwrap_err();
    assert!(refused(|headers| headers.retain(|field| field.name != "host")).contains("\"host\""));
    assert!(refused(|headers| headers[0].first.value = "g".to_owned()).contains("\"host\""));
    assert!(refused(|headers| headers.push(one("via", "1.1 x"))).contains("\"via\""));
    assert!(refused(|headers| headers[1].first.value = "y".to_owned()).contains("\"cdn-loop\""));
    assert!(edited_headers(&given, |headers| headers[0] = one("host", "h.example"), &RULES).is_ok());
}

#[test]
fn returned_request_without_headers_lacks_its_host() {
    let returned = ReturnedRequest { headers: Some(Vec::new()), ..ReturnedRequest::default() };
    let violation = apply_request(&request(None, &[]), &returned, &RULES).unwrap_err();
    assert_eq!(violation.listed()[0].code, ViolationCode::HeaderReadOnly);
}

#[test]
fn disallowed_and_malformed_headers() {
    let given = request(None, &[]);
    for (name, value, code) in [
        ("x-forwarded-proto", "https", "header.disallowed"),
        ("x-edge-foo", "1", "header.disallowed"),
        ("x-amz-cf-foo", "1", "header.disallowed"),
        ("cookie", "a=1", "header.disallowed"),
        ("X-A", "1", "header.name"),
        ("x a", "1", "header.name"),
        ("x-a", "1\r\nx-b: 2", "header.character"),
    ] {
        let refused = edited_headers(&given, |headers| headers.push(one(name, value)), &RULES).unwrap_err();
        assert!(refused.starts_with(code), "{name}: {refused}");
        assert!(!refused.contains('\r'), "log injection: {refused:?}");
    }
    let lenient = Rules { lenient: true, ..RULES };
    assert_eq!(
        edited_headers(&given, |headers| headers.push(one("X-A", "1")), &lenient),
        Ok(vec!["x-a: 1".to_owned()])
    );
    assert_eq!(
        edited_headers(&given, |headers| headers.push(one("cookie", "a=1")), &lenient),
        Ok(vec!["cookie: a=1".to_owned()])
    );
}

#[test]
fn values_keep_or_lose_their_bytes_per_header() {
    let given = request(None, &[("x-l", b"\xe9"), ("x-edge-kept", b"1"), ("x-t", b"a"), ("x-t", b"b")]);
    let result = apply_request(
        &given,
        &ReturnedRequest {
            headers: Some({
                let mut headers = fields::from_headers(&given.headers, false);
                let copy = Field { name: "x-u".to_owned(), ..headers[2].clone() };
                headers[1].first.value.push('!');
                headers.push(copy);
                headers
            }),
            ..ReturnedRequest::default()
        },
        &RULES,
    )
    .unwrap();
    let lines: Vec<(&str, &[u8])> =
        result.headers.iter().map(|header| (header.name.as_str(), header.value.as_slice())).collect();
    assert_eq!(
        lines,
        [
            ("host", &b"h.example"[..]),
            ("x-l", b"\xc3\xa9!"),
            ("x-edge-kept", b"1"),
            ("x-t", b"a"),
            ("x-t", b"b"),
            ("x-u", b"a"),
            ("x-u", b"b"),
        ]
    );
}

#[test]
fn cookies_are_joined_into_one_line() {
    let given = request(None, &[("cookie", b"s=2")]);
    let mut cookies = fields::from_cookies(&given.headers);
    cookies.push(one("n", "1"));
    let returned = ReturnedRequest { cookies: Some(cookies), ..ReturnedRequest::default() };
    let result = apply_request(&given, &returned, &RULES).unwrap();
    assert_eq!(result.headers[1], Header::new("cookie", "s=2; n=1"));
    let none = ReturnedRequest { cookies: Some(Vec::new()), ..ReturnedRequest::default() };
    assert_eq!(apply_request(&given, &none, &RULES).unwrap().headers.len(), 1);
}

#[test]
fn head_limit_is_enforced_at_the_byte() {
    let given = request(None, &[]);
    let rest = "host".len() + "h.example".len() + 4 + "GET".len() + "/a".len();
    let fill = |extra: usize| {
        let value = "v".repeat(HEAD_LIMIT - rest - "x-a".len() - 4 + extra);
        edited_headers(&given, |headers| headers.push(one("x-a", &value)), &RULES)
    };
    assert!(fill(0).is_ok());
    assert!(fill(1).unwrap_err().starts_with("header.size"));
}

const OK: ReturnedResponse = ReturnedResponse {
    status_code: 200.0,
    status_description: None,
    headers: None,
    cookies: None,
    body: None,
    request_changed: false,
};

fn generated(status_code: f64, body: Option<Body>) -> Result<(ResponseMessage, Vec<u8>), String> {
    let returned = ReturnedResponse { status_code, body, ..OK };
    apply_generated(&returned, &RULES).map_err(|violation| violation.listed()[0].code.as_str().to_owned())
}

#[test]
fn generated_responses() {
    let text = |data: &str| Some(Body { encoding: BodyEncoding::Text, data: data.to_owned() });
    let base64 = |data: &str| Some(Body { encoding: BodyEncoding::Base64, data: data.to_owned() });
    assert_eq!(generated(302.0, None).unwrap().0.status, 302);
    for bad in [199.0, 600.0, 200.5, f64::NAN, f64::INFINITY, -200.0] {
        assert_eq!(generated(bad, None), Err("status.range".to_owned()), "{bad}");
    }
    assert_eq!(generated(200.0, text(&"é".repeat(20_480))).unwrap().1.len(), 40_960);
    assert_eq!(generated(200.0, text(&"x".repeat(40_961))), Err("body.size".to_owned()));
    assert_eq!(generated(200.0, base64("AP8=")).unwrap().1, [0, 255]);
    assert_eq!(generated(200.0, base64("A")), Err("body.base64".to_owned()));
}

#[test]
fn response_cookies_keep_their_attributes() {
    let given = ResponseMessage {
        status: 200,
        reason: None,
        headers: vec![Header::new("set-cookie", "id=1; Secure"), Header::new("set-cookie", "id=2; Path=/")],
    };
    let mut cookies = fields::from_set_cookies(&given.headers);
    cookies[0].first.value = "9".to_owned();
    cookies.push(Field {
        name: "new".to_owned(),
        first: Item { value: "x".to_owned(), attributes: Some("HttpOnly".to_owned()) },
        multi: None,
    });
    let returned = ReturnedResponse {
        status_code: 200.0,
        status_description: None,
        headers: None,
        cookies: Some(cookies),
        body: None,
        request_changed: false,
    };
    let (response, body) = apply_response(&given, &returned, &RULES).unwrap();
    assert_eq!(body, None);
    assert_eq!(
        response.headers,
        [
            Header::new("set-cookie", "id=9; Secure"),
            Header::new("set-cookie", "id=2; Path=/"),
            Header::new("set-cookie", "new=x; HttpOnly"),
        ]
    );
}

#[test]
fn viewer_response_may_not_touch_via() {
    let given = ResponseMessage { status: 200, reason: None, headers: vec![Header::new("via", "1.1 edge")] };
    let returned = ReturnedResponse {
        status_code: 200.0,
        status_description: None,
        headers: Some(Vec::new()),
        cookies: None,
        body: None,
        request_changed: false,
    };
    assert_eq!(apply_response(&given, &returned, &RULES).unwrap_err().listed()[0].code, ViolationCode::HeaderReadOnly);
}

#[test]
fn every_violation_is_named_once() {
    let given = request(None, &[("via", b"1.1 x"), ("x-t", b"1")]);
    let returned = ReturnedRequest {
        method: Some("POST".to_owned()),
        uri: Some("a\u{1}".to_owned()),
        query: Some(Query::Raw("a b".to_owned())),
        headers: Some(vec![
            one("host", "other"),
            one("X-Up", "1"),
            one("x-cache", "1"),
            one("x-a", "1\r\n2"),
            one("a b", "1"),
            one("cookie", "a=1"),
        ]),
        cookies: Some(vec![one("c", "1\n2"), one("d", "ok")]),
        origin: None,
    };
    let found = apply_request(&given, &returned, &RULES).unwrap_err();
    let texts: Vec<String> = found.listed().iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "request.read-only: request.method may not change",
            "uri.format: request.uri must begin with \"/\"",
            "uri.format: request.uri holds the forbidden character %01",
            "query.format: request.querystring holds the forbidden character %20",
            "header.name: headers[\"X-Up\"] must be in lower case",
            "header.disallowed: headers[\"cookie\"] is not allowed in a result; use request.cookies",
            "header.read-only: read-only header \"host\" was added, changed or deleted at viewer-request",
            "header.read-only: read-only header \"via\" was added, changed or deleted at viewer-request",
            "header.disallowed: header \"x-cache\" is not allowed in a result",
            "header.character: the value of header \"x-a\" holds the forbidden character %0D",
            "header.name: headers[\"a b\"] is not a header name",
            "header.character: request.cookies[\"c\"] holds the forbidden character %0A",
        ]
    );
    assert_eq!(found.to_string(), texts.join("\n"));
}

#[test]
fn violations_of_a_result_are_bounded() {
    let fields = |count: usize| Some((0..count).map(|number| one(&format!("X-{number}"), "1")).collect::<Vec<_>>());
    for (count, listed) in [(15, 15), (16, 16), (17, 16), (900, 16)] {
        let returned = ReturnedResponse { headers: fields(count), ..OK };
        let found = apply_generated(&returned, &RULES).unwrap_err();
        assert_eq!(found.listed().len(), listed, "{count}");
    }
    let long = ReturnedResponse { headers: Some(vec![one(&"\u{e9}".repeat(10_000), "1")]), ..OK };
    assert!(apply_generated(&long, &RULES).unwrap_err().to_string().len() < 400, "names are cut");
}

#[test]
fn two_spellings_of_one_name_are_refused() {
    let given = request(None, &[]);
    let lenient = Rules { lenient: true, ..RULES };
    for second in ["Host", "HOST"] {
        let headers = vec![one("host", "h.example"), one(second, "other")];
        for headers in [headers.clone(), headers.into_iter().rev().collect()] {
            let returned = ReturnedRequest { headers: Some(headers), ..ReturnedRequest::default() };
            let found = apply_request(&given, &returned, &lenient).unwrap_err();
            assert!(found.to_string().contains("another spelling"), "{found}");
        }
    }
}
