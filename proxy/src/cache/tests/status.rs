//! Tests of `status`.

use super::*;

#[test]
fn members_of_cache_status() {
    let hit = Report { ttl_left: Some(376), ..Report::from_store(Outcome::Hit) };
    assert_eq!(hit.cache_status("edge1"), "edge1; hit; ttl=376");
    let renewed = Report {
        forwarded_status: Some(StatusCode::NOT_MODIFIED),
        stored: true,
        collapsed: true,
        ttl_left: Some(60),
        detail: Some("error-ttl"),
        ..Report::forwarded(Outcome::Revalidated, Forwarded::Stale)
    };
    let text = "edge1; fwd=stale; fwd-status=304; stored; collapsed; ttl=60; detail=error-ttl";
    assert_eq!(renewed.cache_status("edge1"), text);
    let ttl = Report { ttl_left: Some(-3), ..Report::from_store(Outcome::Stale) };
    assert_eq!(ttl.cache_status("1 \"edge\"\n\\é"), "\"1 edge\"; hit; ttl=-3");
    assert_eq!(ttl.cache_status(""), "\"\"; hit; ttl=-3");
}

#[test]
fn reasons_to_bypass() {
    for (reason, outcome, text) in [
        (BypassReason::Policy, "bypass", "e; fwd=bypass"),
        (BypassReason::Paused, "bypass", "e; fwd=bypass; detail=paused"),
        (BypassReason::Method, "bypass", "e; fwd=method"),
        (BypassReason::Precondition, "bypass", "e; fwd=request"),
        (BypassReason::MethodOverride, "bypass", "e; fwd=bypass; detail=method-override"),
        (BypassReason::Head, "uncacheable", "e; fwd=miss"),
        (BypassReason::Range, "uncacheable", "e; fwd=miss"),
        (BypassReason::LockTimeout, "uncacheable", "e; fwd=miss; collapsed=?0; detail=lock-timeout"),
    ] {
        let report = reason.report();
        assert_eq!((report.outcome.as_str(), report.cache_status("e").to_str().unwrap()), (outcome, text));
        assert_eq!(report.outcome.x_cache(), "Miss");
    }
}
