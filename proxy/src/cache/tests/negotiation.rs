//! Vary, seen through the whole cache.

use super::*;

const BY_LANGUAGE: &[(&str, &str)] = &[("cache-control", "max-age=60"), ("vary", "accept-language")];

#[tokio::test(start_paused = true)]
async fn variants_stand_side_by_side() {
    let edge = Edge::new();
    let german = get_with("/", &[("accept-language", "de, en")]);
    let french = get_with("/", &[("accept-language", "fr")]);
    edge.store(&german, 0, BY_LANGUAGE, "hallo").await;
    let ticket = edge.ticket(&french, 1).await;
    assert_eq!(ticket.miss_reason(), MissReason::VaryMiss);
    let settled = settle(ticket, edge.answer(200, BY_LANGUAGE, "salut", 1), edge.at(1));
    assert_eq!(settled.report.cache_status("e"), "e; fwd=vary-miss; stored; ttl=60");
    assert_eq!(text(settled.body).await.unwrap(), "salut");
    let same = get_with("/", &[("accept-language", "DE ,en ")]);
    assert_eq!(text(edge.hit(&same, 2).await.body).await.unwrap(), "hallo");
    assert_eq!(text(edge.hit(&french, 2).await.body).await.unwrap(), "salut");
    drop(edge.ticket(&get("/"), 2).await); // absent matches only absent
}

#[tokio::test(start_paused = true)]
async fn followers_look_at_vary_again_and_share_one_fetch_per_variant() {
    let edge = Edge::new();
    let leader = edge.ticket(&get_with("/", &[("accept-language", "de")]), 0).await;
    let mut others = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let edge = edge.clone();
        others.spawn(async move { edge.lookup(&get_with("/", &[("accept-language", "fr")]), 0).await });
    }
    settle_down().await;
    let settled = settle(leader, edge.answer(200, BY_LANGUAGE, "hallo", 0), edge.at(0));
    settle_down().await;
    let Lookup::Miss(ticket) = others.join_next().await.unwrap().unwrap() else { panic!("one of them leads") };
    settle_down().await;
    assert!(others.try_join_next().is_none(), "and the others wait for that one");
    let french = settle(*ticket, edge.answer(200, BY_LANGUAGE, "salut", 0), edge.at(0));
    for _ in 0..4 {
        let Lookup::Hit(served) = others.join_next().await.unwrap().unwrap() else { panic!("answered") };
        assert_eq!(text(served.body).await.unwrap(), "salut");
    }
    assert_eq!(text(settled.body).await.unwrap(), "hallo");
    assert_eq!(text(french.body).await.unwrap(), "salut");
}

#[tokio::test(start_paused = true)]
async fn once_vary_is_known_different_variants_do_not_wait_for_one_another() {
    let edge = Edge::new();
    edge.store(&get_with("/", &[("accept-language", "de")]), 0, BY_LANGUAGE, "hallo").await;
    let french = edge.ticket(&get_with("/", &[("accept-language", "fr")]), 1).await;
    let english = edge.ticket(&get_with("/", &[("accept-language", "en")]), 1).await;
    drop((french, english));
}

#[tokio::test(start_paused = true)]
async fn at_most_64_variants_are_kept_and_the_least_used_goes() {
    let edge = Edge::new();
    let viewer = |n: u64| get_with("/", &[("accept-language", &format!("l{n}"))]);
    for n in 0..64 {
        edge.store(&viewer(n), 0, BY_LANGUAGE, "x").await;
    }
    drop(edge.hit(&viewer(0), 20).await);
    for n in (2..64).rev() {
        drop(edge.hit(&viewer(n), 20).await);
    }
    edge.store(&viewer(64), 30, BY_LANGUAGE, "x").await;
    drop(edge.ticket(&viewer(1), 30).await);
    drop(edge.hit(&viewer(0), 30).await);
    drop(edge.hit(&viewer(64), 30).await);
}

#[tokio::test(start_paused = true)]
async fn vary_star_is_not_stored() {
    let edge = Edge::new();
    let answer = edge.answer(200, &[("cache-control", "max-age=60"), ("vary", "*")], "x", 0);
    let settled = settle(edge.ticket(&get("/"), 0).await, answer, edge.at(0));
    assert_eq!(settled.result, StoreResult::NotStored(NoStoreReason::VaryStar));
}
