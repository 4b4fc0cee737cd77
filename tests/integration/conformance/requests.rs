//! Vectors at viewer-request.

use super::{Expect::*, Row, check};

const fn row(number: u16, target: &'static str, run: &'static str, expect: &'static [super::Expect]) -> Row {
    Row { number, target, head: &[], run, answer: &[], status: 0, expect }
}

const fn with(number: u16, head: &'static [&'static [u8]], run: &'static str, expect: &'static [super::Expect]) -> Row {
    Row { number, target: "/", head, run, answer: &[], status: 0, expect }
}

/// What functions are shown.
const EVENTS: &[Row] = &[
    row(1, "/%E5%AE%B6?q=%41", "return say(r.uri + ' ' + q.q.value)", &[Body("/%E5%AE%B6 %41")]),
    row(2, "/?a=x+y", "return say(q.a.value)", &[Body("x+y")]),
    row(3, "/?a&b=", "return say(JSON.stringify(q))", &[Body(r#"{"a":{"value":""},"b":{"value":""}}"#)]),
    row(4, "/", "return say(r.rawQueryString() + JSON.stringify(q))", &[Body("undefined{}")]),
    row(4, "/?", "return say('[' + r.rawQueryString() + ']' + JSON.stringify(q))", &[Body("[]{}")]),
    row(
        4,
        "/?b=%20&a",
        "return say(r.rawQueryString() + JSON.stringify(r).includes('rawQueryString'))",
        &[Body("b=%20&afalse")],
    ),
    row(
        5,
        "/?ID=1&a=1&b=2&a=3",
        "return say(JSON.stringify(q))",
        &[Body(
            r#"{"ID":{"value":"1"},"a":{"value":"1","multiValue":[{"value":"1"},{"value":"3"}]},"b":{"value":"2"}}"#,
        )],
    ),
    with(6, &[b"Accept: a, b"], "return say(JSON.stringify(h.accept))", &[Body(r#"{"value":"a, b"}"#)]),
    with(
        7,
        &[b"X-T: a", b"X-T: b"],
        "return say(JSON.stringify(h['x-t']))",
        &[Body(r#"{"value":"a","multiValue":[{"value":"a"},{"value":"b"}]}"#)],
    ),
    with(8, &[b"X-MiXed: 1"], "return say(Object.keys(h).join())", &[Body("host,x-row,x-mixed")]),
    with(
        9,
        &[b"Cookie: s=1; S=2; s=3"],
        "return say(JSON.stringify(c) + h.cookie)",
        &[Body(r#"{"s":{"value":"1","multiValue":[{"value":"1"},{"value":"3"}]},"S":{"value":"2"}}undefined"#)],
    ),
    with(
        10,
        &[b"X-L: \xe9"],
        "console.log('row 10 saw ' + h['x-l'].value)",
        &[Sent(b"X-L: \xe9"), Logged("row 10 saw é")],
    ),
    with(11, &[b"X-L: \xe9"], "h['x-l'].value += '!'", &[Sent(b"X-L: \xc3\xa9!")]),
    with(
        12,
        &[
            b"Connection: upgrade",
            b"Upgrade: x",
            b"X-Edge-A: 1",
            b"X-Forwarded-Proto: x",
            b"X-Amz-Cf-Id: 1",
            b"X-Cache: 1",
        ],
        "return say(Object.keys(h).join())",
        &[Body("host,x-row")],
    ),
    row(13, "/", "return say(h['cloudfront-viewer-country'])", &[Body("undefined")]),
    with(14, &[b"X-Forwarded-For: 192.0.2.9"], "return say(event.viewer.ip)", &[Body("127.0.0.1")]),
];

/// What becomes of queries and paths.
const TARGETS: &[Row] = &[
    row(18, "/?b=2&a=1&b", "", &[Asked("/?b=2&a=1&b")]),
    row(19, "/?a=1&b&a=3", "q.a.value = '9'", &[Asked("/?a=9&a=3&b=")]),
    row(20, "/?a=1&a=3", "q.a.multiValue[1].value = '7'; q.a.value = 'X'", &[Asked("/?a=1&a=7")]),
    row(21, "/?a=1&a=3", "q.a = { value: '9' }", &[Asked("/?a=9")]),
    row(22, "/", "q.n = { value: 'x', multiValue: [{ value: 'y' }, { value: 'z' }] }", &[Asked("/?n=y&n=z")]),
    row(23, "/", "q.n = { value: 'x', multivalue: [{ value: 'y' }] }", &[Asked("/?n=x")]),
    row(24, "/?z=1&a=2", "r.querystring = 'a=2&z=1'", &[Asked("/?a=2&z=1")]),
    row(25, "/", "r.querystring = 'a b'", &[Invalid]),
    row(25, "/", "r.querystring = 'a#b'", &[Invalid]),
    row(25, "/", "r.querystring = 'a\\nb'", &[Invalid]),
    row(26, "/?jwt=t&x=1", "delete q.jwt", &[Asked("/?x=1")]),
    row(26, "/?jwt=t&x=1", "q.jwt = undefined", &[Asked("/?x=1")]),
    row(26, "/?jwt=t&x=1", "q.jwt = null", &[Invalid]),
    row(28, "/", "r.uri = 'new'", &[Invalid]),
    row(29, "/", "r.uri = '/a?b c#d'", &[Asked("/a%3Fb%20c%23d")]),
    row(29, "/?x=1", "r.uri = '/a\\u0001'", &[Invalid]),
    row(30, "/", "r.uri = '/' + 'x'.repeat(8191)", &[Invalid]),
    row(30, "/", "r.uri = '/' + 'x'.repeat(4000); r.querystring = 'y'.repeat(4191)", &[Invalid]),
    row(30, "/", "r.uri = '/' + 'x'.repeat(4000); r.querystring = 'y'.repeat(4190)", &[Status(200), Body("original")]),
];

/// What becomes of headers and cookies.
const HEADERS: &[Row] = &[
    row(31, "/", "r.method = 'POST'", &[Invalid]),
    row(32, "/", "delete h.host", &[Invalid]),
    row(32, "/", "return { method: 'GET', uri: '/' }", &[Invalid]),
    row(33, "/", "h.host.value = 'G'", &[Invalid]),
    row(34, "/", "h.host = { value: 'www.example.com' }", &[Status(200), Asked("/")]),
    row(35, "/", "h.via = { value: '1.1 x' }", &[Invalid]),
    with(36, &[b"CDN-Loop: other"], "h['cdn-loop'].value = 'x'", &[Invalid]),
    row(37, "/", "h['x-forwarded-proto'] = { value: 'x' }", &[Invalid]),
    row(38, "/", "h['x-edge-foo'] = { value: 'x' }", &[Invalid]),
    row(38, "/", "h['x-amz-cf-foo'] = { value: 'x' }", &[Invalid]),
    row(39, "/", "h['X-A'] = { value: '1' }", &[Invalid]),
    row(40, "/", "h['x-a-b'] = { value: '1' }", &[Sent(b"X-A-B: 1")]),
    row(41, "/", "h['x-a'] = '1'", &[Invalid]),
    row(42, "/", "h['x-a'] = { value: 1 }", &[Invalid]),
    row(43, "/", "h['x-a'] = { value: '1\\r\\nx-b: 2' }", &[Invalid]),
    row(43, "/", "h['x a'] = { value: '1' }", &[Invalid]),
    row(44, "/", "h['x-forwarded-host'] = h.host", &[Sent(b"X-Forwarded-Host: www.example.com")]),
    with(
        45,
        &[b"X-T: a", b"X-T: b"],
        "h['x-u'] = h['x-t']",
        &[Sent(b"X-T: a"), Sent(b"X-T: b"), Sent(b"X-U: a"), Sent(b"X-U: b")],
    ),
    row(46, "/", "h.cookie = { value: 'a=1' }", &[Invalid]),
    with(47, &[b"Cookie: s=2"], "c.n = { value: '1' }", &[Sent(b"Cookie: s=2; n=1")]),
    row(48, "/", "for (let i = 0; i < 6; i++) { h['x-' + i] = { value: 'v'.repeat(3400) }; }", &[Invalid]),
    row(48, "/", "for (let i = 0; i < 5; i++) { h['x-' + i] = { value: 'v'.repeat(3400) }; }", &[Status(200)]),
    row(49, "/", "r.origin = {}", &[Status(200), Asked("/")]),
    with(9, &[b"Cookie: s=1;  t=2;;u", b"Cookie: v=3"], "", &[Sent(b"Cookie: s=1;  t=2;;u"), Sent(b"Cookie: v=3")]),
];

/// What is no result, and responses that functions make.
const RESULTS: &[Row] = &[
    row(50, "/", "return undefined", &[Invalid]),
    row(50, "/", "return null", &[Invalid]),
    row(50, "/", "return 'x'", &[Invalid]),
    row(51, "/", "return event", &[Invalid]),
    row(53, "/", "return { statusCode: '302' }", &[Invalid]),
    row(54, "/", "return { statusCode: 302.5 }", &[Invalid]),
    row(54, "/", "return { statusCode: 99 }", &[Invalid]),
    row(55, "/", "return { statusCode: 200 }", &[Generated, Status(200), Line("content-length: 0")]),
    row(
        56,
        "/",
        "return { statusCode: 302, headers: { location: { value: '/x' } } }",
        &[Generated, Status(302), Line("location: /x")],
    ),
    row(57, "/", "return { statusCode: 302, headers: { location: '/x' } }", &[Invalid]),
    row(58, "/", "return { statusCode: 200, body: 'hi' }", &[Generated, Body("hi"), Line("content-length: 2")]),
    row(
        59,
        "/",
        "return { statusCode: 200, headers: { 'content-length': { value: '999' }, 'transfer-encoding': { value: 'chunked' } }, \
         body: { encoding: 'base64', data: 'aGk=' } }",
        &[Generated, Body("hi"), Line("content-length: 2"), NoLine("transfer-encoding")],
    ),
    row(60, "/", "return { statusCode: 200, body: { encoding: 'base64', data: '*' } }", &[Invalid]),
    row(61, "/", "return { statusCode: 200, body: { encoding: 'gzip', data: '' } }", &[Invalid]),
    row(61, "/", "return { statusCode: 200, body: { data: 'x' } }", &[Invalid]),
    row(62, "/", "return { statusCode: 200, body: 'x'.repeat(40961) }", &[Invalid]),
    row(62, "/", "return { statusCode: 200, body: 'x'.repeat(40960) }", &[Generated, Line("content-length: 40960")]),
    row(
        63,
        "/",
        "return { statusCode: 200, cookies: { s: { value: '1', attributes: 'Secure' } } }",
        &[Generated, Line("set-cookie: s=1; Secure")],
    ),
    row(64, "/", "return { statusCode: 200, headers: { 'x-cache': { value: 'Hit' } } }", &[Invalid]),
    row(64, "/", "return { statusCode: 200, headers: { via: { value: 'x' } } }", &[Generated]),
    row(55, "/", "return { statusCode: 304 }", &[Generated, Status(304), NoLine("content-length")]),
    row(
        58,
        "/",
        "return { statusCode: 204, body: 'x' }",
        &[Generated, Status(204), Body(""), NoLine("content-length")],
    ),
    row(55, "/", "return { statusCode: 200, statusDescription: 7 }", &[Invalid]),
    row(55, "/", "return { statusCode: 200, cookies: [] }", &[Generated]),
    row(55, "/", "return { statusCode: 200, headers: 'x' }", &[Invalid]),
];

/// Failures, and what a run finds.
const RUNS: &[Row] = &[
    row(82, "/", "throw new Error('x')", &[Failed]),
    row(83, "/", "await null; throw new Error('x')", &[Failed]),
    row(84, "/", "return new Promise(() => {})", &[Failed]),
    row(
        88,
        "/",
        "try { while (true) {} } catch (e) { return say('caught') } finally { return say('finally') }",
        &[Failed],
    ),
    row(89, "/", "'x'.repeat(9 * 1024 * 1024).split('')", &[Failed]),
    row(90, "/a", "return say(++n)", &[Body("1")]),
    row(90, "/b", "return say(++n)", &[Body("1")]),
    row(91, "/a", "globalThis.x = 1; Array.prototype.y = 1; return say('set')", &[Body("set")]),
    row(91, "/b", "return say(typeof globalThis.x + typeof [].y)", &[Body("undefinedundefined")]),
    row(92, "/", "return say(table.a)", &[Body("built at the top level")]),
    row(
        93,
        "/",
        "const t = Date.now(); for (let i = 0; i < 1e4; i++) {} return say(t === Date.now() && t === new Date().getTime())",
        &[Body("true")],
    ),
    row(95, "/", "try { eval('1') } catch (e) { return say('caught') }", &[Body("caught")]),
    row(95, "/", "try { new Function('1') } catch (e) { return say('caught') }", &[Body("caught")]),
    row(96, "/", "setTimeout(() => {})", &[Failed]),
    row(
        96,
        "/",
        "return say([typeof fetch, typeof process, typeof setImmediate, typeof clearTimeout].join())",
        &[Body("undefined,undefined,undefined,undefined")],
    ),
    row(
        97,
        "/",
        "const f = (x) => x; let out = ''; for (const k of ['a', 'b']) { out += k } const { uri } = r; return say(out + uri + r?.uri + f(await 'x'))",
        &[Body("ab//x")],
    ),
    row(99, "/", "console.log({ a: 1 })", &[Logged("[object Object]")]),
    row(100, "/", "console.log('row 100:', 'a', 'b')", &[Logged("row 100: a b")]),
    row(101, "/", "for (let i = 0; i < 20; i++) { console.log('x'.repeat(1024)); }", &[Status(200)]),
    row(
        116,
        "/",
        "try { crypto.createHash('sha512') } catch (e) { return say(e) }",
        &[Body("TypeError: not supported algorithm: \"sha512\"")],
    ),
    row(117, "/", "return say(querystring.unescape('a+b%FF'))", &[Body("a b\u{fffd}")]),
    row(
        118,
        "/",
        "try { String.bytesFrom('aGk', 'base64url') } catch (e) { return say(e.name) }",
        &[Body("TypeError")],
    ),
];

#[test]
fn events() {
    check(EVENTS, "viewer_request");
}

#[test]
fn targets() {
    check(TARGETS, "viewer_request");
}

#[test]
fn headers_and_cookies() {
    check(HEADERS, "viewer_request");
}

#[test]
fn results() {
    check(RESULTS, "viewer_request");
}

#[test]
fn runs() {
    check(RUNS, "viewer_request");
}
