//! The edge under test: the real executable, started from an inline configuration in a folder of its own.

use super::{Client, Reply, eventually};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};
use tempfile::TempDir;

/// A running edge. Ended when dropped.
pub(crate) struct Edge {
    child: Child,
    folder: Option<TempDir>,
    /// Where it puts what is temporary.
    scratch: TempDir,
    output: Arc<Mutex<String>>,
    proxies: Vec<(String, SocketAddr)>,
}

/// The executable under test.
pub(crate) fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_edgehook")
}

/// Whether Python functions can be run. Without: the test that asks says so and is skipped, unless
/// `EDGEHOOK_REQUIRE_PYTHON` is set.
pub(crate) fn has_python() -> bool {
    let program = Path::new(binary()).with_file_name("edgehook-python");
    let version = Command::new(&program).arg("--version").output();
    let works = version.is_ok_and(|output| {
        output.status.success() && !String::from_utf8_lossy(&output.stdout).contains("without Python")
    });
    if !works {
        let demanded = std::env::var_os("EDGEHOOK_REQUIRE_PYTHON").is_some();
        assert!(!demanded, "{} does not run Python", program.display());
        eprintln!("SKIPPED: {} does not run Python", program.display());
    }
    works
}

impl Edge {
    /// Starts `edgehook serve` with `config` (without `[server]` and `[admin]`) and `files` beside it.
    pub(crate) fn start(config: &str, files: &[(&str, &str)]) -> Self {
        Self::with_server("listen = [\"http://127.0.0.1:0\"]", config, files)
    }

    /// The same, with the lines of `[server]`.
    pub(crate) fn with_server(server: &str, config: &str, files: &[(&str, &str)]) -> Self {
        let folder = folder(files);
        write_config(folder.path(), server, config);
        Self::run(folder, &["serve", "--config", "edge.toml"])
    }

    /// As [`Edge::start`], with the log at this level.
    pub(crate) fn start_logging(level: &str, config: &str, files: &[(&str, &str)]) -> Self {
        let folder = folder(files);
        write_config(folder.path(), "listen = [\"http://127.0.0.1:0\"]", config);
        Self::run_with(folder, &["serve", "--config", "edge.toml"], &[("EDGEHOOK_LOG", level)])
    }

    /// As [`Edge::start`], with these variables in its environment.
    pub(crate) fn start_with(config: &str, files: &[(&str, &str)], variables: &[(&str, &str)]) -> Self {
        let folder = folder(files);
        write_config(folder.path(), "listen = [\"http://127.0.0.1:0\"]", config);
        Self::run_with(folder, &["serve", "--config", "edge.toml"], variables)
    }

    /// As [`Edge::with_server`], in a folder that has its files already, with these variables in its environment.
    pub(crate) fn start_in(folder: TempDir, server: &str, config: &str, variables: &[(&str, &str)]) -> Self {
        write_config(folder.path(), server, config);
        Self::run_with(folder, &["serve", "--config", "edge.toml"], variables)
    }

    /// Starts `edgehook ARGUMENTS` in `folder`, and waits until it serves.
    pub(crate) fn run(folder: TempDir, arguments: &[&str]) -> Self {
        Self::run_with(folder, arguments, &[])
    }

    fn run_with(folder: TempDir, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::run_in(folder, tempfile::tempdir().unwrap(), arguments, variables)
    }

    /// As [`Edge::run`], with a folder for temporary files and with these variables.
    pub(crate) fn run_in(folder: TempDir, scratch: TempDir, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(binary());
        command.args(arguments).envs(variables.iter().copied()).stdin(Stdio::null());
        Self::spawn(folder, scratch, command)
    }

    /// As [`Edge::run`], in the foreground of a terminal. Returns where keys are pressed.
    pub(crate) fn run_on_terminal(folder: TempDir, arguments: &[&str]) -> (Self, fs::File) {
        let terminal = nix::pty::openpty(None, None).unwrap();
        // Of a session of its own, with the terminal as the controlling one.
        let mut command = Command::new("setsid");
        command.args(["--ctty", binary()]).args(arguments).stdin(Stdio::from(terminal.slave));
        (Self::spawn(folder, tempfile::tempdir().unwrap(), command), fs::File::from(terminal.master))
    }

    fn spawn(folder: TempDir, scratch: TempDir, mut command: Command) -> Self {
        let mut child = command
            .current_dir(folder.path())
            .env("NO_COLOR", "1")
            .env("TMPDIR", scratch.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take().unwrap(), &output);
        collect(child.stderr.take().unwrap(), &output);
        let mut edge = Self { child, folder: Some(folder), scratch, output, proxies: Vec::new() };
        edge.proxies = eventually("the edge serves", || {
            let text = edge.output();
            if let Some(status) = edge.child.try_wait().unwrap() {
                panic!("the edge ended: {status}\n{}", edge.output());
            }
            let ready = text.lines().any(|line| line.trim_start().starts_with("admin"));
            ready.then(|| proxies(&text))
        });
        edge
    }

    /// A connection to its first listener.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address())
    }

    /// The address of its first listener.
    pub(crate) fn address(&self) -> SocketAddr {
        self.proxies[0].1
    }

    /// The address of its listener with this scheme.
    pub(crate) fn listener(&self, scheme: &str) -> SocketAddr {
        self.proxies.iter().find(|(known, _)| known == scheme).unwrap().1
    }

    /// GET on a connection of its own.
    pub(crate) fn get(&self, target: &str) -> Reply {
        self.client().request("GET", target, &[], b"")
    }

    /// GET with headers.
    pub(crate) fn get_with(&self, target: &str, headers: &[(&str, &str)]) -> Reply {
        self.client().request("GET", target, headers, b"")
    }

    /// GET from its admin API.
    pub(crate) fn admin(&self, target: &str) -> Reply {
        self.admin_with(target, &[])
    }

    /// The same with more fields.
    pub(crate) fn admin_with(&self, target: &str, headers: &[(&str, &str)]) -> Reply {
        let address = self.admin_address().parse().unwrap();
        Client::connect(address).request("GET", target, &[&[("host", "localhost")], headers].concat(), b"")
    }

    /// Address and port of its admin API.
    pub(crate) fn admin_address(&self) -> String {
        let output = self.output();
        let address = output.lines().find_map(|line| line.trim_start().strip_prefix("admin")).unwrap().trim();
        address.strip_prefix("http://").unwrap().trim_end_matches("/status").to_owned()
    }

    /// Everything that it has written so far, to either stream.
    pub(crate) fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// Waits until it has written `text`.
    pub(crate) fn says(&self, text: &str) -> String {
        eventually(&format!("the edge says {text:?}; so far:\n{}", self.output()), || {
            let output = self.output();
            output.contains(text).then_some(output)
        })
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// Its folder for what is temporary.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Starts `edgehook serve` once more in the folder of one that has ended.
    pub(crate) fn again(mut self) -> Self {
        let scratch = std::mem::replace(&mut self.scratch, tempfile::tempdir().unwrap());
        Self::run_in(self.folder.take().unwrap(), scratch, &["serve", "--config", "edge.toml"], &[])
    }

    /// Writes a file in its folder, as an editor does: a new file in the place of the old one.
    pub(crate) fn save(&self, name: &str, text: &str) {
        let (file, fresh) = (self.folder().join(name), self.folder().join(format!("{name}.new")));
        fs::write(&fresh, text).unwrap();
        fs::rename(fresh, file).unwrap();
    }

    /// Replaces its configuration.
    pub(crate) fn save_config(&self, server: &str, config: &str) {
        self.save("edge.toml", &config_text(server, config));
    }

    /// Its process id.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let process = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(process, signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> Option<i32> {
        eventually("the edge ends", || self.child.try_wait().unwrap()).code()
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("---- the edge said:\n{}", self.output());
        }
    }
}

/// A folder with files in it.
pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file: PathBuf = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        if text.starts_with("#!") {
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    folder
}

fn config_text(server: &str, config: &str) -> String {
    format!("version = 1\n[server]\nname = \"edge1\"\n{server}\n[admin]\nlisten = \"127.0.0.1:0\"\n{config}")
}

fn write_config(folder: &Path, server: &str, config: &str) {
    fs::write(folder.join("edge.toml"), config_text(server, config)).unwrap();
}

fn proxies(text: &str) -> Vec<(String, SocketAddr)> {
    let line = text.lines().filter(|line| line.trim_start().starts_with("proxy")).collect::<Vec<_>>().join(" ");
    line.split_whitespace()
        .filter_map(|word| word.split_once("://"))
        .filter_map(|(scheme, address)| {
            let address = address.replace("localhost", "127.0.0.1");
            Some((scheme.to_owned(), address.parse().ok()?))
        })
        .collect()
}

fn collect(stream: impl Read + Send + 'static, output: &Arc<Mutex<String>>) {
    let output = output.clone();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut output = output.lock().unwrap();
            output.push_str(&line);
            output.push('\n');
        }
    });
}
