//! Plays test cases, each by itself and several at a time, and judges what came of them. `flow` plays those that are requests.

mod flow;

use super::{
    cases::{Case, EventCase, Expectation, Expected, FunctionCase, Place, Subject, Suite, What},
    engine::Engine,
    matcher::{Matcher, shown},
    near::Reason,
    values,
};
use crate::{
    hooks::{self, Invoked},
    record::{HookEvent, read_event},
    world::World,
};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::sync::RwLock;

/// Cases that are played at a time.
const TOGETHER: usize = 8;

/// What came of a case.
#[derive(Clone, Debug)]
pub(crate) struct Played {
    pub(crate) verdict: Verdict,
    pub(crate) took: Duration,
    /// Functions that ran and their share of the budget.
    pub(crate) runs: Vec<Ran>,
    /// What let the first viewer in, or kept it out, such as `authorizer staff`.
    pub(crate) guard: Option<String>,
    /// What to write instead, for `--update`.
    pub(crate) edits: Vec<Edit>,
}

/// One run of a function.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    pub(crate) function: String,
    pub(crate) cpu: Option<Duration>,
    pub(crate) utilization: Option<u8>,
    /// What a viewer function logged.
    pub(crate) console: Vec<String>,
}

/// The verdict.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Passed,
    Skipped(String),
    Failed(Box<Failure>),
}

/// Why a case failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// Number of the step, from 1, and how many there are.
    pub(crate) step: Option<(usize, usize)>,
    /// What was expected and what came.
    pub(crate) text: String,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) place: Place,
}

/// A change to a test that would make it pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Other text at this place of a TOML file.
    Text(Place, String),
    /// Another expected file.
    File(std::path::PathBuf, String),
}

/// Plays all cases of all suites.
pub(crate) async fn run(engine: &Engine, suites: &[Suite]) -> Vec<Vec<Played>> {
    let only = suites.iter().flat_map(|suite| &suite.cases).any(|case| case.only);
    let stores = RwLock::new(());
    let mut all = Vec::new();
    for suite in suites {
        let cases = stream::iter(&suite.cases).map(|case| one(engine, case, only, &stores));
        all.push(cases.buffered(TOGETHER).collect().await);
    }
    all
}

/// How often a case is played whose function was over its budget: on a busy machine a first run can be.
const ATTEMPTS: usize = 3;

async fn one(engine: &Engine, case: &Case, only: bool, stores: &RwLock<()>) -> Played {
    let mut played = attempt(engine, case, only, stores).await;
    for _ in 1..ATTEMPTS {
        if !is_over_budget(&played.verdict) {
            break;
        }
        played = attempt(engine, case, only, stores).await;
    }
    played
}

fn is_over_budget(verdict: &Verdict) -> bool {
    const WORDS: &str = "over the budget of";
    match verdict {
        Verdict::Failed(failure) => {
            failure.text.contains(WORDS) || failure.reasons.iter().any(|reason| reason.text.contains(WORDS))
        }
        Verdict::Passed | Verdict::Skipped(_) => false,
    }
}

async fn attempt(engine: &Engine, case: &Case, only: bool, stores: &RwLock<()>) -> Played {
    let begun = Instant::now();
    let mut played =
        Played { verdict: Verdict::Passed, took: Duration::ZERO, runs: Vec::new(), guard: None, edits: Vec::new() };
    let skip = case.skip.clone().or_else(|| (only && !case.only).then(|| "others have `only`".to_owned()));
    if let Some(why) = skip {
        return Played { verdict: Verdict::Skipped(why), ..played };
    }
    let kv = match &case.what {
        What::Function(function) => Some(&function.kv),
        What::Edge(edge) => Some(&edge.kv),
        What::Event(_) => None,
    };
    let failure = match kv.filter(|kv| !kv.is_empty()) {
        None => {
            let _shared = stores.read().await;
            judged(engine, case, &mut played).await
        }
        Some(kv) => {
            // Hosts have one store of a name, so nobody else runs meanwhile.
            let _alone = stores.write().await;
            match fill(engine, kv, &case.place).await {
                Err(failure) => Err(failure),
                Ok(()) => {
                    let result = judged(engine, case, &mut played).await;
                    result.and(refill(engine, kv, &case.place).await)
                }
            }
        }
    };
    if let Err(failure) = failure {
        played.verdict = Verdict::Failed(Box::new(failure));
    }
    played.took = begun.elapsed();
    played
}

fn failure(place: &Place, text: impl Into<String>) -> Failure {
    Failure { step: None, text: text.into(), reasons: Vec::new(), place: place.clone() }
}

type Entries = BTreeMap<String, String>;

/// Puts the test's entries in the place of what stores hold.
async fn fill(engine: &Engine, kv: &BTreeMap<String, Entries>, place: &Place) -> Result<(), Failure> {
    for (name, entries) in kv {
        let store = engine.store(name).ok_or_else(|| failure(place, format!("there is no [kvs.{name}]")))?;
        let entries = entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        store.replace(entries).await.map_err(|error| failure(place, error.to_string()))?;
    }
    Ok(())
}

/// Puts back what the configuration's files say.
async fn refill(engine: &Engine, kv: &BTreeMap<String, Entries>, place: &Place) -> Result<(), Failure> {
    for name in kv.keys() {
        let Some(store) = engine.store(name) else { continue };
        let seed = engine.config().kvs.get(name).and_then(|store| store.seed.as_ref());
        let entries = seed.map(|seed| seed.entries.clone()).unwrap_or_default();
        store.replace(entries).await.map_err(|error| failure(place, error.to_string()))?;
    }
    Ok(())
}

async fn judged(engine: &Engine, case: &Case, played: &mut Played) -> Result<(), Failure> {
    match &case.what {
        What::Function(function) => function_case(engine, case, function, played).await,
        What::Edge(edge) => flow::play(engine, case, edge, played).await,
        What::Event(event) => event_case(engine, case, event, played).await,
    }
}

fn note_run(played: &mut Played, invoked: &Invoked) {
    played.runs.push(Ran {
        function: invoked.record.function.clone(),
        cpu: invoked.record.cpu.map(|(cpu, _)| cpu),
        utilization: invoked.record.utilization,
        console: invoked.record.logs.clone(),
    });
}

async fn invoke(engine: &Engine, case: &Case, name: &str, event: &HookEvent) -> Result<Invoked, Failure> {
    let functions = &engine.site().functions;
    let Some(function) = functions.get(name) else {
        let mut names: Vec<&str> = functions.keys().map(String::as_str).collect();
        names.sort_unstable();
        return Err(failure(&case.place, format!("there is no function {name:?}; functions: {}", names.join(", "))));
    };
    let moment = World::simulated(case.clock, case.seed).of_run();
    Ok(hooks::invoke(function, event, moment).await)
}

async fn function_case(
    engine: &Engine,
    case: &Case,
    function: &FunctionCase,
    played: &mut Played,
) -> Result<(), Failure> {
    let event = values::event_of(engine, function).map_err(|text| failure(&case.place, text))?;
    let invoked = invoke(engine, case, &function.function, &event).await?;
    note_run(played, &invoked);
    let actual = |subject: &Subject| values::of_function(subject, &invoked);
    let expects_error = function.request.expect.iter().any(|expectation| expectation.what == Subject::Error);
    if let Some(problem) = invoked.record.failure.as_ref().filter(|_| !expects_error) {
        let text = format!("the function failed: {problem}");
        return Err(failure(&function.request.place, text));
    }
    check(&function.request.expect, &actual, &BTreeMap::new(), played).map_err(|(expectation, text)| Failure {
        reasons: console(&invoked.record.logs),
        ..failure(&expectation.place, text)
    })
}

fn console(lines: &[String]) -> Vec<Reason> {
    lines.iter().map(|line| Reason { label: "console".to_owned(), text: crate::record::shown(line) }).collect()
}

/// Holds every expectation against what came, and notes what would have to be written instead.
fn check<'e>(
    expectations: &'e [Expectation],
    actual: &dyn Fn(&Subject) -> Result<Option<Value>, String>,
    saved: &BTreeMap<String, String>,
    played: &mut Played,
) -> Result<(), (&'e Expectation, String)> {
    let mut first = None;
    for expectation in expectations {
        let matcher = expectation.matcher.with_texts(&|text| values::filled(text, saved));
        let found = match actual(&expectation.what) {
            Ok(found) => found,
            Err(text) => {
                first.get_or_insert((expectation, text));
                continue;
            }
        };
        if matcher.holds(found.as_ref()) {
            continue;
        }
        let got = found.as_ref().map_or("nothing".to_owned(), shown);
        if let (Matcher::Is(_), Some(value)) = (&expectation.matcher, &found) {
            played.edits.push(Edit::Text(expectation.place.clone(), values::toml_literal(value)));
        }
        let text = format!("expected {} {}, got {got}", expectation.what, matcher.shown());
        first.get_or_insert((expectation, text));
    }
    first.map_or(Ok(()), Err)
}

async fn event_case(engine: &Engine, case: &Case, test: &EventCase, played: &mut Played) -> Result<(), Failure> {
    let event = read_event(&test.event).map_err(|text| failure(&case.place, text))?;
    let invoked = invoke(engine, case, &test.function, &event).await?;
    note_run(played, &invoked);
    let problem = invoked.record.failure.clone();
    if let Expected::CfError { text: expected, exact } = &test.expected {
        return match problem {
            Some(problem) if values::same_error(expected, &problem, *exact) => Ok(()),
            Some(problem) => Err(failure(&case.place, format!("expected the error {expected:?}, got {problem:?}"))),
            None => Err(failure(&case.place, format!("expected the error {expected:?}, got a result"))),
        };
    }
    if let Some(problem) = problem {
        let reasons = console(&invoked.record.logs);
        return Err(Failure { reasons, ..failure(&case.place, format!("the function failed: {problem}")) });
    }
    let result = values::result_of(&event, &invoked);
    let written = || format!("{:#}\n", values::tidy(&result));
    let (expected, file) = match &test.expected {
        Expected::Success(file) => {
            played.edits.push(Edit::File(file.clone(), written()));
            return Ok(());
        }
        Expected::Output(expected, file) => (expected, Some(file)),
        Expected::CfOutput(expected) => (expected, None),
        Expected::CfError { .. } => return Ok(()),
    };
    if values::same_result(expected, &result) {
        return Ok(());
    }
    if let Some(file) = file {
        played.edits.push(Edit::File(file.clone(), written()));
    }
    let mut reasons = values::differences(expected, &result);
    reasons.extend(console(&invoked.record.logs));
    Err(Failure { reasons, ..failure(&case.place, "the result is not what was expected") })
}
