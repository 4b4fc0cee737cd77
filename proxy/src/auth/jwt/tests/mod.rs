//! Tokens good and bad. Where a genuine token is needed, `jsonwebtoken` signs it, so that two implementations must agree.

mod attacks;
mod claims;
mod keys;
pub(crate) mod timing;
mod wycheproof;

use super::{Algorithm, Key, KeySet, Rules};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm as Theirs, EncodingKey, crypto};
use serde_json::{Value, json};

/// The present of all tests here, seconds since 1970.
pub(super) const NOW: u64 = 1_800_000_000;
pub(super) const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

macro_rules! pem {
    ($name:literal) => {
        include_bytes!(concat!("../../../../../tests/vectors/keys/", $name, ".pem"))
    };
}
pub(super) use pem;

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The private half of the test key of an algorithm.
pub(super) fn private(algorithm: Algorithm) -> (EncodingKey, Theirs) {
    let key = match algorithm.as_str() {
        "HS256" | "HS384" | "HS512" => EncodingKey::from_secret(SECRET),
        "ES256" => EncodingKey::from_ec_pem(pem!("p256")).unwrap(),
        "ES384" => EncodingKey::from_ec_pem(pem!("p384")).unwrap(),
        "EdDSA" => EncodingKey::from_ed_pem(pem!("ed25519")).unwrap(),
        _ => EncodingKey::from_rsa_pem(pem!("rsa")).unwrap(),
    };
    (key, algorithm.as_str().parse().unwrap())
}

/// The public half, or the secret.
pub(super) fn public(algorithm: Algorithm) -> Key {
    let pem: &[u8] = match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => return Key::secret(None, algorithm, SECRET).unwrap(),
        Algorithm::ES256 => pem!("p256.pub"),
        Algorithm::ES384 => pem!("p384.pub"),
        Algorithm::EdDSA => pem!("ed25519.pub"),
        _ => pem!("rsa.pub"),
    };
    Key::from_pem(pem, algorithm).unwrap()
}

pub(super) fn key_set(algorithm: Algorithm) -> KeySet {
    KeySet::of(public(algorithm))
}

/// A token of these texts, signed with the test key.
pub(super) fn signed(algorithm: Algorithm, header: &str, payload: &str) -> String {
    let message = format!("{}.{}", encode(header), encode(payload));
    let (key, theirs) = private(algorithm);
    let signature = crypto::sign(message.as_bytes(), &key, theirs).unwrap();
    format!("{message}.{signature}")
}

/// A token with an ordinary header and these claims.
pub(super) fn token(algorithm: Algorithm, claims: &Value) -> String {
    let header = json!({ "typ": "JWT", "alg": algorithm.as_str() });
    signed(algorithm, &header.to_string(), &claims.to_string())
}

/// Claims that [`rules`] accept.
pub(super) fn claims() -> Value {
    json!({ "iss": "https://issuer", "aud": "edge", "sub": "u-1", "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 600 })
}

pub(super) fn rules() -> Rules {
    Rules {
        issuers: vec!["https://issuer".to_owned()],
        audiences: vec!["edge".to_owned()],
        leeway: 30,
        ..Rules::default()
    }
}

pub(super) fn check(algorithm: Algorithm, token: &str) -> Result<(), super::TokenProblem> {
    super::verify(token, &key_set(algorithm), &rules(), NOW).map(drop)
}

#[test]
fn genuine_tokens_of_another_implementation_are_accepted() {
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| *algorithm != Algorithm::ES512) {
        assert_eq!(check(algorithm, &token(algorithm, &claims())), Ok(()), "{algorithm:?}");
    }
}
