//! The isolate host: a process that holds viewer functions and runs them one invocation at a time.
//!
//! It reads frames from the socket that it was started with, answers each in turn, and ends when the socket does. Each
//! function has an isolate (crate `edgehook-isolate`): its engine, with the function's top level already run, lies in an
//! arena with a snapshot, to which it is rewound after every run, however the run ended. So every invocation finds exactly
//! the state that the top level left, and a run that is stopped in the middle costs its own budget and nothing else.
//!
//! [`guest`] is what runs inside an isolate, and `program`, `modules`, `event`, `map`, `outcome`, `console`, `random`, `problem` are its parts; this module
//! stays outside. Between the two go copies of bytes: the frame's in, the encoded answer out.
//!
//! Absent on purpose: replacement of hosts (the supervisor's), header rules (the contract's).

mod console;
mod event;
#[doc(hidden)]
pub mod fuzzing;
mod guest;
mod map;
mod modules;
mod outcome;
mod problem;
mod program;
mod random;
mod store;

use edgehook_contract::HookPoint;
use edgehook_isolate::{
    Budget, GuestThread, Isolate, Limits, LoadError, OutBuffer, Report, Stats, ThreadConfig, Verdict, on_guest_thread,
};
use edgehook_kvs::Snapshot;
use edgehook_protocol::{
    VERSION,
    frame::{self, Inbox},
    viewer::{FromHost, KvsReads, Outcome, Problem, ProblemKind, Program, ToHost, append_done},
    wire::Wire as _,
};
use edgehook_sandbox::{Confinement, Receiver, SharedBytes};
use guest::{Guest, Said};
use std::{
    collections::HashMap,
    io::{self, Write as _},
    os::unix::net::UnixStream,
    process::ExitCode,
    time::Duration,
};
use store::Store;

/// CPU time for building an event, and for reading an outcome; neither counts towards the budget (cloudfront-functions.md 8).
const CONVERSION: Duration = Duration::from_millis(10);

/// Most bytes of one encoded answer: a generated body, twice a head, and the log.
const OUT: usize = 4 * 1024 * 1024;

/// Runs an isolate host until its socket closes. The whole life of the process.
///
/// The executable's global allocator must be [`edgehook_isolate::IsolateAlloc`].
#[must_use]
pub fn run() -> ExitCode {
    let Ok(channel) = edgehook_sandbox::channel() else { return ExitCode::FAILURE };
    // On the first thread, before there is another: not every kernel confines threads that exist already.
    let confinement = Confinement::begin();
    let served = on_guest_thread(ThreadConfig::default(), move |thread| {
        let mut host = Host::new(thread)?;
        // Timer and signal handlers are made; from here on the process can do little but compute and answer.
        let layers = confinement.finish();
        host.serve(channel, layers.report())
    });
    match served {
        Ok(Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// A function and its isolate.
struct Loaded {
    isolate: Isolate<Guest>,
    program: Program,
}

struct Host<'thread> {
    thread: &'thread GuestThread,
    functions: HashMap<u32, Loaded>,
    stores: HashMap<u32, Store>,
    out: OutBuffer,
    /// A run did what no sound code does; this process is not to be trusted any more.
    tainted: bool,
}

/// A host without socket and sandbox, for benchmarks. Must be made and used on a guest thread.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "a tool of benchmarks")]
pub struct Bare<'thread>(Host<'thread>);

impl<'thread> Bare<'thread> {
    /// A host without functions.
    ///
    /// # Errors
    /// No memory for its output.
    pub fn new(thread: &'thread GuestThread) -> io::Result<Self> {
        Host::new(thread).map(Self)
    }

    /// Does what a message asks for; appends the frame of the answer, if there is one.
    pub fn answer(&mut self, message: ToHost, out: &mut Vec<u8>) {
        self.0.answer(message, out);
    }

    /// What a function's isolate is and has done.
    #[must_use]
    pub fn stats(&self, function: u32) -> Option<Stats> {
        self.0.functions.get(&function).map(|loaded| loaded.isolate.stats())
    }
}

impl<'thread> Host<'thread> {
    fn new(thread: &'thread GuestThread) -> io::Result<Self> {
        Ok(Self {
            thread,
            functions: HashMap::new(),
            stores: HashMap::new(),
            out: OutBuffer::new(OUT)?,
            tainted: false,
        })
    }

    fn serve(&mut self, mut channel: UnixStream, layers: Vec<(String, Option<String>)>) -> io::Result<()> {
        let (mut inbox, mut out, mut buffer) = (Inbox::new(), Vec::new(), vec![0; 64 * 1024]);
        let mut receiver = Receiver::default();
        frame::append(&FromHost::Hello { version: VERSION, layers }, &mut out);
        loop {
            while let Some(message) = inbox.next_message::<ToHost>().map_err(io::Error::other)? {
                match message {
                    ToHost::Store { store } => self.keep(store, &mut receiver)?,
                    message => self.answer(message, &mut out),
                }
                // An answer must not wait for the run behind it.
                channel.write_all(&out)?;
                out.clear();
                if self.tainted {
                    return Ok(());
                }
            }
            channel.write_all(&out)?;
            out.clear();
            match receiver.receive(&channel, &mut buffer)? {
                0 => return Ok(()),
                length => inbox.extend(&buffer[..length]),
            }
        }
    }

    fn answer(&mut self, message: ToHost, out: &mut Vec<u8>) {
        match message {
            ToHost::Deploy { function, program } => {
                let answer = match self.load(program) {
                    Ok(loaded) => {
                        self.functions.insert(function, loaded);
                        FromHost::Deployed { function }
                    }
                    Err(problem) => FromHost::Refused { function, problem },
                };
                frame::append(&answer, out);
            }
            ToHost::Remove { function } => drop(self.functions.remove(&function)),
            ToHost::RemoveStore { store } => drop(self.stores.remove(&store)),
            // Comes with a descriptor, and was dealt with where that is.
            ToHost::Store { .. } => {}
            ToHost::Invoke { call, function, entropy, now, event } => {
                self.invoke(call, function, entropy, now, &event.0, out);
            }
        }
    }

    /// Maps a store. What lies in the memory is looked at here, not believed; the version before is let go between two runs.
    fn keep(&mut self, number: u32, receiver: &mut Receiver) -> io::Result<()> {
        let descriptor = receiver.descriptor().ok_or_else(|| io::Error::other("a store without its memory"))?;
        let store = Snapshot::parse(SharedBytes::map(descriptor)?).map_err(io::Error::other)?;
        self.stores.insert(number, store);
        Ok(())
    }

    fn load(&mut self, program: Program) -> Result<Loaded, Problem> {
        let limits = Limits {
            live: usize::try_from(program.state_memory).unwrap_or(usize::MAX),
            allowance: usize::try_from(program.memory).unwrap_or(usize::MAX),
            ..Limits::default()
        };
        let loaded = {
            let program = &program;
            Isolate::load(self.thread, limits, &mut self.out, move |turn| Guest::load(program, turn))
        };
        match loaded {
            Ok(isolate) => {
                let mut loaded = Loaded { isolate, program };
                self.warm(&mut loaded);
                Ok(loaded)
            }
            Err(error) => {
                if let LoadError::Stopped(report) = &error {
                    self.tainted |= report.verdict.taints_host();
                }
                Err(load_problem(&error, self.out.bytes(), &limits))
            }
        }
    }

    /// Runs the function on made-up events, which is undone like any run: the first real one shall not pay for pages that are
    /// touched for the first time.
    fn warm(&mut self, loaded: &mut Loaded) {
        let budget = Duration::from_micros(u64::from(loaded.program.budget));
        let limits = Budget { cpu: CONVERSION, memory: usize::try_from(loaded.program.memory).unwrap_or(usize::MAX) };
        let store = loaded.program.store.as_ref().and_then(|link| self.stores.get(&link.number));
        for hook in [HookPoint::ViewerRequest, HookPoint::ViewerResponse] {
            let mut event = Vec::new();
            guest::made_up(hook).put(&mut event);
            let event = event.as_slice();
            let report = loaded.isolate.run(limits, &mut self.out, move |guest, turn| {
                guest.run(event, [0; 32], 0, [budget, CONVERSION], store.map(store::readable), turn);
            });
            self.tainted |= report.verdict.taints_host();
        }
    }

    fn invoke(&mut self, call: u64, function: u32, entropy: [u8; 32], now: u64, event: &[u8], out: &mut Vec<u8>) {
        let Some(loaded) = self.functions.get_mut(&function) else {
            let message = format!("function number {function} is not loaded on this host");
            return fail(call, problem(ProblemKind::Abort, message), 0, &[], out);
        };
        let budget = Duration::from_micros(u64::from(loaded.program.budget));
        let limits = Budget { cpu: CONVERSION, memory: usize::try_from(loaded.program.memory).unwrap_or(usize::MAX) };
        let store = loaded.program.store.as_ref().and_then(|link| self.stores.get(&link.number));
        let report = loaded.isolate.run(limits, &mut self.out, move |guest, turn| {
            guest.run(event, entropy, now, [budget, CONVERSION], store.map(store::readable), turn);
        });
        self.tainted |= report.verdict.taints_host();
        let said = Said::read(self.out.bytes());
        match (report.verdict, said.done) {
            (Verdict::Finished, Some(done)) => append_done(call, done.cpu, done.reads, &said.logs, done.outcome, out),
            (Verdict::Finished, None) => {
                let message = "the result is too large to be passed on".to_owned();
                fail(call, problem(ProblemKind::Memory, message), 0, &said.logs, out);
            }
            _ => {
                let cpu = u32::try_from(report.cpu.as_micros()).unwrap_or(u32::MAX);
                fail(call, stopped(&report, &loaded.program), cpu, &said.logs, out);
            }
        }
    }
}

fn fail(call: u64, problem: Problem, cpu: u32, logs: &[&[u8]], out: &mut Vec<u8>) {
    let mut outcome = Vec::new();
    Outcome::Failed(problem).put(&mut outcome);
    append_done(call, cpu, KvsReads::default(), logs, &outcome, out);
}

fn problem(kind: ProblemKind, message: String) -> Problem {
    Problem { kind, message, line: None, column: None }
}

/// A run that the guard ended, in words.
fn stopped(report: &Report, program: &Program) -> Problem {
    let message = match report.verdict {
        Verdict::Finished | Verdict::Time => match report.stage {
            1 => format!("over the budget of {} µs of CPU time", program.budget),
            _ => format!("over {} µs of CPU time while converting event or result", CONVERSION.as_micros()),
        },
        Verdict::Memory => format!("over the allowance of {} bytes of memory per run", program.memory),
        Verdict::Stack => "the native stack is used up".to_owned(),
        Verdict::Abort | Verdict::Instruction | Verdict::Fault => "the engine gave up".to_owned(),
        Verdict::Panic => format!("the engine panicked: {}", report.message.as_deref().unwrap_or("without a word")),
    };
    problem(kind(report.verdict), message)
}

fn kind(verdict: Verdict) -> ProblemKind {
    match verdict {
        Verdict::Finished | Verdict::Time => ProblemKind::Time,
        Verdict::Memory => ProblemKind::Memory,
        Verdict::Stack => ProblemKind::Stack,
        Verdict::Abort | Verdict::Instruction | Verdict::Fault | Verdict::Panic => ProblemKind::Abort,
    }
}

/// A function that could not be loaded, in words. A guest that refused has written its reason.
fn load_problem(error: &LoadError, mut said: &[u8], limits: &Limits) -> Problem {
    match error {
        LoadError::Refused(_) => Problem::take(&mut said)
            .unwrap_or_else(|_| problem(ProblemKind::Abort, "the function could not be loaded".to_owned())),
        LoadError::Stopped(report) => {
            let message = match report.verdict {
                Verdict::Time => format!("loading takes more than {} ms of CPU time", limits.cpu.as_millis()),
                Verdict::Memory => format!("loading takes more than {} bytes of memory", limits.memory),
                Verdict::Stack => {
                    "the native stack is used up while loading; is the source nested too deeply?".to_owned()
                }
                _ => format!("the engine gave up while loading: {error}"),
            };
            problem(kind(report.verdict), message)
        }
        LoadError::TooLarge(bytes) => problem(
            ProblemKind::Memory,
            format!("the state after loading takes {bytes} bytes, state_memory allows {}", limits.live),
        ),
        other => problem(ProblemKind::Abort, other.to_string()),
    }
}
