//! Why a token is not accepted.

/// Why a token is not accepted. The words never hold any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenProblem {
    /// Longer than a token may be.
    TooLong,
    /// Not three parts.
    Parts,
    /// A part is not base64url, or not in its only canonical form.
    Base64,
    /// The header is not what a header must be.
    Header(&'static str),
    /// The header asks for an extension, compression or encryption.
    Extension,
    /// The algorithm is missing, or not that of the key.
    Algorithm,
    /// No key has this id.
    UnknownKey,
    /// Several keys, and the token does not say which.
    AmbiguousKey,
    /// The signature is wrong.
    Signature,
    /// The header's `typ` is not the required one.
    Type,
    /// The payload is not what claims must be.
    Claims(&'static str),
    /// A claim has the wrong type.
    ClaimType(&'static str),
    /// A claim that must be there is not.
    Missing(&'static str),
    /// `exp` has passed.
    Expired,
    /// `nbf` has not come.
    NotYet,
    /// `iat` lies in the future.
    Future,
    /// `iss` is another one.
    Issuer,
    /// `aud` is another one.
    Audience,
    /// A required claim is not what it must be.
    Required,
    /// A required scope is missing.
    Scope,
}

impl TokenProblem {
    /// The word in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "token-too-long",
            Self::Parts => "token-parts",
            Self::Base64 => "token-base64",
            Self::Header(_) => "token-header",
            Self::Extension => "token-extension",
            Self::Algorithm => "algorithm",
            Self::UnknownKey => "unknown-key",
            Self::AmbiguousKey => "ambiguous-key",
            Self::Signature => "signature",
            Self::Type => "typ",
            Self::Claims(_) => "claims",
            Self::ClaimType(_) => "claim-type",
            Self::Missing(_) => "claim-missing",
            Self::Expired => "expired",
            Self::NotYet => "not-yet-valid",
            Self::Future => "issued-in-future",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Required => "claim-refused",
            Self::Scope => "scope",
        }
    }

    /// The same in a sentence, for people who look into one token.
    #[must_use]
    pub fn explanation(self) -> String {
        let text = match self {
            Self::TooLong => "longer than 8 KiB, or its header longer than 2 KiB",
            Self::Parts => "not three parts with dots between them",
            Self::Base64 => "a part is not base64url without padding",
            Self::Header(what) => return format!("the header: {what}"),
            Self::Extension => "the header has `crit`, `zip`, `enc` or `b64`, which are never accepted",
            Self::Algorithm => "`alg` is missing or not the algorithm of the key",
            Self::UnknownKey => "no key has the id in `kid`",
            Self::AmbiguousKey => "there are several keys and no `kid`",
            Self::Signature => "the signature is not the key's",
            Self::Type => "`typ` is not the required one",
            Self::Claims(what) => return format!("the claims: {what}"),
            Self::ClaimType(claim) => return format!("`{claim}` has the wrong type"),
            Self::Missing(claim) => return format!("`{claim}` is missing"),
            Self::Expired => "`exp` has passed",
            Self::NotYet => "`nbf` has not come yet",
            Self::Future => "`iat` lies in the future",
            Self::Issuer => "`iss` is not an accepted issuer",
            Self::Audience => "`aud` has no accepted audience",
            Self::Required => "a required claim is not what it must be",
            Self::Scope => "a required scope is missing",
        };
        text.to_owned()
    }

    /// Whether the token is genuine and merely not enough (403 instead of 401).
    #[must_use]
    pub const fn is_insufficient(self) -> bool {
        matches!(self, Self::Required | Self::Scope)
    }
}
