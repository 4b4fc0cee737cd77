//! Signed URLs and signed cookies in CloudFront's formats (http-cache.md 6.6).
//!
//! [`Signers::check`] judges a request by the address that is routed: scheme, canonical host and path, and the query without the
//! signing parameters, byte for byte. It is pure; the time is an argument. It runs on every request, before the cache is asked.
//! [`Signer`] makes what it accepts.

mod credentials;
mod key;
mod policy;
mod resource;
mod sign;
#[cfg(test)]
mod tests;

pub(crate) use credentials::NAMES as PARAMETERS;
pub use key::{Hash, SignedKey, SignedKeyError};
pub use resource::Address;
pub use sign::{Restrictions, SignError, Signed, Signer};

use crate::gate::{self, Received};
use credentials::{Credentials, PolicyText};
use policy::{Conditions, Policy, Unmet};
use std::collections::HashMap;

/// Why a signed request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedProblem {
    /// It is not signed.
    Missing,
    /// A parameter is missing, or `Policy` and `Expires` are both there.
    Incomplete,
    /// A parameter is there twice.
    Repeated,
    /// A parameter is malformed.
    Form,
    /// No trusted key has this id.
    Key,
    /// The signature is not the key's, or not for this address.
    Signature,
    /// The policy is for other addresses.
    Resource,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYet,
    /// It is for other viewers.
    Viewer,
}

impl SignedProblem {
    /// The word in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "signed url: missing",
            Self::Incomplete => "signed url: incomplete",
            Self::Repeated => "signed url: repeated parameter",
            Self::Form => "signed url: malformed",
            Self::Key => "signed url: unknown key",
            Self::Signature => "signed url: signature",
            Self::Resource => "signed url: resource",
            Self::Expired => "signed url: expired",
            Self::NotYet => "signed url: not yet valid",
            Self::Viewer => "signed url: other viewer",
        }
    }
}

/// The keys of the groups that a behavior trusts, by id.
#[derive(Debug, Default)]
pub struct Signers(HashMap<String, SignedKey>);

impl Signers {
    /// Of these keys.
    #[must_use]
    pub fn new(keys: HashMap<String, SignedKey>) -> Self {
        Self(keys)
    }

    /// Judges a request at `now`, seconds since 1970.
    ///
    /// # Errors
    /// It is not let in.
    pub fn check(&self, request: &Received, now: u64) -> Result<(), SignedProblem> {
        let credentials = Credentials::of(request)?;
        let key = self.0.get(credentials.key).ok_or(SignedProblem::Key)?;
        let mut query = request.query.clone();
        super::places::remove_parameters(&mut query, |name| PARAMETERS.contains(&name));
        let authority = request.host.authority();
        let scheme = request.scheme.as_str();
        let address = Address { scheme, authority: &authority, path: &request.path, query: query.as_deref() };
        let text = match &credentials.policy {
            PolicyText::Canned(expires) => {
                let text = address.to_text();
                if text.contains(['"', '\\']) {
                    // It would not stay within its place in the policy.
                    return Err(SignedProblem::Form);
                }
                policy::canned(&text, *expires).into_bytes()
            }
            PolicyText::Custom(text) => text.clone(),
        };
        if !key.verifies(credentials.hash, &text, &credentials.signature) {
            return Err(SignedProblem::Signature);
        }
        let conditions = match credentials.policy {
            PolicyText::Canned(before) => Conditions { before, after: None, network: None },
            PolicyText::Custom(text) => {
                let policy = Policy::parse(&text).ok_or(SignedProblem::Form)?;
                if !covers(&policy, address) {
                    return Err(SignedProblem::Resource);
                }
                policy.conditions
            }
        };
        conditions.check(request.viewer, now).map_err(|unmet| match unmet {
            Unmet::Expired => SignedProblem::Expired,
            Unmet::NotYet => SignedProblem::NotYet,
            Unmet::Network => SignedProblem::Viewer,
        })
    }

    /// Whether a canned policy that was signed for an address is accepted, whatever its time.
    #[must_use]
    pub fn accepts(&self, address: Address<'_>, signed: &Signed) -> bool {
        let value =
            |name| signed.parameters().iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        let found = value("Key-Pair-Id").and_then(|id| self.0.get(id));
        let (Some(key), Some(signature), Some(Ok(expires))) =
            (found, value("Signature").and_then(credentials::decode), value("Expires").map(str::parse))
        else {
            return false;
        };
        key.verifies(Hash::Sha256, policy::canned(&address.to_text(), expires).as_bytes(), &signature)
    }

    /// Takes what was signed with out of a request.
    pub fn remove(request: &mut Received) {
        credentials::remove(request);
    }
}

/// Whether a policy covers an address as it is, and also as an origin might read it that decodes more: a wildcard must not be left
/// through `..%2F`.
fn covers(policy: &Policy, address: Address<'_>) -> bool {
    let loose = match gate::loosened(address.path) {
        gate::Loosened::Same => return policy.covers(address),
        gate::Loosened::Other(path) => path,
        gate::Loosened::AboveRoot => return false,
    };
    policy.covers(address) && policy.covers(Address { path: &loose, ..address })
}
