//! A scripted origin: a real socket whose answers are written by the test, byte for byte if need be.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

/// A request as the origin saw it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    /// The header lines as they came.
    pub(crate) lines: Vec<Vec<u8>>,
    pub(crate) body: Vec<u8>,
    /// Which request of its connection, from 1.
    pub(crate) nth: usize,
}

impl Seen {
    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// What the origin does with a request.
pub(crate) struct Answer {
    pieces: Vec<Piece>,
    close: Close,
}

enum Piece {
    Bytes(Vec<u8>),
    /// Waits until the test says so (or its sender is gone).
    Gate(mpsc::Receiver<()>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Close {
    No,
    Orderly,
    Reset,
}

impl Answer {
    /// A complete response with `Content-Length`.
    pub(crate) fn new(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let mut head = format!("HTTP/1.1 {status} X\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        Self { pieces: vec![Piece::Bytes(head.into_bytes())], close: Close::No }
    }

    /// 200 with a lifetime of a minute.
    pub(crate) fn cached(body: &str) -> Self {
        Self::new(200, &[("cache-control", "max-age=60")], body)
    }

    /// 200 without anything about caching.
    pub(crate) fn ok(body: &str) -> Self {
        Self::new(200, &[], body)
    }

    /// Exactly these bytes, then an orderly close.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { pieces: vec![Piece::Bytes(bytes.into())], close: Close::Orderly }
    }

    /// A head without a body, on a connection that stays.
    pub(crate) fn head_only(head: &str) -> Self {
        Self { pieces: vec![Piece::Bytes(head.as_bytes().to_vec())], close: Close::No }
    }

    /// The same, with a reset instead of a close.
    pub(crate) fn reset(mut self) -> Self {
        self.close = Close::Reset;
        self
    }

    /// More bytes behind what there is.
    pub(crate) fn then(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.pieces.push(Piece::Bytes(bytes.into()));
        self
    }

    /// A pause behind what there is, until the test sends or drops the gate's other end.
    pub(crate) fn wait(mut self, gate: mpsc::Receiver<()>) -> Self {
        self.pieces.push(Piece::Gate(gate));
        self
    }

    /// A pause in front of everything.
    pub(crate) fn after(mut self, gate: mpsc::Receiver<()>) -> Self {
        self.pieces.insert(0, Piece::Gate(gate));
        self
    }
}

type Script = dyn Fn(&Seen) -> Answer + Send + Sync;

/// A scripted origin on loopback.
pub(crate) struct Origin {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
}

impl Origin {
    /// An origin that answers each request as `script` says.
    pub(crate) fn start(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let script: Arc<Script> = Arc::new(script);
        let (log, count) = (seen.clone(), connections.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let (script, log) = (script.clone(), log.clone());
                thread::spawn(move || serve(stream, &script, &log));
            }
        });
        Self { address, seen, connections }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The only request so far.
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }

    /// How many requests there were.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, script: &Arc<Script>, log: &Mutex<Vec<Seen>>) {
    let mut buffer = Vec::new();
    let mut nth = 0;
    while let Some(mut seen) = read_request(&mut stream, &mut buffer) {
        nth += 1;
        seen.nth = nth;
        log.lock().unwrap().push(seen.clone());
        let answer = script(&seen);
        for piece in answer.pieces {
            match piece {
                Piece::Bytes(bytes) => {
                    if stream.write_all(&bytes).is_err() {
                        return;
                    }
                }
                Piece::Gate(gate) => drop(gate.recv()),
            }
        }
        match answer.close {
            Close::No => {}
            Close::Orderly => {
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
            Close::Reset => {
                // Closing with unread input in the receive queue, or with this option, sends RST.
                let socket = socket2::SockRef::from(&stream);
                let _ = socket.set_linger(Some(std::time::Duration::ZERO));
                return;
            }
        }
    }
}

fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        fill(stream, buffer)?;
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    let raw = buffer[..head_end - 4].split(|&byte| byte == b'\n').skip(1);
    let raw = raw.map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec()).collect();
    buffer.drain(..head_end);
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut seen = Seen { method, target, headers, lines: raw, ..Seen::default() };
    if let Some(length) = seen.header("content-length").and_then(|length| length.parse::<usize>().ok()) {
        while buffer.len() < length {
            fill(stream, buffer)?;
        }
        seen.body = buffer.drain(..length).collect();
    } else if seen.header("transfer-encoding").is_some() {
        seen.body = read_chunks(stream, buffer)?;
    }
    Some(seen)
}

fn read_chunks(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line_end = loop {
            if let Some(at) = buffer.windows(2).position(|window| window == b"\r\n") {
                break at;
            }
            fill(stream, buffer)?;
        };
        let size = usize::from_str_radix(String::from_utf8_lossy(&buffer[..line_end]).trim(), 16).ok()?;
        buffer.drain(..line_end + 2);
        while buffer.len() < size + 2 {
            fill(stream, buffer)?;
        }
        body.extend(buffer.drain(..size));
        buffer.drain(..2);
        if size == 0 {
            return Some(body);
        }
    }
}

fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut piece = [0; 16 * 1024];
    match stream.read(&mut piece) {
        Ok(length) if length > 0 => {
            buffer.extend_from_slice(&piece[..length]);
            Some(())
        }
        _ => None,
    }
}
