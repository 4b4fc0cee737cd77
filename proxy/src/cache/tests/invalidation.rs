//! Invalidation wins over everything that began before it.

use super::*;

const STORABLE: &[(&str, &str)] = &[("cache-control", "max-age=60")];

#[tokio::test(start_paused = true)]
async fn every_variant_of_the_url_goes_and_nothing_else() {
    let edge = Edge::new();
    let keyed = CachePolicy { headers: Selection::Include(vec!["accept".to_owned()]), ..policy() };
    let json = Viewer::under(keyed.clone(), Method::GET, "/a", &[("accept", "json")]);
    let html = Viewer::under(keyed.clone(), Method::GET, "/a", &[("accept", "html")]);
    let other = Viewer::under(keyed.clone(), Method::GET, "/b", &[("accept", "html")]);
    for viewer in [&json, &html, &other] {
        edge.store(viewer, 0, STORABLE, "x").await;
    }
    let post = Viewer::under(keyed, Method::POST, "/a", &[]);
    assert_eq!(edge.bypass(&post, 0).await, BypassReason::Method);
    assert_eq!(edge.cache.invalidate(&post.keyed.key), 2);
    drop(edge.ticket(&json, 0).await);
    drop(edge.ticket(&html, 0).await);
    drop(edge.hit(&other, 0).await);
    assert_eq!(edge.cache.invalidate(&post.keyed.key), 0);
    assert_eq!(edge.cache.clear(), 1);
    drop(edge.ticket(&other, 0).await);
}

#[tokio::test(start_paused = true)]
async fn a_fill_that_began_before_never_stores_after() {
    let edge = Edge::new();
    let viewer = get("/");
    let before_head = edge.ticket(&viewer, 0).await;
    edge.cache.invalidate(&viewer.keyed.key);
    let settled = settle(before_head, edge.answer(200, STORABLE, "old", 0), edge.at(0));
    assert_eq!(settled.result, StoreResult::NotStored(NoStoreReason::Purged));
    assert_eq!(text(settled.body).await.unwrap(), "old", "who asked before is answered");
    settle_down().await;

    let (origin, body) = scripted();
    let in_body = edge.ticket(&viewer, 0).await;
    let settled = settle(in_body, edge.answer_of(200, STORABLE, body, Delimited::Chunked, 0), edge.at(0));
    let joined = edge.hit(&viewer, 0).await;
    edge.cache.invalidate(&viewer.keyed.key);
    let fresh = edge.ticket(&viewer, 0).await; // who asks after it does not join
    origin.send(Ok(Bytes::from("old"))).unwrap();
    drop(origin);
    assert_eq!(text(settled.body).await.unwrap(), "old");
    assert_eq!(text(joined.body).await.unwrap(), "old");

    let settled = settle(fresh, edge.answer(200, STORABLE, "new", 0), edge.at(0));
    assert_eq!(text(settled.body).await.unwrap(), "new");
    assert_eq!(text(edge.hit(&viewer, 0).await.body).await.unwrap(), "new");
}

#[tokio::test(start_paused = true)]
async fn a_revalidation_that_began_before_renews_nothing() {
    let edge = Edge::new();
    let viewer = get("/");
    edge.store(&viewer, 0, &[("cache-control", "max-age=5"), ("etag", "\"a\"")], "old").await;
    let ticket = edge.ticket(&viewer, 10).await;
    edge.cache.invalidate(&viewer.keyed.key);
    let settled = settle(ticket, edge.answer(304, &[("etag", "\"a\"")], "", 10), edge.at(10));
    assert_eq!(settled.result, StoreResult::NotStored(NoStoreReason::Purged));
    assert!(edge.ticket(&viewer, 10).await.validators().is_none());
}

/// Readers and invalidations at random on several threads: after an invalidation has returned, nobody who asks sees
/// what the origin said before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_from_before_is_seen_after() {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    const BODIES: [&str; 8] = ["0", "1", "2", "3", "4", "5", "6", "7"];
    let edge = Edge::new();
    let origin = Arc::new(AtomicU64::new(0));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (edge, origin, acknowledged) = (edge.clone(), Arc::clone(&origin), Arc::clone(&acknowledged));
        readers.spawn(async move {
            for _ in 0..1_000 {
                let least = acknowledged.load(SeqCst);
                let body = match edge.lookup(&get("/"), 0).await {
                    Lookup::Hit(served) => served.body,
                    Lookup::Miss(ticket) => {
                        let said = BODIES[usize::try_from(origin.load(SeqCst)).unwrap()];
                        tokio::task::yield_now().await;
                        settle(*ticket, edge.answer(200, STORABLE, said, 0), edge.at(0)).body
                    }
                    other => panic!("{other:?}"),
                };
                let seen: u64 = text(body).await.unwrap().parse().unwrap();
                assert!(seen >= least, "{seen} after {least}");
                tokio::task::yield_now().await;
            }
        });
    }
    for version in 1..8 {
        for _ in 0..300 {
            tokio::task::yield_now().await;
        }
        origin.store(version, SeqCst);
        edge.cache.invalidate(&get("/").keyed.key);
        acknowledged.store(version, SeqCst);
    }
    readers.join_all().await;
    assert_eq!(text(edge.hit(&get("/"), 0).await.body).await.unwrap(), "7");
}
