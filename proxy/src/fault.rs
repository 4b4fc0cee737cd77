//! Everything that can end a request early, by who is at fault, and the one place where that becomes a response.
//!
//! A fault has two messages: the page for the viewer, which names the class and the request id and reflects nothing of the
//! request, and the text for the log.

use crate::{
    auth::Denial,
    body::{self, Body},
    cache::Cause,
    origin::OriginError,
};
use edgehook_contract::{Family, Fault as FunctionFault, HookPoint};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use std::sync::Arc;

/// A request that the gate or a behavior does not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Path or query is malformed.
    BadTarget,
    /// Path and query are too long.
    TargetTooLong,
    /// No host, two hosts, or what is no host.
    BadHost,
    /// A field is repeated or malformed in a way that readers would not agree on.
    BadField,
    /// `Expect` asks for something unknown.
    Expectation,
    /// GET or HEAD with a body.
    BodyNotAllowed,
    /// The method is unknown.
    MethodUnknown,
    /// The host is not served here.
    UnknownHost,
    /// The viewer's address is not let in.
    Address,
    /// Viewers of this country are not let in.
    Country,
    /// Only https is served here.
    HttpsOnly,
    /// The request has been here before.
    Loop,
    /// The request wants what is stored and nothing else, and nothing is.
    NotCached,
}

impl Refusal {
    /// The word in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadTarget => "bad-target",
            Self::TargetTooLong => "target-too-long",
            Self::BadHost => "bad-host",
            Self::BadField => "bad-field",
            Self::Expectation => "expectation",
            Self::BodyNotAllowed => "body-not-allowed",
            Self::MethodUnknown => "method-unknown",
            Self::UnknownHost => "unknown-host",
            Self::Address => "address",
            Self::Country => "country",
            Self::HttpsOnly => "https-only",
            Self::Loop => "loop",
            Self::NotCached => "not-cached",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::BadTarget | Self::BadHost | Self::BadField => StatusCode::BAD_REQUEST,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            Self::BodyNotAllowed | Self::Address | Self::Country | Self::HttpsOnly => StatusCode::FORBIDDEN,
            Self::MethodUnknown => StatusCode::NOT_IMPLEMENTED,
            Self::UnknownHost => StatusCode::MISDIRECTED_REQUEST,
            Self::Loop => StatusCode::LOOP_DETECTED,
            Self::NotCached => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::BadTarget => "The address of this request is malformed.",
            Self::TargetTooLong => "The address of this request is too long.",
            Self::BadHost => "This request does not name one valid host.",
            Self::BadField => "A header of this request is malformed.",
            Self::Expectation => "This request expects something that is not supported.",
            Self::BodyNotAllowed => "This kind of request may not carry a body.",
            Self::MethodUnknown => "The method of this request is not supported.",
            Self::UnknownHost => "This host is not served here.",
            Self::Address => "Access from this address is not allowed.",
            Self::Country => "Access from this country is not allowed.",
            Self::HttpsOnly => "This address is served over https only.",
            Self::Loop => "This request came back to where it has been before.",
            Self::NotCached => "There is no stored answer to this request.",
        }
    }
}

/// A function that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedFunction {
    /// Its name.
    pub name: String,
    /// The hook point at which it ran.
    pub hook: HookPoint,
    /// Its family.
    pub family: Family,
    /// How it failed.
    pub fault: FunctionFault,
    /// What the log says; never shown to viewers.
    pub detail: String,
    /// Path of the page that the viewer gets in its place, if there is to be one.
    pub page: Option<Arc<str>>,
}

/// Why a request has no ordinary response.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The viewer's request is not let through.
    Refused(Refusal),
    /// The method is known but not allowed here.
    MethodNotAllowed {
        /// The methods that are, as `Allow` lists them.
        allow: String,
    },
    /// The viewer has not shown what the behavior asks for.
    Denied(Box<Denial>),
    /// A function failed.
    Function(Box<FailedFunction>),
    /// The origin failed.
    Origin(OriginError),
    /// The origin failed, and what is stored must not be used without it (RFC 9111 section 5.2.2.2).
    Unvalidated(OriginError),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<OriginError> for Fault {
    fn from(error: OriginError) -> Self {
        Self::Origin(error)
    }
}

impl Fault {
    /// The fault of a fetch that this request had joined.
    #[must_use]
    pub fn shared(cause: &Cause) -> Self {
        let unknown = || Self::Origin(OriginError::Closed);
        cause.downcast_ref::<Self>().cloned().unwrap_or_else(unknown)
    }

    /// The status that the viewer gets.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Refused(refusal) => refusal.status(),
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Denied(denial) => denial.status,
            Self::Function(failed) => {
                StatusCode::from_u16(failed.fault.status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::Origin(error) => error.status(),
            Self::Unvalidated(_) => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// First word of `X-Cache`.
    #[must_use]
    pub fn x_cache(&self) -> &'static str {
        match self {
            Self::Function(failed) => failed.fault.token(failed.family),
            _ => "Error",
        }
    }

    /// The class in CloudFront's access logs (`x-edge-result-type`).
    #[must_use]
    pub fn result_type(&self) -> &'static str {
        match self {
            Self::Denied(denial) if denial.status == StatusCode::TOO_MANY_REQUESTS => "LimitExceeded",
            Self::Origin(OriginError::Busy) => "CapacityExceeded",
            _ => self.x_cache(),
        }
    }

    /// The same with the reason, as far as CloudFront has words for it (`x-edge-detailed-result-type`, http-cache.md 6.8).
    #[must_use]
    pub fn detailed_type(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => match refusal {
                Refusal::Country => "ClientGeoBlocked",
                Refusal::Address | Refusal::HttpsOnly | Refusal::UnknownHost => "InvalidRequestBlocked",
                Refusal::MethodUnknown => "InvalidRequestMethod",
                Refusal::BadField | Refusal::BadHost | Refusal::Expectation => "InvalidRequestHeader",
                Refusal::BadTarget | Refusal::TargetTooLong | Refusal::BodyNotAllowed | Refusal::Loop => {
                    "InvalidRequest"
                }
                Refusal::NotCached => "Error",
            },
            Self::MethodNotAllowed { .. } => "InvalidRequestMethod",
            Self::Denied(_) | Self::Function(_) | Self::Origin(OriginError::Busy) => self.result_type(),
            Self::Origin(error) | Self::Unvalidated(error) => match error {
                OriginError::Connect(_)
                | OriginError::ConnectTimeout
                | OriginError::Tls(_)
                | OriginError::Blocked(_)
                | OriginError::Busy => "OriginConnectError",
                OriginError::ReadTimeout | OriginError::Closed => "OriginCommError",
                OriginError::BadResponse(_) => "OriginInvalidResponseError",
                OriginError::ViewerBody(_) => "ClientCommError",
                OriginError::Unsendable(_) => "OriginWriteError",
            },
        }
    }

    /// The text for the log.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.as_str().to_owned(),
            Self::MethodNotAllowed { .. } => "method-not-allowed".to_owned(),
            Self::Denied(denial) => denial.reason.clone(),
            Self::Function(failed) => {
                format!("{} at {}: {}", failed.name, failed.hook.as_str(), failed.detail)
            }
            Self::Origin(error) | Self::Unvalidated(error) => format!("origin {}: {error}", error.as_str()),
        }
    }

    /// What the viewer is told.
    pub(crate) fn sentence(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.sentence(),
            Self::MethodNotAllowed { .. } => "The method of this request is not allowed here.",
            Self::Denied(denial) => match denial.status {
                StatusCode::FOUND => "Please sign in first.",
                StatusCode::UNAUTHORIZED => "This address needs valid credentials.",
                StatusCode::TOO_MANY_REQUESTS => "There have been too many requests. Please try again later.",
                StatusCode::SERVICE_UNAVAILABLE => "Credentials cannot be checked now. Please try again.",
                _ => "Access to this address is not allowed.",
            },
            Self::Function(failed) => match (failed.family, failed.fault) {
                (_, FunctionFault::Validation) => "The function for this address returned an invalid result.",
                (_, FunctionFault::Execution) => "The function for this address could not be run.",
                (_, FunctionFault::Throttled) => "The function for this address is busy. Please try again.",
            },
            Self::Origin(error) if error.status() == StatusCode::GATEWAY_TIMEOUT => {
                "The server behind this address took too long to answer."
            }
            Self::Origin(_) | Self::Unvalidated(_) => "The server behind this address could not be reached.",
        }
    }

    /// The response for the viewer: a page of its own, made of nothing that came with the request.
    #[must_use]
    pub fn to_response(&self, vendor: &str, request_id: &str) -> Response<Body> {
        let status = self.status();
        let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or("Error"));
        let page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
             <body>\n<h1>{title}</h1>\n<p>{}</p>\n<hr>\n<p>Generated by {vendor}. Request id: {request_id}</p>\n\
             </body>\n</html>\n",
            self.sentence(),
        );
        let mut response = Response::new(body::full(page));
        *response.status_mut() = status;
        let headers: &mut HeaderMap = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Self::MethodNotAllowed { allow } = self
            && let Ok(allow) = HeaderValue::from_str(allow)
        {
            headers.insert(header::ALLOW, allow);
        }
        if let Self::Denied(denial) = self {
            headers.extend(denial.headers.clone());
        }
        let readable = matches!(self, Self::Refused(Refusal::NotCached));
        if matches!(self, Self::Refused(_) | Self::MethodNotAllowed { .. }) && !readable {
            // What the gate could not read it cannot delimit either.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
