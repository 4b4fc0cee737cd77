//! Messages between the proxy and an isolate host.
//!
//! The host answers invocations one by one, in the order in which they came; so the oldest call without an answer is the
//! one that runs, and the calls behind it have not started.

use crate::{
    frame,
    wire::{Blob, Wire as _, put_length, wire_enum, wire_struct},
};
use edgehook_contract::{
    Violation, ViolationCode,
    viewer::{
        Body, BodyEncoding, Context, EdgeLocation, Event, Query, Returned, ReturnedRequest, ReturnedResponse, Runtime,
        fields::{Field, Item},
    },
};
use std::fmt;

/// From the proxy to a host.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "a message lives from its making to its encoding; a box would cost more")]
pub enum ToHost {
    /// Load a function under a number that the proxy chose. Answered by `Deployed` or `Refused`.
    Deploy {
        /// Number that later calls name.
        function: u32,
        /// What to load.
        program: Program,
    },
    /// Run a function once. Answered by `Done`.
    Invoke {
        /// Number of the call, never reused within a host's life.
        call: u64,
        /// Which function.
        function: u32,
        /// Fresh random bytes for this run.
        entropy: [u8; 32],
        /// The time that the function sees, in milliseconds since 1970.
        now: u64,
        /// The event, encoded: it is read where it is used, in the function's own memory.
        event: Blob,
    },
    /// Forget a function. Not answered.
    Remove {
        /// Which function.
        function: u32,
    },
    /// A new version of a key value store, in sealed memory whose descriptor is sent with this frame. Not answered.
    Store {
        /// Number that programs name.
        store: u32,
    },
}

/// A viewer function as it is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Name in the configuration.
    pub name: String,
    /// The source file's name, for messages.
    pub file: String,
    /// The source.
    pub source: Blob,
    /// CPU time per run, in µs.
    pub budget: u32,
    /// Memory that the function's state may take after loading, in bytes.
    pub state_memory: u64,
    /// Memory that a run may allocate beyond it, in bytes.
    pub memory: u64,
    /// Which host objects it finds.
    pub runtime: Runtime,
    /// Whether its results are checked leniently (`validation = "lenient"`): `console` then prints objects as JSON.
    pub lenient: bool,
    /// `cf.edgeLocation`.
    pub edge: Option<EdgeLocation>,
    /// The store that it may read.
    pub store: Option<StoreLink>,
}

/// A key value store as a program names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreLink {
    /// Number of the store among those that the host holds.
    pub number: u32,
    /// Id by which the function's code asks for it.
    pub id: String,
}

/// From a host to the proxy.
#[derive(Clone, Debug, PartialEq)]
pub enum FromHost {
    /// First message of a host: the version it speaks, and how it is confined.
    Hello {
        /// [`crate::VERSION`] of the host.
        version: u16,
        /// Its sandbox layers by name; `None` for an active one, else why it is missing.
        layers: Vec<(String, Option<String>)>,
    },
    /// A function is loaded.
    Deployed {
        /// Which function.
        function: u32,
    },
    /// A function could not be loaded.
    Refused {
        /// Which function.
        function: u32,
        /// Why.
        problem: Problem,
    },
    /// A call has ended.
    Done {
        /// Which call.
        call: u64,
        /// How it ended.
        outcome: Outcome,
        /// CPU time of handler and microtasks, in µs.
        cpu: u32,
        /// Reads of the key value store.
        reads: KvsReads,
        /// Console output, one text per call of `console.log`.
        logs: Vec<String>,
    },
}

/// Reads of a key value store in one run, or several (cloudfront-functions.md 8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KvsReads {
    /// All of them.
    pub requests: u32,
    /// Those that were rejected.
    pub errors: u32,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The handler returned something of the right types.
    Returned(Returned),
    /// The handler returned something else.
    Invalid(Misread),
    /// The run failed.
    Failed(Problem),
}

/// A result parts of which are not what they have to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Misread {
    /// Each place that is wrong, with what was expected there.
    pub violations: Vec<Violation>,
    /// The other parts, where there are any, so that they can be judged too. What is wrong is in them as it was given to the
    /// function.
    pub rest: Option<Returned>,
}

/// Why a function could not be loaded or a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What sort of failure.
    pub kind: ProblemKind,
    /// The engine's message, at most 1 KiB.
    pub message: String,
    /// Line in the source, from 1.
    pub line: Option<u32>,
    /// Column in the source, from 1.
    pub column: Option<u32>,
}

/// `message (line 3, column 7)`.
impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(formatter, "{} (line {line}, column {column})", self.message),
            (Some(line), None) => write!(formatter, "{} (line {line})", self.message),
            _ => write!(formatter, "{}", self.message),
        }
    }
}

/// Sorts of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The source does not parse.
    Syntax,
    /// An exception or a rejected promise.
    Threw,
    /// The source defines no `handler`.
    NoHandler,
    /// The promise can never settle.
    NeverSettled,
    /// CPU time ran out.
    Time,
    /// The memory cap was reached.
    Memory,
    /// The stack was used up.
    Stack,
    /// The engine gave up.
    Abort,
}

impl ProblemKind {
    /// The word in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Threw => "threw",
            Self::NoHandler => "no-handler",
            Self::NeverSettled => "never-settled",
            Self::Time => "time",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::Abort => "abort",
        }
    }
}

wire_enum!(ToHost {
    0 => Deploy { function, program },
    1 => Invoke { call, function, entropy, now, event },
    2 => Remove { function },
    3 => Store { store },
});
/// Appends the frame of a [`FromHost::Done`] whose outcome is encoded already.
pub fn append_done(call: u64, cpu: u32, reads: KvsReads, logs: &[&[u8]], outcome: &[u8], out: &mut Vec<u8>) {
    frame::append_with(out, |out| {
        out.push(DONE);
        call.put(out);
        cpu.put(out);
        reads.put(out);
        put_length(logs.len(), out);
        for line in logs {
            put_length(line.len(), out);
            out.extend_from_slice(line);
        }
        out.extend_from_slice(outcome);
    });
}

/// The tag of [`FromHost::Done`].
const DONE: u8 = 3;

wire_struct!(Program { name, file, source, budget, state_memory, memory, runtime, lenient, edge, store });
wire_struct!(KvsReads { requests, errors });
wire_enum!(Runtime { 0 => Js1, 1 => Js2 });
wire_struct!(EdgeLocation { name, server_ip, region });
wire_struct!(StoreLink { number, id });
wire_enum!(FromHost {
    0 => Hello { version, layers },
    1 => Deployed { function },
    2 => Refused { function, problem },
    3 => Done { call, cpu, reads, logs, outcome },
});
wire_enum!(Outcome { 0 => Returned(value), 1 => Invalid(misread), 2 => Failed(problem) });
wire_struct!(Misread { violations, rest });
wire_struct!(Violation { code, text });
wire_enum!(ViolationCode {
    0 => JsonUnparsable,
    1 => JsonNotObject,
    2 => KindUnknown,
    3 => KindWrongHook,
    4 => StatusRange,
    5 => StatusChanged,
    6 => BodyType,
    7 => BodySize,
    8 => BodyBase64,
    9 => BodyWith204,
    10 => BodyNotHere,
    11 => FieldType,
    12 => HeaderNotArray,
    13 => HeaderValueType,
    14 => HeaderKeyMismatch,
    15 => HeaderName,
    16 => HeaderCharacter,
    17 => HeaderDisallowed,
    18 => HeaderReadOnly,
    19 => HeaderSize,
    20 => UriFormat,
    21 => UriLength,
    22 => QueryFormat,
    23 => OriginShape,
    24 => OriginField,
    25 => OriginHeader,
    26 => RequestReadOnly,
});
wire_struct!(Problem { kind, message, line, column });
wire_enum!(ProblemKind {
    0 => Syntax,
    1 => Threw,
    2 => NoHandler,
    3 => NeverSettled,
    4 => Time,
    5 => Memory,
    6 => Stack,
    7 => Abort,
});
wire_struct!(Context { distribution_domain_name, distribution_id, request_id });
wire_struct!(Event { hook, context, viewer_ip, request, response });
wire_enum!(Returned { 0 => Request(value), 1 => Response(value) });
wire_struct!(ReturnedRequest { method, uri, query, headers, cookies, origin });
wire_enum!(Query { 0 => Fields(fields), 1 => Raw(text) });
wire_struct!(ReturnedResponse { status_code, status_description, headers, cookies, body, request_changed });
wire_struct!(Body { encoding, data });
wire_enum!(BodyEncoding { 0 => Text, 1 => Base64 });
wire_struct!(Item { value, attributes });
wire_struct!(Field { name, first, multi });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        frame::{self, Inbox},
        wire::Wire,
    };
    use edgehook_contract::{Header, HookPoint, RequestMessage, ResponseMessage};
    use proptest::prelude::*;

    fn header() -> impl Strategy<Value = Header> {
        ("[a-z-]{1,12}", prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(name, value)| Header { name, value })
    }

    fn field() -> impl Strategy<Value = Field> {
        let item =
            (any::<String>(), any::<Option<String>>()).prop_map(|(value, attributes)| Item { value, attributes });
        let multi = prop::option::of(prop::collection::vec(item.clone(), 0..4));
        (any::<String>(), item, multi).prop_map(|(name, first, multi)| Field { name, first, multi })
    }

    proptest! {
        #[test]
        fn invocations_round_trip(
            call: u64, entropy: [u8; 32], uri: String, query: Option<String>,
            headers in prop::collection::vec(header(), 0..8), status in prop::option::of(any::<u16>()),
        ) {
            let event = Event {
                hook: HookPoint::ViewerResponse,
                context: Context::default(),
                viewer_ip: "::1".to_owned(),
                request: RequestMessage { method: "GET".to_owned(), uri, query, headers: headers.clone() },
                response: status.map(|status| ResponseMessage { status, reason: None, headers }),
            };
            let mut encoded = Vec::new();
            event.put(&mut encoded);
            prop_assert_eq!(Event::take(&mut encoded.as_slice()), Ok(event));
            let message = ToHost::Invoke { call, function: 7, entropy, now: 1, event: Blob(encoded) };
            let mut bytes = Vec::new();
            frame::append(&message, &mut bytes);
            let mut inbox = Inbox::new();
            inbox.extend(&bytes);
            prop_assert_eq!(inbox.next_message::<ToHost>(), Ok(Some(message)));
        }

        #[test]
        fn outcomes_round_trip(fields in prop::collection::vec(field(), 0..6), raw: String, logs: Vec<String>) {
            let outcome = Outcome::Returned(Returned::Request(ReturnedRequest {
                headers: Some(fields), query: Some(Query::Raw(raw)), ..ReturnedRequest::default()
            }));
            let message = FromHost::Done { call: 1, outcome, cpu: 2, reads: KvsReads { requests: 3, errors: 1 }, logs };
            let mut bytes = Vec::new();
            message.put(&mut bytes);
            prop_assert_eq!(FromHost::take(&mut bytes.as_slice()), Ok(message.clone()));
            let (mut whole, mut pieces, mut encoded) = (Vec::new(), Vec::new(), Vec::new());
            frame::append(&message, &mut whole);
            let FromHost::Done { outcome, logs, .. } = &message else { unreachable!() };
            outcome.put(&mut encoded);
            let logs: Vec<&[u8]> = logs.iter().map(String::as_bytes).collect();
            append_done(1, 2, KvsReads { requests: 3, errors: 1 }, &logs, &encoded, &mut pieces);
            prop_assert_eq!(pieces, whole);
        }

        #[test]
        fn misread_results_round_trip(texts: Vec<String>, fields in prop::option::of(prop::collection::vec(field(), 0..3))) {
            let violations = texts.into_iter().map(|text| Violation { code: ViolationCode::FieldType, text }).collect();
            let rest = fields.map(|cookies| Returned::Request(ReturnedRequest { cookies: Some(cookies), ..ReturnedRequest::default() }));
            let outcome = Outcome::Invalid(Misread { violations, rest });
            let mut bytes = Vec::new();
            outcome.put(&mut bytes);
            prop_assert_eq!(Outcome::take(&mut bytes.as_slice()), Ok(outcome));
        }

        #[test]
        fn junk_never_panics(bytes: Vec<u8>) {
            let mut junk = bytes.as_slice();
            let _ = FromHost::take(&mut junk);
            let mut junk = bytes.as_slice();
            let _ = ToHost::take(&mut junk);
        }
    }
}
