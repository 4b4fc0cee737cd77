//! J05, J10: keys that are refused at load, and the choice of a key.

use super::{super::*, NOW, claims, key_set, pem, rules, signed, token};
use crate::auth::rsa::WeakKey;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

#[test]
fn j10_weak_and_broken_keys_are_refused() {
    let from = |pem: &[u8], algorithm| Key::from_pem(pem, algorithm).map(drop);
    assert_eq!(from(pem!("rsa1024.pub"), Algorithm::RS256), Err(KeyError::Weak(WeakKey::Size)));
    assert_eq!(from(pem!("rsa_e3.pub"), Algorithm::RS256), Err(KeyError::Weak(WeakKey::Exponent)));
    assert_eq!(from(pem!("p384.pub"), Algorithm::ES256), Err(KeyError::NotFor(Algorithm::ES256)));
    assert_eq!(from(pem!("p256.pub"), Algorithm::ES384), Err(KeyError::NotFor(Algorithm::ES384)));
    assert_eq!(from(pem!("p256.pub"), Algorithm::RS256), Err(KeyError::NotFor(Algorithm::RS256)));
    assert_eq!(from(pem!("rsa.pub"), Algorithm::ES256), Err(KeyError::NotFor(Algorithm::ES256)));
    assert_eq!(from(pem!("ed25519.pub"), Algorithm::ES256), Err(KeyError::NotFor(Algorithm::ES256)));
    assert_eq!(from(pem!("rsa.pub"), Algorithm::EdDSA), Err(KeyError::NotFor(Algorithm::EdDSA)));
    assert_eq!(from(pem!("rsa.pub"), Algorithm::HS256), Err(KeyError::NotFor(Algorithm::HS256)));
    assert_eq!(from(pem!("rsa"), Algorithm::RS256), Err(KeyError::NoPublicKey), "a private key");
    assert_eq!(from(b"rubbish", Algorithm::RS256), Err(KeyError::NoPublicKey));
    for (algorithm, least) in [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)] {
        assert!(Key::secret(None, algorithm, &vec![b'x'; least]).is_ok());
        let short = Key::secret(None, algorithm, &vec![b'x'; least - 1]).map(drop);
        assert_eq!(short, Err(KeyError::ShortSecret(algorithm, least)));
    }
}

fn set(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

/// The public key of the tests' P-256 key as a member of a set.
fn p256(kid: &str) -> Value {
    let der = rustls_pki_types::SubjectPublicKeyInfoDer::from_pem_slice(pem!("p256.pub")).unwrap();
    let point = &der[der.len() - 64..];
    json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": super::encode(&point[..32]), "y": super::encode(&point[32..]) })
}

fn with(mut key: Value, name: &str, value: Value) -> Value {
    key[name] = value;
    key
}

#[test]
fn keys_for_something_else_are_passed_over() {
    let accepted = [Algorithm::ES256, Algorithm::RS256];
    for (name, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["sign"])),
        ("alg", json!("ES384")),
        ("alg", json!("none")),
        ("crv", json!("P-384")),
        ("kty", json!("oct")),
        ("kty", json!("EC2")),
    ] {
        let keys = KeySet::parse(&set(&[with(p256("other"), name, value.clone()), p256("ours")]), &accepted).unwrap();
        assert_eq!((keys.keys().len(), keys.refused.len()), (1, 0), "{name} {value}");
    }
    let keys = KeySet::parse(&set(&[p256("a")]), &[Algorithm::RS256]);
    assert_eq!(keys.map(drop), Err("no key of the set can be used"));
}

#[test]
fn keys_of_ours_that_are_broken_are_refused() {
    for (name, value) in [
        ("x", json!("AAAA")),
        ("x", json!(super::encode([1; 32]))),
        ("y", json!(1)),
        ("y", Value::Null),
        ("kid", json!(7)),
        ("kid", json!("k".repeat(257))),
        ("use", json!(["sig"])),
        ("key_ops", json!("verify")),
    ] {
        let keys = KeySet::parse(&set(&[with(p256("bad"), name, value.clone()), p256("ours")]), &[Algorithm::ES256]);
        let keys = keys.unwrap();
        assert_eq!((keys.keys().len(), keys.refused.len()), (1, 1), "{name} {value}");
    }
}

#[test]
fn j05_keys_are_found_by_id_and_nothing_else() {
    let keys = KeySet::parse(&set(&[p256("a"), p256("b")]), &[Algorithm::ES256]).unwrap();
    let kid = |kid: &str| {
        let token = signed(Algorithm::ES256, &format!("{{\"alg\":\"ES256\"{kid}}}"), &claims().to_string());
        verify(&token, &keys, &rules(), NOW).map(drop)
    };
    assert_eq!(kid(",\"kid\":\"a\""), Ok(()));
    assert_eq!(kid(""), Err(TokenProblem::AmbiguousKey));
    let long = format!(",\"kid\":\"{}\"", "k".repeat(1400));
    for id in [
        ",\"kid\":\"c\"",
        ",\"kid\":\"\"",
        ",\"kid\":\"../../dev/null\"",
        ",\"kid\":\"' OR 1=1 --\"",
        ",\"kid\":\"http://127.0.0.1/k\"",
        ",\"kid\":\"a\\u0000\"",
        ",\"kid\":\"A\"",
        &long,
    ] {
        assert_eq!(kid(id), Err(TokenProblem::UnknownKey), "{id}");
    }
    for id in [",\"kid\":[\"a\"]", ",\"kid\":1", ",\"kid\":null", ",\"kid\":{}"] {
        assert!(matches!(kid(id), Err(TokenProblem::Header(_))), "{id}");
    }
    let same = KeySet::parse(&set(&[p256("a"), p256("a")]), &[Algorithm::ES256]).map(drop);
    assert_eq!(same, Err("two keys of the set have the same id"));
}

#[test]
fn one_key_alone_needs_no_id() {
    let token = token(Algorithm::ES256, &claims());
    assert!(verify(&token, &key_set(Algorithm::ES256), &rules(), NOW).is_ok());
    let one = KeySet::parse(&set(&[p256("a")]), &[Algorithm::ES256]).unwrap();
    assert!(verify(&token, &one, &rules(), NOW).is_ok());
    let other = signed(Algorithm::ES256, r#"{"alg":"ES256","kid":"b"}"#, &claims().to_string());
    assert_eq!(verify(&other, &one, &rules(), NOW).map(drop), Err(TokenProblem::UnknownKey));
}

#[test]
fn verdicts_end_with_the_token_and_with_the_keys() {
    let token = token(Algorithm::ES256, &claims());
    let verdicts = Verdicts::default();
    assert!(verdicts.recall(&token, 1, &rules(), NOW).is_none());
    let verified = verify(&token, &key_set(Algorithm::ES256), &rules(), NOW).unwrap();
    verdicts.keep(&token, 1, verified.into());
    let recall = |generation, now| verdicts.recall(&token, generation, &rules(), now).map(|verdict| verdict.map(drop));
    assert_eq!(recall(1, NOW), Some(Ok(())));
    assert_eq!(recall(2, NOW), None, "other keys");
    assert_eq!(recall(1, NOW + 629), Some(Ok(())));
    assert_eq!(recall(1, NOW + 630), Some(Err(TokenProblem::Expired)));
    assert_eq!(recall(1, NOW - 3600), Some(Err(TokenProblem::NotYet)), "a clock that was set back");
    assert!(verdicts.recall(&token[1..], 1, &rules(), NOW).is_none());
}

#[test]
fn verdicts_are_bounded() {
    let verified = std::sync::Arc::new(
        verify(&token(Algorithm::HS256, &claims()), &key_set(Algorithm::HS256), &rules(), NOW).unwrap(),
    );
    let verdicts = Verdicts::default();
    let long = "x".repeat(8_000);
    for number in 0..10_000 {
        verdicts.keep(&format!("{long}{number}"), 1, verified.clone());
    }
    assert!(verdicts.count() < 5_000, "{}", verdicts.count());
}
