//! Viewer functions in the isolate host, without socket and supervisor: what an invocation costs from the decoded frame to the
//! encoded answer, and the rewind alone.
//!
//! `cargo bench -p edgehook-viewer --bench invocation`. Times are CPU time of one thread that does nothing else, so ratios within
//! one run are what counts on a busy machine.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark fails by panicking, and prints"
)]

use criterion::{Criterion, Throughput};
use edgehook_contract::{
    Header, HookPoint, RequestMessage,
    viewer::{Context, Event, Returned, Runtime},
};
use edgehook_isolate::{Budget, Isolate, IsolateAlloc, Limits, OutBuffer, ThreadConfig, on_guest_thread};
use edgehook_protocol::{
    frame::Inbox,
    viewer::{FromHost, Outcome, Program, ToHost},
    wire::{Blob, Wire as _},
};
use edgehook_viewer::host::Bare;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: IsolateAlloc = IsolateAlloc;

/// The function of the figures: index rewrite and one header.
const REWRITE: &str = "function handler(event) { var request = event.request;
    if (request.uri.endsWith('/')) { request.uri += 'index.html'; }
    request.headers['x-edge'] = { value: '1' }; return request; }";

const UNTOUCHED: &str = "function handler(event) { return event.request; }";

const LARGEST: usize = 64;

/// Header lines as browsers send them.
const HEADERS: [(&str, &str); 8] = [
    ("host", "www.example.com"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-US,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br"),
    ("referer", "https://www.example.com/"),
    ("upgrade-insecure-requests", "1"),
    ("sec-fetch-mode", "navigate"),
];

/// An event with so many headers, 2 cookies and 3 query parameters.
fn event(headers: usize) -> Event {
    assert!(headers <= LARGEST);
    let mut lines: Vec<Header> = HEADERS.iter().map(|(name, value)| Header::new(*name, *value)).collect();
    lines.extend((lines.len()..headers).map(|n| Header::new(format!("x-header-{n}"), "some value of some length")));
    lines.push(Header::new("cookie", "session=0123456789abcdef; theme=dark"));
    Event {
        hook: HookPoint::ViewerRequest,
        context: Context {
            distribution_domain_name: "www.example.com".to_owned(),
            distribution_id: "EDGEHOOK".to_owned(),
            request_id: "0123456789abcdef0123456789abcdef==".to_owned(),
        },
        viewer_ip: "192.0.2.7".to_owned(),
        request: RequestMessage {
            method: "GET".to_owned(),
            uri: "/docs/".to_owned(),
            query: Some("page=2&lang=en&sort=name".to_owned()),
            headers: lines,
        },
        response: None,
    }
}

fn program(source: &str) -> Program {
    Program {
        name: "f".to_owned(),
        file: "f.js".to_owned(),
        source: Blob(source.as_bytes().to_vec()),
        budget: 50_000,
        state_memory: 2 << 20,
        memory: 8 << 20,
        store: None,
        runtime: Runtime::Js2,
        lenient: false,
        edge: None,
    }
}

fn call(event: &Event) -> ToHost {
    let mut encoded = Vec::new();
    event.put(&mut encoded);
    ToHost::Invoke { call: 1, function: 1, entropy: [7; 32], now: 1_800_000_000_000, event: Blob(encoded) }
}

/// The answer in a frame, for a look whether the run did what it is measured for.
fn check(frame: &[u8]) {
    let mut inbox = Inbox::new();
    inbox.extend(frame);
    let Ok(Some(FromHost::Done { outcome: Outcome::Returned(_), .. })) = inbox.next_message() else {
        panic!("{:?}", String::from_utf8_lossy(frame));
    };
}

fn invocations(criterion: &mut Criterion, host: &mut Bare<'_>) {
    let mut group = criterion.benchmark_group("invocation");
    group.throughput(Throughput::Elements(1));
    let asynchronous = REWRITE.replace("function handler", "async function handler");
    for (name, source, headers) in [
        ("untouched, 8 headers", UNTOUCHED, 8),
        ("sync, 8 headers", REWRITE, 8),
        ("async, 8 headers", asynchronous.as_str(), 8),
        ("sync, 20 headers", REWRITE, 20),
        ("async, 20 headers", asynchronous.as_str(), 20),
        ("sync, 60 headers", REWRITE, 60),
        ("async, 60 headers", asynchronous.as_str(), 60),
    ] {
        let mut out = Vec::new();
        host.answer(ToHost::Deploy { function: 1, program: program(source) }, &mut out);
        let call = call(&event(headers));
        for _ in 0..100 {
            out.clear();
            host.answer(call.clone(), &mut out);
            check(&out);
        }
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                host.answer(call.clone(), &mut out);
            });
        });
        println!("{name}: {:?}", host.stats(1));
    }
}

/// A valid token under the secret of the ready-made functions, good until 2100.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJzb21lb25lIiwiZXhwIjo0MTAyNDQ0ODAwfQ.Mdil3CJd3sPTmPy35YOTrj3SsiNu9gB0x7CJ_7wIH4w";

/// The check of an HS256 token: all in JavaScript, and with the module `crypto`.
fn tokens(criterion: &mut Criterion, host: &mut Bare<'_>) {
    let mut group = criterion.benchmark_group("token");
    let by_header = include_str!("../edge-functions/hs256-token/hs256-token.js");
    let by_query = include_str!("../edge-functions/verify-jwt/verify-jwt.js");
    let (mut header, mut query) = (event(8), event(8));
    header.request.headers.push(Header::new("authorization", format!("Bearer {TOKEN}")));
    query.request.query = Some(format!("jwt={TOKEN}"));
    for (name, source, runtime, event) in
        [("in JavaScript", by_header, Runtime::Js2, header), ("with the module crypto", by_query, Runtime::Js1, query)]
    {
        let mut out = Vec::new();
        let program = Program { runtime, ..program(source) };
        host.answer(ToHost::Deploy { function: 1, program }, &mut out);
        let call = call(&event);
        for _ in 0..100 {
            out.clear();
            host.answer(call.clone(), &mut out);
            check_passed(&out);
        }
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                host.answer(call.clone(), &mut out);
            });
        });
    }
}

/// The request was let through, not answered.
fn check_passed(frame: &[u8]) {
    let mut inbox = Inbox::new();
    inbox.extend(frame);
    let Ok(Some(FromHost::Done { outcome: Outcome::Returned(Returned::Request(_)), .. })) = inbox.next_message() else {
        panic!("{:?}", String::from_utf8_lossy(frame));
    };
}

/// A run that writes to as many pages as an invocation does, and nothing else.
fn rewind(criterion: &mut Criterion, thread: &edgehook_isolate::GuestThread) {
    let mut group = criterion.benchmark_group("rewind");
    for pages in [0_usize, 20] {
        let mut out = OutBuffer::new(4096).unwrap();
        let loaded = Isolate::load(thread, Limits::default(), &mut out, |_| Ok(vec![0_u8; 1 << 20]));
        let mut isolate = loaded.unwrap();
        let budget = Budget { cpu: Duration::from_millis(50), memory: 1 << 20 };
        group.bench_function(format!("{pages} pages"), |bencher| {
            bencher.iter(|| {
                isolate.run(budget, &mut out, move |memory, _| {
                    for page in 0..pages {
                        memory[page * 8192] += 1;
                    }
                });
            });
        });
    }
}

fn main() {
    let done = on_guest_thread(ThreadConfig::default(), |thread| {
        let mut criterion = Criterion::default().configure_from_args();
        rewind(&mut criterion, thread);
        let mut host = Bare::new(thread).unwrap();
        invocations(&mut criterion, &mut host);
        tokens(&mut criterion, &mut host);
        criterion.final_summary();
    });
    done.unwrap();
}
