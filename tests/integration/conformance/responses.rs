//! Vectors at viewer-response.

use super::{Expect::*, Row, check};

const fn row(number: u16, answer: &'static [&'static str], run: &'static str, expect: &'static [super::Expect]) -> Row {
    Row { number, target: "/?a=1", head: &[], run, answer, status: 0, expect }
}

const fn failing(number: u16, status: u16, expect: &'static [super::Expect]) -> Row {
    Row { number, target: "/", head: &[], run: "h['x-ran'] = { value: '1' }", answer: &[], status, expect }
}

const ROWS: &[Row] = &[
    row(
        15,
        &["Set-Cookie: id=1; Secure; Path=/"],
        "p.body = JSON.stringify(c.id) + h['set-cookie']",
        &[Body(r#"{"value":"1","attributes":"Secure; Path=/"}undefined"#), Line("set-cookie: id=1; Secure; Path=/")],
    ),
    row(
        16,
        &["Set-Cookie: id=1; Secure", "Set-Cookie: id=2; Path=/"],
        "p.body = JSON.stringify(c.id)",
        &[Body(
            r#"{"value":"1","attributes":"Secure","multiValue":[{"value":"1","attributes":"Secure"},{"value":"2","attributes":"Path=/"}]}"#,
        )],
    ),
    row(
        17,
        &[],
        "h['x-r'] = { value: String('body' in p) + p.statusCode + p.statusDescription }",
        &[Line("x-r: false200OK"), Body("original")],
    ),
    row(52, &[], "return r", &[Invalid]),
    row(68, &[], "p.statusCode = 404", &[Status(404), Body("original"), Cache("Miss")]),
    row(
        69,
        &["Content-Type: text/plain"],
        "p.body = ''",
        &[Body(""), Line("content-length: 0"), Line("content-type: text/plain")],
    ),
    row(
        70,
        &["Content-Encoding: gzip"],
        "p.body = 'x'",
        &[Body("x"), Line("content-length: 1"), Line("content-encoding: gzip")],
    ),
    row(
        70,
        &["Content-Encoding: gzip"],
        "p.body = 'x'; delete h['content-encoding']",
        &[Body("x"), NoLine("content-encoding")],
    ),
    row(71, &[], "h['content-length'] = { value: '3' }", &[Body("original"), Line("content-length: 8")]),
    row(72, &[], "h.warning = { value: '110 - x' }", &[Invalid]),
    row(72, &[], "h.via = { value: '1.1 x' }", &[Invalid]),
    row(73, &["Via: 1.1 origin"], "delete h.via", &[Invalid]),
    row(
        74,
        &["Set-Cookie: id=1; Secure", "Set-Cookie: id=2; Path=/"],
        "c.id.value = '9'",
        &[Line("set-cookie: id=9; Secure"), Line("set-cookie: id=2; Path=/"), NoLine("set-cookie: id=1")],
    ),
    row(
        74,
        &["Set-Cookie: id=1; Secure"],
        "c.id.attributes = 'HttpOnly'; c.n = { value: 'x' }",
        &[Line("set-cookie: id=1; HttpOnly"), Line("set-cookie: n=x")],
    ),
    row(75, &[], "event.request.querystring = {}", &[Status(200), Logged("an edit of event.request has no effect")]),
    failing(76, 404, &[Status(404), NoLine("x-ran")]),
    failing(77, 500, &[Status(500), NoLine("x-ran")]),
    row(115, &[], "cf.updateRequestOrigin({})", &[Failed]),
    row(115, &[], "h['x-l'] = { value: JSON.stringify(cf.edgeLocation) }", &[Line("x-l: {}")]),
    row(71, &["X-T: a", "X-T: b"], "", &[Line("x-t: a"), Line("x-t: b"), Body("original")]),
    row(
        56,
        &[],
        "return { statusCode: 302, headers: { location: { value: '/x' } } }",
        &[Status(302), Line("location: /x"), Body("original")],
    ),
];

#[test]
fn responses() {
    check(ROWS, "viewer_response");
}
