//! Runs and loadings that the guard ended, in words.

use super::CONVERSION;
use edgehook_isolate::{Limits, LoadError, Report, Verdict};
use edgehook_protocol::{
    viewer::{Problem, ProblemKind, Program},
    wire::Wire as _,
};

/// A failure whose place is not known.
pub(super) fn problem(kind: ProblemKind, message: String) -> Problem {
    Problem { kind, message, line: None, column: None }
}

/// A run that the guard ended, in words.
pub(super) fn stopped(report: &Report, program: &Program) -> Problem {
    let message = match report.verdict {
        Verdict::Finished | Verdict::Time => match report.stage {
            1 => format!("over the budget of {} µs of CPU time", program.budget),
            _ => format!("over {} µs of CPU time while converting event or result", CONVERSION.as_micros()),
        },
        Verdict::Memory => format!("over the allowance of {} bytes of memory per run", program.memory),
        Verdict::Stack => "the native stack is used up".to_owned(),
        Verdict::Abort | Verdict::Instruction | Verdict::Fault => "the engine gave up".to_owned(),
        Verdict::Panic => format!("the engine panicked: {}", report.message.as_deref().unwrap_or("without a word")),
    };
    problem(kind(report.verdict), message)
}

fn kind(verdict: Verdict) -> ProblemKind {
    match verdict {
        Verdict::Finished | Verdict::Time => ProblemKind::Time,
        Verdict::Memory => ProblemKind::Memory,
        Verdict::Stack => ProblemKind::Stack,
        Verdict::Abort | Verdict::Instruction | Verdict::Fault | Verdict::Panic => ProblemKind::Abort,
    }
}

/// A function that could not be loaded, in words. A guest that refused has written its reason.
pub(super) fn load_problem(error: &LoadError, mut said: &[u8], limits: &Limits) -> Problem {
    match error {
        LoadError::Refused(_) => Problem::take(&mut said)
            .unwrap_or_else(|_| problem(ProblemKind::Abort, "the function could not be loaded".to_owned())),
        LoadError::Stopped(report) => {
            let message = match report.verdict {
                Verdict::Time => format!("loading takes more than {} ms of CPU time", limits.cpu.as_millis()),
                Verdict::Memory => format!("loading takes more than {} bytes of memory", limits.memory),
                Verdict::Stack => {
                    "the native stack is used up while loading; is the source nested too deeply?".to_owned()
                }
                _ => format!("the engine gave up while loading: {error}"),
            };
            problem(kind(report.verdict), message)
        }
        LoadError::TooLarge(bytes) => problem(
            ProblemKind::Memory,
            format!("the state after loading takes {bytes} bytes, state_memory allows {}", limits.live),
        ),
        other => problem(ProblemKind::Abort, other.to_string()),
    }
}
