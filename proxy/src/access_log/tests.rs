//! Lines in both formats, files that are moved away, and a log that cannot keep up.

use super::{writer::Writer, *};
use crate::{
    listener::{Connection, Scheme, TlsInfo},
    trace_context::Trace,
};
use http::{HeaderMap, HeaderValue, Method, Version};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant, UNIX_EPOCH},
};

fn line() -> Box<Line> {
    let tls = TlsInfo {
        version: "TLSv1.3",
        cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
        sni: None,
        resumed: false,
        fingerprints: None,
    };
    let connection = Connection {
        peer: "[::ffff:192.0.2.7]:4711".parse().unwrap(),
        local: "127.0.0.1:443".parse().unwrap(),
        scheme: Scheme::Https,
        tls: Some(tls),
        used: Arc::default(),
    };
    let note = Note {
        at: UNIX_EPOCH + Duration::from_millis(951_782_399_500),
        began: Instant::now(),
        connection: Arc::new(connection),
        method: Method::GET,
        version: Version::HTTP_2,
        path: "/a%20b/'x'".to_owned(),
        query: Some("q=1&token=***".to_owned()),
        host: "www.example.com".to_owned(),
        referer: None,
        user_agent: Some(HeaderValue::from_bytes(b"Moz\tilla/5.0 (\xc3\xa4)").unwrap()),
        forwarded_for: Some(HeaderValue::from_static("198.51.100.1, 192.0.2.7")),
        bytes: 321,
        trace: Trace::of(&HeaderMap::new(), "id"),
    };
    Box::new(Line {
        note,
        id: "ID==".to_owned(),
        status: 206,
        location: None,
        domain: "example.com".to_owned(),
        outcome: "hit",
        result: "Hit",
        detailed: None,
        behavior: Some("/a*".to_owned()),
        ending: Ending::Whole,
        bytes: 1234,
        content_type: Some(HeaderValue::from_static("text/html; charset=utf-8")),
        content_length: Some(HeaderValue::from_static("100")),
        content_range: Some(HeaderValue::from_static("bytes 100-199/1000")),
        first_byte: Duration::from_millis(7),
        taken: Duration::from_micros(1_234_567),
    })
}

#[test]
fn the_standard_format() {
    let mut text = Format::CloudFront.heading();
    Format::CloudFront.write(&line(), &mut text);
    let values = "2000-02-28 23:59:59 - 1234 192.0.2.7 GET example.com /a%2520b/%27x%27 206 - Moz%09illa/5.0%20(%C3%A4) \
                  q=1&token=*** - Hit ID== www.example.com https 321 1.235 198.51.100.1,%20192.0.2.7 TLSv1.3 \
                  TLS_AES_128_GCM_SHA256 Hit HTTP/2.0 - - 4711 0.007 Hit text/html;%20charset=utf-8 100 100 199";
    assert_eq!(text.lines().nth(2).unwrap().replace('\t', " "), values);
    let fields = text.lines().nth(1).unwrap().strip_prefix("#Fields: ").unwrap().split(' ').count();
    assert_eq!((fields, text.lines().nth(2).unwrap().split('\t').count()), (33, 33));
}

#[test]
fn json_lines() {
    let mut text = Format::Json.heading();
    Format::Json.write(&line(), &mut text);
    let line: serde_json::Value = serde_json::from_str(text.strip_suffix('\n').unwrap()).unwrap();
    for (name, value) in [
        ("date", "2000-02-28"),
        ("time", "23:59:59"),
        ("timestamp(ms)", "951782399500"),
        ("cs-uri-stem", "/a%20b/'x'"),
        ("cs-uri-query", "q=1&token=***"),
        ("cs(User-Agent)", "Moz\tilla/5.0 (ä)"),
        ("cs(Referer)", "-"),
        ("c-ip", "192.0.2.7"),
        ("outcome", "hit"),
        ("cache-behavior-path-pattern", "/a*"),
    ] {
        assert_eq!(line[name], value, "{name}");
    }
    assert_eq!(line["trace-id"].as_str().unwrap().len(), 32);
    assert_eq!(line["connection-id"].as_str().unwrap().len(), 16);
    assert_eq!(line.as_object().unwrap().len(), 33 + 5);
}

#[test]
fn how_an_answer_ended_is_told() {
    let words = |ending| {
        let mut line = line();
        line.sent(10, ending);
        (line.result_type(), line.detailed_type(), line.bytes)
    };
    assert_eq!(words(Ending::Whole), ("Hit", "Hit", 1244));
    assert_eq!(words(Ending::Broken), ("Error", "OriginReadError", 1244));
    assert_eq!(words(Ending::Abandoned), ("Error", "ClientCommError", 1244));
}

#[test]
fn a_part_of_another_length_than_it_says_is_told() {
    for (range, status, detailed) in [
        ("bytes 100-199/1000", 206, "Hit"),
        ("bytes 100-198/1000", 206, "OriginContentRangeLengthError"),
        ("bytes 100-200/*", 206, "OriginContentRangeLengthError"),
        ("bytes 199-100/1000", 206, "OriginContentRangeLengthError"),
        ("bytes 0-18446744073709551615/1", 206, "OriginContentRangeLengthError"),
        ("bytes 100-198/1000", 200, "Hit"),
        ("bytes */1000", 206, "Hit"),
        ("nonsense", 206, "Hit"),
    ] {
        let line = Line { content_range: Some(HeaderValue::from_static(range)), status, ..*line() };
        assert_eq!(line.detailed_type(), detailed, "{range} {status}");
    }
}

fn to(path: &Path, format: Format) -> Settings {
    Settings { target: Target::File(path.to_owned()), format }
}

#[test]
fn a_file_that_was_moved_away_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("new/access.log"), folder.path().join("access.log.1"));
    let totals = Arc::new(Totals::default());
    let writer = Writer::spawn(&to(&path, Format::CloudFront), totals.clone()).unwrap();
    writer.write(line());
    writer.finish();
    std::fs::rename(&path, &moved).unwrap();
    writer.write(line());
    writer.finish();
    writer.reopen();
    writer.write(line());
    writer.finish();
    let lines = |path: &Path| std::fs::read_to_string(path).unwrap().lines().count();
    assert_eq!((lines(&moved), lines(&path)), (2 + 2, 2 + 1), "each with its heading");
    assert_eq!((totals.written(), totals.dropped()), (3, 0));
    drop(writer);
    let again = Writer::spawn(&to(&path, Format::CloudFront), totals).unwrap();
    again.write(line());
    again.finish();
    assert_eq!(lines(&path), 2 + 2, "a file that goes on has its heading already");
    assert!(Writer::spawn(&to(folder.path(), Format::Json), Arc::default()).is_err(), "a folder is no file");
}

/// X26: a log whose reader has stalled costs its lines and nothing else.
#[test]
fn a_log_that_stands_still_loses_lines_and_blocks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // Held open by a reader that never reads, so that writing fills the pipe and then waits.
    let reader = std::fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let totals = Arc::new(Totals::default());
    let writer = Writer::spawn(&to(&pipe, Format::Json), totals.clone()).unwrap();
    for _ in 0..20_000 {
        writer.write(line());
    }
    assert!(totals.dropped() > 1_000, "{} dropped", totals.dropped());
    drop(reader);
}

#[test]
fn a_pipe_without_a_reader_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let totals = Arc::new(Totals::default());
    let writer = Writer::spawn(&to(&pipe, Format::Json), totals.clone()).unwrap();
    writer.write(line());
    let mut first = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(std::fs::File::open(&pipe).unwrap()), &mut first).unwrap();
    assert!(first.starts_with('{') && first.ends_with("}\n"), "{first}");
    writer.finish();
    assert_eq!((totals.written(), totals.dropped()), (1, 0));
}

#[test]
fn what_cannot_be_written_is_counted() {
    let totals = Arc::new(Totals::default());
    let Ok(writer) = Writer::spawn(&to(Path::new("/dev/full"), Format::Json), totals.clone()) else { return };
    writer.write(line());
    writer.finish();
    assert_eq!((totals.written(), totals.dropped()), (0, 1));
}

proptest::proptest! {
    /// Whatever viewers send, a line stays one line with its fields, and JSON stays JSON.
    #[test]
    fn nothing_in_a_request_breaks_a_line(
        path in "\\PC{0,40}|[\\x00-\\x7f]{0,40}",
        query in proptest::option::of("[\\x00-\\x7f]{0,40}"),
        agent in proptest::collection::vec(0x20_u8..=0xff, 0..40),
        host in "\\PC{0,20}",
    ) {
        let mut line = line();
        line.note.user_agent = HeaderValue::from_bytes(&agent).ok();
        (line.note.path, line.note.query, line.note.host) = (path, query, host);
        let (mut standard, mut json) = (String::new(), String::new());
        Format::CloudFront.write(&line, &mut standard);
        Format::Json.write(&line, &mut json);
        let standard = standard.strip_suffix('\n').unwrap();
        proptest::prop_assert_eq!(standard.split('\t').count(), 33, "{}", standard);
        proptest::prop_assert!(standard.bytes().all(|byte| byte == b'\t' || (0x21..0x7f).contains(&byte)), "{}", standard);
        let json = json.strip_suffix('\n').unwrap();
        proptest::prop_assert!(!json.contains('\n') && serde_json::from_str::<serde_json::Value>(json).is_ok(), "{}", json);
    }
}
