//! Builds `{Records:[{cf:{config,request[,response]}}]}` (lambda-edge.md 2).

use super::{EventBody, headers, origin::Origin};
use crate::{HookPoint, RequestMessage, ResponseMessage, text};
use serde_json::{Value, json};

/// `cf.config` apart from the hook's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// `distributionDomainName`: the site's canonical host.
    pub distribution_domain_name: String,
    /// `distributionId`.
    pub distribution_id: String,
    /// `requestId`, the same at all four hooks of one request.
    pub request_id: String,
}

/// Everything a Lambda function may know about one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The hook point.
    pub hook: HookPoint,
    /// `cf.config`.
    pub context: Context,
    /// `request.clientIp`.
    pub client_ip: String,
    /// The request: as the hook finds it, or at the response hooks as it was sent on.
    pub request: RequestMessage,
    /// `request.body`; only at the request hooks, with IncludeBody.
    pub body: Option<EventBody>,
    /// `request.origin`; only at the origin hooks.
    pub origin: Option<Origin>,
    /// The response; only at the response hooks.
    pub response: Option<ResponseMessage>,
    /// Whether the request's header keys are shown in lower case, as HTTP/2 has them; otherwise each word is capitalised.
    pub lower_case_keys: bool,
}

impl Event {
    /// The event as JSON text.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut cf = json!({
            "config": {
                "distributionDomainName": self.context.distribution_domain_name,
                "distributionId": self.context.distribution_id,
                "eventType": self.hook.as_str(),
                "requestId": self.context.request_id,
            },
            "request": self.request_value(),
        });
        if let Some(response) = &self.response {
            let phrase = response.reason.as_deref().unwrap_or_else(|| text::standard_phrase(response.status));
            cf["response"] = json!({
                "headers": headers::to_value(&response.headers, false),
                "status": response.status.to_string(),
                "statusDescription": phrase,
            });
        }
        json!({ "Records": [{ "cf": cf }] }).to_string().into_bytes()
    }

    fn request_value(&self) -> Value {
        let mut request = json!({
            "clientIp": self.client_ip,
            "headers": headers::to_value(&self.request.headers, self.lower_case_keys),
            "method": self.request.method,
            "querystring": self.request.query.as_deref().unwrap_or(""),
            "uri": self.request.uri,
        });
        if let Some(body) = &self.body {
            request["body"] = body.to_value();
        }
        if let Some(origin) = &self.origin {
            request["origin"] = origin.to_value();
        }
        request
    }
}
