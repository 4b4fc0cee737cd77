//! The isolate host: a process that holds viewer functions and runs them one invocation at a time.
//!
//! It reads frames from the socket that it was started with, answers each in turn, and ends when the socket does. Each
//! function has an isolate (crate `edgehook-isolate`): its engine, with the function's top level already run, lies in an
//! arena with a snapshot, to which it is rewound after every run, however the run ended. So every invocation finds exactly
//! the state that the top level left, and a run that is stopped in the middle costs its own budget and nothing else.
//!
//! [`guest`] is what runs inside an isolate, and `program`, `modules`, `event`, `map`, `outcome`, `console`, `random`, `problem`,
//! `retrace` are its parts; this module
//! stays outside. Between the two go copies of bytes: the frame's in, the encoded answer out.
//!
//! Absent on purpose: replacement of hosts (the supervisor's), header rules (the contract's).

mod console;
mod event;
mod failure;
#[doc(hidden)]
pub mod fuzzing;
mod guest;
mod map;
mod modules;
mod outcome;
mod problem;
mod program;
mod random;
mod retrace;
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
use failure::problem;
use guest::{Guest, Said};
use std::{
    collections::HashMap,
    io::{self, Write as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::ExitCode,
    time::{Duration, Instant},
};
use store::Store;

/// CPU time for building an event, and for reading an outcome; neither counts towards the budget (cloudfront-functions.md 8).
const CONVERSION: Duration = Duration::from_millis(10);

/// CPU time from which on a function's runs are waited for by nothing that is done already.
const SLOW: Duration = Duration::from_micros(200);

/// Most CPU time that answers which are done are kept to be sent together.
const KEPT: Duration = Duration::from_micros(100);

/// Largest budget of functions whose stopped runs are retraced: it takes up to eight budgets, all within the supervisor's patience.
const RETRACED: Duration = Duration::from_millis(5);

/// A function's stopped runs are retraced no more often.
const RETRACED_EVERY: Duration = Duration::from_secs(1);

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
    /// Its last run was so long that nothing should wait for the next one.
    slow: bool,
    /// When a run was last repeated to find out where it was stopped.
    retraced: Option<Instant>,
}

/// One invocation, as the frame has it.
#[derive(Clone, Copy)]
struct Call<'a> {
    number: u64,
    entropy: [u8; 32],
    now: u64,
    event: &'a [u8],
}

impl Loaded {
    fn limits(&self, cpu: Duration) -> Budget {
        Budget { cpu, memory: usize::try_from(self.program.memory).unwrap_or(usize::MAX) }
    }

    fn run(&mut self, call: Call<'_>, store: Option<&Store>, out: &mut OutBuffer) -> Report {
        let budget = Duration::from_micros(u64::from(self.program.budget));
        let report = self.isolate.run_from_loose(self.limits(CONVERSION), out, move |guest, turn| {
            guest.run(call.event, call.entropy, call.now, [budget, CONVERSION], store.map(store::readable), turn);
        });
        self.slow = report.cpu > SLOW;
        report
    }

    /// Where a run was stopped by time or memory, if it is worth the time to find out: not for every one of a flood.
    fn place(&mut self, call: Call<'_>, stopped: &Report, out: &mut OutBuffer) -> Option<Place> {
        let budget = Duration::from_micros(u64::from(self.program.budget));
        let known = stopped.stage == 1 && matches!(stopped.verdict, Verdict::Time | Verdict::Memory);
        let lately = self.retraced.is_some_and(|at| at.elapsed() < RETRACED_EVERY);
        if !known || lately || budget > RETRACED {
            return None;
        }
        self.retraced = Some(Instant::now());
        let mut walk = |slices: Option<u32>, cpu: Duration, out: &mut OutBuffer| {
            self.isolate.run(self.limits(cpu), out, move |guest, turn| {
                guest.retrace(call.event, call.entropy, call.now, slices, turn);
            })
        };
        // What ran out of memory has time; what ran out of time has no more of it.
        let allowed = if stopped.verdict == Verdict::Memory { budget * 2 } else { budget };
        let first = walk(None, allowed, out);
        if first.verdict != stopped.verdict {
            return None;
        }
        let slices = retrace::counted(out.bytes())?;
        // Between two instructions that have a place there is only that of the whole function, which is the lesser one.
        let places = [0, 1, 3].into_iter().filter_map(|back| {
            let looked = walk(Some(slices.checked_sub(back)?), allowed * 2, out);
            if looked.verdict == Verdict::Finished { retrace::found(out.bytes()) } else { None }
        });
        places.max()
    }
}

/// Line and column in the source, counted from 1.
type Place = (u32, u32);

struct Host<'thread> {
    thread: &'thread GuestThread,
    functions: HashMap<u32, Loaded>,
    stores: HashMap<u32, Store>,
    out: OutBuffer,
    /// A run did what no sound code does; this process is not to be trusted any more.
    tainted: bool,
    /// CPU time for loading a function.
    load_budget: Duration,
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

    /// Lets functions load for so long: under an emulator everything takes longer.
    pub fn set_load_budget(&mut self, budget: Duration) {
        self.0.load_budget = budget;
    }

    /// Does what a message asks for; appends the frame of the answer, if there is one.
    pub fn answer(&mut self, message: ToHost, out: &mut Vec<u8>) {
        self.0.answer(message, out);
    }

    /// Takes a key value store, as it comes from the proxy.
    ///
    /// # Errors
    /// No memory for it.
    pub fn store(&mut self, store: u32, content: &Snapshot<Vec<u8>>) -> io::Result<()> {
        self.0.keep(store, edgehook_sandbox::sealed(content.bytes())?)
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
            load_budget: Limits::default().cpu,
        })
    }

    fn serve(&mut self, mut channel: UnixStream, layers: Vec<(String, Option<String>)>) -> io::Result<()> {
        let (mut inbox, mut out, mut buffer) = (Inbox::new(), Vec::new(), vec![0; 64 * 1024]);
        let mut receiver = Receiver::default();
        frame::append(&FromHost::Hello { version: VERSION, layers }, &mut out);
        loop {
            // Answers go out together, unless that would keep one waiting.
            let mut begun = Instant::now();
            while let Some(message) = inbox.next_message::<ToHost>().map_err(io::Error::other)? {
                if !out.is_empty() && (self.takes_long(&message) || begun.elapsed() > KEPT) {
                    channel.write_all(&out)?;
                    out.clear();
                    begun = Instant::now();
                }
                match message {
                    ToHost::Store { store } => {
                        let memory = receiver.descriptor();
                        self.keep(store, memory.ok_or_else(|| io::Error::other("a store without its memory"))?)?;
                    }
                    message => self.answer(message, &mut out),
                }
                if self.tainted {
                    return channel.write_all(&out);
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

    /// Whether dealing with `message` is likely to take longer than an answer that is done should wait.
    fn takes_long(&self, message: &ToHost) -> bool {
        match message {
            ToHost::Invoke { function, .. } => self.functions.get(function).is_some_and(|loaded| loaded.slow),
            _ => true,
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
            // Comes with a descriptor, and was dealt with where that is.
            ToHost::Store { .. } => {}
            ToHost::Invoke { call, function, entropy, now, event } => {
                self.invoke(function, Call { number: call, entropy, now, event: &event.0 }, out);
            }
        }
    }

    /// Maps a store. What lies in the memory is looked at here, not believed; the version before is let go between two runs.
    fn keep(&mut self, number: u32, memory: OwnedFd) -> io::Result<()> {
        let store = Snapshot::parse(SharedBytes::map(memory)?).map_err(io::Error::other)?;
        self.stores.insert(number, store);
        Ok(())
    }

    fn load(&mut self, program: Program) -> Result<Loaded, Problem> {
        let limits = Limits {
            live: usize::try_from(program.state_memory).unwrap_or(usize::MAX),
            allowance: usize::try_from(program.memory).unwrap_or(usize::MAX),
            cpu: self.load_budget,
            ..Limits::default()
        };
        let loaded = {
            let program = &program;
            Isolate::load(self.thread, limits, &mut self.out, move |turn| Guest::load(program, turn))
        };
        match loaded {
            Ok(isolate) => {
                let mut loaded = Loaded { isolate, program, slow: false, retraced: None };
                self.warm(&mut loaded);
                Ok(loaded)
            }
            Err(error) => {
                if let LoadError::Stopped(report) = &error {
                    self.tainted |= report.verdict.taints_host();
                }
                Err(failure::load_problem(&error, self.out.bytes(), &limits))
            }
        }
    }

    /// Runs the function on made-up events, which is undone like any run: the first real one shall not pay for pages that are
    /// touched for the first time.
    fn warm(&mut self, loaded: &mut Loaded) {
        let store = loaded.program.store.as_ref().and_then(|link| self.stores.get(&link.number));
        for hook in [HookPoint::ViewerRequest, HookPoint::ViewerResponse] {
            let mut event = Vec::new();
            guest::made_up(hook).put(&mut event);
            let call = Call { number: 0, entropy: [0; 32], now: 0, event: &event };
            self.tainted |= loaded.run(call, store, &mut self.out).verdict.taints_host();
        }
    }

    fn invoke(&mut self, function: u32, call: Call<'_>, out: &mut Vec<u8>) {
        let Some(loaded) = self.functions.get_mut(&function) else {
            let message = format!("function number {function} is not loaded on this host");
            return fail(call.number, problem(ProblemKind::Abort, message), 0, &[], out);
        };
        let store = loaded.program.store.as_ref().and_then(|link| self.stores.get(&link.number));
        let report = loaded.run(call, store, &mut self.out);
        self.tainted |= report.verdict.taints_host();
        let said = Said::read(self.out.bytes());
        match (report.verdict, said.done) {
            (Verdict::Finished, Some(done)) => {
                append_done(call.number, done.cpu, done.reads, &said.logs, done.outcome, out);
            }
            (Verdict::Finished, None) => {
                let message = "the result is too large to be passed on".to_owned();
                fail(call.number, problem(ProblemKind::Memory, message), 0, &said.logs, out);
            }
            _ => {
                let cpu = u32::try_from(report.cpu.as_micros()).unwrap_or(u32::MAX);
                let logs: Vec<Vec<u8>> = said.logs.iter().map(|line| line.to_vec()).collect();
                let logs: Vec<&[u8]> = logs.iter().map(Vec::as_slice).collect();
                let (line, column) = loaded.place(call, &report, &mut self.out).unzip();
                let problem = Problem { line, column, ..failure::stopped(&report, &loaded.program) };
                fail(call.number, problem, cpu, &logs, out);
            }
        }
    }
}

fn fail(call: u64, problem: Problem, cpu: u32, logs: &[&[u8]], out: &mut Vec<u8>) {
    let mut outcome = Vec::new();
    Outcome::Failed(problem).put(&mut outcome);
    append_done(call, cpu, KvsReads::default(), logs, &outcome, out);
}
