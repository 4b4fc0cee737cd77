//! Attacks on caches, row by row of the table in security.md 3 (C01 to C16): what an attacker sends, and that whoever comes next
//! gets nothing of it. C03 is `cache::tests::key`, which makes keys of random requests; C12 has the contracts' own tests
//! besides the row here.

use crate::harness::{Answer, Client, Edge, Origin, Reply};
use crate::purge::admin;
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, mpsc},
    thread,
};

fn config(origin: &Origin, tables: &str, behavior: &str) -> String {
    let url = origin.url();
    format!("{tables}\n[origin.app]\nurl = \"{url}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n{behavior}\n")
}

fn edge(origin: &Origin, tables: &str, behavior: &str) -> Edge {
    Edge::start(&config(origin, tables, behavior), &[])
}

/// Everything of the viewer goes on, keyed or not.
const ALL_VIEWER: [&str; 2] = [
    "[cache_policy.p]\nttl = { min = \"0s\", default = \"0s\", max = \"1h\" }\nquery = \"all\"",
    "cache_policy = \"p\"\norigin_request_policy = \"AllViewer\"",
];
const MINUTE: (&str, &str) = ("cache-control", "max-age=60");

/// An origin that shows what it was sent.
fn mirror() -> Origin {
    Origin::start(|seen| {
        let fields = seen.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
        Answer::new(200, &[MINUTE], &format!("{} {}\n{}", seen.method, seen.target, fields.collect::<String>()))
    })
}

/// Sends bytes as they are, and reads the answer.
fn raw(edge: &Edge, bytes: impl AsRef<[u8]>) -> Reply {
    let mut client = edge.client();
    client.send(bytes.as_ref());
    client.reply(false)
}

fn raw_get(edge: &Edge, target: &[u8]) -> Reply {
    raw(edge, [b"GET ", target, b" HTTP/1.1\r\nhost: www.example.com\r\n\r\n"].concat())
}

const UNKEYED: [&str; 60] = [
    "X-Forwarded-Host",
    "X-Forwarded-Scheme",
    "X-Forwarded-Port",
    "X-Forwarded-Proto",
    "X-Forwarded-For",
    "X-Forwarded-Server",
    "X-Forwarded-Prefix",
    "X-Forwarded-Path",
    "X-Forwarded-Uri",
    "X-Forwarded-SSL",
    "X-Forwarded",
    "X-Host",
    "X-HTTP-Host-Override",
    "Forwarded",
    "X-Original-URL",
    "X-Original-Host",
    "X-Rewrite-URL",
    "X-Real-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Remote-Addr",
    "X-Originating-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "Fastly-Client-IP",
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "X-Amz-Server-Side-Encryption",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "X-Amz-Cf-Id",
    "CloudFront-Viewer-Country",
    "CloudFront-Is-Mobile-Viewer",
    "CloudFront-Forwarded-Proto",
    "CloudFront-Viewer-Address",
    "Origin",
    "Referer",
    "Accept",
    "Accept-Language",
    "Accept-Charset",
    "Accept-Encoding",
    "User-Agent",
    "Cookie",
    "DNT",
    "Save-Data",
    "Sec-CH-UA",
    "Sec-Fetch-Site",
    "Upgrade-Insecure-Requests",
    "X-Requested-With",
    "X-CSRF-Token",
    "X-Wap-Profile",
    "X-Edge-Location",
    "X-Timer-Trace",
    "Surrogate-Capability",
    "Profile",
    "X-Debug",
    "X-Unheard-Of",
    "Transformation",
    "Pragma",
];

#[test]
fn c01_what_is_not_keyed_does_not_reach_the_origin_or_the_answer_is_not_stored() {
    let origin = mirror();
    let edge = edge(&origin, "", "");
    let mut client = edge.client();
    for (index, name) in UNKEYED.iter().enumerate() {
        let target = format!("/{index}");
        client.request("GET", &target, &[(name, "evil.example")], b"");
        let victim = client.request("GET", &target, &[], b"");
        assert!(!victim.text().contains("evil"), "{name}: {}", victim.text());
    }
    // With the one exception that the operator has named.
    let named = "[cache_policy.p]\n[origin_request_policy.o]\nheaders = { include = [\"x-wanted\"] }";
    let edge = self::edge(&origin, named, "cache_policy = \"p\"\norigin_request_policy = \"o\"");
    assert!(edge.get_with("/x", &[("x-wanted", "1"), ("x-other", "2")]).text().contains("x-wanted: 1"));
    assert!(!origin.seen().last().unwrap().headers.iter().any(|(name, _)| name == "x-other"));
}

#[test]
fn c02_what_makes_two_requests_different() {
    let (first, second) = (mirror(), mirror());
    let tables = format!("[origin.other]\nurl = \"{}\"", second.url());
    let behaviors = format!(
        "{tables}\n[origin.app]\nurl = \"{}\"\n\
         [[behavior]]\nhost = \"tenant-a.example\"\npath = \"*\"\norigin = \"app\"\n\
         [[behavior]]\nhost = \"tenant-b.example\"\npath = \"*\"\norigin = \"other\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\n",
        first.url()
    );
    let edge = Edge::start(&behaviors, &[]);
    let hosts =
        ["tenant-a.example", "tenant-b.example", "www.example.com", "www.example.com:8080", "xn--bcher-kva.example"];
    for host in hosts {
        let reply = edge.get_with("/same", &[("host", host)]);
        assert_eq!(reply.x_cache(), "Miss", "{host}");
    }
    for host in hosts {
        assert_eq!(edge.get_with("/same", &[("host", host)]).x_cache(), "Hit", "{host}");
    }
    assert_eq!((first.count(), second.count()), (4, 1));
    assert_eq!(edge.get_with("/same", &[("host", "WWW.Example.COM.")]).x_cache(), "Hit", "the same host");
    let head = edge.client().request("HEAD", "/same", &[], b"");
    assert_eq!((head.x_cache(), head.body.len()), ("Hit", 0), "HEAD shares with GET");
    let post = edge.client().request("POST", "/post", &[], b"x");
    assert!(post.text().starts_with("POST"));
    assert!(edge.get("/post").text().starts_with("GET"), "POST shares with nobody");
    assert!(raw(&edge, "OPTIONS /same HTTP/1.1\r\nhost: www.example.com\r\n\r\n").text().starts_with("OPTIONS"));
    for twice in ["host: a\r\nhost: a", "host: a\r\nhost: b", "host:", "host: a/b", "host: a b", "x: y"] {
        assert_eq!(raw(&edge, format!("GET / HTTP/1.1\r\n{twice}\r\n\r\n")).status, 400, "{twice}");
    }
}

const QUERIES: [&str; 24] = [
    "a=1",
    "a=1&",
    "a=1&a=2",
    "a=2&a=1",
    "a=1;a=2",
    "a=1&amp;a=2",
    "a=1%26a=2",
    "a[]=1",
    "a%5B%5D=1",
    "A=1",
    "a=",
    "a",
    "",
    "=",
    "&",
    "a=1&b=2",
    "b=2&a=1",
    "a=%31",
    "a=1&utm_source=x",
    "a=a+b",
    "a=a%20b",
    "a=a%2Bb",
    "a=%C3%A9",
    "a==1",
];

#[test]
fn c04_the_query_that_is_keyed_is_the_query_that_is_sent() {
    let origin = mirror();
    let edge = edge(&origin, "", "");
    let mut client = edge.client();
    for query in QUERIES {
        let reply = client.request("GET", &format!("/?{query}"), &[], b"");
        assert_eq!(reply.x_cache(), "Miss", "{query}");
        assert!(reply.text().starts_with(&format!("GET /?{query}\n")), "{query}: {}", reply.text());
        assert_eq!(client.request("GET", &format!("/?{query}"), &[], b"").x_cache(), "Hit", "{query}");
    }
    let selected = "[cache_policy.p]\nquery = { include = [\"a\"] }";
    let edge = self::edge(&origin, selected, "cache_policy = \"p\"");
    let mut answers: HashMap<String, String> = HashMap::new();
    for query in QUERIES {
        let text = edge.get(&format!("/?{query}")).text();
        let sent = text.lines().next().unwrap().to_owned();
        let parts = sent.split_once('?').map_or("", |(_, query)| query);
        assert!(
            parts.split('&').all(|pair| parts.is_empty() || pair == "a" || pair.starts_with("a=")),
            "{query}: {sent}"
        );
        // The same answer for two queries only if the origin was sent the same for both.
        assert_eq!(answers.entry(parts.to_owned()).or_insert_with(|| text.clone()), &text, "{query}");
    }
    let parameters = |count: u32| (0..count).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
    assert_eq!(edge.get(&format!("/?{}", parameters(1_500))).status, 414);
    assert_eq!(edge.get(&format!("/?{}", parameters(10_000))).status, 431, "not even its head is read");
    assert_eq!(edge.get("/?a=%00").status, 200, "an escape is no byte");
    assert_eq!(raw_get(&edge, b"/?a=\x01").status, 400);
}

#[test]
fn c05_a_get_has_no_body() {
    let origin = mirror();
    let refusing = edge(&origin, "", "");
    let mut client = refusing.client();
    assert_eq!(client.request("GET", "/", &[], b"page=evil").status, 403);
    assert_eq!(origin.count(), 0);
    let stripping = edge(&origin, "[cache]\nfat_get = \"strip\"", "");
    stripping.client().request("GET", "/", &[], b"page=evil");
    assert!(origin.seen().iter().all(|seen| seen.body.is_empty()));
    assert_eq!(stripping.get("/").x_cache(), "Miss", "it stored nothing");
}

/// How lenient origins read a path, and where private pages live.
const READERS: [fn(&str) -> String; 4] = [
    |path| path.split(';').next().unwrap_or_default().to_owned(),
    |path| path.replace("%2F", "/").replace("%2f", "/").replace("%2E", "."),
    |path| path.replace("//", "/"),
    |path| path.split(['.', '%', ';', '?']).next().unwrap_or_default().to_owned(),
];

/// An origin that answers to whoever has a cookie with that cookie's data, whatever stands behind `/account`.
fn accounts(how: &'static [(&'static str, &'static str)]) -> Origin {
    Origin::start(move |seen| {
        let host = seen.header("x-forwarded-host").unwrap_or_default().to_owned();
        let reader = READERS[host.as_bytes().first().map_or(0, |byte| usize::from(byte - b'a'))];
        let private = reader(&seen.target).contains("/account");
        match seen.header("cookie").filter(|_| private) {
            Some(cookie) => Answer::new(200, how, &format!("account of {cookie}")),
            None => Answer::new(200, how, "please log in"),
        }
    })
}

#[test]
fn c06_private_pages_under_paths_that_look_like_files() {
    let mut paths: Vec<Vec<u8>> = Vec::new();
    for byte in 0..=255_u8 {
        paths.push([b"/account", &[byte][..], b"x.css"].concat());
        paths.push(format!("/account%{byte:02X}x.css").into_bytes());
    }
    for path in [
        "/account/x.css",
        "/account/;/..%2fstatic/x.js",
        "/static/..%2faccount",
        "//account",
        "/account/%2e%2e/account.css",
        "/account;x.css",
        "/account%23x.css",
        "/account%3fx.css",
        "/account%00.css",
        "/account.css%20",
        "/static/../account.js",
    ] {
        paths.push(path.as_bytes().to_vec());
    }
    const STATED: [&[(&str, &str)]; 4] = [
        &[("cache-control", "private")],
        &[("cache-control", "no-store, max-age=60")],
        &[("set-cookie", "session=1")],
        &[("content-type", "text/css")],
    ];
    for how in STATED {
        let origin = accounts(how);
        let edge = edge(&origin, ALL_VIEWER[0], ALL_VIEWER[1]);
        for (index, path) in paths.iter().enumerate() {
            let host = ["a.example", "b.example", "c.example", "d.example"][index % READERS.len()];
            let ask = |cookie: &str| {
                raw(
                    &edge,
                    [b"GET ", &path[..], format!(" HTTP/1.1\r\nhost: {host}\r\n{cookie}\r\n").as_bytes()].concat(),
                )
            };
            ask("cookie: victim\r\n");
            let attacker = ask("");
            let shown = String::from_utf8_lossy(path);
            assert!(!attacker.text().contains("victim"), "{how:?} {host} {shown}: {attacker:?}");
        }
    }
}

#[test]
fn c07_one_path_for_routing_key_and_origin() {
    let origin = mirror();
    let edge = edge(&origin, "", "");
    for (target, canonical) in [
        ("/a/../b", "/b"),
        ("/a/%2e%2e/b", "/b"),
        ("/a/%2E/b", "/a/b"),
        ("/a/./b", "/a/b"),
        ("/%61", "/a"),
        ("/a%2fb", "/a%2Fb"),
        ("/a%5cb", "/a%5Cb"),
        ("/a%c0%afb", "/a%C0%AFb"),
        ("/a%252e", "/a%252e"),
        ("/a//b", "/a//b"),
        ("/a;b", "/a;b"),
        ("/%C3%A9", "/%C3%A9"),
        ("/a%20b", "/a%20b"),
    ] {
        let reply = edge.get(target);
        assert!(reply.text().starts_with(&format!("GET {canonical}\n")), "{target}: {}", reply.text());
        assert_eq!(edge.get(canonical).x_cache(), "Hit", "{target}");
    }
    let many = "/a".repeat(256);
    assert!(edge.get(&many).text().starts_with(&format!("GET {many}\n")));
    assert_eq!(edge.get(&"/a".repeat(257)).status, 414);
    let before = origin.count();
    for target in [
        &b"/a\\b"[..],
        b"/a%",
        b"/a%2",
        b"/a%zz",
        b"/../a",
        b"/a/../../b",
        b"/%2e%2e/a",
        b"/a%00b",
        b"/a\x00b",
        b"/a\x7fb",
        b"/a\x01b",
        b"a",
        b"",
    ] {
        let reply = raw_get(&edge, target);
        assert_eq!(reply.status, 400, "{}", String::from_utf8_lossy(target));
    }
    assert_eq!(origin.count(), before);
    assert!(raw_get(&edge, b"/a#b").text().starts_with("GET /a\n"), "a fragment is gone for everybody");
}

#[test]
fn c08_an_error_that_one_request_has_caused_is_not_for_others() {
    let origin = Origin::start(|seen| match seen.header("x-odd") {
        Some(status) => Answer::new(status.parse().unwrap(), &[MINUTE], "odd"),
        None => Answer::new(200, &[MINUTE], "fine"),
    });
    let edge = edge(&origin, ALL_VIEWER[0], ALL_VIEWER[1]);
    for status in ["400", "405", "408", "412", "413", "414", "416", "417", "421", "431", "501"] {
        let target = format!("/{status}");
        assert_eq!(edge.get_with(&target, &[("x-odd", status)]).text(), "odd");
        assert_eq!(edge.get(&target).text(), "fine", "{status}");
    }
    let long = "x".repeat(16 << 10);
    for (index, field) in [
        ("x-http-method-override", "DELETE"),
        ("x-http-method", "POST"),
        ("x-method-override", "PUT"),
        ("range", "bytes=9-1"),
        ("range", "bytes=0-0,1-1,2-2"),
        ("accept", "none/none"),
        ("expect", "200-ok"),
        ("if-match", "\"x\""),
        ("if-unmodified-since", "Sat, 01 Jan 2000 00:00:00 GMT"),
        ("if-none-match", "*"),
        ("transfer-encoding", "odd"),
        ("x-large", long.as_str()),
        ("content-length", "x"),
        ("connection", "x-odd"),
        ("upgrade", "h2c"),
        ("te", "odd"),
    ]
    .iter()
    .enumerate()
    {
        let target = format!("/field/{index}");
        let mut client = edge.client();
        client.send(
            format!("GET {target} HTTP/1.1\r\nhost: www.example.com\r\n{}: {}\r\n\r\n", field.0, field.1).as_bytes(),
        );
        drop(client.head());
        let victim = edge.get(&target);
        assert_eq!((victim.status, victim.text().as_str()), (200, "fine"), "{}", field.0);
    }
}

#[test]
fn c09_vary() {
    let origin = Origin::start(|seen| {
        let vary = match seen.target.as_str() {
            "/star" => "*".to_owned(),
            "/many" => (0..50).map(|n| format!("x-{n}")).collect::<Vec<_>>().join(", "),
            _ => "x-who".to_owned(),
        };
        Answer::new(200, &[MINUTE, ("vary", &vary)], seen.header("x-who").unwrap_or("nobody"))
    });
    let edge = edge(&origin, "[cache]\nforward = \"all\"", "");
    let ask = |target: &str, fields: &[(&str, &str)]| edge.get_with(target, fields);
    assert_eq!([ask("/star", &[]).x_cache(), ask("/star", &[]).x_cache()], ["Miss", "Miss"]);
    assert_eq!([ask("/many", &[]).x_cache(), ask("/many", &[]).x_cache()], ["Miss", "Hit"]);
    assert_eq!(ask("/many", &[("x-49", "1")]).x_cache(), "Miss");
    assert_eq!(ask("/who", &[]).text(), "nobody");
    assert_eq!(ask("/who", &[("x-who", "")]).x_cache(), "Miss", "empty is not missing");
    assert_eq!(ask("/who", &[("X-WHO", "me")]).text(), "me");
    assert_eq!(ask("/who", &[("x-who", "me")]).x_cache(), "Hit", "names in any case");
    // Only so many variants; the least recently used ones go.
    let names: Vec<String> = (0..80).map(|n| format!("viewer {n}")).collect();
    for name in &names {
        ask("/who", &[("x-who", name)]);
    }
    let kept = names.iter().rev().take(64).filter(|name| ask("/who", &[("x-who", name)]).x_cache() == "Hit").count();
    assert!((60..=64).contains(&kept), "{kept}");
}

#[test]
fn c10_methods() {
    let origin = mirror();
    let edge = edge(&origin, "", "");
    let mut client = edge.client();
    client.request("HEAD", "/", &[], b"");
    assert!(client.request("GET", "/", &[], b"").text().starts_with("GET"), "HEAD makes no GET");
    assert_eq!(edge.client().request("HEAD", "/fat", &[], b"x").status, 403);
    let cached = self::edge(&origin, "", "cached_methods = \"get-head-options\"");
    for method in ["OPTIONS", "GET"] {
        let reply = cached.client().request(method, "/o", &[], b"");
        assert_eq!(reply.x_cache(), "Miss");
        assert!(reply.text().starts_with(method));
    }
    assert!(cached.client().request("OPTIONS", "/o", &[], b"").text().starts_with("OPTIONS"));
}

#[test]
fn c11_validators_of_attackers() {
    let origin = Origin::start(|seen| match (seen.target.as_str(), seen.header("if-none-match")) {
        ("/bad", Some(_)) => Answer::head_only("HTTP/1.1 304 X\r\netag: \"other\"\r\nx-evil: 1\r\n\r\n"),
        (_, Some(tag)) => Answer::head_only(&format!(
            "HTTP/1.1 304 X\r\netag: {tag}\r\ncache-control: max-age=60\r\ncontent-length: 99\r\ncontent-encoding: gzip\r\n\r\n"
        )),
        ("/old", None) | ("/bad", None) => {
            Answer::new(200, &[("cache-control", "max-age=1"), ("age", "9"), ("etag", "\"v\"")], "whole")
        }
        _ => Answer::new(200, &[MINUTE, ("etag", "\"v\"")], "whole"),
    });
    for forward in ["policy", "all"] {
        let edge = edge(&origin, &format!("[cache]\nforward = \"{forward}\""), "");
        edge.get_with("/fresh", &[("if-none-match", "\"evil\"")]);
        assert_eq!(edge.get("/fresh").text(), "whole", "an answer to a condition is for who asked it");
        assert_eq!(edge.get("/old").text(), "whole");
        let renewed = edge.get_with("/old", &[("if-none-match", "W/\"evil\"")]);
        assert_eq!((renewed.status, renewed.text().as_str(), renewed.header("etag")), (200, "whole", "\"v\""));
        assert_eq!((renewed.header("content-length"), renewed.header("content-encoding")), ("5", ""));
        assert_eq!(edge.get("/bad").text(), "whole");
        let again = edge.get("/bad");
        assert_eq!(
            (again.text().as_str(), again.header("x-evil")),
            ("whole", ""),
            "a 304 for something else: asked anew"
        );
    }
}

#[test]
fn c12_functions_do_not_split_answers() {
    let origin = mirror();
    let script = "function handler(event) { var r = event.response, h = r.headers, at = event.request.uri; \
         if (at === '/value') { h['x-a'] = { value: 'a\\r\\nx-evil: 1' }; } \
         if (at === '/nul') { h['x-a'] = { value: 'a\\0b' }; } \
         if (at === '/name') { h['x-a\\r\\nx-evil'] = { value: '1' }; } \
         if (at === '/length') { h['content-length'] = { value: '1' }; } \
         if (at === '/coding') { h['transfer-encoding'] = { value: 'chunked' }; } \
         if (at === '/connection') { h['connection'] = { value: 'x-a' }; } \
         if (at === '/edge') { h['x-edge-a'] = { value: '1' }; } \
         if (at === '/status') { r.statusCode = 99; } \
         if (at === '/word') { r.statusCode = '200'; } \
         if (at === '/cookie') { r.cookies = { a: { value: 'b', attributes: 'x\\r\\nx-evil: 1' } }; } \
         return r; }";
    let function = "[function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"f.js\"";
    let edge = Edge::start(&config(&origin, function, "viewer_response = \"f\""), &[("f.js", script)]);
    assert_eq!(edge.get("/fine").status, 200);
    for path in ["value", "nul", "name", "connection", "edge", "status", "word", "cookie"] {
        let reply = edge.get(&format!("/{path}"));
        assert_eq!((reply.status, reply.header("x-evil"), reply.header("x-a")), (502, "", ""), "{path}: {reply:?}");
    }
    for path in ["length", "coding"] {
        let reply = edge.get(&format!("/{path}"));
        let whole = reply.complete && reply.text().ends_with('\n') && reply.header("transfer-encoding").is_empty();
        assert!(reply.status == 502 || whole, "{path}: framing is not the function's: {reply:?}");
    }
}

#[test]
fn c13_fields_between_hops() {
    let origin = mirror();
    let edge = edge(&origin, ALL_VIEWER[0], ALL_VIEWER[1]);
    for name in ["X-Forwarded-For", "Cookie", "Authorization", "Content-Length", "Host", "X-Edge-Nonce"] {
        let reply = edge.get_with("/", &[("connection", &format!("close, {name}")), (name, "x")]);
        assert_eq!(reply.status, 400, "{name}");
    }
    let named = [("connection", "x-named, keep-alive"), ("x-named", "evil"), ("keep-alive", "evil"), ("x-kept", "1")];
    let text = edge.get_with("/named", &named).text();
    assert!(text.contains("x-kept: 1") && !text.contains("evil"), "{text}");
    for name in ["keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer", "upgrade"] {
        let text = edge.get_with(&format!("/{name}"), &[(name, "evil")]).text();
        assert!(!text.contains("evil"), "{name}: {text}");
    }
}

#[test]
fn c14_fields_that_only_the_edge_may_set() {
    let origin = mirror();
    let edge = edge(&origin, ALL_VIEWER[0], ALL_VIEWER[1]);
    let names = [
        "X-Forwarded-Host",
        "x-forwarded-proto",
        "X-FORWARDED-HOST",
        "X-Amz-Cf-Id",
        "X-Edge-Location",
        "x-edge-anything",
        "CloudFront-Viewer-Country",
        "cloudfront-is-mobile-viewer",
        "X_Forwarded_Host",
        "X_Amz_Cf_Id",
        "CloudFront_Viewer_Country",
        "x-forwarded_proto",
    ];
    for (index, name) in names.iter().enumerate() {
        let reply = edge.get_with(&format!("/{index}"), &[(name, "evil")]);
        assert!(reply.status == 400 || !reply.text().contains("evil"), "{name}: {}", reply.text());
    }
    let chained = edge.get_with("/chain", &[("x-forwarded-for", "192.0.2.1"), ("via", "1.1 other")]).text();
    assert!(chained.contains("x-forwarded-for: 192.0.2.1, 127.0.0.1"), "what is a list is added to: {chained}");
}

#[test]
fn c15_who_waits_with_others_does_not_get_what_is_private() {
    let (open, gate) = mpsc::channel();
    let gate = Mutex::new(Some(gate));
    let count = Mutex::new(0);
    let origin = Origin::start(move |_| {
        let mut count = count.lock().unwrap();
        *count += 1;
        let answer = Answer::new(200, &[("cache-control", "private, max-age=60")], &format!("for viewer {count}"));
        match gate.lock().unwrap().take() {
            Some(gate) => answer.after(gate),
            None => answer,
        }
    });
    let edge = edge(&origin, "", "");
    let bodies: HashSet<String> = thread::scope(|scope| {
        let first = scope.spawn(|| edge.get("/").text());
        crate::harness::eventually("the first request is at the origin", || (origin.count() == 1).then_some(()));
        let others: Vec<_> = (0..4).map(|_| scope.spawn(|| edge.get("/").text())).collect();
        open.send(()).unwrap();
        others.into_iter().chain([first]).map(|viewer| viewer.join().unwrap()).collect()
    });
    assert_eq!(bodies.len(), 5, "each has its own: {bodies:?}");
}

#[test]
fn c16_purges_are_for_operators_and_tags_are_bounded() {
    let origin = Origin::start(|seen| {
        let tags = match seen.target.as_str() {
            "/long" => "x".repeat(1025),
            "/many" => vec!["tag"; 5000].join(" "),
            _ => "plain *".to_owned(),
        };
        Answer::new(200, &[MINUTE, ("surrogate-key", &tags)], "x")
    });
    let edge = edge(&origin, "", "");
    let twice = |target: &str| [edge.get(target).x_cache().to_owned(), edge.get(target).x_cache().to_owned()];
    assert_eq!(twice("/"), ["Miss", "Hit"]);
    for target in ["/long", "/many"] {
        assert_eq!(twice(target), ["Miss", "Miss"], "{target}: a purge could miss it");
        assert!(edge.get(target).header("cache-status").ends_with("detail=tag-limit"));
    }
    for method in ["PURGE", "BAN", "REFRESH"] {
        assert_eq!(edge.client().request(method, "/", &[("surrogate-key", "plain")], b"").status, 501, "{method}");
    }
    let token = std::fs::read_to_string(edge.folder().join(".edgehook/admin-token")).unwrap();
    let token = format!("Bearer {}", token.trim());
    let purge = |host: &str, body: &str, token: &str, address| {
        let fields =
            [("host", host), ("authorization", token), ("x-edgehook-admin", "1"), ("content-type", "application/json")];
        Client::connect(address).request("POST", "/purge", &fields, body.as_bytes())
    };
    let private = admin(&edge).strip_prefix("http://").unwrap().parse().unwrap();
    purge("www.example.com", "{\"all\":true}", &token, edge.address());
    assert_eq!(edge.get("/").x_cache(), "Hit", "not through the public listener");
    let large = format!("{{\"tags\":[\"{}\"]}}", "x".repeat(1025));
    for body in [&large, "{\"tags\":[\" a\"]}", "{\"tags\":[\"\"]}", "{\"tags\":[\"a\\u0000\"]}"] {
        assert_eq!(purge("localhost", body, &token, private).status, 400);
    }
    assert_eq!(purge("localhost", "{\"tags\":[\"pl*\"]}", &token, private).status, 200);
    assert_eq!(edge.get("/").x_cache(), "Hit", "no wildcards in tags");
    assert_eq!(purge("localhost", "{\"tags\":[\"*\"]}", &token, private).status, 200);
    assert_eq!(edge.get("/").x_cache(), "Miss", "a star is a tag like others");
}
