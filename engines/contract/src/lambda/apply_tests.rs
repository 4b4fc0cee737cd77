//! Rows of lambda-edge.md 13 that need no engine.

use super::super::Context;
use super::*;
use crate::Header;
use serde_json::json;

fn event(hook: HookPoint) -> Event {
    let origin = Origin {
        domain_name: "127.0.0.1".to_owned(),
        port: 9000,
        https: false,
        path: String::new(),
        custom_headers: Vec::new(),
        read_timeout: 30,
        keepalive_timeout: 5,
        s3: None,
    };
    let request = RequestMessage {
        method: "GET".to_owned(),
        uri: "/a".to_owned(),
        query: Some("q=1".to_owned()),
        headers: vec![
            Header::new("host", "h.example"),
            Header::new("x-l", b"\xe9".as_slice()),
            Header::new("if-none-match", "\"t\""),
            Header::new("if-match", "\"t\""),
        ],
    };
    let response = ResponseMessage {
        status: 200,
        reason: None,
        headers: vec![Header::new("content-length", "3"), Header::new("via", "1.1 o"), Header::new("x-o", "1")],
    };
    Event {
        hook,
        context: Context::default(),
        client_ip: "192.0.2.7".to_owned(),
        request,
        body: None,
        origin: matches!(hook, HookPoint::OriginRequest | HookPoint::OriginResponse).then_some(origin),
        response: (!hook.is_request()).then_some(response),
        lower_case_keys: false,
    }
}

/// The `cf` object a function would see at `hook`, changed by `edit`, returned as `part` of it.
fn returns(hook: HookPoint, part: &str, edit: impl FnOnce(&mut Value)) -> Result<Applied, &'static str> {
    let event = event(hook);
    let seen: Value = serde_json::from_slice(&event.to_json()).unwrap();
    let mut value = seen["Records"][0]["cf"][part].clone();
    edit(&mut value);
    apply(&event, value.to_string().as_bytes(), OriginRules::Aws).map_err(|violation| violation.code.as_str())
}

fn returns_raw(hook: HookPoint, value: &Value) -> Result<Applied, &'static str> {
    apply(&event(hook), value.to_string().as_bytes(), OriginRules::Aws).map_err(|violation| violation.code.as_str())
}

use HookPoint::{OriginRequest, OriginResponse, ViewerRequest, ViewerResponse};

#[test]
fn untouched_messages_pass_at_every_hook() {
    for hook in HookPoint::ALL {
        let part = if hook.is_request() { "request" } else { "response" };
        match returns(hook, part, |_| {}) {
            Ok(Applied::Request { request, origin: None, body: None }) => assert_eq!(request, event(hook).request),
            Ok(Applied::Response(AppliedResponse { message, body: None })) => {
                assert_eq!(Some(message), event(hook).response);
            }
            other => panic!("{hook:?}: {other:?}"),
        }
    }
}

#[test]
fn what_is_neither_request_nor_response() {
    for (value, code) in [
        (json!(null), "json.not-object"),
        (json!([]), "json.not-object"),
        (json!("x"), "json.not-object"),
        (json!(7), "json.not-object"),
        (json!({}), "kind.unknown"),
        (json!({"Records": []}), "kind.unknown"),
    ] {
        assert_eq!(returns_raw(ViewerRequest, &value), Err(code), "{value}");
    }
    assert_eq!(
        apply(&event(ViewerRequest), b"{\"status\":NaN}", OriginRules::Aws).unwrap_err().code.as_str(),
        "json.unparsable"
    );
    assert_eq!(returns(OriginResponse, "request", |_| {}), Err("kind.wrong-hook"));
    assert_eq!(returns(ViewerResponse, "request", |_| {}), Err("kind.wrong-hook"));
}

#[test]
fn statuses() {
    for status in [json!("200"), json!(200), json!(200.0), json!("599")] {
        assert!(returns_raw(OriginRequest, &json!({ "status": status })).is_ok(), "{status}");
    }
    for status in [json!("199"), json!("600"), json!("abc"), json!(200.5), json!(""), json!(null), json!("+200")] {
        assert_eq!(returns_raw(OriginRequest, &json!({ "status": status })), Err("status.range"), "{status}");
    }
    assert_eq!(returns(ViewerResponse, "response", |value| value["status"] = json!("404")), Err("status.changed"));
}

#[test]
fn bodies() {
    assert_eq!(returns_raw(ViewerRequest, &json!({"status": "204", "body": "x"})), Err("body.with-204"));
    let at_origin = returns_raw(OriginRequest, &json!({"status": "204", "body": "x"}));
    assert!(matches!(at_origin, Ok(Applied::Response(AppliedResponse { body: Some(body), .. })) if body.is_empty()));
    assert_eq!(returns(ViewerResponse, "response", |value| value["body"] = json!("x")), Err("body.not-here"));
    assert_eq!(returns_raw(ViewerRequest, &json!({"status": 200, "body": 1})), Err("body.type"));
    assert_eq!(
        returns_raw(ViewerRequest, &json!({"status": 200, "body": "x", "bodyEncoding": "gzip"})),
        Err("body.type")
    );
    assert_eq!(
        returns_raw(ViewerRequest, &json!({"status": 200, "body": "x", "bodyEncoding": "base64"})),
        Err("body.base64")
    );
    assert!(returns_raw(ViewerRequest, &json!({"status": 200, "body": "x".repeat(40_960)})).is_ok());
    assert_eq!(returns_raw(ViewerRequest, &json!({"status": 200, "body": "x".repeat(40_961)})), Err("body.size"));
    assert_eq!(returns_raw(OriginRequest, &json!({"status": 200, "body": "x".repeat(1_048_577)})), Err("body.size"));
    let binary = returns_raw(OriginRequest, &json!({"status": 200, "body": "AP8=", "bodyEncoding": "base64"}));
    assert!(matches!(binary, Ok(Applied::Response(AppliedResponse { body: Some(body), .. })) if body == [0, 255]));
    let emptied = returns(OriginResponse, "response", |value| value["body"] = json!(""));
    assert!(matches!(emptied, Ok(Applied::Response(AppliedResponse { body: Some(body), .. })) if body.is_empty()));
}

#[test]
fn header_rules_per_hook() {
    let set = |name: &'static str, value: &'static str| {
        move |object: &mut Value| object["headers"][name] = json!([{ "value": value }])
    };
    let delete =
        |name: &'static str| move |object: &mut Value| drop(object["headers"].as_object_mut().unwrap().remove(name));
    assert_eq!(returns(ViewerRequest, "request", set("connection", "close")), Err("header.disallowed"));
    for name in ["x-amz-cf-a", "x-edge-a", "x-real-ip", "x-cache", "x-forwarded-proto"] {
        assert_eq!(returns(OriginResponse, "response", set(name, "1")), Err("header.disallowed"), "{name}");
    }
    assert!(returns(OriginRequest, "request", set("x-amzn-trace-id", "1")).is_ok());
    assert_eq!(returns(ViewerRequest, "request", set("host", "g")), Err("header.read-only"));
    assert!(returns(OriginRequest, "request", set("host", "g")).is_ok());
    assert_eq!(returns(OriginRequest, "request", delete("if-none-match")), Err("header.read-only"));
    assert!(returns(OriginRequest, "request", delete("if-match")).is_ok());
    assert_eq!(returns(OriginRequest, "request", set("accept-encoding", "br")), Err("header.read-only"));
    assert_eq!(returns(ViewerResponse, "response", set("content-length", "4")), Err("header.read-only"));
    assert_eq!(returns(ViewerResponse, "response", delete("content-length")), Err("header.read-only"));
    assert_eq!(returns(ViewerResponse, "response", set("warning", "x")), Err("header.read-only"));
    assert!(returns(OriginResponse, "response", delete("content-length")).is_ok());
    assert_eq!(returns(ViewerRequest, "request", set("x-a", "1\r\nx-b: 2")), Err("header.character"));
    assert_eq!(returns(ViewerRequest, "request", set("cloudfront-viewer-country", "FR")), Err("header.disallowed"));
    let respelt = |object: &mut Value| object["headers"]["host"][0]["key"] = json!("HOST");
    assert!(returns(ViewerRequest, "request", respelt).is_ok());
    assert_eq!(
        returns_raw(ViewerRequest, &json!({"status": 200, "headers": {"content-length": [{"value": "1"}]}})),
        Err("header.read-only")
    );
}

#[test]
fn untouched_bytes_survive_an_edit_elsewhere() {
    let edit = |object: &mut Value| object["headers"]["x-n"] = json!([{ "value": ["1", "2"] }]);
    let Ok(Applied::Request { request, .. }) = returns(ViewerRequest, "request", edit) else { panic!("refused") };
    assert!(request.headers.contains(&Header::new("x-l", b"\xe9".as_slice())));
    assert_eq!(request.headers.iter().filter(|header| header.name == "x-n").count(), 2);
}

#[test]
fn uri_and_query() {
    let uri = |uri: &str| returns(ViewerRequest, "request", |object| object["uri"] = json!(uri)).map(drop);
    for bad in ["index.html", "/a?b", "/a b", "/a#b", "/a\n"] {
        assert_eq!(uri(bad), Err("uri.format"), "{bad:?}");
    }
    assert_eq!(uri(&format!("/{}", "x".repeat(8_188))), Err("uri.length"));
    assert_eq!(uri(&format!("/{}", "x".repeat(8_187))), Ok(()));
    for bad in [json!("a b"), json!("a#b"), json!(1)] {
        assert_eq!(returns(ViewerRequest, "request", |object| object["querystring"] = bad), Err("query.format"));
    }
    assert_eq!(returns(ViewerRequest, "request", |object| object["method"] = json!("PUT")), Err("request.read-only"));
    assert_eq!(returns(ViewerRequest, "request", |object| object["clientIp"] = json!("::1")), Err("request.read-only"));
}

#[test]
fn origins() {
    let set = |field: &str, value: Value| {
        returns(OriginRequest, "request", |object| object["origin"]["custom"][field] = value).map(|applied| {
            match applied {
                Applied::Request { origin, .. } => origin,
                Applied::Response(_) => None,
            }
        })
    };
    assert_eq!(set("domainName", json!("Other.example")).unwrap().unwrap().domain_name, "other.example");
    for bad in ["10.0.0.1", "a:80", "", "::1", "2130706433", "0x7f.1", "0x7f.0x1", "127.1", "a b"] {
        assert_eq!(set("domainName", json!(bad)), Err("origin.field"), "{bad}");
    }
    assert_eq!(set("port", json!(8080)).unwrap().unwrap().port, 8080);
    for bad in [81, 22, 65_536] {
        assert_eq!(set("port", json!(bad)), Err("origin.field"));
    }
    assert_eq!(set("readTimeout", json!(61)).unwrap().unwrap().read_timeout, 61);
    assert_eq!(set("readTimeout", json!(3)), Err("origin.field"));
    assert_eq!(set("readTimeout", json!(181)), Err("origin.field"));
    assert_eq!(set("path", json!("/a/")), Err("origin.field"));
    assert_eq!(set("sslProtocols", json!(["TLSv9"])), Err("origin.field"));
    assert_eq!(set("customHeaders", json!({"host": [{"value": "x"}]})), Err("origin.header"));
    assert_eq!(set("customHeaders", json!({"x-l": [{"value": "x"}]})), Err("origin.header"));
    assert_eq!(set("customHeaders", json!({"x-new": [{"value": "x"}]})).unwrap().unwrap().custom_headers.len(), 1);
    let both = |object: &mut Value| object["origin"]["s3"] = json!({});
    assert_eq!(returns(OriginRequest, "request", both), Err("origin.shape"));
    let removed = |object: &mut Value| drop(object.as_object_mut().unwrap().remove("origin"));
    assert!(matches!(returns(OriginRequest, "request", removed), Ok(Applied::Request { origin: None, .. })));
}

#[test]
fn relaxed_rules_let_more_origins_pass() {
    let set = |field: &str, value: Value| {
        let event = event(OriginRequest);
        let seen: Value = serde_json::from_slice(&event.to_json()).unwrap();
        let mut request = seen["Records"][0]["cf"]["request"].clone();
        request["origin"]["custom"][field] = value;
        match apply(&event, request.to_string().as_bytes(), OriginRules::Relaxed) {
            Ok(Applied::Request { origin: Some(origin), .. }) => Ok(origin),
            Ok(other) => panic!("{other:?}"),
            Err(violation) => Err(violation.code.as_str()),
        }
    };
    assert_eq!(set("domainName", json!("10.0.0.1")).unwrap().domain_name, "10.0.0.1");
    assert_eq!(set("domainName", json!("127.1")), Err("origin.field"), "an address is spelt out");
    assert_eq!(set("port", json!(22)).unwrap().port, 22);
    assert_eq!(set("port", json!(0)), Err("origin.field"));
    assert_eq!(set("readTimeout", json!(1)).unwrap().read_timeout, 4);
    assert_eq!(set("readTimeout", json!(900)).unwrap().read_timeout, 180);
    assert_eq!(set("keepaliveTimeout", json!(0)).unwrap().keepalive_timeout, 1);
    assert_eq!(set("readTimeout", json!("9")), Err("origin.field"));
}

#[test]
fn s3_origins() {
    let to_s3 = |fields: Value| {
        returns(OriginRequest, "request", |object| object["origin"] = json!({ "s3": fields })).map(|applied| {
            match applied {
                Applied::Request { origin, .. } => origin.unwrap(),
                Applied::Response(_) => panic!("a response"),
            }
        })
    };
    let plain = json!({"domainName": "pics.s3.eu-west-1.amazonaws.com", "path": "/a", "authMethod": "none"});
    let origin = to_s3(plain.clone()).unwrap();
    assert_eq!((origin.bucket(), origin.path.as_str(), origin.https), ("pics", "/a", true));
    assert_eq!(origin.s3, Some(crate::lambda::S3::default()));
    let with = |field: &str, value: Value| {
        let mut changed = plain.clone();
        changed[field] = value;
        changed
    };
    for (field, value, code) in [
        ("authMethod", json!("origin-access-identity"), "origin.field"),
        ("authMethod", json!("iam"), "origin.field"),
        ("domainName", json!("Pics.s3.amazonaws.com"), "origin.field"),
        ("domainName", json!("127.0.0.1"), "origin.field"),
        ("domainName", json!("x".repeat(129)), "origin.field"),
        ("path", json!("/a/"), "origin.field"),
        ("region", json!(1), "origin.field"),
        ("customHeaders", json!({"range": [{"value": "x"}]}), "origin.header"),
    ] {
        assert_eq!(to_s3(with(field, value.clone())), Err(code), "{field} {value}");
    }
    // The other way, and keeping the identity that there is.
    let mut event = event(OriginRequest);
    event.origin = Some(Origin { s3: Some(crate::lambda::S3 { identity: true, region: String::new() }), ..origin });
    let seen: Value = serde_json::from_slice(&event.to_json()).unwrap();
    let request = &seen["Records"][0]["cf"]["request"];
    let returned = |origin: Value| {
        let mut request = request.clone();
        request["origin"] = origin;
        apply(&event, request.to_string().as_bytes(), OriginRules::Aws).map_err(|violation| violation.code.as_str())
    };
    let mut other = request["origin"].clone();
    other["s3"]["domainName"] = json!("other.s3.amazonaws.com");
    assert!(returned(other.clone()).is_ok());
    other["s3"]["authMethod"] = json!("none");
    assert_eq!(returned(other), Err("origin.field"));
    let custom = json!({"custom": {"domainName": "a.example", "port": 443, "protocol": "https", "path": ""}});
    assert!(returned(custom).is_ok());
}
