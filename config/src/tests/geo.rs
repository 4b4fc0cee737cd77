//! `[geo]`, lists of countries, and fields that the edge adds.

use super::*;
use crate::Countries;

const DATABASE: &str = "[geo]\ndatabase = \"geo/cities.mmdb\"\n";

fn behavior(keys: &str) -> String {
    format!("[origin.site]\ndir = \"site\"\n[[behavior]]\npath = \"*\"\norigin = \"site\"\n{keys}\n")
}

#[test]
fn databases_must_exist() {
    assert_eq!(codes(&format!("[geo]\nasn_database = \"none.mmdb\"\n{REST}"), Mode::Serve), ["E112"]);
    let found = config(&format!("{DATABASE}{REST}")).geo;
    assert_eq!((found.database, found.asn_database), (Some(examples().join("geo/cities.mmdb")), None));
}

#[test]
fn countries_of_a_behavior() {
    let found = |keys: &str| config(&format!("{DATABASE}{}", behavior(keys))).behaviors[0].countries.clone();
    assert_eq!(
        found("geo = { allow = [\"FR\", \"DE\"] }"),
        Some(Countries::Allow(vec!["FR".to_owned(), "DE".to_owned()]))
    );
    assert_eq!(found("geo = { deny = [\"XX\"] }"), Some(Countries::Deny(vec!["XX".to_owned()])));
    assert_eq!(found(""), None);
    for (keys, code) in [
        ("geo = { allow = [\"fr\"] }", "E107"),
        ("geo = { deny = [] }", "E107"),
        ("geo = {}", "E113"),
        ("geo = { allow = [\"FR\"], deny = [\"DE\"] }", "E113"),
    ] {
        assert_eq!(codes(&format!("{DATABASE}{}", behavior(keys)), Mode::Serve), [code], "{keys}");
    }
    assert_eq!(codes(&behavior("geo = { deny = [\"FR\"] }"), Mode::Serve), ["E113"], "without a database");
}

#[test]
fn what_may_be_keyed() {
    let with = |start: &str, name: &str| {
        format!("{start}[cache_policy.p]\nheaders = {{ include = [\"{name}\"] }}\n{}", behavior("cache_policy = \"p\""))
    };
    assert_eq!(codes(&with(DATABASE, "CloudFront-Viewer-Country"), Mode::Serve), [""; 0]);
    assert_eq!(codes(&with("", "CloudFront-Viewer-Country"), Mode::Serve), ["W208"]);
    assert_eq!(codes(&with("", "CloudFront-Is-Mobile-Viewer"), Mode::Serve), [""; 0]);
    for name in ["Address", "ASN", "JA3-Fingerprint", "JA4-Fingerprint", "TLS"] {
        assert_eq!(codes(&with(DATABASE, &format!("CloudFront-Viewer-{name}")), Mode::Serve), ["E113"], "{name}");
    }
}
