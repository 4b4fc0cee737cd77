//! boa with one function in it: INIT, and invocations one after the other.

use crate::{
    clock::EngineClock,
    event_loop::{EventLoop, Rejections},
    failure::{self, Kind},
    natives::{self, Outcome, State},
    network::{Network, Reach},
    program::{Loader, Parsed},
    values,
};
use boa_engine::gc::{self as boa_gc, Gc};
use boa_engine::{Context, JsError, JsResult, JsValue, Module, builtins::promise::PromiseState, object::JsObject};
use edgehook_protocol::lambda::{Error, Function, Invocation};
use std::{path::Path, rc::Rc};

/// Nested calls that a script may make. Node allows some 11,000 plain ones; calls through native functions (array methods,
/// getters, proxies) nest on the native stack too, which must hold this many of them.
const RECURSION: usize = 4_000;

/// Values on the engine's own stack.
const STACK_VALUES: usize = 1024 * 1024;

/// How much garbage may come together before it is collected, in bytes of the engine's objects; what they own comes on top. A
/// collection goes through all objects that live, some two milliseconds: the more room, the smaller each invocation's share.
const ROOM: usize = 1024 * 1024;

/// Has the engine's collector wait for that much garbage. It sets its threshold by what lives after a collection, and never
/// lowers it: so for one collection something large lives.
fn make_room() {
    let large = Gc::new([0_u8; ROOM]);
    // Past the threshold, this one is preceded by a collection.
    drop(Gc::new(()));
    drop(large);
    boa_gc::force_collect();
}

/// What ends the environment without an answer.
pub(crate) enum Fatal {
    /// A promise was rejected and nothing handles it.
    Rejection,
    /// The callback of a timer or a request threw.
    Exception,
}

/// The engine, with its event loop and the function.
pub(crate) struct Engine {
    context: Context,
    event_loop: Rc<EventLoop>,
    rejections: Rc<Rejections>,
    loader: Rc<Loader>,
    host: JsObject,
    state: Rc<State>,
    clock: Rc<EngineClock>,
}

impl Engine {
    /// An engine with everything in it that no function can change.
    ///
    /// # Errors
    /// The engine cannot be started.
    pub(crate) fn warm() -> Result<Self, Error> {
        Self::build()
            .map_err(|error| failure::platform(Kind::Environment, format!("the boa engine does not start: {error}")))
    }

    /// Tells the engine which function it is for.
    ///
    /// # Errors
    /// The engine is out of order, or there is no folder for `/tmp`.
    pub(crate) fn prepare(&mut self, function: &Function) -> Result<(), Error> {
        self.event_loop.network().set_reach(Reach::of(function));
        self.clock.show(function.clock);
        natives::prepare(function, &self.state, &self.host, &mut self.context)
            .map_err(|error| failure::platform(Kind::Environment, format!("the boa engine is out of order: {error}")))
    }

    /// Where the function's `/tmp` is.
    pub(crate) fn temporary(&self) -> &Path {
        self.state.places().temporary()
    }

    fn build() -> JsResult<Self> {
        let event_loop = Rc::new(EventLoop::new(Network::new(Reach::default())));
        let rejections = Rc::new(Rejections::default());
        let loader = Rc::new(Loader::default());
        let clock = Rc::new(EngineClock::default());
        let mut context = Context::builder()
            .job_executor(Rc::clone(&event_loop))
            .host_hooks(Rc::clone(&rejections))
            .module_loader(Rc::clone(&loader))
            .clock(Rc::clone(&clock))
            .can_block(false)
            .build()?;
        let limits = context.runtime_limits_mut();
        limits.set_recursion_limit(RECURSION);
        limits.set_stack_size_limit(STACK_VALUES);
        let state = State::new();
        let host = natives::install(&state, &mut context)?;
        make_room();
        Ok(Self { context, event_loop, rejections, loader, host, state, clock })
    }

    /// Runs the function's top level and finds its handler.
    ///
    /// # Errors
    /// As `InitFailed` reports them.
    pub(crate) fn load(&mut self, function: &Function) -> Result<(), Error> {
        let exports = self.exports()?;
        let arguments = [exports, natives::text(&function.handler)];
        self.call_host("adopt", &arguments).map(drop)?;
        self.event_loop.drain(&mut self.context).map_err(|error| self.loading(error))?;
        match self.rejections.take().first() {
            Some(reason) => Err(self.unhandled(reason)),
            None => Ok(()),
        }
    }

    fn exports(&mut self) -> Result<JsValue, Error> {
        let program = self.state.program();
        let file = program.file().to_owned();
        match program.parse(&file, &mut self.context).map_err(|error| self.loading(error))? {
            Parsed::Module(module) => {
                self.loader.insert(&file, &module);
                self.evaluate(&module)
            }
            // Parsed once more there: that is where its scope and its place in `require.cache` are made.
            Parsed::Common(_) | Parsed::Json(_) => self.call_host("load", &[natives::text(&file.to_string_lossy())]),
        }
    }

    /// Evaluates a module, waiting for its top-level `await`.
    fn evaluate(&mut self, module: &Module) -> Result<JsValue, Error> {
        let promise = module.load_link_evaluate(&mut self.context);
        loop {
            self.event_loop.drain(&mut self.context).map_err(|error| self.loading(error))?;
            match promise.state() {
                PromiseState::Fulfilled(_) => return Ok(module.namespace(&mut self.context).into()),
                PromiseState::Rejected(reason) => return Err(self.describe(&reason, true)),
                PromiseState::Pending => {}
            }
            let Some(task) = self.event_loop.next_task() else {
                return Err(failure::platform(Kind::Exit, "a top-level await never ends: nothing is left to wait for"));
            };
            task.run(&mut self.context).map_err(|error| self.loading(error))?;
        }
    }

    /// Runs the handler once.
    ///
    /// # Errors
    /// What ends the environment; it has been logged.
    pub(crate) fn invoke(&mut self, invocation: &Invocation) -> Result<Outcome, Fatal> {
        let event = match values::read(&invocation.event.0, &mut self.context) {
            Ok(event) => event,
            Err(error) => return Ok(Err(failure::platform(Kind::Unmarshal, format!("the event is no JSON: {error}")))),
        };
        self.state.outcome.take();
        self.clock.show(invocation.clock);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact in 53 bits for ages")]
        let deadline = invocation.deadline as f64;
        let [id, trace, parent] =
            [&invocation.request_id, &invocation.trace, &invocation.traceparent()].map(|text| natives::text(text));
        let arguments = [event, id, deadline.into(), trace, parent];
        match natives::call("invoke", &arguments, &mut self.context) {
            Ok(_) => self.settle(),
            // Only the engine's limits get past the scripts.
            Err(error) => Ok(Err(self.failed(error))),
        }
    }

    /// Turns the event loop until the invocation has its outcome.
    fn settle(&mut self) -> Result<Outcome, Fatal> {
        loop {
            let drained = self.event_loop.drain(&mut self.context);
            let unhandled = self.rejections.take();
            if let Some(outcome) = self.state.outcome.take() {
                // The first outcome wins; what went wrong beside it is still worth a line.
                unhandled.iter().for_each(|reason| self.log_unhandled(reason));
                return Ok(outcome);
            }
            if let Err(error) = drained {
                return Ok(Err(self.failed(error)));
            }
            if let Some(reason) = unhandled.first() {
                self.log_unhandled(reason);
                return Err(Fatal::Rejection);
            }
            let Some(task) = self.event_loop.next_task() else { return Ok(self.emptied()) };
            if let Err(error) = task.run(&mut self.context) {
                let error = self.failed(error);
                self.log("Uncaught Exception", &error);
                return Err(Fatal::Exception);
            }
        }
    }

    fn emptied(&mut self) -> Outcome {
        self.call_host("emptied", &[])?;
        let missing = || Err(failure::platform(Kind::Exit, "the handler ended without an outcome"));
        self.state.outcome.take().unwrap_or_else(missing)
    }

    fn call_host(&mut self, name: &str, arguments: &[JsValue]) -> Result<JsValue, Error> {
        natives::call(name, arguments, &mut self.context).map_err(|error| self.loading(error))
    }

    fn loading(&mut self, error: JsError) -> Error {
        failure::thrown(error, true, &self.host, &mut self.context)
    }

    fn failed(&mut self, error: JsError) -> Error {
        failure::thrown(error, false, &self.host, &mut self.context)
    }

    fn describe(&mut self, value: &JsValue, loading: bool) -> Error {
        failure::described(value, loading, &self.host, &mut self.context)
    }

    fn unhandled(&mut self, reason: &JsValue) -> Error {
        let error = self.describe(reason, false);
        let message = if error.trace.is_empty() { error.message } else { format!("{}: {}", error.kind, error.message) };
        Error { kind: Kind::Rejection.as_str().to_owned(), message, trace: error.trace }
    }

    fn log_unhandled(&mut self, reason: &JsValue) {
        let error = self.unhandled(reason);
        self.log("Unhandled Promise Rejection", &error);
    }

    /// Writes an error record to the function's log, as AWS's Node runtime does.
    fn log(&mut self, title: &str, error: &Error) {
        let body = serde_json::json!({"errorType": error.kind, "errorMessage": error.message, "stack": error.trace});
        let arguments = [natives::text("ERROR"), natives::text(&format!("{title}\t{body}"))];
        // A log that cannot be written is no reason to fail.
        let _ = natives::call("record", &arguments, &mut self.context);
    }
}
