//! One key that tokens are checked with: parsed and judged once, bound to one algorithm.
//!
//! Signatures are checked by aws-lc directly, on a key that was parsed when it was loaded. Deliberately absent: any choice of
//! algorithm by a token (security.md 2.7).

use super::algorithm::{Algorithm, Family};
use crate::auth::rsa::{self, WeakKey};
use aws_lc_rs::{
    hmac,
    signature::{ED25519, ParsedPublicKey},
};
use rustls_pki_types::{SubjectPublicKeyInfoDer, pem::PemObject as _};

/// Why a key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The file holds no PEM block `PUBLIC KEY`.
    #[error("there is no PEM block `PUBLIC KEY`; make one with `openssl pkey -pubout`")]
    NoPublicKey,
    /// The key is of another type, or its numbers are no key, such as a point that is not on the curve.
    #[error("it is no key for {}", .0.as_str())]
    NotFor(Algorithm),
    /// The key is too weak.
    #[error("{0}")]
    Weak(#[from] WeakKey),
    /// The secret is shorter than the algorithm's hash (RFC 7518 section 3.2).
    #[error("a secret for {} has {} bytes or more", .0.as_str(), .1)]
    ShortSecret(Algorithm, usize),
    /// It is for something else than signatures, or for another algorithm.
    #[error("it is not for signatures with an accepted algorithm")]
    OtherUse,
    /// A member of a key set is missing, malformed or contradicts another.
    #[error("{0}")]
    Malformed(&'static str),
}

/// A key, its id, and the one algorithm that it is for.
#[derive(Debug)]
pub struct Key {
    /// Its id in a key set.
    pub kid: Option<String>,
    algorithm: Algorithm,
    material: Material,
}

enum Material {
    Secret(hmac::Key),
    Public(ParsedPublicKey),
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(…)",
            Self::Public(_) => "Public(…)",
        })
    }
}

impl Key {
    /// A secret for an HMAC algorithm.
    ///
    /// # Errors
    /// It is too short, or `algorithm` is none of HMAC's.
    pub fn secret(kid: Option<String>, algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        let Family::Hmac(hash) = algorithm.family() else { return Err(KeyError::NotFor(algorithm)) };
        let least = hash.tag_len();
        if secret.len() < least {
            return Err(KeyError::ShortSecret(algorithm, least));
        }
        Ok(Self { kid, algorithm, material: Material::Secret(hmac::Key::new(hash, secret)) })
    }

    /// The public key in a PEM file.
    ///
    /// # Errors
    /// There is none, it is too weak, or not one for `algorithm`.
    pub fn from_pem(pem: &[u8], algorithm: Algorithm) -> Result<Self, KeyError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| KeyError::NoPublicKey)?;
        let wrong = |_| KeyError::NotFor(algorithm);
        let parsed = match algorithm.family() {
            Family::Hmac(_) => return Err(KeyError::NotFor(algorithm)),
            Family::Rsa(parameters) => {
                let numbers = rsa::numbers(&der).ok_or(KeyError::NotFor(algorithm))?;
                rsa::check(&numbers.n, &numbers.e)?;
                numbers.to_parsed_public_key(parameters).map_err(wrong)?
            }
            Family::Ecdsa(verification, ..) => ParsedPublicKey::new(verification, &*der).map_err(wrong)?,
            Family::Ed25519 => ParsedPublicKey::new(&ED25519, &*der).map_err(wrong)?,
        };
        Ok(Self::public(None, algorithm, parsed))
    }

    pub(super) fn public(kid: Option<String>, algorithm: Algorithm, key: ParsedPublicKey) -> Self {
        Self { kid, algorithm, material: Material::Public(key) }
    }

    /// What it is for.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether `signature` is this key's for `message`. Secrets are compared in constant time.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            Material::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}
