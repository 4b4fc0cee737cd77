//! Secrets, taken out of messages before they are kept: what is not recorded cannot be read by whoever reads records
//! (experience.md 8).
//!
//! Names stay, values become `***`: of authorization, cookies, the headers of `[admin] redact`, and query parameters that hold
//! tokens or signatures, wherever an address shows them.

use super::trace::{HookEvent, HookResult};
use crate::auth::SecretParameters;
use edgehook_contract::{Header, RequestMessage, ResponseMessage, lambda};

/// What stands in the place of a secret.
pub const MASKED: &str = "***";

/// What is masked.
#[derive(Clone, Debug, Default)]
pub struct Mask(Option<Secrets>);

#[derive(Clone, Debug, Default)]
struct Secrets {
    headers: Vec<String>,
    parameters: SecretParameters,
}

/// Headers that are secrets everywhere.
const ALWAYS: [&str; 2] = ["authorization", "proxy-authorization"];
/// Headers that hold addresses.
const ADDRESSES: [&str; 4] = ["location", "content-location", "referer", "link"];

impl Mask {
    /// Masks the usual headers and these, in lower case, and the values of `parameters`.
    #[must_use]
    pub fn new(headers: Vec<String>, parameters: SecretParameters) -> Self {
        Self(Some(Secrets { headers, parameters }))
    }

    /// Masks nothing: for tests of a configuration, whose secrets are in the test itself.
    #[must_use]
    pub fn nothing() -> Self {
        Self(None)
    }

    /// The value of one header.
    #[must_use]
    pub fn header(&self, name: &str, value: &str) -> String {
        let Some(secrets) = &self.0 else { return value.to_owned() };
        match name {
            "cookie" => value.split(';').map(masked_pair).collect::<Vec<_>>().join("; "),
            "set-cookie" => match value.split_once(';') {
                Some((pair, attributes)) => format!("{};{attributes}", masked_pair(pair)),
                None => masked_pair(value),
            },
            _ if ALWAYS.contains(&name) || secrets.headers.iter().any(|secret| secret == name) => MASKED.to_owned(),
            _ if ADDRESSES.contains(&name) => secrets.parameters.redact(value).into_owned(),
            _ => value.to_owned(),
        }
    }

    /// A query without its question mark.
    #[must_use]
    pub fn query(&self, query: &str) -> String {
        let Some(secrets) = &self.0 else { return query.to_owned() };
        secrets.parameters.redact(&format!("?{query}")).into_owned().split_off(1)
    }

    /// The value of a cookie.
    #[must_use]
    pub fn cookie(&self, value: &str) -> String {
        if self.0.is_some() { MASKED.to_owned() } else { value.to_owned() }
    }

    fn headers(&self, headers: &mut [Header]) {
        for header in headers {
            let shown = String::from_utf8_lossy(&header.value).into_owned();
            header.value = self.header(&header.name, &shown).into_bytes();
        }
    }

    /// A request.
    #[must_use]
    pub fn request(&self, message: &RequestMessage) -> RequestMessage {
        let mut message = message.clone();
        self.headers(&mut message.headers);
        message.query = message.query.map(|query| self.query(&query));
        message
    }

    /// A response.
    #[must_use]
    pub fn response(&self, message: &ResponseMessage) -> ResponseMessage {
        let mut message = message.clone();
        self.headers(&mut message.headers);
        message
    }

    fn origin(&self, origin: &lambda::Origin) -> lambda::Origin {
        let mut origin = origin.clone();
        if self.0.is_some() {
            // They are there to tell the origin a secret, more often than not.
            origin.custom_headers.iter_mut().for_each(|header| header.value = MASKED.into());
        }
        origin
    }

    /// An event.
    pub(super) fn event(&self, event: &HookEvent) -> HookEvent {
        let mut event = event.clone();
        match &mut event {
            HookEvent::Viewer(event) => {
                event.request = self.request(&event.request);
                event.response = event.response.as_ref().map(|response| self.response(response));
            }
            HookEvent::Lambda(event) => {
                event.request = self.request(&event.request);
                event.response = event.response.as_ref().map(|response| self.response(response));
                event.origin = event.origin.as_ref().map(|origin| self.origin(origin));
            }
        }
        event
    }

    /// What a run came to.
    pub(super) fn result(&self, result: &HookResult) -> HookResult {
        match result {
            HookResult::Request { message, origin, choice, body } => HookResult::Request {
                message: self.request(message),
                origin: origin.as_ref().map(|origin| self.origin(origin)),
                choice: choice.clone(),
                body: body.clone(),
            },
            HookResult::Response { message, body } => {
                HookResult::Response { message: self.response(message), body: body.clone() }
            }
        }
    }
}

fn masked_pair(pair: &str) -> String {
    match pair.trim().split_once('=') {
        Some((name, _)) => format!("{}={MASKED}", name.trim_end()),
        None => MASKED.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_and_names_stay() {
        let mask = Mask::new(vec!["x-api-key".to_owned()], SecretParameters::new(vec!["token".to_owned()]));
        for (name, value, expected) in [
            ("authorization", "Bearer abc", "***"),
            ("x-api-key", "k", "***"),
            ("cookie", "a=1; b = 2;c", "a=***; b=***; ***"),
            ("set-cookie", "a=secret; Path=/; HttpOnly", "a=***; Path=/; HttpOnly"),
            ("location", "/x?token=abc&y=1", "/x?token=***&y=1"),
            ("accept", "text/html", "text/html"),
        ] {
            assert_eq!(mask.header(name, value), expected, "{name}");
            assert_eq!(Mask::nothing().header(name, value), value);
        }
        assert_eq!((mask.query("token=a&b=c"), mask.query("")), ("token=***&b=c".to_owned(), String::new()));
        let given = RequestMessage {
            method: "GET".to_owned(),
            uri: "/".to_owned(),
            query: Some("to%6Ben=abc".to_owned()),
            headers: vec![Header::new("Authorization", "Basic xyz")],
        };
        let masked = mask.request(&given);
        assert!(!format!("{masked:?}").contains("abc") && masked.headers[0].value == b"***");
    }
}
