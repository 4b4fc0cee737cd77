//! What the integration tests are made of: a scripted [`Origin`], an [`Edge`] started from an inline configuration, and
//! clients that speak raw HTTP/1.1. Everything binds port 0 on loopback; nothing sleeps.

pub(crate) mod calls;
pub(crate) mod client;
pub(crate) mod edge;
pub(crate) mod engine;
pub(crate) mod jwks;
pub(crate) mod mmdb;
pub(crate) mod origin;

pub(crate) use client::{Client, Reply};
pub(crate) use edge::{Edge, binary, folder, has_python};
pub(crate) use engine::{engines, javascript_engines, python, python_engines};
pub(crate) use jwks::{JwksServer, TlsJwksServer, key_set, now, pem, token};
pub(crate) use origin::{Answer, Origin, Seen};

use std::time::{Duration, Instant};

/// Longest wait for something that another process does. Never met in a passing run.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Polls until `probe` yields a value, giving other threads the processor in between.
pub(crate) fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::yield_now();
    }
}
