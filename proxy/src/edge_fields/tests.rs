//! Every field that the edge adds, from what it knows and from what it does not.

use super::*;
use crate::{
    gate,
    listener::{Fingerprints, Scheme, TlsInfo},
};
use http_body_util::BodyExt as _;
use serde_json::json;
use std::io::Write as _;

#[path = "../../../tests/harness/mmdb.rs"]
mod mmdb;

fn database(kind: &str, networks: &[(&str, u8, serde_json::Value)]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&mmdb::database(kind, networks)).unwrap();
    file
}

/// A place with everything, one with a country alone, and one in IPv6.
fn cities() -> tempfile::NamedTempFile {
    let everything = json!({
        "country": { "iso_code": "FR", "names": { "en": "France", "fr": "France" } },
        "subdivisions": [{ "iso_code": "IDF", "names": { "en": "Île-de-France" } }, { "iso_code": "75" }],
        "city": { "names": { "en": "Évry 100%" } },
        "location": { "latitude": 48.6333, "longitude": -2.45, "metro_code": 819, "time_zone": "Europe/Paris" },
        "postal": { "code": "91000" },
    });
    let little = json!({ "country": { "iso_code": "DE" }, "registered_country": { "iso_code": "US" } });
    let nowhere = json!({ "registered_country": { "iso_code": "US" } });
    database(
        "GeoLite2-City",
        &[
            ("192.0.2.0", 25, everything.clone()),
            ("198.51.100.7", 32, little),
            ("203.0.113.0", 24, nowhere),
            ("2001:db8::", 32, everything),
        ],
    )
}

fn arrival(peer: &str, tls: Option<TlsInfo>, request: &Request<()>) -> Arrival {
    let peer: SocketAddr = peer.parse().unwrap();
    let scheme = if tls.is_some() { Scheme::Https } else { Scheme::Http };
    let connection = Arc::new(Connection { peer, local: peer, scheme, tls, used: Arc::default() });
    Arrival::of(&connection, request, true)
}

fn received(arrival: &Arrival, request: &Request<()>) -> Box<Received> {
    let body = http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync();
    let mut copy = Request::new(body);
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    gate::receive(&arrival.connection, copy).unwrap().0
}

fn request(headers: &[(&'static str, &str)]) -> Request<()> {
    let mut request = Request::new(());
    request.headers_mut().insert("host", HeaderValue::from_static("www.example.com"));
    for (name, value) in headers {
        request.headers_mut().append(*name, HeaderValue::from_str(value).unwrap());
    }
    request
}

/// All fields that a request gets which asks for all of them.
fn all(geo: Option<&GeoDatabases>, peer: &str, tls: Option<TlsInfo>, request: &Request<()>) -> Vec<(String, String)> {
    let arrival = arrival(peer, tls, request);
    let mut received = received(&arrival, request);
    let names: Vec<String> = FACTS.iter().map(|(rest, _)| format!("{PREFIX}{rest}")).collect();
    write(&Asked::among(PREFIX, names.iter().map(String::as_str)), geo, &arrival, &mut received);
    let added = received.headers.iter().filter(|(name, _)| name.as_str().starts_with(PREFIX));
    added.map(|(name, value)| (name.as_str()[PREFIX.len()..].to_owned(), value.to_str().unwrap().to_owned())).collect()
}

fn of(found: &[(String, String)], name: &str) -> Option<String> {
    found.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

#[test]
fn places() {
    let (cities, networks) = (
        cities(),
        database("GeoLite2-ASN", &[("192.0.2.0", 24, json!({ "autonomous_system_number": 4_200_000_001_u32 }))]),
    );
    let open = OpenDatabases::default();
    let geo = open.open(Some(cities.path()), Some(networks.path())).unwrap().unwrap();
    for peer in ["192.0.2.9:4711", "[2001:db8::1]:4711", "[::ffff:192.0.2.9]:4711"] {
        let found = all(Some(&geo), peer, None, &request(&[]));
        for (name, value) in [
            ("viewer-country", "FR"),
            ("viewer-country-name", "France"),
            ("viewer-country-region", "IDF"),
            ("viewer-country-region-name", "%C3%8Ele-de-France"),
            ("viewer-city", "%C3%89vry 100%25"),
            ("viewer-latitude", "48.63330"),
            ("viewer-longitude", "-2.45000"),
            ("viewer-metro-code", "819"),
            ("viewer-postal-code", "91000"),
            ("viewer-time-zone", "Europe/Paris"),
        ] {
            assert_eq!(of(&found, name).as_deref(), Some(value), "{peer} {name}");
        }
        let asn = (!peer.contains("db8")).then(|| "4200000001".to_owned());
        assert_eq!(of(&found, "viewer-asn"), asn, "{peer}");
    }
    assert_eq!(geo.country("198.51.100.7".parse().unwrap()).as_deref(), Some("DE"));
}

#[test]
fn what_is_not_known_is_absent() {
    let cities = cities();
    let geo = OpenDatabases::default().open(Some(cities.path()), None).unwrap().unwrap();
    let places = ["country", "city", "latitude", "postal-code", "time-zone", "asn", "metro-code"];
    for (peer, known) in
        [("198.51.100.7:1", &["country"][..]), ("203.0.113.1:1", &[]), ("198.51.100.8:1", &[]), ("[2001:db9::]:1", &[])]
    {
        let found = all(Some(&geo), peer, None, &request(&[]));
        for name in places {
            assert_eq!(of(&found, &format!("viewer-{name}")).is_some(), known.contains(&name), "{peer} {name}");
        }
    }
    let found = all(None, "192.0.2.9:1", None, &request(&[]));
    assert!(places.iter().all(|name| of(&found, &format!("viewer-{name}")).is_none()), "{found:?}");
    assert!(
        ["tls", "ja3-fingerprint", "ja4-fingerprint"]
            .iter()
            .all(|name| of(&found, &format!("viewer-{name}")).is_none())
    );
}

#[test]
fn connections() {
    let tls = |resumed| TlsInfo {
        version: "TLSv1.3",
        cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
        sni: None,
        resumed,
        fingerprints: Some(Fingerprints { ja3: "3".to_owned(), ja4: "4".to_owned() }),
    };
    let asked = request(&[]);
    let found = all(None, "192.0.2.9:4711", Some(tls(false)), &asked);
    assert_eq!(of(&found, "viewer-tls").unwrap(), "TLSv1.3:TLS_AES_128_GCM_SHA256:fullHandshake");
    assert_eq!(of(&found, "viewer-address").unwrap(), "192.0.2.9:4711");
    assert_eq!(
        (of(&found, "viewer-ja3-fingerprint").unwrap(), of(&found, "viewer-ja4-fingerprint").unwrap()),
        ("3".to_owned(), "4".to_owned())
    );
    assert_eq!(
        (of(&found, "forwarded-proto").unwrap(), of(&found, "viewer-http-version").unwrap()),
        ("https".to_owned(), "1.1".to_owned())
    );
    let found = all(None, "[2001:db8::1]:4711", Some(tls(true)), &asked);
    assert_eq!(of(&found, "viewer-tls").unwrap(), "TLSv1.3:TLS_AES_128_GCM_SHA256:sessionResumed");
    assert_eq!(of(&found, "viewer-address").unwrap(), "2001:db8::1:4711");

    let first = arrival("192.0.2.9:1", Some(tls(true)), &asked);
    let second = Arrival::of(&first.connection, &asked, false);
    let mut again = received(&second, &asked);
    write(
        &Asked::among(PREFIX, ["cloudfront-viewer-tls", "cloudfront-viewer-header-count"]),
        None,
        &second,
        &mut again,
    );
    assert_eq!(again.headers["cloudfront-viewer-tls"], "TLSv1.3:TLS_AES_128_GCM_SHA256:connectionReused");
    assert!(!again.headers.contains_key("cloudfront-viewer-header-count"), "its order was not kept");
}

#[test]
fn the_order_of_fields_is_that_of_the_wire() {
    let asked = request(&[
        ("user-agent", "x"),
        ("connection", "x-b"),
        ("x-b", "1"),
        ("accept", "a"),
        ("x-b", "2"),
        ("cloudfront-viewer-country", "XX"),
    ]);
    let found = all(None, "192.0.2.9:1", None, &asked);
    let order = "host:user-agent:connection:x-b:accept:cloudfront-viewer-country";
    assert_eq!(
        (of(&found, "viewer-header-order").unwrap().as_str(), of(&found, "viewer-header-count").unwrap().as_str()),
        (order, "7")
    );
    assert_eq!(of(&found, "viewer-country"), None, "what a viewer sends is not believed");
}

#[test]
fn a_long_order_is_cut_behind_a_name() {
    let mut long = request(&[]);
    for number in 0..400 {
        let name = HeaderName::try_from(format!("x-a-rather-long-name-{number:03}")).unwrap();
        long.headers_mut().insert(name, HeaderValue::from_static("1"));
    }
    let order = order(&long);
    assert!(order.len() <= ORDER_LIMIT && order.len() > ORDER_LIMIT - 25, "{}", order.len());
    assert!(
        order.ends_with(|last: char| last.is_ascii_digit())
            && order.split(':').all(|name| name == "host" || name.len() == 24)
    );
}

#[test]
fn only_what_is_asked_for_is_added() {
    let asked = Asked::among(PREFIX, ["accept-language", "cloudfront-is-mobile-viewer", "cloudfront-no-such-field"]);
    assert_eq!(asked.0.len(), 1);
    let request = request(&[("user-agent", "Mozilla/5.0 (iPhone) Mobile")]);
    let arrival = arrival("192.0.2.9:1", None, &request);
    let mut received = received(&arrival, &request);
    write(&asked, None, &arrival, &mut received);
    let added: Vec<_> = received.headers.iter().filter(|(name, _)| name.as_str().starts_with(PREFIX)).collect();
    assert_eq!(added.len(), 1);
    assert_eq!(added[0].1, "true");
}

#[test]
fn databases_are_shared_while_their_file_stays_the_same() {
    let open = OpenDatabases::default();
    let file = cities();
    let first = open.reader(file.path()).unwrap();
    assert!(Arc::ptr_eq(&first, &open.reader(file.path()).unwrap()));
    std::fs::write(
        file.path(),
        mmdb::database("GeoLite2-City", &[("192.0.2.0", 24, json!({ "country": { "iso_code": "IT" } }))]),
    )
    .unwrap();
    let second = open.reader(file.path()).unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    std::fs::write(file.path(), b"no database").unwrap();
    let error = open.reader(file.path()).unwrap_err().to_string();
    assert!(error.contains("is not a MaxMind database"), "{error}");
}
