//! Vectors on origins that functions choose, and what becomes of the choice.

use super::{Expect::*, PRELUDE, Row, check};
use crate::harness::{Answer, Edge, Origin};

const fn row(number: u16, run: &'static str, expect: &'static [super::Expect]) -> Row {
    Row { number, target: "/", head: &[b"X-A: 1"], run, answer: &[], status: 0, expect }
}

const ROWS: &[Row] = &[
    row(106, "cf.updateRequestOrigin({ domainName: '192.0.2.1' })", &[Invalid]),
    row(106, "cf.updateRequestOrigin({ domainName: 'a:80' })", &[Invalid]),
    row(107, "cf.updateRequestOrigin({ timeouts: { readTimeout: 121 } })", &[Invalid]),
    row(107, "cf.updateRequestOrigin({ connectionAttempts: 4 })", &[Invalid]),
    row(
        107,
        "cf.updateRequestOrigin({ timeouts: { readTimeout: 120 }, connectionAttempts: 3 })",
        &[Status(200), Asked("/")],
    ),
    row(108, "cf.updateRequestOrigin({ originPath: '/a/' })", &[Invalid]),
    row(108, "cf.updateRequestOrigin({ originPath: '/a' })", &[Status(200), Asked("/a/")]),
    row(109, "cf.updateRequestOrigin({ customHeaders: { 'x-a': '1' } })", &[Invalid]),
    row(109, "cf.updateRequestOrigin({ customHeaders: { 'x-b': '1' } })", &[Status(200), Sent(b"X-B: 1")]),
    row(110, "cf.updateRequestOrigin('x')", &[Failed]),
    row(
        111,
        "cf.updateRequestOrigin({ originPath: '/a' }); cf.updateRequestOrigin({ originPath: '/b' })",
        &[Asked("/b/")],
    ),
    row(112, "cf.updateRequestOrigin({ originPath: '/a' }); return say('x')", &[Generated, Body("x")]),
    row(112, "cf.updateRequestOrigin({ domainName: '192.0.2.1' }); return say('x')", &[Generated, Body("x")]),
    row(113, "cf.selectRequestOriginById('nope')", &[Invalid]),
    row(113, "cf.selectRequestOriginById('app', { hostHeader: 'h.example' })", &[Sent(b"Host: h.example")]),
    row(113, "cf.updateRequestOrigin({ hostHeader: 'h.example' })", &[Sent(b"Host: h.example")]),
    row(114, "cf.createRequestOriginGroup({ originIds: ['app', 'app', 'app'], failoverCriteria: [500] })", &[Invalid]),
    row(114, "cf.createRequestOriginGroup({ originIds: ['app', 'nope'], failoverCriteria: [500] })", &[Invalid]),
    row(
        106,
        "cf.updateRequestOrigin({ originShield: { enabled: true, region: 'eu-west-1' } })",
        &[Status(200), Logged("originShield")],
    ),
];

#[test]
fn origins() {
    check(ROWS, "viewer_request");
}

const MORE: &str = r#"
async function handler(event) {
    const r = event.request, [, what, port] = r.uri.split('/');
    const custom = { port: Number(port), protocol: 'http' };
    if (what === 'elsewhere') {
        cf.updateRequestOrigin({ domainName: 'localhost', originPath: '/p', customOriginConfig: custom, customHeaders: { 'x-c': '1' } });
    } else if (what === 'second') {
        cf.selectRequestOriginById('second');
    } else if (what === 'group') {
        cf.createRequestOriginGroup({ originIds: [{ originId: 'first' }, { originId: 'second', originOverrides: { hostHeader: 'o.example' } }],
            failoverCriteria: { statusCodes: [500, 503] } });
    } else if (what === 'dead') {
        cf.createRequestOriginGroup({ originIds: ['nowhere', 'second'], failoverCriteria: [500] });
    }
    return r;
}"#;

#[test]
fn chosen_origins_are_asked_and_their_answers_kept_apart() {
    let first = Origin::start(|seen| {
        if seen.target.starts_with("/group") { Answer::new(503, &[], "down") } else { Answer::cached("first") }
    });
    let second = Origin::start(|_| Answer::cached("second"));
    let port = second.authority().rsplit_once(':').unwrap().1.to_owned();
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = format!(
        "[origin.first]\nurl = \"{}\"\nheaders = {{ x-own = \"1\" }}\n[origin.second]\nurl = \"{}\"\n[origin.nowhere]\nurl = \"http://{dead}\"\nconnection_attempts = 1\n\
         [function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"f.js\"\nbudget = \"50ms\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"first\"\nviewer_request = \"f\"\n",
        first.url(),
        second.url()
    );
    let server = "listen = [\"http://127.0.0.1:0\"]\nallow_private_origins = [\"localhost\"]";
    let edge = Edge::with_server(server, &config, &[("f.js", &format!("{PRELUDE}{MORE}"))]);

    let reply = edge.get(&format!("/elsewhere/{port}"));
    assert_eq!((reply.status, reply.text().as_str()), (200, "second"), "{reply:?}");
    let seen = second.only();
    assert_eq!(seen.target, format!("/p/elsewhere/{port}"));
    assert_eq!(seen.header("host"), Some(format!("localhost:{port}").as_str()));
    assert_eq!(
        (seen.header("x-c"), seen.header("x-own")),
        (Some("1"), None),
        "customHeaders take the place of the configured ones"
    );
    assert_eq!(edge.get(&format!("/elsewhere/{port}")).x_cache(), "Hit");

    assert_eq!(edge.get("/second").text(), "second");
    assert_eq!(edge.get("/own").text(), "first");
    let reply = edge.get("/group");
    assert_eq!(
        (reply.status, reply.text().as_str()),
        (200, "second"),
        "the second of a group answers for the first: {reply:?}"
    );
    assert_eq!(second.seen().last().unwrap().header("host"), Some("o.example"));
    assert_eq!(edge.get("/dead").text(), "second");
}

#[test]
fn private_addresses_need_leave() {
    let second = Origin::start(|_| Answer::cached("second"));
    let port = second.authority().rsplit_once(':').unwrap().1.to_owned();
    let config = "[origin.first]\ndir = \".\"\n[function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"f.js\"\nbudget = \"50ms\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"first\"\nviewer_request = \"f\"\n";
    let edge = Edge::start(config, &[("f.js", &format!("{PRELUDE}{MORE}"))]);
    assert_eq!((edge.get(&format!("/elsewhere/{port}")).status, second.count()), (502, 0));
}
