//! One environment: a process, its socket, and the state machine started → ready → running → ready.

use crate::{
    InvokeError, Request,
    child::Child,
    concurrency::Place,
    egress::Egress,
    link::{Broken, Link},
    log::{Output, Report},
    pool::Living,
    quota::{Overrun, Quota},
    settings::FunctionSettings,
    template::Copy,
};
use edgehook_protocol::{
    VERSION, frame,
    lambda::{Error, FromEnvironment, Invocation, RESULT_LIMIT, ToEnvironment},
    wire::Blob,
};
use edgehook_sandbox::can_hold;
use std::{
    io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;
use tokio::time::{Instant, timeout_at};

/// A process that has loaded the function and waits for an invocation. Dropping it kills the process and its children.
#[derive(Debug)]
pub(crate) struct Environment {
    child: Child,
    link: Link,
    output: Output,
    /// Its `/tmp`.
    tmp: Option<TempDir>,
    quota: Quota,
    frozen: bool,
    /// Whether it is one of those that are kept.
    pub(crate) kept: bool,
    pub(crate) born: Instant,
    pub(crate) idle_since: Instant,
    /// Layers of the sandbox that are missing, with the reason; empty: it is there.
    pub(crate) layers: Vec<(String, String)>,
    /// Its gate before the network, held for as long as it lives.
    _egress: Option<Egress>,
    _living: Living,
    _place: Place,
}

/// One invocation as it goes over the socket: encoded once, whichever environment takes it.
#[derive(Debug)]
pub(crate) struct Call {
    number: u64,
    pub(crate) request: String,
    /// Its trace; empty: none is known.
    pub(crate) trace: String,
    frame: Vec<u8>,
    pub(crate) deadline: Instant,
    /// Whether the end of its log is wanted.
    tail: bool,
}

impl Call {
    /// The invocation with a number that no other invocation of the function has.
    pub(crate) fn new(number: u64, asked: Request, deadline: Instant) -> Self {
        let Request { event, id, trace, tail, clock } = asked;
        let trace = trace.unwrap_or_default();
        let request = id.clone();
        let invocation = Invocation {
            call: number,
            request_id: id,
            deadline: epoch_millis(deadline),
            trace: trace.clone(),
            clock,
            event: Blob(event),
        };
        // Besides the event only a few short texts.
        let mut frame = Vec::with_capacity(invocation.event.0.len() + 256);
        frame::append(&ToEnvironment::Invoke(invocation), &mut frame);
        Self { number, request, trace, frame, deadline, tail }
    }
}

/// What a new environment is given.
#[derive(Debug)]
pub(crate) struct Birth {
    pub(crate) place: Place,
    /// The `/tmp` of the one that it replaces, or a new one.
    pub(crate) tmp: Option<TempDir>,
    pub(crate) kept: bool,
    pub(crate) living: Living,
}

impl Environment {
    /// Starts the process and loads the function, until `deadline` at the latest. An error comes with the `/tmp` for the next
    /// one.
    pub(crate) async fn start(
        settings: &FunctionSettings,
        birth: Birth,
        deadline: Instant,
    ) -> Result<Self, (InvokeError, Option<TempDir>)> {
        let begun = Instant::now();
        let mut environment = Self::born(settings, birth).await.map_err(|error| (error, None))?;
        environment.output.platform(format_args!("INIT_START Runtime Version: edgehook:{}", env!("CARGO_PKG_VERSION")));
        let started = timeout_at(deadline, environment.init(settings)).await;
        let error = match started {
            Ok(Ok(())) => {
                environment.output.finish();
                environment.idle_since = Instant::now();
                return Ok(environment);
            }
            Ok(Err(error)) => error,
            Err(_) => InvokeError::InitTimedOut(begun.elapsed()),
        };
        environment.output.finish();
        let (status, kind) = (error.status(), error.kind().unwrap_or("Runtime.Unknown"));
        environment.output.platform(format_args!(
            "INIT_REPORT Init Duration: {:.2} ms\tPhase: init\tStatus: {status}\tError Type: {kind}",
            begun.elapsed().as_secs_f64() * 1000.0
        ));
        Err((error, environment.hand_over_tmp()))
    }

    async fn born(settings: &FunctionSettings, birth: Birth) -> Result<Self, InvokeError> {
        let start = |error: io::Error| InvokeError::Start(error.to_string());
        let Copy { child, socket, output, errors } = settings.launch.engine().copy().await.map_err(start)?;
        let output = Output::new(settings.identity.name.as_str().into(), [output, errors]).map_err(start)?;
        let now = Instant::now();
        Ok(Self {
            child,
            link: Link::new(socket).map_err(start)?,
            output,
            quota: Quota::new(birth.tmp.as_ref().map(TempDir::path), settings.tmp_quota),
            tmp: birth.tmp,
            frozen: false,
            kept: birth.kept,
            born: now,
            idle_since: now,
            layers: Vec::new(),
            _egress: None,
            _living: birth.living,
            _place: birth.place,
        })
    }

    async fn init(&mut self, settings: &FunctionSettings) -> Result<(), InvokeError> {
        let tmp = self.tmp.as_ref().map(|tmp| tmp.path().to_string_lossy().into_owned()).unwrap_or_default();
        let mut init = Vec::new();
        frame::append(&ToEnvironment::Init(Box::new(settings.load(tmp, self.kept))), &mut init);
        let Self { link, output, .. } = self;
        let mut egress = None;
        let answer = async {
            if link.receive().await? != (FromEnvironment::Hello { version: VERSION }) {
                return Err(Broken::Protocol);
            }
            link.send(&init).await?;
            link.gated(settings, &mut egress).await
        };
        let answer = tokio::select! {
            biased;
            answer = answer => answer,
            never = output.follow() => match never {},
        };
        self._egress = egress;
        match answer {
            Ok(FromEnvironment::Ready { layers }) => {
                self.layers = layers;
                Ok(())
            }
            Ok(FromEnvironment::InitFailed(error)) => Err(InvokeError::Init(error)),
            Ok(_) => Err(InvokeError::Protocol),
            Err(broken) => Err(self.end_of(broken).await),
        }
    }

    /// Whether the process still runs and has said nothing out of turn.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.link.is_silent() && !self.child.has_ended()
    }

    /// Its process id.
    pub(crate) fn number(&self) -> u32 {
        self.child.number()
    }

    /// Stops the process until its next invocation.
    pub(crate) fn freeze(&mut self) {
        if !self.frozen {
            self.child.freeze(true);
            self.frozen = true;
        }
    }

    fn thaw(&mut self) {
        if self.frozen {
            self.child.freeze(false);
            self.frozen = false;
        }
    }

    /// Runs the handler once: its result, and the most memory that the process has used so far, in KiB. The environment is
    /// good for another call only after `Ok` or an error that does not end it.
    pub(crate) async fn invoke(
        &mut self,
        settings: &FunctionSettings,
        call: &Call,
    ) -> (Result<Vec<u8>, InvokeError>, Option<u64>) {
        self.thaw();
        self.output.keep_tail(call.tail);
        self.output.platform(format_args!("START RequestId: {} Version: {}", call.request, settings.identity.version));
        let Self { link, output, quota, .. } = self;
        let running = async {
            link.send(&call.frame).await?;
            link.receive().await
        };
        let answer = tokio::select! {
            biased;
            answer = running => Ok(answer),
            never = output.follow() => match never {},
            overrun = quota.overrun(call.deadline) => Err(overrun),
        };
        if self.quota.is_due() && self.quota.is_passed().await {
            return (Err(self.overfull(settings).await), None);
        }
        match answer {
            Err(Overrun::Space) => (Err(self.overfull(settings).await), None),
            Err(Overrun::Time) => {
                // Now, and not when somebody gets round to dropping it.
                self.child.kill();
                (Err(InvokeError::TimedOut(settings.timeout)), None)
            }
            Ok(Err(broken)) => (Err(self.end_of(broken).await), None),
            Ok(Ok(FromEnvironment::Done { call: answered, result, memory })) if answered == call.number => {
                let bytes = result.0.len();
                let result = if bytes > RESULT_LIMIT { Err(Error::too_large(bytes)) } else { Ok(result.0) };
                (result.map_err(InvokeError::Failed), Some(memory))
            }
            Ok(Ok(FromEnvironment::Failed { call: answered, error, memory })) if answered == call.number => {
                (Err(InvokeError::Failed(error)), Some(memory))
            }
            Ok(Ok(_)) => (Err(InvokeError::Protocol), None),
        }
    }

    /// Takes in what the invocation left in the pipes, and writes the platform's closing lines.
    /// The end of its log, where that is wanted.
    pub(crate) fn close(&mut self, call: &Call, failure: Option<&InvokeError>, report: &Report<'_>) -> String {
        self.output.finish();
        if let Some(line) = failure.and_then(|failure| failure.platform_line(&call.request)) {
            self.output.platform(format_args!("{line}"));
        }
        self.output.platform(format_args!("END RequestId: {}", call.request));
        self.output.platform(format_args!("{report}"));
        self.output.take_tail()
    }

    /// Whether the process ended without having read what it was sent last: that call has not begun.
    ///
    /// The kernel tells: a Unix socket that is closed with bytes unread resets its peer, one that had read all of them
    /// merely ends.
    pub(crate) fn never_read(&self) -> bool {
        self.link.never_read()
    }

    /// The `/tmp` for the environment that replaces this one.
    pub(crate) fn hand_over_tmp(&mut self) -> Option<TempDir> {
        self.tmp.take()
    }

    /// Lets it go: SIGTERM, and SIGKILL half a second later (lambda-edge.md 7.3).
    pub(crate) async fn shut_down(self) {
        let Self { child, mut output, tmp, .. } = self;
        tokio::select! {
            () = child.end() => {}
            never = output.follow() => match never {},
        }
        output.finish();
        drop(tmp);
    }

    /// Its `/tmp` holds too much: the process ends, and what is there goes.
    async fn overfull(&mut self, settings: &FunctionSettings) -> InvokeError {
        self.child.kill();
        let tmp = self.tmp.take();
        // Much may have to be removed.
        let _ = tokio::task::spawn_blocking(move || drop(tmp)).await;
        InvokeError::TemporaryFull(settings.tmp_quota)
    }

    /// The connection broke: the process is ending, or must.
    async fn end_of(&mut self, broken: Broken) -> InvokeError {
        if matches!(broken, Broken::Protocol) {
            self.child.kill();
            return InvokeError::Protocol;
        }
        // A process that closed its socket and lives on is no environment any more; it gets a moment to end by itself, so
        // that its own exit status is told.
        let patience = Instant::now() + Duration::from_millis(100);
        if timeout_at(patience, self.child.wait()).await.is_err() {
            self.child.kill();
        }
        match self.child.wait().await {
            Some(status) => InvokeError::Exited(status),
            None => InvokeError::Start("its end could not be observed".to_owned()),
        }
    }
}

impl Link {
    /// What the process says when it has loaded the function; before that it may have its gate taken.
    async fn gated(
        &mut self,
        settings: &FunctionSettings,
        egress: &mut Option<Egress>,
    ) -> Result<FromEnvironment, Broken> {
        let mut asked = None;
        loop {
            match self.receive().await? {
                FromEnvironment::MayHold { process, descriptor, api } if asked.is_none() && settings.is_gated() => {
                    let able = can_hold(process, descriptor);
                    let mut holds = Vec::new();
                    frame::append(&ToEnvironment::Holds { able }, &mut holds);
                    self.send(&holds).await?;
                    asked = Some((process, api));
                }
                FromEnvironment::Gate { descriptor } if egress.is_none() => {
                    let (process, api) = asked.as_ref().ok_or(Broken::Protocol)?;
                    let held = Egress::hold(*process, descriptor, api, settings);
                    *egress = Some(held.map_err(|_| Broken::Protocol)?);
                }
                other => return Ok(other),
            }
        }
    }
}

fn epoch_millis(deadline: Instant) -> u64 {
    let left = deadline.saturating_duration_since(Instant::now());
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + left;
    u64::try_from(at.as_millis()).unwrap_or(u64::MAX)
}
