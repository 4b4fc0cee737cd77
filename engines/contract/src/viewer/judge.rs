//! A result judged as a whole: what it comes to, or everything that is wrong with it.

use super::{Event, OriginChoice, Returned, Rules, apply_generated, apply_request, apply_response};
use crate::{HookPoint, RequestMessage, ResponseMessage, Violation, ViolationCode, Violations};

/// What a result comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// The request goes on like this.
    Request {
        /// As the function left it.
        request: RequestMessage,
        /// The origin that it asked for. Whether there is one of that name is the proxy's to know.
        origin: Option<Box<OriginChoice>>,
    },
    /// A response: at viewer-request in place of cache and origin, at viewer-response in place of theirs.
    Response {
        /// Its head.
        response: ResponseMessage,
        /// The body that the function set; a response that it made itself has one always.
        body: Option<Vec<u8>>,
    },
}

/// Judges what the function returned for `event`.
///
/// # Errors
/// Every rule that the result breaks.
pub fn judge(event: &Event, returned: &Returned, rules: &Rules) -> Result<Judged, Violations> {
    match (event.hook, returned) {
        (HookPoint::ViewerRequest, Returned::Request(returned)) => {
            let mut found = Violations::default();
            let request = found.take(apply_request(&event.request, returned, rules)).unwrap_or_default();
            let origin = returned.origin.as_ref().and_then(|origin| found.take(origin.checked(&event.request)));
            found.none_or(Judged::Request { request, origin: origin.map(Box::new) })
        }
        (HookPoint::ViewerRequest, Returned::Response(returned)) => {
            apply_generated(returned, rules).map(|(response, body)| Judged::Response { response, body: Some(body) })
        }
        (_, Returned::Response(returned)) => {
            let empty = ResponseMessage::default();
            let given = event.response.as_ref().unwrap_or(&empty);
            apply_response(given, returned, rules).map(|(response, body)| Judged::Response { response, body })
        }
        (_, Returned::Request(_)) => {
            let text = "viewer-response accepts only a response, got an object without statusCode";
            Err(Violation::new(ViolationCode::KindWrongHook, text).into())
        }
    }
}
