//! Tokens and key sets for tests: keys of the repository, a server whose key set the test changes, and its faults.

use super::{Answer, Origin};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::aws_lc_rs};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};
use tempfile::NamedTempFile;

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

/// A server of key sets over TLS, whose certificate expires when the test says so.
pub(crate) struct TlsJwksServer {
    address: SocketAddr,
    current: Arc<Mutex<(Arc<ServerConfig>, String)>>,
    expired: (Arc<ServerConfig>, String),
    valid_pem: String,
    refused: Arc<AtomicBool>,
}

impl TlsJwksServer {
    /// One whose certificate is valid and whose set has this id and another.
    pub(crate) fn start(kid: &str) -> Self {
        let (valid, valid_pem) = certificate(2090);
        let expired = certificate(2020);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let current = Arc::new(Mutex::new((valid, key_set(&[kid, "other"]))));
        let refused = Arc::new(AtomicBool::new(false));
        let (serving, noticed) = (current.clone(), refused.clone());
        std::thread::spawn(move || {
            for tcp in listener.incoming().map_while(Result::ok) {
                let (config, keys) = serving.lock().unwrap().clone();
                if answer_once(config, tcp, &keys).is_err() {
                    noticed.store(true, SeqCst);
                }
            }
        });
        Self { address, current, expired, valid_pem, refused }
    }

    /// From now on the certificate is one that has expired; the set has this id and another.
    pub(crate) fn expire(&self, kid: &str) {
        self.refused.store(false, SeqCst);
        *self.current.lock().unwrap() = (self.expired.0.clone(), key_set(&[kid, "other"]));
    }

    /// Whether a connection broke off before its answer.
    pub(crate) fn was_refused(&self) -> bool {
        self.refused.load(SeqCst)
    }

    /// A file of authorities that vouch for both certificates, but for their dates.
    pub(crate) fn authorities(&self) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        write!(file, "{}{}", self.valid_pem, self.expired.1).unwrap();
        file
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("https://{}/keys.json", self.address)
    }
}

/// What serves a self-signed certificate for 127.0.0.1 until that year, and its PEM.
fn certificate(until: i32) -> (Arc<ServerConfig>, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.not_after = date_time_ymd(until, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (Arc::new(config), certificate.pem())
}

fn answer_once(config: Arc<ServerConfig>, tcp: TcpStream, keys: &str) -> std::io::Result<()> {
    tcp.set_read_timeout(Some(super::PATIENCE))?;
    let mut stream = StreamOwned::new(ServerConnection::new(config).map_err(std::io::Error::other)?, tcp);
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let length = keys.len();
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length:";
    write!(stream, "{head} {length}\r\n\r\n{keys}")?;
    stream.flush()
}
