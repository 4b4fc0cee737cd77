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

/// When the oldest command began, by the wall and by the host's CPU clock.
#[derive(Clone, Copy, Debug)]
struct Begun {
    at: Instant,
    cpu: Duration,
}

/// The commands of one host, in the order sent, which is the order in which it works.
#[derive(Debug, Default)]
pub(super) struct Pending {
    queue: VecDeque<Waiting>,
    begun: Option<Begun>,
}

/// A host said something that it was not asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unexpected;

impl Pending {
    /// Notes a command that is about to be sent.
    pub(super) fn push(
        &mut self,
        message: &ToHost,
        patience: Duration,
        answer: Option<oneshot::Sender<Answer>>,
        clock: Option<CpuClock>,
    ) {
        let identity = match message {
            ToHost::Invoke { call, .. } => Identity::Call(*call),
            ToHost::Deploy { function, .. } => Identity::Load(*function),
            ToHost::Remove { .. } | ToHost::Store { .. } | ToHost::RemoveStore { .. } => return,
        };
        self.queue.push_back(Waiting { identity, patience, answer });
        if self.queue.len() == 1 {
            self.begin(clock);
        }
    }

    fn begin(&mut self, clock: Option<CpuClock>) {
        let cpu = clock.and_then(CpuClock::now).unwrap_or_default();
        self.begun = (!self.queue.is_empty()).then(|| Begun { at: Instant::now(), cpu });
    }

    /// Hands an answer to the oldest command.
    pub(super) fn settle(&mut self, message: FromHost, clock: Option<CpuClock>) -> Result<(), Unexpected> {
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
        self.begin(clock);
        Ok(())
    }

    /// When to look again whether the oldest command takes too long.
    pub(super) fn deadline(&self, silence: Duration) -> Option<Instant> {
        let (begun, waiting) = (self.begun?, self.queue.front()?);
        let deadline = begun.at + waiting.patience + silence;
        let now = Instant::now();
        Some(if deadline > now { deadline } else { now + RECHECK })
    }

    /// Whether the oldest command has had its chance: CPU time beyond its budget and the silence, or ten times that on the wall.
    ///
    /// CPU time counts, so that a host which was merely not scheduled is not killed for it.
    pub(super) fn overdue(&self, silence: Duration, clock: Option<CpuClock>) -> bool {
        let (Some(begun), Some(waiting)) = (self.begun, self.queue.front()) else { return false };
        let allowed = waiting.patience + silence;
        let used = clock.and_then(CpuClock::now).unwrap_or(Duration::MAX).saturating_sub(begun.cpu);
        used >= allowed || begun.at.elapsed() >= allowed * 10
    }

    /// Ends everything: the oldest command died of `problem`, the others were not begun.
    pub(super) fn fail(&mut self, problem: &Problem) {
        self.begun = None;
        for (index, waiting) in self.queue.drain(..).enumerate() {
            waiting.tell(if index == 0 { Answer::Died(problem.clone()) } else { Answer::NotStarted });
        }
    }

    /// How many answers the host owes.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
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
