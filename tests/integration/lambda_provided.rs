//! `runtime = "provided"`: the Lambda Runtime API as an executable meets it (lambda-edge.md 8; rows 4, 106 to 112 of 13), official
//! clients of it, and what such an executable may do.

use crate::{
    harness::{Answer, Edge, Origin, eventually, python},
    lambda::{children_of, is_environment, is_running},
};

/// Calls of the API, for scripts that are runtimes.
const CLIENT: &str = r#"import functools, http.client, json, os, socket, subprocess, sys, threading, time

print = functools.partial(print, flush=True)
API = os.environ["AWS_LAMBDA_RUNTIME_API"]
INVOCATION = "/2018-06-01/runtime/invocation/"


class Answer:
    def __init__(self, method, path, body=None, headers={}, api=API):
        connection = http.client.HTTPConnection(api)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()
        self.id = answer.headers.get("Lambda-Runtime-Aws-Request-Id")


def next_event():
    return Answer("GET", INVOCATION + "next")


def respond(event, result, headers={}):
    body = result if isinstance(result, bytes) else json.dumps(result)
    return Answer("POST", f"{INVOCATION}{event.id}/response", body, headers)


def said(text):
    return {"status": "200", "body": str(text)}


"#;

/// An edge with a script as its runtime; `None`: there is no Python.
fn edge(more: &str, script: &str) -> Option<(Edge, Origin)> {
    let python = python()?;
    let origin = Origin::start(|_| Answer::ok("never"));
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n[function.f]\nruntime = \"provided\"\nfile = \"runtime\"\n{more}\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\norigin_request = \"f\"\n",
        origin.url()
    );
    let source = format!("#!{}\n{CLIENT}{script}", python.display());
    Some((Edge::start(&config, &[("runtime", &source)]), origin))
}

/// What the runtime answers to one request.
fn answered(more: &str, script: &str) -> Option<String> {
    let (edge, _origin) = edge(more, script)?;
    let reply = edge.get("/");
    assert_eq!(reply.status, 200, "{reply:?}\n{}", edge.output());
    Some(reply.text())
}

#[test]
fn the_event_comes_with_its_headers() {
    let script = r#"
while True:
    event = next_event()
    shown = [event.status, event.headers["Content-Type"], event.headers["Lambda-Runtime-Invoked-Function-Arn"], len(event.id)]
    left = int(event.headers["Lambda-Runtime-Deadline-Ms"]) / 1000 - time.time()
    uri = json.loads(event.body)["Records"][0]["cf"]["request"]["uri"]
    answer = respond(event, said([*shown, uri, 0 < left <= 10]))
    print("answered", answer.status, answer.body.decode())
"#;
    let Some((edge, _origin)) = edge("", script) else { return };
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:us-east-1.f:1";
    let expected = format!("[200, 'application/json', '{arn}', 36, '/a', True]");
    assert_eq!(edge.get("/a").text(), expected);
    assert_eq!(edge.get("/a").text(), expected, "the next invocation of the same process");
    assert_eq!(edge.get("/a").text(), expected, "and what was printed after the second answer is read now");
    edge.says("answered 202 {\"status\":\"OK\"}");
}

#[test]
fn row_4_bytes_that_are_no_json() {
    let Some((edge, _origin)) = edge("", "while True: respond(next_event(), b'\\xff{not json')") else { return };
    let reply = edge.get("/");
    assert_eq!((reply.status, reply.x_cache()), (502, "LambdaValidationError"));
    edge.says("json.unparsable");
}

#[test]
fn rows_106_and_107_what_is_refused_changes_nothing() {
    let script = r#"
early = Answer("POST", INVOCATION + "some-id/response", "{}").status
while True:
    event = next_event()
    wrong = respond(type("E", (), {"id": "8f5c3a1e-0000-4000-8000-000000000001"}), {})
    late = Answer("POST", "/2018-06-01/runtime/init/error", "{}")
    other = [Answer(method, path).status for method, path in [
        ("GET", "/2018-06-01/runtime/restore/next"), ("GET", "/nothing"), ("POST", INVOCATION + "next"),
        ("GET", f"{INVOCATION}{event.id}/response"), ("GET", "/2018-06-01/runtime/init/error"), ("GET", "/ping"),
    ]]
    kinds = [json.loads(answer.body)["errorType"] for answer in (wrong, late)]
    respond(event, said([early, wrong.status, late.status, *kinds, *other]))
    again = respond(event, said("a second answer"))
    print("again:", again.status, json.loads(again.body)["errorType"])
"#;
    let Some((edge, _origin)) = edge("", script) else { return };
    let expected = "[403, 400, 403, 'InvalidRequestID', 'InvalidStateTransition', 404, 404, 405, 405, 405, 200]";
    assert_eq!(edge.get("/").text(), expected);
    assert_eq!(edge.get("/").status, 200);
    edge.says("again: 400 InvalidRequestID");
}

#[test]
fn row_108_a_result_beyond_the_limit() {
    let script = r#"
while True:
    event = next_event()
    body = "{" + " " * (6 * 1024 * 1024 + 99) + "}"
    answer = respond(event, body.encode())
    print("told", answer.status, json.loads(answer.body)["errorType"])
"#;
    let Some((edge, _origin)) = edge("memory = \"512MiB\"", script) else { return };
    let reply = edge.get("/");
    assert_eq!((reply.status, reply.x_cache()), (503, "LambdaExecutionError"));
    edge.says("Function.ResponseSizeTooLarge");
    assert_eq!(edge.get("/").status, 503);
    edge.says("told 413 RequestEntityTooLarge");
    // One byte less is a result: an empty object, which is neither request nor response.
    let script = script.replace("1024 + 99", "1024 + 98");
    let Some((edge, _origin)) = self::edge("memory = \"512MiB\"", &script) else { return };
    let reply = edge.get("/");
    assert_eq!((reply.status, reply.x_cache()), (502, "LambdaValidationError"));
}

#[test]
fn row_109_the_same_event_again_while_it_runs() {
    let script = r#"
while True:
    events = [next_event() for _ in range(3)]
    same = len({event.id for event in events}) == 1 and len({event.body for event in events}) == 1
    respond(events[0], said(same))
"#;
    let Some(text) = answered("", script) else { return };
    assert_eq!(text, "True");
}

#[test]
fn row_110_a_poll_is_held_open() {
    let script = r#"
event = next_event()
answers = []
threading.Thread(target=lambda: answers.append(next_event().status), daemon=True).start()
respond(event, said(len(answers)))
waited = next_event()
respond(waited, said(answers))
next_event()
"#;
    let Some((edge, _origin)) = edge("freeze = false", script) else { return };
    assert_eq!(edge.get("/").text(), "0");
    // Both polls get the event; nobody got anything else meanwhile.
    let text = edge.get("/").text();
    assert!(text == "[200]" || text == "[]", "{text}");
}

#[test]
fn row_111_types_of_errors() {
    let script = r#"
kinds = [None, "weird", "Runtime.Mine"]
while kinds:
    event = next_event()
    kind = kinds.pop(0)
    headers = {"Lambda-Runtime-Function-Error-Type": kind} if kind else {}
    error = {"errorType": "TypeError", "errorMessage": "no", "stackTrace": ["at a", "at b"]}
    Answer("POST", f"{INVOCATION}{event.id}/error", json.dumps(error), headers)
next_event()
"#;
    let Some((edge, _origin)) = edge("", script) else { return };
    for kind in ["TypeError", "Runtime.Unknown", "Runtime.Mine"] {
        let reply = edge.get("/");
        assert_eq!((reply.status, reply.x_cache()), (503, "LambdaExecutionError"));
        edge.says(&format!("Error Type: {kind}"));
    }
}

#[test]
fn row_112_a_runtime_that_never_asks() {
    let Some((edge, _origin)) = edge("timeout = \"1s\"", "time.sleep(600)") else { return };
    // Known to be broken since it was loaded.
    edge.says("INIT_REPORT Init Duration: 10");
    assert_eq!(edge.get("/").status, 503);
}

#[test]
fn init_errors_are_told_and_tried_again() {
    let script = r#"
if not os.path.exists("/tmp/tried"):
    open("/tmp/tried", "w").close()
    error = {"errorType": "Error", "errorMessage": "not yet", "stackTrace": []}
    answer = Answer("POST", "/2018-06-01/runtime/init/error", json.dumps(error), {"Lambda-Runtime-Function-Error-Type": "Runtime.NotYet"})
    sys.exit(answer.status == 202 and 1)
respond(next_event(), said("works"))
next_event()
"#;
    let Some((edge, _origin)) = edge("", script) else { return };
    assert_eq!(edge.get("/").text(), "works");
    edge.says("Phase: init\tStatus: error\tError Type: Runtime.NotYet");
}

#[test]
fn a_runtime_that_exits_is_replaced() {
    let script = r#"
while True:
    event = next_event()
    uri = json.loads(event.body)["Records"][0]["cf"]["request"]["uri"]
    if uri == "/exit":
        sys.exit(3)
    if uri == "/kill":
        os.kill(os.getpid(), 11)
    respond(event, said("fine"))
"#;
    let Some((edge, _origin)) = edge("", script) else { return };
    for (path, line) in [("/exit", "exit status 3"), ("/kill", "signal 11")] {
        let reply = edge.get(path);
        assert_eq!((reply.status, reply.x_cache()), (503, "LambdaExecutionError"));
        edge.says(&format!("Runtime exited with error: {line}"));
        edge.says("Error Type: Runtime.ExitError");
        assert_eq!(edge.get("/").text(), "fine");
    }
}

#[test]
fn streamed_results_are_collected() {
    let script = r#"
def stream(event, pieces, trailer=b"", kind="application/json"):
    connection = socket.create_connection(API.split(":"))
    head = f"POST {INVOCATION}{event.id}/response HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: {kind}\r\n"
    head += "Lambda-Runtime-Function-Response-Mode: streaming\r\nTrailer: Lambda-Runtime-Function-Error-Type\r\n\r\n"
    connection.sendall(head.encode())
    for piece in pieces:
        connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
    connection.sendall(b"0\r\n" + trailer + b"\r\n")
    print("streamed", connection.recv(12))

stream(next_event(), [b'{"status":', b'"200","bo', b'dy":"in pieces"}'])
stream(next_event(), [b'{"status":'], b"Lambda-Runtime-Function-Error-Type: Runtime.Broke\r\n")
kind = "application/vnd.awslambda.http-integration-response"
stream(next_event(), [b'{"status":"200"}', bytes(8), b"body"], kind=kind)
next_event()
"#;
    let Some((edge, _origin)) = edge("", script) else { return };
    assert_eq!(edge.get("/").text(), "in pieces");
    assert_eq!(edge.get("/").status, 503);
    edge.says("Error Type: Runtime.Broke");
    assert_eq!(edge.get("/").status, 502);
    edge.says("json.unparsable");
}

#[test]
fn records_of_the_telemetry_descriptor_are_logged_whole() {
    let script = r#"
import struct
log = int(os.environ["_LAMBDA_TELEMETRY_LOG_FD"])

def record(text):
    data = text.encode()
    os.write(log, struct.pack(">IIQ", 0xa55a000f, len(data), 0) + data)

while True:
    event = next_event()
    record("first line\nsecond line")
    print("to stdout", flush=True)
    print("to stderr", file=sys.stderr, flush=True)
    respond(event, said("logged"))
"#;
    let Some((edge, _origin)) = edge("", script) else { return };
    assert_eq!(edge.get("/").text(), "logged");
    let log = edge.says("REPORT RequestId");
    assert!(log.contains("first line\n    second line"), "one record: {log}");
    assert!(log.contains("to stdout") && log.contains("to stderr"), "{log}");
    assert!(log.find("START RequestId").unwrap() < log.find("first line").unwrap(), "{log}");
    assert!(log.find("first line").unwrap() < log.find("END RequestId").unwrap(), "{log}");
}

#[test]
fn extensions_are_told_of_the_end() {
    let script = r#"
registered = Answer("POST", "/2020-01-01/extension/register", '{"events":[]}', {"Lambda-Extension-Name": "internal"})
about = json.loads(registered.body)

def wait():
    last = Answer("GET", "/2020-01-01/extension/event/next", None, {"Lambda-Extension-Identifier": registered.headers["Lambda-Extension-Identifier"]})
    print("extension got", json.loads(last.body)["eventType"], flush=True)
    os._exit(0)

threading.Thread(target=wait).start()
import signal
signal.signal(signal.SIGTERM, lambda *_: None)
while True:
    respond(next_event(), said([about["functionName"], about["handler"]]))
"#;
    let Some((edge, _origin)) = edge("idle_timeout = \"1s\"", script) else { return };
    assert_eq!(edge.get("/").text(), "['us-east-1.f', 'handler']");
    edge.says("extension got SHUTDOWN");
}

#[test]
fn only_the_environments_own_processes_are_answered() {
    let script = r#"
while True:
    event = next_event()
    child = subprocess.run([sys.executable, "-c", f"import http.client; c = http.client.HTTPConnection('{API}'); c.request('GET', '/ping'); print(c.getresponse().read().decode())"], capture_output=True, text=True)
    respond(event, said(f"{API} {child.stdout.strip()}"))
"#;
    let Some(text) = ({
        // Not stopped between invocations: it must be able to refuse.
        let Some((edge, _origin)) = edge("freeze = false", script) else { return };
        let text = edge.get("/").text();
        let (address, child) = text.split_once(' ').unwrap();
        assert_eq!(child, "pong", "a process that the runtime started belongs to it");
        // This test is no process of the environment.
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        use std::io::{Read as _, Write as _};
        let _ = stream.write_all(b"GET /ping HTTP/1.1\r\nhost: a\r\n\r\n");
        let mut got = Vec::new();
        let _ = stream.read_to_end(&mut got);
        assert!(got.is_empty(), "{}", String::from_utf8_lossy(&got));
        Some(address.to_owned())
    }) else {
        return;
    };
    let (host, port) = text.split_once(':').unwrap();
    assert!(host.starts_with("127.") && host != "127.0.0.1" && port == "9001", "{text}");
}

#[test]
fn without_network_only_the_api_is_reached() {
    let script = r#"
def attempt(what):
    try:
        what()
        return "possible"
    except OSError as error:
        return error.errno

while True:
    event = next_event()
    port = int(json.loads(event.body)["Records"][0]["cf"]["request"]["uri"][1:])
    respond(event, said([
        attempt(lambda: socket.create_connection(("127.0.0.1", port))),
        attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
        attempt(lambda: socket.socket(socket.AF_INET6)),
        attempt(lambda: socket.socket(socket.AF_UNIX)),
    ]))
"#;
    let Some((edge, _origin)) = edge("network = \"none\"", script) else { return };
    let target = format!("/{}", edge.address().port());
    assert_eq!(edge.get(&target).text(), "[13, 1, 1, 1]");
    let Some((edge, _origin)) = self::edge("network = \"all\"", script) else { return };
    let target = format!("/{}", edge.address().port());
    assert_eq!(edge.get(&target).text(), "['possible', 'possible', 'possible', 1]");
}

#[test]
fn files_and_processes_of_others_are_out_of_reach() {
    let script = r#"
def attempt(what):
    try:
        what()
        return "possible"
    except OSError:
        return "refused"

ATTEMPTS = {
    "passwords": lambda: open("/etc/passwd").read(),
    "root": lambda: os.listdir("/"),
    "own": lambda: open(os.environ["LAMBDA_TASK_ROOT"] + "/new", "w"),
    "elsewhere": lambda: open("/var/tmp/edgehook-was-here", "w"),
    "environ": lambda: open(f"/proc/{os.getppid()}/environ").read(),
    "memory": lambda: open(f"/proc/{os.getppid()}/mem", "rb"),
    "parent": lambda: os.kill(os.getppid(), 9),
    "everyone": lambda: os.kill(1, 0),
    "session": lambda: os.setsid(),
    "group": lambda: os.setpgid(0, 0),
    "written": lambda: open("/tmp/fine", "w").write("x"),
    "started": lambda: subprocess.run(["true"], check=True),
}
while True:
    event = next_event()
    respond(event, said({name: attempt(what) for name, what in ATTEMPTS.items()}))
"#;
    let Some(text) = answered("", script) else { return };
    for name in ["passwords", "root", "own", "elsewhere", "environ", "memory", "parent", "everyone", "session", "group"]
    {
        assert!(text.contains(&format!("'{name}': 'refused'")), "{name}: {text}");
    }
    for name in ["written", "started"] {
        assert!(text.contains(&format!("'{name}': 'possible'")), "{name}: {text}");
    }
}

#[test]
fn nothing_outlives_the_environment() {
    let script = r#"
while True:
    event = next_event()
    uri = json.loads(event.body)["Records"][0]["cf"]["request"]["uri"]
    # A child of a child, which ignores what can be ignored.
    code = "import signal, subprocess, sys, time; [signal.signal(s, signal.SIG_IGN) for s in (1, 2, 15)]; print(flush=True); time.sleep(600)"
    inner = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {code!r}], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL); p.stdout.readline(); print(p.pid, flush=True)"
    orphan = subprocess.run([sys.executable, "-c", inner], capture_output=True, text=True).stdout.strip()
    if uri == "/hang":
        print("orphan", orphan, "of", os.getpid(), flush=True)
        time.sleep(600)
    respond(event, said(f"{orphan} {os.getpid()}"))
"#;
    let Some((mut edge, _origin)) = edge("timeout = \"5s\"", script) else { return };
    let numbers = |text: &str| -> Vec<u32> { text.split_whitespace().filter_map(|word| word.parse().ok()).collect() };
    // Killed at the deadline.
    assert_eq!(edge.get("/hang").status, 503);
    let log = edge.says("orphan ");
    let line = log.lines().find(|line| line.contains("orphan ")).unwrap();
    let told = &line[line.find("orphan ").unwrap()..];
    let lost = numbers(told);
    assert_eq!(lost.len(), 2, "{told}");
    eventually("the process and its orphan are gone", || {
        lost.iter().all(|process| !is_running(*process)).then_some(())
    });
    // Gone with the proxy, though it is killed and everything is stopped.
    let text = edge.get("/").text();
    let mut left = numbers(&text);
    left.extend(children_of(edge.process()).into_iter().filter(|child| is_environment(*child)));
    assert!(left.len() >= 3 && left.iter().all(|process| is_running(*process)), "{left:?}");
    edge.signal(nix::sys::signal::Signal::SIGKILL);
    edge.end();
    eventually("all are gone", || left.iter().all(|process| !is_running(*process)).then_some(()));
}

#[test]
fn memory_beyond_the_limit_ends_the_environment() {
    let script = r#"
while True:
    event = next_event()
    uri = json.loads(event.body)["Records"][0]["cf"]["request"]["uri"]
    if uri == "/grow":
        hold = []
        while True:
            hold.append(bytearray(4 << 20))
            time.sleep(0.005)
    if uri == "/child":
        subprocess.run([sys.executable, "-c", "import time; hold = b'x' * (300 << 20); time.sleep(600)"])
    respond(event, said("fine"))
"#;
    let Some((edge, _origin)) = edge("memory = \"128MiB\"\ntimeout = \"30s\"", script) else { return };
    for path in ["/grow", "/child"] {
        assert_eq!(edge.get("/").text(), "fine");
        assert_eq!(edge.get(path).status, 503, "{path}");
        edge.says("memory limit of 128 MB exceeded");
    }
    assert_eq!(edge.get("/").text(), "fine");
}

#[test]
fn what_cannot_be_started_says_why() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let of = |text: &str| {
        let config = format!(
            "[origin.app]\nurl = \"{}\"\n[function.f]\nruntime = \"provided\"\nfile = \"runtime\"\n\
             [[behavior]]\npath = \"*\"\norigin = \"app\"\norigin_request = \"f\"\n",
            origin.url()
        );
        Edge::start(&config, &[("runtime", text)])
    };
    let edge = of("echo never\n");
    assert_eq!(edge.get("/").status, 503);
    edge.says("is not executable: chmod +x");
    let edge = of("#!/does/not/exist\n");
    assert_eq!(edge.get("/").status, 503);
    edge.says("Runtime.InvalidEntrypoint");
    edge.says("cannot be started: No such file or directory");
}

/// Puts the official Python client beside the function, or says why not.
fn official_client(folder: &std::path::Path) -> Option<()> {
    let python = python()?;
    let done = std::process::Command::new(python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "--target"])
        .arg(folder)
        .arg("awslambdaric")
        .output()
        .unwrap();
    if !done.status.success() {
        eprintln!("SKIPPED: awslambdaric cannot be installed: {}", String::from_utf8_lossy(&done.stderr));
        return None;
    }
    Some(())
}

/// Needs the package index: `cargo test -p edgehook --test integration official -- --ignored`
#[test]
#[ignore = "installs a package"]
fn the_official_python_client_works() {
    let packages = tempfile::tempdir().unwrap();
    let layer = packages.path().join("python");
    if official_client(&layer).is_none() {
        return;
    }
    let python = python().unwrap();
    let origin = Origin::start(|_| Answer::ok("never"));
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n[function.f]\nruntime = \"provided\"\nfile = \"bootstrap\"\nhandler = \"index.handler\"\n\
         layers = [\"{}\"]\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\norigin_request = \"f\"\n",
        origin.url(),
        packages.path().display()
    );
    let bootstrap = format!(
        "#!{}\nimport os\nfrom awslambdaric.__main__ import main\nmain(['', os.environ['_HANDLER']])\n",
        python.display()
    );
    let index = "import logging\nimport sys\n\ncalls = 0\n\n\ndef handler(event, context):\n    global calls\n    calls += 1\n    uri = event['Records'][0]['cf']['request']['uri']\n    if uri == '/throw':\n        raise ValueError('no')\n    if uri == '/exit':\n        sys.exit(3)\n    logging.warning('two\\nlines')\n    left = context.get_remaining_time_in_millis()\n    return {'status': '200', 'body': f'{calls} {context.function_name} {0 < left <= 10000} {len(context.aws_request_id)}'}\n";
    let edge = Edge::start(&config, &[("bootstrap", &bootstrap), ("index.py", index)]);
    assert_eq!(edge.get("/").text(), "1 us-east-1.f True 36", "{}", edge.output());
    assert_eq!(edge.get("/").text(), "2 us-east-1.f True 36");
    edge.says("two\n    lines");
    assert_eq!(edge.get("/throw").status, 503);
    edge.says("Error Type: ValueError");
    assert_eq!(edge.get("/").text(), "4 us-east-1.f True 36");
    assert_eq!(edge.get("/exit").status, 503);
    edge.says("exit status 3");
    assert_eq!(edge.get("/").text(), "1 us-east-1.f True 36");
}

/// Needs the registry, and builds it: `cargo test -p edgehook --test integration official -- --ignored`
#[test]
#[ignore = "downloads and builds a crate"]
fn the_official_rust_client_works() {
    let package = tempfile::tempdir().unwrap();
    let manifest = "[package]\nname = \"function\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[workspace]\n[dependencies]\nlambda_runtime = \"*\"\nserde_json = \"1\"\ntokio = { version = \"1\", features = [\"macros\", \"rt\"] }\n[profile.dev]\ndebug = false\n";
    let source = r#"use lambda_runtime::{service_fn, Error, LambdaEvent};
use serde_json::{json, Value};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let uri = event.payload["Records"][0]["cf"]["request"]["uri"].as_str().unwrap_or_default().to_owned();
        if uri == "/throw" {
            return Err(Error::from("no"));
        }
        if uri == "/panic" {
            panic!("with words");
        }
        Ok(json!({ "status": "200", "body": format!("{uri} {}", event.context.env_config.function_name) }))
    }))
    .await
}
"#;
    std::fs::create_dir(package.path().join("src")).unwrap();
    std::fs::write(package.path().join("Cargo.toml"), manifest).unwrap();
    std::fs::write(package.path().join("src/main.rs"), source).unwrap();
    let built = std::process::Command::new("cargo")
        .args(["build", "--quiet", "-j2"])
        .current_dir(package.path())
        .env("CARGO_TARGET_DIR", package.path().join("target"))
        .output();
    match built {
        Ok(output) if output.status.success() => {}
        other => {
            eprintln!("SKIPPED: lambda_runtime cannot be built: {other:?}");
            return;
        }
    }
    let origin = Origin::start(|_| Answer::ok("never"));
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n[function.f]\nruntime = \"provided\"\nfile = \"{}\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\norigin_request = \"f\"\n",
        origin.url(),
        package.path().join("target/debug/function").display()
    );
    let edge = Edge::start(&config, &[]);
    assert_eq!(edge.get("/a").text(), "/a us-east-1.f", "{}", edge.output());
    assert_eq!(edge.get("/throw").status, 503);
    assert_eq!(edge.get("/panic").status, 503);
    assert_eq!(edge.get("/b").text(), "/b us-east-1.f");
}
