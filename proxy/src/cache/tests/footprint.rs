//! What a million small responses take of memory.
//!
//! `cargo test --release -p edgehook --lib -- --ignored --nocapture footprint::`

use http::Method;

use super::*;

/// What the proxy has.
#[global_allocator]
static ALLOCATOR: edgehook_isolate::RoleAlloc = edgehook_isolate::RoleAlloc;

const OBJECTS: u64 = 1_000_000;
const BODY: u64 = 1024;

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[tokio::test]
#[ignore = "needs two gigabytes and a minute"]
async fn a_small_response_costs_at_most_500_bytes_beyond_its_own() {
    let limits = CacheLimits { memory: 8 << 30, max_object: 1 << 20, keep: Duration::from_secs(86_400) };
    let edge = Edge { cache: Cache::new(limits), start: Instant::now() };
    let headers = [
        ("cache-control", "max-age=3600"),
        ("content-type", "text/html; charset=utf-8"),
        ("date", "Tue, 14 Nov 2023 22:13:20 GMT"),
        ("etag", "\"0123456789abcdef\""),
        ("last-modified", "Tue, 14 Nov 2023 20:00:00 GMT"),
        ("server", "origin/1.0"),
    ];
    let own: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    let own = own as u64 + "content-length1024".len() as u64 + BODY;
    let body = "x".repeat(usize::try_from(BODY).unwrap()).leak();
    let before = resident();
    for number in 0..OBJECTS {
        let viewer = Viewer::new(Method::GET, &format!("/objects/{number}"), &[]);
        let settled = settle(edge.ticket(&viewer, 0).await, edge.answer(200, &headers, body, 0), edge.at(0));
        assert!(matches!(settled.result, StoreResult::Stored { .. }));
        drop(bytes(settled.body).await.unwrap());
    }
    settle_down().await;
    let stored = resident() - before;
    let weighed = edge.cache.weight() / OBJECTS;
    for number in 0..OBJECTS {
        drop(edge.hit(&get(&format!("/objects/{number}")), 1).await);
    }
    let each = (resident() - before) / OBJECTS;
    println!(
        "{OBJECTS} responses: {} bytes each, {each} once read; {own} are the response's own; weighed as {weighed}",
        stored / OBJECTS
    );
    assert!(each <= own + 500, "{each} bytes");
    assert!(weighed.abs_diff(each) < each / 10, "weighed as {weighed}, but {each}");
}
