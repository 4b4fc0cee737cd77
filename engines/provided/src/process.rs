//! The process that stands between the proxy and a runtime: greeting, INIT, then one invocation after the other. It ends as the
//! runtime ends, and takes it along when the proxy goes.

use crate::{
    api::{Api, Did},
    group::Group,
    launch,
    records::Frames,
};
use edgehook_protocol::{
    VERSION,
    channel::Channel,
    frame::{self, Inbox},
    lambda::{Error, FromEnvironment, Function, ToEnvironment},
    wire::{Blob, Wire},
};
use edgehook_sandbox::{PrivateFolders, Process, Signal, Template, end_by, kill_own_group, private_folders};
use std::{
    cell::RefCell,
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::{net::UnixStream, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{ExitCode, ExitStatus},
    rc::Rc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Interest, unix::AsyncFd},
    net::unix::pipe,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval},
};

/// The API's port, on an address of the environment's own (lambda-edge.md 8).
const PORT: u16 = 9001;

/// How often an address is drawn before giving up.
const DRAWS: usize = 100;

/// How often memory is looked at while the function runs.
const LOOK: Duration = Duration::from_millis(50);

/// Exit status when INIT failed, or when the process was not started as an environment.
const INIT_FAILED: u8 = 1;

/// Runs this process as the template that such environments are copied from, until the proxy closes the socket. The process
/// must have been started through `edgehook_sandbox::Confined`, with the socket as standard input.
///
/// Exit status of an environment: that of the function's executable; 0 when the socket closes; 1 when INIT fails.
#[must_use]
pub fn run() -> ExitCode {
    let served = Template::new().and_then(|mut template| match template.next_copy()? {
        Some(channel) => {
            drop(template);
            serve(channel)
        }
        None => Ok(0),
    });
    ExitCode::from(served.unwrap_or(INIT_FAILED))
}

fn serve(socket: UnixStream) -> io::Result<u8> {
    let proxy = edgehook_sandbox::parent();
    let mut channel = Channel::new(socket);
    channel.send(&FromEnvironment::Hello { version: VERSION })?;
    let Some(ToEnvironment::Init(function)) = channel.receive()? else { return Ok(0) };
    let socket = channel.into_inner();
    match start(&function, proxy, &socket) {
        Ok((function, started)) => {
            socket.set_nonblocking(true)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, attend(socket, function, started))
        }
        Err(error) => {
            let kind = "Runtime.InvalidEntrypoint".to_owned();
            let message = format!("{} cannot be started: {error}", shown_program(&function));
            let failed = FromEnvironment::InitFailed(Error { kind, message, trace: Vec::new() });
            Channel::new(socket).send(&failed)?;
            Ok(INIT_FAILED)
        }
    }
}

fn shown_program(function: &Function) -> &str {
    if function.node.is_empty() { &function.file } else { &function.node }
}

/// A runtime that has just been started.
struct Started {
    listener: TcpListener,
    process: Process,
    records: io::PipeReader,
    layers: Vec<(String, String)>,
}

/// Starts the runtime; the function as it is where its folders are now.
fn start(function: &Function, proxy: u32, socket: &UnixStream) -> io::Result<(Function, Started)> {
    let (function, temporary, mut layers) = settle(function.clone());
    edgehook_sandbox::watch_over_group(proxy)?;
    let listener = listener()?;
    let (records, write) = io::pipe()?;
    let address = listener.local_addr()?;
    let program = launch::program(&function, address, &temporary, write.into(), socket.try_clone()?);
    let (process, more) = program.spawn()?;
    layers.extend(more);
    Ok((function, Started { listener, process, records, layers }))
}

/// Puts the function's folders in their places, as far as the system allows it: the function where they are now, the folder
/// for files as the runtime will see it, and how those layers went.
fn settle(function: Function) -> (Function, PathBuf, Vec<(String, String)>) {
    if function.tmp.is_empty() {
        return (function, PathBuf::from("/tmp"), Vec::new());
    }
    let keep = launch::own_folders(&function);
    let places = private_folders(&PrivateFolders {
        tmp: Path::new(&function.tmp),
        code: Path::new(&function.root),
        // The copy of an executable that came alone.
        over: Some(Path::new(&function.file)).filter(|file| {
            !file.starts_with(&function.root) && !function.layers.iter().any(|layer| file.starts_with(layer))
        }),
        layers: function.layers.first().map(Path::new),
        keep: &keep,
    });
    let tmp = PathBuf::from(if places.tmp { "/tmp" } else { function.tmp.as_str() });
    (function.mounted(places.code, places.layers), tmp, places.report)
}

/// Listens on an address that no other environment has.
fn listener() -> io::Result<TcpListener> {
    if !cfg!(target_os = "linux") {
        return TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    }
    let mut last = io::Error::other("no address was drawn");
    for _ in 0..DRAWS {
        let mut bytes = [0_u8; 3];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        // Not where servers of other kinds are.
        let address = Ipv4Addr::new(127, bytes[0].clamp(1, 254), bytes[1], bytes[2].clamp(1, 254));
        match TcpListener::bind(SocketAddr::from((address, PORT))) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Everything that this process attends to.
struct Attendant {
    socket: tokio::net::UnixStream,
    inbox: Inbox,
    api: Rc<Api>,
    group: Rc<RefCell<Group>>,
    child: AsyncFd<Process>,
    records: Option<pipe::Receiver>,
    frames: Frames,
    layers: Vec<(String, String)>,
    /// In bytes.
    memory_limit: u64,
    most_memory: u64,
}

/// What happened.
enum Event {
    Did(Did),
    Sent(Box<ToEnvironment>),
    /// The proxy is gone, or this environment is no longer wanted.
    Closed,
    Ended(ExitStatus),
    Logged,
    Tick,
    Terminate,
}

async fn attend(socket: UnixStream, function: Function, started: Started) -> io::Result<u8> {
    let (did, mut doings) = mpsc::unbounded_channel();
    let group = Rc::new(RefCell::new(Group::new(started.process.number())));
    let memory_limit = u64::from(function.memory) << 20;
    let api = Api::new(function, group.clone(), did);
    started.listener.set_nonblocking(true)?;
    tokio::task::spawn_local(api.clone().serve(tokio::net::TcpListener::from_std(started.listener)?));
    #[allow(deprecated, reason = "its successor is unsafe for what might not own its descriptor; `Process` does")]
    let child = AsyncFd::with_interest(started.process, Interest::READABLE)?;
    let mut attendant = Attendant {
        socket: tokio::net::UnixStream::from_std(socket)?,
        inbox: Inbox::new(),
        api,
        group,
        child,
        records: Some(pipe::Receiver::from_owned_fd(started.records.into())?),
        frames: Frames::default(),
        layers: started.layers,
        memory_limit,
        most_memory: 0,
    };
    let mut terminate = signal(SignalKind::terminate())?;
    // A process group that is left without its session's leader is sent this when it is stopped.
    let _hangup = signal(SignalKind::hangup())?;
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let event = attendant.event(&mut doings, &mut terminate, &mut ticks).await?;
        if let Some(status) = attendant.handle(event).await? {
            return Ok(status);
        }
    }
}

impl Attendant {
    async fn event(
        &mut self,
        doings: &mut mpsc::UnboundedReceiver<Did>,
        terminate: &mut tokio::signal::unix::Signal,
        ticks: &mut Interval,
    ) -> io::Result<Event> {
        if let Some(message) = self.inbox.next_message().map_err(io::Error::other)? {
            return Ok(Event::Sent(Box::new(message)));
        }
        let mut buffer = [0; 16 * 1024];
        let busy = self.api.is_busy();
        Ok(tokio::select! {
            biased;
            Some(did) = doings.recv() => Event::Did(did),
            read = self.socket.read(&mut buffer) => match read {
                Ok(length) if length > 0 => {
                    self.inbox.extend(&buffer[..length]);
                    match self.inbox.next_message().map_err(io::Error::other)? {
                        Some(message) => Event::Sent(Box::new(message)),
                        None => Event::Logged,
                    }
                }
                _ => Event::Closed,
            },
            ended = self.child.readable_mut() => {
                let mut guard = ended?;
                match guard.get_inner_mut().wait() {
                    Some(status) => Event::Ended(status),
                    None => Event::Logged,
                }
            }
            () = readable(self.records.as_ref()) => Event::Logged,
            _ = terminate.recv() => Event::Terminate,
            _ = ticks.tick(), if busy => Event::Tick,
        })
    }

    /// What follows from it; `Some`: this process ends with that status.
    async fn handle(&mut self, event: Event) -> io::Result<Option<u8>> {
        match event {
            Event::Did(Did::Ready) => {
                let layers = std::mem::take(&mut self.layers);
                self.send(&FromEnvironment::Ready { layers }).await?;
            }
            Event::Did(Did::FailedInit(error)) => {
                self.send(&FromEnvironment::InitFailed(error)).await?;
                return Ok(Some(INIT_FAILED));
            }
            Event::Did(Did::Answered { call, result }) => {
                let memory = self.memory_used();
                let message = match result {
                    Ok(result) => FromEnvironment::Done { call, result: Blob(result), memory },
                    Err(error) => FromEnvironment::Failed { call, error, memory },
                };
                self.send(&message).await?;
            }
            Event::Sent(message) => match *message {
                ToEnvironment::Invoke(invocation) => self.api.begin(invocation)?,
                ToEnvironment::Init(_) | ToEnvironment::Holds { .. } => {
                    return Err(io::Error::other("what was not asked for"));
                }
            },
            Event::Closed => kill_own_group(),
            Event::Ended(status) => {
                self.log();
                if let Some(signal) = status.signal() {
                    end_by(signal);
                }
                return Ok(Some(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(INIT_FAILED)));
            }
            Event::Logged => self.log(),
            Event::Tick => self.look(),
            Event::Terminate => {
                self.api.shut_down();
                self.child.get_ref().signal(Signal::SIGTERM);
            }
        }
        Ok(None)
    }

    /// Sends a message, after all that was logged before it.
    async fn send<M: Wire>(&mut self, message: &M) -> io::Result<()> {
        self.log();
        let mut bytes = Vec::new();
        frame::append(message, &mut bytes);
        self.socket.write_all(&bytes).await
    }

    /// Passes on what the runtime has logged so far.
    fn log(&mut self) {
        let Some(records) = &self.records else { return };
        let (mut buffer, mut lines) = ([0; 16 * 1024], Vec::new());
        // As much as a pipe holds: a runtime that logs without end is not waited for.
        for _ in 0..8 {
            match records.try_read(&mut buffer) {
                Ok(length) if length > 0 => self.frames.take(&buffer[..length], &mut lines),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                _ => {
                    self.records = None;
                    break;
                }
            }
        }
        let _ = io::stdout().write_all(&lines).and_then(|()| io::stdout().flush());
    }

    /// Kills the environment when it uses more memory than it may.
    fn look(&mut self) {
        let memory = self.group.borrow_mut().memory();
        self.most_memory = self.most_memory.max(memory);
        if memory > self.memory_limit {
            let (limit, used) = (self.memory_limit >> 20, memory >> 20);
            let _ = writeln!(io::stderr(), "memory limit of {limit} MB exceeded: {used} MB are used; killed");
            kill_own_group();
        }
    }

    /// In KiB.
    fn memory_used(&self) -> u64 {
        self.group.borrow().peak().max(self.most_memory / 1024)
    }
}

async fn readable(pipe: Option<&pipe::Receiver>) {
    match pipe {
        Some(pipe) if pipe.readable().await.is_ok() => {}
        _ => std::future::pending().await,
    }
}
