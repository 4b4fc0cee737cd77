//! The disk tier across the end of the process: restart, and `kill -9` while it writes.

use crate::harness::{Answer, Edge, Origin, eventually};
use nix::sys::signal::Signal;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

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
