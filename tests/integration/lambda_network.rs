//! Where Lambda functions may connect to (design.md 8, security.md P08): `network = "public"` over every engine whose functions
//! make system calls themselves.

use crate::harness::{Answer, Edge, Origin, binary, engine, has_python, javascript_engines, python_engines};
use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, UdpSocket},
    process::Command,
    thread,
};

/// Attempts of a Python program: what each came to, a number of an error if it failed.
const ATTEMPTS: &str = r#"
import ctypes, errno, socket, struct, threading


def attempt(what):
    try:
        return what()
    except OSError as error:
        return errno.errorcode[error.errno]


def tcp(host, port):
    with socket.create_connection((host, port)) as connection:
        connection.sendall(b"ping")
        return connection.recv(16).decode()


def patient(port):
    with socket.socket() as plain:
        plain.settimeout(None)
        plain.connect(("127.0.0.1", port))
        plain.sendmsg([b"pi", b"ng"])
        return plain.recv(16).decode()


def mapped(port):
    with socket.socket(socket.AF_INET6) as plain:
        plain.connect(("::ffff:127.0.0.1", port))
        plain.sendall(b"ping")
        return plain.recv(16).decode()


def fast_open(port):
    with socket.socket() as plain:
        return plain.sendto(b"ping", socket.MSG_FASTOPEN, ("127.0.0.1", port))


def udp(port, send):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        send(plain, ("127.0.0.1", port))
        plain.settimeout(20)
        return plain.recv(16).decode()


def connected(plain, address):
    plain.connect(address)
    plain.send(b"ping")


class Part(ctypes.Structure):
    _fields_ = [("start", ctypes.c_char_p), ("length", ctypes.c_size_t)]


class Message(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p), ("name_length", ctypes.c_uint), ("parts", ctypes.POINTER(Part)),
        ("count", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int), ("padding", ctypes.c_int), ("length", ctypes.c_uint),
    ]


def many(plain, address):
    name = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", address[1], socket.inet_aton(address[0]))
    part = Part(b"ping", 4)
    one = lambda: Message(name, len(name), ctypes.pointer(part), 1)
    messages = (Message * 2)(one(), one())
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.sendmmsg(plain.fileno(), messages, 2, 0)
    if done == -1:
        raise OSError(ctypes.get_errno(), "sendmmsg")
    assert [done, messages[0].length, messages[1].length] == [2, 4, 4]


def attempts(tcp_port, udp_port):
    found = {
        "tcp": lambda: tcp("127.0.0.1", tcp_port),
        "patient": lambda: patient(tcp_port),
        "mapped": lambda: mapped(tcp_port),
        "fast open": lambda: fast_open(tcp_port),
        "nowhere": lambda: tcp("0.0.0.0", tcp_port),
        "sendto": lambda: udp(udp_port, lambda plain, address: plain.sendto(b"ping", address)),
        "sendmsg": lambda: udp(udp_port, lambda plain, address: plain.sendmsg([b"ping"], [], 0, address)),
        "sendmmsg": lambda: udp(udp_port, many),
        "connected": lambda: udp(udp_port, connected),
        "interfaces": lambda: "lo" in [name for _, name in socket.if_nameindex()],
        "sctp": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132),
        "route": lambda: socket.socket().setsockopt(socket.IPPROTO_IP, 4, b"\x83\x07\x04\x7f\x00\x00\x01\x00"),
    }
    return ",".join(f"{name}={attempt(what)}" for name, what in found.items())
"#;

/// What the attempts come to where loopback is not permitted.
const REFUSED: &str = "tcp=EACCES,patient=EACCES,mapped=EACCES,fast open=ENOTSUP,nowhere=EACCES,sendto=EACCES,\
    sendmsg=EACCES,sendmmsg=EACCES,connected=EACCES,interfaces=True,sctp=EPERM,route=EPERM";

/// The same where it is.
const PERMITTED: &str = "tcp=pong,patient=pong,mapped=pong,fast open=ENOTSUP,nowhere=EACCES,sendto=pong,\
    sendmsg=pong,sendmmsg=pong,connected=pong,interfaces=True,sctp=EPERM,route=EPERM";

/// Servers that answer `ping` with `pong`: their ports, for TCP and for UDP. They end with the test.
fn servers() -> (u16, u16) {
    let (tcp, udp) = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let ports = (tcp.local_addr().unwrap().port(), udp.local_addr().unwrap().port());
    thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            thread::spawn(move || {
                let mut ping = [0; 4];
                stream.read_exact(&mut ping)?;
                stream.write_all(b"pong")
            });
        }
    });
    thread::spawn(move || {
        while let Ok((_, from)) = udp.recv_from(&mut [0; 16]) {
            let _ = udp.send_to(b"pong", from);
        }
    });
    ports
}

fn edge(server: &str, kind: &str, more: &str, source: &str) -> (Edge, Origin) {
    let origin = Origin::start(|_| Answer::ok("never"));
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n{}\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\norigin_request = \"f\"\n",
        origin.url(),
        engine::function(kind, more)
    );
    let server = format!("listen = [\"http://127.0.0.1:0\"]\n{server}");
    (Edge::with_server(&server, &config, &[(engine::file(kind), &engine::code(kind, source))]), origin)
}

/// What the attempts come to on this engine, with this in `[server]`.
fn attempts(server: &str, kind: &str, more: &str) -> String {
    let source = format!(
        "{ATTEMPTS}

def lambda_handler(event, context):
    tcp_port, udp_port = event['Records'][0]['cf']['request']['uri'][1:].split('/')
    return {{'status': '200', 'body': attempts(int(tcp_port), int(udp_port))}}
"
    );
    let (edge, _origin) = edge(server, kind, more, &source);
    let (tcp, udp) = servers();
    let reply = edge.get(&format!("/{tcp}/{udp}"));
    assert_eq!(reply.status, 200, "{kind}: {}", edge.output());
    reply.text()
}

/// Whether this system lets the proxy hold gates; where it does not, functions reach everything, and `doctor` says so.
fn there_are_gates() -> bool {
    let output = Command::new(binary()).arg("doctor").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.trim_start().starts_with("network-gate"));
    let holds = line.is_some_and(|line| line.ends_with("active"));
    if !holds {
        eprintln!("NOT RUN: {}", line.unwrap_or("no environment that has a gate"));
    }
    holds
}

#[test]
fn private_addresses_are_out_of_reach() {
    if !there_are_gates() {
        return;
    }
    for kind in python_engines() {
        assert_eq!(attempts("", kind, ""), REFUSED, "{kind}");
    }
}

#[test]
fn what_is_allowed_is_reached() {
    if !there_are_gates() {
        return;
    }
    for kind in python_engines() {
        assert_eq!(attempts("allow_private_origins = [\"127.0.0.0/8\"]", kind, ""), PERMITTED, "{kind}");
        // Where nothing is judged, sending may connect, and nowhere is this machine.
        let all = attempts("", kind, "network = \"all\"");
        assert!(all.contains("tcp=pong") && all.contains("sendmmsg=pong") && all.contains("nowhere=pong"), "{all}");
    }
}

#[test]
fn javascript_reaches_what_python_does() {
    let source = "
exports.handler = async (event) => {
    const [port] = event.Records[0].cf.request.uri.slice(1).split('/');
    const got = await fetch(`http://127.0.0.1:${port}/`).then((answer) => answer.status, (error) => error.cause?.code ?? error.code);
    return { status: '200', body: String(got) };
};
";
    let reached = Origin::start(|_| Answer::ok("here"));
    let port = reached.url().rsplit_once(':').unwrap().1.trim_end_matches('/').to_owned();
    let gates = there_are_gates();
    for kind in javascript_engines().into_iter().filter(|kind| gates || *kind == "nodejs") {
        for (server, expected) in [("", "EACCES"), ("allow_private_origins = [\"127.0.0.1\"]", "200")] {
            let (edge, _origin) = edge(server, kind, "", source);
            assert_eq!(edge.get(&format!("/{port}/0")).text(), expected, "{kind} {server}");
        }
    }
}

/// A socket that is switched between waiting and not while it connects, and copied over another: whatever comes of that, it
/// does not come where it may not, and holds up neither its own function's next call nor others.
#[test]
fn games_with_sockets_open_nothing() {
    if !has_python() || !there_are_gates() {
        return;
    }
    let source = format!(
        "{ATTEMPTS}
import os, time

def lambda_handler(event, context):
    port, other = event['Records'][0]['cf']['request']['uri'][1:].split('/')
    stop, reached = threading.Event(), 0
    plain = socket.socket()
    def switch():
        while not stop.is_set():
            try:
                plain.setblocking(True)
                plain.setblocking(False)
                os.dup2(socket.socket().detach(), plain.fileno())
            except OSError:
                pass
    threads = [threading.Thread(target=switch) for _ in range(2)]
    for thread in threads: thread.start()
    end = time.monotonic() + 1
    while time.monotonic() < end:
        for address in (('127.0.0.1', int(port)), ('203.0.113.7', 9)):
            try:
                plain.connect(address)
                reached += 1
            except OSError:
                pass
    stop.set()
    for thread in threads: thread.join()
    return {{'status': '200', 'body': str(reached)}}
"
    );
    let (edge, _origin) = edge("", "python", "", &source);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for _ in 0..2 {
        assert_eq!(edge.get(&format!("/{port}/0")).text(), "0");
    }
    assert!(listener.accept().is_err(), "somebody connected");
}
