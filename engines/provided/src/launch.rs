//! What is started for a function, with which variables and which rights (lambda-edge.md 6, 8.5).

use edgehook_protocol::{
    channel::Channel,
    lambda::{Function, NetworkSetting, tell_of_gate},
};
use edgehook_sandbox::{
    DEVICES, EnvironmentRules, Handing, Keep, NetworkUse, ProcessUse, Program, RECORDS, SYSTEM_FILES,
};
use std::{
    ffi::OsString,
    fs::File,
    io::Read as _,
    net::SocketAddr,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::{Path, PathBuf},
};

/// Open files of each process (lambda-edge.md 6.1).
const OPEN_FILES: u64 = 1_024;

const MEBIBYTE: u64 = 1024 * 1024;

/// Private memory that a process may have beyond twice its limit: the stacks of threads count, though most of them is never
/// touched. What is really used is measured; this only bounds what can be taken between two looks.
const DATA_SLACK: u64 = 512 * MEBIBYTE;

/// Where programs are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Makes a runtime of Node.js.
const BOOTSTRAP: &str = concat!(
    "(() => {\nconst calling =\n",
    include_str!("../../lambda-js/src/js/calling.js"),
    include_str!("bootstrap.js"),
    "})();"
);

/// What programs of any kind read besides [`SYSTEM_FILES`]: themselves, their libraries, what there is of processors.
const READABLE: [&str; 20] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib32",
    "/nix/store",
    "/etc/alternatives",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/os-release",
    // Of the process itself; those that it starts have folders of their own there, which they cannot read.
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/vm",
    "/proc/sys/kernel",
    "/proc/version",
    "/sys/devices/system/cpu",
    "/sys/kernel/mm/transparent_hugepage",
];

/// The program of `function`, which finds its API at `api` and writes records to `records`. `temporary` is its folder for
/// files: `/tmp`, or where that could not be had. `proxy` is the socket on which its gate is spoken of.
pub(crate) fn program(
    function: &Function,
    api: SocketAddr,
    temporary: &Path,
    records: OwnedFd,
    proxy: UnixStream,
) -> Program {
    let (program, arguments) = command(function);
    let folder = PathBuf::from(&function.root);
    let mut readable = own_folders(function);
    readable.extend(SYSTEM_FILES.iter().chain(&READABLE).map(PathBuf::from));
    let mut writable = DEVICES.map(PathBuf::from).to_vec();
    writable.push(temporary.to_owned());
    let network = match NetworkSetting::named(&function.network) {
        NetworkSetting::None => NetworkUse::Port(api.port()),
        NetworkSetting::Public => NetworkUse::Gated,
        NetworkSetting::All => NetworkUse::Internet,
    };
    let memory = u64::from(function.memory) * MEBIBYTE;
    Program {
        program,
        arguments,
        variables: variables(function, api, temporary),
        folder,
        rules: EnvironmentRules { readable, writable, network, processes: ProcessUse::Own },
        open_files: OPEN_FILES,
        file_size: function.tmp_quota,
        data: memory * 2 + DATA_SLACK,
        records,
        keeper: keeper(proxy, api),
    }
}

/// Speaks to the proxy in the place of this process, which waits for its child meanwhile.
fn keeper(proxy: UnixStream, api: SocketAddr) -> Keep {
    let mut channel = Channel::new(proxy);
    Box::new(move |Handing { descriptor, is_made }| {
        tell_of_gate(&mut channel, std::process::id(), descriptor, is_made, &api.to_string())
    })
}

/// Folders that belong to the function: its code, its layers, and where the program and its interpreter are installed.
pub(crate) fn own_folders(function: &Function) -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from(&function.root)];
    folders.extend(function.layers.iter().map(PathBuf::from));
    folders.extend(prefixes(&command(function).0));
    folders
}

fn command(function: &Function) -> (PathBuf, Vec<OsString>) {
    if function.node.is_empty() {
        return (PathBuf::from(&function.file), Vec::new());
    }
    let heap = format!("--max-old-space-size={}", (function.memory / 4 * 3).max(16));
    let own = [&function.file, &function.compat, &function.handler].map(String::as_str);
    let clock = function.clock.map(|clock| clock.to_string());
    let arguments = [heap.as_str(), "-e", BOOTSTRAP, "--"].into_iter().chain(own).chain(clock.as_deref());
    (PathBuf::from(&function.node), arguments.map(OsString::from).collect())
}

/// Those of every environment, then those that only such ones need; the function's own go before the latter.
fn variables(function: &Function, api: SocketAddr, temporary: &Path) -> Vec<(String, String)> {
    let mut variables = function.all_variables();
    let root = &function.root;
    // A later layer goes before an earlier one.
    let layers = || function.layers.iter().rev();
    let list = |first: Vec<String>, of_layers: &[&str]| {
        let below = layers().flat_map(|layer| of_layers.iter().map(move |folder| format!("{layer}/{folder}")));
        first.into_iter().chain(below).collect::<Vec<_>>().join(":")
    };
    let defaults = [
        ("PATH", list(vec![PATH.to_owned()], &["bin"])),
        ("LD_LIBRARY_PATH", list(vec![root.clone(), format!("{root}/lib")], &["lib"])),
        ("NODE_PATH", list(Vec::new(), &["nodejs/node22/node_modules", "nodejs/node_modules", "node_modules"])),
        ("PYTHONPATH", list(Vec::new(), &["python"])),
    ];
    for (name, value) in defaults {
        if !value.is_empty() && !variables.iter().any(|(known, _)| known == name) {
            variables.push((name.to_owned(), value));
        }
    }
    let mut set = |name: &str, value: String| {
        variables.retain(|(known, _)| known != name);
        variables.push((name.to_owned(), value));
    };
    set("AWS_LAMBDA_RUNTIME_API", api.to_string());
    set("_LAMBDA_TELEMETRY_LOG_FD", RECORDS.to_string());
    set("TMPDIR", temporary.to_string_lossy().into_owned());
    variables
}

/// Where the program, and the interpreter that its first line names, are installed.
fn prefixes(program: &Path) -> Vec<PathBuf> {
    let mut programs = vec![program.to_owned()];
    programs.extend(interpreters(program));
    let mut found = Vec::new();
    for program in programs {
        let followed = program.canonicalize().ok();
        found.extend([Some(program), followed].into_iter().flatten().filter_map(|program| prefix(&program)));
    }
    found
}

/// The folder that holds `bin` and `lib`, or else the program's own.
fn prefix(program: &Path) -> Option<PathBuf> {
    let folder = program.parent()?;
    let above = folder.parent().filter(|above| folder.ends_with("bin") && above.parent().is_some());
    let whole = above.filter(|above| above.join("lib").is_dir());
    Some(whole.unwrap_or(folder).to_owned()).filter(|folder| folder.parent().is_some())
}

/// `#!/usr/bin/env python3`: both of them.
fn interpreters(script: &Path) -> Vec<PathBuf> {
    let mut start = Vec::new();
    let read = File::open(script).and_then(|file| file.take(256).read_to_end(&mut start));
    let line = String::from_utf8_lossy(&start);
    let Some(line) = line.strip_prefix("#!").filter(|_| read.is_ok()) else { return Vec::new() };
    let mut words = line.lines().next().unwrap_or_default().split_ascii_whitespace();
    let Some(interpreter) = words.next().map(PathBuf::from) else { return Vec::new() };
    if !interpreter.ends_with("env") {
        return vec![interpreter];
    }
    let name = words.find(|word| !word.starts_with('-') && !word.contains('='));
    let found =
        name.and_then(|name| std::env::split_paths(PATH).map(|folder| folder.join(name)).find(|file| file.is_file()));
    std::iter::once(interpreter).chain(found).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgehook_protocol::wire::Blob;

    fn function(node: &str) -> Function {
        Function {
            name: "us-east-1.f".to_owned(),
            version: "1".to_owned(),
            arn: String::new(),
            log_group: String::new(),
            log_stream: String::new(),
            memory: 128,
            root: "/srv/f".to_owned(),
            file: "/srv/f/handler.js".to_owned(),
            source: Blob(Vec::new()),
            handler: "handler".to_owned(),
            full_handler: "handler".to_owned(),
            variables: vec![("TZ".to_owned(), "Europe/Paris".to_owned()), ("PATH".to_owned(), "/mine".to_owned())],
            tmp: "/tmp/x".to_owned(),
            tmp_quota: 7,
            layers: vec!["/one".to_owned(), "/two".to_owned()],
            network: "none".to_owned(),
            allowed: Vec::new(),
            refused: Vec::new(),
            compat: "any".to_owned(),
            node: node.to_owned(),
            clock: None,
        }
    }

    #[test]
    fn variables_are_lambdas_then_the_functions_then_defaults() {
        let variables = variables(&function(""), "127.1.2.3:9001".parse().unwrap(), Path::new("/tmp"));
        let value = |name: &str| {
            let mut found = variables.iter().filter(|(known, _)| known == name);
            let value = found.next().map(|(_, value)| value.as_str());
            assert!(found.next().is_none(), "{name} is there twice");
            value
        };
        assert_eq!(value("AWS_LAMBDA_RUNTIME_API"), Some("127.1.2.3:9001"));
        assert_eq!(value("TZ"), Some("Europe/Paris"));
        assert_eq!(value("PATH"), Some("/mine"));
        assert_eq!(value("LD_LIBRARY_PATH"), Some("/srv/f:/srv/f/lib:/two/lib:/one/lib"));
        assert_eq!(value("PYTHONPATH"), Some("/two/python:/one/python"));
        assert_eq!(value("LAMBDA_TASK_ROOT"), Some("/srv/f"));
        assert_eq!(value("AWS_ACCESS_KEY_ID"), None);
    }

    #[test]
    fn node_runs_the_bootstrap_and_others_themselves() {
        let (program, arguments) = command(&function("/opt/node/bin/node"));
        assert_eq!(program, Path::new("/opt/node/bin/node"));
        assert_eq!(arguments[0], "--max-old-space-size=96");
        assert_eq!(arguments[4..], ["/srv/f/handler.js", "any", "handler"]);
        let of_test = Function { clock: Some(1_767_225_600_000), ..function("/opt/node/bin/node") };
        assert_eq!(command(&of_test).1[4..], ["/srv/f/handler.js", "any", "handler", "1767225600000"]);
        assert_eq!(command(&function("")), (PathBuf::from("/srv/f/handler.js"), Vec::new()));
    }

    #[test]
    fn interpreters_are_read_from_the_first_line() {
        let folder = std::env::temp_dir().join(format!("edgehook-launch-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let of = |text: &str| {
            let file = folder.join("script");
            std::fs::write(&file, text).unwrap();
            interpreters(&file)
        };
        assert_eq!(of("#!/bin/sh -e\nexit"), [PathBuf::from("/bin/sh")]);
        assert_eq!(of("#! /usr/bin/env -S sh\n")[0], Path::new("/usr/bin/env"));
        assert!(of("#!/usr/bin/env sh\n")[1].ends_with("sh"));
        assert!(of("\u{7f}ELF").is_empty());
        assert!(of("#!").is_empty());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn no_prefix_is_the_whole_machine() {
        for program in ["/bin/sh", "/sh", "/usr/bin/env"] {
            assert_ne!(prefix(Path::new(program)).as_deref(), Some(Path::new("/")), "{program}");
        }
    }
}
