//! Requests for ranges of what is not stored yet: slices of large objects, the whole of small ones; and the rest of what broke off.

use crate::harness::{Answer, Edge, Origin, Seen, eventually};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
        mpsc,
    },
    thread,
};

const MIB: usize = 1 << 20;

/// The byte at a position, in a version of the object.
fn byte(version: u64, at: usize) -> u8 {
    ((at / 7 + at / MIB * 13) as u64 + version * 31) as u8
}

fn bytes(version: u64, start: usize, end: usize) -> Vec<u8> {
    (start..end).map(|at| byte(version, at)).collect()
}

/// What the test can change about the origin.
struct Object {
    length: usize,
    ranges: bool,
    version: AtomicU64,
}

fn answer(object: &Object, seen: &Seen) -> Answer {
    let version = object.version.load(SeqCst);
    let common = format!("cache-control: max-age=600\r\netag: \"v{version}\"\r\n");
    let wanted = seen.header("range").filter(|_| object.ranges).and_then(|range| {
        let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
        let last = last.parse().map_or(object.length, |last: usize| last + 1).min(object.length);
        Some((first.parse().ok()?, last))
    });
    let total = object.length;
    match wanted {
        Some((start, _)) if start >= total => {
            Answer::head_only(&format!("HTTP/1.1 416 X\r\ncontent-range: bytes */{total}\r\ncontent-length: 0\r\n\r\n"))
        }
        Some((start, end)) => Answer::head_only(&format!(
            "HTTP/1.1 206 X\r\n{common}content-range: bytes {start}-{}/{total}\r\ncontent-length: {}\r\n\r\n",
            end - 1,
            end - start
        ))
        .then(bytes(version, start, end)),
        None => Answer::head_only(&format!("HTTP/1.1 200 X\r\n{common}content-length: {total}\r\n\r\n"))
            .then(bytes(version, 0, total)),
    }
}

fn start(length: usize, ranges: bool) -> (Arc<Object>, Origin, Edge) {
    let object = Arc::new(Object { length, ranges, version: AtomicU64::new(1) });
    let told = object.clone();
    let origin = Origin::start(move |seen| answer(&told, seen));
    let edge = edge(&origin);
    (object, origin, edge)
}

fn edge(origin: &Origin) -> Edge {
    edge_with(origin, "")
}

fn edge_with(origin: &Origin, cache: &str) -> Edge {
    let config = format!("[cache]\nmemory = \"1GiB\"\nmax_object = \"64MiB\"\n{cache}");
    Edge::start(
        &format!("{config}[origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n", origin.url()),
        &[],
    )
}

/// The ranges that the origin was asked for.
fn asked(origin: &Origin) -> Vec<String> {
    origin.seen().iter().map(|seen| seen.header("range").unwrap_or("all").to_owned()).collect()
}

#[track_caller]
fn check(edge: &Edge, range: &str, version: u64, (start, end): (usize, usize), total: usize) {
    let reply = edge.get_with("/film", &[("range", range)]);
    assert_eq!(reply.status, 206, "{range}");
    assert_eq!(reply.header("content-range"), format!("bytes {start}-{}/{total}", end - 1), "{range}");
    assert_eq!(reply.header("content-length"), (end - start).to_string(), "{range}");
    assert!(reply.complete && reply.body == bytes(version, start, end), "{range}");
}

#[test]
fn a_far_range_of_a_large_object_costs_one_slice_and_no_byte_before_it() {
    let (_, origin, edge) = start(20 * MIB, true);
    let (from, to) = (15 * MIB + 100, 15 * MIB + 1100);
    check(&edge, &format!("bytes={from}-{}", to - 1), 1, (from, to), 20 * MIB);
    assert_eq!(asked(&origin), [format!("bytes={}-{}", 15 * MIB, 16 * MIB - 1)]);
    check(&edge, &format!("bytes={}-{}", from + 5000, to + 5000 - 1), 1, (from + 5000, to + 5000), 20 * MIB);
    assert_eq!(origin.count(), 1, "its neighbourhood is stored");
    let again = || edge.get_with("/film", &[("range", &format!("bytes={from}-{to}"))]);
    eventually("it is stored", || (again().x_cache() == "Hit").then_some(()));
    assert_eq!(origin.count(), 1);
}

#[test]
fn where_all_fields_go_on_ranges_are_fetched_alike() {
    let object = Arc::new(Object { length: 20 * MIB, ranges: true, version: AtomicU64::new(1) });
    let told = object.clone();
    let origin = Origin::start(move |seen| answer(&told, seen));
    let edge = edge_with(&origin, "profile = \"strict-rfc\"\n");
    let (from, to) = (15 * MIB + 100, 15 * MIB + 1100);
    check(&edge, &format!("bytes={from}-{}", to - 1), 1, (from, to), 20 * MIB);
    assert_eq!(asked(&origin), [format!("bytes={}-{}", 15 * MIB, 16 * MIB - 1)]);
    check(&edge, &format!("bytes={}-{to}", from + 5), 1, (from + 5, to + 1), 20 * MIB);
    assert_eq!(origin.count(), 1);
}

/// An origin of an object of this length, whose first answer waits until it is let go.
fn held_back(length: usize) -> (Origin, mpsc::Sender<()>) {
    let (open, gate) = mpsc::channel();
    let gate = Mutex::new(Some(gate));
    let object = Object { length, ranges: true, version: AtomicU64::new(1) };
    let origin = Origin::start(move |seen| {
        let answer = answer(&object, seen);
        match gate.lock().unwrap().take() {
            Some(gate) => answer.after(gate),
            None => answer,
        }
    });
    (origin, open)
}

#[test]
fn a_hundred_viewers_of_the_same_range_make_one_request_for_each_slice() {
    let (origin, open) = held_back(20 * MIB);
    let edge = edge(&origin);
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..100)
            .map(|_| {
                let mut client = edge.client();
                client.send(b"GET /film HTTP/1.1\r\nhost: a\r\nrange: bytes=0-2999999\r\n\r\n");
                scope.spawn(move || client.reply(false))
            })
            .collect();
        eventually("the origin is asked", || (origin.count() == 1).then_some(()));
        drop(open);
        for reply in waiting {
            let reply = reply.join().unwrap();
            assert_eq!(reply.status, 206);
            assert!(reply.complete && reply.body == bytes(1, 0, 3_000_000));
        }
    });
    let mut asked = asked(&origin);
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert_eq!(origin.count(), 3, "each slice once");
}

#[test]
fn an_open_range_goes_on_to_the_end_slice_by_slice() {
    let (_, origin, edge) = start(9 * MIB + 5, true);
    check(&edge, "bytes=5242881-", 1, (5 * MIB + 1, 9 * MIB + 5), 9 * MIB + 5);
    assert_eq!(origin.count(), 5);
    check(&edge, "bytes=9437184-99999999", 1, (9 * MIB, 9 * MIB + 5), 9 * MIB + 5);
    assert_eq!(origin.count(), 5, "the last slice is a short one, and stored");
}

#[test]
fn an_object_of_a_few_slices_is_fetched_whole() {
    let (_, origin, edge) = start(3 * MIB, true);
    check(&edge, "bytes=1048577-1048586", 1, (MIB + 1, MIB + 11), 3 * MIB);
    eventually("it is stored", || (edge.get("/film").x_cache() == "Hit").then_some(()));
    assert_eq!(asked(&origin), ["bytes=1048576-2097151", "all"]);
    check(&edge, "bytes=5-9", 1, (5, 10), 3 * MIB);
    assert_eq!(origin.count(), 2);
}

#[test]
fn a_small_object_costs_one_request() {
    let (_, origin, edge) = start(1000, true);
    check(&edge, "bytes=10-19", 1, (10, 20), 1000);
    check(&edge, "bytes=990-2000", 1, (990, 1000), 1000);
    assert_eq!(asked(&origin), ["bytes=0-1048575"]);
}

#[test]
fn a_small_object_that_came_for_a_range_answers_everybody() {
    for more in ["", "profile = \"strict-rfc\"\n"] {
        let object = Arc::new(Object { length: 1000, ranges: true, version: AtomicU64::new(1) });
        let told = object.clone();
        let origin = Origin::start(move |seen| answer(&told, seen));
        let edge = edge_with(&origin, more);
        let first = edge.get_with("/film", &[("range", "bytes=10-19")]);
        assert_eq!((first.status, first.header("content-range")), (206, "bytes 10-19/1000"));
        assert!(first.header("cache-status").contains("fwd=uri-miss; stored"), "{:?}", first.headers);
        let all = edge.get("/film");
        assert_eq!((all.status, all.header("content-range"), all.x_cache()), (200, "", "Hit"), "{more}");
        assert!(all.header("content-length") == "1000" && all.body == bytes(1, 0, 1000));
        let head = edge.client().request("HEAD", "/film", &[], b"");
        assert_eq!((head.status, head.header("content-length")), (200, "1000"));
        let past = edge.get_with("/film", &[("range", "bytes=1000-")]);
        assert_eq!((past.status, past.header("content-range")), (416, "bytes */1000"));
        let other = edge.get_with("/film", &[("range", "bytes=0-1"), ("if-range", "\"other\"")]);
        assert_eq!((other.status, other.body.len()), (200, 1000));
        assert_eq!(asked(&origin), ["bytes=0-1048575"], "{more}");
        object.version.store(2, SeqCst);
        assert_eq!(edge.client().request("DELETE", "/film", &[], b"").status, 200);
        assert!(edge.get("/film").body == bytes(2, 0, 1000), "{more}");
    }
}

#[test]
fn what_is_past_the_end_of_a_small_object_or_not_wanted_in_part() {
    let (_, origin, edge) = start(1000, true);
    let reply = edge.get_with("/film", &[("range", "bytes=0-9"), ("if-range", "\"old\"")]);
    assert_eq!((reply.status, reply.body.len(), reply.header("content-range")), (200, 1000, ""));
    check(&edge, "bytes=0-9", 1, (0, 10), 1000);
    assert_eq!(asked(&origin), ["bytes=0-1048575"]);
    let (_, origin, edge) = start(1000, true);
    let reply = edge.get_with("/film", &[("range", "bytes=5000-")]);
    assert_eq!((reply.status, reply.header("content-range")), (416, "bytes */1000"));
    assert_eq!(origin.count(), 1);
}

#[test]
fn a_hundred_viewers_of_ranges_of_a_small_object_make_one_request() {
    let (origin, open) = held_back(1000);
    let edge = edge(&origin);
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..100)
            .map(|number: usize| {
                let mut client = edge.client();
                client.send(format!("GET /film HTTP/1.1\r\nhost: a\r\nrange: bytes={number}-\r\n\r\n").as_bytes());
                (number, scope.spawn(move || client.reply(false)))
            })
            .collect();
        eventually("the origin is asked", || (origin.count() == 1).then_some(()));
        drop(open);
        for (number, reply) in waiting {
            let reply = reply.join().unwrap();
            assert!(reply.status == 206 && reply.complete && reply.body == bytes(1, number, 1000), "{number}");
        }
    });
    assert_eq!(asked(&origin), ["bytes=0-1048575"]);
}

#[test]
fn an_origin_without_ranges_is_asked_for_the_whole_and_once_for_everybody() {
    let (_, origin, edge) = start(10 * MIB, false);
    check(&edge, "bytes=7340032-7340041", 1, (7 * MIB, 7 * MIB + 10), 10 * MIB);
    check(&edge, "bytes=0-9", 1, (0, 10), 10 * MIB);
    check(&edge, "bytes=10485750-", 1, (10 * MIB - 10, 10 * MIB), 10 * MIB);
    eventually("it is stored", || (edge.get("/film").x_cache() == "Hit").then_some(()));
    assert_eq!(asked(&origin), ["bytes=7340032-8388607"], "what it gave instead was the whole");
}

#[test]
fn who_wants_a_range_waits_with_others_for_an_origin_that_gives_the_whole() {
    let (open, gate) = mpsc::channel();
    let gate = Mutex::new(Some(gate));
    let origin = Origin::start(move |_| {
        let head = format!("HTTP/1.1 200 X\r\ncache-control: max-age=600\r\ncontent-length: {}\r\n\r\n", 10 * MIB);
        let answer = Answer::head_only(&head).then(bytes(1, 0, 2 * MIB));
        let gate = gate.lock().unwrap().take();
        gate.map_or_else(
            || Answer::raw("HTTP/1.1 500 X\r\n\r\n"),
            |gate| answer.wait(gate).then(bytes(1, 2 * MIB, 10 * MIB)),
        )
    });
    let edge = edge(&origin);
    check(&edge, "bytes=5-9", 1, (5, 10), 10 * MIB);
    thread::scope(|scope| {
        let far = scope.spawn(|| check(&edge, "bytes=9000000-9000009", 1, (9_000_000, 9_000_010), 10 * MIB));
        check(&edge, "bytes=1500000-1500009", 1, (1_500_000, 1_500_010), 10 * MIB);
        drop(open);
        far.join().unwrap();
    });
    assert_eq!(origin.count(), 1);
}

#[test]
fn what_is_not_stored_and_has_no_ranges_is_passed_on_as_it_comes() {
    let origin = Origin::start(|_| Answer::new(200, &[("cache-control", "no-store")], "everything"));
    let edge = edge(&origin);
    for count in 1..4 {
        let reply = edge.get_with("/film", &[("range", "bytes=0-3")]);
        assert_eq!((reply.status, reply.text().as_str(), origin.count()), (200, "everything", count));
        assert!(reply.header("cache-status").ends_with("; fwd=miss"), "{:?}", reply.headers);
    }
    assert_eq!(asked(&origin), ["bytes=0-1048575", "bytes=0-3", "bytes=0-3"], "it is not cut here");
}

#[test]
fn an_object_that_changes_is_never_put_together_from_two_versions() {
    let (object, _origin, edge) = start(20 * MIB, true);
    check(&edge, "bytes=0-9", 1, (0, 10), 20 * MIB);
    object.version.store(2, SeqCst);
    let reply = edge.get_with("/film", &[("range", "bytes=1048570-1048589")]);
    assert!(!reply.complete, "the second slice is of another version: {:?}", reply.body);
    assert_eq!(reply.body, bytes(1, MIB - 6, MIB), "what there was of the first one");
    check(&edge, "bytes=1048570-1048589", 2, (MIB - 6, MIB + 14), 20 * MIB);
}

#[test]
fn what_lies_beyond_the_end_is_the_origins_to_say() {
    let (_, _origin, edge) = start(9 * MIB, true);
    let reply = edge.get_with("/film", &[("range", "bytes=99999999-")]);
    assert_eq!((reply.status, reply.header("content-range")), (416, "bytes */9437184"));
}

#[test]
fn if_range_that_does_not_hold_gets_the_whole() {
    let (_, _origin, edge) = start(9 * MIB, true);
    let reply = edge.get_with("/film", &[("range", "bytes=0-9"), ("if-range", "\"old\"")]);
    assert_eq!((reply.status, reply.body.len()), (200, 9 * MIB));
    let reply = edge.get_with("/film", &[("range", "bytes=0-9"), ("if-range", "\"v1\"")]);
    assert_eq!((reply.status, reply.body), (206, bytes(1, 0, 10)));
}

#[test]
fn a_purge_of_the_url_takes_its_slices() {
    let (object, origin, edge) = start(20 * MIB, true);
    check(&edge, "bytes=0-9", 1, (0, 10), 20 * MIB);
    object.version.store(2, SeqCst);
    check(&edge, "bytes=0-9", 1, (0, 10), 20 * MIB);
    assert_eq!(edge.client().request("DELETE", "/film", &[], b"").status, 200, "an unsafe method invalidates");
    let asked = origin.count();
    check(&edge, "bytes=0-9", 2, (0, 10), 20 * MIB);
    assert_eq!(origin.count(), asked + 1);
}

/// Asks for every slice once, so that all are stored.
fn all_slices(edge: &Edge, total: usize) {
    let store = |at: usize| {
        let range = format!("bytes={}-{}", at * MIB, at * MIB + 9);
        let reply = edge.get_with("/film", &[("range", &range)]);
        assert_eq!(reply.status, 206);
        (reply.x_cache() == "Hit").then_some(())
    };
    (0..total / MIB).for_each(|at| eventually("the slice is stored", || store(at)));
}

#[test]
fn slices_become_the_object_when_it_is_asked_for_as_a_whole() {
    let (_, origin, edge) = start(12 * MIB, true);
    all_slices(&edge, 12 * MIB);
    assert_eq!(origin.count(), 12);
    let whole = edge.get("/film");
    assert!(whole.status == 200 && whole.complete && whole.body == bytes(1, 0, 12 * MIB));
    assert_eq!((whole.header("content-length"), whole.header("content-range")), ("12582912", ""));
    assert_eq!(asked(&origin)[12..], [format!("bytes={}-", 11 * MIB)], "the last one says that it is all of one piece");
    assert_eq!(origin.seen()[12].header("if-range"), Some("\"v1\""));
    eventually("it is stored", || (edge.get("/film").x_cache() == "Hit").then_some(()));
    check(&edge, "bytes=100-3000000", 1, (100, 3_000_001), 12 * MIB);
    assert_eq!(origin.count(), 13);
}

#[test]
fn of_a_whole_only_what_is_behind_the_first_slices_is_fetched() {
    let (_, origin, edge) = start(12 * MIB, true);
    all_slices(&edge, 3 * MIB);
    check(&edge, "bytes=9437184-9437193", 1, (9 * MIB, 9 * MIB + 10), 12 * MIB);
    let whole = edge.get("/film");
    assert!(whole.complete && whole.body == bytes(1, 0, 12 * MIB));
    assert_eq!(asked(&origin)[4..], [format!("bytes={}-", 3 * MIB)]);
}

#[test]
fn slices_of_another_version_do_not_become_part_of_the_object() {
    let (object, origin, edge) = start(12 * MIB, true);
    all_slices(&edge, 3 * MIB);
    object.version.store(2, SeqCst);
    check(&edge, "bytes=9437184-9437193", 2, (9 * MIB, 9 * MIB + 10), 12 * MIB);
    let whole = edge.get("/film");
    assert!(whole.complete && whole.body == bytes(2, 0, 12 * MIB) && whole.header("etag") == "\"v2\"");
    eventually("it is stored", || (edge.get("/film").x_cache() == "Hit").then_some(()));
    check(&edge, "bytes=0-9", 2, (0, 10), 12 * MIB);
    drop(origin);
}

/// An origin that breaks off in the middle unless it is asked for a range.
fn broken_off(object: Arc<Object>) -> Origin {
    Origin::start(move |seen| {
        if seen.header("range").is_some() {
            return answer(&object, seen);
        }
        let head = "HTTP/1.1 200 X\r\ncache-control: max-age=600\r\netag: \"v1\"\r\ncontent-length: 300000\r\n\r\n";
        Answer::raw([head.as_bytes(), &bytes(1, 0, 100_000)].concat())
    })
}

#[test]
fn a_fill_that_breaks_off_is_resumed_and_stored() {
    let object = Arc::new(Object { length: 300_000, ranges: true, version: AtomicU64::new(1) });
    let origin = broken_off(object);
    let edge = edge(&origin);
    let reply = edge.get("/film");
    assert!(reply.complete && reply.body == bytes(1, 0, 300_000));
    assert_eq!(asked(&origin), ["all", "bytes=100000-"]);
    assert_eq!(origin.seen()[1].header("if-range"), Some("\"v1\""));
    eventually("it is stored", || (edge.get("/film").x_cache() == "Hit").then_some(()));
    assert_eq!(origin.count(), 2);
}

/// An origin that sends a few bytes of the whole, some more when it is told to, and then waits for the end; and has it all for
/// who asks again.
fn reluctant(object: Arc<Object>) -> (Origin, mpsc::Sender<()>, mpsc::Sender<()>) {
    let ((go_on, more), (end, rest)) = (mpsc::channel(), mpsc::channel());
    let gates = Mutex::new(Some((more, rest)));
    let origin = Origin::start(move |seen| {
        let (total, version) = (object.length, object.version.load(SeqCst));
        match gates.lock().unwrap().take() {
            Some((more, rest)) => Answer::head_only(&format!(
                "HTTP/1.1 200 X\r\ncache-control: max-age=600\r\netag: \"v{version}\"\r\nx-at: first\r\ncontent-length: {total}\r\n\r\n"
            ))
            .then(bytes(version, 0, 3 * MIB))
            .wait(more)
            .then(bytes(version, 3 * MIB, 4 * MIB))
            .wait(rest),
            None => answer(&object, seen),
        }
    });
    (origin, go_on, end)
}

/// Where nothing is stored of a long body, the leader sets the pace; who is far behind does not lose what it waits for.
#[test]
fn who_falls_behind_fetches_the_rest_on_its_own() {
    const LENGTH: usize = 24 * MIB;
    let (go_on, gate) = mpsc::channel();
    let gate = Mutex::new(Some(gate));
    let object = Object { length: LENGTH, ranges: true, version: AtomicU64::new(1) };
    let origin = Origin::start(move |seen| {
        let Some(gate) = gate.lock().unwrap().take() else { return answer(&object, seen) };
        let head = "HTTP/1.1 200 X\r\ncache-control: max-age=600\r\netag: \"v1\"\r\ntransfer-encoding: chunked\r\n\r\n";
        let chunked = [format!("{LENGTH:x}\r\n").as_bytes(), &bytes(1, 0, LENGTH), b"\r\n0\r\n\r\n"].concat();
        Answer::head_only(head).wait(gate).then(chunked)
    });
    let table = format!(
        "[cache]\nmemory = \"64MiB\"\nmax_object = \"1MiB\"\n[origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n",
        origin.url()
    );
    let edge = Edge::start(&table, &[]);
    let (mut leader, mut follower) = (edge.client(), edge.client());
    leader.send(b"GET /film HTTP/1.1\r\nhost: a\r\n\r\n");
    eventually("the origin is asked", || (origin.count() == 1).then_some(()));
    follower.send(b"GET /film HTTP/1.1\r\nhost: a\r\n\r\n");
    follower.another_end().peek(&mut [0]).unwrap();
    drop(go_on);
    let first = leader.reply(false);
    assert!(first.complete && first.body == bytes(1, 0, LENGTH));
    let second = follower.reply(false);
    assert!(second.header("cache-status").contains("collapsed"), "{:?}", second.headers);
    assert!(second.complete && second.body == bytes(1, 0, LENGTH));
    let asked = asked(&origin);
    assert!(asked.len() == 2 && asked[1].starts_with("bytes="), "{asked:?}");
}

/// Reads a little of the object and goes, which the edge notices when there is more to send.
fn leave_early(edge: &Edge, go_on: mpsc::Sender<()>) {
    let mut client = edge.client();
    client.send(b"GET /film HTTP/1.1\r\nhost: www.example.com\r\n\r\n");
    assert_eq!(client.head().status, 200);
    let mut read = 0;
    while read < 3 * MIB {
        read += client.some_bytes().len();
    }
    drop((client, go_on));
    eventually("the beginning is kept", || {
        let page = edge.admin("/metrics").text();
        let value =
            |name| page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok()).unwrap_or(0.0);
        let kept = value("edgehook_cache_memory_bytes ") > 1e6 || value("edgehook_cache_disk_objects ") > 0.0;
        kept.then_some(())
    });
}

#[test]
fn what_a_deserted_fill_leaves_is_completed_by_the_next_request() {
    for disk in [false, true] {
        let object = Arc::new(Object { length: 40 * MIB, ranges: true, version: AtomicU64::new(1) });
        let (origin, go_on, end) = reluctant(object);
        let store = tempfile::tempdir().unwrap();
        let table = format!("[cache.disk]\npath = \"{}\"\nsize = \"256MiB\"\n", store.path().display());
        let edge = edge_with(&origin, if disk { &table } else { "" });
        leave_early(&edge, go_on);
        let before = origin.count();
        let whole = edge.get("/film");
        assert!(whole.status == 200 && whole.complete && whole.body == bytes(1, 0, 40 * MIB), "disk: {disk}");
        let asked = asked(&origin);
        let from = asked[before].strip_prefix("bytes=").and_then(|it| it.strip_suffix('-')?.parse::<usize>().ok());
        assert!(from.is_some_and(|from| (3 * MIB..=4 * MIB).contains(&from)), "disk: {disk}, {asked:?}");
        assert_eq!(origin.seen()[before].header("if-range"), Some("\"v1\""));
        assert_eq!((whole.header("x-at"), whole.header("content-range")), ("first", ""));
        eventually("it is stored", || (edge.get("/film").x_cache() == "Hit").then_some(()));
        assert_eq!(origin.count(), before + 1);
        drop(end);
    }
}

#[test]
fn what_a_deserted_fill_leaves_of_another_version_is_dropped() {
    let object = Arc::new(Object { length: 40 * MIB, ranges: true, version: AtomicU64::new(1) });
    let (origin, go_on, end) = reluctant(object.clone());
    let edge = edge(&origin);
    leave_early(&edge, go_on);
    object.version.store(2, SeqCst);
    let whole = edge.get("/film");
    assert!(whole.status == 200 && whole.complete && whole.body == bytes(2, 0, 40 * MIB));
    let asked = asked(&origin);
    assert!(asked.len() == 3 && asked[1].starts_with("bytes="), "{asked:?}");
    assert_eq!(asked[2], "all", "what the origin gave was of another version");
    drop(end);
}

#[test]
fn the_rest_of_another_version_is_not_put_behind_what_there_was() {
    let object = Arc::new(Object { length: 300_000, ranges: true, version: AtomicU64::new(2) });
    let origin = broken_off(object);
    let edge = edge(&origin);
    let reply = edge.get("/film");
    assert!(!reply.complete && reply.body == bytes(1, 0, 100_000));
    assert_eq!(edge.get("/film").x_cache(), "Miss", "nothing was stored");
}
