//! Lambda functions in JavaScript: one environment, which is one process with boa in it.
//!
//! [`run`] is the whole life of that process: it greets the proxy over the socket that came as standard input, loads the
//! function it is sent, then answers one invocation at a time until the socket closes. Module state lives as long as the
//! process. What functions print goes to standard output as log records.
//!
//! In here: `environment` (the process and its messages), `engine` (boa with the function in it), `event_loop`
//! (microtasks, timers, what comes from the network), `natives` and `src/js` (what functions see around them), `network`
//! (their requests), `program` and `packages` (source files, module forms, which file a name means), `failure` (errors as the protocol carries them).
//!
//! Absent on purpose: deadlines and sandboxing (both come from outside), the contract of events and results (both pass
//! through as JSON).

mod clock;
mod encoding;
mod engine;
mod environment;
mod event_loop;
mod failure;
mod natives;
mod network;
mod packages;
mod program;
mod values;

pub use environment::run;
