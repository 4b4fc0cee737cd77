//! What a run produced, and what it comes to.

use edgehook_contract::{
    Violation, ViolationCode, Violations,
    viewer::{Event, Judged, Rules, judge},
};
use edgehook_protocol::viewer::{KvsReads, Outcome, Problem};
use std::{fmt, time::Duration};

/// What one run produced.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// How it ended.
    pub outcome: Outcome,
    /// CPU time of handler and microtasks.
    pub cpu: Duration,
    /// Reads of its key value store.
    pub reads: KvsReads,
    /// Console output.
    pub logs: Vec<String>,
}

/// Why a run came to nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum RunFailure {
    /// Its result breaks rules: `FunctionValidationError`.
    Invalid(Violations),
    /// It has no result: `FunctionExecutionError`.
    Failed(Problem),
}

impl fmt::Display for RunFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(violations) => write!(formatter, "{violations}"),
            Self::Failed(problem) => write!(formatter, "{problem}"),
        }
    }
}

impl Run {
    /// Share of the budget that it used, in whole percent, at most 100: `ComputeUtilization` (cloudfront-functions.md 8).
    #[must_use]
    pub fn utilization(&self, budget: Duration) -> u8 {
        let (cpu, budget) = (self.cpu.as_micros(), budget.as_micros().max(1));
        u8::try_from((cpu * 200 / budget).div_ceil(2).min(100)).unwrap_or(100)
    }

    /// Judges the result that the run had for `event`, all of it.
    ///
    /// # Errors
    /// It has none, or everything that is wrong with it.
    pub fn judged(&self, event: &Event, rules: &Rules) -> Result<Judged, RunFailure> {
        match &self.outcome {
            Outcome::Returned(returned) => judge(event, returned, rules).map_err(RunFailure::Invalid),
            Outcome::Failed(problem) => Err(RunFailure::Failed(problem.clone())),
            Outcome::Invalid(misread) => {
                let mut found = Violations::from(misread.violations.clone());
                if let Some(rest) = &misread.rest {
                    found.take(judge(event, rest, rules));
                }
                if found.is_empty() {
                    let text = "the result cannot be read".to_owned();
                    found.add(Violation { code: ViolationCode::KindUnknown, text });
                }
                Err(RunFailure::Invalid(found))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgehook_contract::{
        HookPoint, RequestMessage,
        viewer::{Context, Query, Returned, ReturnedRequest},
    };
    use edgehook_protocol::viewer::Misread;

    fn run(outcome: Outcome) -> Run {
        Run { outcome, cpu: Duration::ZERO, reads: KvsReads::default(), logs: Vec::new() }
    }

    #[test]
    fn utilization_is_rounded_and_bounded() {
        let percent = |micros| {
            let run = Run {
                cpu: Duration::from_micros(micros),
                ..run(Outcome::Invalid(Misread { violations: Vec::new(), rest: None }))
            };
            run.utilization(Duration::from_millis(1))
        };
        // 120 of cloudfront-functions.md 13: 0.3 ms are "30".
        assert_eq!([0, 4, 5, 300, 994, 995, 1000, 2000].map(percent), [0, 0, 1, 30, 99, 100, 100, 100]);
    }

    #[test]
    fn wrong_types_and_wrong_values_are_told_together() {
        let event = Event {
            hook: HookPoint::ViewerRequest,
            context: Context::default(),
            viewer_ip: String::new(),
            request: RequestMessage { method: "GET".to_owned(), uri: "/".to_owned(), ..RequestMessage::default() },
            response: None,
        };
        let rules = Rules { lenient: false, body_limit: 40_960 };
        let violations =
            vec![Violation { code: ViolationCode::FieldType, text: "request.uri must be a string".to_owned() }];
        let rest = ReturnedRequest { query: Some(Query::Raw("a b".to_owned())), ..ReturnedRequest::default() };
        let misread = Misread { violations, rest: Some(Returned::Request(rest)) };
        let failure = run(Outcome::Invalid(misread)).judged(&event, &rules).unwrap_err();
        let lines = failure.to_string();
        assert!(lines.starts_with("field.type: request.uri") && lines.contains("\nquery.format: "), "{lines}");
        // A host that says nothing of what is wrong is believed that something is.
        let silent = run(Outcome::Invalid(Misread { violations: Vec::new(), rest: None }));
        assert!(matches!(silent.judged(&event, &rules), Err(RunFailure::Invalid(found)) if !found.is_empty()));
    }
}
