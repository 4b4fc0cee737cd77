//! Beginnings of bodies whose fills came to nothing.

use super::*;
use crate::cache::{
    PurgeKind, PurgeOrder, Scope,
    tests::{Edge, Viewer, bytes, field, fields, get, get_with, scripted, settle, settle_down},
};
use bytes::Bytes;

const LENGTH: u64 = 200_000;

fn content(start: u64, end: u64) -> Vec<u8> {
    (start..end).map(|at| (at % 251) as u8).collect()
}

/// Fields of an answer with a length and an entity-tag.
fn told(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    [&[("cache-control", "max-age=60"), ("content-length", "200000")], more].concat()
}

/// A fill that breaks off after so many bytes.
async fn broken(edge: &Edge, viewer: &Viewer, headers: &[(&str, &str)], sent: u64, seconds: u64) {
    let (origin, body) = scripted();
    let answer = edge.answer_of(200, headers, body, Delimited::Length(LENGTH), seconds);
    let settled = settle(edge.ticket(viewer, seconds).await, answer, edge.at(seconds));
    origin.send(Ok(Bytes::from(content(0, sent)))).unwrap();
    drop(origin);
    assert!(bytes(settled.body).await.is_err());
    settle_down().await;
}

async fn kept(edge: &Edge, viewer: &Viewer, seconds: u64) -> Option<(u64, u64)> {
    let ticket = edge.ticket(viewer, seconds).await;
    edge.cache.prefix(&ticket, edge.at(seconds)).await.map(|prefix| prefix.lengths())
}

#[tokio::test(start_paused = true)]
async fn only_what_can_be_completed_is_kept() {
    for (headers, sent, expected) in [
        (told(&[("etag", "\"a\"")]), WORTH_KEEPING, true),
        (told(&[("etag", "\"a\"")]), WORTH_KEEPING - 1, false),
        (told(&[("etag", "\"a\"")]), LENGTH - 1, true),
        (told(&[("etag", "W/\"a\"")]), 100_000, false),
        (told(&[("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT")]), 100_000, false),
    ] {
        let edge = Edge::new();
        broken(&edge, &get("/"), &headers, sent, 0).await;
        let found = kept(&edge, &get("/"), 1).await;
        assert_eq!(found, expected.then_some((sent, LENGTH)), "{headers:?} {sent}");
    }
    let edge = Edge::new();
    let (origin, body) = scripted();
    let answer =
        edge.answer_of(200, &[("cache-control", "max-age=60"), ("etag", "\"a\"")], body, Delimited::Chunked, 0);
    let settled = settle(edge.ticket(&get("/"), 0).await, answer, edge.at(0));
    origin.send(Ok(Bytes::from(content(0, 100_000)))).unwrap();
    origin.send(Err(body::BodyError::Origin)).unwrap();
    assert!(bytes(settled.body).await.is_err());
    assert_eq!(kept(&edge, &get("/"), 1).await, None, "nobody knows how much is missing");
}

#[tokio::test(start_paused = true)]
async fn it_answers_nobody_and_goes_with_its_url() {
    let edge = Edge::new();
    let headers = told(&[("etag", "\"a\""), ("vary", "x-v"), ("surrogate-key", "t")]);
    let viewer = get_with("/", &[("x-v", "1")]);
    let purge = |scope: Scope| PurgeOrder { scopes: vec![scope], kind: PurgeKind::Hard, sync: false, count: false };
    for gone in 0..4 {
        broken(&edge, &viewer, &headers, 100_000, gone).await;
        assert_eq!(kept(&edge, &viewer, gone).await, Some((100_000, LENGTH)));
        assert_eq!(kept(&edge, &get_with("/", &[("x-v", "2")]), gone).await, None, "another variant");
        match gone {
            0 => drop(edge.cache.invalidate(&viewer.keyed.key)),
            1 => drop(edge.cache.purge(&purge(Scope::All), edge.at(gone))),
            2 => drop(edge.cache.purge(&purge(Scope::Tag("t".to_owned())), edge.at(gone))),
            _ => {
                let prefix = edge.cache.prefix(&edge.ticket(&viewer, gone).await, edge.at(gone)).await.unwrap();
                edge.cache.drop_prefix(&prefix, true);
            }
        }
        assert_eq!(kept(&edge, &viewer, gone).await, None, "{gone}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fill_that_was_overtaken_keeps_nothing() {
    let edge = Edge::new();
    let (origin, body) = scripted();
    let answer = edge.answer_of(200, &told(&[("etag", "\"a\"")]), body, Delimited::Length(LENGTH), 0);
    let settled = settle(edge.ticket(&get("/"), 0).await, answer, edge.at(0));
    origin.send(Ok(Bytes::from(content(0, 100_000)))).unwrap();
    settle_down().await;
    edge.cache.invalidate(&get("/").keyed.key);
    drop(origin);
    assert!(bytes(settled.body).await.is_err());
    assert_eq!(kept(&edge, &get("/"), 1).await, None);
}

#[tokio::test(start_paused = true)]
async fn beginning_and_rest_are_the_whole() {
    let edge = Edge::new();
    let headers = told(&[("etag", "\"a\""), ("x-old", "1"), ("x-both", "old"), ("surrogate-key", "t")]);
    broken(&edge, &get("/"), &headers, 100_000, 0).await;
    let rest = |more: &[(&str, &str)]| {
        let headers = [&[("content-range", "bytes 100000-199999/200000"), ("x-both", "new")], more].concat();
        let body = body::full(content(100_000, LENGTH));
        let mut answer = edge.answer_of(206, &headers, body, Delimited::Length(100_000), 5);
        answer.head.headers.extend(fields(&[("content-length", "100000")]));
        answer
    };
    let ticket = edge.ticket(&get("/"), 5).await;
    let prefix = edge.cache.prefix(&ticket, edge.at(5)).await.unwrap();
    let rules = &get("/").policy.tags.clone();
    assert!(prefix.completed_by(rest(&[]), rules).is_none(), "a purge of its tag would miss it");
    let whole = prefix.completed_by(rest(&[("surrogate-key", "t")]), rules).unwrap();
    assert_eq!((whole.head.status, whole.delimited), (StatusCode::OK, Delimited::Length(LENGTH)));
    let settled = settle(ticket, whole, edge.at(5));
    assert!(bytes(settled.body).await.unwrap() == content(0, LENGTH));
    let hit = edge.hit(&get("/"), 6).await;
    let seen = ["x-old", "x-both", "content-length", "content-range"].map(|name| field(&hit.head.headers, name));
    assert_eq!(seen, ["1", "new", "200000", ""]);
    assert!(bytes(hit.body).await.unwrap() == content(0, LENGTH));
}
