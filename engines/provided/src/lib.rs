//! Environments whose function is an executable that speaks the Lambda Runtime API (lambda-edge.md 8), Node.js among them.
//!
//! Such an environment is a process of two: [`run`], copied from a template like any other environment, which speaks frames with
//! the proxy and HTTP with the executable; and the executable, confined, in the same process group. `process` is the loop of the
//! first, `api` its HTTP server, `machine` the order in which a runtime may ask, `launch` what is started and with what rights,
//! `peer` and `group` who may connect and how much memory they use, `records` what they log. `bootstrap.js` makes a runtime of
//! Node.js.
//!
//! Invariants: only processes of the group are answered; nothing that they send is believed without checking; a poll for the
//! next invocation is never answered with anything else.
//!
//! Absent on purpose: events and header rules, and everything that a template of a language would know.

mod api;
mod group;
mod launch;
mod machine;
mod peer;
mod process;
mod records;

pub use process::run;
