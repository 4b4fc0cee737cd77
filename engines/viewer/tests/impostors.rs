//! Hosts that were taken over: every byte from a host is untrusted (security.md I11, and the growth and crash-loop rules of 3.1).
//!
//! With a role as argument this executable is such a host; else it runs the tests, whose hosts it is.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking; without a harness clippy does not see it"
)]

#[path = "../../isolate/tests/runner/mod.rs"]
mod runner;

use edgehook_contract::{
    HookPoint, RequestMessage,
    viewer::{Context, Event},
};
use edgehook_protocol::{
    VERSION,
    frame::{self, FRAME_LIMIT, Inbox},
    viewer::{FromHost, KvsReads, Misread, Outcome, Problem, ProblemKind, ToHost},
};
use edgehook_viewer::supervisor::{CallError, FunctionId, HostSettings, Hosts, Run, Surroundings, ViewerFunction};
use std::{
    env,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    process::{ExitCode, exit},
    time::Duration,
};

fn main() -> ExitCode {
    if let Some(role) = env::args().nth(1).and_then(|word| word.strip_prefix("role=").map(str::to_owned)) {
        return impostor(&role);
    }
    runner::run(
        &[
            ("frames_that_are_none", frames_that_are_none),
            ("answers_that_nobody_asked_for", answers_that_nobody_asked_for),
            ("silence", silence),
            ("a_greeting_of_another_version", a_greeting_of_another_version),
            ("a_function_that_ends_hosts_is_left_out", a_function_that_ends_hosts_is_left_out),
            ("a_host_that_grows_is_replaced_between_calls", a_host_that_grows_is_replaced_between_calls),
        ],
        &[],
    )
}

/// A host that does as its role says when it is called; it loads whatever it is given.
fn impostor(role: &str) -> ExitCode {
    let mut channel = edgehook_sandbox::channel().unwrap();
    let version = if role == "version" { VERSION + 1 } else { VERSION };
    send(&mut channel, &FromHost::Hello { version, layers: Vec::new() });
    let (mut inbox, mut buffer, mut held) = (Inbox::new(), [0; 4096], Vec::new());
    loop {
        while let Ok(Some(message)) = inbox.next_message::<ToHost>() {
            match message {
                ToHost::Deploy { function, .. } => send(&mut channel, &FromHost::Deployed { function }),
                ToHost::Invoke { call, function, .. } => act(role, call, function, &mut channel, &mut held),
                ToHost::Remove { .. } | ToHost::Store { .. } => {}
            }
        }
        match channel.read(&mut buffer) {
            Ok(length) if length > 0 => inbox.extend(&buffer[..length]),
            _ => return ExitCode::SUCCESS,
        }
    }
}

fn act(role: &str, call: u64, function: u32, channel: &mut UnixStream, held: &mut Vec<Vec<u8>>) {
    match role {
        "length" => raw(channel, &[0xff; 64]),
        // A frame as long as may be, of zeros, and on and on.
        "endless" => {
            raw(channel, &u32::try_from(FRAME_LIMIT).unwrap().to_le_bytes());
            loop {
                raw(channel, &[0; 64 * 1024]);
            }
        }
        "truncated" => raw(channel, &[2, 0, 0, 0, 3, 0]),
        "other-call" => send(channel, &done(call + 1)),
        "twice" => {
            send(channel, &done(call));
            send(channel, &done(call));
        }
        "loaded" => send(channel, &FromHost::Deployed { function }),
        "hello" => send(channel, &FromHost::Hello { version: VERSION, layers: Vec::new() }),
        "nothing" => {}
        // Until the pipe is full, which nobody empties.
        "chatter" => loop {
            let _ = std::io::stderr().write_all(&[b'x'; 4096]);
        },
        "dies" if function == 0 => exit(3),
        "grows" => {
            if held.len() < 64 {
                held.push(vec![1; 1 << 20]);
            }
            send(channel, &done(call));
        }
        _ => send(channel, &done(call)),
    }
}

fn done(call: u64) -> FromHost {
    FromHost::Done {
        call,
        outcome: Outcome::Invalid(Misread { violations: Vec::new(), rest: None }),
        cpu: 1,
        reads: KvsReads::default(),
        logs: Vec::new(),
    }
}

fn send(channel: &mut UnixStream, message: &FromHost) {
    let mut out = Vec::new();
    frame::append(message, &mut out);
    raw(channel, &out);
}

/// Whoever cannot write any more was found out.
fn raw(channel: &mut UnixStream, bytes: &[u8]) {
    if channel.write_all(bytes).is_err() {
        exit(0);
    }
}

/// Runs a test against one host, and the spare, of a role.
fn with<F: Future<Output = ()>>(role: &str, test: impl FnOnce(Hosts) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut settings = HostSettings::new(env::current_exe().unwrap(), vec![format!("role={role}").into()]);
        settings.hosts = 1;
        test(Hosts::spawn(settings)).await;
    });
}

async fn deployed(hosts: &Hosts) -> Result<FunctionId, Problem> {
    let function = ViewerFunction {
        name: "f".to_owned(),
        file: "f.js".to_owned(),
        source: b"function handler(event) { return event.request; }".to_vec(),
        budget: Duration::from_millis(1),
        state_memory: ViewerFunction::STATE_MEMORY,
        memory: ViewerFunction::MEMORY,
        store: None,
        surroundings: Surroundings::default(),
    };
    hosts.deploy(&function).await
}

async fn call(hosts: &Hosts, function: FunctionId) -> Result<Run, CallError> {
    let request = RequestMessage { method: "GET".to_owned(), uri: "/".to_owned(), query: None, headers: Vec::new() };
    let event = Event {
        hook: HookPoint::ViewerRequest,
        context: Context::default(),
        viewer_ip: "192.0.2.7".to_owned(),
        request,
        response: None,
    };
    hosts.invoke(function, &event).await
}

fn failed(run: Result<Run, CallError>) -> Problem {
    match run.unwrap().outcome {
        Outcome::Failed(problem) => problem,
        other => panic!("{other:?}"),
    }
}

/// Two calls in a row fail, each on a host of its own.
async fn fails_and_is_replaced(hosts: Hosts, kind: ProblemKind) {
    let function = deployed(&hosts).await.unwrap();
    for _ in 0..2 {
        while hosts.ready() < 2 {
            tokio::task::yield_now().await;
        }
        let before = hosts.processes();
        assert_eq!(failed(call(&hosts, function).await).kind, kind);
        while hosts.ready() < 2 {
            tokio::task::yield_now().await;
        }
        assert_ne!(hosts.processes(), before, "the host was replaced");
    }
}

fn frames_that_are_none() {
    for role in ["length", "endless", "truncated"] {
        println!("  {role}");
        with(role, |hosts| fails_and_is_replaced(hosts, ProblemKind::Abort));
    }
}

fn answers_that_nobody_asked_for() {
    for role in ["other-call", "loaded", "hello"] {
        println!("  {role}");
        with(role, |hosts| fails_and_is_replaced(hosts, ProblemKind::Abort));
    }
    // The first answer counts; the second one costs the host, and nothing else.
    with("twice", |hosts| async move {
        let function = deployed(&hosts).await.unwrap();
        for _ in 0..20 {
            match call(&hosts, function).await {
                Ok(run) => assert!(matches!(run.outcome, Outcome::Invalid(_) | Outcome::Failed(_)), "{run:?}"),
                // Both hosts it was given to ended before they read it.
                Err(error) => assert_eq!(error, CallError::NoHost),
            }
        }
    });
}

fn silence() {
    for role in ["nothing", "chatter"] {
        println!("  {role}");
        with(role, |hosts| fails_and_is_replaced(hosts, ProblemKind::Time));
    }
}

fn a_greeting_of_another_version() {
    with("version", |hosts| async move {
        let problem = deployed(&hosts).await.unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Abort, "{problem:?}");
    });
}

fn a_function_that_ends_hosts_is_left_out() {
    with("dies", |hosts| async move {
        let (bad, good) = (deployed(&hosts).await.unwrap(), deployed(&hosts).await.unwrap());
        let mut messages = Vec::new();
        for _ in 0..6 {
            while hosts.ready() < 2 {
                tokio::task::yield_now().await;
            }
            messages.push(failed(call(&hosts, bad).await).message);
        }
        // On a machine so slow that five deaths take more than ten seconds there is no loop.
        assert!(messages[..5].iter().all(|message| message.contains("ended")), "{messages:?}");
        assert!(messages[5].starts_with("not run"), "{messages:?}");
        let processes = hosts.processes();
        failed(call(&hosts, bad).await);
        assert!(matches!(call(&hosts, good).await.unwrap().outcome, Outcome::Invalid(_)));
        assert_eq!(hosts.processes(), processes, "no host was asked to run the bad one");
    });
}

fn a_host_that_grows_is_replaced_between_calls() {
    with("grows", |hosts| async move {
        let function = deployed(&hosts).await.unwrap();
        while hosts.ready() < 2 {
            tokio::task::yield_now().await;
        }
        let before = hosts.processes();
        let mut calls = 0;
        while hosts.processes().contains(&before[0]) {
            assert!(matches!(call(&hosts, function).await.unwrap().outcome, Outcome::Invalid(_)), "no call is lost");
            calls += 1;
            assert!(calls < 100_000, "the host was never replaced");
        }
        assert!(calls >= 1000, "{calls}");
    });
}
