//! Lambda functions: environments, as the proxy sees them.
//!
//! An environment is one process that holds one version of one function, serves one invocation at a time and is used
//! again, so that module state lives as long as it does (lambda-edge.md 7). [`Engine`] makes them as copies of a warmed
//! template; [`Function`] keeps the environments of a function: it hands out an idle one, starts another up to the limit,
//! makes the rest wait briefly, kills at the deadline, and lets idle ones go. [`Concurrency`] is the room that all functions
//! share.
//!
//! Invariants: nothing that a process says is believed without checking; a process that broke a rule, its deadline or its
//! connection is never used again; an invocation that has begun runs to its end even if nobody waits for it any more.
//!
//! Absent on purpose: no event, no header rule. An environment is a JSON text in, a JSON text out.

pub mod entry;
pub mod package;

mod child;
mod concurrency;
mod egress;
mod environment;
mod error;
mod function;
mod link;
mod log;
mod metrics;
mod pool;
mod quota;
mod scratch;
mod setbacks;
mod settings;
mod template;

pub use concurrency::Concurrency;
pub use error::InvokeError;
pub use function::{Function, Invoked, Request};
pub use metrics::Measured;
pub use scratch::Scratch;
pub use settings::{FunctionSettings, Identity, Launch, Reach};
pub use template::Engine;
