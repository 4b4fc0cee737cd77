//! Hits, expiry, validation, stale answers, conditions, and what happens to fields on the way.

use super::*;

const VALIDATED: &[(&str, &str)] =
    &[("cache-control", "max-age=10"), ("etag", "\"a\""), ("x-kept", "1"), ("x-changed", "old")];

#[tokio::test(start_paused = true)]
async fn a_hit_counts_its_age_and_gets_a_date() {
    let edge = Edge::new();
    let answer = edge.answer(200, &[("cache-control", "max-age=60"), ("age", "7")], "x", 0);
    let settled = settle(edge.ticket(&get("/"), 0).await, answer, edge.at(2));
    assert_eq!(field(&settled.head.headers, "age"), "9", "a forwarded Age counts the way");
    settle_down().await;
    let hit = edge.hit(&get("/"), 12).await;
    assert_eq!(field(&hit.head.headers, "age"), "19");
    assert_eq!(field(&hit.head.headers, "date"), "Tue, 14 Nov 2023 22:13:22 GMT");
    assert_eq!(hit.report.cache_status("e"), "e; hit; ttl=41");
    assert_eq!(edge.hit(&get("/"), 52).await.report.ttl_left, Some(1));
    assert_eq!(edge.ticket(&get("/"), 53).await.miss_reason(), MissReason::Stale);
}

#[tokio::test(start_paused = true)]
async fn a_304_merges_fields_and_restarts_freshness() {
    let edge = Edge::new();
    edge.store(&get("/"), 0, VALIDATED, "body").await;
    let ticket = edge.ticket(&get("/"), 20).await;
    let mut request = fields(&[("if-none-match", "\"viewer\""), ("range", "bytes=0-1")]);
    ticket.prepare(&mut request);
    assert_eq!(request, fields(&[("if-none-match", "\"a\"")]));
    let answer = edge.answer(
        304,
        &[("etag", "\"a\""), ("x-changed", "new"), ("content-length", "99"), ("set-cookie", "a=b"), ("age", "1")],
        "",
        20,
    );
    let settled = settle(ticket, answer, edge.at(20));
    assert_eq!(settled.report.outcome, Outcome::Revalidated);
    assert_eq!(settled.report.cache_status("e"), "e; fwd=stale; fwd-status=304; stored; ttl=9");
    assert_eq!(settled.head.status, 200);
    assert_eq!(text(settled.body).await.unwrap(), "body");

    let hit = edge.hit(&get("/"), 28).await;
    let headers = &hit.head.headers;
    assert_eq!((field(headers, "x-kept"), field(headers, "x-changed")), ("1", "new"));
    assert_eq!((field(headers, "content-length"), field(headers, "age")), ("4", "9"));
    assert!(!headers.contains_key("set-cookie"));
    assert_eq!(edge.ticket(&get("/"), 29).await.miss_reason(), MissReason::Stale);
}

#[tokio::test(start_paused = true)]
async fn a_304_for_something_else_asks_for_a_new_fetch() {
    let edge = Edge::new();
    edge.store(&get("/"), 0, VALIDATED, "body").await;
    let ticket = edge.ticket(&get("/"), 20).await;
    let answer = edge.answer(304, &[("etag", "\"other\"")], "", 20);
    let Settlement::Refetch(again) = ticket.settle(answer, edge.at(20)) else { panic!("not usable") };
    assert!(again.validators().is_none());
    let settled = settle(*again, edge.answer(200, VALIDATED, "new", 20), edge.at(20));
    assert_eq!(settled.report.outcome, Outcome::Expired);
}

#[tokio::test(start_paused = true)]
async fn a_304_that_forbids_storing_removes_what_is_stored() {
    let edge = Edge::new();
    edge.store(&get("/"), 0, VALIDATED, "body").await;
    let ticket = edge.ticket(&get("/"), 20).await;
    let settled = settle(ticket, edge.answer(304, &[("cache-control", "no-store")], "", 20), edge.at(20));
    assert_eq!(settled.result, StoreResult::NotStored(NoStoreReason::NoStore));
    assert_eq!(text(settled.body).await.unwrap(), "body");
    assert_eq!(edge.ticket(&get("/"), 20).await.miss_reason(), MissReason::UriMiss);
}

#[tokio::test(start_paused = true)]
async fn a_new_answer_takes_the_place_of_the_expired_one() {
    let edge = Edge::new();
    edge.store(&get("/"), 0, VALIDATED, "old").await;
    let ticket = edge.ticket(&get("/"), 20).await;
    let settled = settle(ticket, edge.answer(200, VALIDATED, "new", 20), edge.at(20));
    assert_eq!(settled.report.cache_status("e"), "e; fwd=stale; fwd-status=200; stored; ttl=10");
    assert_eq!(settled.report.outcome, Outcome::Expired);
    assert_eq!(text(settled.body).await.unwrap(), "new");
    assert_eq!(text(edge.hit(&get("/"), 21).await.body).await.unwrap(), "new");
    let ticket = edge.ticket(&get("/"), 40).await;
    drop(settle(ticket, edge.answer(403, &[], "no", 40), edge.at(40)));
    assert!(edge.ticket(&get("/"), 40).await.validators().is_none(), "an unstorable answer removes the old one");
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_stands_in_for_a_failing_origin() {
    let edge = Edge::new();
    edge.store(&get("/"), 0, VALIDATED, "body").await;
    let ticket = edge.ticket(&get("/"), 20).await;
    let follower = tokio::spawn({
        let edge = edge.clone();
        async move { edge.lookup(&get("/"), 20).await }
    });
    settle_down().await;
    let served = ticket.stale_if_error(Failure::Unreachable, edge.at(20)).unwrap();
    assert_eq!(served.report.outcome, Outcome::Stale);
    assert_eq!(served.report.cache_status("e"), "e; hit; ttl=-10; detail=stale-error");
    assert_eq!(text(served.body).await.unwrap(), "body");
    assert!(matches!(follower.await.unwrap(), Lookup::Hit(_)));
    assert_eq!(edge.hit(&get("/"), 29).await.report.outcome, Outcome::Stale, "no retry for 10 s");
    assert!(edge.ticket(&get("/"), 31).await.validators().is_some());
    assert!(edge.ticket(&get("/"), 86_409).await.stale_if_error(Failure::Unreachable, edge.at(86_409)).is_ok());
    let late = edge.ticket(&get("/late"), 0).await;
    assert!(late.stale_if_error(Failure::Unreachable, edge.at(0)).is_err(), "nothing is stored");
}

#[tokio::test(start_paused = true)]
async fn stale_answers_are_refused_where_the_origin_forbids_them() {
    let cases = ["max-age=10, must-revalidate", "no-cache", "s-maxage=10", "max-age=10, stale-if-error=5"];
    for (cache_control, path) in cases.iter().zip(["/0", "/1", "/2", "/3"]) {
        let edge = Edge::new();
        edge.store(&get(path), 0, &[("cache-control", cache_control), ("etag", "\"a\"")], "body").await;
        let ticket = edge.ticket(&get(path), 20).await;
        assert!(ticket.validators().is_some());
        assert!(ticket.stale_if_error(Failure::Unreachable, edge.at(20)).is_err(), "{cache_control}");
    }
}

#[tokio::test(start_paused = true)]
async fn stale_while_revalidate_answers_at_once_and_refreshes_once() {
    let edge = Edge::new();
    let swr = &[("cache-control", "max-age=10, stale-while-revalidate=30")];
    edge.store(&get("/"), 0, swr, "old").await;
    let mut first = edge.hit(&get("/"), 20).await;
    assert_eq!(first.report.cache_status("e"), "e; hit; ttl=-10; detail=stale-revalidate");
    let second = edge.hit(&get("/"), 20).await;
    assert!(second.refresh.is_none(), "one refresh at a time");
    let ticket = *first.refresh.take().unwrap();
    drop(settle(ticket, edge.answer(200, swr, "new", 20), edge.at(20)));
    settle_down().await;
    assert_eq!(text(edge.hit(&get("/"), 21).await.body).await.unwrap(), "new");
    drop(edge.ticket(&get("/"), 61).await);
}

#[tokio::test(start_paused = true)]
async fn conditions_are_answered_from_the_store_and_after_a_fetch() {
    let edge = Edge::new();
    let same = get_with("/", &[("if-none-match", "\"x\", W/\"a\"")]);
    let settled = settle(edge.ticket(&same, 0).await, edge.answer(200, VALIDATED, "body", 0), edge.at(0));
    assert_eq!((settled.head.status.as_u16(), settled.length), (304, None));
    assert_eq!(text(settled.body).await.unwrap(), "");
    settle_down().await;
    let hit = edge.hit(&same, 1).await;
    assert_eq!((hit.head.status.as_u16(), hit.length), (304, None));
    assert_eq!(field(&hit.head.headers, "age"), "1");
    assert_eq!(field(&hit.head.headers, "etag"), "\"a\"");
    assert!(!hit.head.headers.contains_key("x-kept"));
    let other = get_with("/", &[("if-none-match", "\"b\"")]);
    assert_eq!(edge.hit(&other, 1).await.head.status, 200);
    let ticket = edge.ticket(&same, 20).await;
    let settled = settle(ticket, edge.answer(304, &[], "", 20), edge.at(20));
    assert_eq!((settled.head.status.as_u16(), settled.report.outcome), (304, Outcome::Revalidated));
}

#[tokio::test(start_paused = true)]
async fn head_is_answered_from_get_and_fills_nothing() {
    let edge = Edge::new();
    let head = Viewer::new(Method::HEAD, "/", &[]);
    assert_eq!(edge.bypass(&head, 0).await, BypassReason::Head);
    edge.store(&get("/"), 0, VALIDATED, "body").await;
    let hit = edge.hit(&head, 1).await;
    assert_eq!((hit.length, field(&hit.head.headers, "content-length")), (Some(4), "4"));
    assert_eq!(text(hit.body).await.unwrap(), "");
    assert_eq!(edge.bypass(&head, 20).await, BypassReason::Head, "stale");
}

#[tokio::test(start_paused = true)]
async fn requests_that_the_cache_does_not_answer() {
    let edge = Edge::new();
    edge.store(&get("/"), 0, VALIDATED, "body").await;
    for (viewer, reason) in [
        (Viewer::new(Method::OPTIONS, "/", &[]), BypassReason::Method),
        (Viewer::new(Method::DELETE, "/", &[]), BypassReason::Method),
        (get_with("/", &[("if-match", "\"a\"")]), BypassReason::Precondition),
        (get_with("/", &[("if-unmodified-since", "x")]), BypassReason::Precondition),
        (get_with("/", &[("x-http-method-override", "DELETE")]), BypassReason::MethodOverride),
    ] {
        assert_eq!(edge.bypass(&viewer, 1).await, reason);
    }
    let mut off = get("/");
    off.policy.ttl.max = Duration::ZERO;
    assert_eq!(edge.bypass(&off, 1).await, BypassReason::Policy);
    let advice = get_with("/", &[("cache-control", "no-cache, no-store"), ("pragma", "no-cache"), ("cookie", "a=b")]);
    assert_eq!(edge.hit(&advice, 1).await.report.outcome, Outcome::Hit);
}

#[tokio::test(start_paused = true)]
async fn fields_between_hops_and_fields_of_one_viewer_are_not_kept() {
    let edge = Edge::new();
    let answer = edge.answer(
        200,
        &[
            ("cache-control", "max-age=60, private=\"x-mine\", no-cache=\"x-once\""),
            ("connection", "x-hop, close"),
            ("x-hop", "1"),
            ("keep-alive", "1"),
            ("x-mine", "1"),
            ("x-once", "1"),
            ("proxy-authenticate", "Basic"),
            ("set-cookie", "a=b"),
            ("x-kept", "1"),
        ],
        "x",
        0,
    );
    let settled = settle(edge.ticket(&get("/"), 0).await, answer, edge.at(0));
    let names = |headers: &HeaderMap| {
        let mut names: Vec<String> = headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    };
    let forwarded = names(&settled.head.headers);
    assert_eq!(forwarded, ["cache-control", "date", "proxy-authenticate", "x-kept", "x-mine", "x-once"]);
    settle_down().await;
    let stored = names(&edge.hit(&get("/"), 0).await.head.headers);
    assert_eq!(stored, ["age", "cache-control", "content-length", "date", "x-kept"]);
}

#[tokio::test(start_paused = true)]
async fn an_unstorable_answer_keeps_its_cookies_and_a_lent_lifetime_is_named() {
    let edge = Edge::new();
    let answer = edge.answer(200, &[("set-cookie", "a=b")], "x", 0);
    let settled = settle(edge.ticket(&get("/"), 0).await, answer, edge.at(0));
    assert_eq!(settled.result, StoreResult::NotStored(NoStoreReason::SetCookie));
    assert_eq!(field(&settled.head.headers, "set-cookie"), "a=b");

    let settled = settle(edge.ticket(&get("/e"), 0).await, edge.answer(503, &[], "x", 0), edge.at(0));
    assert_eq!(settled.report.cache_status("e"), "e; fwd=uri-miss; stored; ttl=10; detail=error-ttl");
    settle_down().await;
    assert_eq!(edge.hit(&get("/e"), 9).await.report.cache_status("e"), "e; hit; ttl=1; detail=error-ttl");
}

#[tokio::test(start_paused = true)]
async fn what_is_past_its_keep_is_a_miss() {
    let edge = Edge::new();
    edge.store(&get("/"), 0, VALIDATED, "body").await;
    assert!(edge.ticket(&get("/"), 86_409).await.validators().is_some());
    assert!(edge.ticket(&get("/"), 86_410).await.validators().is_none());
}
