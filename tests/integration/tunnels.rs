//! WebSockets: upgrades that are passed on, what flows afterwards, and what is no upgrade.

use crate::harness::{Answer, Client, Edge, Origin, eventually};
use nix::sys::signal::Signal;
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

const ASKS: [(&str, &str); 5] = [
    ("connection", "keep-alive, Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-version", "13"),
    ("sec-websocket-protocol", "chat"),
];

/// An origin that switches protocols as `head` says, then sends back what it gets, in capitals.
struct Echo {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
    open: Arc<AtomicUsize>,
}

impl Echo {
    fn start(head: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (heads, open): (Arc<Mutex<Vec<String>>>, Arc<AtomicUsize>) = Default::default();
        let (log, count) = (heads.clone(), open.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, count) = (log.clone(), count.clone());
                thread::spawn(move || {
                    count.fetch_add(1, SeqCst);
                    let _ = echo(stream, head, &log);
                    count.fetch_sub(1, SeqCst);
                });
            }
        });
        Self { url, heads, open }
    }
}

fn echo(mut stream: TcpStream, head: &str, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let (mut asked, mut piece) = (Vec::new(), [0; 4096]);
    while !asked.ends_with(b"\r\n\r\n") {
        match stream.read(&mut piece[..1])? {
            0 => return Ok(()),
            _ => asked.push(piece[0]),
        }
    }
    log.lock().unwrap().push(String::from_utf8_lossy(&asked).to_ascii_lowercase());
    stream.write_all(head.as_bytes())?;
    loop {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            length => stream.write_all(&piece[..length].to_ascii_uppercase())?,
        }
    }
}

const SWITCHES: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nx-kept: 1\r\n\r\nhello ";

fn edge(url: &str, more: &str) -> Edge {
    Edge::start(
        &format!(
            "{more}\n[origin.app]\nurl = \"{url}\"\nmax_connections = 2\nconnection_timeout = \"1s\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\nwebsocket = true\n"
        ),
        &[],
    )
}

/// Opens a tunnel and reads the head of the answer.
fn open(edge: &Edge) -> Client {
    let mut client = edge.client();
    let reply = client.request("GET", "/chat?room=1", &ASKS, b"");
    assert_eq!(reply.status, 101, "{reply:?}");
    client
}

/// Reads until `expected` has come.
fn hears(client: &mut Client, expected: &str) {
    let mut heard = Vec::new();
    while heard.len() < expected.len() {
        heard.extend(client.some_bytes());
    }
    assert_eq!(String::from_utf8_lossy(&heard), expected);
}

#[test]
fn bytes_go_both_ways_until_an_end_closes() {
    let origin = Echo::start(SWITCHES);
    let edge = edge(&origin.url, "");
    let mut client = edge.client();
    let reply = client.request("GET", "/chat?room=1", &ASKS, b"");
    assert_eq!((reply.status, reply.header("upgrade"), reply.header("connection")), (101, "websocket", "Upgrade"));
    assert_eq!(reply.header("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!((reply.header("x-kept"), reply.header("content-length")), ("1", ""));
    assert!(reply.header("cache-status").contains("fwd=bypass"), "{reply:?}");
    hears(&mut client, "hello ");
    // What would be a violation in HTTP is nothing to look at here.
    client.send(b"get / http/1.1\n\0\x81\x05a\r\n");
    let mut heard = Vec::new();
    while heard.len() < 21 {
        heard.extend(client.some_bytes());
    }
    assert_eq!(heard, b"GET / HTTP/1.1\n\0\x81\x05A\r\n");
    let large = "x".repeat(300_000);
    let sent = large.clone();
    thread::scope(|scope| {
        let mut writer = client.another_end();
        scope.spawn(move || writer.write_all(sent.as_bytes()).unwrap());
        hears(&mut client, &large.to_ascii_uppercase());
    });
    let head = origin.heads.lock().unwrap()[0].clone();
    for line in [
        "get /chat?room=1 http/1.1",
        "upgrade: websocket",
        "connection: upgrade",
        "sec-websocket-key: dghlihnhbxbszsbub25jzq==",
        "sec-websocket-protocol: chat",
    ] {
        assert!(head.lines().any(|known| known == line), "{line}: {head}");
    }
    drop(client);
    eventually("the origin's end closes", || (origin.open.load(SeqCst) == 0).then_some(()));
}

/// What goes through a tunnel is nobody's request, also where its answer would be at hand.
#[test]
fn a_request_inside_a_tunnel_is_no_request() {
    let origin = Echo::start(SWITCHES);
    let edge = edge(&origin.url, "");
    let mut client = open(&edge);
    hears(&mut client, "hello ");
    let request = "GET /CHAT HTTP/1.1\r\nHOST: WWW.EXAMPLE.COM\r\n\r\n";
    client.send(request.as_bytes());
    hears(&mut client, request);
}

#[test]
fn without_the_key_there_is_no_upgrade_and_no_byte_goes_on() {
    let origin = Origin::start(|_| Answer::cached("plain"));
    let edge = Edge::start(
        &format!("[origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n", origin.url()),
        &[],
    );
    assert_eq!(edge.get_with("/", &ASKS).text(), "plain");
    let seen = origin.only();
    assert_eq!((seen.header("upgrade"), seen.header("sec-websocket-key")), (None, None));
    eventually("stored", || (edge.get_with("/", &ASKS).x_cache() == "Hit").then_some(()));
}

#[test]
fn other_upgrades_are_plain_requests() {
    let origin = Origin::start(|_| Answer::ok("plain"));
    let edge = edge(&origin.url(), "");
    for upgrade in ["h2c", "foo", "websocket, h2c", "TLS/1.0"] {
        let reply = edge.get_with("/", &[("connection", "upgrade"), ("upgrade", upgrade)]);
        assert_eq!((reply.status, reply.text().as_str()), (200, "plain"), "{upgrade}");
    }
    let mut client = edge.client();
    assert_eq!(client.request("POST", "/", &ASKS, b"x").status, 200);
    assert!(origin.seen().iter().all(|seen| seen.header("upgrade").is_none()));
}

#[test]
fn an_origin_may_refuse_and_the_connection_stays() {
    let origin = Origin::start(|seen| match seen.header("upgrade") {
        Some("websocket") => Answer::new(403, &[], "no"),
        _ => Answer::cached("yes"),
    });
    let edge = edge(&origin.url(), "");
    let mut client = edge.client();
    let reply = client.request("GET", "/", &ASKS, b"");
    assert_eq!((reply.status, reply.text().as_str()), (403, "no"));
    assert_eq!(client.request("GET", "/", &[], b"").text(), "yes");
    // What is stored answers no handshake.
    assert_eq!(client.request("GET", "/", &ASKS, b"").status, 403);
}

#[test]
fn an_origin_that_switches_to_something_else_is_not_believed() {
    for head in [
        "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: foo\r\n\r\n",
        "HTTP/1.1 101 X\r\nupgrade: websocket\r\n\r\n",
        "HTTP/1.1 101 X\r\n\r\n",
    ] {
        let origin = Echo::start(head);
        let edge = edge(&origin.url, "");
        assert_eq!(edge.get_with("/", &ASKS).status, 502, "{head}");
        // Nor is one that was not asked.
        assert_eq!(edge.get("/").status, 502, "{head}");
    }
}

#[test]
fn tunnels_count_among_the_connections_of_both_sides() {
    let origin = Echo::start(SWITCHES);
    let edge = edge(&origin.url, "[limits]\nconnections_per_address = 3");
    let (first, second) = (open(&edge), open(&edge));
    let third = edge.get_with("/", &ASKS);
    assert_eq!(third.status, 503, "the origin's two are taken: {third:?}");
    let fourth = eventually("the place of the third is free", || {
        std::panic::catch_unwind(|| edge.get_with("/elsewhere", &ASKS)).ok()
    });
    assert_eq!(fourth.status, 503);
    drop(first);
    eventually("its turn comes back", || (origin.open.load(SeqCst) == 1).then_some(()));
    let again = eventually("another is let in", || {
        std::panic::catch_unwind(|| edge.get_with("/", &ASKS)).ok().filter(|reply| reply.status == 101)
    });
    assert_eq!(again.header("upgrade"), "websocket");
    drop(second);
}

#[test]
fn draining_waits_for_a_tunnel_and_then_cuts_it() {
    let origin = Echo::start(SWITCHES);
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\nwebsocket = true\n",
        origin.url
    );
    let mut edge = Edge::with_server("drain_timeout = \"2s\"", &config, &[]);
    let mut client = open(&edge);
    hears(&mut client, "hello ");
    edge.signal(Signal::SIGTERM);
    client.send(b"still");
    hears(&mut client, "STILL");
    assert!(client.is_closed());
    assert_eq!(edge.end(), Some(0));
}
