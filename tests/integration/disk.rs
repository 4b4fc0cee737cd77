//! The disk tier across the end of the process: restart, and `kill -9` while it writes, of which a large body is resumed.

use crate::harness::{Answer, Edge, Origin, eventually};
use nix::sys::signal::Signal;
use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering::SeqCst},
    mpsc,
};

/// The body of a path: bytes that tell which it is and where they are, of a size that depends on it.
fn body(path: &str) -> String {
    let number: usize = path.trim_start_matches('/').parse().unwrap_or_default();
    let size = [100, 5_000, 100_000, 700_000][number % 4];
    let piece = format!("{path} is what this is {number:08};");
    piece.repeat(size / piece.len() + 1)
}

fn config(origin: &Origin) -> String {
    format!(
        "[cache]\nmemory = \"16MiB\"\n[cache.disk]\npath = \"store\"\nsize = \"64MiB\"\n\
         [origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n",
        origin.url()
    )
}

fn origin() -> Origin {
    Origin::start(|seen| Answer::new(200, &[("cache-control", "max-age=6000")], &body(&seen.target)))
}

/// Where the edge listens differs after a restart; what viewers ask for does not.
const HOST: (&str, &str) = ("host", "site.test");

#[test]
fn answers_survive_a_restart() {
    let origin = origin();
    let mut edge = Edge::start(&config(&origin), &[]);
    for number in 0..8 {
        assert_eq!(edge.get_with(&format!("/{number}"), &[HOST]).text(), body(&format!("/{number}")));
    }
    eventually("everything is on disk", || (on_disk(&edge) == 8).then_some(()));
    edge.signal(Signal::SIGTERM);
    assert_eq!(edge.end(), Some(0));
    let asked = origin.count();
    let edge = edge.again();
    let hits = (0..8).filter(|number| edge.get_with(&format!("/{number}"), &[HOST]).x_cache() == "Hit").count();
    assert!(hits >= 6, "{hits} of 8: only what was stored in the last second may be lost");
    assert!(origin.count() <= asked + 2);
}

/// How many answers the tier has.
fn on_disk(edge: &Edge) -> u64 {
    let address = crate::purge::admin(edge).strip_prefix("http://").unwrap().parse().unwrap();
    let reply = crate::harness::Client::connect(address).request("GET", "/status", &[("host", "localhost")], b"");
    serde_json::from_slice::<serde_json::Value>(&reply.body).unwrap()["disk"]["objects"].as_u64().unwrap()
}

/// Kills the edge while it stores, and verifies every byte that the next one serves.
fn killed_under_load(rounds: usize) {
    let origin = origin();
    let mut edge = Edge::start(&config(&origin), &[]);
    // What was committed before the kills must survive them; what came in the last second before one may be lost.
    for number in (0..40).step_by(5) {
        edge.get_with(&format!("/{number}"), &[HOST]);
    }
    edge.signal(Signal::SIGTERM);
    edge.end();
    edge = edge.again();
    let mut hits = 0;
    for round in 0..rounds {
        let stop = AtomicBool::new(false);
        let process = nix::unistd::Pid::from_raw(i32::try_from(edge.process()).unwrap());
        let address = edge.address();
        std::thread::scope(|scope| {
            for lane in 0..2 {
                let stop = &stop;
                scope.spawn(move || {
                    let mut number = round * 40 + lane;
                    while !stop.load(SeqCst) {
                        let target = format!("/{}", number % 400);
                        number += 2;
                        // Whatever the end of the process leaves of an answer is no answer.
                        let answer = std::panic::catch_unwind(|| {
                            crate::harness::Client::connect(address).request("GET", &target, &[HOST], b"")
                        });
                        let Ok(reply) = answer else { return };
                        assert!(!reply.complete || reply.text() == body(&target), "{target}");
                    }
                });
            }
            let before = origin.count();
            eventually("the edge stores", || (origin.count() >= before + 10 + round % 7).then_some(()));
            nix::sys::signal::kill(process, Signal::SIGKILL).unwrap();
            stop.store(true, SeqCst);
        });
        edge.end();
        edge = edge.again();
        for number in (0..400).step_by(5) {
            let target = format!("/{number}");
            let reply = edge.get_with(&target, &[HOST]);
            assert!(reply.complete && reply.text() == body(&target), "{target} after {round} kills");
            hits += usize::from(reply.x_cache() == "Hit");
        }
    }
    assert!(hits > 0, "nothing ever survived");
}

#[test]
fn no_wrong_byte_after_kill_9_under_load() {
    killed_under_load(3);
}

/// `cargo test -p edgehook --test integration -- --ignored two_hundred_kills`
#[test]
#[ignore = "takes minutes"]
fn two_hundred_kills_under_load() {
    killed_under_load(200);
}

const MIB: usize = 1 << 20;

/// The bytes of a large object from one position to another, in a version.
fn film(version: usize, start: usize, end: usize) -> Vec<u8> {
    (start..end).map(|at| (at / 7 + at / MIB * 13 + version * 31) as u8).collect()
}

/// An origin of an object of 40 MiB that first sends 20 of them and then waits, and has any rest of a version.
fn film_origin(version: usize) -> (Origin, mpsc::Sender<()>) {
    let (end, rest) = mpsc::channel();
    let rest = Mutex::new(Some(rest));
    let origin = Origin::start(move |seen| {
        let fields = |version| format!("cache-control: max-age=6000\r\netag: \"v{version}\"\r\n");
        let whole = format!("content-length: {}\r\n\r\n", 40 * MIB);
        if let Some(rest) = rest.lock().unwrap().take() {
            let head = format!("HTTP/1.1 200 X\r\n{}{whole}", fields(1));
            return Answer::head_only(&head).then(film(1, 0, 20 * MIB)).wait(rest);
        }
        let from = seen.header("range").filter(|_| seen.header("if-range") == Some(&format!("\"v{version}\"")));
        match from.map(|range| range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap()) {
            None => Answer::head_only(&format!("HTTP/1.1 200 X\r\n{}{whole}", fields(version))).then(film(
                version,
                0,
                40 * MIB,
            )),
            Some(from) => Answer::head_only(&format!(
                "HTTP/1.1 206 X\r\n{}content-range: bytes {from}-{}/{}\r\ncontent-length: {}\r\n\r\n",
                fields(version),
                40 * MIB - 1,
                40 * MIB,
                40 * MIB - from
            ))
            .then(film(version, from, 40 * MIB)),
        }
    });
    (origin, end)
}

/// Kills the edge when it has stored a part of the film and written that down.
fn killed_while_filling(origin: &Origin) -> Edge {
    let config = config(origin).replace("size = \"64MiB\"", "size = \"640MiB\"");
    let mut edge = Edge::start(&config, &[]);
    let mut viewer = edge.client();
    viewer.send(b"GET /film HTTP/1.1\r\nhost: site.test\r\n\r\n");
    let mut read = 0;
    assert_eq!(viewer.head().status, 200);
    while read < 20 * MIB {
        read += viewer.some_bytes().len();
    }
    // What a purge would count on disk is what the index has.
    eventually("it is written down", || {
        let count = crate::purge::said(&crate::purge::purge(&edge, &["--all", "--dry-run"]));
        (count == "would purge 1 stored response").then_some(())
    });
    edge.signal(Signal::SIGKILL);
    edge.end();
    edge.again()
}

#[test]
fn a_large_fill_goes_on_after_kill_9() {
    let (origin, end) = film_origin(1);
    let edge = killed_while_filling(&origin);
    let before = origin.count();
    let whole = edge.get_with("/film", &[HOST]);
    assert!(whole.status == 200 && whole.complete && whole.body == film(1, 0, 40 * MIB));
    assert_eq!(whole.header("content-range"), "");
    assert_eq!(origin.seen()[before].header("range"), Some("bytes=16777216-"));
    eventually("it is stored", || (edge.get_with("/film", &[HOST]).x_cache() == "Hit").then_some(()));
    assert_eq!(origin.count(), before + 1);
    drop(end);
}

#[test]
fn what_kill_9_left_of_another_version_is_not_used() {
    let (origin, end) = film_origin(2);
    let edge = killed_while_filling(&origin);
    let before = origin.count();
    let whole = edge.get_with("/film", &[HOST]);
    assert!(whole.status == 200 && whole.complete && whole.body == film(2, 0, 40 * MIB));
    assert!(origin.seen()[before].header("range").is_some() && whole.header("etag") == "\"v2\"");
    drop(end);
}

#[test]
fn what_is_damaged_of_what_kill_9_left_is_fetched_again() {
    let (origin, end) = film_origin(1);
    let edge = killed_while_filling(&origin);
    let folders = std::fs::read_dir(edge.folder().join("store")).unwrap().map(|entry| entry.unwrap().path());
    let files = folders.filter(|path| path.is_dir()).flat_map(|path| std::fs::read_dir(path).unwrap());
    let file = files.map(|entry| entry.unwrap().path()).next().unwrap();
    let mut there = std::fs::read(&file).unwrap();
    there[5 * MIB + 7] ^= 1;
    std::fs::write(&file, there).unwrap();
    let before = origin.count();
    let whole = edge.get_with("/film", &[HOST]);
    assert!(whole.status == 200 && whole.complete && whole.body == film(1, 0, 40 * MIB));
    let asked: Vec<_> =
        origin.seen()[before..].iter().map(|seen| seen.header("range").unwrap_or("all").to_owned()).collect();
    assert_eq!(asked, ["bytes=16777216-", "bytes=5242880-"]);
    drop(end);
}
