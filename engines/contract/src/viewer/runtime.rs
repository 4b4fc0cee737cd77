//! What a viewer function is told about the edge it runs on, besides its events.

/// A version of the JavaScript runtime. The engine is the same; what differs is which host objects exist
/// (cloudfront-functions.md 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Runtime {
    /// `cloudfront-js-1.0`: byte methods of strings, no `Buffer`, no `cloudfront`.
    Js1,
    /// `cloudfront-js-2.0`.
    #[default]
    Js2,
}

/// `cf.edgeLocation` (cloudfront-functions.md 6.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeLocation {
    /// `name`: three letters, such as an airport's code.
    pub name: String,
    /// `serverIp`.
    pub server_ip: String,
    /// `region`: of the expected regional cache, such as `us-west-2`.
    pub region: String,
}
