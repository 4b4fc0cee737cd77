//! Purges as viewers and operators meet them.

use super::*;
use crate::cache::purge::Kind;

const STORABLE: &[(&str, &str)] = &[("cache-control", "max-age=60")];

fn order(scope: Scope, kind: Kind) -> PurgeOrder {
    PurgeOrder { scopes: vec![scope], kind, sync: false, count: true }
}

fn tag(tag: &str) -> Scope {
    Scope::Tag(tag.to_owned())
}

impl Edge {
    /// Purges and says how many objects that covered.
    fn purge(&self, scope: Scope, kind: Kind, seconds: u64) -> u64 {
        self.cache.purge(&order(scope, kind), self.at(seconds)).objects.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_tag_takes_what_has_it_and_nothing_else() {
    let edge = Edge::new();
    let (red, both, plain) = (get("/red"), get("/both"), get("/plain"));
    edge.store(&red, 0, &[("cache-control", "max-age=60"), ("surrogate-key", "red round")], "1").await;
    edge.store(&both, 0, &[("cache-control", "max-age=60"), ("cache-tag", "Blue,RED")], "2").await;
    edge.store(&plain, 0, STORABLE, "3").await;
    assert_eq!(edge.purge(tag("Round"), Kind::Hard, 1), 0, "Surrogate-Key compares with case");
    assert_eq!(edge.purge(tag("red"), Kind::Hard, 1), 2);
    drop(edge.ticket(&red, 2).await);
    drop(edge.ticket(&both, 2).await);
    drop(edge.hit(&plain, 2).await);
    assert_eq!(edge.purge(tag("red"), Kind::Hard, 3), 0, "they are gone already");
    edge.store(&red, 4, &[("cache-control", "max-age=60"), ("surrogate-key", "red")], "new").await;
    drop(edge.hit(&red, 5).await);
}

#[tokio::test(start_paused = true)]
async fn viewers_see_no_tags_unless_they_are_forwarded() {
    let edge = Edge::new();
    let headers = [("cache-control", "max-age=60"), ("surrogate-key", "a"), ("cache-tag", "b")];
    let viewer = get("/");
    let settled = settle(edge.ticket(&viewer, 0).await, edge.answer(200, &headers, "x", 0), edge.at(0));
    assert_eq!((field(&settled.head.headers, "surrogate-key"), field(&settled.head.headers, "cache-tag")), ("", ""));
    assert_eq!(text(settled.body).await.unwrap(), "x");
    assert_eq!(field(&edge.hit(&viewer, 0).await.head.headers, "surrogate-key"), "");

    let forwarding = CachePolicy { tags: TagRules { field: None, forward: true, groups: false }, ..policy() };
    let viewer = Viewer::under(forwarding, Method::GET, "/2", &[]);
    edge.store(&viewer, 0, &headers, "x").await;
    let hit = edge.hit(&viewer, 0).await;
    assert_eq!((field(&hit.head.headers, "surrogate-key"), field(&hit.head.headers, "cache-tag")), ("a", "b"));
}

#[tokio::test(start_paused = true)]
async fn what_has_too_many_tags_is_not_stored() {
    let edge = Edge::new();
    let long = "t".repeat(1_025);
    let headers = [("cache-control", "max-age=60"), ("surrogate-key", long.as_str())];
    let settled = settle(edge.ticket(&get("/"), 0).await, edge.answer(200, &headers, "x", 0), edge.at(0));
    assert_eq!(settled.result, StoreResult::NotStored(NoStoreReason::TagLimit));
    assert_eq!(settled.report.detail, Some("tag-limit"));
}

#[tokio::test(start_paused = true)]
async fn a_confirmation_may_bring_new_tags_and_otherwise_keeps_them() {
    let edge = Edge::new();
    let viewer = get("/");
    edge.store(&viewer, 0, &[("cache-control", "max-age=5"), ("etag", "\"1\""), ("surrogate-key", "old")], "x").await;
    let confirm = async |seconds, headers: &[(&str, &str)]| {
        let ticket = edge.ticket(&viewer, seconds).await;
        let settled = settle(ticket, edge.answer(304, headers, "", seconds), edge.at(seconds));
        assert!(matches!(settled.result, StoreResult::Stored { .. }), "{:?}", settled.result);
        assert_eq!(field(&settled.head.headers, "surrogate-key"), "");
    };
    confirm(10, &[("cache-control", "max-age=5"), ("etag", "\"1\"")]).await;
    assert_eq!(edge.cache.count(&[tag("old")]), 1);
    confirm(20, &[("cache-control", "max-age=5"), ("etag", "\"1\""), ("surrogate-key", "new")]).await;
    assert_eq!((edge.cache.count(&[tag("old")]), edge.cache.count(&[tag("new")])), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_soft_purge_leaves_stale_answers_and_validation() {
    let edge = Edge::new();
    let (window, strict) = (get("/window"), get("/strict"));
    let swr = [("cache-control", "max-age=60, stale-while-revalidate=30"), ("etag", "\"w\"")];
    edge.store(&window, 0, &swr, "old").await;
    edge.store(&strict, 0, &[("cache-control", "max-age=60"), ("etag", "\"s\"")], "old").await;
    assert_eq!(edge.purge(Scope::All, Kind::Soft, 10), 2);
    let mut served = edge.hit(&window, 20).await;
    assert_eq!((served.report.outcome, served.report.ttl_left), (Outcome::Stale, Some(-10)));
    let refresh = served.refresh.take().expect("somebody has to ask");
    assert_eq!(edge.hit(&window, 20).await.report.outcome, Outcome::Stale, "and only one");
    let settled = settle(*refresh, edge.answer(304, &swr, "", 20), edge.at(20));
    assert!(matches!(settled.result, StoreResult::Stored { .. }));
    assert_eq!(edge.hit(&window, 21).await.report.outcome, Outcome::Hit, "confirmed after the purge");

    let ticket = edge.ticket(&strict, 20).await;
    assert!(ticket.validators().is_some());
    let served =
        ticket.stale_if_error(Failure::Unreachable, edge.at(20)).expect("it may stand in for a failing origin");
    assert_eq!(served.report.detail, Some("stale-error"));
}

#[tokio::test(start_paused = true)]
async fn the_window_for_stale_answers_counts_from_the_purge() {
    let edge = Edge::new();
    let viewer = get("/");
    edge.store(&viewer, 0, &[("cache-control", "max-age=3600, stale-while-revalidate=30")], "old").await;
    edge.purge(Scope::All, Kind::Soft, 10);
    drop(edge.ticket(&viewer, 41).await); // first looked at after the window
}

#[tokio::test(start_paused = true)]
async fn who_waited_before_the_purge_is_answered_and_who_came_after_is_not() {
    let edge = Edge::new();
    let viewer = get("/");
    let tagged = [("cache-control", "max-age=60"), ("surrogate-key", "t")];
    let ticket = edge.ticket(&viewer, 0).await;
    let wait = |edge: Edge| {
        tokio::spawn(async move {
            match edge.lookup(&get("/"), 0).await {
                Lookup::Hit(served) => text(served.body).await.unwrap(),
                Lookup::Miss(ticket) => {
                    let settled =
                        settle(*ticket, edge.answer(200, &[("cache-control", "max-age=60")], "new", 0), edge.at(0));
                    text(settled.body).await.unwrap()
                }
                other => panic!("{other:?}"),
            }
        })
    };
    let before = wait(edge.clone());
    settle_down().await;
    edge.purge(tag("t"), Kind::Hard, 0);
    let (after, too) = (wait(edge.clone()), wait(edge.clone()));
    settle_down().await;
    let settled = settle(ticket, edge.answer(200, &tagged, "old", 0), edge.at(0));
    assert_eq!(settled.result, StoreResult::NotStored(NoStoreReason::Purged));
    assert_eq!(text(settled.body).await.unwrap(), "old");
    assert_eq!(before.await.unwrap(), "old");
    assert_eq!((after.await.unwrap(), too.await.unwrap()), ("new".to_owned(), "new".to_owned()));
    assert_eq!(text(edge.hit(&viewer, 0).await.body).await.unwrap(), "new");
}

#[tokio::test(start_paused = true)]
async fn a_sweep_frees_space_and_lets_go_of_purges() {
    let edge = Edge::new();
    for number in 0..50 {
        let headers =
            [("cache-control", "max-age=60"), ("surrogate-key", if number % 2 == 0 { "even" } else { "odd" })];
        edge.store(&get(&format!("/{number}")), 0, &headers, "x").await;
    }
    let running = edge.ticket(&get("/running"), 0).await;
    edge.purge(tag("even"), Kind::Hard, 1);
    edge.purge(Scope::Pattern { scheme: None, host: None, path: "/*0".to_owned(), query: None }, Kind::Hard, 1);
    edge.cache.sweep(edge.at(1));
    assert_eq!(edge.cache.count(&[Scope::All]), 25);
    assert_eq!(edge.cache.inner.purges.retired(), 0, "a fill that began before them is under way");
    let headers = [("cache-control", "max-age=60"), ("surrogate-key", "even")];
    let settled = settle(running, edge.answer(200, &headers, "x", 1), edge.at(1));
    assert_eq!(settled.result, StoreResult::NotStored(NoStoreReason::Purged));
    assert_eq!(text(settled.body).await.unwrap(), "x");
    settle_down().await;
    edge.cache.sweep(edge.at(2));
    assert_eq!((edge.cache.inner.purges.retired(), edge.cache.inner.purges.patterns()), (2, 0));
    for number in [1, 3] {
        drop(edge.hit(&get(&format!("/{number}")), 2).await);
    }
    drop(edge.ticket(&get("/2"), 2).await);
}

#[test]
fn purges_that_were_answered_are_known_to_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("purge.log");
    let cache = Edge::new().cache;
    cache.attach_journal(&path).unwrap();
    let purged = cache.purge(&PurgeOrder { sync: true, ..order(Scope::All, Kind::Hard) }, Now::read());
    assert_eq!((purged.number, purged.recorded), (1, Recorded::Synced));
    assert_eq!(cache.purge(&order(tag("x"), Kind::Soft), Now::read()).recorded, Recorded::Written);
    drop(cache);
    let cache = Edge::new().cache;
    cache.attach_journal(&path).unwrap();
    assert_eq!(cache.purge_number(), 2);
    assert_eq!(cache.purge(&order(tag("x"), Kind::Soft), Now::read()).number, 3);
}

/// `cargo test --release -p edgehook --lib -- --ignored --nocapture a_purge_costs_the_same`
#[tokio::test]
#[ignore = "needs a gigabyte and a minute"]
async fn a_purge_costs_the_same_whatever_it_covers() {
    const OBJECTS: u64 = 1_000_000;
    let folder = tempfile::tempdir().unwrap();
    let limits = CacheLimits { memory: 8 << 30, max_object: 1 << 20, keep: Duration::from_secs(86_400) };
    let edge = Edge { cache: Cache::new(limits), start: Instant::now() };
    edge.cache.attach_journal(&folder.path().join("purge.log")).unwrap();
    let headers = [("cache-control", "max-age=3600"), ("surrogate-key", "all shop")];
    for number in 0..OBJECTS {
        let viewer = get(&format!("/{number}"));
        let settled = settle(edge.ticket(&viewer, 0).await, edge.answer(200, &headers, "", 0), edge.at(0));
        assert!(matches!(settled.result, StoreResult::Stored { .. }));
    }
    assert_eq!(edge.cache.count(&[tag("shop")]), OBJECTS);
    for (name, scope) in [("tag", tag("shop")), ("everything", Scope::All)] {
        let start = std::time::Instant::now();
        let order = PurgeOrder { count: false, ..order(scope, Kind::Hard) };
        let purged = edge.cache.purge(&order, edge.at(1));
        let took = start.elapsed();
        println!("purge of {OBJECTS} objects by {name}: {took:?}, record {:?}", purged.recorded);
        drop(edge.ticket(&get("/1"), 1).await);
        assert!(took < Duration::from_millis(1), "{took:?}");
    }
}
