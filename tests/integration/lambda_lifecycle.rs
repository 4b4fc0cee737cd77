//! How environments live and end (lambda-edge.md 7; rows 87 to 98, 104, 105 and 113 to 119 of 13).

use crate::{
    harness::{Answer, Client, Edge, Origin, Reply, engine, engines, eventually, has_python},
    lambda::{children_of, edge, is_environment, is_running},
};

fn never() -> Origin {
    Origin::start(|_| Answer::ok("never"))
}

fn environments(edge: &Edge) -> Vec<u32> {
    children_of(edge.process()).into_iter().filter(|child| is_environment(*child)).collect()
}

/// Two requests that are both under way before either is answered.
fn two_at_a_time(edge: &Edge, target: &str) -> [Reply; 2] {
    let mut clients: [Client; 2] = [edge.client(), edge.client()];
    for client in &mut clients {
        client.send(format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes());
    }
    clients.map(|mut client| client.reply(false))
}

/// What the admin API has counted of the function `f`.
fn counted(edge: &Edge, name: &str) -> f64 {
    let output = edge.output();
    let address = output.split("admin  http://").nth(1).unwrap().lines().next().unwrap().trim().to_owned();
    let text = Client::connect(address.parse().unwrap()).request("GET", "/status", &[("host", &address)], b"").text();
    let status: serde_json::Value = serde_json::from_str(&text).unwrap();
    status["lambda"]["f"][name].as_f64().unwrap_or_else(|| panic!("{name} in {text}"))
}

const TMP_PYTHON: &str = "import os
import time


def lambda_handler(event, context):
    uri = event['Records'][0]['cf']['request']['uri']
    if uri == '/write':
        open('/tmp/a', 'w').write('kept')
    if uri == '/hang':
        time.sleep(600)
    if uri == '/exit':
        os._exit(3)
    if uri == '/big':
        open('/tmp/big', 'w').write('x' * 2000000)
    return {'status': '200', 'body': open('/tmp/a').read() if os.path.exists('/tmp/a') else 'none'}
";

#[test]
fn row_89_tmp_is_kept_also_across_a_kill() {
    if !has_python() {
        return;
    }
    let edge = edge(&never(), "python", "timeout = \"1s\"\ntmp = \"1MiB\"", TMP_PYTHON);
    assert_eq!(edge.get("/read").text(), "none");
    assert_eq!(edge.get("/write").text(), "kept");
    assert_eq!(edge.get("/read").text(), "kept");
    for (path, line) in
        [("/hang", "Task timed out after 1.00 seconds"), ("/exit", "Runtime exited with error: exit status 3")]
    {
        assert_eq!(edge.get(path).status, 503, "{path}");
        edge.says(line);
        assert_eq!(edge.get("/read").text(), "kept", "after {path}");
    }
    // Row 90: an error inside the function only.
    assert_eq!(edge.get("/big").status, 503);
    edge.says("OSError: [Errno 27] File too large");
    assert_eq!(edge.get("/read").text(), "kept");
}

#[test]
fn copies_draw_different_random_numbers() {
    let javascript = "exports.handler = async () => {
        await new Promise((resolve) => setTimeout(resolve, 1500));
        return { status: 200, body: String(Math.random()) };
    };";
    let python = "import random\nimport time\n\n\ndef lambda_handler(event, context):\n    time.sleep(1.5)\n    return {'status': 200, 'body': str(random.random())}\n";
    for (kind, source) in [("nodejs", javascript), ("python", python)] {
        if kind == "python" && !has_python() {
            continue;
        }
        let edge = edge(&never(), kind, "", source);
        let [one, other] = two_at_a_time(&edge, "/").map(|reply| reply.text());
        assert!(one.starts_with("0.") && other.starts_with("0.") && one != other, "{kind}: {one} {other}");
    }
}

#[test]
fn each_invocation_has_its_lines() {
    let source = "exports.handler = async (event, context) => {
        console.log('within');
        console.log(context.awsRequestId);
        if (event.Records[0].cf.request.uri === '/throw') throw new TypeError('no');
        return { status: 200 };
    };";
    let edge = edge(&never(), "nodejs", "", source);
    assert_eq!(edge.get("/").status, 200);
    let log = edge.says("REPORT RequestId");
    let at = |text: &str| log.find(text).unwrap_or_else(|| panic!("{text} in {log}"));
    assert!(at("START RequestId: ") < at("within") && at("within") < at("END RequestId: "), "{log}");
    assert!(at("END RequestId: ") < at("REPORT RequestId: "), "{log}");
    let id = &log[at("START RequestId: ") + 17..][..36];
    assert!(log.matches(id).count() >= 4, "one id in all of them: {log}");
    let report = log.lines().find(|line| line.contains("REPORT")).unwrap();
    for part in ["Duration: ", "Billed Duration: ", "Memory Size: 128 MB", "Max Memory Used: "] {
        assert!(report.contains(part), "{report}");
    }
    assert!(!report.contains("Init Duration"), "it was started before: {report}");
    assert_eq!(edge.get("/throw").status, 503);
    edge.says("Status: error\tError Type: TypeError");
}

#[test]
fn row_97_a_top_level_that_fails_once_is_tried_again() {
    if !has_python() {
        return;
    }
    let source = "import os

if not os.path.exists('/tmp/second'):
    open('/tmp/second', 'w').close()
    raise RuntimeError('first time')


def lambda_handler(event, context):
    return {'status': '200', 'body': 'works'}
";
    let edge = edge(&never(), "python", "", source);
    assert_eq!(edge.get("/").text(), "works");
    edge.says("INIT_REPORT Init Duration: ");
    edge.says("Phase: init\tStatus: error\tError Type: RuntimeError");
}

#[test]
fn row_104_a_flood_of_output_is_cut_and_counted() {
    if !has_python() {
        return;
    }
    let source = "import sys


def lambda_handler(event, context):
    line = 'y' * 99999 + '\\n'
    for _ in range(1000):
        sys.stdout.write(line)
    return {'status': '200', 'body': 'done'}
";
    let edge = edge(&never(), "python", "timeout = \"30s\"", source);
    assert_eq!(edge.get("/").text(), "done");
    let log = edge.says("bytes of output beyond 1048576 were dropped");
    let kept = log.matches('y').count();
    assert!((900_000..=1_048_576 + 1_000).contains(&kept), "{kept} bytes kept");
}

#[test]
fn row_115_reserved_concurrency_of_zero_switches_a_function_off() {
    for kind in engines() {
        let source = engine::of(kind, COUNT, COUNT_PYTHON);
        let edge = edge(&never(), kind, "reserved_concurrency = 0", source);
        let reply = edge.get("/");
        assert_eq!((reply.status, reply.x_cache()), (503, "LambdaLimitExceeded"), "{kind}");
        assert_eq!((counted(&edge, "throttles"), counted(&edge, "invocations")), (1.0, 0.0), "{kind}");
        assert_eq!(environments(&edge).len(), 0, "{kind}");
    }
}

#[test]
fn row_113_one_that_is_busy_for_a_moment_is_waited_for() {
    let source = "exports.handler = async () => {
        await new Promise((resolve) => setTimeout(resolve, 100));
        return { status: 200, body: 'done' };
    };";
    let python = "import time\n\n\ndef lambda_handler(event, context):\n    time.sleep(0.1)\n    return {'status': 200, 'body': 'done'}\n";
    for kind in engines() {
        let edge = edge(&never(), kind, "reserved_concurrency = 1", engine::of(kind, source, python));
        assert_eq!(two_at_a_time(&edge, "/").map(|reply| reply.text()), ["done", "done"], "{kind}");
        assert_eq!((counted(&edge, "invocations"), counted(&edge, "throttles")), (2.0, 0.0), "{kind}");
        assert_eq!((counted(&edge, "most_concurrent"), counted(&edge, "environments")), (1.0, 1.0), "{kind}");
    }
}

#[test]
fn row_114_one_that_stays_busy_is_not_waited_for_longer_than_half_a_second() {
    let source = "exports.handler = async () => {
        await new Promise((resolve) => setTimeout(resolve, 3000));
        return { status: 200, body: 'done' };
    };";
    let python = "import time\n\n\ndef lambda_handler(event, context):\n    time.sleep(3)\n    return {'status': 200, 'body': 'done'}\n";
    for kind in engines() {
        let edge = edge(&never(), kind, "reserved_concurrency = 1", engine::of(kind, source, python));
        let mut holder = edge.client();
        holder.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        eventually("it is busy", || (counted(&edge, "concurrent") == 1.0).then_some(()));
        let refused = edge.get("/");
        assert_eq!((refused.status, refused.x_cache()), (503, "LambdaLimitExceeded"), "{kind}");
        assert_eq!(holder.reply(false).text(), "done", "{kind}");
        assert_eq!((counted(&edge, "invocations"), counted(&edge, "throttles")), (1.0, 1.0), "{kind}");
    }
}

#[test]
fn row_116_provisioned_environments_are_there_before_they_are_asked_for() {
    let source = "exports.handler = async () => {
        await new Promise((resolve) => setTimeout(resolve, 1000));
        return { status: 200, body: process.env.AWS_LAMBDA_INITIALIZATION_TYPE };
    };";
    let python = "import os\nimport time\n\n\ndef lambda_handler(event, context):\n    time.sleep(1)\n    \
        return {'status': 200, 'body': os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']}\n";
    for kind in engines() {
        let edge = edge(
            &never(),
            kind,
            "provisioned_concurrency = 2\nidle_timeout = \"1s\"",
            engine::of(kind, source, python),
        );
        eventually("there are two", || (environments(&edge).len() == 2).then_some(()));
        let kinds = two_at_a_time(&edge, "/").map(|reply| reply.text());
        assert_eq!(kinds, ["provisioned-concurrency", "provisioned-concurrency"], "{kind}");
        assert_eq!(counted(&edge, "cold_starts"), 0.0, "{kind}");
        assert!(!edge.says("REPORT RequestId").contains("Init Duration"), "{kind}");
        // One that is lost is replaced, though nobody asks.
        let lost = environments(&edge)[0];
        let process = nix::unistd::Pid::from_raw(i32::try_from(lost).unwrap());
        nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL).unwrap();
        eventually("there are two again", || {
            let now = environments(&edge);
            (now.len() == 2 && !now.contains(&lost)).then_some(())
        });
    }
}

/// Loading takes longer than the time after which environments are looked after (half of `idle_timeout`).
#[test]
fn provisioned_environments_that_start_slowly_are_not_started_twice() {
    let source = "const end = Date.now() + 800; while (Date.now() < end);
exports.handler = async () => ({ status: 200, body: 'here' });";
    let edge = edge(&never(), "nodejs", "provisioned_concurrency = 2\nidle_timeout = \"1s\"", source);
    eventually("there are two", || (environments(&edge).len() == 2).then_some(()));
    assert_eq!(edge.get("/").text(), "here");
    assert_eq!(edge.output().matches("INIT_START").count(), 2, "{}", edge.output());
}

const COUNT_PYTHON: &str = "calls = 0\n\n\ndef lambda_handler(event, context):\n    global calls\n    calls += 1\n    return {'status': 200, 'body': str(calls)}\n";
const COUNT: &str = "let calls = 0; exports.handler = async () => ({ status: 200, body: String(++calls) });";

#[test]
fn idle_and_old_environments_end() {
    for key in ["idle_timeout", "max_age"] {
        let edge = edge(&never(), "nodejs", &format!("{key} = \"1s\""), COUNT);
        assert_eq!(edge.get("/").text(), "1");
        let first = environments(&edge);
        eventually("the environment ends", || environments(&edge).is_empty().then_some(()));
        assert!(first.iter().all(|process| !is_running(*process)), "no zombie counts as running");
        assert_eq!(edge.get("/").text(), "1", "{key}: a fresh one");
        assert_eq!(counted(&edge, "cold_starts"), 1.0);
    }
}

#[test]
fn an_environment_is_stopped_between_invocations() {
    let state = |process: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").map(|(_, rest)| rest.chars().next().unwrap())
    };
    let frozen = edge(&never(), "nodejs", "", COUNT);
    for expected in ["1", "2", "3"] {
        assert_eq!(frozen.get("/").text(), expected);
        eventually("it is stopped", || (state(environments(&frozen)[0]) == Some('T')).then_some(()));
    }
}

#[test]
fn idle_environments_make_room_for_other_functions() {
    let origin = never();
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n[function.f]\nruntime = \"nodejs\"\nfile = \"f.js\"\n\
         [function.g]\nruntime = \"nodejs\"\nfile = \"f.js\"\n\
         [[behavior]]\npath = \"/g\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\norigin_request = \"g\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\norigin_request = \"f\"\n",
        origin.url()
    );
    let edge = Edge::with_server("listen = [\"http://127.0.0.1:0\"]\nenvironments = 1", &config, &[("f.js", COUNT)]);
    for _ in 0..3 {
        assert_eq!(edge.get("/f").text(), "1", "the other one was ended for it");
        assert_eq!(edge.get("/g").text(), "1");
        assert_eq!(environments(&edge).len(), 1);
    }
}

#[test]
fn row_119_later_layers_go_first_and_the_package_before_all() {
    let origin = never();
    let files = [
        ("one/nodejs/node_modules/lib/index.js", "module.exports = { name: 'one', only: 'in one' };"),
        ("two/nodejs/node_modules/lib/package.json", "{\"main\": \"./main.js\"}"),
        ("two/nodejs/node_modules/lib/main.js", "module.exports = { name: 'two' };"),
        ("one/nodejs/node_modules/own/index.js", "module.exports = 'layer';"),
        ("one/nodejs/node22/node_modules/first/index.js", "module.exports = 'first layer';"),
        ("code/node_modules/own/index.js", "module.exports = 'package';"),
        (
            "code/f.js",
            "exports.handler = async () => ({ status: 200, body: [require('lib').name, require('own'), require('first')].join() });",
        ),
        ("one/python/lib.py", "name = 'one'\n"),
        ("two/python/lib.py", "name = 'two'\n"),
        ("one/python/own.py", "name = 'layer'\n"),
        ("one/python/first.py", "name = 'first layer'\n"),
        ("code/own.py", "name = 'package'\n"),
        (
            "code/f.py",
            "import first\nimport lib\nimport own\n\n\ndef lambda_handler(event, context):\n    return {'status': '200', 'body': ','.join([lib.name, own.name, first.name])}\n",
        ),
    ];
    let python = files[files.len() - 1].1;
    for kind in engines() {
        let file = format!("code/{}", engine::file(kind));
        let function = engine::function(kind, "layers = [\"one\", \"two\"]").replace(engine::file(kind), &file);
        let config = format!(
            "[origin.app]\nurl = \"{}\"\n{function}[[behavior]]\npath = \"*\"\norigin = \"app\"\norigin_request = \"f\"\n",
            origin.url()
        );
        let mut files = files.to_vec();
        let source = engine::code(kind, python);
        if kind == "provided" {
            files.push((&file, &source));
        }
        let edge = Edge::start(&config, &files);
        assert_eq!(edge.get("/").text(), "two,package,first layer", "{kind}");
    }
}

#[test]
fn row_82_handlers_are_taken_as_the_version_takes_them() {
    let callback =
        "exports.handler = (event, context, callback) => callback(null, { status: 200, body: 'called back' });";
    let synchronous = "exports.handler = (event) => ({ status: 200, body: 'returned' });";
    let of = |compat: &str, source: &str| edge(&never(), "nodejs", &format!("compat = \"{compat}\""), source).get("/");
    assert_eq!(of("nodejs22", callback).text(), "called back");
    assert_eq!(of("nodejs22", synchronous).status, 502, "ignored, so the result is null");
    assert_eq!(of("nodejs24", callback).status, 503, "init error");
    assert_eq!(of("nodejs24", synchronous).text(), "returned");
    assert_eq!(of("any", callback).text(), "called back");
}
