//! J07, J08, J09: claims of the wrong type, times at their edges, members that are there twice. All tokens here are genuine.

use super::{super::*, NOW, claims, key_set, rules, signed, token};
use serde_json::{Value, json};

const HS: Algorithm = Algorithm::HS256;

fn verdict(rules: &Rules, claims: &Value, now: u64) -> Result<(), TokenProblem> {
    verify(&token(HS, claims), &key_set(HS), rules, now).map(drop)
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[test]
fn j07_wrong_types_are_refused() {
    let text = |payload: &str| {
        let token = signed(HS, r#"{"alg":"HS256"}"#, payload);
        verify(&token, &key_set(HS), &rules(), NOW).map(drop)
    };
    for (name, values) in [
        ("exp", vec![json!("1e9"), json!(-1), json!(1.5), json!(null), json!([NOW + 600]), json!(true)]),
        ("nbf", vec![json!("0"), json!(null), json!(-1), json!(0.5)]),
        ("iat", vec![json!("0"), json!(null), json!(-1), json!(0.5)]),
        ("iss", vec![json!(1), json!(["https://issuer"]), json!(null), json!({})]),
        ("aud", vec![json!(5), json!([5]), json!(["edge", 5]), json!({ "edge": 1 }), json!(null), json!(true)]),
        ("sub", vec![json!(7), json!(["u"]), json!(null)]),
        ("jti", vec![json!(7)]),
    ] {
        for value in values {
            let found = verdict(&rules(), &with(name, value.clone()), NOW);
            let expected = [TokenProblem::ClaimType(name), TokenProblem::Missing(name)];
            assert!(found.is_err_and(|problem| expected.contains(&problem)), "{name} {value}");
        }
    }
    for payload in ["", "[]", "null", "\"x\"", "{", "not json"] {
        assert!(text(payload).is_err(), "{payload}");
    }
    let huge = claims().to_string().replace(&(NOW + 600).to_string(), "1e400");
    assert!(text(&huge).is_err());
}

#[test]
fn j07_missing_and_other_values_are_refused() {
    for (claims, problem) in [
        (without("exp"), TokenProblem::Missing("exp")),
        (without("iss"), TokenProblem::Missing("iss")),
        (without("aud"), TokenProblem::Missing("aud")),
        (with("iss", json!("https://issuer/")), TokenProblem::Issuer),
        (with("iss", json!("HTTPS://ISSUER")), TokenProblem::Issuer),
        (with("aud", json!([])), TokenProblem::Audience),
        (with("aud", json!("edge2")), TokenProblem::Audience),
        (with("aud", json!("")), TokenProblem::Audience),
        (with("aud", json!(["a", "b"])), TokenProblem::Audience),
    ] {
        assert_eq!(verdict(&rules(), &claims, NOW), Err(problem), "{claims}");
    }
    assert_eq!(verdict(&rules(), &with("aud", json!(["a", "edge"])), NOW), Ok(()));
    for name in ["nbf", "iat", "sub"] {
        assert_eq!(verdict(&rules(), &without(name), NOW), Ok(()), "{name}");
    }
}

#[test]
fn j08_times_at_their_edges() {
    let rules = rules();
    for (claims, now, expected) in [
        (claims(), NOW + 600 + 29, Ok(())),
        (claims(), NOW + 600 + 30, Err(TokenProblem::Expired)),
        (with("nbf", json!(NOW + 30)), NOW, Ok(())),
        (with("nbf", json!(NOW + 31)), NOW, Err(TokenProblem::NotYet)),
        (with("iat", json!(NOW + 30)), NOW, Ok(())),
        (with("iat", json!(NOW + 31)), NOW, Err(TokenProblem::Future)),
        (claims(), NOW - 3600, Err(TokenProblem::NotYet)),
        (claims(), NOW + 3600, Err(TokenProblem::Expired)),
        (with("exp", json!(u64::MAX)), NOW, Ok(())),
        (with("exp", json!(0)), NOW, Err(TokenProblem::Expired)),
    ] {
        assert_eq!(verdict(&rules, &claims, now), expected, "{claims} at {now}");
    }
    let strict = Rules { leeway: 0, ..rules };
    assert_eq!(verdict(&strict, &claims(), NOW + 599), Ok(()));
    assert_eq!(verdict(&strict, &claims(), NOW + 600), Err(TokenProblem::Expired));
}

#[test]
fn j09_members_that_are_there_twice_are_refused() {
    let claims = claims().to_string();
    for twice in [
        claims.replacen('{', &format!("{{\"exp\":{},", NOW + 9999), 1),
        claims.replacen('{', "{\"aud\":\"edge\",", 1),
        claims.replacen('{', "{\"a\\u0075d\":\"edge\",", 1),
        claims.replacen('{', "{\"x\":{\"a\":1,\"a\":1},", 1),
    ] {
        let token = signed(HS, r#"{"alg":"HS256"}"#, &twice);
        let found = verify(&token, &key_set(HS), &rules(), NOW).map(drop);
        assert!(matches!(found, Err(TokenProblem::Claims(_))), "{twice} {found:?}");
    }
}

#[test]
fn types_claims_and_scopes() {
    let token = |typ: &str, claims: &Value| signed(HS, &format!("{{\"alg\":\"HS256\"{typ}}}"), &claims.to_string());
    let check = |rules: &Rules, token: &str| verify(token, &key_set(HS), rules, NOW).map(drop);
    let typed = Rules { typ: Some("at+jwt".to_owned()), ..rules() };
    assert_eq!(check(&typed, &token(",\"typ\":\"at+jwt\"", &claims())), Ok(()));
    assert_eq!(check(&typed, &token(",\"typ\":\"application/AT+JWT\"", &claims())), Ok(()));
    assert_eq!(check(&typed, &token(",\"typ\":\"JWT\"", &claims())), Err(TokenProblem::Type));
    assert_eq!(check(&typed, &token("", &claims())), Err(TokenProblem::Type));

    let admins = Rules { require: vec![("role".to_owned(), Matcher::Equals(json!("admin")))], ..rules() };
    assert_eq!(check(&admins, &token("", &with("role", json!(["user", "admin"])))), Ok(()));
    assert_eq!(check(&admins, &token("", &with("role", json!("user")))), Err(TokenProblem::Required));
    assert_eq!(check(&admins, &token("", &claims())), Err(TokenProblem::Required));

    let scoped = Rules { scopes: vec!["read".to_owned(), "write".to_owned()], ..rules() };
    for (name, value, expected) in [
        ("scope", json!("write read x"), Ok(())),
        ("scp", json!(["read", "write"]), Ok(())),
        ("scp", json!("read write"), Ok(())),
        ("scope", json!("read"), Err(TokenProblem::Scope)),
        ("scope", json!("readwrite"), Err(TokenProblem::Scope)),
        ("scope", json!("read write2"), Err(TokenProblem::Scope)),
        ("scope", json!(["read", "write"]), Err(TokenProblem::Scope)),
        ("scopes", json!("read write"), Err(TokenProblem::Scope)),
    ] {
        assert_eq!(check(&scoped, &token("", &with(name, value.clone()))), expected, "{name} {value}");
    }
}
