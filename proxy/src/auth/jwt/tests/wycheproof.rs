//! J04: the vectors of the Wycheproof project, through the same door as every token.

use super::super::{Algorithm, KeySet, Token};
use serde_json::{Value, json};

const SIGNATURES: &str = include_str!("../../../../../tests/vectors/wycheproof/json_web_signature_test.json");
const KEYS: &str = include_str!("../../../../../tests/vectors/wycheproof/json_web_key_test.json");
const COMBINED: &str = include_str!("../../../../../tests/vectors/wycheproof/json_web_crypto_test.json");

/// The key or key set of a group, as a set, and the algorithms that an operator would write for it.
fn key_set(group: &Value) -> (Value, Vec<Algorithm>) {
    let key = group.get("public").or(group.get("private")).unwrap();
    let set = if key.get("keys").is_some() { key.clone() } else { json!({ "keys": [key] }) };
    let mut algorithms: Vec<Algorithm> = Vec::new();
    for key in set["keys"].as_array().unwrap() {
        let named = key["alg"].as_str().and_then(Algorithm::named);
        let by_type = || match (key["kty"].as_str(), key["crv"].as_str()) {
            (Some("RSA"), _) => Some(Algorithm::RS256),
            (Some("EC"), Some("P-256")) => Some(Algorithm::ES256),
            _ => None,
        };
        algorithms.extend(named.or_else(by_type).filter(|algorithm| !algorithms.contains(algorithm)));
    }
    (set, algorithms)
}

/// Vectors of the signature set that are answered otherwise on purpose, by number.
const ON_PURPOSE: [(u64, bool); 6] = [
    // The key says PS256, the token PS384: a key has one algorithm (security.md 2.7; other vectors demand just that).
    (346, false),
    (350, false),
    // "Padding", but the text has none: it is well-formed, and its signature is right.
    (367, true),
    (370, true),
    // "Valid" with a question mark within base64url, which RFC 7515 section 2 does not have (security.md J02).
    (372, false),
    (373, false),
];

fn accepts(set: &Value, algorithms: &[Algorithm], token: &str) -> bool {
    // The configuration refuses such lists; a set that needs one is refused with it.
    if algorithms.iter().any(|algorithm| algorithm.is_hmac()) && algorithms.len() > 1 {
        return false;
    }
    let keys = match KeySet::parse(set.to_string().as_bytes(), algorithms) {
        Ok(keys) if keys.refused.is_empty() => keys,
        _ => return false,
    };
    Token::parse(token).is_ok_and(|token| token.verify(&keys).is_ok())
}

/// Tells how many vectors were judged, and which verdicts were wrong.
fn judge(vectors: &str, signatures: bool) -> (usize, usize, Vec<String>) {
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let (mut judged, mut valid, mut wrong) = (0, 0, Vec::new());
    for group in vectors["testGroups"].as_array().unwrap() {
        let (set, algorithms) = key_set(group);
        for test in group["tests"].as_array().unwrap() {
            let token = test["jws"].as_str().or(test["jwe"].as_str()).map(str::to_owned);
            let token = token.unwrap_or_else(|| test["jws"].to_string());
            let expected = test["result"] == "valid";
            // Encryption and the algorithm name "ES521" are not among what is supported; such tokens must be refused.
            let keys = set.to_string();
            let supported = test["jwe"].is_null() && !keys.contains("ES521");
            let otherwise = ON_PURPOSE.iter().find(|(number, _)| signatures && test["tcId"] == *number);
            let expected = otherwise.map_or(expected && supported, |(_, accepted)| *accepted);
            judged += 1;
            valid += usize::from(expected);
            if accepts(&set, &algorithms, &token) != expected {
                wrong.push(format!("{} {}: {} {}", group["comment"], test["tcId"], test["comment"], test["flags"]));
            }
        }
    }
    (judged, valid, wrong)
}

#[test]
fn j04_signatures() {
    let (judged, valid, wrong) = judge(SIGNATURES, true);
    assert_eq!((judged, valid), (401, 42), "{wrong:#?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn j04_keys() {
    let (judged, _, wrong) = judge(KEYS, false);
    assert_eq!(judged, 26);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn j04_signatures_and_keys_combined() {
    let (judged, _, wrong) = judge(COMBINED, false);
    assert_eq!(judged, 83);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
