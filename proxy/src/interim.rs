//! Interim responses (1xx) on their way from an origin to the one viewer whose request made it speak.
//!
//! [`Interim`] is that viewer's end: the listener makes it, the gate hands it on with the request, the origin client calls
//! it. Deliberately absent: anything kept. What cannot be sent at once is dropped, for a hint that comes late is none.

use std::{fmt, sync::Arc};

use http::{HeaderMap, StatusCode};

/// What is done with an interim response.
type Tell = dyn Fn(StatusCode, &HeaderMap) + Send + Sync;

/// Takes interim responses for one viewer. Cloning shares it.
#[derive(Clone)]
pub struct Interim(Arc<Tell>);

impl Interim {
    /// A viewer's end; `send` must not block.
    pub fn new(send: impl Fn(StatusCode, &HeaderMap) + Send + Sync + 'static) -> Self {
        Self(Arc::new(send))
    }

    /// Passes on one interim response. 100 and 101 concern one hop only and are not for this.
    pub fn send(&self, status: StatusCode, headers: &HeaderMap) {
        (self.0)(status, headers);
    }
}

impl fmt::Debug for Interim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interim")
    }
}
