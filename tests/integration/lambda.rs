//! Lambda environments: reused, one invocation at a time, bounded in number.

use crate::harness::{Answer, Edge, Origin, engine, engines, has_python};

pub(crate) fn edge(origin: &Origin, kind: &str, more: &str, source: &str) -> Edge {
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n{}\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\norigin_request = \"f\"\n",
        origin.url(),
        engine::function(kind, more)
    );
    Edge::start(&config, &[(engine::file(kind), &engine::code(kind, source))])
}

const COUNT_JS: &str = "let calls = 0; exports.handler = async (event) => ({ status: 200, body: String(++calls) });";
const COUNT_PYTHON: &str = "calls = 0\n\ndef lambda_handler(event, context):\n    global calls\n    calls += 1\n    return {'status': '200', 'body': str(calls)}\n";

#[test]
fn an_environment_is_reused_and_keeps_its_state() {
    let origin = Origin::start(|_| Answer::ok("never"));
    for kind in engines() {
        let edge = edge(&origin, kind, "", engine::of(kind, COUNT_JS, COUNT_PYTHON));
        for expected in ["1", "2", "3"] {
            assert_eq!(edge.get("/").text(), expected, "{kind}");
        }
    }
}

#[test]
fn overlapping_invocations_get_environments_of_their_own() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let source = "exports.handler = async (event) => {
        const me = event.Records[0].cf.request.uri;
        await new Promise((resolve) => setTimeout(resolve, 1500));
        calls += 1;
        return { status: 200, body: String(calls) };
    };
    let calls = 0;";
    let edge = edge(&origin, "nodejs", "", source);
    let replies: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(|| edge.get("/").text())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(replies, ["1", "1"], "separate counters in separate processes");
}

#[test]
fn reserved_concurrency_of_one_makes_the_second_wait_and_a_third_throttled() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let slow = "exports.handler = async (event) => {
        const wait = event.Records[0].cf.request.uri === '/slow' ? 3000 : 0;
        await new Promise((resolve) => setTimeout(resolve, wait));
        return { status: 200, body: 'done' };
    };";
    let edge = edge(&origin, "nodejs", "reserved_concurrency = 1", slow);
    let mut holder = edge.client();
    holder.send(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    // The slow one may not have begun yet; whoever comes while it runs waits 500 ms and is turned away.
    let refused = crate::harness::eventually("one is turned away", || {
        let reply = edge.get("/quick");
        (reply.status == 503).then_some(reply)
    });
    assert_eq!(refused.x_cache(), "LambdaLimitExceeded");
    assert_eq!(holder.reply(false).text(), "done");
    assert_eq!(edge.get("/quick").text(), "done");
}

#[test]
fn the_context_and_variables_are_there() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let more = "memory = \"256MiB\"\nenv = { REGION = \"eu\" }";
    let source = "exports.handler = async (event, context) => ({ status: 200, body: [context.functionName, context.memoryLimitInMB,
        process.env.REGION, typeof context.getRemainingTimeInMillis(), context.awsRequestId.length].join(' ') });";
    assert_eq!(edge(&origin, "nodejs", more, source).get("/").text(), "us-east-1.f 256 eu number 36");
    if has_python() {
        let source = "import os\n\ndef lambda_handler(event, context):\n    parts = [context.function_name, context.memory_limit_in_mb, os.environ['REGION'], str(len(context.aws_request_id))]\n    return {'status': '200', 'body': ' '.join(parts)}\n";
        assert_eq!(edge(&origin, "python", more, source).get("/").text(), "us-east-1.f 256 eu 36");
    }
}

#[test]
fn no_process_outlives_the_edge() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let mut edge = edge(&origin, "nodejs", "", COUNT_JS);
    assert_eq!(edge.get("/").text(), "1");
    let children = children_of(edge.process());
    assert!(children.len() >= 2, "isolate hosts and one environment: {children:?}");
    edge.signal(nix::sys::signal::Signal::SIGKILL);
    edge.end();
    crate::harness::eventually("all children are gone", || {
        children.iter().all(|child| !is_running(*child)).then_some(())
    });
}

pub(crate) fn children_of(process: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

/// Whether a process exists and is no zombie, which only waits for someone to look.
pub(crate) fn is_running(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

#[test]
fn an_environment_that_died_while_idle_costs_no_request() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let edge = edge(&origin, "nodejs", "", COUNT_JS);
    assert_eq!(edge.get("/").text(), "1");
    // The request follows at once: it may find the process dead, dying with the call unread, or not yet struck.
    for round in 0..10 {
        let environment = *children_of(edge.process()).iter().find(|child| is_environment(**child)).unwrap();
        let process = nix::unistd::Pid::from_raw(i32::try_from(environment).unwrap());
        nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL).unwrap();
        let reply = edge.get("/");
        assert_eq!((reply.status, reply.text().as_str()), (200, "1"), "a fresh one answers, round {round}");
    }
}

pub(crate) fn is_environment(process: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/comm")).is_ok_and(|name| name.trim() == "environment")
}

#[test]
fn a_viewer_that_leaves_is_counted_and_its_functions_failure_logged() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let source =
        "exports.handler = async () => { await new Promise((r) => setTimeout(r, 300)); throw new Error('late'); };";
    let edge = edge(&origin, "nodejs", "", source);
    let mut client = edge.client();
    client.send(b"GET /gone HTTP/1.1\r\nhost: a\r\n\r\n");
    edge.says("START RequestId");
    drop(client);
    edge.says("Error: late");
}
