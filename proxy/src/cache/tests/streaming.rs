//! The body of a fill: who gets it, at which pace, and when it counts as complete.

use http_body_util::BodyExt;

use super::*;

const STORABLE: &[(&str, &str)] = &[("cache-control", "max-age=60")];

/// Reads one chunk.
async fn chunk(body: &mut Body) -> Result<Bytes, BodyError> {
    body.frame().await.expect("more to come").map(|frame| frame.into_data().expect("data"))
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_slows_nobody() {
    let edge = Edge::new();
    let (origin, body) = scripted();
    let settled =
        settle(edge.ticket(&get("/"), 0).await, edge.answer_of(200, STORABLE, body, Delimited::Chunked, 0), edge.at(0));
    let mut slow = edge.hit(&get("/"), 0).await;
    assert!(slow.report.collapsed, "the fill is visible from its head on");
    let block = Bytes::from(vec![7_u8; 100_000]);
    for _ in 0..20 {
        origin.send(Ok(block.clone())).unwrap();
    }
    drop(origin);
    assert_eq!(bytes(settled.body).await.unwrap().len(), 2_000_000, "the fast one is through");
    assert_eq!(edge.hit(&get("/"), 0).await.report.outcome, Outcome::Hit);
    let first = chunk(&mut slow.body).await.unwrap();
    assert_eq!(first.len() + bytes(slow.body).await.unwrap().len(), 2_000_000);
}

#[tokio::test(start_paused = true)]
async fn the_fill_goes_on_when_its_viewer_leaves() {
    let edge = Edge::new();
    let (origin, body) = scripted();
    let answer = edge.answer_of(200, STORABLE, body, Delimited::Length(4), 0);
    drop(settle(edge.ticket(&get("/"), 0).await, answer, edge.at(0)));
    origin.send(Ok(Bytes::from("body"))).unwrap();
    drop(origin);
    settle_down().await;
    assert_eq!(text(edge.hit(&get("/"), 1).await.body).await.unwrap(), "body");
}

#[tokio::test(start_paused = true)]
async fn a_fill_that_everybody_has_left_goes_on_if_little_is_left_or_half_is_done() {
    for (length, read, goes_on) in [
        (Some(17 * MIB), MIB, true),
        (Some(17 * MIB + 1), MIB, false),
        (Some(40 * MIB), 20 * MIB, true),
        (Some(40 * MIB), 20 * MIB - 1, false),
        (None, MIB, false),
    ] {
        let limits = CacheLimits { memory: 256 * MIB, max_object: 64 * MIB, keep: Duration::from_secs(1) };
        let edge = Edge { cache: Cache::new(limits), start: Instant::now() };
        let (origin, body) = scripted();
        let delimited = length.map_or(Delimited::Chunked, Delimited::Length);
        let answer = edge.answer_of(200, STORABLE, body, delimited, 0);
        let settled = settle(edge.ticket(&get("/"), 0).await, answer, edge.at(0));
        let other = edge.hit(&get("/"), 0).await;
        let block = |bytes: u64| Ok(Bytes::from(vec![7_u8; usize::try_from(bytes).unwrap()]));
        origin.send(block(read)).unwrap();
        settle_down().await;
        drop(settled);
        settle_down().await;
        assert!(!origin.is_closed(), "one is left");
        drop(other);
        settle_down().await;
        if let Some(length) = length {
            assert_eq!(!origin.is_closed(), goes_on, "{read} of {length}");
            if goes_on {
                origin.send(block(length - read)).unwrap();
                drop(origin);
                settle_down().await;
                assert_eq!(edge.hit(&get("/"), 0).await.length, Some(length));
                continue;
            }
        } else {
            // Whoever does not say how much there is to come gets as far as what could be left of one that does.
            origin.send(block(16 * MIB)).unwrap();
            settle_down().await;
            assert!(!origin.is_closed());
            origin.send(block(1)).unwrap();
            settle_down().await;
            assert!(origin.is_closed());
        }
        drop(edge.ticket(&get("/"), 0).await); // neither to be joined nor stored
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_an_error_to_all_and_stored_for_none() {
    let cases: [(Delimited, Option<BodyError>, BodyError); 4] = [
        (Delimited::Chunked, Some(BodyError::Origin), BodyError::Origin),
        (Delimited::Chunked, Some(BodyError::OriginTimeout), BodyError::OriginTimeout),
        (Delimited::Length(5), None, BodyError::Origin),
        (Delimited::Length(3), None, BodyError::Origin),
    ];
    for (delimited, sent, seen) in cases {
        let edge = Edge::new();
        let (origin, body) = scripted();
        let answer = edge.answer_of(200, STORABLE, body, delimited, 0);
        let settled = settle(edge.ticket(&get("/"), 0).await, answer, edge.at(0));
        let follower = edge.hit(&get("/"), 0).await;
        origin.send(Ok(Bytes::from("four"))).unwrap();
        sent.into_iter().for_each(|error| origin.send(Err(error)).unwrap());
        drop(origin);
        assert_eq!(bytes(settled.body).await, Err(seen), "{delimited:?}");
        assert_eq!(bytes(follower.body).await, Err(seen), "{delimited:?}");
        drop(edge.ticket(&get("/"), 0).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_promised_length_over_the_limit_is_passed_on_one_to_one() {
    let edge = Edge::new();
    let (origin, body) = scripted();
    let answer = edge.answer_of(200, STORABLE, body, Delimited::Length(MAX_OBJECT + 1), 0);
    let settled = settle(edge.ticket(&get("/"), 0).await, answer, edge.at(0));
    assert_eq!(settled.result, StoreResult::NotStored(NoStoreReason::Oversize));
    drop(settled);
    assert!(origin.is_closed(), "nobody goes on reading");

    let at_limit = vec![0_u8; usize::try_from(MAX_OBJECT).unwrap()];
    let answer = edge.answer_of(200, STORABLE, body::full(at_limit), Delimited::Length(MAX_OBJECT), 0);
    let settled = settle(edge.ticket(&get("/big"), 0).await, answer, edge.at(0));
    assert_eq!(bytes(settled.body).await.unwrap().len() as u64, MAX_OBJECT);
    assert_eq!(edge.hit(&get("/big"), 0).await.length, Some(MAX_OBJECT));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_length_that_outgrows_the_limit_follows_the_leader() {
    let edge = Edge::new();
    let (origin, body) = scripted();
    let answer = edge.answer_of(200, STORABLE, body, Delimited::Chunked, 0);
    let mut leader = settle(edge.ticket(&get("/"), 0).await, answer, edge.at(0)).body;
    let sleeper = edge.hit(&get("/"), 0).await.body;
    let quick = edge.hit(&get("/"), 0).await.body;
    let total = 3 * MAX_OBJECT;
    let block = Bytes::from(vec![1_u8; 1 << 20]);
    for _ in 0..(total >> 20) {
        origin.send(Ok(block.clone())).unwrap();
    }
    drop(origin);
    settle_down().await;
    drop(edge.ticket(&get("/"), 0).await); // no longer to be joined, and not stored

    let quick = tokio::spawn(bytes(quick));
    let mut read = 0;
    while read < total {
        read += chunk(&mut leader).await.unwrap().len() as u64;
        settle_down().await;
    }
    assert!(leader.frame().await.is_none());
    assert_eq!(quick.await.unwrap().unwrap().len() as u64, total, "whoever keeps up gets everything");
    assert_eq!(bytes(sleeper).await, Err(BodyError::Fill), "whoever does not is cut off with an error");

    let (_origin, body) = scripted();
    let ticket = edge.ticket(&get("/"), 1).await;
    let settled = settle(ticket, edge.answer_of(200, STORABLE, body, Delimited::Chunked, 1), edge.at(1));
    assert_eq!(settled.result, StoreResult::NotStored(NoStoreReason::Oversize), "the key is remembered");
}

#[tokio::test(start_paused = true)]
async fn a_body_too_large_that_nobody_reads_is_not_read_either() {
    let edge = Edge::new();
    let (origin, body) = scripted();
    let answer = edge.answer_of(200, STORABLE, body, Delimited::Chunked, 0);
    drop(settle(edge.ticket(&get("/"), 0).await, answer, edge.at(0)));
    for _ in 0..=MAX_OBJECT {
        if origin.send(Ok(Bytes::from(vec![1_u8; 1 << 16]))).is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the origin is still read");
}

#[tokio::test(start_paused = true)]
async fn bodies_without_end_marks_and_bodies_without_bytes() {
    let edge = Edge::new();
    let answer = edge.answer_of(200, STORABLE, body::full("x"), Delimited::Close, 0);
    let settled = settle(edge.ticket(&get("/"), 0).await, answer, edge.at(0));
    assert_eq!(settled.result, StoreResult::NotStored(NoStoreReason::CloseDelimited));
    for (path, delimited) in [("/a", Delimited::None), ("/b", Delimited::Length(0)), ("/c", Delimited::Chunked)] {
        let answer = edge.answer_of(200, STORABLE, body::empty(), delimited, 0);
        drop(settle(edge.ticket(&get(path), 0).await, answer, edge.at(0)));
        assert_eq!(edge.hit(&get(path), 0).await.length, Some(0));
    }
    let answer = edge.answer_of(204, STORABLE, body::empty(), Delimited::None, 0);
    drop(settle(edge.ticket(&get("/d"), 0).await, answer, edge.at(0)));
    assert!(!edge.hit(&get("/d"), 0).await.head.headers.contains_key("content-length"));
}
