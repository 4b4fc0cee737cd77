//! What the proxy is owed by one host, oldest first, and how long it is willing to wait for the oldest.

use super::Run;
use edgehook_protocol::viewer::{FromHost, Problem, ToHost};
use edgehook_sandbox::CpuClock;
use std::{collections::VecDeque, time::Duration};
use tokio::{sync::oneshot, time::Instant};

/// Pause between two looks at a command that is late but was not given the CPU.
const RECHECK: Duration = Duration::from_millis(5);

/// How a command ended.
#[derive(Debug)]
pub(super) enum Answer {
    /// A function is loaded.
    Loaded,
    /// A function was refused.
    Refused(Problem),
    /// A call has run.
    Ran(Run),
    /// The host ended while this was under way.
    Died(Problem),
    /// The host ended before this was begun.
    NotStarted,
}

/// A command that awaits its answer.
#[derive(Debug)]
struct Waiting {
    identity: Identity,
    patience: Duration,
    answer: Option<oneshot::Sender<Answer>>,
}

/// What an answer must name to belong to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    Call(u64),
    Load(u32),
}

/// A moment by the wall and by the host's CPU clock.
#[derive(Clone, Copy, Debug)]
struct Moment {
    at: Instant,
    cpu: Duration,
}

/// The watched process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watched {
    process: u32,
    clock: Option<CpuClock>,
}

impl Watched {
    pub(super) fn new(process: u32) -> Self {
        Self { process, clock: CpuClock::of(process) }
    }

    fn cpu(self) -> Option<Duration> {
        self.clock.and_then(CpuClock::now)
    }
}

/// The commands of one host, in the order sent, which is the order in which it works.
#[derive(Debug)]
pub(super) struct Pending {
    queue: VecDeque<Waiting>,
    host: Watched,
    /// When the oldest command began.
    begun: Option<Instant>,
    /// A look at the host's clock, at most [`RECHECK`] before the oldest command began.
    looked: Option<Moment>,
    /// The host was idle at the last look, though it owed an answer.
    idle: bool,
}

/// A host said something that it was not asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unexpected;

impl Pending {
    pub(super) fn new(host: Watched) -> Self {
        Self { queue: VecDeque::new(), host, begun: None, looked: None, idle: false }
    }

    /// Notes a command that is about to be sent.
    pub(super) fn push(&mut self, message: &ToHost, patience: Duration, answer: Option<oneshot::Sender<Answer>>) {
        let identity = match message {
            ToHost::Invoke { call, .. } => Identity::Call(*call),
            ToHost::Deploy { function, .. } => Identity::Load(*function),
            ToHost::Remove { .. } | ToHost::Store { .. } => return,
        };
        self.queue.push_back(Waiting { identity, patience, answer });
        if self.queue.len() == 1 {
            self.begin();
        }
    }

    fn begin(&mut self) {
        self.idle = false;
        self.begun = (!self.queue.is_empty()).then(Instant::now);
        // A look is a system call, so calls that follow each other share one.
        let fresh = |looked: &Moment| self.begun.is_none_or(|begun| begun < looked.at + RECHECK);
        if !self.looked.as_ref().is_some_and(fresh) {
            let cpu = self.host.cpu().unwrap_or_default();
            self.looked = Some(Moment { at: Instant::now(), cpu });
        }
    }

    /// Hands an answer to the oldest command.
    pub(super) fn settle(&mut self, message: FromHost) -> Result<(), Unexpected> {
        let (identity, answer) = match message {
            FromHost::Hello { .. } => return Err(Unexpected),
            FromHost::Deployed { function } => (Identity::Load(function), Answer::Loaded),
            FromHost::Refused { function, problem } => (Identity::Load(function), Answer::Refused(problem)),
            FromHost::Done { call, outcome, cpu, reads, logs } => {
                let cpu = Duration::from_micros(u64::from(cpu));
                (Identity::Call(call), Answer::Ran(Run { outcome, cpu, reads, logs }))
            }
        };
        if self.queue.front().is_none_or(|waiting| waiting.identity != identity) {
            return Err(Unexpected);
        }
        if let Some(waiting) = self.queue.pop_front() {
            waiting.tell(answer);
        }
        self.begin();
        Ok(())
    }

    /// When to look again whether the oldest command takes too long.
    pub(super) fn deadline(&self, silence: Duration) -> Option<Instant> {
        let deadline = self.begun? + self.queue.front()?.patience + silence;
        let now = Instant::now();
        Some(if deadline > now { deadline } else { now + RECHECK })
    }

    /// Whether the oldest command, whose deadline has passed, has had its chance.
    ///
    /// A host that was merely not scheduled is not killed for it: it must have used the CPU time of budget and silence, or not
    /// even want any at two looks in a row, or have let ten times as much pass on the wall.
    pub(super) fn overdue(&mut self, silence: Duration) -> bool {
        let (Some(begun), Some(waiting)) = (self.begun, self.queue.front()) else { return false };
        let allowed = waiting.patience + silence;
        if begun.elapsed() < allowed {
            return false;
        }
        let before = self.looked.map_or(Duration::ZERO, |looked| looked.cpu);
        let used = self.host.cpu().unwrap_or(Duration::MAX).saturating_sub(before);
        let was_idle = std::mem::replace(&mut self.idle, !edgehook_sandbox::wants_cpu(self.host.process));
        used >= allowed + RECHECK || (was_idle && self.idle) || begun.elapsed() >= allowed * 10
    }

    /// Ends everything: those behind the oldest command were not begun, and it was not either, or it died of `problem`.
    pub(super) fn fail(&mut self, problem: &Problem, never_read: bool) {
        self.begun = None;
        // The kernel tells that something was not read, not what; with one command there is no doubt.
        let begun = !(never_read && self.queue.len() == 1);
        for (index, waiting) in self.queue.drain(..).enumerate() {
            waiting.tell(if index == 0 && begun { Answer::Died(problem.clone()) } else { Answer::NotStarted });
        }
    }

    /// How many answers the host owes.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether a function is being loaded or waits for it.
    pub(super) fn is_loading(&self) -> bool {
        self.queue.iter().any(|waiting| matches!(waiting.identity, Identity::Load(_)))
    }
}

impl Waiting {
    fn tell(self, answer: Answer) {
        if let Some(sender) = self.answer {
            // Who asked may have gone; the work is done all the same.
            let _ = sender.send(answer);
        }
    }
}
