//! Tests of `request_control`.

use super::*;
use crate::cache::freshness::Span;

fn clocks(lifetime: u64, never_stale: bool) -> Freshness {
    Freshness {
        lifetime: Duration::from_secs(lifetime).into(),
        initial_age: Span::ZERO,
        always_validate: false,
        while_revalidating: Span::ZERO,
        on_unreachable: Span::ZERO,
        on_5xx: Span::ZERO,
        never_stale,
    }
}

#[track_caller]
fn judged(directives: &str, age: u64, expected: Suits) {
    let headers = [(header::CACHE_CONTROL, directives.parse().unwrap())].into_iter().collect();
    let suits = RequestControl::parse(&headers).judge(&clocks(60, false), Duration::from_secs(age));
    assert_eq!(suits, expected, "{directives} at {age}");
}

#[test]
fn what_viewers_want() {
    judged("", 59, Suits::Fresh);
    judged("", 60, Suits::Stale);
    judged("no-cache", 1, Suits::Refused);
    judged("NO-CACHE", 1, Suits::Refused);
    judged("max-age=10", 10, Suits::Fresh);
    judged("max-age=10", 11, Suits::Refused);
    judged("max-age=0", 1, Suits::Refused);
    judged("min-fresh=10", 50, Suits::Fresh);
    judged("min-fresh=10", 51, Suits::Refused);
    judged("max-stale", 1000, Suits::Tolerated);
    judged("max-stale=10", 69, Suits::Tolerated);
    judged("max-stale=10", 70, Suits::Stale);
    judged("max-stale=10, max-age=5", 65, Suits::Stale);
    judged("max-stale, no-cache", 65, Suits::Stale);
    for without_effect in ["max-age=x", "max-age", "nothing-to-say", "min-fresh=-1", "no-store", "only-if-cached"] {
        judged(without_effect, 59, Suits::Fresh);
    }
}

#[test]
fn tolerance_ends_where_the_origin_forbids_it() {
    let headers = [(header::CACHE_CONTROL, "max-stale".parse().unwrap())].into_iter().collect();
    let control = RequestControl::parse(&headers);
    assert_eq!(control.judge(&clocks(60, true), Duration::from_secs(61)), Suits::Stale);
}
