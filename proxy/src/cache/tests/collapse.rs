//! One leader, many followers.

use std::sync::atomic::Ordering;

use http::StatusCode;
use tokio::task::JoinSet;

use super::*;

/// Starts `count` lookups that are all waiting when this returns.
async fn crowd(edge: &Edge, path: &'static str, count: usize) -> JoinSet<Lookup> {
    let mut followers = JoinSet::new();
    for _ in 0..count {
        let edge = edge.clone();
        followers.spawn(async move { edge.lookup(&get(path), 0).await });
    }
    settle_down().await;
    followers
}

async fn next(followers: &mut JoinSet<Lookup>) -> Lookup {
    followers.join_next().await.expect("one is left").expect("it did not panic")
}

#[tokio::test(start_paused = true)]
async fn a_hundred_requests_share_one_fetch_and_its_bytes() {
    let edge = Edge::new();
    let ticket = edge.ticket(&get("/"), 0).await;
    let mut followers = crowd(&edge, "/", 99).await;
    let (origin, body) = scripted();
    let answer = edge.answer_of(200, &[("cache-control", "max-age=60")], body, Delimited::Chunked, 0);
    let settled = settle(ticket, answer, edge.at(0));
    assert_eq!(settled.report.cache_status("e"), "e; fwd=uri-miss; stored; ttl=60");

    let mut readers = JoinSet::new();
    readers.spawn(text(settled.body));
    for _ in 0..99 {
        let Lookup::Hit(served) = next(&mut followers).await else { panic!("no follower goes to the origin") };
        assert!(served.report.collapsed);
        assert_eq!(served.report.outcome, Outcome::Miss);
        assert_eq!(served.report.cache_status("e"), "e; fwd=uri-miss; collapsed; ttl=60");
        readers.spawn(text(served.body));
    }
    for chunk in ["one ", "two ", "three"] {
        origin.send(Ok(Bytes::from(chunk))).unwrap();
        settle_down().await;
    }
    drop(origin);
    for read in readers.join_all().await {
        assert_eq!(read.unwrap(), "one two three");
    }
    let hit = edge.hit(&get("/"), 0).await;
    assert_eq!(hit.report.outcome, Outcome::Hit);
    assert_eq!(hit.length, Some(13));
    assert_eq!(field(&hit.head.headers, "content-length"), "13");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_leaves_is_replaced_by_exactly_one_follower() {
    let edge = Edge::new();
    let ticket = edge.ticket(&get("/"), 0).await;
    let mut followers = crowd(&edge, "/", 10).await;
    drop(ticket);
    let Lookup::Miss(promoted) = next(&mut followers).await else { panic!("one follower is promoted") };
    settle_down().await;
    assert!(followers.try_join_next().is_none(), "the others wait on");

    let settled = settle(*promoted, edge.answer(200, &[("cache-control", "max-age=60")], "new", 0), edge.at(0));
    assert_eq!(text(settled.body).await.unwrap(), "new");
    for _ in 0..9 {
        let Lookup::Hit(served) = next(&mut followers).await else { panic!("the others are answered") };
        assert_eq!(text(served.body).await.unwrap(), "new");
    }
}

#[tokio::test(start_paused = true)]
async fn promotion_passes_over_followers_that_have_left() {
    let edge = Edge::new();
    let ticket = edge.ticket(&get("/"), 0).await;
    let mut gone = crowd(&edge, "/", 5).await;
    let mut stays = crowd(&edge, "/", 1).await;
    gone.shutdown().await;
    drop(ticket);
    assert!(matches!(next(&mut stays).await, Lookup::Miss(_)));
}

#[tokio::test(start_paused = true)]
async fn without_followers_a_dropped_ticket_leaves_nothing_behind() {
    let edge = Edge::new();
    drop(edge.ticket(&get("/"), 0).await);
    drop(edge.ticket(&get("/"), 0).await);
}

#[tokio::test(start_paused = true)]
async fn an_uncacheable_answer_releases_all_at_once_and_the_next_burst_does_not_queue() {
    let edge = Edge::new();
    let ticket = edge.ticket(&get("/"), 0).await;
    let mut followers = crowd(&edge, "/", 10).await;
    let settled = settle(ticket, edge.answer(200, &[("cache-control", "no-store")], "mine", 0), edge.at(0));
    assert_eq!(settled.result, StoreResult::NotStored(NoStoreReason::NoStore));
    assert_eq!(settled.report.cache_status("e"), "e; fwd=uri-miss; detail=no-store");
    assert_eq!(text(settled.body).await.unwrap(), "mine");

    let mut tickets = Vec::new();
    for _ in 0..10 {
        let Lookup::Miss(ticket) = next(&mut followers).await else { panic!("every follower asks for itself") };
        tickets.push(ticket); // all held at the same time: none waits for another
    }
    drop(tickets);
    let first = edge.ticket(&get("/"), 119).await;
    let second = edge.ticket(&get("/"), 119).await;
    drop((first, second));

    let leader = edge.ticket(&get("/"), 121).await;
    let queued = crowd_at(&edge, 121).await;
    assert!(queued.is_none(), "after 120 s requests wait for one another again");
    drop(leader);
}

/// The result of one more lookup, if it has one at once.
async fn crowd_at(edge: &Edge, seconds: u64) -> Option<Lookup> {
    let viewer = get("/");
    tokio::select! {
        biased;
        lookup = edge.lookup(&viewer, seconds) => Some(lookup),
        () = settle_down() => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_storable_answer_ends_hit_for_miss() {
    let edge = Edge::new();
    let refused = edge.answer(200, &[("cache-control", "private")], "", 0);
    drop(settle(edge.ticket(&get("/"), 0).await, refused, edge.at(0)));
    edge.store(&get("/"), 1, &[("cache-control", "max-age=5")], "shared").await;
    assert_eq!(edge.hit(&get("/"), 2).await.report.outcome, Outcome::Hit);
    let leader = edge.ticket(&get("/"), 10).await;
    assert!(crowd_at(&edge, 10).await.is_none());
    drop(leader);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_after_five_seconds() {
    let edge = Edge::new();
    let ticket = edge.ticket(&get("/"), 0).await;
    let before = Instant::now();
    assert_eq!(edge.bypass(&get("/"), 0).await, BypassReason::LockTimeout);
    assert_eq!(before.elapsed().as_secs(), 5);
    assert_eq!(BypassReason::LockTimeout.report().cache_status("e"), "e; fwd=miss; collapsed=?0; detail=lock-timeout");
    drop(ticket);
}

#[tokio::test(start_paused = true)]
async fn a_failed_fetch_is_tried_once_more_and_then_given_up_for_all() {
    let edge = Edge::new();
    let ticket = edge.ticket(&get("/"), 0).await;
    let mut followers = crowd(&edge, "/", 5).await;
    let cause: Cause = Arc::new("why");
    ticket.fail(&cause, None, Now::read());
    let Lookup::Miss(second) = next(&mut followers).await else { panic!("one follower tries again") };
    second.fail(&cause, None, Now::read());
    for _ in 0..4 {
        let Lookup::Failed(cause) = next(&mut followers).await else { panic!("not failed") };
        assert_eq!(cause.downcast_ref::<&str>(), Some(&"why"));
    }
    drop(edge.ticket(&get("/"), 0).await);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_went_out_twice_is_given_up_for_all() {
    let edge = Edge::new();
    let ticket = edge.ticket(&get("/"), 0).await;
    let mut followers = crowd(&edge, "/", 5).await;
    ticket.tried_twice().store(true, Ordering::SeqCst);
    let cause: Cause = Arc::new("why");
    ticket.fail(&cause, None, Now::read());
    for _ in 0..5 {
        assert!(matches!(next(&mut followers).await, Lookup::Failed(_)));
    }
    // Who leads because the first has left may send again what is lost; who leads because it has failed may not.
    for failed in [false, true] {
        let ticket = edge.ticket(&get("/"), 0).await;
        let mut followers = crowd(&edge, "/", 1).await;
        if failed {
            ticket.fail(&cause, None, Now::read());
        } else {
            drop(ticket);
        }
        let Lookup::Miss(promoted) = next(&mut followers).await else { panic!("not promoted") };
        assert_eq!(promoted.tried_twice().load(Ordering::SeqCst), failed);
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_waited_in_vain_say_so() {
    let edge = Edge::new();
    let refused = || edge.answer(200, &[("cache-control", "no-store")], "mine", 0);
    let ticket = edge.ticket(&get("/"), 0).await;
    let mut followers = crowd(&edge, "/", 2).await;
    drop(settle(ticket, refused(), edge.at(0)));
    for _ in 0..2 {
        let Lookup::Miss(own) = next(&mut followers).await else { panic!("every follower asks for itself") };
        let report = settle(*own, refused(), edge.at(0)).report;
        assert_eq!(report.cache_status("e"), "e; fwd=uri-miss; collapsed=?0; detail=no-store");
    }
    let alone = settle(edge.ticket(&get("/"), 1).await, refused(), edge.at(1)).report;
    assert_eq!(alone.cache_status("e"), "e; fwd=uri-miss; detail=no-store", "hit for miss: nobody has waited");

    let ticket = edge.ticket(&get("/b"), 0).await;
    let mut followers = crowd(&edge, "/b", 1).await;
    drop(ticket);
    let Lookup::Miss(promoted) = next(&mut followers).await else { panic!("not promoted") };
    let stored = settle(*promoted, edge.answer(200, &[("cache-control", "max-age=60")], "b", 0), edge.at(0)).report;
    assert_eq!(stored.cache_status("e"), "e; fwd=uri-miss; stored; collapsed=?0; ttl=60");
}

#[tokio::test(start_paused = true)]
async fn credentials_outside_the_key_are_never_collapsed() {
    let edge = Edge::new();
    let viewer = get_with("/", &[("authorization", "Basic x")]);
    let first = edge.ticket(&get("/"), 0).await;
    let second = edge.ticket(&viewer, 0).await;
    drop((first, second));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_stale_on_arrival_is_kept_for_validation_and_shared_with_nobody() {
    let edge = Edge::new();
    let ticket = edge.ticket(&get("/"), 0).await;
    let mut followers = crowd(&edge, "/", 3).await;
    let answer = edge.answer(200, &[("cache-control", "max-age=0"), ("etag", "\"a\"")], "x", 0);
    drop(settle(ticket, answer, edge.at(0)));
    for _ in 0..3 {
        assert!(matches!(next(&mut followers).await, Lookup::Miss(_)));
    }
    settle_down().await;
    assert!(edge.ticket(&get("/"), 0).await.validators().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_origin_stands_for_its_least_lifetime() {
    let edge = Edge::new();
    let cause: Cause = Arc::new("down");
    let fail = async |path: &str, status: u16, seconds: u64| {
        let status = StatusCode::from_u16(status).unwrap();
        edge.ticket(&get(path), seconds).await.fail(&cause, Some(status), edge.at(seconds));
    };
    let stands = async |path: &str, seconds: u64| match edge.lookup(&get(path), seconds).await {
        Lookup::Failed(cause) => cause.downcast_ref::<&str>() == Some(&"down"),
        Lookup::Miss(ticket) => {
            ticket.release();
            false
        }
        other => panic!("{other:?}"),
    };
    fail("/", 504, 0).await;
    assert!(stands("/", 0).await && stands("/", 9).await);
    assert!(!stands("/", 10).await, "it lasts ten seconds");
    assert!(!stands("/other", 9).await, "others are asked for");
    // 503 has a least lifetime, 421 has none.
    fail("/421", 421, 0).await;
    assert!(!stands("/421", 0).await);
    // An unsafe method that went well says that the origin is there; so does an answer.
    edge.cache.invalidate(&get("/").keyed.key);
    assert!(!stands("/", 9).await);
    fail("/", 502, 20).await;
    assert!(stands("/", 20).await);
    edge.cache.forget_failures();
    assert!(!stands("/", 20).await);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_another_try_may_mend_does_not_stand_yet() {
    let edge = Edge::new();
    let ticket = edge.ticket(&get("/"), 0).await;
    let mut followers = crowd(&edge, "/", 2).await;
    let cause: Cause = Arc::new("down");
    let down = Some(StatusCode::BAD_GATEWAY);
    ticket.fail(&cause, down, edge.at(0));
    let Lookup::Miss(second) = next(&mut followers).await else { panic!("one follower tries again") };
    let Settlement::Answer(_) = second.settle(edge.answer(200, &[("cache-control", "max-age=60")], "x", 0), edge.at(0))
    else {
        panic!("it was answered")
    };
    assert!(matches!(next(&mut followers).await, Lookup::Hit(_)));
    drop(edge.hit(&get("/"), 1).await);
}
