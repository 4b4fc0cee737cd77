//! What the cache's hardest work takes of memory: thousands of viewers who wait for one key, and bodies larger than memory.
//!
//! `cargo bench -p edgehook --bench memory` starts a server for each figure and reads the kernel's account of its memory
//! (`VmRSS`, and `VmHWM`, reset before). Names of work (`waiters`, `passing`, `storing`) as arguments select. `WAITERS` is the number of
//! viewers (10,000; each needs a descriptor here and one in the server), `BYTES` the size of the large body (1 GiB; the
//! goal speaks of 10 GB), `EDGEHOOK_BENCH_BINARY` another executable to measure. Deliberately absent: time.

#![allow(clippy::print_stdout, reason = "a benchmark tells its figures")]

#[path = "against_nginx/servers.rs"]
#[allow(dead_code, reason = "nginx is not needed here")]
mod servers;

use servers::Server;
use std::{
    fs,
    io::{BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

/// The body that all wait for: so short that ten thousand of them fit into what the kernel usually lets all sockets hold
/// (`net.ipv4.tcp_mem`); beyond that it cuts connections.
const AWAITED: u64 = 16 << 10;

/// Room for every viewer of this bench, who all come from one address, and for bodies on disk.
const ROOM: &str = "[limits]\nconnections = 60000\nconnections_per_address = 60000\n";

/// Quiet for so long, a server has done all that it can.
const QUIET: Duration = Duration::from_millis(500);

const PIECE: usize = 64 << 10;

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_chosen = |name: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == name);
    let bytes = number("BYTES", 1 << 30);
    if is_chosen("waiters") {
        waiters(usize::try_from(number("WAITERS", 10_000)).expect("a number of viewers"));
    }
    if is_chosen("passing") {
        for (framing, way) in [("with a length", "length"), ("chunked", "chunked")] {
            passing(&format!("passed on, {framing}"), "", bytes, way);
        }
    }
    if is_chosen("storing") {
        let disk = format!("[cache]\nmax_object = {bytes}\n[cache.disk]\npath = \"store\"\nsize = {}\n", bytes * 2);
        passing("stored on disk while it is passed on", &disk, bytes, "length");
    }
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |value| value.parse().expect("a number"))
}

/// Everybody asks for the same before there is an answer; then everybody gets it.
fn waiters(count: usize) {
    let origin = Origin::start();
    let server = Server::configured(origin.address, ROOM);
    let ask =
        |path: &str| format!("GET {path} HTTP/1.1\r\nHost: bench.test\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n");
    let mut viewers: Vec<BufReader<TcpStream>> = Vec::new();
    settle(&server);
    let empty = server.memory("VmRSS");
    for _ in 0..count {
        let stream = TcpStream::connect(server.address).expect("the server listens");
        // What is not a waiter's but a connection's: its first request is answered from the cache.
        viewers.push(BufReader::with_capacity(1 << 10, stream));
        let viewer = viewers.last_mut().expect("it was just put there");
        viewer.get_mut().write_all(ask("/1/length").as_bytes()).expect("the server reads");
        assert_eq!(answer(viewer), 1);
    }
    settle(&server);
    let (connected, asked) = (server.memory("VmRSS"), origin.asked.load(Relaxed));
    for viewer in &mut viewers {
        viewer.get_mut().write_all(ask(&format!("/{AWAITED}/held")).as_bytes()).expect("the server reads");
    }
    settle(&server);
    let waiting = server.memory("VmRSS");
    server.forget_peak();
    origin.gate.wait();
    let readers = 4;
    thread::scope(|scope| {
        for part in viewers.chunks_mut(count.div_ceil(readers)) {
            scope.spawn(move || part.iter_mut().for_each(|viewer| assert_eq!(answer(viewer), AWAITED, "all of it")));
        }
    });
    let peak = server.memory("VmHWM");
    let each = |bytes: u64| bytes as f64 / count as f64 / 1024.0;
    println!(
        "{count} waiters on one cold key: {} request(s) to the origin; {:.1} KiB for each while waiting, {:.1} KiB at most, without the \
         object, beyond {:.1} KiB for its kept connection",
        origin.asked.load(Relaxed) - asked,
        each(waiting.saturating_sub(connected)),
        each(peak.saturating_sub(connected).saturating_sub(AWAITED)),
        each(connected - empty),
    );
}

/// One viewer takes one body.
fn passing(name: &str, tables: &str, bytes: u64, way: &str) {
    let origin = Origin::start();
    let server = Server::configured(origin.address, tables);
    let mut viewer = BufReader::with_capacity(PIECE, TcpStream::connect(server.address).expect("the server listens"));
    let mut take = |bytes: u64| {
        let request = format!("GET /{bytes}/{way} HTTP/1.1\r\nHost: bench.test\r\n\r\n");
        viewer.get_mut().write_all(request.as_bytes()).expect("the server reads");
        assert_eq!(answer(&mut viewer), bytes, "all of it");
    };
    take(1 << 10);
    settle(&server);
    server.forget_peak();
    let before = server.memory("VmRSS");
    take(bytes);
    let grown = server.memory("VmHWM").saturating_sub(before);
    println!("{:.1} GiB {name}: memory grows by {:.1} MiB at most", gib(bytes), grown as f64 / 1048576.0);
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / (1_u64 << 30) as f64
}

/// Waits until the server does nothing any more.
fn settle(server: &Server) {
    let mut used = server.cpu();
    loop {
        thread::sleep(QUIET);
        let now = server.cpu();
        // Timers and the like run all the time.
        if now - used < QUIET / 100 {
            return;
        }
        used = now;
    }
}

/// Reads one answer, of either framing; the length of its body.
fn answer(viewer: &mut BufReader<TcpStream>) -> u64 {
    let head: Vec<String> = viewer.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    assert!(head.first().is_some_and(|line| line.starts_with("HTTP/1.1 200")), "{head:?}");
    let length = head.iter().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
    let skip = |viewer: &mut BufReader<TcpStream>, length: u64| {
        std::io::copy(&mut viewer.take(length), &mut std::io::sink()).expect("the body goes on")
    };
    if let Some(length) = length {
        return skip(viewer, length);
    }
    let mut total = 0;
    loop {
        let mut line = String::new();
        viewer.read_line(&mut line).expect("the body goes on");
        let length = u64::from_str_radix(line.trim(), 16).expect("a chunk's length");
        assert_eq!(skip(viewer, length + 2), length + 2, "the chunk is whole");
        if length == 0 {
            return total;
        }
        total += length;
    }
}

/// Answers `/BYTES/length` and `/BYTES/chunked` in these framings, and `/BYTES/held` when the gate opens.
struct Origin {
    address: SocketAddr,
    asked: Arc<AtomicU64>,
    gate: Arc<Barrier>,
}

impl Origin {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = listener.local_addr().expect("it is bound");
        let (asked, gate) = (Arc::new(AtomicU64::new(0)), Arc::new(Barrier::new(2)));
        let (counted, held) = (Arc::clone(&asked), Arc::clone(&gate));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (asked, gate) = (Arc::clone(&counted), Arc::clone(&held));
                // The server may leave in the middle of a body.
                thread::spawn(move || drop(serve(stream, &asked, &gate)));
            }
        });
        Self { address, asked, gate }
    }
}

fn serve(mut stream: TcpStream, asked: &AtomicU64, gate: &Barrier) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    loop {
        let head: Vec<String> = lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let Some(target) = head.first().and_then(|line| line.split(' ').nth(1)) else { return Ok(()) };
        asked.fetch_add(1, Relaxed);
        let mut left = servers::size(target) as u64;
        if target.ends_with("/held") {
            gate.wait();
        }
        let chunked = target.ends_with("/chunked");
        let framing = if chunked { "Transfer-Encoding: chunked".to_owned() } else { format!("Content-Length: {left}") };
        write!(stream, "HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\n{framing}\r\n\r\n")?;
        let piece = [b'x'; PIECE];
        while left > 0 {
            let now = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            if chunked {
                write!(stream, "{now:x}\r\n")?;
            }
            stream.write_all(&piece[..now])?;
            if chunked {
                stream.write_all(b"\r\n")?;
            }
            left -= now as u64;
        }
        if chunked {
            stream.write_all(b"0\r\n\r\n")?;
        }
    }
}

impl Server {
    /// A line of the kernel's account of its memory, in bytes.
    fn memory(&self, line: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).expect("it runs");
        let line = status.lines().find(|text| text.starts_with(line)).expect("the kernel counts memory");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") << 10
    }

    /// The highest value of `VmHWM` counts from now.
    fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.id()), "5").expect("its owner may");
    }
}
