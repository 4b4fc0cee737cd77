//! One invocation in a context of its own.

use super::{
    console, event,
    outcome::{self, Unreadable},
    problem,
};
use boa_engine::{
    Context, JsError, JsNativeError, JsObject, JsResult, JsString, JsValue, Script, Source,
    builtins::promise::PromiseState,
    context::{ContextBuilder, HostHooks, time::FixedClock},
    job::{GenericJob, Job, JobExecutor, PromiseJob},
    js_string,
    object::builtins::JsPromise,
    realm::Realm,
};
use edgehook_contract::viewer::Event;
use edgehook_protocol::viewer::{Outcome, Problem, ProblemKind, Program};
use nix::time::{ClockId, clock_gettime};
use std::{cell::RefCell, collections::VecDeque, path::Path, rc::Rc, time::Duration};

/// Loop iterations per µs of budget after which a run is given up with a line number. Far more than boa manages in that
/// time, so that no honest run meets it; what it misses is caught by the supervisor.
const ITERATIONS_PER_MICROSECOND: u64 = 1000;

/// Largest buffer that a function may ask for, in bytes.
const BUFFER_LIMIT: u64 = 8 * 1024 * 1024;

/// What became of one invocation.
pub(super) struct Run {
    pub(super) outcome: Outcome,
    /// CPU time of handler and microtasks, in µs.
    pub(super) cpu: u32,
    pub(super) logs: Vec<String>,
}

/// Parses a function and runs its top level, as every invocation will.
pub(super) fn check(program: &Program) -> Result<(), Problem> {
    let mut context = context(program, now())?;
    load(program, &mut context).map(drop)
}

/// Runs `handler(event)` once.
pub(super) fn invoke(program: &Program, now: u64, given: &Event) -> Run {
    let mut context = match context(program, now) {
        Ok(context) => context,
        Err(problem) => return Run { outcome: Outcome::Failed(problem), cpu: 0, logs: Vec::new() },
    };
    let mut cpu = Duration::ZERO;
    let outcome = match load(program, &mut context) {
        Ok(handler) => {
            // What the top level logged belongs to loading, not to this run.
            console::take(&mut context);
            match called(program, &handler, given, &mut cpu, &mut context) {
                Ok(value) => read(program, &value, &mut context),
                Err(problem) => Outcome::Failed(problem),
            }
        }
        Err(problem) => Outcome::Failed(problem),
    };
    let cpu = u32::try_from(cpu.as_micros()).unwrap_or(u32::MAX);
    Run { outcome, cpu, logs: console::take(&mut context) }
}

/// The settled value of the handler's result; `cpu` gets the time that handler and microtasks took.
fn called(
    program: &Program,
    handler: &JsObject,
    given: &Event,
    cpu: &mut Duration,
    context: &mut Context,
) -> Result<JsValue, Problem> {
    let threw =
        |error: &JsError, context: &mut Context| problem::describe(error, ProblemKind::Threw, origin(program), context);
    let event = event::build(given, context).map_err(|error| threw(&error, context))?;
    let start = thread_time();
    let settled = settle(handler, event.into(), context);
    *cpu = thread_time().saturating_sub(start);
    let value = match settled {
        Ok(Some(value)) => value,
        Ok(None) => {
            let message = "the promise that handler returned can never settle".to_owned();
            return Err(Problem { kind: ProblemKind::NeverSettled, message, line: None, column: None });
        }
        Err(error) => return Err(threw(&error, context)),
    };
    if cpu.as_micros() > u128::from(program.budget) {
        let message = format!("{} µs of CPU time, the budget is {} µs", cpu.as_micros(), program.budget);
        return Err(Problem { kind: ProblemKind::Time, message, line: None, column: None });
    }
    Ok(value)
}

/// Calls the handler and drains the microtasks; `None` for a promise that is pending with nothing left to run.
fn settle(handler: &JsObject, event: JsValue, context: &mut Context) -> JsResult<Option<JsValue>> {
    let value = handler.call(&JsValue::undefined(), &[event], context)?;
    context.run_jobs()?;
    let Some(promise) = value.as_object().and_then(|object| JsPromise::from_object(object).ok()) else {
        return Ok(Some(value));
    };
    match promise.state() {
        PromiseState::Pending => Ok(None),
        PromiseState::Fulfilled(value) => Ok(Some(value)),
        PromiseState::Rejected(reason) => Err(JsError::from_opaque(reason)),
    }
}

fn read(program: &Program, value: &JsValue, context: &mut Context) -> Outcome {
    match outcome::read(value, context) {
        Ok(returned) => Outcome::Returned(returned),
        Err(Unreadable::Invalid(text)) => Outcome::Invalid(text),
        Err(Unreadable::Threw(error)) => {
            Outcome::Failed(problem::describe(&error, ProblemKind::Threw, origin(program), context))
        }
    }
}

fn origin(program: &Program) -> problem::Origin<'_> {
    problem::Origin { file: &program.file, source: &program.source.0 }
}

/// Evaluates the source and finds `handler` among its top-level bindings.
fn load(program: &Program, context: &mut Context) -> Result<JsObject, Problem> {
    let source = Source::from_bytes(&program.source.0).with_path(Path::new(&program.file));
    let script = Script::parse(source, None, context)
        .map_err(|error| problem::describe(&error, ProblemKind::Syntax, origin(program), context))?;
    script
        .evaluate(context)
        .and_then(|_| context.run_jobs())
        .map_err(|error| problem::describe(&error, ProblemKind::Threw, origin(program), context))?;
    // A name lookup rather than a property of the global object: `const handler = …` is no property.
    let handler = context.eval(Source::from_bytes("typeof handler === 'function' ? handler : undefined"));
    handler.ok().and_then(|value| value.as_object()).ok_or_else(|| Problem {
        kind: ProblemKind::NoHandler,
        message: "the source defines no function named \"handler\" at its top level".to_owned(),
        line: None,
        column: None,
    })
}

fn context(program: &Program, now: u64) -> Result<Context, Problem> {
    let build = || -> JsResult<Context> {
        let mut context = ContextBuilder::new()
            .clock(Rc::new(FixedClock::from_millis(now)))
            .host_hooks(Rc::new(Hooks))
            .job_executor(Rc::new(Jobs::default()))
            .can_block(false)
            .build()?;
        context.strict(true);
        let iterations = u64::from(program.budget).saturating_mul(ITERATIONS_PER_MICROSECOND);
        context.runtime_limits_mut().set_loop_iteration_limit(iterations);
        for absent in [js_string!("Atomics"), js_string!("SharedArrayBuffer")] {
            context.global_object().delete_property_or_throw(absent, &mut context)?;
        }
        console::install(&mut context)?;
        Ok(context)
    };
    build().map_err(|error| Problem {
        kind: ProblemKind::Abort,
        message: format!("no context could be made: {error}"),
        line: None,
        column: None,
    })
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
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
}

impl JobExecutor for Jobs {
    fn enqueue_job(self: Rc<Self>, job: Job, _: &mut Context) {
        match job {
            Job::PromiseJob(job) => self.0.borrow_mut().push_back(Runnable::Promise(job)),
            Job::GenericJob(job) => self.0.borrow_mut().push_back(Runnable::Generic(job)),
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
            }
        }
    }
}
