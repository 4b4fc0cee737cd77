//! The boa environment as the proxy sees it: a process that speaks frames.

#![allow(clippy::unwrap_used, reason = "in a harness a failure is the test's failure")]

mod globals;
mod handlers;
mod harness;
mod loading;
mod node;
