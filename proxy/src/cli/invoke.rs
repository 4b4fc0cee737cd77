//! `edgehook invoke`: runs one function once, with an event from a file, and says what live traffic would have got.

use super::{
    ConfigArgument, Exit, find_config, load_config,
    output::{Output, styled},
    picker::Candidates,
    start_engine,
};
use crate::{
    hooks,
    record::{HookEvent, event_json, read_event, shown},
    workbench::{diff, engine::Engine, report::milliseconds, values},
};
use clap::Args;
use edgehook_config::{Config, FunctionKind, Mode, ViewerRuntime};
use edgehook_contract::{Fault as Class, HookPoint};
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    io::{IsTerminal as _, Read as _},
    path::Path,
};

#[derive(Debug, Args)]
pub(super) struct InvokeArguments {
    /// The function, by its name in the configuration.
    #[arg(value_name = "FUNC")]
    function: Option<String>,
    /// File with the event, `-`: standard input [default: an event made up for the function's hook]
    #[arg(value_name = "EVENT.json|-")]
    event: Option<String>,
    /// The hook point [default: the event's own, or where the configuration attaches the function]
    #[arg(long, value_name = "HOOK")]
    hook: Option<String>,
    /// Print JSON: Amazon's TestResult for a CloudFront Function, the returned JSON for a Lambda function.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgument,
}

pub(super) async fn run(arguments: InvokeArguments, output: &Output) -> Exit {
    let file = match find_config(arguments.config.config.as_deref()) {
        Ok(file) => file,
        Err(none) => return none.report(output),
    };
    let Some(loaded) = load_config(&file, Mode::Check, output) else { return Exit::Invalid };
    let name = match function_of(&arguments, &loaded.config, output) {
        Ok(name) => name,
        Err(problem) => {
            output.error(&problem);
            return Exit::Invalid;
        }
    };
    let hook = match arguments.hook.as_deref().map(hook_point).transpose() {
        Ok(hook) => hook,
        Err(problem) => {
            output.error(&problem);
            return Exit::Invalid;
        }
    };
    let mut event = match arguments.event.as_deref().map(read).transpose() {
        Ok(event) => event,
        Err(problem) => {
            output.error(&problem);
            return Exit::Invalid;
        }
    };
    let Some(engine) = start_engine(loaded.config, None, output).await else { return Exit::Invalid };
    let made = event.is_none();
    if made {
        let hook = hook.unwrap_or_else(|| values::attached_hook(engine.site(), &name));
        event = Some(values::sample_event(&engine, &name, hook));
    }
    let Some(mut event) = event else { return Exit::Invalid };
    if let Some(hook) = hook
        && let Err(problem) = values::at_hook(&mut event, hook)
    {
        output.error(&problem);
        return Exit::Invalid;
    }
    let called = Called { name: &name, made, color: output.color() };
    called.report(&engine, &event, arguments.json, output).await
}

/// The function that is meant; the error says which there are.
fn function_of(arguments: &InvokeArguments, config: &Config, output: &Output) -> Result<String, String> {
    let names: Vec<&str> = config.functions.keys().map(String::as_str).collect();
    let problem = match arguments.function.as_deref() {
        Some(name) if names.contains(&name) => return Ok(name.to_owned()),
        Some(name) => format!("there is no function \"{name}\""),
        None => "name a function".to_owned(),
    };
    let candidates = Candidates { plural: "functions", names: &names };
    candidates.pick(&problem, !arguments.json, output).map(str::to_owned)
}

fn hook_point(name: &str) -> Result<HookPoint, String> {
    let found = HookPoint::ALL.into_iter().find(|hook| hook.as_str() == name.replace('_', "-"));
    found.ok_or_else(|| {
        format!("{name:?} is no hook point; hook points: {}", HookPoint::ALL.map(HookPoint::as_str).join(", "))
    })
}

/// Reads an event; the error has file and line.
fn read(name: &str) -> Result<HookEvent, String> {
    let (shown, text) = if name == "-" {
        let mut text = String::new();
        if std::io::stdin().is_terminal() {
            return Err("an event is expected on standard input".to_owned());
        }
        std::io::stdin().read_to_string(&mut text).map_err(|error| format!("standard input: {error}"))?;
        ("standard input", text)
    } else {
        (name, std::fs::read_to_string(Path::new(name)).map_err(|error| format!("{name}: {error}"))?)
    };
    let event: Value = serde_json::from_str(&text)
        .map_err(|error| format!("{shown}:{}: expected an event in JSON: {error}", error.line().max(1)))?;
    read_event(&event).map_err(|problem| format!("{shown}:1: {problem}"))
}

struct Called<'a> {
    name: &'a str,
    /// The event was made up.
    made: bool,
    color: bool,
}

impl Called<'_> {
    async fn report(&self, engine: &Engine, event: &HookEvent, as_json: bool, output: &Output) -> Exit {
        let Some(function) = engine.site().functions.get(self.name) else { return Exit::Invalid };
        let invoked = hooks::invoke(function, event, None).await;
        let failed = invoked.record.failure.clone();
        let result = values::result_of(event, &invoked);
        if as_json {
            let told = match event {
                HookEvent::Viewer(_) => test_result(engine.config(), self.name, &invoked, &result),
                HookEvent::Lambda(_) => match &failed {
                    None => result,
                    Some(problem) => json!({
                        "errorType": invoked.class.map_or("Error", class_word),
                        "errorMessage": problem,
                        "trace": invoked.record.logs,
                    }),
                },
            };
            output.result(&format!("{told:#}"));
        } else {
            output.result(&self.human(event, &invoked, &result));
        }
        if failed.is_some() { Exit::No } else { Exit::Done }
    }

    fn human(&self, event: &HookEvent, invoked: &hooks::Invoked, result: &Value) -> String {
        let mut text = String::new();
        let line = |label: &str, value: &str| format!("{label:<9} {value}\n");
        let hook = invoked.record.hook.as_str();
        let made = if self.made { "   (event made up; give one in a file)" } else { "" };
        text.push_str(&line("function", &format!("{} at {hook}{made}", self.name)));
        for log in &invoked.record.logs {
            text.push_str(&line("console", &shown(log)));
        }
        match &invoked.record.failure {
            None => {
                let before = diff::subject(&event_json(event), result);
                for change in diff::changes(&before, result) {
                    text.push_str(&line("", &change.colored(self.color)));
                }
            }
            Some(problem) => {
                let status = if invoked.class == Some(Class::Validation) { 502 } else { 503 };
                let verdict = format!("{status} on live traffic: {}", shown(problem));
                text.push_str(&line("result", &styled(self.color, "31", &verdict)));
                if invoked.class == Some(Class::Validation) && matches!(event, HookEvent::Viewer(_)) {
                    text.push_str(&line("", "CloudFront's own function test does not check this and would pass"));
                }
            }
        }
        let _ = match (invoked.record.cpu, invoked.record.utilization) {
            (Some((cpu, _)), Some(percent)) => {
                let micros = u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX);
                write!(text, "{:<9} {}  {percent} % of budget", "compute", milliseconds(micros))
            }
            _ => {
                let micros = u64::try_from(invoked.record.time.as_micros()).unwrap_or(u64::MAX);
                write!(text, "{:<9} {}", "time", milliseconds(micros))
            }
        };
        if invoked.record.failure.is_none() {
            let _ = write!(text, "\n{:<9} {}", "result", styled(self.color, "32", "valid"));
        }
        text
    }
}

fn class_word(class: Class) -> &'static str {
    match class {
        Class::Validation => "ValidationError",
        Class::Execution => "ExecutionError",
        Class::Throttled => "Throttled",
    }
}

/// Amazon's answer to TestFunction, with nothing added.
fn test_result(config: &Config, name: &str, invoked: &hooks::Invoked, result: &Value) -> Value {
    let runtime = match config.functions.get(name).map(|function| &function.kind) {
        Some(FunctionKind::Viewer { runtime: ViewerRuntime::Js1, .. }) => "cloudfront-js-1.0",
        _ => "cloudfront-js-2.0",
    };
    let output = if result.is_null() { String::new() } else { result.to_string() };
    json!({ "TestResult": {
        "FunctionSummary": {
            "Name": name,
            "Status": "UNPUBLISHED",
            "FunctionConfig": { "Comment": "", "Runtime": runtime },
        },
        "ComputeUtilization": invoked.record.utilization.unwrap_or(0).to_string(),
        "FunctionExecutionLogs": invoked.record.logs,
        "FunctionErrorMessage": invoked.record.failure.clone().unwrap_or_default(),
        "FunctionOutput": output,
    } })
}
