//! J01, J02, J03 and more: a corpus of forged and mangled tokens. Not one may be accepted.

use super::{super::*, NOW, SECRET, check, claims, encode, key_set, pem, rules, signed, token};
use jsonwebtoken::{Algorithm as Theirs, EncodingKey, crypto};
use serde_json::json;
use std::collections::BTreeSet;

const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::HS256, Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];

/// Tokens and what is wrong with them, for the key of one algorithm.
#[derive(Default)]
struct Corpus(Vec<(Algorithm, String, String)>);

impl Corpus {
    fn add(&mut self, against: Algorithm, what: impl Into<String>, token: impl Into<String>) {
        self.0.push((against, what.into(), token.into()));
    }
}

fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<&str> = token.split('.').collect();
    parts.try_into().unwrap()
}

/// J01: another algorithm than the key's, or none.
fn algorithms(corpus: &mut Corpus) {
    let payload = claims().to_string();
    for against in ALGORITHMS {
        for alg in [
            r#""none""#,
            r#""None""#,
            r#""NONE""#,
            r#""nOnE""#,
            r#""""#,
            "null",
            "1",
            "[]",
            r#"["none"]"#,
            "{}",
            "true",
        ] {
            let header = format!("{{\"alg\":{alg}}}");
            corpus.add(
                against,
                format!("alg {alg}, no signature"),
                format!("{}.{}.", encode(&header), encode(&payload)),
            );
            let genuine = token(against, &claims());
            let [_, body, signature] = parts(&genuine);
            corpus.add(against, format!("alg {alg}, a signature"), format!("{}.{body}.{signature}", encode(&header)));
        }
        corpus.add(against, "no alg", signed(against, r#"{"typ":"JWT"}"#, &payload));
        corpus.add(
            against,
            "alg in lower case",
            signed(against, &format!(r#"{{"alg":"{}"}}"#, against.as_str().to_lowercase()), &payload),
        );
        corpus.add(
            against,
            "alg with a blank",
            signed(against, &format!(r#"{{"alg":"{} "}}"#, against.as_str()), &payload),
        );
        for other in Algorithm::ALL.into_iter().filter(|other| *other != against) {
            // Signed by the key itself, but said to be something else.
            corpus.add(
                against,
                format!("said to be {other:?}"),
                signed(against, &json!({ "alg": other.as_str() }).to_string(), &payload),
            );
        }
    }
    confusion(corpus);
}

/// A public key taken for a secret, in every form that somebody may hold it in; and keys of other types.
fn confusion(corpus: &mut Corpus) {
    let payload = claims().to_string();
    for (against, pem) in [
        (Algorithm::RS256, &pem!("rsa.pub")[..]),
        (Algorithm::PS256, &pem!("rsa.pub")[..]),
        (Algorithm::ES256, &pem!("p256.pub")[..]),
        (Algorithm::EdDSA, &pem!("ed25519.pub")[..]),
    ] {
        let text = String::from_utf8(pem.to_vec()).unwrap();
        let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let der = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, &base64).unwrap();
        let secrets =
            [text.clone().into_bytes(), text.trim_end().as_bytes().to_vec(), base64.into_bytes(), der, Vec::new()];
        for (form, secret) in secrets.iter().enumerate() {
            for alg in ["HS256", "HS384", "HS512"] {
                let message = format!("{}.{}", encode(json!({ "alg": alg }).to_string()), encode(&payload));
                let key = EncodingKey::from_secret(secret);
                let signature = crypto::sign(message.as_bytes(), &key, alg.parse().unwrap()).unwrap();
                corpus.add(
                    against,
                    format!("{alg} with the public key as secret, form {form}"),
                    format!("{message}.{signature}"),
                );
                // And with the algorithm of the key written over it.
                let message =
                    format!("{}.{}", encode(json!({ "alg": against.as_str() }).to_string()), encode(&payload));
                let signature = crypto::sign(message.as_bytes(), &key, alg.parse().unwrap()).unwrap();
                corpus.add(
                    against,
                    format!("{alg} under the key's own name, form {form}"),
                    format!("{message}.{signature}"),
                );
            }
        }
    }
    let sign = |key: &EncodingKey, theirs: Theirs, alg: &str| {
        let message = format!("{}.{}", encode(json!({ "alg": alg }).to_string()), encode(&payload));
        format!("{message}.{}", crypto::sign(message.as_bytes(), key, theirs).unwrap())
    };
    let other_rsa = EncodingKey::from_rsa_pem(pem!("rsa2")).unwrap();
    let p384 = EncodingKey::from_ec_pem(pem!("p384")).unwrap();
    corpus.add(Algorithm::RS256, "another RSA key", sign(&other_rsa, Theirs::RS256, "RS256"));
    corpus.add(Algorithm::PS256, "another RSA key", sign(&other_rsa, Theirs::PS256, "PS256"));
    corpus.add(
        Algorithm::RS256,
        "PSS under the name of PKCS 1",
        sign(&EncodingKey::from_rsa_pem(pem!("rsa")).unwrap(), Theirs::PS256, "RS256"),
    );
    corpus.add(
        Algorithm::PS256,
        "PKCS 1 under the name of PSS",
        sign(&EncodingKey::from_rsa_pem(pem!("rsa")).unwrap(), Theirs::RS256, "PS256"),
    );
    corpus.add(Algorithm::ES256, "P-384 under the name of P-256", sign(&p384, Theirs::ES384, "ES256"));
    corpus.add(Algorithm::HS256, "another secret", sign(&EncodingKey::from_secret(b"guess"), Theirs::HS256, "HS256"));
    corpus.add(Algorithm::HS256, "an empty secret", sign(&EncodingKey::from_secret(b""), Theirs::HS256, "HS256"));
    corpus.add(Algorithm::HS256, "a longer hash", sign(&EncodingKey::from_secret(SECRET), Theirs::HS512, "HS256"));
}

/// J02: the form of a token.
fn forms(corpus: &mut Corpus) {
    for against in ALGORITHMS {
        let genuine = token(against, &claims());
        let [header, payload, signature] = parts(&genuine);
        let mut add = |what: &str, token: String| corpus.add(against, what, token);
        add("empty signature", format!("{header}.{payload}."));
        add("no signature", format!("{header}.{payload}"));
        add("only a header", header.to_owned());
        add("nothing", String::new());
        add("dots", "..".to_owned());
        add("four parts", format!("{genuine}.x"));
        add("an empty fourth part", format!("{genuine}."));
        add("a dot in front", format!(".{genuine}"));
        add("no header", format!(".{payload}.{signature}"));
        add("no payload", format!("{header}..{signature}"));
        add("padding on the signature", format!("{genuine}="));
        add("padding on the header", format!("{header}=.{payload}.{signature}"));
        add("a blank in front", format!(" {genuine}"));
        add("a blank behind", format!("{genuine} "));
        add("a line break", format!("{genuine}\n"));
        add("a blank within", genuine.replacen('.', ". ", 1));
        add("NUL behind", format!("{genuine}\0"));
        add("the signature cut", genuine[..genuine.len() - 4].to_owned());
        add("the signature extended", format!("{genuine}AAAA"));
        add("the signature twice", format!("{header}.{payload}.{signature}{signature}"));
        add("parts exchanged", format!("{payload}.{header}.{signature}"));
        add("quoted", format!("\"{genuine}\""));
        add("with a scheme", format!("Bearer {genuine}"));
        add("two tokens", format!("{genuine},{genuine}"));
        add(
            "JSON serialisation",
            json!({ "protected": header, "payload": payload, "signature": signature }).to_string(),
        );
        add(
            "JSON serialisation, general",
            json!({ "payload": payload, "signatures": [{ "protected": header, "signature": signature }] }).to_string(),
        );
        let mut later = claims();
        later["exp"] = json!(NOW + 999_999);
        add("another payload", format!("{header}.{}.{signature}", encode(later.to_string())));
        add("the same payload written otherwise", format!("{header}.{}.{signature}", encode(format!("{} ", claims()))));
        add("too long", format!("{header}.{}.{signature}", "A".repeat(TOKEN_LIMIT)));
        let header_long = format!(r#"{{"alg":"{}","x":"{}"}}"#, against.as_str(), "x".repeat(1600));
        add("too long a header", signed(against, &header_long, &claims().to_string()));
        for (from, to) in [('-', '+'), ('_', '/')] {
            if signature.contains(from) {
                add(
                    "the ordinary alphabet",
                    format!("{header}.{payload}.{}", signature.replace(from, &to.to_string())),
                );
            }
        }
    }
}

/// Header members that must not do anything, or must not be there. All are genuinely signed where the key allows.
fn headers(corpus: &mut Corpus) {
    let payload = claims().to_string();
    for against in ALGORITHMS {
        let alg = against.as_str();
        for member in [
            r#""crit":[]"#,
            r#""crit":["exp"]"#,
            r#""crit":["b64"],"b64":false"#,
            r#""b64":true"#,
            r#""zip":"DEF""#,
            r#""enc":"A128GCM""#,
            r#""typ":1"#,
            r#""cty":[]"#,
            r#""kid":["a"]"#,
        ] {
            corpus.add(against, member, signed(against, &format!("{{\"alg\":\"{alg}\",{member}}}"), &payload));
        }
        corpus.add(
            against,
            "alg twice",
            signed(against, &format!("{{\"alg\":\"{alg}\",\"alg\":\"{alg}\"}}"), &payload),
        );
        corpus.add(
            against,
            "something behind the header",
            signed(against, &format!("{{\"alg\":\"{alg}\"}} x"), &payload),
        );
        corpus.add(
            against,
            "a deep header",
            signed(against, &format!("{{\"alg\":\"{alg}\",\"x\":{}1{}}}", "[".repeat(17), "]".repeat(17)), &payload),
        );
        corpus.add(against, "a header that is a list", signed(against, &format!("[\"{alg}\"]"), &payload));
        corpus.add(against, "an encrypted payload", signed(against, &format!("{{\"alg\":\"{alg}\"}}"), "\u{1}\u{2}"));
    }
    // An attacker's key within the token.
    let own = EncodingKey::from_rsa_pem(pem!("rsa2")).unwrap();
    for member in [
        r#""jwk":{"kty":"RSA","n":"AQ","e":"AQAB"}"#,
        r#""jku":"http://127.0.0.1:9/k""#,
        r#""x5u":"http://127.0.0.1:9/k""#,
        r#""x5c":["AA"]"#,
    ] {
        let message = format!("{}.{}", encode(format!("{{\"alg\":\"RS256\",{member}}}")), encode(&payload));
        let signature = crypto::sign(message.as_bytes(), &own, Theirs::RS256).unwrap();
        corpus.add(Algorithm::RS256, member, format!("{message}.{signature}"));
    }
}

/// J03: signatures that are numbers at their limits.
fn numbers(corpus: &mut Corpus) {
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let (zero, mut one, all) = ([0; 32], [0; 32], [0xff; 32]);
    one[31] = 1;
    let genuine = token(Algorithm::ES256, &claims());
    let [header, payload, signature] = parts(&genuine);
    let real = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, signature).unwrap();
    let (r, s): ([u8; 32], [u8; 32]) = (real[..32].try_into().unwrap(), real[32..].try_into().unwrap());
    let named = [("0", zero), ("1", one), ("n", order), ("2^256-1", all), ("r", r), ("s", s)];
    for (r_name, r_value) in named {
        for (s_name, s_value) in named.iter().filter(|(name, _)| (r_name, *name) != ("r", "s")) {
            let forged = encode([r_value, *s_value].concat());
            corpus.add(Algorithm::ES256, format!("r = {r_name}, s = {s_name}"), format!("{header}.{payload}.{forged}"));
        }
    }
    let integer = |number: &[u8; 32]| {
        let sign = usize::from(number[0] >= 0x80);
        let mut der = vec![2, u8::try_from(32 + sign).unwrap()];
        der.extend(vec![0; sign]);
        der.extend(number);
        der
    };
    let body = [integer(&r), integer(&s)].concat();
    let der = [vec![0x30, u8::try_from(body.len()).unwrap()], body].concat();
    corpus.add(Algorithm::ES256, "DER", format!("{header}.{payload}.{}", encode(der)));
    for against in [Algorithm::RS256, Algorithm::PS256, Algorithm::EdDSA] {
        let genuine = token(against, &claims());
        let [header, payload, signature] = parts(&genuine);
        let length = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, signature).unwrap().len();
        for byte in [0, 1, 0x7f, 0xff] {
            corpus.add(
                against,
                format!("all bytes {byte}"),
                format!("{header}.{payload}.{}", encode(vec![byte; length])),
            );
        }
    }
}

#[test]
fn j01_j02_j03_no_attack_is_accepted() {
    let mut corpus = Corpus::default();
    algorithms(&mut corpus);
    forms(&mut corpus);
    headers(&mut corpus);
    numbers(&mut corpus);
    let different: BTreeSet<&String> = corpus.0.iter().map(|(_, _, token)| token).collect();
    assert!(different.len() >= 150, "{} attacks", different.len());
    for against in ALGORITHMS {
        assert_eq!(check(against, &token(against, &claims())), Ok(()), "the genuine one of {against:?}");
    }
    let accepted: Vec<_> = corpus.0.iter().filter(|(against, _, token)| check(*against, token).is_ok()).collect();
    assert!(accepted.is_empty(), "{accepted:#?}");
    println!("{} attacks, 0 accepted", different.len());
}

#[test]
fn j02_every_flipped_bit_is_noticed() {
    for against in ALGORITHMS {
        let genuine = token(against, &claims());
        let (keys, rules) = (key_set(against), rules());
        for at in 0..genuine.len() {
            for bit in 0..7 {
                let mut bytes = genuine.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let forged = String::from_utf8(bytes).unwrap();
                assert!(verify(&forged, &keys, &rules, NOW).is_err(), "{against:?}: byte {at}, bit {bit}");
            }
        }
    }
}

#[test]
fn j01_nothing_is_computed_for_another_algorithm() {
    // A token that says the wrong algorithm is refused for that, although its signature is as wrong.
    for against in ALGORITHMS {
        for other in Algorithm::ALL.into_iter().filter(|other| *other != against) {
            let header = encode(json!({ "alg": other.as_str() }).to_string());
            let forged = format!("{header}.{}.{}", encode(claims().to_string()), encode([0; 64]));
            assert_eq!(check(against, &forged), Err(TokenProblem::Algorithm));
        }
    }
}
