//! Tests of `policy`.

use http::HeaderValue;

use super::*;
use crate::cache::freshness::Failure;

const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
const NOW: i64 = 1_700_000_000; // the same

fn headers(list: &[(&str, &str)]) -> HeaderMap {
    let pair =
        |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    list.iter().map(pair).collect()
}

/// Judges a 200 under `ttl.default = 0`, after `change`.
fn judged(list: &[(&str, &str)], change: impl FnOnce(&mut Exchange<'_>)) -> Result<Plan, NoStoreReason> {
    let (headers, rules) = (headers(list), Rules::default());
    let mut exchange = Exchange {
        status: StatusCode::OK,
        headers: &headers,
        delimited: Delimited::Length(1),
        authorization: false,
        declined: false,
        cookies_forwarded: false,
        ttl: ttl(0, 0, 31_536_000),
        rules: &rules,
        max_object: 1000,
        extension: None,
        received: NOW,
        delay: Duration::ZERO,
    };
    change(&mut exchange);
    judge(&exchange)
}

fn ttl(min: u64, default: u64, max: u64) -> Ttl {
    let [min, default, max] = [min, default, max].map(Duration::from_secs);
    Ttl { min, default, max }
}

fn seconds(plan: Result<Plan, NoStoreReason>) -> Result<u64, NoStoreReason> {
    plan.map(|plan| Duration::from(plan.freshness.lifetime).as_secs())
}

#[track_caller]
fn lives(list: &[(&str, &str)], expected: Result<u64, NoStoreReason>) {
    assert_eq!(seconds(judged(list, |_| ())), expected, "{list:?}");
}

#[test]
fn lifetimes_in_order_of_precedence() {
    lives(&[("cache-control", "max-age=60")], Ok(60));
    lives(&[("cache-control", "max-age=60, s-maxage=5")], Ok(5));
    lives(&[("cache-control", "s-maxage=50, max-age=6")], Ok(50));
    lives(&[("cache-control", "max-age=0"), ("expires", "Tue, 14 Nov 2023 22:14:20 GMT")], Ok(0));
    lives(&[("date", DATE), ("expires", "Tue, 14 Nov 2023 22:14:20 GMT")], Ok(60));
    lives(&[("expires", "Tue, 14 Nov 2023 22:14:20 GMT")], Ok(60));
    lives(&[("date", "nonsense"), ("expires", "Tue, 14 Nov 2023 22:14:20 GMT")], Ok(60));
    lives(&[("date", "Tue, 14 Nov 2023 22:13:50 GMT"), ("expires", "Tue, 14 Nov 2023 22:14:20 GMT")], Ok(30));
    lives(&[("expires", "0")], Ok(0));
    lives(&[("expires", "Tue, 14 Nov 2023 22:12:20 GMT")], Ok(0));
    let later = "Tue, 14 Nov 2023 22:14:20 GMT";
    lives(&[("expires", later), ("expires", later)], Ok(0));
    lives(&[("cache-control", "max-age=a")], Ok(0));
    lives(&[("cache-control", "max-age=99999999999")], Ok(31_536_000));
    lives(&[], Err(NoStoreReason::NoFreshness));
    lives(&[("etag", "\"a\""), ("last-modified", DATE)], Ok(0));
    lives(&[("cache-control", "public"), ("etag", "\"a\"")], Ok(0));
    lives(&[("cache-control", "public")], Err(NoStoreReason::NoFreshness));
    lives(&[("pragma", "no-cache"), ("cache-control", "max-age=1")], Ok(1));
}

#[test]
fn directives_that_forbid() {
    lives(&[("cache-control", "no-store, max-age=60")], Err(NoStoreReason::NoStore));
    lives(&[("cache-control", "private, max-age=60")], Err(NoStoreReason::Private));
    lives(&[("cache-control", "must-understand, no-store, max-age=60")], Ok(60));
    lives(&[("cache-control", "no-cache, max-age=60")], Err(NoStoreReason::NoFreshness));
    lives(&[("cache-control", "max-age=60"), ("vary", "accept, *")], Err(NoStoreReason::VaryStar));
    let plan = judged(&[("cache-control", "no-cache, max-age=60"), ("etag", "\"a\"")], |_| ()).unwrap();
    assert!(plan.freshness.always_validate && !plan.freshness.is_fresh(Duration::ZERO));
    let plan = judged(&[("cache-control", "max-age=60, private=\"a\", no-cache=\"b\"")], |_| ()).unwrap();
    assert_eq!(plan.unstored, ["a", "b"]);
    assert!(plan.freshness.is_fresh(Duration::ZERO));
}

#[test]
fn ttl_bounds_and_what_they_do_not_overrule() {
    let bound = |list: &[(&str, &str)], ttl| seconds(judged(list, |exchange| exchange.ttl = ttl));
    assert_eq!(bound(&[("cache-control", "max-age=5")], ttl(10, 20, 30)), Ok(10));
    assert_eq!(bound(&[("cache-control", "max-age=50")], ttl(10, 20, 30)), Ok(30));
    assert_eq!(bound(&[], ttl(10, 20, 30)), Ok(20));
    assert_eq!(bound(&[], ttl(10, 0, 30)), Ok(10), "default rises to min");
    assert_eq!(bound(&[("cache-control", "max-age=50")], ttl(0, 40, 30)), Ok(40), "max rises to default");
    assert_eq!(bound(&[("cache-control", "no-store")], ttl(10, 20, 30)), Err(NoStoreReason::NoStore));
    assert_eq!(bound(&[("cache-control", "private")], ttl(10, 20, 30)), Err(NoStoreReason::Private));
    assert_eq!(bound(&[("cache-control", "no-cache"), ("etag", "a")], ttl(10, 20, 30)), Ok(0));
    let lent = judged(&[], |exchange| exchange.ttl = ttl(0, 20, 30)).unwrap().lent;
    assert_eq!(lent.map(Lent::as_str), Some("default-ttl"));
}

#[test]
fn statuses() {
    let with = |code: u16, list: &[(&str, &str)]| {
        seconds(judged(list, |exchange| {
            exchange.status = StatusCode::from_u16(code).unwrap();
            exchange.ttl = ttl(0, 100, 1000);
        }))
    };
    for code in [200, 203, 300, 301, 308, 410] {
        assert_eq!(with(code, &[]), Ok(100), "{code}");
    }
    for code in [201, 204, 302, 307, 401, 403, 406, 429, 505, 599, 299] {
        assert_eq!(with(code, &[]), Err(NoStoreReason::NoFreshness), "{code}");
        assert_eq!(with(code, &[("cache-control", "max-age=7")]), Ok(7), "{code}");
    }
    for code in [404, 500, 502, 503, 504] {
        assert_eq!(with(code, &[]), Ok(10), "{code}");
        assert_eq!(with(code, &[("cache-control", "max-age=3")]), Ok(10), "{code}");
        assert_eq!(with(code, &[("cache-control", "max-age=70")]), Ok(70), "{code}");
        assert_eq!(with(code, &[("cache-control", "no-store")]), Err(NoStoreReason::NoStore), "{code}");
        assert_eq!(with(code, &[("cache-control", "no-cache")]), Err(NoStoreReason::NoFreshness), "{code}");
    }
    for code in [100, 103, 206, 304, 400, 405, 408, 412, 413, 414, 416, 417, 421, 431, 501] {
        assert_eq!(with(code, &[("cache-control", "max-age=7")]), Err(NoStoreReason::Status), "{code}");
    }
    assert_eq!(with(299, &[("cache-control", "max-age=7, must-understand")]), Err(NoStoreReason::Status));
    assert_eq!(with(201, &[("cache-control", "max-age=7, must-understand, no-store")]), Ok(7));
}

#[test]
fn credentials_need_permission() {
    let with = |directives: &str| seconds(judged(&[("cache-control", directives)], |e| e.authorization = true));
    assert_eq!(with("max-age=60"), Err(NoStoreReason::Authorization));
    assert_eq!(with("max-age=60, proxy-revalidate"), Err(NoStoreReason::Authorization));
    for permission in ["public", "must-revalidate", "s-maxage=60"] {
        assert_eq!(with(&format!("max-age=60, {permission}")), Ok(60), "{permission}");
    }
}

#[test]
fn cookies_are_taken_off_or_the_answer_is_not_stored() {
    let fresh = &[("set-cookie", "a=b"), ("cache-control", "max-age=60")];
    assert_eq!(judged(fresh, |_| ()).unwrap().strip, ["set-cookie"]);
    assert_eq!(seconds(judged(fresh, |e| e.cookies_forwarded = true)), Err(NoStoreReason::SetCookie));
    let lent = judged(&[("set-cookie", "a=b")], |e| e.ttl = ttl(5, 100, 1000));
    assert_eq!(seconds(lent), Err(NoStoreReason::SetCookie));
    for zero in ["max-age=0", "no-cache, max-age=60", "max-age=x"] {
        lives(&[("set-cookie", "a=b"), ("etag", "a"), ("cache-control", zero)], Err(NoStoreReason::SetCookie));
    }
}

#[test]
fn bodies() {
    let with = |delimited| seconds(judged(&[("cache-control", "max-age=1")], |e| e.delimited = delimited));
    assert_eq!(with(Delimited::Length(1000)), Ok(1));
    assert_eq!(with(Delimited::Length(1001)), Err(NoStoreReason::Oversize));
    assert_eq!(with(Delimited::Chunked), Ok(1));
    assert_eq!(with(Delimited::None), Ok(1));
    assert_eq!(with(Delimited::Close), Err(NoStoreReason::CloseDelimited));
}

#[test]
fn age_is_read_strictly() {
    let with = |value: &str| initial_age(&headers(&[("age", value)]), Duration::from_secs(1)).as_secs();
    for (value, seconds) in
        [("7", 8), ("007", 8), ("7, 9", 8), ("2147483648", MAX_SECONDS + 1), ("9999999999", MAX_SECONDS + 1)]
    {
        assert_eq!(with(value), seconds, "{value}");
    }
    for ignored in ["", "-7", "+7", "7.0", "7;a=b", "seven", "a, 7", "\"7\""] {
        assert_eq!(with(ignored), 1, "{ignored}");
    }
    let lines = headers(&[("age", "5"), ("age", "9")]);
    assert_eq!(initial_age(&lines, Duration::ZERO).as_secs(), 5);
}

#[test]
fn freshness_ends_when_age_reaches_the_lifetime() {
    let plan = judged(&[("cache-control", "max-age=60"), ("age", "10")], |e| e.delay = Duration::from_secs(2)).unwrap();
    let clocks = plan.freshness;
    assert!(clocks.is_fresh(Duration::from_millis(47_999)));
    assert!(!clocks.is_fresh(Duration::from_secs(48)));
    assert_eq!(clocks.ttl_left(Duration::ZERO), 48);
    assert_eq!(clocks.ttl_left(Duration::from_secs(50)), -2);
    let stale = judged(&[("cache-control", "max-age=60"), ("age", "60")], |_| ()).unwrap();
    assert!(!stale.freshness.is_fresh(Duration::ZERO));
}

#[test]
fn stale_windows_of_each_directive() {
    let day = 24 * 3600;
    for (directives, swr, sie) in [
        ("max-age=1", 0, day),
        ("max-age=1, stale-while-revalidate=5", 5, day),
        ("max-age=1, stale-if-error=7", 0, 7),
        ("max-age=1, stale-if-error=0", 0, 0),
        ("max-age=1, stale-if-error=x", 0, 0),
        ("max-age=1, must-revalidate, stale-if-error=7", 0, 0),
        ("max-age=1, proxy-revalidate, stale-while-revalidate=7", 0, 0),
        ("s-maxage=1", 0, 0),
        ("s-maxage=1, stale-if-error=7", 0, 7),
        ("s-maxage=1, stale-while-revalidate=5", 5, day),
    ] {
        let clocks = judged(&[("cache-control", directives)], |_| ()).unwrap().freshness;
        let limits = |clock: Duration| clock.as_secs();
        assert_eq!(
            (limits(clocks.while_revalidating.into()), limits(clocks.on_unreachable.into())),
            (swr, sie),
            "{directives}"
        );
        let last = Duration::from_millis(1000 * (1 + sie) - 1);
        assert!(clocks.may_serve_on(Failure::Unreachable, last), "{directives}");
        assert!(!clocks.may_serve_on(Failure::Status, Duration::from_secs(1 + sie)), "{directives}");
        assert!(!clocks.may_serve_while_revalidating(Duration::from_secs(1 + swr)), "{directives}");
    }
    let error = judged(&[("cache-control", "max-age=60")], |e| e.status = StatusCode::BAD_GATEWAY).unwrap();
    assert_eq!(Duration::from(error.freshness.on_unreachable), Duration::ZERO);
}

#[test]
fn selections_and_the_switch() {
    let listed = vec!["a".to_owned()];
    for (selection, a, upper, b) in [
        (Selection::None, false, false, false),
        (Selection::All, true, true, true),
        (Selection::Include(listed.clone()), true, false, false),
        (Selection::Exclude(listed), false, true, true),
    ] {
        assert_eq!((selection.takes("a"), selection.takes("A"), selection.takes("b")), (a, upper, b), "{selection:?}");
        assert_eq!(selection.takes_ignoring_case("A"), a, "{selection:?}");
    }
    let none = Selection::None;
    let policy = |ttl| CachePolicy {
        ttl,
        query: none.clone(),
        headers: none.clone(),
        cookies: none.clone(),
        normalise: Arc::default(),
        rules: Arc::default(),
        tags: TagRules::default(),
    };
    assert!(policy(ttl(0, 0, 0)).is_disabled());
    assert!(!policy(ttl(0, 0, 1)).is_disabled());
}

/// Judges under other rules.
fn under(rules: &Rules, list: &[(&str, &str)], change: impl FnOnce(&mut Exchange<'_>)) -> Result<u64, NoStoreReason> {
    let headers = headers(list);
    let mut exchange = Exchange {
        status: StatusCode::OK,
        headers: &headers,
        delimited: Delimited::Length(1),
        authorization: false,
        declined: false,
        cookies_forwarded: false,
        ttl: ttl(0, 0, MAX_SECONDS),
        rules,
        max_object: 1000,
        extension: None,
        received: NOW,
        delay: Duration::ZERO,
    };
    change(&mut exchange);
    seconds(judge(&exchange))
}

#[test]
fn targeted_fields_decide_alone() {
    let later = "Tue, 14 Nov 2023 22:14:20 GMT";
    for (list, expected) in [
        (&[("cdn-cache-control", "max-age=60"), ("cache-control", "no-store")][..], Ok(60)),
        (&[("cdn-cache-control", "no-store"), ("cache-control", "max-age=60")], Err(NoStoreReason::NoStore)),
        (&[("cdn-cache-control", "private"), ("expires", later)], Err(NoStoreReason::Private)),
        // Without a lifetime of its own it still silences the other two.
        (&[("cdn-cache-control", "foo"), ("cache-control", "max-age=60")], Err(NoStoreReason::NoFreshness)),
        (&[("cdn-cache-control", "foo"), ("expires", later)], Err(NoStoreReason::NoFreshness)),
        // Broken: as if it were not there.
        (&[("cdn-cache-control", "max-age=\"5\""), ("cache-control", "max-age=60")], Ok(60)),
        (&[("cdn-cache-control", ""), ("cache-control", "max-age=60")], Ok(60)),
        (&[("edgehook-cdn-cache-control", "max-age=7"), ("cdn-cache-control", "max-age=8")], Ok(7)),
        (&[("edgehook-cdn-cache-control", "=,"), ("cdn-cache-control", "max-age=8")], Ok(8)),
    ] {
        assert_eq!(seconds(judged(list, |_| ())), expected, "{list:?}");
    }
    let none = Rules { targeted: Vec::new(), ..Rules::default() };
    assert_eq!(under(&none, &[("cdn-cache-control", "max-age=60"), ("cache-control", "max-age=5")], |_| ()), Ok(5));
}

#[test]
fn heuristics_give_a_tenth_of_the_age() {
    let strict = Rules::strict_rfc();
    let modified = |date, status: u16, more: &[(&str, &str)]| {
        let mut list = vec![("last-modified", date), ("date", DATE)];
        list.extend_from_slice(more);
        under(&strict, &list, |exchange| exchange.status = StatusCode::from_u16(status).unwrap())
    };
    let (hour, year) = ("Tue, 14 Nov 2023 21:13:20 GMT", "Mon, 14 Nov 2022 22:13:20 GMT");
    for status in [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501] {
        assert_eq!(modified(hour, status, &[]), Ok(360), "{status}");
    }
    for status in [201, 202, 302, 303, 307, 403, 500, 503, 599] {
        assert_eq!(modified(hour, status, &[]), Err(NoStoreReason::NoFreshness), "{status}");
        assert_eq!(modified(hour, status, &[("cache-control", "public")]), Ok(360), "{status}");
    }
    assert_eq!(modified(year, 200, &[]), Ok(24 * 3600), "no more than a day");
    assert_eq!(modified("Wed, 15 Nov 2023 00:00:00 GMT", 200, &[]), Ok(0), "from the future");
    assert_eq!(modified("nonsense", 200, &[]), Ok(0), "a validator, no lifetime");
    assert_eq!(modified(hour, 200, &[("cache-control", "max-age=5")]), Ok(5));
    assert_eq!(under(&strict, &[("date", DATE)], |_| ()), Err(NoStoreReason::NoFreshness));
    assert_eq!(Lent::Heuristic.as_str(), "heuristic");
}

#[test]
fn every_switch_turns_one_rule() {
    let base = Rules::default();
    let fresh = ("cache-control", "max-age=60");
    let cookie = [("set-cookie", "a=b"), fresh];
    for (set_cookie, expected) in [
        (SetCookie::Auto, Ok(60)),
        (SetCookie::Strip, Ok(60)),
        (SetCookie::Store, Ok(60)),
        (SetCookie::Bypass, Err(NoStoreReason::SetCookie)),
    ] {
        let rules = Rules { set_cookie, ..base.clone() };
        assert_eq!(under(&rules, &cookie, |_| ()), expected, "{set_cookie:?}");
    }
    let stored = judged(&cookie, |exchange| exchange.cookies_forwarded = true);
    assert_eq!(seconds(stored), Err(NoStoreReason::SetCookie));
    let close = Rules { store_close_delimited: true, ..base.clone() };
    assert_eq!(under(&close, &[fresh], |exchange| exchange.delimited = Delimited::Close), Ok(60));
    let open = Rules { poison_guard: false, ..base.clone() };
    assert_eq!(under(&open, &[fresh], |exchange| exchange.status = StatusCode::BAD_REQUEST), Ok(60));
    assert_eq!(under(&base, &[fresh], |exchange| exchange.declined = true), Err(NoStoreReason::RequestDirective));
    let cloudfront = Rules { min_ttl_wins: true, ..base.clone() };
    for forbidding in ["no-store", "private, max-age=100", "no-cache"] {
        let list = [("cache-control", forbidding)];
        assert_eq!(under(&cloudfront, &list, |exchange| exchange.ttl = ttl(7, 20, 30)), Ok(7), "{forbidding}");
        assert!(under(&cloudfront, &list, |_| ()).is_err(), "{forbidding}: a minimum of zero overrules nothing");
        assert!(under(&base, &list, |exchange| exchange.ttl = ttl(7, 20, 30)).is_err(), "{forbidding}");
    }
}

#[test]
fn cloudfronts_table_of_errors() {
    let rules = Rules { errors: Rules::cloudfront_errors(), poison_guard: false, ..Rules::default() };
    let with = |code: u16, list: &[(&str, &str)]| {
        under(&rules, list, |exchange| exchange.status = StatusCode::from_u16(code).unwrap())
    };
    for code in [404, 414, 500, 501, 502, 503, 504] {
        assert_eq!(with(code, &[]), Ok(10), "{code}");
    }
    for code in [400, 403, 405, 412, 415] {
        assert_eq!(with(code, &[]), Err(NoStoreReason::NoFreshness), "{code}");
        assert_eq!(with(code, &[("cache-control", "max-age=1")]), Ok(10), "{code}");
    }
}

#[test]
fn a_type_must_suit_its_extension() {
    let rules = Rules { deception_armor: true, ..Rules::default() };
    for (extension, kind, stored) in [
        ("css", "text/css; charset=utf-8", true),
        ("css", "text/html", false),
        ("css", "", false),
        ("jpg", "text/html", false),
        ("jpg", "application/octet-stream", true),
        ("js", "text/javascript", true),
        ("unheardof", "text/html", true),
    ] {
        let list = [("cache-control", "max-age=60"), ("content-type", kind)];
        let result = under(&rules, &list, |exchange| exchange.extension = Some(extension));
        assert_eq!(result.is_ok(), stored, "{extension} {kind}");
        assert_eq!(under(&Rules::default(), &list, |exchange| exchange.extension = Some(extension)), Ok(60));
    }
}
