//! A disk tier that cannot have what it wants: full, limited, read-only, taken by another process, out of descriptors. Every
//! answer is right all the same.

use crate::harness::{Answer, Client, Edge, Origin, eventually, folder};
use nix::sys::signal::Signal;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

const HOST: (&str, &str) = ("host", "site.test");

/// The body of a path: 700 kB that tell which it is and where they are, or little for paths that say so.
fn body(path: &str) -> String {
    let size = if path.contains("small") { 3_000 } else { 700_000 };
    let piece = format!("{path} is what this is;");
    piece.repeat(size / piece.len() + 1)
}

fn origin() -> Origin {
    Origin::start(|seen| Answer::new(200, &[("cache-control", "max-age=6000")], &body(&seen.target)))
}

/// Little memory, so that what is asked for again comes from disk.
fn config(origin: &Origin, store: &Path) -> String {
    format!(
        "[cache]\nmemory = \"2MiB\"\n[cache.disk]\npath = \"{}\"\nsize = \"1GiB\"\n\
         [origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n",
        store.display(),
        origin.url()
    )
}

/// The answer's word of `X-Cache`; its bytes must be right.
#[track_caller]
fn right(edge: &Edge, target: &str) -> String {
    let reply = edge.get_with(target, &[HOST]);
    assert!(reply.complete && reply.status == 200 && reply.text() == body(target), "{target}: {}", reply.status);
    reply.x_cache().to_owned()
}

fn all_right(edge: &Edge, numbers: std::ops::Range<usize>) -> usize {
    numbers.filter(|number| right(edge, &format!("/{number}")) == "Hit").count()
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// A small file system, where this machine lets one be mounted.
struct Mounted(PathBuf);

impl Mounted {
    fn new(at: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let path = at.to_str().unwrap();
        if runs("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", path]) {
            return Some(Self(at.to_owned()));
        }
        eprintln!("SKIPPED: nothing can be mounted here");
        None
    }

    fn free(&self) -> u64 {
        let all = nix::sys::statvfs::statvfs(&self.0).unwrap();
        all.blocks_available() * all.fragment_size()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        runs("umount", &["-l", self.0.to_str().unwrap()]);
    }
}

#[test]
fn a_small_file_system_is_not_filled() {
    let place = folder(&[]);
    let Some(disk) = Mounted::new(&place.path().join("disk"), "24m") else { return };
    let origin = origin();
    let edge = Edge::start(&config(&origin, &disk.0.join("store")), &[]);
    all_right(&edge, 0..60);
    all_right(&edge, 0..60);
    let floor = 24 * 1024 * 1024 / 100;
    eventually("room is left", || (disk.free() >= floor).then_some(()));
    eventually("the newest are stored", || (all_right(&edge, 50..60) > 0).then_some(()));

    // Others fill it: what there was makes room, nothing more is stored, and everything is answered.
    let ballast = disk.0.join("ballast");
    let mut file = std::fs::File::create(&ballast).unwrap();
    let _ = std::io::copy(&mut std::io::repeat(1), &mut file);
    drop(file);
    assert_eq!(disk.free(), 0);
    all_right(&edge, 60..80);
    for number in 0..50 {
        right(&edge, &format!("/small/{number}"));
    }
    std::fs::remove_file(&ballast).unwrap();
    eventually("storing goes on", || (all_right(&edge, 50..80) > 0).then_some(()));
}

#[test]
fn a_file_system_that_becomes_read_only_serves_what_it_has() {
    let place = folder(&[]);
    let Some(disk) = Mounted::new(&place.path().join("disk"), "64m") else { return };
    let origin = origin();
    let mut edge = Edge::start(&config(&origin, &disk.0.join("store")), &[]);
    all_right(&edge, 0..10);
    eventually("they are stored", || (all_right(&edge, 0..10) == 10).then_some(()));
    // Open files forbid an ordinary remount; the edge has to end for it.
    edge.signal(Signal::SIGTERM);
    edge.end();
    if !runs("mount", &["-o", "remount,ro", disk.0.to_str().unwrap()]) {
        eprintln!("SKIPPED: it cannot be made read-only");
        return;
    }
    let edge = edge.again();
    edge.says("disk cache");
    all_right(&edge, 0..20);
    for number in 0..50 {
        right(&edge, &format!("/small/{number}"));
    }
}

#[test]
fn a_folder_that_is_none_costs_the_tier_only() {
    let place = folder(&[("file", "x")]);
    let origin = origin();
    let edge = Edge::start(&config(&origin, &place.path().join("file/store")), &[]);
    edge.says("no disk cache in");
    all_right(&edge, 0..5);
    right(&edge, "/small/1");
    eventually("memory goes on", || (right(&edge, "/small/1") == "Hit").then_some(()));
}

#[test]
fn a_folder_that_another_process_has_is_left_alone() {
    let place = folder(&[]);
    let origin = origin();
    let mut first = Edge::start(&config(&origin, &place.path().join("store")), &[]);
    all_right(&first, 0..10);
    eventually("they are stored", || (all_right(&first, 0..10) == 10).then_some(()));
    let second = Edge::start(&config(&origin, &place.path().join("store")), &[]);
    second.says("the index cannot be opened");
    all_right(&second, 0..20);
    assert_eq!(all_right(&first, 0..10), 10, "the first one has lost nothing");
    drop(second);
    first.signal(Signal::SIGTERM);
    first.end();
    let first = first.again();
    assert_eq!(all_right(&first, 0..10), 10, "nor has the next");
}

#[test]
fn a_limit_of_file_sizes_costs_what_is_larger() {
    let place = folder(&[]);
    let origin = origin();
    let mut edge = Edge::start(&config(&origin, &place.path().join("store")), &[]);
    all_right(&edge, 0..3);
    let process = edge.process().to_string();
    if !runs("prlimit", &["--pid", &process, "--fsize=300000"]) {
        eprintln!("SKIPPED: there is no prlimit");
        return;
    }
    all_right(&edge, 3..30);
    for number in 0..200 {
        right(&edge, &format!("/small/{number}"));
    }
    all_right(&edge, 0..10);
    edge.signal(Signal::SIGTERM);
    assert_eq!(edge.end(), Some(0), "it has not been killed for it");
}

#[test]
fn without_descriptors_what_is_open_goes_on_and_more_comes_later() {
    let place = folder(&[]);
    let origin = origin();
    let edge = Edge::start(&config(&origin, &place.path().join("store")), &[]);
    all_right(&edge, 0..10);
    eventually("they are stored", || (all_right(&edge, 0..10) == 10).then_some(()));
    let process = edge.process().to_string();
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
    let mut client = edge.client();
    assert_eq!(client.request("GET", "/small/1", &[HOST], b"").status, 200);
    if !runs("prlimit", &["--pid", &process, &format!("--nofile={}:65536", open + 12)]) {
        eprintln!("SKIPPED: there is no prlimit");
        return;
    }
    let crowd: Vec<Client> = (0..60).map(|_| edge.client()).collect();
    edge.says("cannot accept connections");
    for number in 0..10 {
        let target = format!("/{number}");
        let reply = client.request("GET", &target, &[HOST], b"");
        // What needs a descriptor may fail; what is answered is right.
        assert!(matches!(reply.status, 200 | 502..=504), "{}", reply.status);
        assert!(reply.status != 200 || reply.text() == body(&target));
    }
    drop(crowd);
    eventually("others are let in", || {
        std::panic::catch_unwind(|| edge.get_with("/small/1", &[HOST]))
            .is_ok_and(|reply| reply.status == 200)
            .then_some(())
    });
    assert!(runs("prlimit", &["--pid", &process, "--nofile=65536:65536"]));
    eventually("all is as it was", || {
        std::panic::catch_unwind(|| all_right(&edge, 0..10) == 10).unwrap_or(false).then_some(())
    });
}
