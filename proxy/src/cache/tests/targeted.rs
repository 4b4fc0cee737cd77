//! Tests of `targeted`.

use http::HeaderValue;

use super::*;

fn read(lines: &[&str]) -> Option<CacheControl> {
    let name = HeaderName::from_static("cdn-cache-control");
    let headers = lines.iter().map(|line| (name.clone(), HeaderValue::from_str(line).unwrap())).collect();
    parse(&headers, &name)
}

#[test]
fn dictionaries_are_read_strictly() {
    let seconds = |line| read(&[line]).map(|directives| directives.max_age);
    assert_eq!(seconds("max-age=60"), Some(Some(60)));
    assert_eq!(seconds("max-age=1, max-age=2"), Some(Some(2)), "the last one wins");
    assert_eq!(seconds("max-age=60;foo=bar, unknown=1.5"), Some(Some(60)));
    assert_eq!(seconds("max-age=-5"), Some(Some(0)));
    assert_eq!(seconds("max-age=9999999999"), Some(Some(MAX_SECONDS)));
    assert_eq!(seconds("foo"), Some(None));
    for broken in [
        "",
        "max-age=\"60\"",
        "max-age=60.0",
        "max-age",
        "Max-Age=60",
        "max-age=60,",
        "max-age =60",
        "max-age= 60",
        "max-age=60 no-store",
        "max-age=99999999999999999",
        "no-store=1, max-age=60",
        "max-age=(60)",
    ] {
        assert_eq!(seconds(broken), None, "{broken}");
    }
    let both = read(&["max-age=60", "no-store"]).unwrap();
    assert!(both.no_store && both.max_age == Some(60), "lines are one list");
}

#[test]
fn flags_and_scopes() {
    let directives = read(&["no-store=?0, public, must-revalidate=?1, private=\"a, b\", no-cache"]).unwrap();
    assert!(!directives.no_store && directives.public && directives.must_revalidate);
    assert_eq!(directives.private.fields(), ["a", "b"]);
    assert_eq!(directives.no_cache, Scope::Whole);
    assert_eq!(read(&["no-cache=?0"]).unwrap().no_cache, Scope::Absent);
    assert_eq!(read(&["private=1"]), None);
}
