//! Why an invocation has no result.

use edgehook_protocol::lambda::Error as FunctionError;
use std::{process::ExitStatus, time::Duration};

/// Why an invocation has no result.
#[derive(Clone, Debug, thiserror::Error)]
pub enum InvokeError {
    /// All environments are busy and no more may be started.
    #[error("no environment was free within the waiting time")]
    Throttled,
    /// The function could not be loaded.
    #[error("init failed: {}", shown(.0))]
    Init(FunctionError),
    /// The handler failed.
    #[error("{}", shown(.0))]
    Failed(FunctionError),
    /// The deadline came first; the environment was killed.
    #[error("Task timed out after {:.2} seconds", .0.as_secs_f64())]
    TimedOut(Duration),
    /// The process ended without an answer.
    #[error("Runtime.ExitError: the environment exited without an answer: {0}")]
    Exited(ExitStatus),
    /// The process could not be started.
    #[error("the environment could not be started: {0}")]
    Start(String),
    /// The process said what it must not say, and was killed.
    #[error("the environment broke the protocol and was killed")]
    Protocol,
}

/// `TypeError: message` and the first lines of the trace.
fn shown(error: &FunctionError) -> String {
    let mut text = format!("{}: {}", error.kind, error.message);
    for line in error.trace.iter().take(10) {
        let line = line.trim_end();
        if !line.is_empty() && !text.contains(line) {
            text.push_str("\n    ");
            text.push_str(line.trim_start());
        }
    }
    text
}
