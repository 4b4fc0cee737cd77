//! The framing of HTTP/1 requests, byte for byte, without a socket.

use edgehook_contract::is_token;
use memchr::{memchr, memchr2};

/// What is out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// More than one empty line before a request.
    BlankLines,
    /// A line that ends without CR.
    BareLf,
    /// A CR within a line.
    BareCr,
    /// A control byte in a head.
    ControlByte,
    /// The request line has other parts than method, target and version, or other blanks between them.
    RequestLine,
    /// A field that goes on in the next line.
    Fold,
    /// A field without a name or colon, or with a name that is no token.
    FieldName,
    /// A Content-Length that is no plain decimal number.
    ContentLength,
    /// More than one Content-Length.
    RepeatedLength,
    /// A Transfer-Encoding other than one line `chunked`.
    TransferEncoding,
    /// Content-Length beside Transfer-Encoding.
    LengthAndEncoding,
    /// A Transfer-Encoding in HTTP/1.0, which has none.
    EncodingInHttp10,
    /// A chunk's size that is not one to fifteen hexadecimal digits.
    ChunkSize,
    /// An extension of a chunk.
    ChunkExtension,
    /// A chunk that is longer than it says.
    ChunkEnd,
    /// A line, or all trailers, longer than any head may be.
    TooLong,
}

impl Violation {
    /// The word for logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::BlankLines => "blank-lines",
            Self::BareLf => "bare-lf",
            Self::BareCr => "bare-cr",
            Self::ControlByte => "control-byte",
            Self::RequestLine => "request-line",
            Self::Fold => "folded-field",
            Self::FieldName => "field-name",
            Self::ContentLength => "content-length",
            Self::RepeatedLength => "repeated-content-length",
            Self::TransferEncoding => "transfer-encoding",
            Self::LengthAndEncoding => "length-and-encoding",
            Self::EncodingInHttp10 => "encoding-in-http10",
            Self::ChunkSize => "chunk-size",
            Self::ChunkExtension => "chunk-extension",
            Self::ChunkEnd => "chunk-end",
            Self::TooLong => "too-long",
        }
    }
}

/// Longest chunk size in digits (security.md S11).
const SIZE_DIGITS: usize = 15;

/// Longest Content-Length in digits: every such number fits in 64 bits.
const LENGTH_DIGITS: usize = 18;

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before a request line; whether there was an empty line already.
    Start { blank: bool },
    /// In the fields of a head.
    Fields,
    /// In a body, so many bytes before its end.
    Body(u64),
    /// In the line of a chunk's size.
    Size,
    /// In a chunk, so many bytes before its end.
    Chunk(u64),
    /// Behind a chunk, so many bytes of CR LF seen.
    ChunkEnd(u8),
    /// In the trailers, so many bytes of them seen.
    Trailers(usize),
}

/// What a head says about its body.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    http10: bool,
    length: Option<u64>,
    chunked: bool,
}

/// Follows the messages on one connection.
#[derive(Debug)]
pub(crate) struct Scanner {
    place: Place,
    head: Head,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    longest: usize,
}

impl Scanner {
    /// `head_bytes`: largest head that the parser behind takes; it refuses larger ones in its own way.
    pub(crate) fn new(head_bytes: usize) -> Self {
        // The parser must have had its say before a line is given up.
        let longest = head_bytes.saturating_mul(2);
        Self { place: Place::Start { blank: false }, head: Head::default(), line: Vec::new(), longest }
    }

    /// Whether every byte so far belonged to a request that is over.
    pub(crate) fn is_between_requests(&self) -> bool {
        self.place == Place::Start { blank: false } && self.line.is_empty()
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// What is out of order, and how many of these bytes are sound. A line of a head counts as a whole: none of it that is in
    /// these bytes is sound. Nothing may be scanned afterwards.
    pub(crate) fn scan(&mut self, bytes: &[u8]) -> Result<(), (usize, Violation)> {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            at += match self.place {
                Place::Body(left) => {
                    let (taken, left) = pass(rest, left);
                    self.place = if left == 0 { Place::Start { blank: false } } else { Place::Body(left) };
                    taken
                }
                Place::Chunk(left) => {
                    let (taken, left) = pass(rest, left);
                    self.place = if left == 0 { Place::ChunkEnd(0) } else { Place::Chunk(left) };
                    taken
                }
                Place::ChunkEnd(seen) => {
                    if rest[0] != b"\r\n"[usize::from(seen)] {
                        return Err((at, Violation::ChunkEnd));
                    }
                    self.place = if seen == 0 { Place::ChunkEnd(1) } else { Place::Size };
                    1
                }
                Place::Size => self.size(rest).map_err(|(sound, violation)| (at + sound, violation))?,
                Place::Start { .. } | Place::Fields | Place::Trailers(_) => {
                    self.take_line(rest).map_err(|violation| (at, violation))?
                }
            };
        }
        Ok(())
    }

    /// Takes a line, or the beginning of one; how many bytes that is.
    fn take_line(&mut self, rest: &[u8]) -> Result<usize, Violation> {
        let Some(end) = memchr(b'\n', rest) else {
            if self.line.len() + rest.len() > self.longest {
                return Err(Violation::TooLong);
            }
            self.line.extend_from_slice(rest);
            return Ok(rest.len());
        };
        if self.line.is_empty() {
            self.whole_line(&rest[..end])?;
        } else {
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(&rest[..end]);
            self.whole_line(&line)?;
            line.clear();
            self.line = line;
        }
        Ok(end + 1)
    }

    /// A line without its LF.
    fn whole_line(&mut self, line: &[u8]) -> Result<(), Violation> {
        let line = line.strip_suffix(b"\r").ok_or(Violation::BareLf)?;
        if let Some(found) = memchr2(b'\r', 0, line) {
            return Err(if line[found] == b'\r' { Violation::BareCr } else { Violation::ControlByte });
        }
        match self.place {
            Place::Start { blank } if line.is_empty() => {
                if blank {
                    return Err(Violation::BlankLines);
                }
                self.place = Place::Start { blank: true };
            }
            Place::Start { .. } => {
                self.head = Head { http10: request_line(line)?, ..Head::default() };
                self.place = Place::Fields;
            }
            Place::Trailers(_) if line.is_empty() => self.place = Place::Start { blank: false },
            Place::Trailers(seen) => {
                let seen = seen + line.len();
                field(line)?;
                if seen > self.longest / 2 {
                    return Err(Violation::TooLong);
                }
                self.place = Place::Trailers(seen);
            }
            _ if line.is_empty() => self.place = self.body()?,
            _ => self.head.take(field(line)?)?,
        }
        Ok(())
    }

    /// Where the bytes behind a head belong.
    fn body(&self) -> Result<Place, Violation> {
        let Head { http10, length, chunked } = self.head;
        match (chunked, length) {
            (true, Some(_)) => Err(Violation::LengthAndEncoding),
            (true, None) if http10 => Err(Violation::EncodingInHttp10),
            (true, None) => Ok(Place::Size),
            (false, Some(length)) if length > 0 => Ok(Place::Body(length)),
            (false, _) => Ok(Place::Start { blank: false }),
        }
    }

    /// Takes the line of a chunk's size, or the beginning of one. Byte by byte, because a parser that forgives extensions takes
    /// what follows a semicolon whatever it is.
    fn size(&mut self, rest: &[u8]) -> Result<usize, (usize, Violation)> {
        for (at, byte) in rest.iter().enumerate() {
            let complete = self.line.last() == Some(&b'\r');
            match byte {
                b'\n' if complete => {
                    self.line.pop();
                    let digits = std::str::from_utf8(&self.line).unwrap_or_default();
                    let size = u64::from_str_radix(digits, 16).map_err(|_| (at, Violation::ChunkSize))?;
                    self.line.clear();
                    self.place = if size == 0 { Place::Trailers(0) } else { Place::Chunk(size) };
                    return Ok(at + 1);
                }
                b'\r' if !complete && !self.line.is_empty() => self.line.push(b'\r'),
                _ if complete => return Err((at, Violation::BareCr)),
                byte if byte.is_ascii_hexdigit() && self.line.len() < SIZE_DIGITS => self.line.push(*byte),
                b';' => return Err((at, Violation::ChunkExtension)),
                b'\n' => return Err((at, Violation::BareLf)),
                _ => return Err((at, Violation::ChunkSize)),
            }
        }
        Ok(rest.len())
    }
}

impl Head {
    fn take(&mut self, (name, value): (&[u8], &[u8])) -> Result<(), Violation> {
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = !value.is_empty() && value.len() <= LENGTH_DIGITS && value.iter().all(u8::is_ascii_digit);
            // Origins could take a zero in front for octal.
            if !digits || (value[0] == b'0' && value.len() > 1) {
                return Err(Violation::ContentLength);
            }
            let number = value.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
            if self.length.replace(number).is_some() {
                return Err(Violation::RepeatedLength);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding")
            && (!value.eq_ignore_ascii_case(b"chunked") || std::mem::replace(&mut self.chunked, true))
        {
            return Err(Violation::TransferEncoding);
        }
        Ok(())
    }
}

/// How many of `bytes` belong to the `left` ones, and how many of those are still to come.
fn pass(bytes: &[u8], left: u64) -> (usize, u64) {
    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    (taken, left - taken as u64)
}

/// Whether the request is one of HTTP/1.0.
fn request_line(line: &[u8]) -> Result<bool, Violation> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Violation::RequestLine);
    };
    if !is_token(method) || target.is_empty() || target.iter().any(u8::is_ascii_control) {
        return Err(Violation::RequestLine);
    }
    match version {
        b"HTTP/1.1" => Ok(false),
        b"HTTP/1.0" => Ok(true),
        _ => Err(Violation::RequestLine),
    }
}

/// Name and trimmed value.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Violation> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Violation::Fold);
    }
    let colon = memchr(b':', line).ok_or(Violation::FieldName)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if !is_token(name) {
        return Err(Violation::FieldName);
    }
    if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(Violation::ControlByte);
    }
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !blank(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    Ok((name, &value[start..end]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 1000;

    /// The verdict, and how many bytes were sound, over parts of so many bytes.
    fn scan(bytes: &[u8], part: usize) -> (usize, Option<Violation>) {
        let (mut scanner, mut sound) = (Scanner::new(LIMIT), 0);
        for part in bytes.chunks(part) {
            match scanner.scan(part) {
                Ok(()) => sound += part.len(),
                Err((more, violation)) => return (sound + more, Some(violation)),
            }
        }
        (sound, None)
    }

    fn verdict(bytes: &str) -> Option<Violation> {
        let (whole, verdict) = scan(bytes.as_bytes(), usize::MAX);
        for part in 1..20 {
            let (sound, cut) = scan(bytes.as_bytes(), part);
            assert_eq!(cut, verdict, "{bytes:?} in parts of {part}");
            assert!(sound >= whole, "{bytes:?} in parts of {part}");
        }
        verdict
    }

    const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

    #[test]
    fn what_is_in_order_passes() {
        let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(LIMIT));
        for sound in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.0\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \t \r\nZ: a\tb \u{e9}\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /POST / HTTP/1.1\r\ncontent-length:0\r\n\r\nM-SEARCH * HTTP/1.1\r\n\r\n",
            &format!(
                "{CHUNKED}5\r\nhello\r\nfF\r\n{}\r\n0\r\n\r\n{CHUNKED}0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n\r\n",
                "x".repeat(255)
            ),
            "POST / HTTP/1.1\r\nTRANSFER-ENCODING: \tChunked \r\n\r\n000000000000001\r\nx\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 999999999999999999\r\n\r\n",
            &long,
        ] {
            assert_eq!(verdict(sound), None, "{sound:?}");
        }
    }

    #[test]
    fn heads_that_are_read_differently_elsewhere() {
        use Violation as V;
        let line = |line: &str| format!("{line}\r\nHost: a\r\n\r\n");
        let with = |fields: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
        for (bytes, violation) in [
            ("\r\n\r\nGET / HTTP/1.1\r\n\r\n".to_owned(), V::BlankLines),
            ("GET / HTTP/1.1\n\n".to_owned(), V::BareLf),
            ("GET / HTTP/1.1\r\nHost: a\n\r\n".to_owned(), V::BareLf),
            ("GET / HTTP/1.1\r\n\n".to_owned(), V::BareLf),
            ("\nGET / HTTP/1.1\r\n\r\n".to_owned(), V::BareLf),
            ("GET / HTTP/1.1\rX: y\r\n\r\n".to_owned(), V::BareCr),
            (with("X: a\rb"), V::BareCr),
            (with("X: a\0b"), V::ControlByte),
            (with("X: a\u{7}b"), V::ControlByte),
            (with("X: a\u{7f}b"), V::ControlByte),
            (line("GET  / HTTP/1.1"), V::RequestLine),
            (line(" GET / HTTP/1.1"), V::RequestLine),
            (line("GET / HTTP/1.1 "), V::RequestLine),
            (line("GET\t/ HTTP/1.1"), V::RequestLine),
            (line("GET /\u{b} HTTP/1.1"), V::RequestLine),
            (line("GET / HTTP/1.2"), V::RequestLine),
            (line("GET / HTTP/2.0"), V::RequestLine),
            (line("GET / http/1.1"), V::RequestLine),
            (line("GET / HTTP/01.1"), V::RequestLine),
            (line("GET /"), V::RequestLine),
            (line("GET"), V::RequestLine),
            (line("G(T / HTTP/1.1"), V::RequestLine),
            (with("X: a\r\n b"), V::Fold),
            (with(" X: a"), V::Fold),
            (with("X : a"), V::FieldName),
            (with(": a"), V::FieldName),
            (with("X"), V::FieldName),
            (with("X Y: a"), V::FieldName),
            (with("X\u{e9}: a"), V::FieldName),
        ] {
            assert_eq!(verdict(&bytes), Some(violation), "{bytes:?}");
        }
    }

    #[test]
    fn lengths_and_encodings_that_are_read_differently_elsewhere() {
        use Violation as V;
        let with = |fields: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
        for value in ["+5", "-1", "0x5", "5,5", "5 5", "1_0", "", "5;", "00001", "010", "1000000000000000000", "\u{b}5"]
        {
            let bytes = with(&format!("Content-Length: {value}"));
            let control = value.starts_with('\u{b}');
            assert_eq!(verdict(&bytes), Some(if control { V::ControlByte } else { V::ContentLength }), "{bytes:?}");
        }
        for value in [
            "xchunked",
            "chunked;a=b",
            "identity",
            "gzip, chunked",
            ",chunked",
            "chunked,",
            "\u{e9}chunked",
            "",
            "chun ked",
        ] {
            let bytes = with(&format!("Transfer-Encoding: {value}"));
            assert_eq!(verdict(&bytes), Some(V::TransferEncoding), "{bytes:?}");
        }
        for (fields, violation) in [
            ("Content-Length: 5\r\nContent-Length: 5", V::RepeatedLength),
            ("Content-Length: 5\r\nContent-Length: 6", V::RepeatedLength),
            ("Transfer-Encoding: chunked\r\ntransfer-encoding: chunked", V::TransferEncoding),
            ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", V::TransferEncoding),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked", V::LengthAndEncoding),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5", V::LengthAndEncoding),
            ("Transfer-Encoding : chunked", V::FieldName),
        ] {
            assert_eq!(verdict(&with(fields)), Some(violation), "{fields:?}");
        }
        let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(verdict(old), Some(V::EncodingInHttp10));
    }

    #[test]
    fn chunks_that_are_read_differently_elsewhere() {
        use Violation as V;
        for (body, violation) in [
            ("0x1\r\n", V::ChunkSize),
            ("-1\r\n", V::ChunkSize),
            ("+1\r\n", V::ChunkSize),
            (" 1\r\n", V::ChunkSize),
            ("1 \r\n", V::ChunkSize),
            ("\r\n", V::ChunkSize),
            ("0000000000000001\r\n", V::ChunkSize),
            ("1;a\r\n", V::ChunkExtension),
            ("0;a=\"\r\n\r\n", V::ChunkExtension),
            ("1\n", V::BareLf),
            ("1\rx", V::BareCr),
            ("1\r\r\n", V::BareCr),
            ("1\r\nxy\r\n", V::ChunkEnd),
            ("1\r\nx\n0\r\n\r\n", V::ChunkEnd),
            ("1\r\nx\rX", V::ChunkEnd),
            ("0\r\nX: y\n\r\n", V::BareLf),
            ("0\r\nX\r\n\r\n", V::FieldName),
            ("0\r\n X: y\r\n\r\n", V::Fold),
            ("0\r\nX: \0\r\n\r\n", V::ControlByte),
            ("0\r\n\r\n\r\n\r\n", V::BlankLines),
        ] {
            assert_eq!(verdict(&format!("{CHUNKED}{body}")), Some(violation), "{body:?}");
        }
        let trailers = "X: y\r\n".repeat(LIMIT);
        assert_eq!(verdict(&format!("{CHUNKED}0\r\n{trailers}\r\n")), Some(V::TooLong));
        let line = format!("GET /{}", "x".repeat(2 * LIMIT));
        assert_eq!(verdict(&line), Some(V::TooLong));
    }

    #[test]
    fn nothing_of_a_line_that_is_out_of_order_is_sound() {
        let first = "GET / HTTP/1.1\r\n";
        let bytes = format!("{first}X : y\r\n\r\n");
        assert_eq!(scan(bytes.as_bytes(), usize::MAX), (first.len(), Some(Violation::FieldName)));
        let bytes = format!("{CHUNKED}1;x\r\n");
        assert_eq!(scan(bytes.as_bytes(), 1), (CHUNKED.len() + 1, Some(Violation::ChunkExtension)));
    }

    proptest! {
        /// However it is cut, the same bytes have the same verdict, and no bytes make the scanner fail otherwise.
        #[test]
        fn cuts_do_not_matter(
            bytes in "((GET|POST) / HTTP/1[.][01]\r\n|(content-length|transfer-encoding|x) ?: ?(chunked|[0-9]{1,2}|a)\r?\n|\r\n|[0-9a-f;]{1,2}\r\n|[a-c\0\r\n]{0,4}){0,12}",
            part in 1_usize..9,
        ) {
            prop_assert_eq!(scan(bytes.as_bytes(), usize::MAX).1, scan(bytes.as_bytes(), part).1);
        }
    }
}
