//! A token in compact form (RFC 7515 section 7.1), taken apart and its signature checked.
//!
//! Strict on purpose: exactly three parts, base64url without padding or stray bits, bounded sizes, no member twice. `jku`, `x5u`,
//! `jwk` and `x5c` are never looked at; `crit`, `zip`, `b64` and encryption are refused.

use super::{
    jwk::{KeySet, Selected},
    problem::TokenProblem,
};
use crate::auth::json;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// Longest token, bytes.
pub const TOKEN_LIMIT: usize = 8 * 1024;
/// Longest header part, bytes.
const HEADER_LIMIT: usize = 2 * 1024;

/// A token whose form is right and whose signature has not been looked at.
#[derive(Debug)]
pub struct Token<'t> {
    signed: &'t str,
    signature: Vec<u8>,
    payload: Vec<u8>,
    header: Map<String, Value>,
}

impl<'t> Token<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// Its form is wrong.
    pub fn parse(token: &'t str) -> Result<Self, TokenProblem> {
        if token.len() > TOKEN_LIMIT {
            return Err(TokenProblem::TooLong);
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenProblem::Parts);
        };
        if header.len() > HEADER_LIMIT {
            return Err(TokenProblem::TooLong);
        }
        let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenProblem::Base64);
        // The payload ends where the second dot stands, which is where the signature and its dot begin.
        let signed = &token[..token.len() - signature.len() - 1];
        let header = json::parse_object(&decode(header)?).map_err(TokenProblem::Header)?;
        check_header(&header)?;
        Ok(Self { signed, signature: decode(signature)?, payload: decode(payload)?, header })
    }

    /// The key id in its header.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// The algorithm that it says it is signed with.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        self.header.get("alg").and_then(Value::as_str).unwrap_or_default()
    }

    /// The type in its header.
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        self.header.get("typ").and_then(Value::as_str)
    }

    /// The header, unverified.
    #[must_use]
    pub fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// The payload, unverified.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload, if the key of `keys` that the token names has signed it. The algorithm is the key's; a token that says another
    /// is refused before anything is computed.
    ///
    /// # Errors
    /// There is no such key, or the signature is not its own.
    pub fn verify(&self, keys: &KeySet) -> Result<&[u8], TokenProblem> {
        let key = match keys.select(self.kid()) {
            Selected::Key(key) => key,
            Selected::Unknown => return Err(TokenProblem::UnknownKey),
            Selected::Ambiguous => return Err(TokenProblem::AmbiguousKey),
        };
        if self.algorithm() != key.algorithm().as_str() {
            return Err(TokenProblem::Algorithm);
        }
        if !key.verifies(self.signed.as_bytes(), &self.signature) {
            return Err(TokenProblem::Signature);
        }
        Ok(&self.payload)
    }
}

fn check_header(header: &Map<String, Value>) -> Result<(), TokenProblem> {
    if !header.get("alg").is_some_and(Value::is_string) {
        return Err(TokenProblem::Algorithm);
    }
    if ["crit", "zip", "enc", "b64"].iter().any(|name| header.contains_key(*name)) {
        return Err(TokenProblem::Extension);
    }
    if ["kid", "typ", "cty"].iter().any(|name| header.get(*name).is_some_and(|value| !value.is_string())) {
        return Err(TokenProblem::Header("a member has the wrong type"));
    }
    Ok(())
}
