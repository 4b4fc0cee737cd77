//! The conformance vectors of cloudfront-functions.md 13, through real sockets: a viewer, the edge, an origin.
//!
//! A [`Row`] is a request, what the function does with it, and what is expected; its number is the vector's. All rows of a hook
//! are one function, which picks the row by the request header `x-row`; [`check`] runs them. Vectors that need a configuration or a
//! sequence of their own are tests in the other modules, named by the numbers. Not here: the lint's own vectors, which are its unit
//! tests and those of `check`.

mod apart;
mod origins;
mod outside;
mod requests;
mod responses;
mod stores;
mod tested;

use crate::harness::{Answer, Client, Edge, Origin, Reply, origin::Seen};
use std::fmt::Write as _;

/// One vector.
#[derive(Clone, Copy, Default)]
struct Row {
    number: u16,
    /// Path and query of the request.
    target: &'static str,
    /// More header lines of the request, as bytes.
    head: &'static [&'static [u8]],
    /// Statements of the function; what it was given is returned unless they return something.
    run: &'static str,
    /// Header lines of the origin's answer, which has the body `original`.
    answer: &'static [&'static str],
    /// The origin's status; 0: 200.
    status: u16,
    expect: &'static [Expect],
}

#[derive(Clone, Copy, Debug)]
enum Expect {
    /// 502 with `FunctionValidationError`.
    Invalid,
    /// 503 with `FunctionExecutionError`.
    Failed,
    /// `X-Cache: FunctionGeneratedResponse`, and the origin was not asked.
    Generated,
    /// Status of the answer.
    Status(u16),
    /// Body of the answer.
    Body(&'static str),
    /// First word of `X-Cache`.
    Cache(&'static str),
    /// A header line of the answer, once for each time it is expected.
    Line(&'static str),
    /// No line of the answer begins so.
    NoLine(&'static str),
    /// Path and query that the origin got.
    Asked(&'static str),
    /// A header line that the origin got, as bytes.
    Sent(&'static [u8]),
    /// A line of the function's log.
    Logged(&'static str),
}

const PRELUDE: &str = "import cf from 'cloudfront'; import crypto from 'crypto'; import querystring from 'querystring';
    const say = (value) => ({ statusCode: 200, body: String(value) });
    let n = 0; const table = { a: 'built at the top level' };\n";

/// The function that holds all rows of a hook.
fn function(rows: &[Row], response: bool) -> String {
    let mut source = PRELUDE.to_owned();
    source.push_str("const rows = {\n");
    for row in rows {
        let (parameters, result) = if response { ("event, r, p, h, c", "p") } else { ("event, r, h, q, c", "r") };
        let number = row.number;
        // Vectors with several cases share their number; the target tells them apart.
        writeln!(
            source,
            "'{number}:{}': async function ({parameters}) {{ {}\n; return {result}; }},",
            key(row),
            row.run
        )
        .unwrap();
    }
    source.push_str("};\nasync function handler(event) { const r = event.request;\n");
    source.push_str("const row = rows[r.headers['x-row'].value];\n");
    source.push_str(if response {
        "const p = event.response; return row(event, r, p, p.headers, p.cookies); }\n"
    } else {
        "return row(event, r, r.headers, r.querystring, r.cookies); }\n"
    });
    source
}

/// Tells rows of one number apart.
fn key(row: &Row) -> String {
    format!(
        "{:x}",
        row.run.bytes().chain(row.target.bytes()).fold(5381_u64, |hash, byte| hash.wrapping_mul(33) ^ u64::from(byte))
    )
}

const CONFIG: &str = r#"
[cache_policy.off]
ttl = { min = "0s", default = "0s", max = "0s" }
query = "all"
[function.f]
runtime = "cloudfront-js-2.0"
file = "f.js"
budget = "50ms"
"#;

/// The edge and the origin for `rows` at `hook`.
fn start(rows: &'static [Row], hook: &str) -> (Edge, Origin) {
    let origin = Origin::start(move |seen| {
        let row = seen.header("x-row").unwrap_or_default();
        let row = rows.iter().find(|known| row == format!("{}:{}", known.number, key(known)));
        let (lines, status) = row.map_or((&[][..], 200), |row| (row.answer, row.status.max(200)));
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        Answer::raw(format!("HTTP/1.1 {status} X\r\n{lines}content-length: 8\r\n\r\noriginal"))
    });
    let config = format!(
        "{CONFIG}[origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"off\"\n{hook} = \"f\"\n",
        origin.url()
    );
    let source = function(rows, hook == "viewer_response");
    (Edge::start(&config, &[("f.js", &source)]), origin)
}

/// Runs rows one after the other; every one that does not hold is named.
#[track_caller]
fn check(rows: &'static [Row], hook: &str) {
    let (edge, origin) = start(rows, hook);
    let mut failures = Vec::new();
    for row in rows {
        let before = origin.count();
        let reply = ask(&edge, row);
        let seen = origin.seen().split_off(before);
        for expect in row.expect {
            if let Err(found) = holds(*expect, &reply, &seen, &edge) {
                failures
                    .push(format!("row {}: {expect:?} of {:?} {}\n    but {found}", row.number, row.target, row.run));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {} rows:\n{}", failures.len(), rows.len(), failures.join("\n"));
}

/// Sends the request of a row.
fn ask(edge: &Edge, row: &Row) -> Reply {
    let mut bytes =
        format!("GET {} HTTP/1.1\r\nhost: www.example.com\r\nx-row: {}:{}\r\n", row.target, row.number, key(row))
            .into_bytes();
    for line in row.head {
        bytes.extend_from_slice(line);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    let mut client: Client = edge.client();
    client.send(&bytes);
    client.reply(false)
}

fn holds(expect: Expect, reply: &Reply, seen: &[Seen], edge: &Edge) -> Result<(), String> {
    let told = |holds: bool, found: String| if holds { Ok(()) } else { Err(found) };
    let failed = |status, word| {
        told(
            reply.status == status && reply.x_cache() == word && seen.len() <= 1,
            format!("{} {}", reply.status, reply.x_cache()),
        )
    };
    let lines = || reply.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>();
    let sent = || seen.iter().flat_map(|seen| seen.lines.clone()).collect::<Vec<_>>();
    let shown = || sent().iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect::<Vec<_>>();
    match expect {
        Expect::Invalid => failed(502, "FunctionValidationError"),
        Expect::Failed => failed(503, "FunctionExecutionError"),
        Expect::Generated => told(
            reply.x_cache() == "FunctionGeneratedResponse" && seen.is_empty(),
            format!("{} {} {seen:?}", reply.status, reply.x_cache()),
        ),
        Expect::Status(status) => told(reply.status == status, format!("{} {}", reply.status, reply.text())),
        Expect::Body(text) => told(reply.text() == text, reply.text()),
        Expect::Cache(word) => told(reply.x_cache() == word, reply.x_cache().to_owned()),
        Expect::Line(line) => told(lines().iter().any(|known| known == line), format!("{:?}", lines())),
        Expect::NoLine(start) => told(!lines().iter().any(|known| known.starts_with(start)), format!("{:?}", lines())),
        Expect::Asked(target) => {
            let targets: Vec<&str> = seen.iter().map(|seen| seen.target.as_str()).collect();
            told(targets == [target], format!("{targets:?} ({} {})", reply.status, reply.text()))
        }
        Expect::Sent(line) => {
            told(sent().iter().any(|known| known == line), format!("{:?} ({} {})", shown(), reply.status, reply.text()))
        }
        Expect::Logged(line) => {
            edge.says(line);
            Ok(())
        }
    }
}
