//! What is refused at the door, and what never reaches a function or an origin.

use crate::harness::{Answer, Edge, Origin};

fn edge(origin: &Origin) -> Edge {
    let server = "listen = [\"http://127.0.0.1:0\"]\nhosts = [\"www.example.com\", \"*.example.org\"]";
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n\
         [[behavior]]\npath = \"/read/*\"\norigin = \"app\"\nmethods = \"get-head\"\n\
         [[behavior]]\npath = \"/far/*\"\norigin = \"app\"\nallow = [\"192.0.2.0/24\"]\n\
         [[behavior]]\npath = \"/denied/*\"\norigin = \"app\"\ndeny = [\"127.0.0.0/8\"]\n\
         [[behavior]]\npath = \"/secure/*\"\norigin = \"app\"\nviewer_protocol_policy = \"https-only\"\n\
         [[behavior]]\npath = \"/moved/*\"\norigin = \"app\"\nviewer_protocol_policy = \"redirect-to-https\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\n",
        origin.url()
    );
    Edge::with_server(server, &config, &[])
}

#[test]
fn refusals() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let edge = edge(&origin);
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: www.example.com\r\nhost: www.example.com\r\n\r\n", 400),
        ("GET http://other.example/ HTTP/1.1\r\nhost: www.example.com\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: unknown.example\r\n\r\n", 421),
        ("GET /a%00b HTTP/1.1\r\nhost: www.example.com\r\n\r\n", 400),
        ("GET /../x HTTP/1.1\r\nhost: www.example.com\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: www.example.com\r\ncontent-length: 3\r\n\r\nabc", 403),
        ("CONNECT www.example.com:80 HTTP/1.1\r\nhost: www.example.com\r\n\r\n", 405),
        ("PROPFIND / HTTP/1.1\r\nhost: www.example.com\r\n\r\n", 501),
        ("POST /read/x HTTP/1.1\r\nhost: www.example.com\r\ncontent-length: 0\r\n\r\n", 405),
        ("GET /far/x HTTP/1.1\r\nhost: www.example.com\r\n\r\n", 403),
        ("GET /denied/x HTTP/1.1\r\nhost: www.example.com\r\n\r\n", 403),
        ("GET /secure/x HTTP/1.1\r\nhost: www.example.com\r\n\r\n", 403),
        ("POST / HTTP/1.1\r\nhost: www.example.com\r\nexpect: something\r\ncontent-length: 1\r\n\r\nx", 417),
        ("OPTIONS * HTTP/1.1\r\nhost: www.example.com\r\n\r\n", 204),
    ] {
        let mut client = edge.client();
        client.send(request.as_bytes());
        let reply = client.reply(false);
        assert_eq!(reply.status, status, "{request:?}: {reply:?}");
    }
    assert_eq!(origin.count(), 0, "{:?}", origin.seen());
    assert_eq!(edge.get_with("/", &[("host", "a.example.org")]).status, 200);
    let long = format!("/{}", "x".repeat(8_200));
    assert_eq!(edge.get(&long).status, 414);
}

#[test]
fn redirect_to_https() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let edge = edge(&origin);
    let reply = edge.get("/moved/a?b=1");
    assert_eq!((reply.status, reply.header("location")), (301, "https://www.example.com/moved/a?b=1"));
    assert_eq!(reply.x_cache(), "Redirect");
    assert_eq!(edge.client().request("POST", "/moved/a", &[], b"x").status, 307);
    assert_eq!(origin.count(), 0);
}

#[test]
fn fields_that_only_the_edge_may_set_do_not_pass() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let edge = edge(&origin);
    let sent = [
        ("x-edge-a", "1"),
        ("x-amz-cf-id", "1"),
        ("cloudfront-viewer-country", "FR"),
        ("x-original-url", "/admin"),
        ("x-http-method-override", "DELETE"),
        ("forwarded", "for=x"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("te", "trailers"),
        ("x-kept", "1"),
    ];
    assert_eq!(edge.get_with("/", &sent).status, 200);
    let seen = origin.only();
    for (name, _) in sent.iter().filter(|(name, _)| *name != "x-kept") {
        assert_eq!(seen.header(name), None, "{name}");
    }
    assert_eq!(seen.header("x-kept"), Some("1"));
}

#[test]
fn error_pages_reflect_nothing() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let edge = edge(&origin);
    let reply = edge.get_with("/<script>alert(1)</script>/../..", &[("x-a", "<b>")]);
    assert_eq!(reply.status, 400);
    assert!(!reply.text().contains("script") && !reply.text().contains("<b>"), "{}", reply.text());
}
