//! One run of a function at a hook point, for both families: event out, result in, failure classified, record written.

use super::function::{Function, FunctionBody, OnError};
use crate::{
    fault::Fault,
    record::{HookEvent, HookRecord, HookResult, Purpose, Record},
    trace_context::Trace,
};
use edgehook_contract::{
    Fault as Class, HookPoint, RequestMessage, ResponseMessage, Violation, Violations,
    lambda::{self, Applied, AppliedResponse},
    viewer::{self, Judged, OriginChoice, Returned, Rules},
};
use edgehook_lambda::{InvokeError, Request};
use edgehook_protocol::viewer::Outcome as Ran;
use edgehook_viewer::supervisor::{CallError, Hosts, RunFailure};
use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

/// What a function is told about the request besides its context.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) viewer: IpAddr,
    pub(super) request: &'a RequestMessage,
    /// The request's body, at request hooks that include it.
    pub(super) body: Option<&'a lambda::EventBody>,
    /// Whether the viewer speaks HTTP/2, where names are in lower case.
    pub(super) lower_case_keys: bool,
    pub(super) origin: Option<&'a lambda::Origin>,
    pub(super) response: Option<&'a ResponseMessage>,
    /// Says whether an origin that a viewer function chose can be had; `None` where it cannot choose.
    pub(super) judge: Option<Judge<'a>>,
}

/// Says whether a chosen origin can be had.
pub(crate) type Judge<'a> = &'a (dyn Fn(&OriginChoice) -> Result<(), Violation> + Sync);

/// What a run comes to once its result is checked.
pub(super) enum Outcome {
    /// The function failed and is bypassed.
    Untouched,
    /// Go on with this request.
    Request {
        request: RequestMessage,
        origin: Option<lambda::Origin>,
        body: Option<Vec<u8>>,
        /// What a viewer function asked for.
        choice: Option<Box<OriginChoice>>,
    },
    /// A response, generated or changed; `body` when the function set one.
    Response { message: ResponseMessage, body: Option<Vec<u8>> },
}

impl Outcome {
    pub(super) fn recorded(&self) -> Option<HookResult> {
        match self {
            Self::Untouched => None,
            Self::Request { request, origin, body, choice } => Some(HookResult::Request {
                message: request.clone(),
                origin: origin.clone(),
                choice: choice.clone(),
                body: body.clone(),
            }),
            Self::Response { message, body } => {
                Some(HookResult::Response { message: message.clone(), body: body.clone() })
            }
        }
    }
}

/// The time in milliseconds since 1970 and the random bytes of a run, where they are not its host's own. Lambda functions get the
/// time alone.
pub(super) type Moment = Option<(u64, [u8; 32])>;

/// A failed run.
pub(super) struct Failure {
    pub(super) class: Class,
    pub(super) detail: String,
    /// Each rule that its result broke.
    violations: Vec<String>,
}

impl Failure {
    fn new(class: Class, detail: impl Into<String>) -> Self {
        Self { class, detail: detail.into(), violations: Vec::new() }
    }
}

impl From<Violations> for Failure {
    fn from(found: Violations) -> Self {
        let violations = found.listed().iter().map(ToString::to_string).collect();
        Self { class: Class::Validation, detail: found.to_string(), violations }
    }
}

impl From<Violation> for Failure {
    fn from(violation: Violation) -> Self {
        Violations::from(violation).into()
    }
}

impl From<RunFailure> for Failure {
    fn from(failure: RunFailure) -> Self {
        match failure {
            RunFailure::Invalid(found) => found.into(),
            RunFailure::Failed(problem) => Self::new(Class::Execution, problem.to_string()),
        }
    }
}

/// Runs `function` once.
pub(super) async fn run(
    function: &Function,
    hook: HookPoint,
    request_id: &str,
    message: Message<'_>,
    record: &mut Record,
) -> Result<Outcome, Fault> {
    let start = Instant::now();
    let mut hook_record = HookRecord::new(&function.name, hook);
    hook_record.distribution.clone_from(&function.facts.distribution_id);
    hook_record.messages = record.trace.is_some().then(Box::default);
    let result = if function.breaker.as_ref().is_none_or(|breaker| breaker.admits(start)) {
        let moment = record.world.of_run();
        hook_record.counted = record.purpose == Purpose::Serve;
        let _busy = record.world.busy();
        called(function, hook, (request_id, moment), message, &mut hook_record).await
    } else {
        let text = "circuit_breaker: it failed so often in a row that it is not called for a while";
        Err(Failure::new(Class::Throttled, text))
    };
    hook_record.time = start.elapsed();
    let class = result.as_ref().err().map(|failure| failure.class);
    if record.purpose == Purpose::Serve {
        function.counts.ran(class);
    }
    let counts = record.purpose == Purpose::Serve;
    if let Some(breaker) = function.breaker.as_ref().filter(|_| counts && class != Some(Class::Throttled)) {
        breaker.ended(class == Some(Class::Execution), Instant::now());
    }
    let failure = match result {
        Ok(outcome) => {
            if let Some(messages) = &mut hook_record.messages {
                messages.result = outcome.recorded();
            }
            record.hooks.push(hook_record);
            return Ok(outcome);
        }
        Err(failure) => failure,
    };
    hook_record.failure = Some(failure.detail.clone());
    hook_record.violations = failure.violations;
    record.hooks.push(hook_record);
    if function.on_error == OnError::Bypass {
        return Ok(Outcome::Untouched);
    }
    Err(function.fault(hook, failure.class, failure.detail))
}

/// Hands the call to hosts or environments.
pub(super) async fn called(
    function: &Function,
    hook: HookPoint,
    (request_id, moment): (&str, Moment),
    message: Message<'_>,
    record: &mut HookRecord,
) -> Result<Outcome, Failure> {
    match &function.body {
        FunctionBody::Viewer { hosts, id, budget, rules } => {
            let event = viewer_event(function, hook, request_id, message);
            if let Some(messages) = &mut record.messages {
                messages.event = Some(HookEvent::Viewer(Box::new(event.clone())));
            }
            let measured = Measured { record: &mut *record, budget: *budget, function };
            run_viewer(hosts, id.id(), (event, moment), message, rules, measured).await
        }
        FunctionBody::Lambda { environments, origin_rules, .. } => {
            let event = lambda_event(function, hook, request_id, message);
            if let Some(messages) = &mut record.messages {
                messages.event = Some(HookEvent::Lambda(Box::new(event.clone())));
            }
            run_lambda(environments, (&event, moment), *origin_rules, record).await
        }
        FunctionBody::Broken { problem, .. } => Err(Failure::new(Class::Execution, problem)),
    }
}

fn viewer_event(function: &Function, hook: HookPoint, request_id: &str, message: Message<'_>) -> viewer::Event {
    viewer::Event {
        hook,
        context: viewer::Context {
            distribution_domain_name: function.facts.domain_name.clone(),
            distribution_id: function.facts.distribution_id.clone(),
            request_id: request_id.to_owned(),
        },
        viewer_ip: message.viewer.to_string(),
        request: message.request.clone(),
        response: message.response.cloned(),
    }
}

/// Where a viewer run's measurements go.
struct Measured<'a> {
    record: &'a mut HookRecord,
    budget: Duration,
    function: &'a Function,
}

async fn run_viewer(
    hosts: &Hosts,
    id: edgehook_viewer::supervisor::FunctionId,
    (event, moment): (viewer::Event, Moment),
    message: Message<'_>,
    rules: &Rules,
    measured: Measured<'_>,
) -> Result<Outcome, Failure> {
    let hook = event.hook;
    let run = hosts.invoke_at(id, &event, moment).await.map_err(|error| match error {
        CallError::Throttled => Failure::new(Class::Throttled, error.to_string()),
        CallError::NoHost => Failure::new(Class::Execution, error.to_string()),
    })?;
    measured.record.cpu = Some((run.cpu, measured.budget));
    let utilization = run.utilization(measured.budget);
    measured.record.utilization = Some(utilization);
    if measured.record.counted {
        measured.function.counts.used(utilization, run.reads);
    }
    let judged = run.judged(&event, rules);
    measured.record.logs = run.logs;
    match judged? {
        Judged::Request { request, origin: choice } => {
            if let (Some(judge), Some(choice)) = (message.judge, &choice) {
                judge(choice)?;
            }
            let in_vain = choice.as_ref().map(|choice| choice.without_effect()).unwrap_or_default();
            if !in_vain.is_empty() && measured.function.said.first_without_effect() {
                let names = in_vain.join(", ");
                measured.record.warnings.push(format!("the chosen origin: {names} has no effect on this edge"));
            }
            Ok(Outcome::Request { request, origin: None, body: None, choice })
        }
        Judged::Response { response, body } => {
            measured.record.generated = hook.is_request();
            let in_vain = matches!(&run.outcome, Ran::Returned(Returned::Response(made)) if made.request_changed);
            if in_vain && measured.function.said.first_request_change() {
                let text = "an edit of event.request has no effect at viewer-response";
                measured.record.warnings.push(text.to_owned());
            }
            Ok(Outcome::Response { message: response, body })
        }
    }
}

fn lambda_event(function: &Function, hook: HookPoint, request_id: &str, message: Message<'_>) -> lambda::Event {
    lambda::Event {
        hook,
        context: lambda::Context {
            distribution_domain_name: function.facts.domain_name.clone(),
            distribution_id: function.facts.distribution_id.clone(),
            request_id: request_id.to_owned(),
        },
        client_ip: message.viewer.to_string(),
        request: message.request.clone(),
        body: message.body.cloned(),
        origin: message.origin.cloned(),
        response: message.response.cloned(),
        lower_case_keys: message.lower_case_keys,
    }
}

async fn run_lambda(
    environments: &edgehook_lambda::Function,
    (event, moment): (&lambda::Event, Moment),
    origin_rules: lambda::OriginRules,
    record: &mut HookRecord,
) -> Result<Outcome, Failure> {
    let id = crate::id::uuid();
    record.invocation = Some(id.clone());
    let trace = Trace::named(&event.request.headers, &id).map(|trace| trace.amazon());
    let request = Request { event: event.to_json(), id, trace, tail: false, clock: moment.map(|(time, _)| time) };
    let invoked = environments.invoke(request).await.map_err(|error| match error {
        InvokeError::Throttled => Failure::new(Class::Throttled, error.to_string()),
        error => Failure::new(Class::Execution, error.to_string()),
    })?;
    record.cold_start = invoked.init;
    if let Some(messages) = &mut record.messages {
        messages.returned = Some(invoked.result.clone());
    }
    match lambda::apply(event, &invoked.result, origin_rules)? {
        Applied::Request { request, origin, body } => Ok(Outcome::Request { request, origin, body, choice: None }),
        Applied::Response(AppliedResponse { message, body }) => {
            record.generated = event.hook.is_request();
            Ok(Outcome::Response { message, body })
        }
    }
}
