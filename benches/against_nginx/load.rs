//! The viewers: kept connections that ask in rounds, a round being one request on each and then all the answers.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// What to ask.
pub(crate) struct Asked {
    /// In turns.
    pub(crate) paths: Vec<String>,
    /// Kept connections.
    pub(crate) connections: usize,
    /// In all.
    pub(crate) requests: usize,
    /// Fields that each has besides, every line with its end.
    pub(crate) fields: &'static str,
}

/// Asks for everything, checks every answer's length and status, and says how long that took.
pub(crate) fn run(address: SocketAddr, asked: &Asked) -> Duration {
    let requests: Vec<Vec<u8>> = asked
        .paths
        .iter()
        .map(|path| {
            format!(
                "GET {path} HTTP/1.1\r\nHost: bench.test\r\nUser-Agent: bench\r\nAccept: */*\r\n{}\r\n",
                asked.fields
            )
        })
        .map(String::into_bytes)
        .collect();
    let sizes: Vec<usize> = asked.paths.iter().map(|path| super::servers::size(path)).collect();
    let connect = || {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket has this option");
        stream
    };
    let mut streams: Vec<TcpStream> = (0..asked.connections).map(|_| connect()).collect();
    let mut buffer = vec![0; 256 << 10];
    let start = Instant::now();
    let mut done = 0;
    while done < asked.requests {
        let round = asked.connections.min(asked.requests - done);
        for (index, stream) in streams.iter_mut().take(round).enumerate() {
            stream.write_all(&requests[(done + index) % requests.len()]).expect("the server reads");
        }
        for (index, stream) in streams.iter_mut().take(round).enumerate() {
            let length = answer(stream, &mut buffer);
            assert_eq!(length, sizes[(done + index) % sizes.len()], "the answer is whole");
        }
        done += round;
    }
    start.elapsed()
}

/// Reads one answer; the length of its body.
fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> usize {
    let mut filled = 0;
    let head = loop {
        let count = stream.read(&mut buffer[filled..]).expect("the server answers");
        assert!(count > 0, "the server keeps the connection");
        filled += count;
        if let Some(end) = buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    assert!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer[..head]));
    let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
    let length: usize = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|length| length.trim().parse().ok())
        .expect("the answer has a length");
    let mut left = length - (filled - head);
    while left > 0 {
        let count = stream.read(buffer).expect("the body goes on");
        assert!(count > 0, "the body is whole");
        left -= count;
    }
    length
}
