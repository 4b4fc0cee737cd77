//! Viewer functions in the isolate host, without socket and supervisor: what an invocation costs from the decoded frame to the
//! encoded answer, and the rewind alone, and reads of a key value store.
//!
//! `cargo bench -p edgehook-viewer --bench invocation`: CPU time of the one thread that does it all. On a busy machine caches are
//! shared, so that ratios within one run count for more than the figures.
//!
//! `cargo bench -p edgehook-viewer --bench invocation -- --instructions`: instructions instead of time, counted by valgrind where
//! there is one; they are the same on every machine.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark fails by panicking, and prints"
)]

use criterion::{
    Criterion, Throughput,
    measurement::{Measurement, ValueFormatter, WallTime},
};
use edgehook_contract::{
    Header, HookPoint, RequestMessage,
    viewer::{Context, Event, Returned, Runtime},
};
use edgehook_isolate::{Budget, Isolate, IsolateAlloc, Limits, OutBuffer, ThreadConfig, on_guest_thread};
use edgehook_kvs::{Meta, Snapshot};
use edgehook_protocol::{
    frame::Inbox,
    viewer::{FromHost, Outcome, Program, StoreLink, ToHost},
    wire::{Blob, Wire as _},
};
use edgehook_viewer::host::Bare;
use nix::time::{ClockId, clock_gettime};
use std::{env, process::Command, time::Duration};

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

/// CPU time of the calling thread, which others on the machine cannot take.
struct CpuTime;

impl CpuTime {
    fn now() -> Duration {
        clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
    }
}

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        Self::now()
    }

    fn end(&self, start: Duration) -> Duration {
        Self::now() - start
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// The functions that are measured, with the number of headers in their events.
fn cases() -> Vec<(String, String, usize)> {
    let asynchronous = REWRITE.replace("function handler", "async function handler");
    let mut cases = vec![("untouched, 8 headers".to_owned(), UNTOUCHED.to_owned(), 8)];
    for headers in [8, 20, 60] {
        cases.push((format!("sync, {headers} headers"), REWRITE.to_owned(), headers));
        cases.push((format!("async, {headers} headers"), asynchronous.clone(), headers));
    }
    cases
}

/// Loads a function and runs it until nothing is new to it; a call to repeat.
fn loaded(host: &mut Bare<'_>, source: &str, headers: usize) -> ToHost {
    let mut out = Vec::new();
    host.answer(ToHost::Deploy { function: 1, program: program(source) }, &mut out);
    let call = call(&event(headers));
    for _ in 0..100 {
        out.clear();
        host.answer(call.clone(), &mut out);
        check(&out);
    }
    call
}

fn invocations(criterion: &mut Criterion<CpuTime>, host: &mut Bare<'_>) {
    let mut group = criterion.benchmark_group("invocation");
    group.throughput(Throughput::Elements(1));
    for (name, source, headers) in cases() {
        let (call, mut out) = (loaded(host, &source, headers), Vec::new());
        group.bench_function(&name, |bencher| {
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
fn tokens(criterion: &mut Criterion<CpuTime>, host: &mut Bare<'_>) {
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

/// Reads of a store with 10,000 keys: what a run costs with none, one and ten of them, so that a lookup is the difference.
fn lookups(criterion: &mut Criterion<CpuTime>, host: &mut Bare<'_>) {
    let entries: Vec<(String, String)> =
        (0..10_000).map(|n| (format!("/old/path/{n}"), format!("https://www.example.com/new/path/{n}"))).collect();
    let list = entries.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    host.store(1, &Snapshot::encode(Meta::default(), list)).unwrap();
    let mut group = criterion.benchmark_group("key value store");
    for reads in [0_usize, 1, 10] {
        let source = format!(
            "import cf from 'cloudfront'; const store = cf.kvs();
            async function handler(event) {{
                var request = event.request;
                for (var i = 0; i < {reads}; i++) {{ request.uri = await store.get('/old/path/' + (i * 977)); }}
                request.uri = '/'; return request; }}"
        );
        let link = StoreLink { number: 1, id: "store".to_owned() };
        let mut out = Vec::new();
        host.answer(
            ToHost::Deploy { function: 2, program: Program { store: Some(link), ..program(&source) } },
            &mut out,
        );
        let ToHost::Invoke { call, entropy, now, event, .. } = call(&event(8)) else { unreachable!() };
        let call = ToHost::Invoke { call, function: 2, entropy, now, event };
        for _ in 0..100 {
            out.clear();
            host.answer(call.clone(), &mut out);
            check(&out);
        }
        group.bench_function(format!("{reads} reads"), |bencher| {
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
fn rewind(criterion: &mut Criterion<CpuTime>, thread: &edgehook_isolate::GuestThread) {
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

/// Instructions of one run of this executable, or why they were not counted.
fn counted(case: usize, calls: usize) -> Result<u64, String> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new("valgrind");
    // Of its tools the one that counts without a look at calls, which signals confuse.
    command.args(["--tool=exp-bbv", "--instr-count-only=yes", "--bb-out-file=/dev/null"]).arg(this);
    command.args(["--count", &case.to_string(), &calls.to_string()]);
    let output = command.output().map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // A line for each thread.
    let threads = said.lines().filter_map(|line| line.split_once("Total instructions: ")?.1.trim().parse::<u64>().ok());
    Some(threads.sum()).filter(|_| output.status.success()).ok_or(said)
}

fn instructions() {
    for (number, (name, ..)) in cases().iter().enumerate() {
        match counted(number, 1000).and_then(|first| Ok(counted(number, 3000)? - first)) {
            Ok(instructions) => println!("{name}: {} instructions for each invocation", instructions / 2000),
            Err(why) => return println!("SKIPPED, instructions cannot be counted here: {why}"),
        }
    }
}

/// Runs one case so often, and nothing else.
fn count(case: usize, calls: usize) {
    // Valgrind has few addresses to give away.
    let config = ThreadConfig { addresses: 1 << 30, ..ThreadConfig::default() };
    on_guest_thread(config, |thread| {
        let mut host = Bare::new(thread).unwrap();
        host.set_load_budget(Duration::from_secs(60));
        let (_, source, headers) = cases().swap_remove(case);
        let (call, mut out) = (loaded(&mut host, &source, headers), Vec::new());
        for _ in 0..calls {
            out.clear();
            host.answer(call.clone(), &mut out);
        }
    })
    .unwrap();
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let numbers: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    match numbers[..] {
        [case, calls] if arguments.iter().any(|argument| argument == "--count") => return count(case, calls),
        _ if arguments.iter().any(|argument| argument == "--instructions") => return instructions(),
        _ => {}
    }
    let done = on_guest_thread(ThreadConfig::default(), |thread| {
        let mut criterion = Criterion::default().with_measurement(CpuTime).configure_from_args();
        rewind(&mut criterion, thread);
        let mut host = Bare::new(thread).unwrap();
        invocations(&mut criterion, &mut host);
        tokens(&mut criterion, &mut host);
        lookups(&mut criterion, &mut host);
        criterion.final_summary();
    });
    done.unwrap();
}
