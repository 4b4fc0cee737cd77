//! Tokens and key sets for tests: keys of the repository, a server whose key set the test changes, and its faults.

use super::{Answer, Origin};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// PEM files of the repository, without their ending.
pub(crate) fn pem(name: &str) -> String {
    let path = format!("{}/../tests/vectors/keys/{name}.pem", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// A token signed with the test key of an algorithm: ES256, RS256 or HS256 with `secret`.
pub(crate) fn token(algorithm: &str, kid: Option<&str>, claims: &Value, secret: &str) -> String {
    let mut header = json!({ "alg": algorithm, "typ": "JWT" });
    if let Some(kid) = kid {
        header["kid"] = kid.into();
    }
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(&header), encode(claims));
    let (key, algorithm) = match algorithm {
        "ES256" => (EncodingKey::from_ec_pem(pem("p256").as_bytes()).unwrap(), Algorithm::ES256),
        "RS256" => (EncodingKey::from_rsa_pem(pem("rsa").as_bytes()).unwrap(), Algorithm::RS256),
        _ => (EncodingKey::from_secret(secret.as_bytes()), Algorithm::HS256),
    };
    format!("{message}.{}", crypto::sign(message.as_bytes(), &key, algorithm).unwrap())
}

/// A key set with the public test key on P-256 under each of these ids.
pub(crate) fn key_set(kids: &[&str]) -> String {
    let pem = pem("p256.pub");
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = base64::prelude::BASE64_STANDARD.decode(base64).unwrap();
    let point = &der[der.len() - 64..];
    let (x, y) = (BASE64_URL_SAFE_NO_PAD.encode(&point[..32]), BASE64_URL_SAFE_NO_PAD.encode(&point[32..]));
    let key = |kid: &&str| json!({ "kty": "EC", "crv": "P-256", "use": "sig", "kid": kid, "x": x, "y": y });
    json!({ "keys": kids.iter().map(key).collect::<Vec<_>>() }).to_string()
}

type Script = Box<dyn Fn() -> Answer + Send + Sync>;

/// A server of key sets whose behaviour the test changes as it goes.
pub(crate) struct JwksServer {
    origin: Origin,
    script: Arc<Mutex<Script>>,
}

impl JwksServer {
    /// One that serves a set with these ids.
    pub(crate) fn start(kids: &[&str]) -> Self {
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(serving(kids)));
        let current = script.clone();
        Self { origin: Origin::start(move |_| (current.lock().unwrap())()), script }
    }

    /// Serves another set from now on.
    pub(crate) fn rotate(&self, kids: &[&str]) {
        *self.script.lock().unwrap() = serving(kids);
    }

    /// Answers as `script` says from now on.
    pub(crate) fn answer(&self, script: impl Fn() -> Answer + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("{}/keys.json", self.origin.url())
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.origin.count()
    }
}

fn serving(kids: &[&str]) -> Script {
    let set = key_set(kids);
    Box::new(move || Answer::new(200, &[("content-type", "application/json")], &set))
}
