//! What a function is given, what it may return, and what becomes of it.
//!
//! Both function families live here: CloudFront Functions ([`viewer`]) and Lambda@Edge ([`lambda`]). The engines build
//! their events and read their results through this crate; the proxy applies a result to a message through it. All of
//! it is pure: bytes in, decisions out.
//!
//! Absent on purpose: no engine, no process, no socket, no clock, no configuration file.

mod fault;
mod header_rules;
mod hook;
pub mod lambda;
mod message;
mod network;
mod text;
pub mod viewer;
mod violation;

pub use fault::{Family, Fault};
pub use header_rules::{is_hidden, is_read_only, is_token};
pub use hook::HookPoint;
pub use message::{Header, RequestMessage, ResponseMessage};
pub use network::{AddressPolicy, is_host_name, is_public, plain_name};
pub use text::{bytes_from_text, standard_phrase, text_from_bytes};
pub use violation::{Violation, ViolationCode, Violations};

/// Request line and head together, or a response head, in bytes (cloudfront-functions.md 4.4, lambda-edge.md 3.3).
pub const HEAD_LIMIT: usize = 20_480;

/// Path and query together must stay below this many bytes (cloudfront-functions.md 4.4, lambda-edge.md 2.3).
pub const TARGET_LIMIT: usize = 8_192;
