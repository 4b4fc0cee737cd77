//! The event of one invocation, as the proxy hands it over: wire forms, not yet JavaScript shapes.

use crate::{HookPoint, RequestMessage, ResponseMessage};

/// `event.context` (cloudfront-functions.md 2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// `distributionDomainName`.
    pub distribution_domain_name: String,
    /// `distributionId`.
    pub distribution_id: String,
    /// `requestId`, equal to the `X-Amz-Cf-Id` of the answer.
    pub request_id: String,
}

/// Everything a viewer function may know about one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `viewer-request` or `viewer-response`.
    pub hook: HookPoint,
    /// `event.context`.
    pub context: Context,
    /// `event.viewer.ip`: the peer's address as text.
    pub viewer_ip: String,
    /// The request; at viewer-response as viewer-request left it.
    pub request: RequestMessage,
    /// The response, at viewer-response only.
    pub response: Option<ResponseMessage>,
}
