//! What requests may ask of the cache, and what HEAD and POST do to it.

use super::*;

fn honouring(headers: &[(&str, &str)]) -> Viewer {
    Viewer::under(policy_with(|rules| rules.honour_requests = true), Method::GET, "/", headers)
}

const FRESH: &[(&str, &str)] = &[("cache-control", "max-age=60"), ("etag", "\"a\"")];

#[tokio::test(start_paused = true)]
async fn directives_count_where_they_are_honoured() {
    let edge = Edge::new();
    edge.store(&get("/"), 0, FRESH, "body").await;
    for directive in ["no-cache", "max-age=5", "min-fresh=55"] {
        let asked = [("cache-control", directive)];
        assert_eq!(edge.hit(&get_with("/", &asked), 10).await.report.outcome, Outcome::Hit, "{directive} is ignored");
        let ticket = edge.ticket(&honouring(&asked), 10).await;
        assert_eq!(ticket.miss_reason().as_str(), "request", "{directive}");
        assert!(ticket.validators().is_some());
    }
    let stale = edge.hit(&honouring(&[("cache-control", "max-stale=10")]), 65).await;
    assert_eq!(stale.report.cache_status("e"), "e; hit; ttl=-5; detail=request-directive");
}

#[tokio::test(start_paused = true)]
async fn only_if_cached_never_asks() {
    let edge = Edge::new();
    let asked = honouring(&[("cache-control", "only-if-cached")]);
    assert!(matches!(edge.lookup(&asked, 0).await, Lookup::NotCached));
    edge.store(&get("/"), 0, FRESH, "body").await;
    edge.hit(&asked, 1).await;
    assert!(matches!(edge.lookup(&asked, 61).await, Lookup::NotCached));
}

#[tokio::test(start_paused = true)]
async fn what_a_request_wants_not_stored_is_not_and_disturbs_nobody() {
    let edge = Edge::new();
    let ticket = edge.ticket(&honouring(&[("cache-control", "no-store")]), 0).await;
    let other = edge.ticket(&get("/"), 0).await;
    let settled = settle(ticket, edge.answer(200, FRESH, "x", 0), edge.at(0));
    assert_eq!(settled.result, StoreResult::NotStored(NoStoreReason::RequestDirective));
    let settled = settle(other, edge.answer(200, FRESH, "y", 0), edge.at(0));
    assert!(matches!(settled.result, StoreResult::Stored { .. }));
}

#[tokio::test(start_paused = true)]
async fn conditions_of_viewers_go_on_only_where_everything_does() {
    let condition = [("if-none-match", "\"a\"")];
    let edge = Edge::new();
    for (forward_all, forwarded) in [(false, false), (true, true)] {
        let policy = policy_with(|rules| rules.forward_all = forward_all);
        let ticket = edge.ticket(&Viewer::under(policy, Method::GET, "/", &condition), 0).await;
        let mut request = fields(&condition);
        ticket.prepare(&mut request);
        assert_eq!(request.contains_key("if-none-match"), forwarded);
        let settled = settle(ticket, edge.answer(304, &condition, "", 0), edge.at(0));
        assert_eq!(settled.head.status, 304, "passed on as it came");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_origin_is_stood_in_for() {
    let edge = Edge::new();
    edge.store(&get("/"), 0, FRESH, "old").await;
    let ticket = edge.ticket(&get("/"), 61).await;
    let (patience, stand_in) = ticket.soft_deadline(edge.at(61)).unwrap();
    assert_eq!(patience, Duration::from_secs(1));
    let served = stand_in.serve(edge.at(62));
    assert_eq!(served.report.cache_status("e"), "e; hit; ttl=-2; detail=stale-error");
    // Who waits for that ticket is not kept waiting either.
    let begun = Instant::now();
    let follower = edge.cache.lookup(&get("/").ask(), edge.at(61)).await;
    assert!(matches!(follower, Lookup::Hit(served) if served.report.outcome == Outcome::Stale));
    assert!(begun.elapsed() <= edge.at(62).mono.saturating_duration_since(begun));
    drop(ticket);
    edge.store(&get("/strict"), 0, &[("cache-control", "max-age=60, must-revalidate")], "old").await;
    let strict = edge.ticket(&get("/strict"), 61).await;
    assert!(strict.soft_deadline(edge.at(61)).is_none() && strict.forbids_stale());
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_head_renews_what_it_describes() {
    let edge = Edge::new();
    let head = |headers: &[(&str, &str)], status: u16| {
        let answer = edge.answer(status, headers, "", 61);
        edge.cache.described(&get("/").ask(), &answer.head, edge.at(61), edge.at(61));
    };
    edge.store(&get("/"), 0, FRESH, "body").await;
    head(&[("etag", "\"a\""), ("cache-control", "max-age=60"), ("x-new", "1")], 404);
    assert_eq!(edge.ticket(&get("/"), 61).await.miss_reason(), MissReason::Stale, "other statuses say nothing");
    head(&[("etag", "\"a\""), ("cache-control", "max-age=60"), ("x-new", "1"), ("content-length", "4")], 200);
    let hit = edge.hit(&get("/"), 62).await;
    assert_eq!((field(&hit.head.headers, "x-new"), field(&hit.head.headers, "age")), ("1", "1"));
    assert_eq!(text(hit.body).await.unwrap(), "body");
    head(&[("etag", "\"b\""), ("cache-control", "max-age=60")], 200);
    assert_eq!(edge.ticket(&get("/"), 62).await.miss_reason(), MissReason::Stale, "it describes another one");
    head(&[("etag", "\"a\""), ("cache-control", "no-store")], 200);
    assert_eq!(edge.ticket(&get("/"), 62).await.miss_reason(), MissReason::UriMiss, "it must not be kept");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_sets_a_cookie_renews_everything_else() {
    let told = [("etag", "\"a\""), ("cache-control", "max-age=60"), ("set-cookie", "own=1"), ("x-new", "1")];
    for (set_cookie, shared) in [(SetCookie::Auto, ""), (SetCookie::Strip, ""), (SetCookie::Store, "own=1")] {
        for cookies in [Selection::None, Selection::All] {
            let edge = Edge::new();
            let policy = CachePolicy { cookies, ..policy_with(|rules| rules.set_cookie = set_cookie) };
            let viewer = |method| Viewer::under(policy.clone(), method, "/", &[]);
            edge.store(&viewer(Method::GET), 0, FRESH, "body").await;
            let answer = edge.answer(200, &told, "", 61);
            edge.cache.described(&viewer(Method::HEAD).ask(), &answer.head, edge.at(61), edge.at(61));
            let hit = edge.hit(&viewer(Method::GET), 62).await;
            let seen = (field(&hit.head.headers, "x-new"), field(&hit.head.headers, "set-cookie"));
            assert_eq!(seen, ("1", shared), "{set_cookie:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slice_that_is_everything_is_stored_as_that_unless_something_came_in_between() {
    let edge = Edge::new();
    let object = get("/");
    let slice = Viewer { keyed: object.keyed.slice(0), ..get("/") };
    let ticket = edge.ticket(&slice, 0).await;
    let whole = ticket.for_whole(&object.keyed.key).unwrap();
    let settled = settle(whole, edge.answer(200, FRESH, "body", 0), edge.at(0));
    assert_eq!(settled.report.cache_status("e"), "e; fwd=uri-miss; stored; ttl=60");
    assert_eq!(text(settled.body).await.unwrap(), "body");
    ticket.release();
    assert_eq!(text(edge.hit(&object, 1).await.body).await.unwrap(), "body");

    let ticket = edge.ticket(&slice, 1).await;
    edge.cache.invalidate(&object.keyed.key);
    assert!(ticket.for_whole(&object.keyed.key).is_none());
    let ticket = edge.ticket(&slice, 1).await;
    let whole = ticket.for_whole(&object.keyed.key).unwrap();
    edge.cache.invalidate(&object.keyed.key);
    assert!(!settle(whole, edge.answer(200, FRESH, "body", 1), edge.at(1)).report.stored);
    assert_eq!(edge.ticket(&object, 2).await.miss_reason(), MissReason::UriMiss);
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_post_may_serve_gets_unless_something_came_in_between() {
    let edge = Edge::new();
    let post = Viewer::new(Method::POST, "/", &[]);
    edge.store(&get("/"), 0, FRESH, "old").await;
    let claim = edge.cache.claim(&post.ask());
    let settled = settle(claim.supersede().unwrap(), edge.answer(200, FRESH, "new", 1), edge.at(1));
    assert_eq!(settled.report.cache_status("e"), "e; fwd=method; stored; ttl=60");
    assert_eq!(text(settled.body).await.unwrap(), "new");
    assert_eq!(text(edge.hit(&get("/"), 2).await.body).await.unwrap(), "new");
    let late = edge.cache.claim(&post.ask());
    edge.cache.invalidate(&post.keyed.key);
    assert!(late.supersede().is_none());
    assert_eq!(edge.ticket(&get("/"), 2).await.miss_reason(), MissReason::UriMiss);
}

#[tokio::test(start_paused = true)]
async fn the_origin_may_name_another_variant() {
    let edge = Edge::new();
    let asked = |language| get_with("/", &[("accept-language", language)]);
    let stored = [("cache-control", "max-age=60"), ("vary", "accept-language"), ("etag", "\"de\"")];
    edge.store(&asked("de"), 0, &stored, "deutsch").await;
    let ticket = edge.ticket(&asked("de-AT"), 1).await;
    assert_eq!(ticket.miss_reason(), MissReason::VaryMiss);
    assert_eq!(ticket.validators().unwrap().etags, ["\"de\""]);
    let settled = settle(ticket, edge.answer(304, &stored, "", 1), edge.at(1));
    assert_eq!(text(settled.body).await.unwrap(), "deutsch");
    for language in ["de", "de-AT"] {
        assert_eq!(text(edge.hit(&asked(language), 2).await.body).await.unwrap(), "deutsch");
    }
}

#[tokio::test(start_paused = true)]
async fn variants_that_chase_one_another_are_not_stored_for_ever() {
    let edge = Edge::new();
    let by_agent = [("cache-control", "max-age=60"), ("vary", "user-agent")];
    let mut refused = 0;
    for number in 0..64 + 256 + 5 {
        let viewer = get_with("/", &[("user-agent", &number.to_string())]);
        let settled = settle(edge.ticket(&viewer, 1).await, edge.answer(200, &by_agent, "x", 1), edge.at(1));
        refused += usize::from(settled.result == StoreResult::NotStored(NoStoreReason::VaryLimit));
        text(settled.body).await.unwrap();
        settle_down().await;
    }
    assert_eq!(refused, 5);
    let later = edge.ticket(&get_with("/", &[("user-agent", "later")]), 602).await;
    let settled = settle(later, edge.answer(200, &by_agent, "x", 602), edge.at(602));
    assert!(matches!(settled.result, StoreResult::Stored { .. }), "{:?}", settled.result);
}
