//! Isolate hosts as the proxy sees them: started, given functions, called, watched, replaced.
//!
//! [`Hosts`] is the handle. Each host is owned by one task ([`host`]) that speaks to the process and answers for its calls;
//! a call goes to the host with the fewest calls in flight. A host that dies, or stays silent beyond the running
//! call's budget, is killed and started anew: the call that ran fails, those behind it are sent once to another host. There
//! is one host more than calls are spread over, loaded like the others: it takes the place of one that is missing, at
//! once, and meanwhile runs the functions that were stopped lately, so that they keep nobody waiting but themselves.
//!
//! Invariants: no call waits for a host without bound; a host's bytes are decoded with limits and an answer to a call
//! that was not made ends the host; the proxy never blocks on one.

mod crashes;
mod entropy;
mod growth;
mod host;
mod outgoing;
mod pending;
mod run;
mod source;
mod stopped;

pub use run::{Run, RunFailure};

use crashes::Crashes;
use edgehook_contract::viewer::{EdgeLocation, Event, Runtime};
use edgehook_kvs::Snapshot;
use edgehook_protocol::{
    viewer::{KvsReads, Outcome, Problem, ProblemKind, Program, StoreLink, ToHost},
    wire::{Blob, Wire as _},
};
use host::{Command, HostHandle};
use pending::Answer;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use stopped::Stopped;
use tokio::{sync::oneshot, time::timeout};

/// Most calls that may wait for one host; beyond, a call is throttled.
const QUEUE: usize = 256;

/// Longest wait for a host's answer beyond the function's budget: queue, start of a fresh host, run.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// CPU time that loading a function may take (cloudfront-functions.md 5.2).
const LOAD_BUDGET: Duration = Duration::from_millis(200);

/// How hosts are started.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// The executable that runs a host.
    pub program: PathBuf,
    /// Arguments that make it one.
    pub arguments: Vec<OsString>,
    /// How many hosts calls are spread over, at least one; there is a spare beside them.
    pub hosts: usize,
    /// Silence beyond a call's budget after which a host is killed.
    pub silence: Duration,
}

impl HostSettings {
    /// One host per core, 50 ms of silence.
    #[must_use]
    pub fn new(program: PathBuf, arguments: Vec<OsString>) -> Self {
        let hosts = std::thread::available_parallelism().map_or(1, usize::from);
        Self { program, arguments, hosts, silence: Duration::from_millis(50) }
    }
}

/// A viewer function to load.
#[derive(Clone, Debug)]
pub struct ViewerFunction {
    /// Name in the configuration.
    pub name: String,
    /// The source file's name, for messages.
    pub file: String,
    /// The source.
    pub source: Vec<u8>,
    /// CPU time per run.
    pub budget: Duration,
    /// Memory that its state may take after loading, in bytes.
    pub state_memory: u64,
    /// Memory that a run may allocate beyond it, in bytes.
    pub memory: u64,
    /// The key value store that it may read, and the id by which it asks for it.
    pub store: Option<(StoreId, String)>,
    /// What it finds besides the language.
    pub surroundings: Surroundings,
}

/// What a viewer function finds besides the language (cloudfront-functions.md 6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Version of the runtime.
    pub runtime: Runtime,
    /// Whether its results are checked leniently.
    pub lenient: bool,
    /// `cf.edgeLocation`.
    pub edge: Option<EdgeLocation>,
}

impl ViewerFunction {
    /// Memory of the state after loading, in bytes (cloudfront-functions.md 8).
    pub const STATE_MEMORY: u64 = 2 * 1024 * 1024;

    /// Memory of a run, in bytes (cloudfront-functions.md 8).
    pub const MEMORY: u64 = 8 * 1024 * 1024;
}

/// The number of a loaded function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionId(u32);

/// The number of a key value store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreId(u32);

/// Why a function was not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Too many calls are waiting.
    #[error("too many calls are waiting for an isolate host")]
    Throttled,
    /// Two hosts in a row died before the call started.
    #[error("no isolate host lived long enough to run the call")]
    NoHost,
}

/// All isolate hosts of a proxy. Dropping the last clone ends them.
#[derive(Clone, Debug)]
pub struct Hosts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: HostSettings,
    hosts: Vec<HostHandle>,
    held: Holdings,
    next_function: AtomicU32,
    next_store: AtomicU32,
    next_call: AtomicU64,
    stopped: Stopped,
    crashes: Crashes,
}

/// What every host must hold, for those that are started later.
#[derive(Debug, Default)]
struct Held {
    programs: BTreeMap<u32, Program>,
    stores: BTreeMap<u32, Arc<OwnedFd>>,
}

type Holdings = Arc<Mutex<Held>>;

impl Held {
    /// What gives all of it to a host: stores first, so that functions find them.
    fn commands(&self) -> Vec<Command> {
        let stores = self.stores.iter().map(|(store, memory)| store_command(*store, memory.clone()));
        let programs = self.programs.iter().map(|(function, program)| Command {
            message: ToHost::Deploy { function: *function, program: program.clone() },
            descriptor: None,
            patience: LOAD_BUDGET,
            answer: None,
        });
        stores.chain(programs).collect()
    }
}

fn store_command(store: u32, memory: Arc<OwnedFd>) -> Command {
    Command { message: ToHost::Store { store }, descriptor: Some(memory), patience: Duration::ZERO, answer: None }
}

impl Hosts {
    /// Starts the hosts. Must be called within a tokio runtime, whose threads they die with.
    #[must_use]
    pub fn spawn(settings: HostSettings) -> Self {
        let held = Holdings::default();
        // The one more is the spare.
        let hosts = (0..=settings.hosts.max(1)).map(|_| HostHandle::spawn(settings.clone(), held.clone())).collect();
        let (next_function, next_store, next_call) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU64::new(0));
        let (stopped, crashes) = (Stopped::default(), Crashes::default());
        Self(Arc::new(Inner { settings, hosts, held, next_function, next_store, next_call, stopped, crashes }))
    }

    /// Loads a function: first in a host that is thrown away, then in all.
    ///
    /// # Errors
    /// The function's own fault, such as a syntax error; no host holds it then.
    pub async fn deploy(&self, function: &ViewerFunction) -> Result<FunctionId, Problem> {
        source::check(&function.source)?;
        let inner = &self.0;
        let number = inner.next_function.fetch_add(1, Ordering::Relaxed);
        let program = Program {
            name: function.name.clone(),
            file: function.file.clone(),
            source: Blob(function.source.clone()),
            budget: u32::try_from(function.budget.as_micros()).unwrap_or(u32::MAX),
            state_memory: function.state_memory,
            memory: function.memory,
            runtime: function.surroundings.runtime,
            lenient: function.surroundings.lenient,
            edge: function.surroundings.edge.clone(),
            store: function.store.as_ref().map(|(store, id)| StoreLink { number: store.0, id: id.clone() }),
        };
        trial(&inner.settings, number, &program).await?;
        lock(&inner.held).programs.insert(number, program.clone());
        for host in &inner.hosts {
            let message = ToHost::Deploy { function: number, program: program.clone() };
            let (answer, answered) = oneshot::channel();
            host.send(Command { message, descriptor: None, patience: LOAD_BUDGET, answer: Some(answer) }).await;
            // A host that died meanwhile loads the function when it is started again.
            if let Ok(Answer::Refused(problem)) = answered.await {
                self.remove(FunctionId(number)).await;
                return Err(problem);
            }
        }
        Ok(FunctionId(number))
    }

    /// Forgets a function. Calls that are under way end as they would have.
    pub async fn remove(&self, function: FunctionId) {
        lock(&self.0.held).programs.remove(&function.0);
        self.0.stopped.forget(function.0);
        self.0.crashes.forget(function.0);
        for host in &self.0.hosts {
            let message = ToHost::Remove { function: function.0 };
            host.send(Command { message, descriptor: None, patience: Duration::ZERO, answer: None }).await;
        }
    }

    /// A number for a new key value store, which is empty until it is published.
    #[must_use]
    pub fn add_store(&self) -> StoreId {
        StoreId(self.0.next_store.fetch_add(1, Ordering::Relaxed))
    }

    /// Gives a store's content to all hosts: the block of an [`edgehook_kvs::Snapshot`]. Calls that are made after this
    /// returns see it or a later one; publish the versions of one store one after the other.
    ///
    /// # Errors
    /// The system has no memory for it; hosts keep the version before.
    pub async fn publish(&self, store: StoreId, content: &Snapshot<Vec<u8>>) -> io::Result<()> {
        let memory = Arc::new(edgehook_sandbox::sealed(content.bytes())?);
        lock(&self.0.held).stores.insert(store.0, memory.clone());
        for host in &self.0.hosts {
            host.send(store_command(store.0, memory.clone())).await;
        }
        Ok(())
    }

    /// Runs a function once.
    ///
    /// # Errors
    /// The function was not run. A run that failed is an `Ok` whose outcome says so.
    pub async fn invoke(&self, function: FunctionId, event: &Event) -> Result<Run, CallError> {
        self.invoke_at(function, event, None).await
    }

    /// Runs a function once, at another time (in milliseconds since 1970) and with other random bytes than the present ones.
    ///
    /// # Errors
    /// As [`Hosts::invoke`].
    pub async fn invoke_at(
        &self,
        function: FunctionId,
        event: &Event,
        moment: Option<(u64, [u8; 32])>,
    ) -> Result<Run, CallError> {
        let budget = lock(&self.0.held).programs.get(&function.0).map_or(0, |program| program.budget);
        let patience = Duration::from_micros(u64::from(budget));
        if self.0.crashes.is_out(function.0, Instant::now()) {
            return Ok(not_run(Problem {
                kind: ProblemKind::Abort,
                message: "not run: it ended its isolate host several times within seconds".to_owned(),
                line: None,
                column: None,
            }));
        }
        let mut encoded = Vec::with_capacity(1024);
        event.put(&mut encoded);
        let mut event = Blob(encoded);
        // A call whose host died before it started goes to another one, once.
        for attempt in 0..2 {
            let Some(host) = self.host_for(function) else { return Err(CallError::NoHost) };
            let (now, entropy) = moment.unwrap_or_else(|| (now(), entropy::draw()));
            let message = ToHost::Invoke {
                call: self.0.next_call.fetch_add(1, Ordering::Relaxed),
                function: function.0,
                entropy,
                now,
                event: if attempt == 0 { event.clone() } else { std::mem::take(&mut event) },
            };
            let (answer, answered) = oneshot::channel();
            if !host.try_send(Command { message, descriptor: None, patience, answer: Some(answer) }) {
                return Err(CallError::Throttled);
            }
            // Longer than any run may take, and than a fresh host needs to be ready: there is no host.
            let Ok(answered) = timeout(LONGEST_WAIT + patience, answered).await else { return Err(CallError::NoHost) };
            match answered {
                Ok(Answer::Ran(run)) => {
                    if matches!(&run.outcome, Outcome::Failed(problem) if was_stopped(problem.kind)) {
                        self.0.stopped.note(function.0, Instant::now());
                    }
                    return Ok(run);
                }
                Ok(Answer::Died(problem)) => {
                    if let Some(pause) = self.0.crashes.note(function.0, Instant::now()) {
                        let function = function.0;
                        tracing::error!(function, ?pause, "a function keeps ending its isolate hosts; it is left out");
                    }
                    return Ok(not_run(problem));
                }
                Ok(Answer::Loaded | Answer::Refused(_) | Answer::NotStarted) | Err(_) => {}
            }
        }
        Err(CallError::NoHost)
    }

    /// The host that is to run a call: of those that are ready the least loaded, the spare left out as long as none is missing.
    fn host_for(&self, function: FunctionId) -> Option<&HostHandle> {
        let hosts = &self.0.hosts;
        let (ready, count) = (|| hosts.iter().filter(|host| host.is_ready()), self.0.settings.hosts.max(1));
        if ready().count() > count && self.0.stopped.lately(function.0, Instant::now()) {
            return ready().next_back();
        }
        ready()
            .take(count)
            .min_by_key(|host| host.in_flight())
            .or_else(|| hosts.iter().min_by_key(|host| host.in_flight()))
    }

    /// The sandbox layers of a host by name: `None` for an active one, else why it is missing. Waits for a host to be up.
    ///
    /// # Errors
    /// No host comes up.
    pub async fn layers(&self) -> Result<Vec<(String, Option<String>)>, CallError> {
        let host = self.0.hosts.first().ok_or(CallError::NoHost)?;
        timeout(LONGEST_WAIT, host.layers()).await.ok().flatten().ok_or(CallError::NoHost)
    }

    /// How many hosts would run a call now; with the spare there is one more than [`HostSettings::hosts`].
    #[must_use]
    pub fn ready(&self) -> usize {
        self.0.hosts.iter().filter(|host| host.is_ready()).count()
    }

    /// Process ids of the hosts that run at this moment.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        self.0.hosts.iter().filter_map(HostHandle::process).collect()
    }
}

/// What is told of a call whose host ended, or that was not given to one.
fn not_run(problem: Problem) -> Run {
    Run { outcome: Outcome::Failed(problem), cpu: Duration::ZERO, reads: KvsReads::default(), logs: Vec::new() }
}

/// Whether the guard ended a run that failed like this, rather than the function itself.
fn was_stopped(kind: ProblemKind) -> bool {
    matches!(kind, ProblemKind::Time | ProblemKind::Memory | ProblemKind::Stack | ProblemKind::Abort)
}

/// Loads a function in a host of its own, so that one that crashes the engine costs no one else anything.
async fn trial(settings: &HostSettings, function: u32, program: &Program) -> Result<(), Problem> {
    let host = HostHandle::spawn_once(settings.clone());
    let (answer, answered) = oneshot::channel();
    let message = ToHost::Deploy { function, program: program.clone() };
    host.send(Command { message, descriptor: None, patience: LOAD_BUDGET, answer: Some(answer) }).await;
    match answered.await {
        Ok(Answer::Loaded) => Ok(()),
        Ok(Answer::Refused(problem) | Answer::Died(problem)) => Err(problem),
        Ok(Answer::Ran(_) | Answer::NotStarted) | Err(_) => Err(Problem {
            kind: ProblemKind::Abort,
            message: "the isolate host ended before it could load the function".to_owned(),
            line: None,
            column: None,
        }),
    }
}

fn lock(held: &Holdings) -> std::sync::MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
