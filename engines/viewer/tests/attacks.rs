//! The attack corpus (`attacks/`) and the pollution set (`pollution/`) against real isolate hosts.
//!
//! Every script runs as a handler on one host, in shuffled order, with an honest call behind each: the script must be contained, the
//! call correct, and the process the same at the end.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use edgehook_contract::{
    Header, HookPoint, RequestMessage, ResponseMessage,
    viewer::{Context, Event},
};
use edgehook_protocol::viewer::{Outcome, ProblemKind};
use edgehook_viewer::supervisor::{HostSettings, Hosts, Surroundings, ViewerFunction};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

fn hosts() -> Hosts {
    let mut settings = HostSettings::new(env!("CARGO_BIN_EXE_edgehook-isolate-host").into(), Vec::new());
    settings.hosts = 1;
    Hosts::spawn(settings)
}

fn scripts(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|kind| kind == "js"));
    files.sort();
    let name = |file: &Path| file.file_stem().unwrap().to_string_lossy().into_owned();
    files.iter().map(|file| (name(file), fs::read_to_string(file).unwrap())).collect()
}

/// A script as a whole function: some define their handler themselves.
fn wrapped(script: &str) -> String {
    if script.contains("function handler") {
        script.to_owned()
    } else {
        format!("function handler(event) {{\n{script}\n}}")
    }
}

fn function(name: &str, source: String, budget: Duration) -> ViewerFunction {
    ViewerFunction {
        name: name.to_owned(),
        file: format!("{name}.js"),
        source: source.into_bytes(),
        budget,
        state_memory: ViewerFunction::STATE_MEMORY,
        memory: ViewerFunction::MEMORY,
        store: None,
        surroundings: Surroundings::default(),
    }
}

fn event(uri: &str) -> Event {
    let headers = vec![Header::new("host", "www.example.com"), Header::new("cookie", "a=1"), Header::new("x-t", "1")];
    Event {
        hook: HookPoint::ViewerRequest,
        context: Context::default(),
        viewer_ip: "192.0.2.7".to_owned(),
        request: RequestMessage {
            method: "GET".to_owned(),
            uri: uri.to_owned(),
            query: Some("q=1".to_owned()),
            headers,
        },
        response: None::<ResponseMessage>,
    }
}

/// A fixed sequence that differs from run to run of the suite only if the seed is changed by hand.
fn shuffle<T>(list: &mut [T], mut seed: u64) {
    for index in (1..list.len()).rev() {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        list.swap(index, usize::try_from(seed % (index as u64 + 1)).unwrap());
    }
}

const HONEST: &str =
    "var calls = 0; function handler(event) { calls += 1; event.request.headers['x-calls'] = { value: String(calls) };
    event.request.uri = [event.request.uri, 'b'].map(function (s) { return s; }).join('/'); return event.request; }";

#[tokio::test]
async fn every_attack_is_contained_and_costs_no_host() {
    let hosts = hosts();
    let honest = hosts.deploy(&function("honest", HONEST.to_owned(), Duration::from_millis(50))).await.unwrap();
    let expected = hosts.invoke(honest, &event("/a")).await.unwrap().outcome;
    assert!(matches!(expected, Outcome::Returned(_)), "{expected:?}");
    let before = hosts.processes();
    let mut all = scripts("attacks");
    assert!(all.len() >= 110, "{}", all.len());
    shuffle(&mut all, 0x9e37_79b9_7f4a_7c15);
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, script) in &all {
        let end = match hosts.deploy(&function(name, wrapped(script), Duration::from_millis(1))).await {
            // Refused by the parser, or stopped while loading.
            Err(_) => "refused",
            Ok(id) => {
                let run = hosts.invoke(id, &event("/a")).await.unwrap();
                hosts.remove(id).await;
                match run.outcome {
                    Outcome::Returned(_) => "returned",
                    Outcome::Invalid(_) => "invalid",
                    Outcome::Failed(problem) => problem.kind.as_str(),
                }
            }
        };
        *ends.entry(end).or_default() += 1;
        let after = hosts.invoke(honest, &event("/a")).await.unwrap().outcome;
        assert_eq!(after, expected, "after {name}");
        assert_eq!(hosts.processes(), before, "{name} cost a host process");
    }
    // Figures for whoever reads the output.
    println!("{} scripts: {ends:?}", all.len());
    assert!(ends.get(ProblemKind::Time.as_str()).is_some_and(|count| *count > 50), "{ends:?}");
}

#[tokio::test]
async fn no_polluter_leaves_a_trace() {
    let hosts = hosts();
    let victim = scripts("pollution").into_iter().find(|(name, _)| name == "victim").unwrap().1;
    let (budget, memory) = (Duration::from_millis(2000), 64 * 1024 * 1024);
    let large = |mut function: ViewerFunction| {
        (function.memory, function.state_memory) = (memory, 8 * 1024 * 1024);
        function
    };
    let other = hosts.deploy(&large(function("victim", victim.clone(), budget))).await.unwrap();
    let pristine = hosts.invoke(other, &event("/victim")).await.unwrap();
    assert!(matches!(pristine.outcome, Outcome::Returned(_)) && pristine.logs.len() > 50, "{pristine:?}");
    let mut polluters = 0;
    for (name, body) in scripts("pollution").iter().filter(|(name, _)| name != "victim") {
        // Once as another function of the same host, once as the very function that is then asked.
        let foreign = hosts.deploy(&large(function(name, wrapped(body), budget))).await.unwrap();
        // What it returns is of no interest; some spoil even the reading of that.
        hosts.invoke(foreign, &event("/victim")).await.unwrap();
        let after = hosts.invoke(other, &event("/victim")).await.unwrap();
        assert_eq!(after.logs, pristine.logs, "{name} is seen by another function");
        hosts.remove(foreign).await;
        let source = format!("function pollute(event) {{\n{body}\n}}\n{victim}");
        let own = hosts.deploy(&large(function(name, source, budget))).await.unwrap();
        let before = hosts.invoke(own, &event("/victim")).await.unwrap();
        hosts.invoke(own, &event("/pollute")).await.unwrap();
        let after = hosts.invoke(own, &event("/victim")).await.unwrap();
        assert!(matches!(after.outcome, Outcome::Returned(_)), "{name}: {:?}", after.outcome);
        assert_eq!(after.logs, before.logs, "{name} is seen by the next run of its own function");
        hosts.remove(own).await;
        polluters += 1;
    }
    assert!(polluters >= 40);
}
