//! What a token costs: a verdict that is remembered, and verification beside the cryptography alone.
//!
//! `cargo bench -p edgehook --bench tokens`. The last lines say how much the rules around the signature add; ratios within one
//! run are what counts on a busy machine.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark fails by panicking, and prints"
)]

use aws_lc_rs::signature::{self, ParsedPublicKey, UnparsedPublicKey, VerificationAlgorithm};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use criterion::Criterion;
use edgehook::auth::{
    Authorizer, KeySource,
    jwt::{self, Algorithm, Key, KeySet, Rules, Verdicts},
};
use jsonwebtoken::{EncodingKey, crypto};
use nix::time::{ClockId, clock_gettime};
use rustls_pki_types::{SubjectPublicKeyInfoDer, pem::PemObject as _};
use serde_json::json;
use std::{hint::black_box, sync::Arc, time::Duration};

const NOW: u64 = 1_800_000_000;

macro_rules! pem {
    ($name:literal) => {
        include_bytes!(concat!("../tests/vectors/keys/", $name, ".pem"))
    };
}

fn rules() -> Rules {
    Rules {
        issuers: vec!["https://login.example.com/".to_owned()],
        audiences: vec!["edge".to_owned()],
        leeway: 30,
        ..Rules::default()
    }
}

/// A token as identity providers make them.
fn token(algorithm: Algorithm, key: &EncodingKey) -> String {
    let header = json!({ "alg": algorithm.as_str(), "typ": "JWT", "kid": "2026-11-a" });
    let claims = json!({
        "iss": "https://login.example.com/", "aud": ["edge", "https://api.example.com"], "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
        "iat": NOW - 60, "exp": NOW + 3600, "nbf": NOW - 60, "azp": "my_client_id", "scope": "openid profile email read:things",
        "email": "somebody@example.com", "email_verified": true, "roles": ["editor", "admin"],
    });
    let encode = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(&header), encode(&claims));
    let signature = crypto::sign(message.as_bytes(), key, algorithm.as_str().parse().unwrap()).unwrap();
    format!("{message}.{signature}")
}

struct Case {
    algorithm: Algorithm,
    token: String,
    keys: KeySet,
    der: Vec<u8>,
    verification: &'static dyn VerificationAlgorithm,
}

fn cases() -> [Case; 2] {
    let case = |algorithm, private: EncodingKey, public: &[u8], verification| Case {
        algorithm,
        token: token(algorithm, &private),
        keys: KeySet::of(Key::from_pem(public, algorithm).unwrap()),
        der: SubjectPublicKeyInfoDer::from_pem_slice(public).unwrap().to_vec(),
        verification,
    };
    [
        case(
            Algorithm::ES256,
            EncodingKey::from_ec_pem(pem!("p256")).unwrap(),
            pem!("p256.pub"),
            &signature::ECDSA_P256_SHA256_FIXED,
        ),
        case(
            Algorithm::RS256,
            EncodingKey::from_rsa_pem(pem!("rsa")).unwrap(),
            pem!("rsa.pub"),
            &signature::RSA_PKCS1_2048_8192_SHA256,
        ),
    ]
}

/// What this thread has had of a processor: others who run at the same time do not count.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

/// Microseconds of CPU time per call: the least of several rounds.
fn cost(mut call: impl FnMut()) -> f64 {
    let rounds = (0..15).map(|_| {
        let (start, calls) = (cpu_time(), 200);
        for _ in 0..calls {
            call();
        }
        (cpu_time() - start).as_secs_f64() * 1e6 / f64::from(calls)
    });
    rounds.fold(f64::INFINITY, f64::min)
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let rules = rules();
    let mut lines = Vec::new();
    for Case { algorithm, token, keys, der, verification } in cases() {
        let name = algorithm.as_str();
        let (message, encoded) = token.rsplit_once('.').unwrap();
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(encoded).unwrap();
        let parsed = ParsedPublicKey::new(verification, &der).unwrap();
        let unparsed = UnparsedPublicKey::new(verification, &der);
        let whole = || drop(black_box(jwt::verify(black_box(&token), &keys, &rules, NOW).unwrap()));
        let alone = || black_box(parsed.verify_sig(black_box(message.as_bytes()), &bytes)).unwrap();
        let with_key = || black_box(unparsed.verify(black_box(message.as_bytes()), &bytes)).unwrap();
        criterion.bench_function(&format!("{name}: token"), |bencher| bencher.iter(whole));
        criterion.bench_function(&format!("{name}: signature alone"), |bencher| bencher.iter(alone));
        let (whole, alone, with_key) = (cost(whole), cost(alone), cost(with_key));
        lines.push(format!(
            "{name}: token {whole:.1} µs, signature alone {alone:.1} µs (key parsed each time {with_key:.1} µs), ratio {:.2}",
            whole / alone
        ));
    }
    let [case, _] = cases();
    let verdicts = Verdicts::default();
    verdicts.keep(&case.token, 0, Arc::new(jwt::verify(&case.token, &case.keys, &rules, NOW).unwrap()));
    let recall = || drop(black_box(verdicts.recall(black_box(&case.token), 0, &rules, NOW).unwrap().unwrap()));
    criterion.bench_function("a remembered verdict", |bencher| bencher.iter(recall));
    lines.push(format!("a remembered verdict ({} bytes of token): {:.2} µs", case.token.len(), cost(recall)));
    // The whole way of a request's token, so that nothing is left out.
    let authorizer = Authorizer::new("bench".to_owned(), KeySource::Fixed(Arc::new(case.keys)), rules);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let check = || drop(black_box(runtime.block_on(authorizer.verify(black_box(&case.token), NOW)).unwrap()));
    lines.push(format!("the same through the authorizer: {:.2} µs", cost(check)));
    criterion.final_summary();
    println!("\n{}", lines.join("\n"));
}
