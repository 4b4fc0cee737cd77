//! One isolate host: the process, its socket, and the task that owns both.

use super::{
    Holdings, HostSettings, QUEUE,
    growth::Growth,
    lock,
    outgoing::Outgoing,
    pending::{Answer, Pending, Unexpected, Watched},
};
use edgehook_protocol::{
    VERSION,
    frame::Inbox,
    viewer::{FromHost, Problem, ProblemKind, ToHost},
};
use edgehook_sandbox::{Confined, kill_group};
use std::{
    io,
    os::fd::OwnedFd,
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::AsyncReadExt as _,
    net::UnixStream,
    process::ChildStderr,
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep, sleep_until},
};

/// How long a fresh host may take to greet.
const GREETING: Duration = Duration::from_secs(10);

/// Pause before a host that died at once is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(50);

/// Longest pause between two attempts to start a host that cannot be started.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Bytes of a dead host's last words that are looked at.
const LAST_WORDS: u64 = 4096;

/// Something to send to a host.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) message: ToHost,
    /// What the message is sent with.
    pub(super) descriptor: Option<Arc<OwnedFd>>,
    /// CPU time that it may take.
    pub(super) patience: Duration,
    pub(super) answer: Option<oneshot::Sender<Answer>>,
}

/// The proxy's handle on one host, which outlives its process.
#[derive(Debug)]
pub(super) struct HostHandle {
    commands: mpsc::Sender<Command>,
    state: Arc<State>,
    layers: watch::Receiver<Option<Layers>>,
}

/// What others may know of a host at any moment.
#[derive(Debug, Default)]
struct State {
    in_flight: AtomicUsize,
    process: AtomicU32,
    /// It has greeted and holds every function.
    ready: AtomicBool,
}

/// A host's sandbox layers by name; `None` for an active one, else why it is missing.
pub(super) type Layers = Vec<(String, Option<String>)>;

impl HostHandle {
    /// A host that is started again whenever its process ends, and then given what is held.
    pub(super) fn spawn(settings: HostSettings, held: Holdings) -> Self {
        Self::with(settings, Some(held))
    }

    /// A host that ends with its first process.
    pub(super) fn spawn_once(settings: HostSettings) -> Self {
        Self::with(settings, None)
    }

    fn with(settings: HostSettings, held: Option<Holdings>) -> Self {
        let (commands, inbox) = mpsc::channel(QUEUE);
        let (state, (told, layers)) = (Arc::new(State::default()), watch::channel(None));
        tokio::spawn(Owner { settings, held, inbox, state: state.clone(), layers: told }.run());
        Self { commands, state, layers }
    }

    /// Commands sent to the host or waiting to be.
    pub(super) fn in_flight(&self) -> usize {
        self.state.in_flight.load(Ordering::Relaxed) + self.commands.max_capacity() - self.commands.capacity()
    }

    pub(super) fn process(&self) -> Option<u32> {
        Some(self.state.process.load(Ordering::Relaxed)).filter(|&process| process != 0)
    }

    /// Whether the host would run a call now: it is up, and loads nothing.
    pub(super) fn is_ready(&self) -> bool {
        self.state.ready.load(Ordering::Relaxed)
    }

    /// The sandbox layers of the process, once it has greeted.
    pub(super) async fn layers(&self) -> Option<Layers> {
        let mut layers = self.layers.clone();
        layers.wait_for(Option::is_some).await.ok().and_then(|layers| layers.clone())
    }

    /// Sends without waiting; `false` when too much is waiting already.
    pub(super) fn try_send(&self, command: Command) -> bool {
        self.in_flight() < QUEUE && self.commands.try_send(command).is_ok()
    }

    /// Sends, waiting for room.
    pub(super) async fn send(&self, command: Command) {
        // Without an owner the answer's sender is dropped with the command, which tells whoever waits for it.
        let _ = self.commands.send(command).await;
    }
}

/// The task that owns a host.
struct Owner {
    settings: HostSettings,
    held: Option<Holdings>,
    inbox: mpsc::Receiver<Command>,
    state: Arc<State>,
    layers: watch::Sender<Option<Layers>>,
}

/// Why one process was left.
enum End {
    /// Nobody holds the handle any more.
    Closed,
    /// The process ended by itself or its socket broke.
    Died,
    /// The process was silent for too long.
    Silent,
    /// The process said what it must not say.
    Hostile,
    /// The process took more and more memory, and owes no answer.
    Grown,
}

impl Owner {
    async fn run(mut self) {
        let mut pause = RESTART_PAUSE;
        loop {
            match self.one_life().await {
                Ok(End::Closed) => return,
                Ok(_) => pause = RESTART_PAUSE,
                Err(error) => {
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    let program = self.settings.program.display();
                    tracing::error!(%error, %program, "an isolate host cannot be started; trying again");
                }
            }
            if self.held.is_none() {
                return;
            }
            // Another host can do better than this one, which has to be started, and is given what is held then.
            self.turn_away();
            sleep(pause).await;
        }
    }

    /// Tells all who wait that there is no host, rather than have them wait for one.
    fn turn_away(&mut self) {
        while let Ok(command) = self.inbox.try_recv() {
            if let Some(answer) = command.answer {
                let _ = answer.send(Answer::NotStarted);
            }
        }
    }

    /// Starts a process and serves it to its end.
    async fn one_life(&mut self) -> io::Result<End> {
        let confined = Confined {
            program: self.settings.program.clone(),
            arguments: self.settings.arguments.clone(),
            variables: Vec::new(),
            // Arenas bound what functions take; the addresses for them are reserved in advance, many more than are used.
            address_space: None,
            capture_output: true,
        };
        let (command, socket) = confined.command()?;
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
        socket.set_nonblocking(true)?;
        let process = child.id().unwrap_or_default();
        self.state.process.store(process, Ordering::Relaxed);
        let mut life = Life {
            socket: UnixStream::from_std(socket)?,
            pending: Pending::new(Watched::new(process)),
            inbox: Inbox::new(),
            out: Outgoing::default(),
            never_read: false,
            growth: Growth::new(process),
            grown: false,
        };
        let end = life.serve(self).await;
        self.state.ready.store(false, Ordering::Relaxed);
        kill_group(process);
        self.state.process.store(0, Ordering::Relaxed);
        let last_words = last_words(child.stderr.take()).await;
        let status = child.wait().await?;
        if !matches!(end, End::Closed) {
            let problem = problem(&end, status, &last_words);
            if life.pending.len() > 0 || matches!(end, End::Grown) {
                tracing::warn!(process, reason = %problem.message, "an isolate host was lost; starting another");
            }
            let never_read = life.never_read();
            life.pending.fail(&problem, never_read);
            self.state.in_flight.store(0, Ordering::Relaxed);
        }
        Ok(end)
    }
}

/// One process, from start to end.
struct Life {
    socket: UnixStream,
    pending: Pending,
    inbox: Inbox,
    out: Outgoing,
    /// The process ended with bytes unread.
    never_read: bool,
    growth: Growth,
    /// It gets no more calls, and ends once it owes no answer.
    grown: bool,
}

impl Life {
    async fn serve(&mut self, owner: &mut Owner) -> End {
        let Some(layers) = self.greeted().await else { return End::Hostile };
        owner.layers.send_replace(Some(layers));
        for command in owner.held.iter().flat_map(|held| lock(held).commands()) {
            self.post(command);
        }
        loop {
            owner.state.in_flight.store(self.pending.len(), Ordering::Relaxed);
            owner.state.ready.store(!self.pending.is_loading() && !self.grown, Ordering::Relaxed);
            if self.grown && self.pending.len() == 0 {
                return End::Grown;
            }
            match self.turn(owner).await {
                Ok(None) => {}
                Ok(Some(end)) => return end,
                Err(error) => {
                    self.never_read = is_reset(&error);
                    return End::Died;
                }
            }
        }
    }

    /// Waits for the one thing that happens next, and deals with it.
    async fn turn(&mut self, owner: &mut Owner) -> io::Result<Option<End>> {
        let deadline = self.pending.deadline(owner.settings.silence);
        let mut buffer = [0; 16 * 1024];
        let (mut reader, writer) = self.socket.split();
        tokio::select! {
            // An answer that has come is seen before the deadline that it kept.
            biased;
            read = reader.read(&mut buffer) => {
                let length = read?;
                if length == 0 {
                    return Ok(Some(End::Died));
                }
                self.inbox.extend(&buffer[..length]);
                Ok(self.take_answers(owner).err().map(|Unexpected| End::Hostile))
            }
            written = self.out.write(writer.as_ref()), if !self.out.is_empty() => written.map(|()| None),
            command = owner.inbox.recv(), if self.pending.len() < QUEUE && !self.grown => match command {
                None => Ok(Some(End::Closed)),
                Some(command) => {
                    self.post(command);
                    // What else is waiting goes out with the same write.
                    while self.pending.len() < QUEUE && let Ok(command) = owner.inbox.try_recv() {
                        self.post(command);
                    }
                    Ok(None)
                }
            },
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                Ok(self.pending.overdue(owner.settings.silence).then_some(End::Silent))
            }
        }
    }

    fn post(&mut self, command: Command) {
        if matches!(command.message, ToHost::Deploy { .. } | ToHost::Remove { .. }) {
            self.growth.loads();
        }
        self.pending.push(&command.message, command.patience, command.answer);
        self.out.push(&command.message, command.descriptor);
    }

    fn take_answers(&mut self, owner: &Owner) -> Result<(), Unexpected> {
        let mut answers = 0;
        while let Some(message) = self.inbox.next_message::<FromHost>().map_err(|_| Unexpected)? {
            self.pending.settle(message)?;
            answers += 1;
        }
        // The trial's host holds nothing and ends anyway.
        if !self.pending.is_loading()
            && let Some(held) = &owner.held
        {
            self.grown |= self.growth.answered(answers, || lock(held).programs.len());
        }
        Ok(())
    }

    /// Whether the process, which is dead, left something unread.
    ///
    /// The kernel tells: a Unix socket that is closed with bytes unread resets its peer, one that had read all of them merely
    /// ends. What never left the proxy was not read either.
    fn never_read(&self) -> bool {
        let mut buffer = [0; 1024];
        self.never_read
            || !self.out.is_empty()
            || loop {
                match self.socket.try_read(&mut buffer) {
                    Ok(0) => break false,
                    Ok(_) => {}
                    Err(error) => break is_reset(&error),
                }
            }
    }

    /// Waits for the greeting; returns the host's sandbox layers.
    async fn greeted(&mut self) -> Option<Layers> {
        let greeting = async {
            let mut buffer = [0; 1024];
            loop {
                match self.inbox.next_message::<FromHost>() {
                    Ok(Some(FromHost::Hello { version: VERSION, layers })) => return Some(layers),
                    Ok(Some(_)) => return None,
                    Ok(None) => {}
                    Err(_) => return None,
                }
                match self.socket.read(&mut buffer).await {
                    Ok(length) if length > 0 => self.inbox.extend(&buffer[..length]),
                    _ => return None,
                }
            }
        };
        tokio::time::timeout(GREETING, greeting).await.ok().flatten()
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// What the process wrote to its standard error, the beginning of it. The process is dead, so this ends.
async fn last_words(stderr: Option<ChildStderr>) -> String {
    let mut words = Vec::new();
    if let Some(stderr) = stderr {
        let _ = stderr.take(LAST_WORDS).read_to_end(&mut words).await;
    }
    String::from_utf8_lossy(&words).into_owned()
}

fn problem(end: &End, status: ExitStatus, last_words: &str) -> Problem {
    let (kind, message) = if matches!(end, End::Silent) {
        (ProblemKind::Time, "no answer within the budget; the isolate host was killed".to_owned())
    } else if matches!(end, End::Hostile) {
        (ProblemKind::Abort, "the isolate host broke the protocol and was killed".to_owned())
    } else if matches!(end, End::Grown) {
        (ProblemKind::Memory, "the isolate host took more and more memory and was ended".to_owned())
    } else if last_words.contains("memory allocation of") {
        (ProblemKind::Memory, "out of memory; the isolate host ended".to_owned())
    } else if last_words.contains("overflowed its stack") {
        (ProblemKind::Stack, "the native stack overflowed; the isolate host ended".to_owned())
    } else {
        (ProblemKind::Abort, format!("the isolate host ended: {status}"))
    };
    Problem { kind, message, line: None, column: None }
}
