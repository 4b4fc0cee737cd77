//! Python functions that misbehave (security.md 3.4): each costs its own invocation and nothing else.

use crate::{
    harness::{Answer, Edge, Origin, Reply, engine, engines, eventually, has_python},
    lambda::{children_of, is_running},
};

const NEIGHBOUR: &str = "calls = 0\n\n\ndef lambda_handler(event, context):\n    global calls\n    calls += 1\n    return {'status': '200', 'body': str(calls)}\n";

/// An edge with the attacks, one behind each path, and a neighbour. Each attack is the body of a handler.
fn edge(more: &str, attacks: &[(&str, &str)]) -> Option<(Edge, Origin)> {
    if !has_python() {
        return None;
    }
    let origin = Origin::start(|_| Answer::ok("never"));
    let mut source = "import ctypes, json, os, re, signal, socket, subprocess, sys, threading, time\n\n\n".to_owned();
    for (name, body) in attacks {
        source.push_str(&format!("def {name}():\n    {}\n\n\n", body.replace('\n', "\n    ")));
    }
    source.push_str(
        "def lambda_handler(event, context):
    name = event['Records'][0]['cf']['request']['uri'][1:]
    result = globals()[name]()
    return {'status': '200', 'body': str(result)} if not isinstance(result, (dict, bytes)) else result
",
    );
    let more = if more.contains("timeout") { more.to_owned() } else { format!("timeout = \"1s\"\n{more}") };
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n[function.attack]\nruntime = \"python\"\nfile = \"attack.py\"\n{more}\n\
         [function.neighbour]\nruntime = \"python\"\nfile = \"neighbour.py\"\ntimeout = \"30s\"\n\
         [[behavior]]\npath = \"/neighbour\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\norigin_request = \"neighbour\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\norigin_request = \"attack\"\n",
        origin.url()
    );
    Some((Edge::start(&config, &[("attack.py", &source), ("neighbour.py", NEIGHBOUR)]), origin))
}

/// Every attack ends with 503; the neighbour keeps its process and its count all the while, and nothing is left over.
fn all_fail(more: &str, attacks: &[(&str, &str)]) {
    let Some((edge, _origin)) = edge(more, attacks) else { return };
    for (index, (name, _)) in attacks.iter().enumerate() {
        let reply = edge.get(&format!("/{name}"));
        assert_eq!((reply.status, reply.x_cache()), (503, "LambdaExecutionError"), "{name}: {reply:?}");
        assert_eq!(edge.get("/neighbour").text(), (index + 1).to_string(), "after {name}");
    }
    // The isolate hosts, the template, the neighbour's environment, the attacker's replacement.
    eventually("nothing is left over", || {
        let python = children_of(edge.process()).into_iter().filter(|child| is_running(*child) && is_python(*child));
        (python.count() <= 3).then_some(())
    });
}

fn is_python(process: u32) -> bool {
    std::fs::read_link(format!("/proc/{process}/exe")).is_ok_and(|file| file.ends_with("edgehook-python"))
}

/// What the attacks answer, in order.
fn answers(more: &str, attacks: &[(&str, &str)]) -> Vec<Reply> {
    let Some((edge, _origin)) = edge(more, attacks) else { return Vec::new() };
    let replies = attacks.iter().map(|(name, _)| edge.get(&format!("/{name}"))).collect();
    assert_eq!(edge.get("/neighbour").text(), "1");
    replies
}

/// Every attack meets the exception, and the function lives on.
fn all_are_refused(more: &str, exception: &str, attacks: &[(&str, &str)]) {
    let wrapped: Vec<(&str, String)> = attacks
        .iter()
        .map(|(name, body)| {
            let body = body.replace('\n', "\n    ");
            (*name, format!("try:\n    {body}\nexcept {exception} as error:\n    return 'refused'\nreturn 'possible'"))
        })
        .collect();
    let wrapped: Vec<(&str, &str)> = wrapped.iter().map(|(name, body)| (*name, body.as_str())).collect();
    for (reply, (name, _)) in answers(more, &wrapped).iter().zip(attacks) {
        assert_eq!(reply.text(), "refused", "{name}: {reply:?}");
    }
}

#[test]
fn p01_loops_that_never_end() {
    all_fail(
        "",
        &[
            ("loop", "while True: pass"),
            ("regex", "re.match(r'(a+)+$', 'a' * 64 + 'b')"),
            ("power", "9**9**9"),
            ("total", "sum(range(10**12))"),
        ],
    );
}

#[test]
fn p02_waits_that_never_end() {
    all_fail(
        "",
        &[
            ("sleeps", "time.sleep(60)"),
            ("silent", "a, b = socket.socketpair()\na.recv(1)"),
            ("event", "threading.Event().wait()"),
            ("native", "ctypes.PyDLL(None).sleep(60)"),
        ],
    );
}

#[test]
fn p03_processes_cannot_be_started_but_threads_can() {
    all_are_refused(
        "",
        "OSError",
        &[
            ("forks", "while True: os.fork()"),
            ("shell", "if os.system('true') != 0: raise OSError"),
            ("process", "subprocess.run(['sleep', '600'])"),
            ("spawn", "os.posix_spawn('/bin/true', ['true'], {})"),
            ("exec", "os.execv('/bin/true', ['true'])"),
            ("pool", "import multiprocessing\nmultiprocessing.get_context('fork').Process(target=print).start()"),
        ],
    );
    let thread = "seen = []\nthread = threading.Thread(target=lambda: seen.append(1))\nthread.start()\nthread.join()\nreturn seen";
    for reply in answers("", &[("thread", thread)]) {
        assert_eq!(reply.text(), "[1]");
    }
}

#[test]
fn p04_memory_is_bounded() {
    all_fail(
        "memory = \"64MiB\"",
        &[
            ("array", "return len(bytearray(10**10))"),
            ("grows", "list = []\nwhile True: list.append(bytearray(10**6))"),
            ("deep", "sys.setrecursionlimit(10**9)\ndef f(): f()\nf()"),
            ("nested", "json.loads('[' * 10**7)"),
        ],
    );
}

#[test]
fn p05_processes_that_end_are_replaced() {
    all_fail(
        "",
        &[
            ("leaves", "os._exit(0)"),
            ("kills", "os.kill(os.getpid(), 9)"),
            ("aborts", "os.abort()"),
            ("faults", "ctypes.string_at(0)"),
            ("exits", "sys.exit(3)"),
        ],
    );
}

#[test]
fn p06_what_a_function_does_to_its_process_stays_there() {
    let Some((edge, _origin)) = edge(
        "",
        &[
            (
                "patch",
                "import builtins\nbuiltins.abs = lambda _: 7\nos.environ['X'] = '1'\nos.umask(0)\nsys.modules['json'] = None\nreturn abs(0)",
            ),
            ("again", "return abs(0)"),
            (
                "thread",
                "def run():\n    while True: time.sleep(0.001)\nthreading.Thread(target=run, daemon=True).start()\nreturn 'started'",
            ),
        ],
    ) else {
        return;
    };
    assert_eq!(edge.get("/patch").text(), "7");
    assert_eq!(edge.get("/again").text(), "7", "the same version sees its own state");
    assert_eq!(edge.get("/neighbour").text(), "1");
    assert_eq!(edge.get("/thread").text(), "started");
    let stopped = |process: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    };
    // Both are idle, and stopped with all their threads.
    eventually("idle environments are stopped", || {
        (children_of(edge.process()).iter().filter(|p| stopped(p)).count() == 2).then_some(())
    });
    assert_eq!(edge.get("/again").text(), "7", "and go on");
}

#[test]
fn p07_descriptors_of_others_are_out_of_reach() {
    all_are_refused(
        "",
        "OSError",
        &[
            ("environ", "open('/proc/1/environ').read()"),
            ("parent", "open(f'/proc/{os.getppid()}/environ').read()"),
            (
                "inherited",
                "found = 0\nfor number in range(8, 1024):\n    try: found += os.write(number, b'x')\n    except OSError: pass\nif not found: raise OSError",
            ),
        ],
    );
    // Rubbish on its own channel ends it.
    all_fail(
        "",
        &[(
            "rubbish",
            "for number in range(3, 8):\n    try: os.write(number, b'\\xff' * 64)\n    except OSError: pass\ntime.sleep(60)",
        )],
    );
}

#[test]
fn p08_files_and_other_processes_are_out_of_reach() {
    all_are_refused(
        "",
        "OSError",
        &[
            ("passwords", "open('/etc/passwd').read()"),
            ("root", "os.listdir('/')"),
            ("writes", "open('/usr/lib/edgehook-was-here', 'w')"),
            ("own", "open(os.environ['LAMBDA_TASK_ROOT'] + '/new.py', 'w')"),
            ("others", "open('/var/tmp/edgehook-was-here', 'w')"),
            ("proxy", "os.kill(os.getppid(), 9)"),
            ("everyone", "os.kill(-1, 9)"),
            ("memory", "open(f'/proc/{os.getppid()}/mem', 'r+b')"),
            ("local", "socket.socket(socket.AF_UNIX)"),
            ("packets", "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"),
        ],
    );
    all_are_refused(
        "network = \"none\"",
        "OSError",
        &[
            ("tcp", "socket.create_connection(('127.0.0.1', 9901))"),
            ("udp", "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"),
        ],
    );
}

#[test]
fn p09_links_lead_nowhere() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let python = "import os\n\n\ndef lambda_handler(event, context):\n    try:\n        return {'status': '200', 'body': open(os.environ['LAMBDA_TASK_ROOT'] + '/link').read()}\n    except OSError:\n        return {'status': '200', 'body': 'refused'}\n";
    let javascript = "const fs = require('fs');
exports.handler = async () => {
    try {
        return { status: '200', body: fs.readFileSync(process.env.LAMBDA_TASK_ROOT + '/link', 'utf8') };
    } catch {
        return { status: '200', body: 'refused' };
    }
};";
    for kind in engines() {
        let edge = crate::lambda::edge(&origin, kind, "", engine::of(kind, javascript, python));
        std::os::unix::fs::symlink("/etc/passwd", edge.folder().join("link")).unwrap();
        assert_eq!(edge.get("/").text(), "refused", "{kind}");
    }
}

/// What cannot be a result, over each engine: no number, cyclic, beyond the limit, a field of the wrong type.
#[test]
fn p10_results_over_each_engine() {
    let python = "def lambda_handler(event, context):
    name = event['Records'][0]['cf']['request']['uri'][1:]
    cycle = {}
    cycle['a'] = cycle
    return {
        'nan': {'status': float('nan')},
        'cycle': cycle,
        'large': {'status': '200', 'body': 'x' * 7000000},
        'header': {'status': '200', 'headers': {'x': [{'value': 7}]}},
    }[name]
";
    let javascript = "exports.handler = async (event) => {
    const name = event.Records[0].cf.request.uri.slice(1);
    const cycle = {};
    cycle.a = cycle;
    return {
        nan: { status: NaN },
        cycle,
        large: { status: '200', body: 'x'.repeat(1000).repeat(7000) },
        header: { status: '200', headers: { x: [{ value: 7 }] } },
    }[name];
};";
    let origin = Origin::start(|_| Answer::ok("never"));
    for kind in engines() {
        let edge = crate::lambda::edge(&origin, kind, "", engine::of(kind, javascript, python));
        let statuses = ["nan", "cycle", "large", "header"].map(|name| edge.get(&format!("/{name}")).status);
        assert_eq!(statuses, [502, 503, 503, 502], "{kind}");
    }
}

#[test]
fn p10_results_of_every_kind() {
    let statuses: Vec<u16> = answers(
        "timeout = \"10s\"",
        &[
            ("nan", "return {'status': float('nan')}"),
            ("raw", "return b'{\"status\": 200}'"),
            ("inner", "return {'status': '200', 'body': b'x'}"),
            ("cycle", "a = {}\na['a'] = a\nreturn a"),
            ("large", "return {'status': '200', 'body': 'x' * 7000000}"),
            ("header", "return {'status': '200', 'headers': {'x': [{'value': 7}]}}"),
        ],
    )
    .iter()
    .map(|reply| reply.status)
    .collect();
    assert!(statuses.is_empty() || statuses == [502, 200, 503, 503, 503, 502], "{statuses:?}");
}

#[test]
fn p11_no_signal_that_is_ignored_keeps_a_process_alive() {
    let attacks = [
        (
            "stubborn",
            "for number in range(1, 32):\n    try: signal.signal(number, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nsignal.alarm(1)\nreturn ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)",
        ),
        ("hangs", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)"),
    ];
    let Some((mut edge, _origin)) = edge("", &attacks) else { return };
    assert_eq!(edge.get("/stubborn").text(), "-1", "the signal that ends it with the proxy stays armed");
    assert_eq!(edge.get("/hangs").status, 503);
    let children = children_of(edge.process());
    edge.signal(nix::sys::signal::Signal::SIGKILL);
    edge.end();
    eventually("all children are gone", || children.iter().all(|child| !is_running(*child)).then_some(()));
}
