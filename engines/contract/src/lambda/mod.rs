//! The Lambda@Edge contract: the event of the four hooks, and what a returned JSON value does to a message.
//!
//! [`Event::to_json`] is what an environment is given; [`apply`] reads what it answered (lambda-edge.md 2 and 3).

mod apply;
mod body;
mod event;
mod headers;
mod origin;

pub use apply::{Applied, AppliedResponse, apply};
pub use body::EventBody;
pub use event::{Context, Event};
pub use origin::{Origin, OriginRules, S3};

/// Largest generated or replaced response at a viewer hook, headers and body, in bytes (lambda-edge.md 3.3).
pub const VIEWER_RESPONSE_LIMIT: usize = 40_960;

/// Largest generated or replaced response at an origin hook, headers and body, in bytes (lambda-edge.md 3.3).
pub const ORIGIN_RESPONSE_LIMIT: usize = 1_048_576;

/// Largest result of any kind, in bytes: 6 MiB and 100 (lambda-edge.md 6.1).
pub const RESULT_LIMIT: usize = 6 * 1024 * 1024 + 100;

/// Most of a request body that a function is shown at a viewer hook, in bytes before base64 (lambda-edge.md 2.5).
pub const VIEWER_BODY_LIMIT: usize = 40 * 1024;

/// Most of a request body that a function is shown at an origin hook, in bytes before base64 (lambda-edge.md 2.5).
pub const ORIGIN_BODY_LIMIT: usize = 1024 * 1024;
