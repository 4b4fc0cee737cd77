//! The attacks of security.md 3.4 on engines whose functions may start processes, Node.js and executables: each costs its own
//! invocation, and no process of it is left.

use crate::{
    harness::{Answer, Edge, Origin, engine, eventually},
    lambda::{children_of, is_environment, is_running},
};

const NODE: &str = "const { spawn } = require('child_process'), fs = require('fs');
exports.handler = async (event) => {
    const name = event.Records[0].cf.request.uri.slice(1);
    const child = (code) => spawn(process.execPath, ['-e', code], { stdio: 'ignore' });
    const forever = () => new Promise((resolve) => setTimeout(resolve, 600000));
    switch (name) {
        case 'loop': for (;;);
        case 'regex': return /^(a+)+$/.test('a'.repeat(64) + 'b');
        case 'sleeps': return forever();
        case 'native': Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600000); break;
        case 'children': for (let n = 0; n < 8; n += 1) child('setInterval(() => {}, 1000)'); return forever();
        case 'detached': spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore', detached: true }).on('error', () => {}); return forever();
        case 'stubborn': for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => {});
            child(\"for (const s of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(s, () => {}); setInterval(() => {}, 1000)\"); return forever();
        case 'leaves': child('setInterval(() => {}, 1000)'); process.exit(0); break;
        case 'kills': process.kill(process.pid, 'SIGKILL'); return forever();
        case 'aborts': process.abort(); break;
        case 'grows': { const all = []; for (;;) all.push(Buffer.alloc(1000000, 1)); }
        case 'flood': for (let n = 0; n < 200; n += 1) fs.writeSync(1, 'x'.repeat(1000000) + '\\n'); return forever();
        case 'cycle': { const a = {}; a.a = a; return a; }
    }
    return { status: '200', body: 'not an attack' };
};";

const PYTHON: &str = "import ctypes, os, re, signal, subprocess, sys, time


def lambda_handler(event, context):
    name = event['Records'][0]['cf']['request']['uri'][1:]
    sleeper = [sys.executable, '-c', 'import time; time.sleep(600)']
    if name == 'loop':
        while True: pass
    if name == 'regex':
        re.match(r'(a+)+$', 'a' * 64 + 'b')
    if name == 'sleeps':
        time.sleep(600)
    if name == 'native':
        ctypes.PyDLL(None).sleep(600)
    if name == 'children':
        for _ in range(8): subprocess.Popen(sleeper)
        time.sleep(600)
    if name == 'detached':
        try:
            subprocess.Popen(sleeper, start_new_session=True)
        except OSError:
            pass
        if os.fork() == 0:
            if os.fork() == 0: time.sleep(600)
            os._exit(0)
        time.sleep(600)
    if name == 'stubborn':
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
        subprocess.Popen(sleeper)
        time.sleep(600)
    if name == 'leaves':
        subprocess.Popen(sleeper)
        os._exit(0)
    if name == 'kills':
        os.kill(os.getpid(), 9)
    if name == 'aborts':
        os.abort()
    if name == 'grows':
        all = []
        while True: all.append(bytearray(b'x' * 10**6))
    if name == 'flood':
        for _ in range(200): os.write(1, b'x' * 1000000 + b'\\n')
        time.sleep(600)
    if name == 'cycle':
        a = {}
        a['a'] = a
        return a
    return {'status': '200', 'body': 'not an attack'}
";

const ATTACKS: [&str; 13] = [
    "loop", "regex", "sleeps", "native", "children", "detached", "stubborn", "leaves", "kills", "aborts", "grows",
    "flood", "cycle",
];

/// The processes of a group that run.
fn group(leader: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let of_group = |process: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let group = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(2)?.parse::<u32>().ok());
        group == Some(leader) && is_running(*process)
    };
    numbers.filter(of_group).collect()
}

#[test]
fn each_costs_its_invocation_and_leaves_no_process() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let neighbour = "let calls = 0; exports.handler = async () => ({ status: 200, body: String(++calls) });";
    for kind in engine::engines().into_iter().filter(|kind| matches!(*kind, "node" | "provided")) {
        let config = format!(
            "[origin.app]\nurl = \"{}\"\n{}[function.neighbour]\nruntime = \"nodejs\"\nfile = \"neighbour.js\"\ntimeout = \"30s\"\n\
             [[behavior]]\npath = \"/neighbour\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\norigin_request = \"neighbour\"\n\
             [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\norigin_request = \"f\"\n",
            origin.url(),
            engine::function(kind, "timeout = \"2s\"\nreserved_concurrency = 1")
        );
        let source = engine::code(kind, engine::of(kind, NODE, PYTHON));
        let edge = Edge::start(&config, &[(engine::file(kind), &source), ("neighbour.js", neighbour)]);
        assert_eq!(edge.get("/neighbour").text(), "1");
        let kept = environments(&edge);
        for (index, name) in ATTACKS.iter().enumerate() {
            // The one that the attack meets: after failures in a row the edge pauses for a while.
            eventually("an environment is there", || (edge.get("/").text() == "not an attack").then_some(()));
            let before: Vec<u32> = environments(&edge);
            let reply = edge.get(&format!("/{name}"));
            assert_eq!(
                (reply.status, reply.x_cache()),
                (503, "LambdaExecutionError"),
                "{kind} {name}: {}",
                reply.text()
            );
            // What it throws costs no process; all else does.
            if *name != "cycle" {
                let lost = eventually("its environment ends", || {
                    before.iter().find(|process| !environments(&edge).contains(process)).copied()
                });
                eventually(&format!("{kind} {name}: no orphans"), || group(lost).is_empty().then_some(()));
            }
            assert_eq!(edge.get("/neighbour").text(), (index + 2).to_string(), "{kind} after {name}");
        }
        assert!(environments(&edge).iter().any(|process| kept.contains(process)), "the neighbour's is still there");
    }
}

fn environments(edge: &Edge) -> Vec<u32> {
    children_of(edge.process()).into_iter().filter(|child| is_environment(*child) && is_running(*child)).collect()
}
