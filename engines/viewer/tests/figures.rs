//! Figures of isolate hosts behind their supervisor: CPU time by the processes' own clocks, latency, memory, and a soak.
//!
//! `cargo test --release -p edgehook-viewer --test figures -- --ignored --nocapture --test-threads 1 round_trips`, or another of the
//! names below; without one all of them, which takes some minutes. What a run costs inside the host is in `benches/invocation.rs`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests fail by panicking, and this one prints figures")]

use edgehook_contract::{
    Header, HookPoint, RequestMessage,
    viewer::{Context, Event},
};
use edgehook_protocol::viewer::{Outcome, ProblemKind};
use edgehook_sandbox::CpuClock;
use edgehook_viewer::supervisor::{FunctionId, HostSettings, Hosts, Surroundings, ViewerFunction};
use std::{
    fs,
    os::fd::OwnedFd,
    process::Command,
    time::{Duration, Instant},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const REWRITE: &str = "function handler(event) { var request = event.request;
    if (request.uri.endsWith('/')) { request.uri += 'index.html'; }
    request.headers['x-edge'] = { value: '1' }; return request; }";

fn event(headers: usize) -> Event {
    let mut lines: Vec<Header> =
        (0..headers).map(|n| Header::new(format!("x-header-{n}"), "some value of some length")).collect();
    lines[0] = Header::new("host", "www.example.com");
    lines.push(Header::new("cookie", "session=0123456789abcdef; theme=dark"));
    Event {
        hook: HookPoint::ViewerRequest,
        context: Context::default(),
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

fn hosts(count: usize) -> Hosts {
    let mut settings = HostSettings::new(env!("CARGO_BIN_EXE_edgehook-isolate-host").into(), Vec::new());
    settings.hosts = count;
    Hosts::spawn(settings)
}

async fn all_up(hosts: &Hosts, count: usize) {
    while hosts.ready() < count {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn function(source: &str) -> ViewerFunction {
    ViewerFunction {
        name: "f".to_owned(),
        file: "f.js".to_owned(),
        source: source.as_bytes().to_vec(),
        budget: Duration::from_millis(1),
        state_memory: ViewerFunction::STATE_MEMORY,
        memory: ViewerFunction::MEMORY,
        store: None,
        surroundings: Surroundings::default(),
    }
}

/// Calls that must succeed, so many at a time; the latency of each, in order of length.
async fn load(hosts: &Hosts, id: FunctionId, event: &Event, at_a_time: usize, calls: usize) -> Vec<Duration> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..at_a_time {
        let (hosts, event) = (hosts.clone(), event.clone());
        tasks.spawn(async move {
            let mut took = Vec::with_capacity(calls / at_a_time);
            for _ in 0..calls / at_a_time {
                let start = Instant::now();
                let run = hosts.invoke(id, &event).await.unwrap();
                took.push(start.elapsed());
                // A run that is descheduled in the middle of a clock tick may be charged for it.
                assert!(matches!(run.outcome, Outcome::Returned(_) | Outcome::Failed(_)), "{run:?}");
            }
            took
        });
    }
    let mut all: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
    all.sort_unstable();
    all
}

fn share(sorted: &[Duration], percent: f64) -> Duration {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index")]
    let index = ((sorted.len() as f64 * percent / 100.0) as usize).min(sorted.len() - 1);
    sorted[index]
}

fn micros(duration: Duration, calls: usize) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a figure for people")]
    let calls = calls as f64;
    duration.as_secs_f64() * 1e6 / calls
}

/// Latencies of the machine itself: as many bytes as a call has, to a process that sends them back and does nothing else.
async fn echoes(calls: usize) -> Vec<Duration> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let end = || OwnedFd::from(theirs.try_clone().unwrap());
    let mut echo = Command::new("cat").stdin(end()).stdout(end()).spawn().unwrap();
    drop(theirs);
    ours.set_nonblocking(true).unwrap();
    let mut stream = tokio::net::UnixStream::from_std(ours).unwrap();
    let (mut took, mut bytes) = (Vec::with_capacity(calls), [0; 700]);
    for _ in 0..calls {
        let start = Instant::now();
        stream.write_all(&bytes).await.unwrap();
        stream.read_exact(&mut bytes).await.unwrap();
        took.push(start.elapsed());
    }
    drop(stream);
    echo.wait().unwrap();
    took.sort_unstable();
    took
}

#[tokio::test]
#[ignore = "measures; run it in release, alone"]
async fn round_trips() {
    let took = echoes(20_000).await;
    println!("cat beside it      1 in flight: p50 {:.1?}, p99 {:.1?}", share(&took, 50.0), share(&took, 99.0));
    let hosts = hosts(1);
    let own = CpuClock::of(std::process::id()).unwrap();
    let asynchronous = REWRITE.replace("function handler", "async function handler");
    for (name, source, headers) in [
        ("sync, 8 headers", REWRITE, 8),
        ("async, 8 headers", asynchronous.as_str(), 8),
        ("sync, 20 headers", REWRITE, 20),
        ("sync, 60 headers", REWRITE, 60),
    ] {
        let start = Instant::now();
        let id = hosts.deploy(&function(source)).await.unwrap();
        let deployed = start.elapsed();
        all_up(&hosts, 2).await;
        let host = CpuClock::of(hosts.processes()[0]).unwrap();
        let event = event(headers);
        for at_a_time in [1, 64] {
            let calls = 20_000 / at_a_time * at_a_time;
            load(&hosts, id, &event, at_a_time, calls / 10).await;
            let before = (host.now().unwrap(), own.now().unwrap());
            let took = load(&hosts, id, &event, at_a_time, calls).await;
            let (host, own) = (host.now().unwrap() - before.0, own.now().unwrap() - before.1);
            println!(
                "{name:<17} {at_a_time:>2} in flight: host {:>5.1} µs CPU, proxy {:>5.1} µs CPU, p50 {:.1?}, p99 {:.1?}  (deployed in {deployed:.1?})",
                micros(host, calls),
                micros(own, calls),
                share(&took, 50.0),
                share(&took, 99.0),
            );
        }
        hosts.remove(id).await;
    }
}

/// Steady arrivals for two seconds, every tenth of them hostile if there is a hostile function; latencies of the others.
async fn steady(hosts: &Hosts, honest: FunctionId, hostile: Option<FunctionId>) -> Vec<Duration> {
    let (event, mut tasks) = (event(8), tokio::task::JoinSet::new());
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    for tick in 0..2000 {
        ticks.tick().await;
        // One in ten milliseconds is the hostile one's share: as many calls either way.
        let id = hostile.filter(|_| tick % 10 == 0);
        let (hosts, event) = (hosts.clone(), event.clone());
        tasks.spawn(async move {
            let start = Instant::now();
            let run = hosts.invoke(id.unwrap_or(honest), &event).await.unwrap();
            assert!(matches!(run.outcome, Outcome::Returned(_)) != id.is_some(), "{run:?}");
            id.is_none().then(|| start.elapsed())
        });
    }
    let mut all: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
    all.sort_unstable();
    all
}

#[tokio::test]
#[ignore = "measures; run it in release, alone"]
async fn hostile_traffic() {
    let hosts = hosts(2);
    let mut honest = function(REWRITE);
    honest.budget = Duration::from_millis(50);
    let honest = hosts.deploy(&honest).await.unwrap();
    let hostile = hosts.deploy(&function("function handler() { while (true) {} }")).await.unwrap();
    all_up(&hosts, 3).await;
    let (mut quiet, mut loud) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        quiet.extend(steady(&hosts, honest, None).await);
        loud.extend(steady(&hosts, honest, Some(hostile)).await);
    }
    quiet.sort_unstable();
    loud.sort_unstable();
    for percent in [50.0, 90.0, 99.0] {
        let (quiet, loud) = (share(&quiet, percent), share(&loud, percent));
        let ratio = loud.as_secs_f64() / quiet.as_secs_f64();
        println!(
            "p{percent}: {quiet:.1?} without hostile traffic, {loud:.1?} with every tenth call hostile: × {ratio:.2}"
        );
    }
}

/// How long after its budget each script of the corpus is stopped, by the CPU clock of the host's thread.
#[tokio::test]
#[ignore = "measures; run it in release, alone"]
async fn stops() {
    let hosts = hosts(1);
    let mut over = Vec::new();
    let mut scripts = 0;
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/attacks")).unwrap().flatten() {
        let script = fs::read_to_string(file.path()).unwrap();
        let whole = script.contains("function handler");
        let source = if whole { script } else { format!("function handler(event) {{\n{script}\n}}") };
        let function = function(&source);
        let Ok(id) = hosts.deploy(&function).await else { continue };
        let mut stopped = false;
        for _ in 0..20 {
            let run = hosts.invoke(id, &event(8)).await.unwrap();
            if matches!(&run.outcome, Outcome::Failed(problem) if problem.kind == ProblemKind::Time) {
                over.push(run.cpu.saturating_sub(function.budget));
                stopped = true;
            }
        }
        scripts += usize::from(stopped);
        hosts.remove(id).await;
    }
    over.sort_unstable();
    let (p50, p99, most) = (share(&over, 50.0), share(&over, 99.0), share(&over, 100.0));
    println!("{} stops of {scripts} scripts: p50 {p50:?}, p99 {p99:?}, most {most:?} after the budget", over.len());
    assert!(scripts > 50);
}

/// Private memory of a process in KiB, its mappings and its open files.
fn held_by(process: u32) -> (u64, usize, usize) {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
    let private = rollup
        .lines()
        .filter(|line| line.starts_with("Private_"))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .sum();
    let mappings = fs::read_to_string(format!("/proc/{process}/maps")).unwrap().lines().count();
    (private, mappings, fs::read_dir(format!("/proc/{process}/fd")).unwrap().count())
}

#[tokio::test]
#[ignore = "measures; run it in release, alone"]
async fn memory_per_function() {
    let hosts = hosts(1);
    let padding: String = (0..200).map(|n| format!("function f{n}(a, b) {{ return a + b * {n}; }}\n")).collect();
    for (name, source) in [("100 bytes", REWRITE.to_owned()), ("10 KB", format!("{padding}{REWRITE}"))] {
        let mut ids = vec![hosts.deploy(&function(&source)).await.unwrap()];
        let process = hosts.processes()[0];
        load(&hosts, ids[0], &event(8), 1, 100).await;
        let before = held_by(process).0;
        let mut took = Vec::new();
        for _ in 0..20 {
            let start = Instant::now();
            let id = hosts.deploy(&function(&source)).await.unwrap();
            took.push(start.elapsed());
            load(&hosts, id, &event(8), 1, 100).await;
            ids.push(id);
        }
        took.sort_unstable();
        let each = (held_by(process).0 - before) / 20;
        println!(
            "{name} of source ({} bytes): {each} KiB for each further function, deployed to trial, host and spare in {:.1?} (median)",
            source.len(),
            share(&took, 50.0)
        );
        for id in ids {
            hosts.remove(id).await;
        }
    }
}

/// `SOAK_CALLS` sets another number of calls than 5 million.
#[tokio::test]
#[ignore = "takes minutes; run it in release"]
async fn soak() {
    let calls: usize = std::env::var("SOAK_CALLS").ok().and_then(|calls| calls.parse().ok()).unwrap_or(5_000_000);
    let hosts = hosts(1);
    let asynchronous = REWRITE.replace("function handler", "async function handler");
    let loud = "function handler(event) { console.log(event.request.uri); [1].leak = 1; globalThis.leak = []; return event.request; }";
    let mut honest = Vec::new();
    for source in [REWRITE, asynchronous.as_str(), loud] {
        honest.push(hosts.deploy(&function(source)).await.unwrap());
    }
    let hostile = hosts.deploy(&function("function handler() { return 'x'.repeat(2 ** 30); }")).await.unwrap();
    all_up(&hosts, 2).await;
    let processes = hosts.processes();
    let mut seen = Vec::new();
    for part in 0..100 {
        load(&hosts, honest[part % 3], &event(part % 60 + 1), 64, calls / 100).await;
        hosts.invoke(hostile, &event(8)).await.unwrap();
        seen.push(held_by(processes[0]));
        if part % 10 == 9 {
            println!("{} calls: (private KiB, mappings, files) {:?}", (part + 1) * (calls / 100), seen[part]);
        }
    }
    assert_eq!(hosts.processes(), processes, "no host was lost");
    let (early, late) = (seen[60], seen[99]);
    assert!(late.0 <= early.0 + 256 && late.1 <= early.1 + 4 && late.2 == early.2, "{early:?} became {late:?}");
}
