//! Why an invocation has no result.

use edgehook_protocol::lambda::Error as FunctionError;
use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus, time::Duration};

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
    /// INIT took longer than it may.
    #[error("init failed: not ready after {:.2} seconds", .0.as_secs_f64())]
    InitTimedOut(Duration),
    /// The process ended without an answer.
    #[error("Runtime.ExitError: the environment exited without an answer: {0}")]
    Exited(ExitStatus),
    /// Its `/tmp` held more than it may, in bytes; the environment was killed, and what was there is gone.
    #[error("Runtime.ExitError: /tmp held more than {0} bytes; the environment was killed")]
    TemporaryFull(u64),
    /// The process could not be started.
    #[error("the environment could not be started: {0}")]
    Start(String),
    /// The process said what it must not say, and was killed.
    #[error("the environment broke the protocol and was killed")]
    Protocol,
}

impl InvokeError {
    /// `Status:` of a REPORT line.
    pub(crate) fn status(&self) -> &'static str {
        match self {
            Self::TimedOut(_) | Self::InitTimedOut(_) => "timeout",
            _ => "error",
        }
    }

    /// `Error Type:` of a REPORT line, where there is one.
    pub(crate) fn kind(&self) -> Option<&str> {
        match self {
            Self::Init(error) | Self::Failed(error) => Some(&error.kind),
            Self::Exited(_) | Self::TemporaryFull(_) => Some("Runtime.ExitError"),
            _ => None,
        }
    }

    /// As Lambda describes it to who invoked the function: `errorType`, `errorMessage` and the trace (lambda-edge.md 8.4).
    #[must_use]
    pub fn described(&self, request: &str) -> (Option<&str>, String, &[String]) {
        match self {
            Self::Init(error) | Self::Failed(error) => (Some(&error.kind), error.message.clone(), &error.trace),
            error => (error.kind(), error.platform_line(request).unwrap_or_else(|| error.to_string()), &[]),
        }
    }

    /// Whether the process is lost that met this, and not only the invocation.
    pub(crate) fn ends_environment(&self) -> bool {
        !matches!(self, Self::Failed(_) | Self::Throttled)
    }

    /// Whether the same function may succeed another time, though nothing of it changes.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            // What is missing or misspelt stays so.
            Self::Init(error) => !error.kind.starts_with("Runtime."),
            _ => true,
        }
    }

    /// The platform's line about it, where it has one (lambda-edge.md 10.1).
    pub(crate) fn platform_line(&self, request: &str) -> Option<String> {
        match self {
            Self::TimedOut(_) => Some(format!("{request} {self}")),
            Self::TemporaryFull(_) => Some(format!("RequestId: {request} Error: {self}")),
            Self::Exited(status) => {
                let how = match (status.code(), status.signal()) {
                    (Some(code), _) => format!("exit status {code}"),
                    (None, Some(signal)) => format!("signal {signal}"),
                    (None, None) => "unknown status".to_owned(),
                };
                Some(format!("RequestId: {request} Error: Runtime exited with error: {how}"))
            }
            _ => None,
        }
    }
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
