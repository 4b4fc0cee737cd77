//! The gate as a whole.

use super::*;
use crate::body;

fn connection() -> Arc<Connection> {
    let address = "192.0.2.7:1234".parse().unwrap();
    Arc::new(Connection { peer: address, local: address, scheme: Scheme::Http, tls: None, used: Arc::default() })
}

fn request(method: &str, target: &str, fields: &[(&str, &str)], body: Body) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

fn received(method: &str, target: &str, fields: &[(&str, &str)]) -> Result<Box<Received>, u16> {
    receive(&connection(), request(method, target, fields, body::empty()))
        .map(|(received, _)| received)
        .map_err(|fault| fault.status().as_u16())
}

#[test]
fn one_canonical_request() {
    let fields = [
        ("host", "WWW.example.com:80"),
        ("connection", "x-hop, close"),
        ("x-hop", "1"),
        ("x-edge-a", "1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "198.51.100.1"),
        ("cloudfront-viewer-country", "FR"),
        ("accept", "a"),
    ];
    let request = received("GET", "/a/../b?x=1", &fields).unwrap();
    assert_eq!((request.host.authority().as_str(), request.path.as_str()), ("www.example.com", "/b"));
    assert_eq!(request.query.as_deref(), Some("x=1"));
    let names: Vec<&str> = request.headers.keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    for name in ["host", "x-forwarded-for", "accept"] {
        assert!(names.contains(&name), "{name}");
    }
}

#[test]
fn refusals_have_their_status() {
    let host = ("host", "a");
    for (method, target, fields, status) in [
        ("GET", "/", &[][..], 400),
        ("GET", "/", &[host, host], 400),
        ("GET", "/", &[("host", "a@b")], 400),
        ("GET", "http://b/", &[host], 400),
        ("GET", "/%00", &[host], 400),
        ("CONNECT", "a:80", &[host], 405),
        ("get", "/", &[host], 501),
        ("POST", "/", &[host, ("expect", "200-ok")], 417),
        ("POST", "/", &[host, ("content-length", "5"), ("content-length", "5")], 400),
        ("POST", "/", &[host, ("content-length", "+5")], 400),
        ("POST", "/", &[host, ("content-length", "5"), ("transfer-encoding", "chunked")], 400),
        ("POST", "/", &[host, ("content_length", "5")], 400),
        ("GET", "/", &[host, ("connection", "cookie")], 400),
    ] {
        assert_eq!(received(method, target, fields).map(drop), Err(status), "{method} {target} {fields:?}");
    }
}

#[test]
fn bodies_are_noticed_where_there_should_be_none() {
    let host = ("host", "a");
    let noticed = |method, fields: &[(&'static str, &'static str)], body| {
        receive(&connection(), request(method, "/", fields, body)).unwrap().0.has_body
    };
    assert!(noticed("GET", &[host], body::full("x")));
    assert!(noticed("HEAD", &[host, ("content-length", "5")], body::empty()));
    assert!(!noticed("GET", &[host, ("content-length", "0")], body::empty()));
    assert!(!noticed("POST", &[host], body::full("x")));
}

#[test]
fn length_of_target_is_bounded() {
    let target = |length: usize| format!("/{}", "x".repeat(length - 1));
    assert!(received("GET", &target(8_191), &[("host", "a")]).is_ok());
    assert_eq!(received("GET", &target(8_192), &[("host", "a")]).map(drop), Err(414));
}
