//! Starts an environment with a function in it and talks to it as the proxy does.

use edgehook_protocol::{
    VERSION,
    frame::{self, Inbox},
    lambda::{Error, FromEnvironment, Function, Invocation, ToEnvironment},
    wire::Blob,
};
use edgehook_sandbox::Confined;
use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    process::{Child, Command},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;

/// Only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether the binary has no Python in it, so that there is nothing to test; says so, and fails where Python is required.
pub(crate) fn is_without_python() -> bool {
    let output = Command::new(env!("CARGO_BIN_EXE_edgehook-python")).arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    assert!(version.starts_with(concat!("edgehook-python ", env!("CARGO_PKG_VERSION"), " (")), "{version}");
    let without = version.trim_end().ends_with("(without Python)");
    if without {
        assert!(std::env::var_os("EDGEHOOK_REQUIRE_PYTHON").is_none(), "Python is required, but: {version}");
        eprintln!("SKIPPED: this edgehook-python was built without Python");
    }
    without
}

pub(crate) const REQUEST: &str = "8f5c3a1e-0000-4000-8000-000000000001";

/// A folder with a function in it.
pub(crate) struct Code {
    folder: TempDir,
    main: String,
    handler: String,
    memory: u32,
    clock: Option<u64>,
}

impl Code {
    pub(crate) fn new(main: &str, source: &str) -> Self {
        let (folder, main_file, handler) = (TempDir::new().unwrap(), main.to_owned(), "handler".to_owned());
        let code = Self { folder, main: main_file, handler, memory: 256, clock: None };
        code.file(main, source)
    }

    /// A function in `index.py`.
    pub(crate) fn python(source: &str) -> Self {
        Self::new("index.py", source)
    }

    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    pub(crate) fn handler(mut self, name: &str) -> Self {
        name.clone_into(&mut self.handler);
        self
    }

    /// As in a test whose clock stands there, in milliseconds since 1970.
    pub(crate) fn at(mut self, moment: u64) -> Self {
        self.clock = Some(moment);
        self
    }

    /// Memory limit in MB.
    pub(crate) fn memory(mut self, megabytes: u32) -> Self {
        self.memory = megabytes;
        self
    }

    fn function(&self) -> Function {
        let file = self.folder.path().join(&self.main);
        Function {
            name: "us-east-1.greeter".to_owned(),
            version: "7".to_owned(),
            arn: "arn:aws:lambda:us-east-1:000000000000:function:us-east-1.greeter:7".to_owned(),
            log_group: "/aws/lambda/us-east-1.greeter".to_owned(),
            log_stream: "2026/01/02/[7]0123456789abcdef0123456789abcdef".to_owned(),
            memory: self.memory,
            source: Blob(fs::read(&file).unwrap()),
            root: self.folder.path().to_str().unwrap().to_owned(),
            file: file.to_str().unwrap().to_owned(),
            handler: self.handler.clone(),
            full_handler: self.handler.clone(),
            variables: vec![("GREETING".to_owned(), "hällo".to_owned())],
            tmp: String::new(),
            tmp_quota: 1 << 20,
            layers: Vec::new(),
            network: "all".to_owned(),
            allowed: Vec::new(),
            refused: Vec::new(),
            compat: "any".to_owned(),
            node: String::new(),
            clock: self.clock,
        }
    }

    fn start(self) -> Environment {
        let confined = Confined {
            program: env!("CARGO_BIN_EXE_edgehook-python").into(),
            arguments: Vec::new(),
            variables: Vec::new(),
            address_space: None,
            capture_output: true,
        };
        let (mut command, socket) = confined.command().unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let child = command.spawn().unwrap();
        let mut environment = Environment { code: self, child, socket, inbox: Inbox::new(), calls: 0 };
        assert_eq!(environment.receive(), Some(FromEnvironment::Hello { version: VERSION }));
        let function = environment.code.function();
        environment.send(&ToEnvironment::Init(Box::new(function)));
        environment
    }

    /// Starts an environment whose function loads.
    pub(crate) fn ready(self) -> Environment {
        let mut environment = self.start();
        assert!(matches!(environment.receive(), Some(FromEnvironment::Ready { .. })), "it does not load");
        environment
    }

    /// Starts an environment whose function does not load: the error.
    pub(crate) fn refused(self) -> Error {
        let mut environment = self.start();
        let Some(FromEnvironment::InitFailed(error)) = environment.receive() else { panic!("it loaded") };
        assert_eq!(environment.receive(), None);
        assert_eq!(environment.end().status, Some(1));
        error
    }

    /// Starts an environment whose function ends the process at its top level: the exit status.
    pub(crate) fn left(self) -> Option<i32> {
        let mut environment = self.start();
        assert_eq!(environment.receive(), None);
        environment.end().status
    }

    /// Starts an environment and gives the outcome of one invocation.
    pub(crate) fn once(self) -> Result<String, Error> {
        self.ready().invoke("{}")
    }
}

/// A running environment.
pub(crate) struct Environment {
    code: Code,
    child: Child,
    socket: UnixStream,
    inbox: Inbox,
    calls: u64,
}

impl Environment {
    pub(crate) fn send(&mut self, message: &ToEnvironment) {
        let mut bytes = Vec::new();
        frame::append(message, &mut bytes);
        self.socket.write_all(&bytes).unwrap();
    }

    /// The next message, or `None` when the process has closed its end.
    pub(crate) fn receive(&mut self) -> Option<FromEnvironment> {
        let mut chunk = [0; 65_536];
        loop {
            if let Some(message) = self.inbox.next_message().unwrap() {
                return Some(message);
            }
            match self.socket.read(&mut chunk) {
                Ok(0) => return None,
                Ok(length) => self.inbox.extend(&chunk[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                // A read with a time-out is not resumed by the kernel when the process was stopped and continued.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => panic!("no answer: {error}"),
            }
        }
    }

    pub(crate) fn begin(&mut self, event: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        self.begin_until(event, u64::try_from((now + Duration::from_secs(10)).as_millis()).unwrap());
    }

    fn begin_until(&mut self, event: &str, deadline: u64) {
        self.calls += 1;
        self.send(&ToEnvironment::Invoke(Invocation {
            call: self.calls,
            request_id: REQUEST.to_owned(),
            deadline,
            trace: String::new(),
            clock: self.code.clock,
            event: Blob(event.as_bytes().to_vec()),
        }));
    }

    /// Moves the clock of a test for the invocations to come.
    pub(crate) fn move_to(&mut self, moment: u64) {
        self.code.clock = Some(moment);
    }

    /// Runs the handler once.
    pub(crate) fn invoke(&mut self, event: &str) -> Result<String, Error> {
        self.begin(event);
        self.answer()
    }

    /// Runs the handler once, with a deadline in milliseconds since 1970.
    pub(crate) fn invoke_until(&mut self, event: &str, deadline: u64) -> Result<String, Error> {
        self.begin_until(event, deadline);
        self.answer()
    }

    fn answer(&mut self) -> Result<String, Error> {
        match self.receive() {
            Some(FromEnvironment::Done { call, result, .. }) if call == self.calls => {
                Ok(String::from_utf8(result.0).unwrap())
            }
            Some(FromEnvironment::Failed { call, error, .. }) if call == self.calls => Err(error),
            other => panic!("unexpected answer: {other:?}"),
        }
    }

    /// The next bytes of standard output, as soon as they are there.
    pub(crate) fn read_output(&mut self, length: usize) -> String {
        let mut bytes = vec![0; length];
        self.child.stdout.as_mut().unwrap().read_exact(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// Closes the socket: how the process ended, and all it wrote.
    pub(crate) fn end(self) -> Ended {
        let Self { child, socket, code, .. } = self;
        drop(socket);
        let output = child.wait_with_output().unwrap();
        drop(code);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { status: output.status.code(), output: text(output.stdout), errors: text(output.stderr) }
    }
}

/// A process that is gone.
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

/// What an error is called and says.
pub(crate) fn gist(error: &Error) -> (&str, &str) {
    (&error.kind, &error.message)
}
