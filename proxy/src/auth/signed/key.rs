//! Public keys of signed URLs and cookies: RSA and ECDSA on P-256, each with SHA-1 (for what CloudFront's signers make by default)
//! and SHA-256.

use crate::auth::rsa::{self, WeakKey};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA1_ASN1, ECDSA_P256_SHA256_ASN1, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_2048_8192_SHA256,
};
use rustls_pki_types::{SubjectPublicKeyInfoDer, pem::PemObject as _};

/// Why a file holds no usable key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignedKeyError {
    /// No PEM block `PUBLIC KEY`.
    #[error("there is no PEM block `PUBLIC KEY`; make one with `openssl pkey -pubout`")]
    NoPublicKey,
    /// Another kind of key.
    #[error("it is neither an RSA key nor an ECDSA key on the curve P-256")]
    Kind,
    /// A weak key.
    #[error("{0}")]
    Weak(#[from] WeakKey),
}

/// The hash that is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// Without `Hash-Algorithm`.
    Sha1,
    /// `Hash-Algorithm=SHA256`.
    Sha256,
}

/// A public key.
pub struct SignedKey {
    sha1: ParsedPublicKey,
    sha256: ParsedPublicKey,
}

impl std::fmt::Debug for SignedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignedKey(…)")
    }
}

impl SignedKey {
    /// The key in a PEM file.
    ///
    /// # Errors
    /// There is none, or it cannot be used.
    pub fn from_pem(pem: &[u8]) -> Result<Self, SignedKeyError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| SignedKeyError::NoPublicKey)?;
        let (sha1, sha256) = match rsa::numbers(&der) {
            Some(numbers) => {
                rsa::check(&numbers.n, &numbers.e)?;
                (
                    numbers.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY),
                    numbers.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256),
                )
            }
            None => (
                ParsedPublicKey::new(&ECDSA_P256_SHA1_ASN1, &*der),
                ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &*der),
            ),
        };
        let wrong = |_| SignedKeyError::Kind;
        Ok(Self { sha1: sha1.map_err(wrong)?, sha256: sha256.map_err(wrong)? })
    }

    pub(super) fn verifies(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        let key = match hash {
            Hash::Sha1 => &self.sha1,
            Hash::Sha256 => &self.sha256,
        };
        key.verify_sig(message, signature).is_ok()
    }
}
