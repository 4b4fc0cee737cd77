//! The clockwork of a viewer connection: what it is waiting for, since when, and until when that is patience.
//!
//! hyper's own timers cover one phase (an HTTP/1 head, idle time included) and cost a timer per request; the
//! [`Pulse`] covers all phases with one lazily moved timer per connection. I/O and bodies note events in it, the
//! connection's driver asks [`Pulse::verdict`] when its timer fires. The decision itself, [`judge`], is pure.
//! [`RateBudget`] is the same for the speed of a request body.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use super::Limits;
use super::strict::Violation;

/// How long a connection that was asked to close may take to do so.
const CLOSING_GRACE: Duration = Duration::from_secs(5);

/// Longest silence of a request body that speed earned before can pay for.
const MAX_CREDIT: Duration = Duration::from_secs(30);

/// Grace at the start of a request body (security.md D03).
const BODY_GRACE: Duration = Duration::from_secs(5);

/// Stands for "not since ever" in the atomics.
const NEVER: u64 = u64::MAX;

/// Why a connection was ended by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The TLS handshake took too long.
    HandshakeTimeout,
    /// The TLS handshake failed.
    Handshake,
    /// The request head took too long (also: no first byte).
    HeadTimeout,
    /// Nothing was asked for a while. The only friendly end.
    Idle,
    /// The viewer takes nothing of what is to be written.
    WriteStalled,
    /// It was asked to close and did not.
    ClosingTimeout,
    /// hyper ended the connection with an error: broken framing, a reset, or a response body that failed.
    Protocol,
    /// HTTP/1 whose framing others read differently.
    Malformed(Violation),
    /// The listener drains and the connection had not begun.
    Drained,
}

impl CloseReason {
    /// The word for logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::HandshakeTimeout => "handshake-timeout",
            Self::Handshake => "handshake",
            Self::HeadTimeout => "head-timeout",
            Self::Idle => "idle",
            Self::WriteStalled => "write-stalled",
            Self::ClosingTimeout => "closing-timeout",
            Self::Protocol => "protocol",
            Self::Malformed(violation) => violation.as_str(),
            Self::Drained => "drained",
        }
    }
}

/// What is to be done when the connection's timer fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All is well; ask again after this time.
    Patience(Duration),
    /// Enough.
    Close(CloseReason),
}

/// The events of one connection, noted from any task that works on it. Times are µs since the connection began.
#[derive(Debug)]
pub(crate) struct Pulse {
    began: Instant,
    /// An HTTP/2 connection: bytes between requests are not the beginning of a head (they may be pings).
    multiplexed: AtomicBool,
    in_flight: AtomicU32,
    served: AtomicBool,
    quiet_since: AtomicU64,
    head_since: AtomicU64,
    write_stalled_since: AtomicU64,
    /// Response body frames given out while the next was not asked for yet (HTTP/2 flow control).
    owed: AtomicU32,
    last_take: AtomicU64,
    closing_since: AtomicU64,
    reset_on_close: AtomicBool,
}

/// What [`judge`] looks at: the state of a connection at one moment, in µs since its beginning.
#[derive(Clone, Copy, Debug)]
struct Snapshot {
    served: bool,
    in_flight: u32,
    quiet_since: u64,
    head_since: Option<u64>,
    write_stalled_since: Option<u64>,
    stream_stalled_since: Option<u64>,
    closing_since: Option<u64>,
}

impl Pulse {
    /// The pulse of a connection that begins now.
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            multiplexed: AtomicBool::new(false),
            in_flight: AtomicU32::new(0),
            served: AtomicBool::new(false),
            quiet_since: AtomicU64::new(0),
            head_since: AtomicU64::new(NEVER),
            write_stalled_since: AtomicU64::new(NEVER),
            owed: AtomicU32::new(0),
            last_take: AtomicU64::new(0),
            closing_since: AtomicU64::new(NEVER),
            reset_on_close: AtomicBool::new(false),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(NEVER - 1)
    }

    /// The connection speaks HTTP/2.
    pub(crate) fn becomes_multiplexed(&self) {
        self.multiplexed.store(true, Relaxed);
    }

    /// The TLS handshake is over; the time for the first head counts from here.
    pub(crate) fn handshake_done(&self) {
        self.quiet_since.store(self.now(), Relaxed);
        self.head_since.store(NEVER, Relaxed);
    }

    /// Bytes came from the viewer.
    pub(crate) fn bytes_came(&self) {
        if self.in_flight.load(Relaxed) == 0
            && self.head_since.load(Relaxed) == NEVER
            && !self.multiplexed.load(Relaxed)
        {
            self.head_since.store(self.now(), Relaxed);
        }
    }

    /// The viewer's socket took bytes.
    pub(crate) fn bytes_went(&self) {
        if self.write_stalled_since.load(Relaxed) != NEVER {
            self.write_stalled_since.store(NEVER, Relaxed);
        }
    }

    /// The viewer's socket takes no more bytes for now.
    pub(crate) fn write_blocked(&self) {
        if self.write_stalled_since.load(Relaxed) == NEVER {
            self.write_stalled_since.store(self.now(), Relaxed);
        }
    }

    /// Whether nothing is in flight, and nobody has asked the connection to close.
    pub(crate) fn is_free(&self) -> bool {
        self.in_flight.load(Relaxed) == 0 && self.closing_since.load(Relaxed) == NEVER
    }

    /// A request's head is complete.
    pub(crate) fn request_began(&self) {
        self.in_flight.fetch_add(1, Relaxed);
        self.head_since.store(NEVER, Relaxed);
        self.served.store(true, Relaxed);
    }

    /// A response is written, or will never be.
    pub(crate) fn request_ended(&self) {
        if self.in_flight.fetch_sub(1, Relaxed) == 1 {
            self.quiet_since.store(self.now(), Relaxed);
            self.head_since.store(NEVER, Relaxed);
        }
    }

    /// A stream took a frame of its body and has not asked for the next.
    pub(crate) fn frame_given(&self) {
        self.owed.fetch_add(1, Relaxed);
        self.last_take.store(self.now(), Relaxed);
    }

    /// The stream asked again, or is gone.
    pub(crate) fn frame_settled(&self) {
        self.owed.fetch_sub(1, Relaxed);
        self.last_take.store(self.now(), Relaxed);
    }

    /// The end of this connection must not look like the end of a body.
    pub(crate) fn must_reset(&self) {
        self.reset_on_close.store(true, Relaxed);
    }

    /// Whether [`Pulse::must_reset`] was called.
    pub(crate) fn resets_on_close(&self) -> bool {
        self.reset_on_close.load(Relaxed)
    }

    /// The connection has been asked to close.
    pub(crate) fn closing_began(&self) {
        if self.closing_since.load(Relaxed) == NEVER {
            self.closing_since.store(self.now(), Relaxed);
        }
    }

    /// Whether to go on, and when to ask again.
    pub(crate) fn verdict(&self, limits: &Limits) -> Verdict {
        let since = |cell: &AtomicU64| Some(cell.load(Relaxed)).filter(|&at| at != NEVER);
        let stream_stalled_since = (self.owed.load(Relaxed) > 0).then(|| self.last_take.load(Relaxed));
        let snapshot = Snapshot {
            served: self.served.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
            quiet_since: self.quiet_since.load(Relaxed),
            head_since: since(&self.head_since),
            write_stalled_since: since(&self.write_stalled_since),
            stream_stalled_since,
            closing_since: since(&self.closing_since),
        };
        judge(&snapshot, limits, self.now())
    }
}

/// Decides about a connection at `now` (µs, like all times of the snapshot).
///
/// The answer `Patience` never exceeds the shortest limit that an event could start right after the question, so that
/// a limit which begins between two questions is still kept to the moment it ends.
fn judge(state: &Snapshot, limits: &Limits, now: u64) -> Verdict {
    let mut deadlines: [Option<(u64, CloseReason)>; 4] = [None; 4];
    let after = |since: u64, limit: Duration| since.saturating_add(micros(limit));
    if let Some(since) = state.write_stalled_since {
        deadlines[0] = Some((after(since, limits.write_timeout), CloseReason::WriteStalled));
    }
    if let Some(since) = state.stream_stalled_since {
        deadlines[1] = Some((after(since, limits.write_timeout), CloseReason::WriteStalled));
    }
    if state.in_flight == 0 {
        if let Some(since) = state.closing_since {
            let since = since.max(state.quiet_since);
            deadlines[2] = Some((after(since, CLOSING_GRACE), CloseReason::ClosingTimeout));
        }
        deadlines[3] = Some(match state.head_since {
            // The first head is counted from the connection's beginning, its first byte included.
            _ if !state.served => (after(state.quiet_since, limits.header_timeout), CloseReason::HeadTimeout),
            Some(since) => (after(since, limits.header_timeout), CloseReason::HeadTimeout),
            None => (after(state.quiet_since, limits.idle_timeout), CloseReason::Idle),
        });
        if state.closing_since.is_some() {
            // Idle time means nothing to who is leaving already.
            deadlines[3] = deadlines[3].filter(|(_, reason)| *reason != CloseReason::Idle);
        }
    }
    let mut next = now.saturating_add(micros(limits.header_timeout.min(limits.write_timeout).min(CLOSING_GRACE)));
    for (at, reason) in deadlines.into_iter().flatten() {
        if at <= now {
            return Verdict::Close(reason);
        }
        next = next.min(at);
    }
    Verdict::Patience(Duration::from_micros(next - now))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(NEVER)
}

/// How much silence a request body has left (security.md D03).
///
/// It begins with a grace of five seconds. Waiting uses it up, bytes earn it back at `1 / rate` each, up to thirty
/// seconds. So a body at the minimum rate goes on for ever, and one sent in a burst cannot then be held open for long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RateBudget {
    rate: u64,
    left: Duration,
}

impl RateBudget {
    /// A budget for `rate` bytes per second; `None` when there is no minimum.
    pub(crate) fn new(rate: u64) -> Option<Self> {
        (rate > 0).then_some(Self { rate, left: BODY_GRACE })
    }

    /// How long the viewer may be silent from now on.
    pub(crate) fn left(&self) -> Duration {
        self.left
    }

    /// Settles a wait for the viewer that ended with bytes.
    pub(crate) fn spend(&mut self, waited: Duration) {
        self.left = self.left.saturating_sub(waited);
    }

    /// Bytes came.
    pub(crate) fn earn(&mut self, bytes: usize) {
        let earned = Duration::from_micros((bytes as u64).saturating_mul(1_000_000) / self.rate);
        self.left = self.left.saturating_add(earned).min(MAX_CREDIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn quiet() -> Snapshot {
        Snapshot {
            served: true,
            in_flight: 0,
            quiet_since: 0,
            head_since: None,
            write_stalled_since: None,
            stream_stalled_since: None,
            closing_since: None,
        }
    }

    #[track_caller]
    fn check(state: Snapshot, lasts: u64, reason: CloseReason) {
        let limits = Limits::default();
        let before = judge(&state, &limits, lasts * SECOND - 1);
        assert_eq!(before, Verdict::Patience(Duration::from_micros(1)), "one µs before");
        assert_eq!(judge(&state, &limits, lasts * SECOND), Verdict::Close(reason));
    }

    #[test]
    fn each_phase_has_its_limit() {
        check(Snapshot { served: false, ..quiet() }, 10, CloseReason::HeadTimeout);
        // Bytes do not extend the first head's deadline.
        check(Snapshot { served: false, head_since: Some(9 * SECOND), ..quiet() }, 10, CloseReason::HeadTimeout);
        check(quiet(), 60, CloseReason::Idle);
        check(Snapshot { head_since: Some(30 * SECOND), ..quiet() }, 40, CloseReason::HeadTimeout);
        check(Snapshot { in_flight: 1, write_stalled_since: Some(SECOND), ..quiet() }, 61, CloseReason::WriteStalled);
        check(Snapshot { in_flight: 2, stream_stalled_since: Some(SECOND), ..quiet() }, 61, CloseReason::WriteStalled);
        check(Snapshot { closing_since: Some(SECOND), ..quiet() }, 6, CloseReason::ClosingTimeout);
    }

    #[test]
    fn a_request_in_flight_is_not_idle() {
        let busy = Snapshot { in_flight: 1, ..quiet() };
        assert!(matches!(judge(&busy, &Limits::default(), 10_000 * SECOND), Verdict::Patience(_)));
    }

    #[test]
    fn a_closing_connection_may_finish_its_requests() {
        let busy = Snapshot { in_flight: 1, closing_since: Some(0), ..quiet() };
        assert!(matches!(judge(&busy, &Limits::default(), 100 * SECOND), Verdict::Patience(_)));
        let done = Snapshot { closing_since: Some(0), quiet_since: 100 * SECOND, ..quiet() };
        check(done, 105, CloseReason::ClosingTimeout);
    }

    #[test]
    fn the_next_question_comes_before_any_limit_could_end() {
        let Verdict::Patience(next) = judge(&quiet(), &Limits::default(), 0) else { panic!("idle at once") };
        assert!(next <= Limits::default().header_timeout);
    }

    #[test]
    fn the_minimum_rate_goes_on_for_ever() {
        let mut budget = RateBudget::new(1024).unwrap();
        for _ in 0..1000 {
            budget.spend(Duration::from_secs(1));
            budget.earn(1024);
            assert_eq!(budget.left(), BODY_GRACE);
        }
    }

    #[test]
    fn below_the_minimum_the_grace_runs_out() {
        let mut budget = RateBudget::new(1024).unwrap();
        budget.spend(Duration::from_secs(5));
        assert_eq!(budget.left(), Duration::ZERO);
        budget.earn(1);
        assert!(budget.left() < Duration::from_millis(1), "one byte buys one byte's time");
    }

    #[test]
    fn a_burst_buys_no_more_than_the_cap() {
        let mut budget = RateBudget::new(1024).unwrap();
        budget.earn(usize::MAX);
        assert_eq!(budget.left(), MAX_CREDIT);
    }

    #[test]
    fn no_minimum_no_budget() {
        assert!(RateBudget::new(0).is_none());
    }
}
