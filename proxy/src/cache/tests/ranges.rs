//! Ranges of stored bodies.

use super::*;

const STORED: &[(&str, &str)] = &[
    ("cache-control", "max-age=60"),
    ("etag", "\"a\""),
    ("last-modified", "Tue, 14 Nov 2023 00:00:00 GMT"),
    ("date", "Tue, 14 Nov 2023 22:13:20 GMT"),
];

#[tokio::test(start_paused = true)]
async fn one_range_is_cut_from_the_whole() {
    let edge = Edge::new();
    assert_eq!(edge.bypass(&get_with("/", &[("range", "bytes=0-1")]), 0).await, BypassReason::Range);
    edge.store(&get("/"), 0, STORED, "0123456789").await;
    for (range, status, body, content_range) in [
        ("bytes=0-3", 206, "0123", "bytes 0-3/10"),
        ("bytes=4-", 206, "456789", "bytes 4-9/10"),
        ("bytes=8-99", 206, "89", "bytes 8-9/10"),
        ("bytes=-3", 206, "789", "bytes 7-9/10"),
        ("bytes=10-", 416, "", "bytes */10"),
        ("bytes=-0", 416, "", "bytes */10"),
        ("bytes=4-5,0-1", 200, "0123456789", ""),
        ("bytes=5-2", 200, "0123456789", ""),
        ("lines=0-3", 200, "0123456789", ""),
    ] {
        let hit = edge.hit(&get_with("/", &[("range", range)]), 1).await;
        assert_eq!(hit.head.status.as_u16(), status, "{range}");
        assert_eq!(field(&hit.head.headers, "content-range"), content_range, "{range}");
        assert_eq!(hit.length, Some(body.len() as u64), "{range}");
        assert_eq!(field(&hit.head.headers, "content-length"), body.len().to_string(), "{range}");
        assert_eq!(text(hit.body).await.unwrap(), body, "{range}");
    }
}

#[tokio::test(start_paused = true)]
async fn if_range_decides_between_part_and_whole() {
    let edge = Edge::new();
    edge.store(&get("/"), 0, STORED, "0123456789").await;
    for (condition, status) in [
        ("\"a\"", 206),
        ("\"b\"", 200),
        ("W/\"a\"", 200),
        ("Tue, 14 Nov 2023 00:00:00 GMT", 206),
        ("Tue, 14 Nov 2023 00:00:01 GMT", 200),
    ] {
        let viewer = get_with("/", &[("range", "bytes=0-3"), ("if-range", condition)]);
        assert_eq!(edge.hit(&viewer, 1).await.head.status.as_u16(), status, "{condition}");
    }
    let head = Viewer::new(Method::HEAD, "/", &[("range", "bytes=0-3")]);
    assert_eq!(edge.hit(&head, 1).await.head.status, 200, "a range is for GET only");
}

#[tokio::test(start_paused = true)]
async fn an_empty_body_has_no_parts() {
    let edge = Edge::new();
    edge.store(&get("/"), 0, STORED, "").await;
    assert_eq!(edge.hit(&get_with("/", &[("range", "bytes=0-3")]), 1).await.head.status, 200);
}

#[tokio::test(start_paused = true)]
async fn several_ranges_come_in_parts() {
    let edge = Edge::new();
    let typed: Vec<_> = STORED.iter().copied().chain([("content-type", "text/plain")]).collect();
    edge.store(&get("/"), 0, &typed, "0123456789").await;
    let hit = edge.hit(&get_with("/", &[("range", "bytes=0-1, 7-")]), 1).await;
    assert_eq!(hit.head.status, 206);
    let kind = field(&hit.head.headers, "content-type").to_owned();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    assert!(!hit.head.headers.contains_key("content-range"));
    let (length, body) = (hit.length.unwrap(), text(hit.body).await.unwrap());
    assert_eq!(length, body.len() as u64);
    let part = |range, bytes| {
        format!("--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes {range}/10\r\n\r\n{bytes}\r\n")
    };
    assert_eq!(body, format!("{}{}--{boundary}--\r\n", part("0-1", "01"), part("7-9", "789")));
}

#[tokio::test(start_paused = true)]
async fn one_range_is_cut_from_a_body_on_its_way() {
    let edge = Edge::new();
    let viewer = Viewer::under(policy_with(|rules| rules.head_fill = true), Method::HEAD, "/", &[]);
    let ticket = edge.ticket(&viewer, 0).await;
    let (sender, body) = scripted();
    let settled = settle(ticket, edge.answer_of(200, STORED, body, Delimited::Length(10), 0), edge.at(0));
    assert_eq!((settled.head.status.as_u16(), settled.length), (200, Some(10)));
    assert_eq!(text(settled.body).await.unwrap(), "", "the answer to HEAD");
    for piece in ["0123", "456", "789"] {
        sender.send(Ok(Bytes::from(piece))).unwrap();
    }
    drop(sender);
    settle_down().await;
    let part = edge.hit(&get_with("/", &[("range", "bytes=2-7")]), 1).await;
    assert_eq!(text(part.body).await.unwrap(), "234567");
}
