//! Names that are missing or mistyped: people at a terminal choose from a list, programs read it.

use crate::harness::{binary, edge::folder, eventually};
use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
};

const CONFIG: &str = "[origin.site]\nurl = \"http://a.example\"\n\
    [function.first]\nruntime = \"cloudfront-js-2.0\"\nfile = \"f.js\"\n\
    [function.second]\nruntime = \"cloudfront-js-2.0\"\nfile = \"f.js\"\n\
    [kvs.words]\n[kvs.names]\n\
    [[behavior]]\npath = \"*\"\norigin = \"site\"\nviewer_request = \"first\"\n";

fn project() -> tempfile::TempDir {
    folder(&[("edge.toml", CONFIG), ("f.js", "function handler(event) { return event.request; }")])
}

/// Runs a verb whose standard input and error are a terminal. Presses the keys once `question` is shown; returns what came out and
/// what the terminal showed.
fn at_a_terminal(folder: &Path, arguments: &[&str], question: &str, keys: &str) -> (Output, String) {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let (mut master, slave) = (fs::File::from(terminal.master), terminal.slave);
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(folder).env("TERM", "xterm").env("NO_COLOR", "1");
    let stdin = Stdio::from(slave.try_clone().unwrap());
    let child = command.stdin(stdin).stderr(Stdio::from(slave)).stdout(Stdio::piped()).spawn().unwrap();
    drop(command); // and with it its ends of the terminal, so that the reader sees the child's go
    let shown = Arc::new(Mutex::new(String::new()));
    let (mut reader, seen) = (master.try_clone().unwrap(), shown.clone());
    let reading = thread::spawn(move || {
        let mut bytes = [0; 1024];
        while let Ok(count @ 1..) = reader.read(&mut bytes) {
            seen.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    });
    eventually("the question is asked", || shown.lock().unwrap().contains(question).then_some(()));
    master.write_all(keys.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    reading.join().unwrap();
    let shown = shown.lock().unwrap().clone();
    (output, shown)
}

#[test]
fn a_function_is_chosen_from_the_list() {
    let project = project();
    for (arguments, question) in [
        (&["invoke"][..], "name a function; choose of the functions"),
        (&["invoke", "thrid"], "there is no function \"thrid\""),
    ] {
        let (output, shown) = at_a_terminal(project.path(), arguments, question, "j\r");
        assert_eq!(output.status.code(), Some(0), "{shown}");
        assert!(shown.contains("first") && shown.contains("second"), "{shown}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("second"), "{output:?}\n{shown}");
    }
}

#[test]
fn who_chooses_none_is_told_what_there_is() {
    let project = project();
    let (output, shown) = at_a_terminal(project.path(), &["invoke"], "choose of the functions", "\u{1b}");
    assert_eq!(output.status.code(), Some(2), "{shown}");
    assert!(shown.contains("name a function; functions: first, second"), "{shown}");
}

#[test]
fn stores_and_templates_too() {
    let project = project();
    let (output, shown) = at_a_terminal(project.path(), &["kv", "ls", "nmaes"], "no key value store \"nmaes\"", "j\r");
    assert_eq!(output.status.code(), Some(0), "{shown}");
    let (output, shown) =
        at_a_terminal(project.path(), &["init", "new", "--template"], "say which with --template", "j\r");
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(project.path().join("new/functions/route.js").is_file(), "that of spa");
}

#[test]
fn nobody_is_asked_for_a_program_nor_where_nobody_sits() {
    let project = project();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        let ran = command.args(arguments).current_dir(project.path()).env("NO_COLOR", "1").stdin(Stdio::null());
        let ran = ran.output().unwrap();
        (ran.status.code(), String::from_utf8(ran.stderr).unwrap())
    };
    assert_eq!(run(&["invoke"]), (Some(2), "error: name a function; functions: first, second\n".to_owned()));
    let templates = "error: say which with --template; templates: site, spa, ab, jwt, api\n";
    assert_eq!(run(&["init", "new", "--template"]), (Some(2), templates.to_owned()));
    for quiet in ["--json", "--quiet"] {
        let list = "name a function; functions: first, second";
        let (output, shown) = at_a_terminal(project.path(), &["invoke", quiet], list, "");
        assert!(output.status.code() == Some(2) && !shown.contains("choose"), "{shown}");
    }
}
