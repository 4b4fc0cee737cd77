//! The four places in the life of a request where a function may run.

/// A hook point, in the order in which a cache miss passes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HookPoint {
    /// Every request, before the cache is asked. May change the request or answer it.
    ViewerRequest,
    /// Whenever the origin is about to be asked. May change the request, its origin, or answer in the origin's place;
    /// such an answer is stored.
    OriginRequest,
    /// Whenever the origin has answered. What it leaves is stored.
    OriginResponse,
    /// Every response below status 400, hit or miss. Never stored.
    ViewerResponse,
}

impl HookPoint {
    /// All four, in order.
    pub const ALL: [Self; 4] = [Self::ViewerRequest, Self::OriginRequest, Self::OriginResponse, Self::ViewerResponse];

    /// The name in events (`eventType`), logs and error messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ViewerRequest => "viewer-request",
            Self::OriginRequest => "origin-request",
            Self::OriginResponse => "origin-response",
            Self::ViewerResponse => "viewer-response",
        }
    }

    /// Whether the hook runs on every request (and not only when the origin is asked).
    #[must_use]
    pub const fn is_viewer(self) -> bool {
        matches!(self, Self::ViewerRequest | Self::ViewerResponse)
    }

    /// Whether the hook sees a request that is still to be answered.
    #[must_use]
    pub const fn is_request(self) -> bool {
        matches!(self, Self::ViewerRequest | Self::OriginRequest)
    }
}
