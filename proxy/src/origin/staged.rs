//! Origins that are played: a test's script answers in the place of servers and folders, and nothing is connected to.
//!
//! Whatever asks an origin asks a played one in the same way; waits, path prefixes and the framing of requests are judged by
//! the same code, only the wire is missing.

use super::{OriginError, OriginRequest, OriginResponse, Waits};
use std::{future::Future, pin::Pin};

/// The future of one answer.
pub type Played = Pin<Box<dyn Future<Output = Result<OriginResponse, OriginError>> + Send>>;

/// Who answers in the place of all origins.
pub trait Stage: Send + Sync + std::fmt::Debug {
    /// Answers a request to the origin of this name; one that a function made up is called `HOST` or `HOST:PORT`.
    fn answer(&self, origin: &str, waits: Waits, request: OriginRequest) -> Played;
}
