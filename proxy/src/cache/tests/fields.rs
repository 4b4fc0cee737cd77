//! Tests of `fields`.

use super::*;
use proptest::prelude::*;

#[test]
fn what_is_written_is_read() {
    let mut map = HeaderMap::new();
    for (name, value) in [("etag", "\"1\""), ("x-own", ""), ("link", "<a>"), ("link", "<b>"), ("x-bytes", "a\tb")] {
        map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    map.append("x-high", HeaderValue::from_bytes(b"\xff\x80").unwrap());
    let fields = Fields::from(&map);
    assert_eq!(fields.to_map(), map);
    assert_eq!(fields.get(&header::LINK), Some(&b"<a>"[..]));
    assert_eq!(fields.get(&header::AGE), None);
}

#[test]
fn trailers_are_apart() {
    let mut map = HeaderMap::new();
    map.insert(header::ETAG, HeaderValue::from_static("\"1\""));
    let mut trailers = HeaderMap::new();
    trailers.append("x-sum", HeaderValue::from_static("1"));
    trailers.append("x-sum", HeaderValue::from_static("2"));
    let plain = Fields::from(&map);
    assert_eq!(plain.trailers(), None);
    assert_eq!(plain.with_trailers(&HeaderMap::new()), plain);
    let fields = plain.with_trailers(&trailers);
    assert_eq!((fields.to_map(), fields.trailers()), (map, Some(trailers.clone())));
    assert_eq!(fields.get(&HeaderName::from_static("x-sum")), None);
    trailers.remove("x-sum");
    trailers.append("x-other", HeaderValue::from_static("3"));
    assert_eq!(fields.with_trailers(&trailers).trailers(), Some(trailers));
    assert_eq!(Fields::default().trailers(), None);
}

#[test]
fn a_stored_head_keeps_no_buffer_alive() {
    let buffer = Bytes::from(vec![b'x'; 8192]);
    let mut map = HeaderMap::new();
    map.insert(header::ETAG, HeaderValue::from_maybe_shared(buffer.slice(..100)).unwrap());
    let fields = Fields::from(&map);
    drop(map);
    assert!(buffer.is_unique(), "nothing borrows from the connection's buffer");
    assert_eq!(fields.weight(), 1 + 4 + 100);
}

#[test]
fn every_known_name_has_its_place() {
    for name in &KNOWN {
        let mut map = HeaderMap::new();
        map.insert(name, HeaderValue::from_static("x"));
        let fields = Fields::from(&map);
        assert_eq!(fields.weight(), 6, "{name}");
        assert_eq!(fields.to_map(), map);
    }
}

proptest! {
    #[test]
    fn any_map_comes_back(lines in prop::collection::vec(("[a-z][a-z0-9-]{0,20}", "[ -~]{0,40}"), 0..20)) {
        let mut map = HeaderMap::new();
        for (name, value) in &lines {
            map.append(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
        }
        prop_assert_eq!(Fields::from(&map).to_map(), map);
    }
}
