//! Environments of Lambda functions, from the pool that the proxy has: what a warm invocation costs on the wall and in CPU time of
//! both processes, what a cold start costs, what a thousand of them leave behind, and how much memory each holds.
//!
//! `cargo build --release --workspace && cargo bench -p edgehook-lambda --bench environments`: the executables beside the
//! benchmark's folder are measured. On a busy machine the figures of one run are to be compared with each other: `node` and
//! `provided` (a small runtime in Python) are what a runtime over HTTP costs. Engines and parts can be named: `-- boa python warm`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark fails by panicking, and prints"
)]

use edgehook_lambda::{Concurrency, Engine, Function, FunctionSettings, Identity, Launch, Reach, Request};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

const PARTS: [&str; 4] = ["warm", "cold", "churn", "memory"];
const WARM: usize = 3_000;
const COLD: usize = 200;
const CHURN: usize = 1_000;
/// Environments that memory is measured of.
const HELD: usize = 10;

const JAVASCRIPT: &str = "exports.handler = async (event) => event.Records[0].cf.request;";
const PYTHON: &str = "def lambda_handler(event, context):\n    return event['Records'][0]['cf']['request']\n";
const RUNTIME: &str = include_str!("../tests/fixtures/runtime.py");

/// An event of origin-request with 8 headers.
fn event() -> Vec<u8> {
    let names =
        ["host", "user-agent", "accept", "accept-language", "referer", "x-forwarded-for", "via", "sec-fetch-mode"];
    let headers =
        names.map(|name| format!(r#""{name}":[{{"key":"{name}","value":"a value of usual length for a header"}}]"#));
    let origin = r#""origin":{"custom":{"domainName":"origin.example.com","path":"","port":443,"protocol":"https","keepaliveTimeout":5,"readTimeout":30,"sslProtocols":["TLSv1.2"],"customHeaders":{}}}"#;
    let request = format!(
        r#"{{"clientIp":"192.0.2.1","method":"GET","uri":"/index.html","querystring":"a=1","headers":{{{}}},{origin}}}"#,
        headers.join(",")
    );
    let config = r#"{"distributionDomainName":"www.example.com","distributionId":"EXAMPLE","eventType":"origin-request","requestId":"r"}"#;
    format!(r#"{{"Records":[{{"cf":{{"config":{config},"request":{request}}}}}]}}"#).into_bytes()
}

struct Bench {
    name: &'static str,
    settings: FunctionSettings,
}

fn benches(folder: &Path) -> Vec<Bench> {
    let own = std::env::current_exe().unwrap();
    let built = own.parent().and_then(Path::parent).unwrap();
    let [edgehook, python] = ["edgehook", "edgehook-python"].map(|name| built.join(name));
    assert!(edgehook.is_file(), "{} is missing: cargo build --release --workspace", edgehook.display());
    let engine = |program: &PathBuf, argument: &str| {
        let arguments =
            if argument.is_empty() { vec!["copies".into()] } else { vec![argument.into(), "copies".into()] };
        Engine::new(program.clone(), arguments, vec![("LC_CTYPE".to_owned(), "C.UTF-8".to_owned())])
    };
    let provided = Engine::new(edgehook.clone(), vec!["__provided".into()], Vec::new());
    let mut found = vec![Bench {
        name: "boa",
        settings: settings(folder, "f.js", JAVASCRIPT, Launch::Engine(engine(&edgehook, "__environment"))),
    }];
    if python.is_file() {
        let launch = Launch::Engine(engine(&python, ""));
        found.push(Bench { name: "python", settings: settings(folder, "f.py", PYTHON, launch) });
    }
    let in_path = |name: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
    };
    if let Some(node) = in_path("node") {
        found.push(Bench {
            name: "node",
            settings: settings(folder, "f.js", JAVASCRIPT, Launch::Node(provided.clone(), node)),
        });
    }
    let interpreter = std::process::Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    if let Ok(output) = interpreter {
        let interpreter = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let text =
            RUNTIME.replace("#!/usr/bin/env python3", &format!("#!{interpreter}")).replace("# THE FUNCTION", PYTHON);
        found.push(Bench { name: "provided", settings: settings(folder, "runtime", &text, Launch::Engine(provided)) });
    }
    found
}

fn settings(folder: &Path, file: &str, source: &str, launch: Launch) -> FunctionSettings {
    let file = folder.join(file);
    fs::write(&file, source).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let handler = if source.starts_with("def") { "lambda_handler" } else { "handler" };
    FunctionSettings {
        identity: Identity { name: "bench".to_owned(), version: "1".to_owned(), content: String::new() },
        account_id: "000000000000".to_owned(),
        log_stream: String::new(),
        launch,
        root: folder.to_owned(),
        file,
        source: source.as_bytes().to_vec(),
        handler: handler.to_owned(),
        full_handler: handler.to_owned(),
        package: None,
        variables: Vec::new(),
        layers: Vec::new(),
        network: "public".to_owned(),
        reach: Reach::default(),
        compat: "any".to_owned(),
        timeout: Duration::from_secs(30),
        memory: 128,
        tmp_quota: 1 << 20,
        reserved_concurrency: None,
        provisioned_concurrency: 0,
        idle_timeout: Duration::from_secs(300),
        max_age: Duration::from_secs(7200),
        freeze: true,
        clock: None,
    }
}

/// This process's environments.
fn environments() -> Vec<u32> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let numbers =
        children.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>());
    let comm = |number: &u32| fs::read_to_string(format!("/proc/{number}/comm")).unwrap_or_default();
    numbers.filter(|number| comm(number).trim() == "environment").collect()
}

/// CPU time of a process and of those in its group, in milliseconds, as the scheduler counts it.
fn cpu_of(process: &str) -> f64 {
    let text = fs::read_to_string(format!("/proc/{process}/schedstat")).unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0) / 1e6
}

fn cpu_of_group(leader: u32) -> f64 {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let group = |number: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
    };
    let members = numbers.filter(|number| group(*number) == Some(leader));
    members
        .flat_map(|number| {
            fs::read_dir(format!("/proc/{number}/task"))
                .into_iter()
                .flatten()
                .flatten()
                .map(move |task| format!("{number}/task/{}", task.file_name().to_string_lossy()))
        })
        .map(|task| cpu_of(&task))
        .sum()
}

fn own_cpu() -> f64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    tasks.map(|task| cpu_of(&format!("self/task/{}", task.file_name().to_string_lossy()))).sum()
}

fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    sorted[(sorted.len() - 1) * percent / 100].as_secs_f64() * 1e6
}

async fn invoke(function: &Function, event: &[u8]) {
    let invoked = function
        .invoke(Request {
            event: event.to_vec(),
            id: "8f5c3a1e-0000-4000-8000-000000000001".to_owned(),
            trace: Some("Root=1-68a1b2c3-00112233445566778899aabb;Parent=c0ffee0012345678;Sampled=0".to_owned()),
            ..Request::default()
        })
        .await
        .unwrap();
    assert!(invoked.result.starts_with(b"{"));
}

async fn warm(bench: &Bench, event: &[u8]) {
    let function = Function::new(bench.settings.clone(), &Concurrency::new(10));
    function.warm().await.unwrap();
    for _ in 0..WARM / 10 {
        invoke(&function, event).await;
    }
    let environment = environments()[0];
    let (own, its) = (own_cpu(), cpu_of_group(environment));
    let mut times = Vec::with_capacity(WARM);
    for _ in 0..WARM {
        let begun = Instant::now();
        invoke(&function, event).await;
        times.push(begun.elapsed());
    }
    #[allow(clippy::cast_precision_loss, reason = "thousands")]
    let each = |before: f64, after: f64| (after - before) * 1e3 / WARM as f64;
    let (own, its) = (each(own, own_cpu()), each(its, cpu_of_group(environment)));
    times.sort();
    println!(
        "{:<9} warm   p50 {:>7.1} µs   p99 {:>7.1} µs   CPU {:>6.1} µs (pool {own:.1}, environment {its:.1})",
        bench.name,
        percentile(&times, 50),
        percentile(&times, 99),
        own + its
    );
}

async fn cold(bench: &Bench) {
    let concurrency = Concurrency::new(10);
    let mut times = Vec::with_capacity(COLD);
    for round in 0..=COLD {
        let function = Function::new(bench.settings.clone(), &concurrency);
        let begun = Instant::now();
        function.warm().await.unwrap();
        // The first starts the template.
        if round > 0 {
            times.push(begun.elapsed());
        }
        drop(function);
        gone().await;
    }
    times.sort();
    println!(
        "{:<9} cold   p50 {:>7.2} ms   p99 {:>7.2} ms",
        bench.name,
        percentile(&times, 50) / 1e3,
        percentile(&times, 99) / 1e3
    );
}

async fn gone() {
    while !environments().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn churn(bench: &Bench, event: &[u8], scratch: &Path) {
    let concurrency = Concurrency::new(10);
    let count = |path: &Path| fs::read_dir(path).unwrap().count();
    let below = |path: &Path| fs::read_dir(path).unwrap().flatten().map(|entry| count(&entry.path())).sum::<usize>();
    let mut before = None;
    for round in 0..=CHURN {
        let function = Function::new(bench.settings.clone(), &concurrency);
        function.warm().await.unwrap();
        if round % 100 == 0 {
            invoke(&function, event).await;
        }
        drop(function);
        if round == 0 {
            gone().await;
            before = Some(count(Path::new("/proc/self/fd")));
        }
    }
    gone().await;
    // A folder goes just after its process.
    let patience = Instant::now() + Duration::from_secs(10);
    while below(scratch) > 0 && Instant::now() < patience {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (before, after) = (before.unwrap(), count(Path::new("/proc/self/fd")));
    println!(
        "{:<9} churn  {CHURN} environments: {before} descriptors before, {after} after, 0 processes, {} folders",
        bench.name,
        below(scratch)
    );
    assert!(after <= before + 1 && below(scratch) == 0, "something is left over");
}

async fn memory(bench: &Bench, event: &[u8]) {
    let settings = FunctionSettings { provisioned_concurrency: HELD, freeze: false, ..bench.settings.clone() };
    let function = Function::new(settings, &Concurrency::new(HELD));
    function.warm().await.unwrap();
    // All of them at a time, and so often that each has what garbage it ever has.
    for _ in 0..500 {
        let mut calls = JoinSet::new();
        for _ in 0..HELD {
            let (function, event) = (function.clone(), event.to_vec());
            calls.spawn(async move { invoke(&function, &event).await });
        }
        calls.join_all().await;
    }
    let pss = |number: &u32| -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{number}/smaps_rollup")).ok()?;
        text.lines().find_map(|line| line.strip_prefix("Pss:")?.split_whitespace().next()?.parse().ok())
    };
    let found: Vec<u64> = environments().iter().filter_map(pss).collect();
    match found.iter().sum::<u64>().checked_div(found.len() as u64) {
        #[allow(clippy::cast_precision_loss, reason = "kibibytes of one process")]
        Some(each) => {
            println!("{:<9} memory {:>7.1} MiB PSS each of {}", bench.name, each as f64 / 1024.0, found.len())
        }
        None => println!("{:<9} memory not known: reading it needs CAP_SYS_PTRACE", bench.name),
    }
    drop(function);
    gone().await;
}

fn main() {
    // The folder for temporary files has to be another one before there is a second thread.
    let Some(scratch) = std::env::var_os("EDGEHOOK_BENCH") else {
        let folder = tempfile::tempdir().unwrap();
        let scratch = folder.path().join("scratch");
        fs::create_dir(&scratch).unwrap();
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(std::env::args_os().skip(1)).env("TMPDIR", &scratch).env("EDGEHOOK_BENCH", &scratch);
        assert!(command.status().unwrap().success());
        return;
    };
    let scratch = PathBuf::from(scratch);
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let code = scratch.with_file_name("code");
    fs::create_dir_all(&code).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // As in the proxy: a viewer's connection is a task of the runtime.
    let measuring = runtime.spawn(async move {
        let event = event();
        let (parts, engines): (Vec<&str>, Vec<&str>) =
            wanted.iter().map(String::as_str).partition(|word| PARTS.contains(word));
        let is_wanted = |words: &[&str], name| words.is_empty() || words.contains(&name);
        for bench in benches(&code).iter().filter(|bench| is_wanted(&engines, bench.name)) {
            for part in PARTS.into_iter().filter(|part| is_wanted(&parts, part)) {
                match part {
                    "warm" => warm(bench, &event).await,
                    "cold" => cold(bench).await,
                    "churn" if matches!(bench.name, "boa" | "python") => churn(bench, &event, &scratch).await,
                    "memory" => memory(bench, &event).await,
                    _ => {}
                }
                gone().await;
            }
        }
    });
    runtime.block_on(measuring).unwrap();
}
