//! The Lambda@Edge contract: the event of the four hooks, and what a returned JSON value does to a message.
//!
//! [`Event::to_json`] is what an environment is given; [`apply`] reads what it answered (lambda-edge.md 2 and 3).

mod apply;
mod event;
mod headers;
mod origin;

pub use apply::{Applied, AppliedResponse, apply};
pub use event::{Context, Event};
pub use origin::Origin;

/// Largest generated or replaced response at a viewer hook, headers and body, in bytes (lambda-edge.md 3.3).
pub const VIEWER_RESPONSE_LIMIT: usize = 40_960;

/// Largest generated or replaced response at an origin hook, headers and body, in bytes (lambda-edge.md 3.3).
pub const ORIGIN_RESPONSE_LIMIT: usize = 1_048_576;

/// Largest result of any kind, in bytes: 6 MiB and 100 (lambda-edge.md 6.1).
pub const RESULT_LIMIT: usize = 6 * 1024 * 1024 + 100;
