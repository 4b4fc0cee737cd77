//! `request.body`: what a function with IncludeBody sees of it, and what it may put in its place (lambda-edge.md 2.5).

use super::{ORIGIN_BODY_LIMIT, VIEWER_BODY_LIMIT};
use crate::{HookPoint, Violation, ViolationCode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

/// Largest replacement in base64, in bytes of encoded text: 53.2 KB and 1.33 MB.
const VIEWER_BASE64_LIMIT: usize = 54_476;
const ORIGIN_BASE64_LIMIT: usize = 1_394_606;

/// A request body as its function sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventBody {
    /// The first bytes, at most the hook's limit.
    pub data: Vec<u8>,
    /// Whether there are more (`inputTruncated`).
    pub truncated: bool,
}

impl EventBody {
    /// How much of a body is shown at `hook`, in bytes.
    #[must_use]
    pub const fn limit(hook: HookPoint) -> usize {
        if hook.is_viewer() { VIEWER_BODY_LIMIT } else { ORIGIN_BODY_LIMIT }
    }

    pub(super) fn to_value(&self) -> Value {
        json!({
            "action": "read-only",
            "data": STANDARD.encode(&self.data),
            "encoding": "base64",
            "inputTruncated": self.truncated,
        })
    }
}

/// The body that a returned request asks for instead of the given one; `None`: the given one goes on.
pub(super) fn replacement(hook: HookPoint, request: &Map<String, Value>) -> Result<Option<Vec<u8>>, Violation> {
    let wrong = |text: &str| Violation::new(ViolationCode::BodyType, text.to_owned());
    let body = match request.get("body") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(body)) => body,
        Some(_) => return Err(wrong("body must be an object in a request")),
    };
    let word = |field: &str| body.get(field).filter(|value| !value.is_null()).map(Value::as_str);
    let replaces = match word("action") {
        None | Some(Some("read-only")) => false,
        Some(Some("replace")) => true,
        _ => return Err(wrong("body.action must be \"read-only\" or \"replace\"")),
    };
    let base64 = match word("encoding") {
        None | Some(Some("base64")) => true,
        Some(Some("text")) => false,
        _ => return Err(wrong("body.encoding must be \"text\" or \"base64\"")),
    };
    if !replaces {
        return Ok(None);
    }
    let data = match word("data") {
        None => "",
        Some(data) => data.ok_or_else(|| wrong("body.data must be a string"))?,
    };
    let limit = match (base64, hook.is_viewer()) {
        (false, _) => EventBody::limit(hook),
        (true, true) => VIEWER_BASE64_LIMIT,
        (true, false) => ORIGIN_BASE64_LIMIT,
    };
    if data.len() > limit {
        let text = format!("body.data takes {} bytes, the limit at {} is {limit}", data.len(), hook.as_str());
        return Err(Violation::new(ViolationCode::BodySize, text));
    }
    if !base64 {
        return Ok(Some(data.as_bytes().to_vec()));
    }
    let decoded = STANDARD.decode(data);
    let invalid = |error| Violation::new(ViolationCode::BodyBase64, format!("body.data is not valid base64: {error}"));
    decoded.map(Some).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(hook: HookPoint, body: Value) -> Result<Option<Vec<u8>>, &'static str> {
        let request = Map::from_iter([("body".to_owned(), body)]);
        replacement(hook, &request).map_err(|violation| violation.code.as_str())
    }

    #[test]
    fn what_a_function_sees() {
        let body = EventBody { data: vec![0, 255], truncated: true };
        let expected = json!({"inputTruncated": true, "action": "read-only", "encoding": "base64", "data": "AP8="});
        assert_eq!(body.to_value(), expected);
    }

    #[test]
    fn only_replace_replaces() {
        let hook = HookPoint::ViewerRequest;
        assert_eq!(replaced(hook, json!({"action": "read-only", "data": "!!"})), Ok(None));
        assert_eq!(replaced(hook, json!({"data": "AA=="})), Ok(None));
        assert_eq!(replaced(hook, json!({"action": "replace", "data": "AP8="})), Ok(Some(vec![0, 255])));
        assert_eq!(replaced(hook, json!({"action": "replace", "encoding": "text", "data": "é"})), Ok(Some("é".into())));
        assert_eq!(replaced(hook, json!({"action": "replace"})), Ok(Some(Vec::new())));
        for (body, code) in [
            (json!("x"), "body.type"),
            (json!({"action": "append"}), "body.type"),
            (json!({"action": 1}), "body.type"),
            (json!({"action": "replace", "encoding": "hex"}), "body.type"),
            (json!({"action": "replace", "data": 7}), "body.type"),
            (json!({"action": "replace", "data": "A"}), "body.base64"),
        ] {
            assert_eq!(replaced(hook, body.clone()), Err(code), "{body}");
        }
    }

    #[test]
    fn replacements_are_bounded() {
        for (hook, encoding, limit) in [
            (HookPoint::ViewerRequest, "text", 40_960),
            (HookPoint::OriginRequest, "text", 1_048_576),
            (HookPoint::ViewerRequest, "base64", 54_476),
            (HookPoint::OriginRequest, "base64", 1_394_604),
        ] {
            let body = |length: usize| json!({"action": "replace", "encoding": encoding, "data": "A".repeat(length)});
            assert!(replaced(hook, body(limit)).is_ok(), "{encoding} {limit}");
            assert_eq!(replaced(hook, body(limit + 4)), Err("body.size"), "{encoding} {limit}");
        }
    }
}
