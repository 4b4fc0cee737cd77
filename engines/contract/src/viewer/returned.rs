//! What the host read from the value that a handler returned. Types are right by construction; values are not yet checked.

use super::{OriginDirective, fields::Field};

/// A handler's result.
#[derive(Clone, Debug, PartialEq)]
pub enum Returned {
    /// An object without `statusCode`.
    Request(ReturnedRequest),
    /// An object with `statusCode`.
    Response(ReturnedResponse),
}

/// A returned request. `None` in a part means: equal to what the function was given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReturnedRequest {
    /// `method`; may not differ.
    pub method: Option<String>,
    /// `uri`.
    pub uri: Option<String>,
    /// `querystring`.
    pub query: Option<Query>,
    /// `headers`.
    pub headers: Option<Vec<Field>>,
    /// `cookies`.
    pub cookies: Option<Vec<Field>>,
    /// The origin that the run asked for, in its last call (cloudfront-functions.md 6.5).
    pub origin: Option<Box<OriginDirective>>,
}

/// `querystring`: an object or a string (cloudfront-functions.md 4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// An object of fields, in insertion order.
    Fields(Vec<Field>),
    /// The raw query, its order kept.
    Raw(String),
}

/// A returned or generated response.
#[derive(Clone, Debug, PartialEq)]
pub struct ReturnedResponse {
    /// `statusCode` as the number it was.
    pub status_code: f64,
    /// `statusDescription`.
    pub status_description: Option<String>,
    /// `headers`; `None` when equal to what the function was given.
    pub headers: Option<Vec<Field>>,
    /// `cookies`; `None` when equal to what the function was given.
    pub cookies: Option<Vec<Field>>,
    /// `body`, when the function set one.
    pub body: Option<Body>,
    /// Whether the function edited the request at viewer-response, where that has no effect (cloudfront-functions.md 4.3).
    pub request_changed: bool,
}

/// A returned body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// How `data` is to be read.
    pub encoding: BodyEncoding,
    /// The body as the function wrote it.
    pub data: String,
}

/// `body.encoding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEncoding {
    /// Text, sent as UTF-8.
    Text,
    /// Base64 of the bytes to send.
    Base64,
}
