//! The whole edge over real sockets: one binary, one module per feature.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail by panicking and say why they skip")]

#[path = "../harness/mod.rs"]
mod harness;

mod admission;
mod architecture;
mod authorizers;
mod cache;
mod check;
mod dev;
mod faults;
mod functions;
mod gate;
mod hooks;
mod init;
mod lambda;
mod listeners;
mod origins;
mod serve;
mod signed_urls;
