//! Messages between the proxy and an environment. One invocation at a time.

use crate::wire::{Blob, wire_enum, wire_struct};

pub use edgehook_contract::lambda::RESULT_LIMIT;

/// From the proxy to an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToEnvironment {
    /// First message: load the function. Answered by `Ready` or `InitFailed`.
    Init(Box<Function>),
    /// Run the handler. Answered by `Done` or `Failed`.
    Invoke(Invocation),
}

/// A Lambda function as it is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// `functionName` as the function sees it (lambda-edge.md 5.5).
    pub name: String,
    /// `functionVersion`.
    pub version: String,
    /// `invokedFunctionArn`.
    pub arn: String,
    /// Log group and log stream.
    pub log_group: String,
    /// Log stream.
    pub log_stream: String,
    /// Memory limit in MB.
    pub memory: u32,
    /// Absolute path of the source file.
    pub file: String,
    /// The source itself, as it was when this version was loaded.
    pub source: Blob,
    /// Name of the export, or of the function in the module.
    pub handler: String,
    /// Variables for the function.
    pub variables: Vec<(String, String)>,
}

/// One invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Number of the call.
    pub call: u64,
    /// `awsRequestId`, a UUID.
    pub request_id: String,
    /// When the environment will be killed, in milliseconds since 1970.
    pub deadline: u64,
    /// The event, JSON text.
    pub event: Blob,
}

/// From an environment to the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromEnvironment {
    /// First message: the version it speaks.
    Hello {
        /// [`crate::VERSION`] of the environment.
        version: u16,
    },
    /// The function is loaded.
    Ready,
    /// The function could not be loaded. The environment ends.
    InitFailed(Error),
    /// The handler returned.
    Done {
        /// Which call.
        call: u64,
        /// What it returned, JSON text.
        result: Blob,
    },
    /// The handler failed.
    Failed {
        /// Which call.
        call: u64,
        /// How.
        error: Error,
    },
}

/// A function's error (lambda-edge.md 8.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// `errorType`, such as `TypeError` or `Runtime.ImportModuleError`.
    pub kind: String,
    /// `errorMessage`.
    pub message: String,
    /// `trace` or `stackTrace`, line by line.
    pub trace: Vec<String>,
}

impl Error {
    /// The error of a result beyond [`RESULT_LIMIT`] (lambda-edge.md 8.1).
    #[must_use]
    pub fn too_large(bytes: usize) -> Self {
        let message = format!("the result has {bytes} bytes, the limit is {RESULT_LIMIT}");
        Self { kind: "Function.ResponseSizeTooLarge".to_owned(), message, trace: Vec::new() }
    }
}

wire_enum!(ToEnvironment { 0 => Init(function), 1 => Invoke(invocation) });
wire_struct!(Function { name, version, arn, log_group, log_stream, memory, file, source, handler, variables });
wire_struct!(Invocation { call, request_id, deadline, event });
wire_enum!(FromEnvironment {
    0 => Hello { version },
    1 => Ready,
    2 => InitFailed(error),
    3 => Done { call, result },
    4 => Failed { call, error },
});
wire_struct!(Error { kind, message, trace });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Wire;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn messages_round_trip(name: String, source: Vec<u8>, variables: Vec<(String, String)>, deadline: u64) {
            let init = ToEnvironment::Init(Box::new(Function {
                name, version: "1".to_owned(), arn: String::new(), log_group: String::new(), log_stream: String::new(),
                memory: 128, file: "/f.js".to_owned(), source: Blob(source.clone()), handler: "handler".to_owned(), variables,
            }));
            let invoke = ToEnvironment::Invoke(Invocation {
                call: 3, request_id: "r".to_owned(), deadline, event: Blob(source),
            });
            for message in [init, invoke] {
                let mut bytes = Vec::new();
                message.put(&mut bytes);
                prop_assert_eq!(ToEnvironment::take(&mut bytes.as_slice()), Ok(message));
            }
        }

        #[test]
        fn junk_never_panics(bytes: Vec<u8>) {
            let mut junk = bytes.as_slice();
            let _ = FromEnvironment::take(&mut junk);
        }
    }
}
