//! Vectors on origins that functions choose, and what becomes of the choice.

use super::{Expect::*, PRELUDE, Row, check};
use crate::harness::{Answer, Edge, Origin, folder};
use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::Arc,
};

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

#[test]
fn a_chosen_host_header_is_sent_where_the_policy_forwards_the_viewers() {
    let origin = Origin::start(|seen| Answer::ok(seen.header("host").unwrap_or_default()));
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n[function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"f.js\"\nbudget = \"50ms\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\norigin_request_policy = \"AllViewer\"\nviewer_request = \"f\"\n",
        origin.url()
    );
    let source = format!(
        "{PRELUDE}function handler(event) {{ const r = event.request;
        if (r.uri === '/update') {{ cf.updateRequestOrigin({{ hostHeader: 'h.example' }}); }}
        if (r.uri === '/select') {{ cf.selectRequestOriginById('app', {{ hostHeader: 's.example' }}); }}
        if (r.uri === '/attempts') {{ cf.updateRequestOrigin({{ connectionAttempts: 2 }}); }}
        return r; }}"
    );
    let edge = Edge::start(&config, &[("f.js", &source)]);
    for (path, host) in
        [("/update", "h.example"), ("/select", "s.example"), ("/attempts", "www.example.com"), ("/", "www.example.com")]
    {
        assert_eq!(edge.get(path).text(), host, "{path}");
    }
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
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
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

/// A server over TLS that notes which name it was asked for, and tells it with the `Host` of the request.
fn over_tls(names: &[&str]) -> (u16, String) {
    let made =
        rcgen::generate_simple_self_signed(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    let key = rustls_pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            let (mut head, mut piece) = (Vec::new(), [0; 4096]);
            while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(length) if length > 0 => head.extend_from_slice(&piece[..length]),
                    _ => break,
                }
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let host = head.lines().find_map(|line| line.strip_prefix("Host: ")).unwrap_or_default();
            let body = format!("{} {host}", stream.conn.server_name().unwrap_or("none"));
            let length = body.len();
            let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    (port, made.cert.pem())
}

#[test]
fn the_server_name_is_the_one_that_the_function_chose() {
    let (port, authority) = over_tls(&["sni.example", "host.example", "localhost"]);
    let source = format!(
        "{PRELUDE}function handler(event) {{ const what = event.request.uri.slice(1);
        const custom = {{ port: {port}, protocol: 'https' }};
        if (what === 'sni') {{ cf.updateRequestOrigin({{ domainName: 'localhost', customOriginConfig: custom, hostHeader: 'host.example', sni: 'sni.example' }}); }}
        if (what === 'host') {{ cf.updateRequestOrigin({{ domainName: 'localhost', customOriginConfig: custom, hostHeader: 'host.example' }}); }}
        if (what === 'other') {{ cf.updateRequestOrigin({{ domainName: 'localhost', customOriginConfig: custom, sni: 'other.example' }}); }}
        if (what === 'renamed') {{ cf.selectRequestOriginById('secure', {{ sni: 'sni.example' }}); }}
        if (what === 'own') {{ cf.selectRequestOriginById('secure'); }}
        return event.request; }}"
    );
    // The configured origin has an authority of its own and a private address: both stay good under another name.
    let config = format!(
        "[origin.site]\ndir = \".\"\n[origin.secure]\nurl = \"https://localhost:{port}\"\nca = \"ca.pem\"\n\
         [function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"f.js\"\nbudget = \"50ms\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"site\"\nviewer_request = \"f\"\n"
    );
    let server = "listen = [\"http://127.0.0.1:0\"]\nallow_private_origins = [\"localhost\"]";
    let folder = folder(&[("f.js", &source), ("ca.pem", &authority)]);
    let trusted = folder.path().join("ca.pem").display().to_string();
    let edge = Edge::start_in(folder, server, &config, &[("SSL_CERT_FILE", &trusted)]);
    let authority = format!("localhost:{port}");
    for (path, body) in [
        ("/sni", "sni.example host.example".to_owned()),
        ("/host", "host.example host.example".to_owned()),
        ("/renamed", format!("sni.example {authority}")),
        ("/own", format!("localhost {authority}")),
    ] {
        let reply = edge.get(path);
        assert_eq!((reply.status, reply.text()), (200, body), "{path}");
    }
    assert_eq!(edge.get("/other").status, 502, "the certificate is not good for that name");
}
