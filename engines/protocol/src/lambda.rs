//! Messages between the proxy and an environment. One invocation at a time.

use crate::{
    channel::Channel,
    wire::{Blob, wire_enum, wire_struct},
};
use std::io::{self, Read, Write};

pub use edgehook_contract::lambda::RESULT_LIMIT;

/// From the proxy to an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToEnvironment {
    /// First message: load the function. Answered by `Ready` or `InitFailed`.
    Init(Box<Function>),
    /// Run the handler. Answered by `Done` or `Failed`.
    Invoke(Invocation),
    /// Answer to `MayHold`.
    Holds {
        /// Whether the proxy can hold the gate before the network.
        able: bool,
    },
}

/// Where a function finds its code (lambda-edge.md 6.1).
pub const TASK: &str = "/var/task";
/// Where a function finds its layers (lambda-edge.md 6.2).
pub const OPT: &str = "/opt";

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
    /// Absolute path of the folder of its code: `LAMBDA_TASK_ROOT`.
    pub root: String,
    /// Absolute path of the source file, or of the executable.
    pub file: String,
    /// The source itself, as it was when this version was loaded.
    pub source: Blob,
    /// Name of the export, or of the function in the module.
    pub handler: String,
    /// The handler as it was configured: `_HANDLER`.
    pub full_handler: String,
    /// Variables for the function.
    pub variables: Vec<(String, String)>,
    /// Folder that is its `/tmp`; empty: none.
    pub tmp: String,
    /// Most bytes that it may have there.
    pub tmp_quota: u64,
    /// Folders of its layers, in the order given; a later one goes before an earlier one.
    pub layers: Vec<String>,
    /// Where it may connect to: `none`, `public` or `all`.
    pub network: String,
    /// Names, addresses and networks that `public` includes besides public addresses.
    pub allowed: Vec<String>,
    /// Addresses that `public` never includes.
    pub refused: Vec<String>,
    /// Handler styles: `any`, `nodejs22` or `nodejs24`.
    pub compat: String,
    /// The executable of Node.js that runs the file; empty: the file's own engine does, or the file is itself an executable.
    pub node: String,
    /// The time that it sees while it loads, in milliseconds since 1970, where it belongs to a test; `None`: the real one.
    pub clock: Option<u64>,
}

/// Where a function may connect to (design.md 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkSetting {
    /// Nowhere.
    None,
    /// To public addresses, and what is allowed besides.
    Public,
    /// Anywhere.
    All,
}

impl NetworkSetting {
    /// The one of that name: `none`, `all`, and `public` for any other.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "none" => Self::None,
            "all" => Self::All,
            _ => Self::Public,
        }
    }
}

impl Function {
    /// The same function where its code is found at `/var/task` (`code`) and its layers at `/opt` (`layers`), as Lambda has it.
    #[must_use]
    pub fn mounted(mut self, code: bool, layers: bool) -> Self {
        if code {
            let inside = self.file.strip_prefix(&self.root).and_then(|rest| rest.strip_prefix('/'));
            // A copy goes over the file of its name.
            let name = inside.or_else(|| Some(self.file.rsplit_once('/')?.1));
            if let Some(name) = name.filter(|_| self.layers.iter().all(|layer| !self.file.starts_with(layer))) {
                self.file = format!("{TASK}/{name}");
            }
            self.root = TASK.to_owned();
        }
        if layers {
            if let [layer] = self.layers.as_slice()
                && let Some(rest) = self.file.strip_prefix(layer).and_then(|rest| rest.strip_prefix('/'))
            {
                self.file = format!("{OPT}/{rest}");
            }
            self.layers = vec![OPT.to_owned()];
        }
        self
    }

    /// The variables that a function finds: those that Lambda always sets (lambda-edge.md 6.3), then its own.
    #[must_use]
    pub fn all_variables(&self) -> Vec<(String, String)> {
        let memory = self.memory.to_string();
        let standard = [
            ("LANG", "en_US.UTF-8"),
            ("TZ", "UTC"),
            ("_HANDLER", &self.full_handler),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_LAMBDA_FUNCTION_NAME", &self.name),
            ("AWS_LAMBDA_FUNCTION_VERSION", &self.version),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", &self.log_group),
            ("AWS_LAMBDA_LOG_STREAM_NAME", &self.log_stream),
            ("LAMBDA_TASK_ROOT", &self.root),
            ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
            ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
            // Where nobody listens, unless its owner runs one there: what is sent is lost, as it is without sampling.
            ("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000"),
        ];
        let standard = standard.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let tmp = (!self.tmp.is_empty()).then(|| ("TMPDIR".to_owned(), "/tmp".to_owned()));
        let mut variables: Vec<(String, String)> = Vec::new();
        // What comes later wins.
        for (name, value) in standard.into_iter().chain(tmp).chain(self.variables.iter().cloned()) {
            match variables.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = value,
                None => variables.push((name, value)),
            }
        }
        variables
    }
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
    /// The trace that it belongs to, in the form of `X-Amzn-Trace-Id`; empty: none is known.
    pub trace: String,
    /// The time that the function sees, in milliseconds since 1970: a test's, which stands still; `None`: the real one. Only for
    /// environments that were told of a test when they loaded.
    pub clock: Option<u64>,
    /// The event, JSON text.
    pub event: Blob,
}

impl Invocation {
    /// The trace as W3C writes it (lambda-edge.md 10.4); empty: none is known.
    #[must_use]
    pub fn traceparent(&self) -> String {
        let part = |name: &str| {
            let mut pairs = self.trace.split(';').filter_map(|pair| pair.trim().split_once('='));
            pairs.find_map(|(found, value)| (found == name).then_some(value))
        };
        let root = part("Root").and_then(|root| root.strip_prefix("1-")?.split_once('-'));
        match (root, part("Parent")) {
            (Some((time, rest)), Some(parent)) => {
                let flags = if part("Sampled") == Some("1") { "01" } else { "00" };
                format!("00-{time}{rest}-{parent}-{flags}")
            }
            _ => String::new(),
        }
    }
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
    Ready {
        /// Layers of the sandbox, and why each of them is missing; empty: it is there.
        layers: Vec<(String, String)>,
    },
    /// Can the proxy hold a gate before the network of this process? Answered by `Holds`. Only while the function is loaded.
    MayHold {
        /// The process, as the proxy numbers it.
        process: u32,
        /// Something that it has open.
        descriptor: u32,
        /// The address of its own runtime API, which it always connects to; empty: it has none.
        api: String,
    },
    /// The gate is there, for the proxy to take. Not answered: the process tries it.
    Gate {
        /// The process's descriptor of it.
        descriptor: u32,
    },
    /// The function could not be loaded. The environment ends.
    InitFailed(Error),
    /// The handler returned.
    Done {
        /// Which call.
        call: u64,
        /// What it returned, JSON text.
        result: Blob,
        /// Most memory that the process has used so far, in KiB, as it says itself.
        memory: u64,
    },
    /// The handler failed.
    Failed {
        /// Which call.
        call: u64,
        /// How.
        error: Error,
        /// Most memory that the process has used so far, in KiB, as it says itself.
        memory: u64,
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

/// Tells the proxy about the gate of `process`, which has `descriptor` open: whether it can hold one, and then
/// (`is_made`) that the descriptor is that gate. Whether the proxy agrees.
///
/// # Errors
/// The stream fails, or the answer is another.
pub fn tell_of_gate<S: Read + Write>(
    channel: &mut Channel<S>,
    process: u32,
    descriptor: u32,
    is_made: bool,
    api: &str,
) -> io::Result<bool> {
    if is_made {
        return channel.send(&FromEnvironment::Gate { descriptor }).map(|()| true);
    }
    channel.send(&FromEnvironment::MayHold { process, descriptor, api: api.to_owned() })?;
    match channel.receive()? {
        Some(ToEnvironment::Holds { able }) => Ok(able),
        _ => Err(io::Error::other("the proxy says nothing of a gate")),
    }
}

wire_enum!(ToEnvironment { 0 => Init(function), 1 => Invoke(invocation), 2 => Holds { able } });
wire_struct!(Function {
    name,
    version,
    arn,
    log_group,
    log_stream,
    memory,
    root,
    file,
    source,
    handler,
    full_handler,
    variables,
    tmp,
    tmp_quota,
    layers,
    network,
    allowed,
    refused,
    compat,
    node,
    clock
});
wire_struct!(Invocation { call, request_id, deadline, trace, clock, event });
wire_enum!(FromEnvironment {
    0 => Hello { version },
    1 => Ready { layers },
    2 => InitFailed(error),
    3 => Done { call, result, memory },
    4 => Failed { call, error, memory },
    5 => MayHold { process, descriptor, api },
    6 => Gate { descriptor },
});
wire_struct!(Error { kind, message, trace });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Wire;
    use proptest::prelude::*;

    #[test]
    fn paths_where_folders_are_mounted() {
        let of = |file: &str, code: bool, layers: bool| {
            let function = Function {
                root: "/srv/f".to_owned(),
                file: file.to_owned(),
                layers: vec!["/k/opt".to_owned()],
                ..function()
            };
            let function = function.mounted(code, layers);
            format!("{} {} {}", function.root, function.file, function.layers.join(","))
        };
        assert_eq!(of("/srv/f/a/b.js", true, true), "/var/task /var/task/a/b.js /opt");
        assert_eq!(of("/srv/f/a/b.js", false, false), "/srv/f /srv/f/a/b.js /k/opt");
        assert_eq!(of("/k/task/bootstrap", true, false), "/var/task /var/task/bootstrap /k/opt");
        assert_eq!(of("/k/opt/bootstrap", true, true), "/var/task /opt/bootstrap /opt");
    }

    #[test]
    fn traces_in_both_forms() {
        let of = |trace: &str| {
            let (request_id, event) = (String::new(), Blob(Vec::new()));
            Invocation { call: 0, request_id, deadline: 0, trace: trace.to_owned(), clock: None, event }.traceparent()
        };
        let root = "Root=1-68a1b2c3-00112233445566778899aabb";
        let same = "00-68a1b2c300112233445566778899aabb-c0ffee0012345678";
        assert_eq!(of(&format!("{root};Parent=c0ffee0012345678;Sampled=1")), format!("{same}-01"), "row 129");
        assert_eq!(of(&format!("Sampled=0;Lineage=a:0; Parent=c0ffee0012345678;{root}")), format!("{same}-00"));
        assert_eq!(of(&format!("{root};Parent=c0ffee0012345678")), format!("{same}-00"));
        for odd in ["", "Root", root, "Root=1-2;Parent=3", "Root=2-a-b;Parent=3"] {
            assert_eq!(of(odd), "", "{odd}");
        }
    }

    fn function() -> Function {
        Function {
            name: "f".to_owned(),
            version: "1".to_owned(),
            arn: String::new(),
            log_group: String::new(),
            log_stream: String::new(),
            memory: 128,
            root: "/".to_owned(),
            file: "/f.js".to_owned(),
            source: Blob(Vec::new()),
            handler: "handler".to_owned(),
            full_handler: "f.handler".to_owned(),
            variables: Vec::new(),
            tmp: String::new(),
            tmp_quota: 7,
            layers: Vec::new(),
            network: "public".to_owned(),
            allowed: Vec::new(),
            refused: Vec::new(),
            compat: "any".to_owned(),
            node: String::new(),
            clock: None,
        }
    }

    proptest! {
        #[test]
        fn messages_round_trip(name: String, source: Vec<u8>, variables: Vec<(String, String)>, deadline: u64, clock: Option<u64>) {
            let (layers, node) = (vec!["/l".to_owned()], "/node".to_owned());
            let source = Blob(source);
            let init = Function { name, source: source.clone(), variables, layers, node, clock, ..function() };
            let init = ToEnvironment::Init(Box::new(init));

            let invoke = ToEnvironment::Invoke(Invocation {
                call: 3, request_id: "r".to_owned(), deadline, trace: "Root=1".to_owned(), clock, event: source,
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
