//! What can go wrong with an origin, and the status each comes down to when nothing better is at hand.
//!
//! Deliberately absent: error pages, failover, stale answers; whoever called decides about those.

use std::path::PathBuf;

use http::StatusCode;

use crate::body::BodyError;

/// Why an exchange brought no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// No connection: refused, unreachable, or the name is not known.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// No connection within `connection_timeout`, in any attempt.
    #[error("connecting took too long")]
    ConnectTimeout,
    /// The TLS handshake failed, a wrong certificate included.
    #[error("TLS handshake failed: {0}")]
    Tls(String),
    /// No complete response head within `read_timeout`.
    #[error("no answer in time")]
    ReadTimeout,
    /// The origin closed the connection before a complete response head.
    #[error("connection closed before an answer")]
    Closed,
    /// What came is not an acceptable HTTP/1.1 response head.
    #[error("bad response: {0}")]
    BadResponse(String),
    /// The request's body broke off.
    #[error("{0}")]
    ViewerBody(BodyError),
    /// The address is not one that a function may choose.
    #[error("origin not allowed: {0}")]
    Blocked(String),
    /// No connection became free within `connection_timeout`.
    #[error("too many exchanges with this origin")]
    Busy,
    /// The request cannot be written as HTTP/1.1.
    #[error("request cannot be sent: {0}")]
    Unsendable(String),
}

impl OriginError {
    /// The status for the viewer: 504 for time-outs, 503 for want of a turn, 408 or 400 for a viewer's body, else 502.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::ConnectTimeout | Self::ReadTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::ViewerBody(BodyError::ViewerTooSlow) => StatusCode::REQUEST_TIMEOUT,
            Self::ViewerBody(_) => StatusCode::BAD_REQUEST,
            Self::Connect(_)
            | Self::Tls(_)
            | Self::Closed
            | Self::BadResponse(_)
            | Self::Blocked(_)
            | Self::Unsendable(_) => StatusCode::BAD_GATEWAY,
        }
    }

    /// The word for logs and metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::ConnectTimeout => "connect-timeout",
            Self::Tls(_) => "tls",
            Self::ReadTimeout => "read-timeout",
            Self::Closed => "closed",
            Self::BadResponse(_) => "bad-response",
            Self::ViewerBody(_) => "viewer-body",
            Self::Blocked(_) => "blocked",
            Self::Busy => "busy",
            Self::Unsendable(_) => "unsendable",
        }
    }
}

/// Why an origin cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginBuildError {
    /// The host is neither a name nor an address.
    #[error("origin {name}: {host:?} is neither a host name nor an address")]
    Host {
        /// The origin's name.
        name: String,
        /// What stands in its place.
        host: String,
    },
    /// The `ca` file cannot be used.
    #[error("origin {name}: {}: {reason}", file.display())]
    Ca {
        /// The origin's name.
        name: String,
        /// The file.
        file: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The system has no certificate authorities.
    #[error("origin {name}: the system's certificate authorities cannot be loaded: {reason}")]
    SystemAuthorities {
        /// The origin's name.
        name: String,
        /// Why not.
        reason: String,
    },
    /// The folder cannot be used.
    #[error("origin {name}: {}: {reason}", folder.display())]
    Dir {
        /// The origin's name.
        name: String,
        /// The folder.
        folder: PathBuf,
        /// Why not.
        reason: String,
    },
    /// An entry of `allow_private_origins` is neither a name nor a CIDR.
    #[error("{entry:?} is neither a host name nor a network such as 10.0.0.0/8")]
    Allowed {
        /// The entry.
        entry: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_status() {
        for (error, status) in [
            (OriginError::Connect(String::new()), 502),
            (OriginError::ConnectTimeout, 504),
            (OriginError::Tls(String::new()), 502),
            (OriginError::ReadTimeout, 504),
            (OriginError::Closed, 502),
            (OriginError::BadResponse(String::new()), 502),
            (OriginError::ViewerBody(BodyError::ViewerTooSlow), 408),
            (OriginError::ViewerBody(BodyError::Viewer), 400),
            (OriginError::Blocked(String::new()), 502),
            (OriginError::Busy, 503),
            (OriginError::Unsendable(String::new()), 502),
        ] {
            assert_eq!(error.status().as_u16(), status, "{}", error.as_str());
        }
    }
}
