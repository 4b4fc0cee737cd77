//! A raw HTTP/1.1 client: what it sends and what came back are exactly what the test says and sees.

use super::PATIENCE;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

/// A connection to the edge.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body ended as its framing promised.
    pub(crate) complete: bool,
}

impl Reply {
    /// The first value of a header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// First word of `X-Cache`.
    pub(crate) fn x_cache(&self) -> &str {
        self.header("x-cache").split(' ').next().unwrap_or_default()
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        // The edge may have refused and closed already; then the answer says so.
        let _ = self.stream.write_all(bytes);
    }

    /// Sends a request with `Host: www.example.com`.
    pub(crate) fn request(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str("host: www.example.com\r\n");
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.send(&bytes);
        self.reply(method == "HEAD")
    }

    /// Reads one response.
    pub(crate) fn reply(&mut self, to_head: bool) -> Reply {
        let mut reply = self.head();
        let bodiless = to_head || matches!(reply.status, 204 | 304) || reply.status < 200;
        if bodiless {
            reply.complete = true;
        } else if let Ok(length) = reply.header("content-length").parse::<usize>() {
            while self.buffer.len() < length && self.fill() {}
            reply.complete = self.buffer.len() >= length;
            let take = length.min(self.buffer.len());
            reply.body = self.buffer.drain(..take).collect();
        } else if reply.header("transfer-encoding") == "chunked" {
            reply.complete = self.chunks(&mut reply.body);
        } else {
            while self.fill() {}
            reply.body = std::mem::take(&mut self.buffer);
            reply.complete = true;
        }
        reply
    }

    /// Reads the head of a response and leaves its body.
    pub(crate) fn head(&mut self) -> Reply {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.fill(), "the connection ended before a response");
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Reply { status, headers, ..Reply::default() }
    }

    /// The same connection, to write to while this end reads.
    pub(crate) fn another_end(&self) -> TcpStream {
        self.stream.try_clone().unwrap()
    }

    /// Reads at least one byte of a body that is coming in.
    pub(crate) fn some_bytes(&mut self) -> Vec<u8> {
        if self.buffer.is_empty() {
            assert!(self.fill(), "the connection ended");
        }
        std::mem::take(&mut self.buffer)
    }

    /// Whether the edge closes the connection, without another byte.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && !self.fill()
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let line = loop {
                if let Some(at) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                    break self.buffer.drain(..at + 2).collect::<Vec<u8>>();
                }
                if !self.fill() {
                    return false;
                }
            };
            let size = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16).unwrap();
            while self.buffer.len() < size + 2 {
                if !self.fill() {
                    body.append(&mut self.buffer);
                    return false;
                }
            }
            body.extend(self.buffer.drain(..size));
            self.buffer.drain(..2);
            if size == 0 {
                return true;
            }
        }
    }

    fn fill(&mut self) -> bool {
        let mut piece = [0; 16 * 1024];
        // A read with a time-out is not resumed by the kernel when the process was stopped and continued.
        let read = loop {
            match self.stream.read(&mut piece) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        match read {
            Ok(length) if length > 0 => {
                self.buffer.extend_from_slice(&piece[..length]);
                true
            }
            Ok(_) => false,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("no answer: {error}"),
        }
    }
}
