//! Tests of the disk tier through the whole cache: a restart is a second cache over the same folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use futures_util::FutureExt as _;
use http::Method;
use http_body_util::BodyExt as _;
use tempfile::TempDir;

use super::{faults::Op as Fault, *};
use crate::{
    body::{self, Body, BodyError, Delimited},
    cache::{
        CacheLimits, Lookup, NoStoreReason, PurgeKind, PurgeOrder, Scope, Settlement, StoreResult,
        tests::{Viewer, fields, get, get_with, policy_with, scripted},
    },
};

const MIB: u64 = 1 << 20;

/// A cache with a disk tier in a folder that outlives it.
struct Node {
    cache: Cache,
}

fn node(folder: &TempDir, size: u64) -> Node {
    let limits = CacheLimits { memory: 64 * MIB, max_object: size / 2, keep: Duration::from_secs(86_400) };
    let cache = Cache::new(limits);
    cache.attach_journal(&folder.path().join("purge.log")).unwrap();
    let settings = DiskSettings { path: folder.path().join("cache"), size };
    cache.attach_disk(settings).unwrap();
    Node { cache }
}

/// Bytes that tell where they are.
fn content(seed: u64, length: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap());
    while (bytes.len() as u64) < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(usize::try_from(length).unwrap());
    bytes
}

impl Node {
    fn disk(&self) -> &Disk {
        self.cache.inner.disk.get().unwrap()
    }

    fn flush(&self) {
        self.disk().flush();
    }

    /// Ends it as a process ends, and waits until its files are free.
    fn end(self) {
        let (shared, index) = (Arc::downgrade(&self.disk().shared), self.disk().folder().index());
        drop(self);
        // There is none for a moment after one has turned out to be damaged.
        while shared.strong_count() > 0 || fs::File::open(&index).is_ok_and(|index| index.try_lock().is_err()) {
            std::thread::yield_now();
        }
    }

    async fn settle(
        &self,
        viewer: &Viewer,
        headers: &[(&str, &str)],
        body: Body,
        delimited: Delimited,
    ) -> (StoreResult, Body) {
        let now = Now::read();
        let Lookup::Miss(ticket) = self.cache.lookup(&viewer.ask(), now).await else { panic!("no ticket") };
        let (mut head, ()) = http::Response::new(()).into_parts();
        head.headers = fields(headers);
        let answer = crate::cache::OriginAnswer { head, body, delimited, sent_at: now };
        let Settlement::Answer(settled) = ticket.settle(answer, now) else { panic!("a refetch") };
        (settled.result, settled.body)
    }

    async fn store(&self, path: &str, bytes: Vec<u8>) {
        let length = Delimited::Length(bytes.len() as u64);
        let headers = [("cache-control", "max-age=600"), ("surrogate-key", "t"), ("x-path", path)];
        let (result, body) = self.settle(&get(path), &headers, body::full(bytes.clone()), length).await;
        assert!(matches!(result, StoreResult::Stored { .. }), "{result:?}");
        assert!(read(body).await.unwrap() == bytes);
    }

    /// What is stored, if anything is.
    async fn hit(&self, viewer: &Viewer) -> Option<Result<Vec<u8>, BodyError>> {
        match self.cache.lookup(&viewer.ask(), Now::read()).await {
            Lookup::Hit(served) => Some(read(served.body).await),
            _ => None,
        }
    }

    async fn has(&self, path: &str, bytes: &[u8]) -> bool {
        match self.hit(&get(path)).await {
            Some(found) => {
                assert!(found.unwrap() == bytes, "wrong bytes under {path}");
                true
            }
            None => false,
        }
    }
}

async fn read(body: Body) -> Result<Vec<u8>, BodyError> {
    Ok(body.collect().await?.to_bytes().to_vec())
}

/// The files of bodies.
fn files(folder: &TempDir) -> Vec<PathBuf> {
    let folders = fs::read_dir(folder.path().join("cache")).unwrap().flatten().map(|entry| entry.path());
    let list = |folder: PathBuf| fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).collect::<Vec<_>>();
    folders.filter(|path| path.is_dir()).flat_map(list).collect()
}

/// One body of every kind: none, small, in a file and in memory, in a file only, in several chunks.
const LENGTHS: [u64; 6] = [0, 1_000, 64 << 10, 100_000, 300_000, 3 * MIB + 17];

#[tokio::test]
async fn bodies_of_every_size_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = node(&folder, 256 * MIB);
    for length in LENGTHS {
        first.store(&format!("/{length}"), content(length, length)).await;
        assert!(first.has(&format!("/{length}"), &content(length, length)).await);
    }
    first.flush();
    first.end();
    let second = node(&folder, 256 * MIB);
    for length in LENGTHS {
        assert!(second.has(&format!("/{length}"), &content(length, length)).await, "{length}");
    }
    let part = get_with(&format!("/{}", LENGTHS[5]), &[("range", "bytes=1048570-2097160")]);
    assert!(second.hit(&part).await.unwrap().unwrap() == content(LENGTHS[5], LENGTHS[5])[1_048_570..=2_097_160]);
    let Lookup::Hit(served) = second.cache.lookup(&get("/1000").ask(), Now::read()).await else { panic!() };
    assert_eq!(served.head.headers["x-path"], "/1000");
    assert_eq!(second.cache.on_disk().unwrap().1, LENGTHS.len());
}

#[tokio::test]
async fn age_goes_on_while_nothing_runs() {
    let folder = tempfile::tempdir().unwrap();
    let first = node(&folder, 64 * MIB);
    let mut earlier = Now::read();
    earlier.wall -= Duration::from_secs(590);
    let Lookup::Miss(ticket) = first.cache.lookup(&get("/").ask(), earlier).await else { panic!() };
    let (mut head, ()) = http::Response::new(()).into_parts();
    head.headers = fields(&[("cache-control", "max-age=600")]);
    let answer =
        crate::cache::OriginAnswer { head, body: body::full("x"), delimited: Delimited::Length(1), sent_at: earlier };
    let Settlement::Answer(settled) = ticket.settle(answer, earlier) else { panic!() };
    read(settled.body).await.unwrap();
    first.flush();
    first.end();
    let second = node(&folder, 64 * MIB);
    let Lookup::Hit(served) = second.cache.lookup(&get("/").ask(), Now::read()).await else { panic!() };
    assert!((590..600).contains(&served.report.age.as_secs()), "{:?}", served.report.age);
}

#[tokio::test]
async fn purges_and_invalidations_hold_for_what_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let first = node(&folder, 64 * MIB);
    for path in ["/purged", "/posted", "/kept"] {
        first.store(path, content(1, 400_000)).await;
    }
    first.flush();
    first.cache.invalidate(&get("/posted").keyed.key);
    assert!(!first.has("/posted", b"").await);
    let target = "/purged".to_owned();
    let order = PurgeOrder {
        scopes: vec![Scope::Url { scheme: None, host: None, target }],
        kind: PurgeKind::Hard,
        sync: false,
        count: true,
    };
    assert_eq!(first.cache.purge(&order, Now::read()).objects, Some(1), "counted once, though in memory and on disk");
    first.flush();
    first.end();
    let second = node(&folder, 64 * MIB);
    assert!(!second.has("/purged", b"").await && !second.has("/posted", b"").await);
    assert!(second.has("/kept", &content(1, 400_000)).await);
    second.cache.sweep(Now::read());
    assert_eq!(second.cache.inner.purges.retired(), 1);
    assert_eq!(second.cache.count(&[Scope::All]), 1);
    second.end();
    let third = node(&folder, 64 * MIB);
    assert!(third.has("/kept", &content(1, 400_000)).await, "it was held against the purge that is forgotten");
    assert!(!third.has("/purged", b"").await);
}

#[tokio::test]
async fn without_its_journal_nothing_on_disk_counts() {
    let folder = tempfile::tempdir().unwrap();
    let first = node(&folder, 64 * MIB);
    first.store("/", content(1, 400_000)).await;
    first.flush();
    first.end();
    fs::remove_file(folder.path().join("purge.log")).unwrap();
    let second = node(&folder, 64 * MIB);
    assert!(!second.has("/", b"").await);
    second.flush();
    assert_eq!(files(&folder).len(), 0);
}

#[tokio::test]
async fn no_damaged_byte_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let first = node(&folder, 256 * MIB);
    for length in LENGTHS {
        first.store(&format!("/{length}"), content(length, length)).await;
    }
    first.flush();
    first.end();
    let mut state = 7_usize;
    for path in files(&folder) {
        let mut bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() / 4096 + 1 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let place = (at * 4096 + state % 4096) % bytes.len();
            bytes[place] ^= 1 << (state % 8);
        }
        fs::write(&path, &bytes).unwrap();
    }
    let second = node(&folder, 256 * MIB);
    // The smallest may lie between two flips; if it is found, it has to be right.
    second.has("/1000", &content(1_000, 1_000)).await;
    for length in LENGTHS.into_iter().skip(2) {
        assert!(!second.has(&format!("/{length}"), &content(length, length)).await, "{length}");
    }
    second.store("/new", content(5, 1_000)).await;
    assert!(second.has("/new", &content(5, 1_000)).await);
}

#[tokio::test]
async fn a_damaged_chunk_behind_good_ones_cuts_the_transfer_and_is_then_a_miss() {
    let folder = tempfile::tempdir().unwrap();
    let first = node(&folder, 64 * MIB);
    let bytes = content(1, 3 * MIB);
    first.store("/", bytes.clone()).await;
    first.flush();
    first.end();
    let path = files(&folder).remove(0);
    let mut damaged = bytes.clone();
    damaged[usize::try_from(2 * MIB + 5).unwrap()] ^= 1;
    fs::write(&path, &damaged).unwrap();
    let second = node(&folder, 64 * MIB);
    assert_eq!(second.hit(&get("/")).await, Some(Err(BodyError::File)));
    assert_eq!(second.hit(&get("/")).await, None);
    second.flush();
    assert_eq!(files(&folder).len(), 0, "and the file is gone");
}

#[tokio::test]
async fn cut_missing_swapped_and_stray_files_are_misses() {
    let folder = tempfile::tempdir().unwrap();
    let first = node(&folder, 256 * MIB);
    for number in 0..5 {
        first.store(&format!("/{number}"), content(number, 300_000)).await;
    }
    first.flush();
    let named = |number: u64| {
        let wanted = content(number, 300_000);
        files(&folder).into_iter().find(|path| fs::read(path).unwrap() == wanted).unwrap()
    };
    let [cut, empty, missing, one, other] = [0, 1, 2, 3, 4].map(named);
    first.end();
    fs::OpenOptions::new().write(true).open(cut).unwrap().set_len(299_999).unwrap();
    fs::write(empty, b"").unwrap();
    fs::remove_file(missing).unwrap();
    let (left, right) = (fs::read(&one).unwrap(), fs::read(&other).unwrap());
    fs::write(&one, right).unwrap();
    fs::write(&other, left).unwrap();
    let stray = folder.path().join("cache/ab");
    fs::create_dir_all(&stray).unwrap();
    for number in 0..100 {
        fs::write(stray.join(format!("{number:014x}ab")), b"stray").unwrap();
    }
    let second = node(&folder, 256 * MIB);
    for number in 0..5 {
        assert!(!second.has(&format!("/{number}"), b"").await, "{number}");
    }
    second.flush();
    assert_eq!(files(&folder).len(), 0);
}

#[tokio::test]
async fn an_index_that_is_no_index_is_thrown_away() {
    let folder = tempfile::tempdir().unwrap();
    for damage in [&b"this is no database"[..], b""] {
        let first = node(&folder, 64 * MIB);
        first.store("/", content(1, 1_000)).await;
        first.flush();
        first.end();
        fs::write(folder.path().join("cache/index.redb"), damage).unwrap();
        let second = node(&folder, 64 * MIB);
        assert!(!second.has("/", b"").await);
        second.store("/", content(2, 1_000)).await;
        second.flush();
        second.cache.clear();
        second.end();
    }
}

/// Flips bits of the index, opens the tier on it, and verifies what it serves; some of the runs find the index unusable.
async fn damage_the_index(runs: u64) {
    let mut sound = 0;
    for run in 0..runs {
        let folder = tempfile::tempdir().unwrap();
        let index = folder.path().join("cache/index.redb");
        let first = node(&folder, 64 * MIB);
        for number in 0..20 {
            first.store(&format!("/{number}"), content(number, 1_000 + number * 20_000)).await;
        }
        first.flush();
        first.end();
        let mut bytes = fs::read(&index).unwrap();
        // Much of the file is not in use: the flips go where something is.
        let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        for (flip, number) in content(run, 64).chunks_exact(8).take(1 + usize::try_from(run % 8).unwrap()).enumerate() {
            let place = usize::try_from(u64::from_le_bytes(number.try_into().unwrap()) >> 1).unwrap();
            bytes[used[place % used.len()]] ^= 1 << (flip % 8);
        }
        fs::write(&index, &bytes).unwrap();
        let second = node(&folder, 64 * MIB);
        for number in 0..20 {
            // Found or not, it is never wrong: `has` compares.
            sound += u64::from(second.has(&format!("/{number}"), &content(number, 1_000 + number * 20_000)).await);
        }
        second.store("/new", content(99, 1_000)).await;
        assert!(second.has("/new", &content(99, 1_000)).await);
        second.end();
    }
    assert!(sound > 0, "not every flip may cost everything");
}

#[tokio::test]
async fn no_flipped_bit_of_the_index_makes_a_wrong_answer() {
    damage_the_index(12).await;
}

/// `cargo test -p edgehook --lib -- --ignored a_thousand_damaged_indexes`
#[tokio::test]
#[ignore = "takes minutes"]
async fn a_thousand_damaged_indexes() {
    damage_the_index(1_000).await;
}

#[tokio::test]
async fn bytes_are_bounded_whatever_comes() {
    let folder = tempfile::tempdir().unwrap();
    let size = 24 * MIB;
    let node = node(&folder, size);
    for number in 0..200 {
        let length = if number % 3 == 0 { 700_000 } else { 60_000 };
        node.store(&format!("/{number}"), content(number, length)).await;
        node.flush();
        let bytes: u64 = files(&folder).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        let index = fs::metadata(folder.path().join("cache/index.redb")).unwrap().len();
        assert!(bytes + index <= size + 2 * MIB, "{bytes} and {index} after {number}");
    }
    assert!(node.has("/199", &content(199, 60_000)).await, "the last one is there");
    assert!(node.has("/198", &content(198, 700_000)).await);
}

#[tokio::test]
async fn segments_that_are_mostly_dead_are_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let size = 64 * MIB;
    let first = node(&folder, size);
    for number in 0..200 {
        first.store(&format!("/{number}"), content(number, 60_000)).await;
    }
    first.flush();
    for number in (0..200).filter(|number| number % 10 != 0) {
        first.cache.invalidate(&get(&format!("/{number}")).keyed.key);
    }
    (0..4).for_each(|_| first.flush());
    let bytes: u64 = files(&folder).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!(bytes < 8 * MIB, "{bytes}");
    first.end();
    let second = node(&folder, size);
    for number in 0..200 {
        let found = second.has(&format!("/{number}"), &content(number, 60_000)).await;
        assert_eq!(found, number % 10 == 0, "{number}");
    }
}

#[tokio::test]
async fn what_is_large_is_stored_the_second_time() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(&folder, 256 * MIB);
    let headers = [("cache-control", "max-age=600")];
    let bytes = content(1, 9 * MIB);
    let length = Delimited::Length(bytes.len() as u64);
    let asked = |path| Viewer::under(policy_with(|rules| rules.admit_after = Some(8 * MIB)), Method::GET, path, &[]);
    let (result, body) = node.settle(&asked("/"), &headers, body::full(bytes.clone()), length).await;
    assert_eq!(result, StoreResult::NotStored(NoStoreReason::Admission));
    assert!(read(body).await.unwrap() == bytes);
    let (result, body) = node.settle(&asked("/"), &headers, body::full(bytes.clone()), length).await;
    assert!(matches!(result, StoreResult::Stored { .. }), "{result:?}");
    assert!(read(body).await.unwrap() == bytes);
    assert!(node.has("/", &bytes).await);

    // Another behavior says so for itself; and who waits for the head is the second request.
    let (result, _) = node.settle(&get("/at-once"), &headers, body::full(bytes.clone()), length).await;
    assert!(matches!(result, StoreResult::Stored { .. }), "{result:?}");
    let (first, second) = (asked("/together"), asked("/together"));
    let Lookup::Miss(ticket) = node.cache.lookup(&first.ask(), Now::read()).await else { panic!("no ticket") };
    let ask = second.ask();
    let mut waiting = Box::pin(node.cache.lookup(&ask, Now::read()));
    tokio::select! {
        biased;
        _ = &mut waiting => panic!("there is nothing yet"),
        () = std::future::ready(()) => {}
    }
    let (mut head, ()) = http::Response::new(()).into_parts();
    head.headers = fields(&headers);
    let body = body::full(bytes.clone());
    let answer = crate::cache::OriginAnswer { head, body, delimited: length, sent_at: Now::read() };
    let Settlement::Answer(settled) = ticket.settle(answer, Now::read()) else { panic!("a refetch") };
    assert!(matches!(settled.result, StoreResult::Stored { .. }), "{:?}", settled.result);
    let Lookup::Hit(followed) = waiting.await else { panic!("not followed") };
    assert!(read(followed.body).await.unwrap() == bytes);

    let (origin, body) = scripted();
    let (_, answer) = node.settle(&asked("/chunked"), &headers, body, Delimited::Chunked).await;
    let feed = |origin: tokio::sync::mpsc::UnboundedSender<_>| {
        bytes.chunks(100_000).for_each(|chunk| drop(origin.send(Ok(Bytes::copy_from_slice(chunk)))));
    };
    feed(origin);
    assert!(read(answer).await.unwrap() == bytes, "nobody told its length, and nothing is stored");
    let (origin, body) = scripted();
    let (_, answer) = node.settle(&asked("/chunked"), &headers, body, Delimited::Chunked).await;
    feed(origin);
    assert!(read(answer).await.unwrap() == bytes);
    assert!(node.has("/chunked", &bytes).await);
}

#[tokio::test]
async fn a_slow_reader_follows_on_disk_and_memory_stays_flat() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(&folder, 256 * MIB);
    let (origin, body) = scripted();
    let headers = [("cache-control", "max-age=600")];
    let bytes = content(1, 8 * MIB);
    let length = Delimited::Length(bytes.len() as u64);
    let (result, slow) = node.settle(&get("/"), &headers, body, length).await;
    assert!(matches!(result, StoreResult::Stored { .. }));
    for chunk in bytes[..bytes.len() - 100].chunks(50_000) {
        origin.send(Ok(Bytes::copy_from_slice(chunk))).unwrap();
    }
    let Lookup::Hit(late) = node.cache.lookup(&get("/").ask(), Now::read()).await else { panic!("nothing to join") };
    origin.send(Ok(Bytes::copy_from_slice(&bytes[bytes.len() - 100..]))).unwrap();
    drop(origin);
    assert!(read(late.body).await.unwrap() == bytes);
    assert!(node.cache.weight() < MIB, "{}", node.cache.weight());
    assert!(read(slow).await.unwrap() == bytes, "who has not read a byte yet misses none");
    assert!(node.has("/", &bytes).await);
}

#[tokio::test]
async fn a_broken_fill_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(&folder, 256 * MIB);
    let headers = [("cache-control", "max-age=600")];
    for (end, delimited) in [
        (Some(BodyError::Origin), Delimited::Chunked),
        (None, Delimited::Length(5 * MIB)),
        (Some(BodyError::OriginTimeout), Delimited::Length(5 * MIB)),
    ] {
        let (origin, body) = scripted();
        let (_, answer) = node.settle(&get("/"), &headers, body, delimited).await;
        for chunk in content(1, 3 * MIB).chunks(70_000) {
            origin.send(Ok(Bytes::copy_from_slice(chunk))).unwrap();
        }
        end.into_iter().for_each(|error| origin.send(Err(error)).unwrap());
        drop(origin);
        assert!(read(answer).await.is_err());
        assert!(!node.has("/", b"").await);
        node.flush();
        assert_eq!((files(&folder).len(), node.disk().len()), (0, 0), "{end:?}");
    }
}

/// The index is loaded on the tier's thread while fills run already: at start, and after a fault.
#[tokio::test]
async fn a_file_of_a_running_fill_is_no_stray() {
    let folder = tempfile::tempdir().unwrap();
    let first = node(&folder, 64 * MIB);
    let bytes = content(1, 3 * MIB);
    let (origin, body) = scripted();
    let headers = [("cache-control", "max-age=600")];
    let (_, mut answer) = first.settle(&get("/"), &headers, body, Delimited::Length(3 * MIB)).await;
    let (begun, rest) = bytes.split_at(2 * 1_048_576 + 5);
    origin.send(Ok(Bytes::copy_from_slice(begun))).unwrap();
    let mut arrived = Vec::new();
    while first.disk().folder().used() < MIB {
        let Some(frame) = answer.frame().now_or_never().flatten() else {
            tokio::task::yield_now().await;
            continue;
        };
        arrived.extend_from_slice(frame.unwrap().data_ref().unwrap());
    }
    for broken in [false, true] {
        if broken {
            first.disk().shared.index_failed(&"a test".into());
            first.disk().shared.writes.worked();
        } else {
            first.disk().shared.loaded.store(false, Ordering::Release);
        }
        (0..2).for_each(|_| first.flush()); // the thread is past the look at whether it has to load when it gets the first
        assert!(first.disk().shared.loaded.load(Ordering::Acquire));
        assert_eq!(files(&folder).len(), 1, "broken: {broken}");
    }
    origin.send(Ok(Bytes::copy_from_slice(rest))).unwrap();
    drop(origin);
    arrived.extend_from_slice(&read(answer).await.unwrap());
    assert!(arrived == bytes);
    first.flush();
    assert_eq!((files(&folder).len(), first.disk().folder().used()), (1, 3 * MIB));
    first.end();
    let second = node(&folder, 64 * MIB);
    assert!(second.has("/", &bytes).await, "and is found after a restart");
}

#[test]
fn emptying_spares_what_is_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let tier = Folder::open(&folder.path().join("cache")).unwrap();
    let (stray, _) = tier.create().unwrap();
    let (id, file) = tier.begin().unwrap();
    tier.append(id, &file, 0, b"12345").unwrap();
    tier.empty().unwrap();
    assert!(tier.open_file(stray).is_err() && tier.open_file(id).is_ok());
    assert_eq!(tier.used(), 5);
    tier.remove(id, 5);
    tier.append(id, &file, 5, b"6789").unwrap();
    assert_eq!((files(&folder).len(), tier.used()), (0, 0), "a write that comes after the end counts for nothing");
}

#[tokio::test]
async fn requests_are_answered_while_the_disk_fails() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(&folder, 256 * MIB);
    node.store("/before", content(3, 400_000)).await;
    node.flush();
    let faults = node.disk().folder().faults.clone();
    faults.set(&[Fault::Write]);
    let headers = [("cache-control", "max-age=600")];
    let bytes = content(1, 5 * MIB);
    let length = Delimited::Length(bytes.len() as u64);
    let (_, body) = node.settle(&get("/"), &headers, body::full(bytes.clone()), length).await;
    assert!(read(body).await.unwrap() == bytes, "the viewer notices nothing");
    assert!(!node.disk().is_writable(), "off for a while");
    assert!(node.has("/before", &content(3, 400_000)).await, "reading goes on");
    node.store("/small", content(2, 1_000)).await;
    assert!(node.has("/small", &content(2, 1_000)).await, "memory goes on");

    faults.set(&[Fault::Read]);
    node.cache.inner.store.clear();
    assert!(!node.has("/before", b"").await, "what cannot be read is a miss");
    faults.set(&[]);
}

#[tokio::test]
async fn a_renewed_head_keeps_its_body_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let first = node(&folder, 64 * MIB);
    let bytes = content(1, 400_000);
    let headers = [("cache-control", "max-age=0"), ("etag", "\"1\"")];
    let length = Delimited::Length(bytes.len() as u64);
    let (_, body) = first.settle(&get("/"), &headers, body::full(bytes.clone()), length).await;
    read(body).await.unwrap();
    first.flush();
    let now = Now::read();
    let Lookup::Miss(ticket) = first.cache.lookup(&get("/").ask(), now).await else { panic!() };
    let (mut head, ()) = http::Response::builder().status(304).body(()).unwrap().into_parts();
    head.headers = fields(&[("cache-control", "max-age=600"), ("etag", "\"1\"")]);
    let answer = crate::cache::OriginAnswer { head, body: body::empty(), delimited: Delimited::None, sent_at: now };
    let Settlement::Answer(settled) = ticket.settle(answer, now) else { panic!() };
    assert!(read(settled.body).await.unwrap() == bytes);
    first.flush();
    assert_eq!(files(&folder).len(), 1);
    first.end();
    let second = node(&folder, 64 * MIB);
    assert!(second.has("/", &bytes).await, "with the new lifetime");
    let head = Viewer::new(Method::HEAD, "/", &[]);
    assert!(matches!(second.cache.lookup(&head.ask(), Now::read()).await, Lookup::Hit(_)));
    assert!(Path::new(&folder.path().join("purge.log")).exists());
}

/// A fill of 40 MiB of which so many bytes have come and are on disk, and how it goes on.
async fn begun(
    node: &Node,
    etag: &str,
    sent: u64,
) -> (tokio::sync::mpsc::UnboundedSender<Result<Bytes, BodyError>>, Body) {
    let (origin, body) = scripted();
    let length = (40 * MIB).to_string();
    let headers =
        [("cache-control", "max-age=600"), ("content-length", &length), ("etag", etag), ("surrogate-key", "t")];
    let (_, mut answer) = node.settle(&get("/"), &headers, body, Delimited::Length(40 * MIB)).await;
    for chunk in content(1, sent).chunks(1 << 20) {
        origin.send(Ok(Bytes::copy_from_slice(chunk))).unwrap();
    }
    let mut read = 0;
    while read < sent {
        read += answer.frame().await.unwrap().unwrap().data_ref().unwrap().len() as u64;
    }
    while node.disk().folder().used() < sent / MIB * MIB {
        tokio::task::yield_now().await;
    }
    node.flush();
    (origin, answer)
}

/// What a process that is killed now leaves to the next one.
fn killed(folder: &TempDir) -> (TempDir, Node) {
    fn copy(from: &std::path::Path, to: &std::path::Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy(&entry.path(), &target)
            } else {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    let left = tempfile::tempdir().unwrap();
    copy(folder.path(), left.path());
    let next = node(&left, 256 * MIB);
    next.flush();
    (left, next)
}

async fn beginning(node: &Node) -> Option<crate::cache::Prefix> {
    let now = Now::read();
    let Lookup::Miss(ticket) = node.cache.lookup(&get("/").ask(), now).await else { panic!("no ticket") };
    node.cache.prefix(&ticket, now).await
}

#[tokio::test]
async fn a_kill_leaves_what_was_noted_of_a_fill() {
    for (etag, sent, left) in [
        ("\"a\"", 15 * MIB, None),
        ("\"a\"", 17 * MIB, Some(16 * MIB)),
        ("\"a\"", 35 * MIB + 5, Some(32 * MIB)),
        ("W/\"a\"", 35 * MIB, None),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let node = node(&folder, 256 * MIB);
        let (origin, answer) = begun(&node, etag, sent).await;
        assert_eq!(node.disk().len(), 0, "in its own process nobody finds it");
        let (left_there, next) = killed(&folder);
        let found = beginning(&next).await;
        assert_eq!(found.as_ref().map(|found| found.lengths()), left.map(|left| (left, 40 * MIB)), "{etag} {sent}");
        assert_eq!(
            (next.disk().folder().used(), files(&left_there).len()),
            (left.unwrap_or(0), usize::from(left.is_some()))
        );
        if let Some((found, left)) = found.zip(left) {
            assert_eq!(fs::metadata(&files(&left_there)[0]).unwrap().len(), left, "what nobody knows is cut off");
            assert!(read(found.body()).await.unwrap() == content(1, left));
        }
        drop((origin, answer));
    }
}

#[tokio::test]
async fn a_damaged_beginning_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(&folder, 256 * MIB);
    let _fill = begun(&node, "\"a\"", 17 * MIB).await;
    let (left, next) = killed(&folder);
    let mut bytes = fs::read(&files(&left)[0]).unwrap();
    bytes[5 << 20] ^= 1;
    fs::write(&files(&left)[0], bytes).unwrap();
    let found = beginning(&next).await.unwrap();
    let mut body = found.body();
    let mut good = 0;
    let end = loop {
        match body.frame().await.unwrap() {
            Ok(frame) => good += frame.data_ref().unwrap().len() as u64,
            Err(error) => break error,
        }
    };
    assert_eq!((good, end), (5 * MIB, BodyError::File));
    assert!(beginning(&next).await.is_none(), "and is not offered again");
}

#[tokio::test]
async fn what_was_invalidated_purged_or_finished_leaves_no_note() {
    let purge = |scope: Scope| PurgeOrder { scopes: vec![scope], kind: PurgeKind::Hard, sync: false, count: false };
    for way in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        let node = node(&folder, 256 * MIB);
        let (origin, answer) = begun(&node, "\"a\"", 17 * MIB).await;
        match way {
            0 => drop(node.cache.invalidate(&get("/").keyed.key)),
            1 => drop(node.cache.purge(&purge(Scope::Tag("t".to_owned())), Now::read())),
            2 => drop(node.cache.clear()),
            _ => {}
        }
        let rest = content(1, 40 * MIB).split_off(17 << 20);
        let (rest, end) = if way == 5 { (rest.as_slice(), None) } else { (&rest[..16 << 20], Some(BodyError::Origin)) };
        rest.chunks(1 << 20).for_each(|chunk| origin.send(Ok(Bytes::copy_from_slice(chunk))).unwrap());
        let end = end.filter(|_| way >= 3);
        end.into_iter().for_each(|end| origin.send(Err(end)).unwrap());
        if way >= 3 {
            drop(origin);
            assert_eq!(read(answer).await.is_ok(), way == 5);
        } else {
            // It goes on, far enough for another note.
            let mut answer = answer;
            let mut read = 0;
            while read < 16 * MIB {
                read += answer.frame().await.unwrap().unwrap().data_ref().unwrap().len() as u64;
            }
            while node.disk().folder().used() < 33 * MIB {
                tokio::task::yield_now().await;
            }
        }
        node.flush();
        if way == 4 {
            node.cache.invalidate(&get("/").keyed.key);
            node.flush();
        }
        let records = node.disk().ids(|_, _| true).len();
        let (_left, next) = killed(&folder);
        // What is purged may still lie there for a while.
        let expected = if matches!(way, 3 | 5) { (1, 1) } else { (0, 0) };
        assert!((records, next.disk().len()) == expected || matches!(way, 1 | 2), "way {way}");
        if way != 5 {
            assert_eq!(beginning(&next).await.is_some(), way == 3, "way {way}");
        }
    }
}

/// The process ends in order, but with a fill under way.
#[test]
fn a_fill_that_is_cut_short_leaves_all_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let node = runtime.block_on(async { node(&folder, 256 * MIB) });
    let fill = runtime.block_on(begun(&node, "\"a\"", 18 * MIB + 5));
    drop(runtime);
    drop(fill);
    node.flush();
    assert_eq!((node.disk().len(), node.disk().folder().used()), (1, 18 * MIB));
    let found = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let found = beginning(&node).await.unwrap();
        (found.lengths(), read(found.body()).await.unwrap())
    });
    assert!(found == ((18 * MIB, 40 * MIB), content(1, 18 * MIB)));
}

/// The index is read anew while a fill is noted in it.
#[tokio::test]
async fn a_note_outlives_a_fault_of_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let first = node(&folder, 256 * MIB);
    let (origin, answer) = begun(&first, "\"a\"", 17 * MIB).await;
    first.disk().shared.index_failed(&"a test".into());
    first.disk().shared.writes.worked();
    (0..2).for_each(|_| first.flush());
    assert_eq!((first.disk().len(), files(&folder).len()), (0, 1));
    assert!(beginning(&killed(&folder).1).await.is_some());
    origin.send(Ok(Bytes::from(content(1, 40 * MIB).split_off(17 << 20)))).unwrap();
    drop(origin);
    assert!(read(answer).await.is_ok());
    first.flush();
    assert_eq!(
        (first.disk().ids(|_, _| true).len(), first.disk().len()),
        (1, 1),
        "the note is gone, the object is there"
    );
}
