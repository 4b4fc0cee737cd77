//! Tokens for tests: signed with a secret, or with an ECDSA key on P-256 that can be made here. Nothing in the edge itself signs.

use super::algorithm::{Algorithm, Family};
use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject as _};
use serde_json::{Value, json};

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// The file holds no usable key.
    #[error("the key is no ECDSA private key on the curve P-256 in PEM")]
    Key,
    /// The cryptography failed.
    #[error("signing failed")]
    Failed,
}

/// A new key in every form that is needed.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// The private half: PKCS 8 in PEM.
    pub private_pem: String,
    /// The public half in PEM.
    pub public_pem: String,
    /// The public half as a key set.
    pub key_set: String,
}

fn message(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encode(header), encode(claims))
}

fn signed(message: &str, signature: &[u8]) -> String {
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// Signs with a secret.
///
/// # Errors
/// The algorithm takes no secret.
pub fn with_secret(algorithm: Algorithm, secret: &[u8], header: &Value, claims: &Value) -> Result<String, MintError> {
    let Family::Hmac(hash) = algorithm.family() else { return Err(MintError::Key) };
    let message = message(header, claims);
    let tag = hmac::sign(&hmac::Key::new(hash, secret), message.as_bytes());
    Ok(signed(&message, tag.as_ref()))
}

/// Signs with the private key in a PEM file, as ES256.
///
/// # Errors
/// There is no such key in it.
pub fn with_p256(pem: &[u8], header: &Value, claims: &Value) -> Result<String, MintError> {
    let curve = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let key = match PrivateKeyDer::from_pem_slice(pem).map_err(|_| MintError::Key)? {
        PrivateKeyDer::Sec1(der) => EcdsaKeyPair::from_private_key_der(curve, der.secret_sec1_der()),
        der => EcdsaKeyPair::from_pkcs8(curve, der.secret_der()),
    };
    let message = message(header, claims);
    let signature = key.map_err(|_| MintError::Key)?.sign(&SystemRandom::new(), message.as_bytes());
    Ok(signed(&message, signature.map_err(|_| MintError::Failed)?.as_ref()))
}

/// Makes a key.
///
/// # Errors
/// The system gives no random numbers.
pub fn new_p256(kid: Option<&str>) -> Result<NewKey, MintError> {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| MintError::Failed)?;
    let private = key.to_pkcs8v1().map_err(|_| MintError::Failed)?;
    let public: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(|_| MintError::Failed)?;
    // An uncompressed point: 4, then both coordinates.
    let point = key.public_key().as_ref().get(1..).unwrap_or_default();
    let (x, y) = point.split_at(point.len() / 2);
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let mut entry =
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "x": encode(x), "y": encode(y) });
    if let Some(kid) = kid {
        entry["kid"] = kid.into();
    }
    Ok(NewKey {
        private_pem: pem("PRIVATE KEY", private.as_ref()),
        public_pem: pem("PUBLIC KEY", public.as_ref()),
        key_set: format!("{:#}\n", json!({ "keys": [entry] })),
    })
}

fn pem(kind: &str, der: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = base64.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::{super::*, *};

    #[test]
    fn new_keys_sign_and_are_accepted_in_every_form() {
        let made = new_p256(Some("t")).unwrap();
        let (header, claims) = (json!({ "alg": "ES256", "kid": "t" }), json!({ "exp": 100 }));
        let token = with_p256(made.private_pem.as_bytes(), &header, &claims).unwrap();
        let accepted = [Algorithm::ES256];
        let set = KeySet::parse(made.key_set.as_bytes(), &accepted).unwrap();
        let one = KeySet::of(Key::from_pem(made.public_pem.as_bytes(), Algorithm::ES256).unwrap());
        for keys in [set, one] {
            assert!(verify(&token, &keys, &Rules::default(), 99).is_ok());
        }
        assert_eq!(with_p256(b"x", &header, &claims), Err(MintError::Key));
        assert_eq!(with_secret(Algorithm::ES256, b"x", &header, &claims), Err(MintError::Key));
    }
}
