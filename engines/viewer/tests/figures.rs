//! Figures of the isolate host: CPU time per invocation, by the host's own clock.
//!
//! `cargo test --release -p edgehook-viewer --test figures -- --ignored --nocapture`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests fail by panicking, and this one prints figures")]

use edgehook_contract::{
    Header, HookPoint, RequestMessage,
    viewer::{Context, Event},
};
use edgehook_protocol::viewer::Outcome;
use edgehook_sandbox::CpuClock;
use edgehook_viewer::supervisor::{HostSettings, Hosts, Surroundings, ViewerFunction};
use std::time::{Duration, Instant};

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

async fn measure(name: &str, source: String, headers: usize, calls: u32) {
    let mut settings = HostSettings::new(env!("CARGO_BIN_EXE_edgehook-isolate-host").into(), Vec::new());
    settings.hosts = 1;
    let hosts = Hosts::spawn(settings);
    let function = ViewerFunction {
        name: name.to_owned(),
        file: "f.js".to_owned(),
        source: source.into_bytes(),
        budget: Duration::from_millis(10),
        state_memory: ViewerFunction::STATE_MEMORY,
        memory: ViewerFunction::MEMORY,
        store: None,
        surroundings: Surroundings::default(),
    };
    let start = Instant::now();
    let id = hosts.deploy(&function).await.unwrap();
    let deployed = start.elapsed();
    let event = event(headers);
    let mut cpu = Duration::ZERO;
    for _ in 0..calls / 10 {
        hosts.invoke(id, &event).await.unwrap();
    }
    let clock = CpuClock::of(hosts.processes()[0]).unwrap();
    let (host, wall) = (clock.now().unwrap(), Instant::now());
    for _ in 0..calls {
        let run = hosts.invoke(id, &event).await.unwrap();
        assert!(matches!(run.outcome, Outcome::Returned(_)), "{run:?}");
        cpu += run.cpu;
    }
    let (host, wall) = ((clock.now().unwrap() - host) / calls, wall.elapsed() / calls);
    println!(
        "{name:<28} handler {:>6.2?}  whole host {:>7.2?} CPU  round trip {:>7.2?} wall, one call in flight  (deploy {deployed:.1?})",
        cpu / calls,
        host,
        wall
    );
}

#[tokio::test]
#[ignore = "measures; run it in release, alone"]
async fn figures() {
    measure("sync, 8 headers", REWRITE.to_owned(), 8, 20_000).await;
    measure("async, 8 headers", REWRITE.replace("function handler", "async function handler"), 8, 20_000).await;
    measure("sync, 20 headers", REWRITE.to_owned(), 20, 10_000).await;
    measure("sync, 60 headers", REWRITE.to_owned(), 60, 5_000).await;
}
