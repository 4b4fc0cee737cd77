//! CloudFront Functions: JavaScript at the viewer hooks.
//!
//! Two halves that meet only at a socket. [`host`] is the process that runs functions on boa; [`supervisor`] lives in
//! the proxy, starts hosts, spreads calls over them and replaces those that die or go silent.
//!
//! Invariants: the engine is named in [`host`] alone; the supervisor runs no script, and believes nothing that a host says
//! without checking it.

pub mod host;
pub mod supervisor;
