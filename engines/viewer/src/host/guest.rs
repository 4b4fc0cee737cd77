//! What runs inside an isolate: the engine with one function loaded, and one invocation on it.
//!
//! Everything here lives in the arena and is gone, or as it was, after the run. What is to stay is written to the
//! [`Turn`]: console lines as they come, so that a run that is stopped has not spoken in vain, then the outcome.

use super::{
    console,
    event::Form,
    modules,
    modules::kvs::{self, Store},
    outcome::{self, Given},
    problem, program, random, retrace,
};
use boa_engine::{
    Context, JsError, JsNativeError, JsObject, JsResult, JsString, JsValue, Source,
    builtins::promise::PromiseState,
    context::{
        ContextBuilder, HostHooks,
        time::{Clock, JsInstant},
    },
    job::{GenericJob, Job, JobExecutor, NativeAsyncJob, PromiseJob},
    js_string,
    object::builtins::JsPromise,
    realm::Realm,
};
use edgehook_contract::{
    Header, HookPoint, RequestMessage, ResponseMessage,
    viewer::{Context as About, Event, Returned, Runtime},
};
use edgehook_isolate::{Refused, Turn};
use edgehook_protocol::{
    event::EventRef,
    viewer::{KvsReads, Misread, Outcome, Problem, ProblemKind, Program},
    wire::Wire as _,
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    mem,
    pin::Pin,
    rc::Rc,
    task::Waker,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Loop iterations per µs of budget after which a run is given up with a line number. More than boa manages in that time,
/// so that no honest run meets it before the timer; it only names the line of a plain endless loop where it can.
const ITERATIONS_PER_MICROSECOND: u64 = 100;

/// Largest buffer that a function may ask for, in bytes.
const BUFFER_LIMIT: u64 = 8 * 1024 * 1024;

/// The mark of a console line in the output, before its length and text.
pub(super) const LOG: u8 = 0;

/// The mark of the outcome, before the CPU time, the store's reads and the encoded outcome. Nothing follows it.
const DONE: u8 = 1;

/// The engine with one function loaded.
pub(super) struct Guest {
    context: Context,
    handler: JsObject,
    form: Form,
    clock: Rc<Frozen>,
    file: String,
    source: Vec<u8>,
}

impl Guest {
    /// Builds the engine, runs the function's top level, and warms what every run uses.
    pub(super) fn load(program: &Program, turn: &mut Turn<'_>) -> Result<Self, Refused> {
        let clock = Rc::new(Frozen(Cell::new(now())));
        let (source, file) = (program.source.0.as_slice(), program.file.as_str());
        let loaded = engine(&clock, program).and_then(|mut context| {
            let form = Form::new(program.runtime, &mut context).map_err(|error| engine_problem(&error))?;
            warm(program.runtime, &mut context)?;
            let handler = program::handler(source, file, &mut context)?;
            modules::loaded(&mut context);
            // What the top level logged belongs to loading, not to a run.
            console::reset(&mut context);
            Ok(Self { context, handler, form, clock: clock.clone(), file: file.to_owned(), source: source.to_vec() })
        });
        loaded.map_err(|problem| {
            let mut bytes = Vec::new();
            problem.put(&mut bytes);
            turn.clear();
            // A problem is bounded and the output empty, so it fits.
            let _ = turn.write(&bytes);
            Refused
        })
    }

    /// Runs the handler once on the encoded `event`. `stages`: CPU time of the handler, and of reading its outcome.
    pub(super) fn run(
        &mut self,
        mut event: &[u8],
        entropy: [u8; 32],
        now: u64,
        stages: [Duration; 2],
        store: Option<&dyn Store>,
        turn: &mut Turn<'_>,
    ) {
        // The proxy's own bytes; if they are no event, it gets no outcome.
        let Ok(event) = EventRef::take(&mut event) else { return };
        let argument = self.prepare(&event, entropy, now);
        turn.stage(stages[0]);
        // The text of what was thrown may be made by the script's own code, which the budget must cover (security.md V08).
        let settled =
            settle(&self.handler, argument.into(), store, &mut self.context).map_err(|error| self.failed(&error));
        let cpu = turn.loose_stage(stages[1]);
        let outcome = match &settled {
            Ok(Some(value)) => self.returned(value, &event),
            Ok(None) => Outcome::Failed(Problem {
                kind: ProblemKind::NeverSettled,
                message: "the promise that handler returned can never settle".to_owned(),
                line: None,
                column: None,
            }),
            Err(problem) => Outcome::Failed(problem.clone()),
        };
        let mut bytes = Vec::with_capacity(1024);
        bytes.push(DONE);
        u32::try_from(cpu.as_micros()).unwrap_or(u32::MAX).put(&mut bytes);
        kvs::reads(&self.context).put(&mut bytes);
        outcome.put(&mut bytes);
        // What does not fit is missed by the host, which says so.
        let _ = turn.write(&bytes);
        // The rewind takes all of it, so nothing needs to be taken apart.
        mem::forget((settled, outcome, bytes));
    }

    /// Repeats what [`Guest::run`] did with the same arguments, to find out where it was when it was stopped.
    pub(super) fn retrace(
        &mut self,
        mut event: &[u8],
        entropy: [u8; 32],
        now: u64,
        slices: Option<u32>,
        turn: &mut Turn<'_>,
    ) {
        let Ok(event) = EventRef::take(&mut event) else { return };
        let argument = self.prepare(&event, entropy, now);
        // Whatever it throws says nothing about the run before.
        let _ = retrace::walk(&self.handler, argument.into(), slices, &self.file, &mut self.context, turn);
    }

    fn prepare(&mut self, event: &EventRef<'_>, entropy: [u8; 32], now: u64) -> JsObject {
        self.clock.0.set(now);
        random::seed(&mut self.context, entropy);
        modules::begin(event.hook, &mut self.context);
        self.form.fill(event, &mut self.context)
    }

    /// What came out of a run that ended well. An origin that it asked for belongs to a request, be that right or not.
    fn returned(&mut self, value: &JsValue, event: &EventRef<'_>) -> Outcome {
        let mut outcome = outcome::read(value, Given { event, form: &self.form });
        if let Outcome::Returned(Returned::Request(request))
        | Outcome::Invalid(Misread { rest: Some(Returned::Request(request)), .. }) = &mut outcome
        {
            request.origin = modules::directive(&mut self.context).map(Box::new);
        }
        outcome
    }

    fn failed(&mut self, error: &JsError) -> Problem {
        let origin = problem::Origin { file: &self.file, source: &self.source };
        problem::describe(error, ProblemKind::Threw, origin, &mut self.context)
    }
}

/// What a run left behind, read outside the isolate.
#[derive(Default)]
pub(super) struct Said<'a> {
    /// Console lines.
    pub(super) logs: Vec<&'a [u8]>,
    /// What came of it, if it came to that.
    pub(super) done: Option<Done<'a>>,
}

/// A run that came to its end.
pub(super) struct Done<'a> {
    /// CPU time of handler and microtasks in µs.
    pub(super) cpu: u32,
    pub(super) reads: KvsReads,
    /// The encoded outcome.
    pub(super) outcome: &'a [u8],
}

impl<'a> Said<'a> {
    pub(super) fn read(mut bytes: &'a [u8]) -> Self {
        let mut said = Self::default();
        while let Some((tag, rest)) = bytes.split_first() {
            let Some((number, rest)) =
                rest.split_first_chunk().map(|(number, rest)| (u32::from_le_bytes(*number), rest))
            else {
                break;
            };
            if *tag != LOG {
                let mut outcome = rest;
                let reads = KvsReads::take(&mut outcome).ok();
                said.done = reads.map(|reads| Done { cpu: number, reads, outcome });
                break;
            }
            let Some((line, rest)) = rest.split_at_checked(number as usize) else { break };
            said.logs.push(line);
            bytes = rest;
        }
        said
    }
}

/// Calls the handler, drains the microtasks and answers reads of the store; `None` for a promise that is pending with nothing left
/// to run.
fn settle(
    handler: &JsObject,
    event: JsValue,
    store: Option<&dyn Store>,
    context: &mut Context,
) -> JsResult<Option<JsValue>> {
    let value = handler.call(&JsValue::undefined(), &[event], context)?;
    context.run_jobs()?;
    while kvs::answer(store, context)? {
        context.run_jobs()?;
    }
    let Some(promise) = value.as_object().and_then(|object| JsPromise::from_object(object).ok()) else {
        return Ok(Some(value));
    };
    match promise.state() {
        PromiseState::Pending => Ok(None),
        PromiseState::Fulfilled(value) => Ok(Some(value)),
        PromiseState::Rejected(reason) => Err(JsError::from_opaque(reason)),
    }
}

fn engine(clock: &Rc<Frozen>, program: &Program) -> Result<Context, Problem> {
    let build = || -> JsResult<Context> {
        let mut context = ContextBuilder::new()
            .clock(clock.clone())
            .host_hooks(Rc::new(Hooks))
            .job_executor(Rc::new(Jobs::default()))
            .module_loader(Rc::new(program::Loader))
            .can_block(false)
            .build()?;
        context.strict(true);
        let iterations = u64::from(program.budget).saturating_mul(ITERATIONS_PER_MICROSECOND);
        context.runtime_limits_mut().set_loop_iteration_limit(iterations.max(1_000_000));
        // The last is the engine's own slip: the specification has no such global.
        for absent in [js_string!("Atomics"), js_string!("SharedArrayBuffer"), js_string!("TypedArray")] {
            context.global_object().delete_property_or_throw(absent, &mut context)?;
        }
        console::install(program.lenient, &mut context)?;
        random::install(&mut context)?;
        let settings = modules::Settings {
            runtime: program.runtime,
            edge: program.edge.clone(),
            store: program.store.as_ref().map(|link| link.id.clone()),
        };
        modules::install(&settings, &mut context)?;
        Ok(context)
    };
    build().map_err(|error| engine_problem(&error))
}

fn engine_problem(error: &JsError) -> Problem {
    Problem { kind: ProblemKind::Abort, message: format!("no engine could be made: {error}"), line: None, column: None }
}

/// Builds and reads a made-up event, so that shapes, inline caches and lazy statics that every run needs are part of the
/// snapshot. The user's own code has not been seen yet.
fn warm(runtime: Runtime, context: &mut Context) -> Result<(), Problem> {
    // `Symbol.for` reaches the engine's one registry, which asks the system for its processors when it is first used.
    let dummy = "(async function (event) { await null; Symbol.for(''); return event.response || event.request; })";
    let mut rounds = || -> JsResult<()> {
        let dummy = context.eval(Source::from_bytes(dummy))?;
        let Some(dummy) = dummy.as_object() else { return Ok(()) };
        for hook in [HookPoint::ViewerRequest, HookPoint::ViewerResponse] {
            let (mut form, mut encoded) = (Form::new(runtime, context)?, Vec::new());
            made_up(hook).put(&mut encoded);
            let Ok(event) = EventRef::take(&mut encoded.as_slice()) else { continue };
            let argument = form.fill(&event, context);
            if let Some(value) = settle(&dummy, argument.into(), None, context)? {
                // Of no interest but for what reading leaves warm.
                let _ = outcome::read(&value, Given { event: &event, form: &form });
            }
        }
        Ok(())
    };
    rounds().map_err(|error| engine_problem(&error))
}

/// An event like many, for warming.
pub(super) fn made_up(hook: HookPoint) -> Event {
    let headers = vec![
        Header::new("host", "www.example.com"),
        Header::new("accept", "*/*"),
        Header::new("accept-encoding", "gzip"),
        Header::new("accept-language", "en"),
        Header::new("user-agent", "warm"),
        Header::new("x-twice", "1"),
        Header::new("x-twice", "2"),
        Header::new("cookie", "a=1; b=2; a=3"),
    ];
    let response = ResponseMessage {
        status: 200,
        reason: None,
        headers: vec![Header::new("content-type", "text/html"), Header::new("set-cookie", "a=1; Path=/")],
    };
    Event {
        hook,
        context: About::default(),
        viewer_ip: "::1".to_owned(),
        request: RequestMessage {
            method: "GET".to_owned(),
            uri: "/".to_owned(),
            query: Some("a=1&b=2&a=3".to_owned()),
            headers,
        },
        response: (hook == HookPoint::ViewerResponse).then_some(response),
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A clock that stands still during a run.
struct Frozen(Cell<u64>);

impl Clock for Frozen {
    fn now(&self) -> JsInstant {
        let millis = self.0.get();
        JsInstant::new(millis / 1000, u32::try_from(millis % 1000).unwrap_or_default() * 1_000_000)
    }

    fn system_time_millis(&self) -> i64 {
        i64::try_from(self.0.get()).unwrap_or(i64::MAX)
    }
}

/// What the language leaves to its host: no code from strings, no time zone, small buffers.
struct Hooks;

impl HostHooks for Hooks {
    fn ensure_can_compile_strings(
        &self,
        _: Realm,
        _: &[JsString],
        _: &JsString,
        _: bool,
        _: &mut Context,
    ) -> JsResult<()> {
        Err(JsNativeError::eval().with_message("code generation from strings is not allowed").into())
    }

    fn local_timezone_offset_seconds(&self, _: i64) -> i32 {
        0
    }

    fn max_buffer_size(&self, _: &mut Context) -> u64 {
        BUFFER_LIMIT
    }
}

/// Promise jobs in their order. Timers and other asynchronous work do not exist here.
#[derive(Default)]
struct Jobs(RefCell<VecDeque<Runnable>>);

enum Runnable {
    Promise(PromiseJob),
    Generic(GenericJob),
    Async(NativeAsyncJob),
}

impl JobExecutor for Jobs {
    fn enqueue_job(self: Rc<Self>, job: Job, _: &mut Context) {
        match job {
            Job::PromiseJob(job) => self.0.borrow_mut().push_back(Runnable::Promise(job)),
            Job::GenericJob(job) => self.0.borrow_mut().push_back(Runnable::Generic(job)),
            Job::AsyncJob(job) => self.0.borrow_mut().push_back(Runnable::Async(job)),
            _ => {}
        }
    }

    fn run_jobs(self: Rc<Self>, context: &mut Context) -> JsResult<()> {
        loop {
            let job = self.0.borrow_mut().pop_front();
            match job {
                None => return Ok(()),
                Some(Runnable::Promise(job)) => drop(job.call(context)?),
                Some(Runnable::Generic(job)) => drop(job.call(context)?),
                Some(Runnable::Async(job)) => {
                    // Loading of a module, which is ready at once; there is nothing here that could wake a job later.
                    let shared = RefCell::new(&mut *context);
                    let mut job = job.call(&shared);
                    let _ = Pin::new(&mut job).poll(&mut std::task::Context::from_waker(Waker::noop()));
                }
            }
        }
    }
}
