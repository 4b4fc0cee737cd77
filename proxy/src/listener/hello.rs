//! Fingerprints of a TLS viewer: JA3 and JA4, from the bytes of its ClientHello.
//!
//! rustls tells less of a ClientHello than the fingerprints need (not the order of extensions, not the point formats), so the
//! bytes are noted as they pass (`io.rs`) and read here. What is not a complete, well-formed ClientHello has no fingerprint; it
//! has no say in the handshake either way. Pure.

use md5::{Digest as _, Md5};
use sha2::Sha256;
use std::fmt::Write as _;

/// Bytes of a connection that are noted at most; a ClientHello that is longer has no fingerprint.
pub(crate) const HELLO_LIMIT: usize = 16 * 1024;

/// Fingerprints of a ClientHello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprints {
    /// JA3: 32 hexadecimal digits.
    pub ja3: String,
    /// JA4, such as `t13d1516h2_8daaf6152771_e5627efa2ab1`.
    pub ja4: String,
}

/// Content type of handshake records, and the message type of a ClientHello (RFC 8446, sections 5.1 and 4).
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

const SERVER_NAME: u16 = 0;
const GROUPS: u16 = 10;
const POINT_FORMATS: u16 = 11;
const SIGNATURES: u16 = 13;
const ALPN: u16 = 16;
const VERSIONS: u16 = 43;

/// What the fingerprints are made of, without GREASE values (RFC 8701).
#[derive(Debug, Default, PartialEq, Eq)]
struct Hello {
    version: u16,
    ciphers: Vec<u16>,
    extensions: Vec<u16>,
    groups: Vec<u16>,
    point_formats: Vec<u8>,
    signatures: Vec<u16>,
    versions: Vec<u16>,
    alpn: Option<Vec<u8>>,
}

/// The fingerprints of the ClientHello with which `bytes`, the first of a connection, begin.
pub(crate) fn fingerprints(bytes: &[u8]) -> Option<Fingerprints> {
    let hello = Hello::read(&message(bytes)?)?;
    Some(Fingerprints { ja3: hello.ja3(), ja4: hello.ja4() })
}

/// The first handshake message, put together from as many records as it takes.
fn message(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        let (kind, _version, length) = (take(&mut bytes, 1)?[0], take(&mut bytes, 2)?, number(&mut bytes, 2)?);
        if kind != HANDSHAKE {
            return None;
        }
        message.extend_from_slice(take(&mut bytes, length)?);
        let mut head = &message[..];
        if let (Some(kind), Some(length)) = (take(&mut head, 1), number(&mut head, 3))
            && head.len() >= length
        {
            return (kind[0] == CLIENT_HELLO).then(|| head[..length].to_vec());
        }
    }
}

fn take<'b>(bytes: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

fn number(bytes: &mut &[u8], width: usize) -> Option<usize> {
    Some(take(bytes, width)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

/// A vector with a length of `width` bytes in front.
fn vector<'b>(bytes: &mut &'b [u8], width: usize) -> Option<&'b [u8]> {
    let length = number(bytes, width)?;
    take(bytes, length)
}

fn pairs(bytes: &[u8]) -> Vec<u16> {
    bytes
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .filter(|value| !is_grease(*value))
        .collect()
}

fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

impl Hello {
    fn read(mut body: &[u8]) -> Option<Self> {
        let version = u16::try_from(number(&mut body, 2)?).ok()?;
        let _random = take(&mut body, 32)?;
        let _session = vector(&mut body, 1)?;
        let ciphers = pairs(vector(&mut body, 2)?);
        let _compression = vector(&mut body, 1)?;
        let mut hello = Self { version, ciphers, ..Self::default() };
        if body.is_empty() {
            return Some(hello);
        }
        let mut extensions = vector(&mut body, 2)?;
        while !extensions.is_empty() {
            let kind = u16::try_from(number(&mut extensions, 2)?).ok()?;
            let content = vector(&mut extensions, 2)?;
            if !is_grease(kind) {
                hello.extensions.push(kind);
                hello.extension(kind, content)?;
            }
        }
        Some(hello)
    }

    fn extension(&mut self, kind: u16, mut content: &[u8]) -> Option<()> {
        match kind {
            GROUPS => self.groups = pairs(vector(&mut content, 2)?),
            POINT_FORMATS => self.point_formats = vector(&mut content, 1)?.to_vec(),
            SIGNATURES => self.signatures = pairs(vector(&mut content, 2)?),
            VERSIONS => self.versions = pairs(vector(&mut content, 1)?),
            ALPN => self.alpn = Some(vector(&mut vector(&mut content, 2)?, 1)?.to_vec()),
            _ => {}
        }
        Some(())
    }

    /// `version,ciphers,extensions,groups,formats` in decimal, and its MD5 (github.com/salesforce/ja3).
    fn ja3(&self) -> String {
        let formats: Vec<u16> = self.point_formats.iter().copied().map(u16::from).collect();
        let lists = [&self.ciphers, &self.extensions, &self.groups, &formats].map(|list| joined(list, "-", decimal));
        let text = format!("{},{}", self.version, lists.join(","));
        hexadecimal(&Md5::digest(text.as_bytes()))
    }

    /// JA4 as FoxIO describes it (github.com/FoxIO-LLC/ja4, technical details).
    fn ja4(&self) -> String {
        let version = match self.versions.iter().copied().max().unwrap_or(self.version) {
            0x0304 => "13",
            0x0303 => "12",
            0x0302 => "11",
            0x0301 => "10",
            0x0300 => "s3",
            _ => "00",
        };
        let name = if self.extensions.contains(&SERVER_NAME) { 'd' } else { 'i' };
        let (ciphers, extensions) = (self.ciphers.len().min(99), self.extensions.len().min(99));
        let mut sorted = self.ciphers.clone();
        sorted.sort_unstable();
        let mut rest: Vec<u16> =
            self.extensions.iter().copied().filter(|kind| ![SERVER_NAME, ALPN].contains(kind)).collect();
        rest.sort_unstable();
        let mut second = joined(&rest, ",", four_digits);
        if !self.signatures.is_empty() {
            second = format!("{second}_{}", joined(&self.signatures, ",", four_digits));
        }
        let first = if sorted.is_empty() { String::new() } else { joined(&sorted, ",", four_digits) };
        let second = if rest.is_empty() { String::new() } else { second };
        let alpn = self.alpn_ends();
        format!("t{version}{name}{ciphers:02}{extensions:02}{alpn}_{}_{}", twelve(&first), twelve(&second))
    }

    /// First and last character of the first ALPN name; of its hexadecimal form where one of them is no letter or digit.
    fn alpn_ends(&self) -> String {
        let Some((first, last)) = self.alpn.as_deref().and_then(|name| Some((*name.first()?, *name.last()?))) else {
            return "00".to_owned();
        };
        if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
            return format!("{}{}", char::from(first), char::from(last));
        }
        format!("{:x}{:x}", first >> 4, last & 0xf)
    }
}

fn decimal(value: u16) -> String {
    value.to_string()
}

fn four_digits(value: u16) -> String {
    format!("{value:04x}")
}

fn joined(values: &[u16], separator: &str, shown: fn(u16) -> String) -> String {
    values.iter().map(|value| shown(*value)).collect::<Vec<_>>().join(separator)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing into a String cannot fail
        text
    })
}

/// Twelve digits of the SHA-256; zeros for nothing.
fn twelve(text: &str) -> String {
    if text.is_empty() { "0".repeat(12) } else { hexadecimal(&Sha256::digest(text.as_bytes())[..6]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(width: usize, bytes: &[u8]) -> Vec<u8> {
        let length = (bytes.len() as u64).to_be_bytes();
        [&length[8 - width..], bytes].concat()
    }

    fn two(values: &[u16]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_be_bytes()).collect()
    }

    /// The message of a ClientHello.
    fn hello(version: u16, ciphers: &[u16], extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let extensions: Vec<u8> =
            extensions.iter().flat_map(|(kind, content)| [two(&[*kind]), list(2, content)].concat()).collect();
        let body =
            [two(&[version]), vec![7; 32], list(1, &[]), list(2, &two(ciphers)), list(1, &[0]), list(2, &extensions)];
        [vec![CLIENT_HELLO], list(3, &body.concat())].concat()
    }

    fn record(message: &[u8]) -> Vec<u8> {
        [vec![HANDSHAKE, 3, 1], list(2, message)].concat()
    }

    /// Chrome's, as FoxIO's page takes it apart, in an order of its own and with GREASE.
    fn chrome() -> Vec<u8> {
        let ciphers = [
            0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c,
            0x009d, 0x002f, 0x0035,
        ];
        let signatures = two(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]);
        let extensions = [
            (0x2a2a, vec![]),
            (SERVER_NAME, list(2, &[vec![0], list(2, b"example.com")].concat())),
            (0x0017, vec![]),
            (0xff01, vec![0]),
            (GROUPS, list(2, &two(&[0x1a1a, 29, 23, 24]))),
            (POINT_FORMATS, list(1, &[0])),
            (0x0023, vec![]),
            (ALPN, list(2, &[list(1, b"h2"), list(1, b"http/1.1")].concat())),
            (0x0005, vec![1, 0, 0, 0, 0]),
            (SIGNATURES, list(2, &signatures)),
            (0x0012, vec![]),
            (0x0033, vec![]),
            (0x002d, vec![1, 1]),
            (VERSIONS, list(1, &two(&[0x4a4a, 0x0304, 0x0303]))),
            (0x001b, vec![]),
            (0x4469, vec![]),
            (0x0015, vec![0; 9]),
        ];
        hello(0x0303, &ciphers, &extensions)
    }

    #[test]
    fn ja4_of_the_published_example() {
        let found = fingerprints(&record(&chrome())).unwrap();
        assert_eq!(found.ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn ja3_of_the_published_example() {
        let ciphers = [47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4];
        let extensions =
            [(SERVER_NAME, vec![]), (GROUPS, list(2, &two(&[23, 24, 25]))), (POINT_FORMATS, list(1, &[0]))];
        let found = fingerprints(&record(&hello(769, &ciphers, &extensions))).unwrap();
        assert_eq!(found.ja3, "ada70206e40642a3e4461f35503241d5");
        // The page's second example has no extensions at all.
        let bare = hello(769, &[4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99], &[]);
        assert_eq!(fingerprints(&record(&bare)).unwrap().ja3, "de350869b8c85de67a350c8d186f11e6");
        assert!(fingerprints(&record(&bare)).unwrap().ja4.ends_with("_000000000000"));
    }

    #[test]
    fn a_hello_in_many_records_is_one_hello() {
        let message = chrome();
        let pieces: Vec<u8> = message.chunks(50).flat_map(record).collect();
        assert_eq!(fingerprints(&pieces), fingerprints(&record(&message)));
        let whole = record(&message);
        for cut in 0..whole.len() {
            assert_eq!(fingerprints(&whole[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn odd_protocol_names_are_shown_in_hexadecimal() {
        for (name, expected) in
            [(&b"h2"[..], "h2"), (b"http/1.1", "h1"), (b"\xab\xcd", "ad"), (b"x", "xx"), (b"", "00")]
        {
            let hello = Hello { alpn: Some(name.to_vec()), ..Hello::default() };
            assert_eq!(hello.alpn_ends(), expected);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>(), byte: u8) {
            fingerprints(&bytes);
            fingerprints(&record(&bytes));
            let mut spoilt = record(&chrome());
            let at = at.index(spoilt.len());
            spoilt[at] = byte;
            fingerprints(&spoilt);
        }
    }
}
