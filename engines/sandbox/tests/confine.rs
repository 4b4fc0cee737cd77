//! A confined host can do its work and nothing else: from outside, with a process that tries.
//!
//! The tests look first at what this kernel has. Where it lacks a layer they check that the report says so, and print
//! "not run" for what needs it.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "the functions around the tests are of the tests")]

use edgehook_sandbox::{Confined, sealed, send_with};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    os::{
        fd::AsFd as _,
        linux::net::SocketAddrExt as _,
        unix::{
            fs::PermissionsExt as _,
            net::{SocketAddr, UnixListener, UnixStream},
            process::ExitStatusExt as _,
        },
    },
    process::{Child, Command, ExitStatus},
};

/// Forbidden calls that get an error; any other ends the process.
const REFUSED: [&str; 8] =
    ["getcwd", "newfstatat", "open", "openat", "readlinkat", "sigaction_alarm", "sigaction_term", "statx"];

/// The landlock layers, with the kernel interface that each needs at least.
const LANDLOCK: [(&str, i64); 3] = [("landlock", 1), ("landlock_tcp", 4), ("landlock_scope", 6)];

/// From this one on Landlock reaches threads that run already.
const LANDLOCK_ALL_THREADS: i64 = 8;

/// A probe that has said what confines it and waits for its line.
struct Probe {
    child: Child,
    channel: BufReader<UnixStream>,
    layers: BTreeMap<String, String>,
}

/// How a probe ended.
struct End {
    /// What came of the attempt, if the probe could still say.
    done: Option<String>,
    status: ExitStatus,
}

impl Probe {
    fn start(stage: &str, attempt: &str, text: &str) -> Self {
        let confined = Confined {
            program: env!("CARGO_BIN_EXE_edgehook-sandbox-probe").into(),
            arguments: [stage, attempt, text].map(Into::into).into(),
            variables: Vec::new(),
            address_space: None,
            capture_output: false,
        };
        let (mut command, channel) = confined.command().unwrap();
        let child = command.spawn().unwrap();
        drop(command);
        let mut channel = BufReader::new(channel);
        let mut layers = BTreeMap::new();
        loop {
            let mut line = String::new();
            assert_ne!(channel.read_line(&mut line).unwrap(), 0, "the probe ended before it was ready");
            match line.trim_end().split_once(' ') {
                Some((name, state)) => layers.insert(name.to_owned(), state.to_owned()),
                None => break,
            };
        }
        Self { child, channel, layers }
    }

    fn go(&mut self) {
        self.channel.get_mut().write_all(b"\n").unwrap();
    }

    fn end(mut self) -> End {
        let mut text = String::new();
        // A process that is killed with unread input resets its socket.
        let _ = self.channel.read_to_string(&mut text);
        let done = text.trim_end().strip_prefix("done ").map(str::to_owned);
        End { done, status: self.child.wait().unwrap() }
    }
}

fn attempt(stage: &str, attempt: &str, text: &str) -> End {
    let mut probe = Probe::start(stage, attempt, text);
    probe.go();
    probe.end()
}

/// The version of the kernel's Landlock, 0 without.
fn landlock_version() -> i64 {
    // SAFETY: with a null pointer, size 0 and the flag 1 this call only asks for the version.
    unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0, 1) }.max(0)
}

fn has_seccomp() -> bool {
    fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").is_ok_and(|actions| actions.contains("kill_process"))
}

/// Whether the test can run; says so if not.
fn can_run(test: &str, what: &str, available: bool) -> bool {
    if !available {
        println!("not run: {test}: this kernel has no {what}");
    }
    available
}

/// The value of a field in a thread's status.
fn field(status: &str, name: &str) -> Option<String> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(|value| value.trim().to_owned())
}

#[test]
fn the_report_says_what_this_kernel_has() {
    let mut probe = Probe::start("whole", "nothing", "");
    let expected: Vec<(&str, bool)> =
        ["no_new_privs", "parent_death", "core_dumps", "open_files", "not_dumpable"].map(|name| (name, true)).into();
    let landlock = LANDLOCK.map(|(name, version)| (name, landlock_version() >= version));
    for (name, active) in expected.into_iter().chain(landlock).chain([("seccomp", has_seccomp())]) {
        assert_eq!(probe.layers[name] == "active", active, "{name}: {}", probe.layers[name]);
    }
    assert_eq!(probe.layers.len(), 9);
    probe.go();
    assert_eq!(probe.end().done.as_deref(), Some("allowed"));
}

#[test]
fn every_thread_is_confined() {
    let mut probe = Probe::start("whole", "nothing", "");
    let process = format!("/proc/{}", probe.child.id());
    let threads: Vec<_> = fs::read_dir(format!("{process}/task")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(threads.len(), 3, "main, isolate, helper");
    for thread in threads {
        let status = fs::read_to_string(thread.join("status")).unwrap();
        assert_eq!(field(&status, "NoNewPrivs").as_deref(), Some("1"));
        assert!(!has_seccomp() || field(&status, "Seccomp").as_deref() == Some("2"), "{status}");
    }
    let limits = fs::read_to_string(format!("{process}/limits")).unwrap();
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(limit("Max core file size"), ["0", "0"]);
    assert_eq!(limit("Max open files"), ["16", "16"]);
    probe.go();
    probe.end();
}

#[test]
fn threads_that_landlock_cannot_reach_are_reported() {
    let mut probe = Probe::start("late", "nothing", "");
    for (name, version) in LANDLOCK {
        let covered = landlock_version() >= version.max(LANDLOCK_ALL_THREADS);
        assert_eq!(probe.layers[name] == "active", covered, "{name}: {}", probe.layers[name]);
    }
    assert_eq!(probe.layers["seccomp"] == "active", has_seccomp());
    probe.go();
    probe.end();
}

#[test]
fn forbidden_calls_are_denied() {
    if !can_run("forbidden_calls_are_denied", "seccomp", has_seccomp()) {
        return;
    }
    let list = Command::new(env!("CARGO_BIN_EXE_edgehook-sandbox-probe")).arg("list").output().unwrap();
    let names = String::from_utf8(list.stdout).unwrap();
    assert!(names.lines().count() >= 75, "{names}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "content").unwrap();
    let before = fs::metadata(&path).unwrap();
    let mut wrong = Vec::new();
    for name in names.lines() {
        let end = attempt("whole", name, path.to_str().unwrap());
        let denied = if REFUSED.contains(&name) {
            end.done.as_deref() == Some(&format!("error {}", libc::EPERM)) && end.status.success()
        } else {
            // Without 32-bit support in the kernel that instruction is a fault.
            let fault = name == "int80" && end.status.signal() == Some(libc::SIGSEGV);
            end.done.is_none() && (end.status.signal() == Some(libc::SIGSYS) || fault)
        };
        if !denied {
            wrong.push(format!("{name}: {:?}, {}", end.done, end.status));
        }
    }
    assert!(wrong.is_empty(), "not denied as they should be: {wrong:#?}");
    let after = fs::metadata(&path).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(&path).unwrap(), "content");
    assert_eq!(after.permissions().mode(), before.permissions().mode());
}

#[test]
fn the_attempts_would_succeed_outside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "content").unwrap();
    let path = path.to_str().unwrap();
    for name in ["openat", "mkdirat", "truncate", "fchmodat", "socket", "dup", "clone", "kill"] {
        assert_eq!(attempt("nothing", name, path).done.as_deref(), Some("allowed"), "{name}");
    }
    for name in ["mmap_exec", "mprotect_exec", "memfd_create", "prctl", "personality", "new_thread", "command"] {
        assert_eq!(attempt("nothing", name, path).done.as_deref(), Some("allowed"), "{name}");
    }
    assert_eq!(fs::read_to_string(path).unwrap(), "", "truncated");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "with a new folder");
}

#[test]
fn processes_and_threads_cannot_be_started() {
    if !can_run("processes_and_threads_cannot_be_started", "seccomp", has_seccomp()) {
        return;
    }
    for name in ["new_thread", "command"] {
        let end = attempt("whole", name, "");
        assert_eq!((end.done, end.status.signal()), (None, Some(libc::SIGSYS)), "{name}");
    }
}

#[test]
fn landlock_alone_closes_files() {
    if !can_run("landlock_alone_closes_files", "Landlock", landlock_version() >= 1) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "content").unwrap();
    let denied = format!("error {}", libc::EACCES);
    let truncate = (landlock_version() >= 3).then_some("truncate");
    for name in ["openat", "unlinkat", "mkdirat", "mknodat", "symlinkat", "command"].into_iter().chain(truncate) {
        assert_eq!(attempt("begun", name, path.to_str().unwrap()).done.as_ref(), Some(&denied), "{name}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(&path).unwrap(), "content");
}

#[test]
fn landlock_alone_stops_tcp() {
    if !can_run("landlock_alone_stops_tcp", "Landlock for TCP", landlock_version() >= 4) {
        return;
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    assert_eq!(attempt("nothing", "tcp_connect", &address).done.as_deref(), Some("allowed"));
    let denied = format!("error {}", libc::EACCES);
    assert_eq!(attempt("begun", "tcp_connect", &address).done, Some(denied));
}

#[test]
fn landlock_alone_stops_signals_and_abstract_sockets() {
    if !can_run("landlock_alone_stops_signals_and_abstract_sockets", "Landlock scopes", landlock_version() >= 6) {
        return;
    }
    let denied = format!("error {}", libc::EPERM);
    assert_eq!(attempt("begun", "kill", "").done.as_ref(), Some(&denied));
    let name = format!("edgehook-sandbox-{}", std::process::id());
    let _listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    assert_eq!(attempt("nothing", "abstract_connect", &name).done.as_deref(), Some("allowed"));
    assert_eq!(attempt("begun", "abstract_connect", &name).done.as_ref(), Some(&denied));
}

#[test]
fn the_work_of_a_host_goes_on() {
    for name in ["nothing", "memory", "threads", "timer", "lookups", "panic_caught"] {
        let end = attempt("whole", name, "");
        assert_eq!(end.done.as_deref(), Some("allowed"), "{name}: {}", end.status);
        assert!(end.status.success(), "{name}: {}", end.status);
    }
}

#[test]
fn the_socket_carries_both_ways() {
    let mut probe = Probe::start("whole", "echo", "");
    let sent: Vec<u8> = (0..64 << 10).map(|index: u32| index.to_le_bytes()[0]).collect();
    probe.go();
    probe.channel.get_mut().write_all(&sent).unwrap();
    let mut back = vec![0; sent.len()];
    probe.channel.read_exact(&mut back).unwrap();
    assert_eq!(back, sent);
    assert_eq!(probe.end().done.as_deref(), Some("allowed"));
}

#[test]
fn shared_memory_can_be_read_and_only_read() {
    let mut probe = Probe::start("whole", "shared", "");
    probe.go();
    let memory = sealed(b"shared").unwrap();
    send_with(probe.channel.get_ref(), b"x", Some(memory.as_fd())).unwrap();
    assert_eq!(probe.end().done.as_deref(), Some("allowed"));
}

#[test]
fn a_host_ends_when_its_socket_does() {
    let probe = Probe::start("whole", "nothing", "");
    let Probe { mut child, channel, .. } = probe;
    drop(channel);
    // The probe finds no line and fails, by itself.
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_host_dies_of_the_true_cause() {
    let causes = [
        ("abort", libc::SIGABRT),
        ("allocation_failure", libc::SIGABRT),
        ("stack_overflow", libc::SIGABRT),
        ("fault", libc::SIGSEGV),
    ];
    for (name, signal) in causes {
        let end = attempt("whole", name, "");
        assert_eq!((end.done, end.status.signal()), (None, Some(signal)), "{name}: {}", end.status);
        assert!(!end.status.core_dumped(), "{name}");
    }
    for (name, code) in [("exit", 7), ("panic", 1)] {
        let end = attempt("whole", name, "");
        assert_eq!((end.done, end.status.code()), (None, Some(code)), "{name}: {}", end.status);
    }
}
