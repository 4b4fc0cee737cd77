//! The schedule of fetches, under a clock that the test moves.

use super::*;
use std::{collections::VecDeque, sync::atomic::AtomicUsize};

/// A key set with one HMAC-free key: the public half of nothing in particular.
fn set(kid: &str) -> Vec<u8> {
    let (x, y) = ("6UPJ1o0hwvJy6qovk-4vevreD42-wmq5BU_02BiJbFc", "rseNFk20y5N8XElKhz323N0ThwKl-lbCSnV7YTJiZdQ");
    format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256","kid":"{kid}","x":"{x}","y":"{y}"}},{{"kty":"EC","crv":"P-256","kid":"{kid}-b","x":"{x}","y":"{y}"}}]}}"#).into_bytes()
}

/// What is still to be answered.
type Answers = VecDeque<Result<Vec<u8>, String>>;

/// Answers of a server in order; the last one for ever.
#[derive(Clone, Default)]
struct Server {
    answers: Arc<Mutex<Answers>>,
    asked: Arc<AtomicUsize>,
    /// Seconds that an answer takes.
    delay: Arc<AtomicU64>,
}

impl Server {
    fn with(answers: impl IntoIterator<Item = Result<Vec<u8>, String>>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn fetcher(&self) -> Fetcher {
        let server = self.clone();
        Arc::new(move || {
            let server = server.clone();
            Box::pin(async move {
                server.asked.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(server.delay.load(Ordering::SeqCst))).await;
                let mut answers = server.answers.lock().unwrap();
                if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0].clone() }
            })
        })
    }

    fn keys(&self) -> FetchedKeys {
        let schedule = Schedule {
            every: Duration::from_secs(600),
            on_unknown_kid: true,
            min_interval: Duration::from_secs(30),
            keep_stale: Duration::from_secs(3600),
        };
        FetchedKeys::new("test".to_owned(), vec![Algorithm::ES256], schedule, self.fetcher(), None)
    }
}

fn kid(keys: &FetchedKeys) -> Option<String> {
    keys.now().and_then(|keys| keys.set.keys()[0].kid.clone())
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_request_waits_for_the_first_fetch() {
    let server = Server::with([Ok(set("a"))]);
    server.delay.store(1, Ordering::SeqCst);
    let keys = server.keys();
    keys.start();
    keys.start();
    assert!(keys.now().is_none());
    assert!(keys.newer(None).await.is_some());
    assert_eq!((server.asked(), kid(&keys).as_deref()), (1, Some("a")));
}

#[tokio::test(start_paused = true)]
async fn sets_are_fetched_again_when_they_are_old() {
    let server = Server::with([Ok(set("a")), Ok(set("a")), Ok(set("b"))]);
    let keys = server.keys();
    keys.start();
    pass(599).await;
    assert_eq!(server.asked(), 1);
    let first = keys.now().unwrap().generation;
    pass(2).await;
    assert_eq!((server.asked(), keys.now().unwrap().generation), (2, first), "the same set keeps its generation");
    pass(600).await;
    assert_eq!((server.asked(), kid(&keys).as_deref()), (3, Some("b")));
    assert_ne!(keys.now().unwrap().generation, first);
}

#[tokio::test(start_paused = true)]
async fn j11_ten_thousand_unknown_ids_a_second_cause_one_fetch_in_thirty() {
    let server = Server::with([Ok(set("a"))]);
    let keys = Arc::new(server.keys());
    keys.start();
    pass(100).await;
    let generation = Some(keys.now().unwrap().generation);
    assert_eq!(server.asked(), 1);
    for second in 0..90_u64 {
        for _ in 0..10_000 {
            assert!(keys.newer(generation).await.is_none());
        }
        pass(1).await;
        let most = 1 + 1 + usize::try_from(second / 30).unwrap();
        assert!(server.asked() <= most, "{} fetches in {second} s", server.asked());
    }
    assert_eq!(server.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn j11_a_new_key_is_found_when_it_is_first_used() {
    let server = Server::with([Ok(set("a")), Ok(set("b"))]);
    server.delay.store(1, Ordering::SeqCst);
    let keys = server.keys();
    keys.start();
    pass(60).await;
    let generation = keys.now().unwrap().generation;
    let newer = keys.newer(Some(generation)).await.unwrap();
    assert_eq!(newer.set.keys()[0].kid.as_deref(), Some("b"));
    assert_eq!(server.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn j11_an_outage_leaves_the_last_good_set_and_then_none() {
    let server = Server::with([Ok(set("a")), Err("down".to_owned())]);
    let keys = server.keys();
    keys.start();
    pass(600 + 3600 - 1).await;
    assert_eq!(kid(&keys).as_deref(), Some("a"), "an hour's outage refuses nobody");
    assert!(server.asked() > 100, "it is tried again every 30 s");
    pass(2).await;
    assert!(keys.now().is_none(), "too old to be believed");
    server.answers.lock().unwrap().push_back(Ok(set("c")));
    pass(61).await;
    assert_eq!(kid(&keys).as_deref(), Some("c"));
}

#[tokio::test(start_paused = true)]
async fn j11_garbage_never_replaces_a_good_set() {
    let many: Vec<String> = (0..101).map(|n| format!("{{\"kty\":\"EC\",\"kid\":\"{n}\"}}")).collect();
    for garbage in [
        b"<html>".to_vec(),
        b"{}".to_vec(),
        b"{\"keys\":[]}".to_vec(),
        b"{\"keys\":{}}".to_vec(),
        b"{\"keys\":[1]}".to_vec(),
        b"{\"keys\":[],\"keys\":[]}".to_vec(),
        format!("{{\"keys\":[{}]}}", many.join(",")).into_bytes(),
        vec![b' '; 300 * 1024],
    ] {
        let server = Server::with([Ok(set("a")), Ok(garbage.clone())]);
        let keys = server.keys();
        keys.start();
        pass(700).await;
        assert!(server.asked() > 1);
        assert_eq!(
            kid(&keys).as_deref(),
            Some("a"),
            "{:?}",
            String::from_utf8_lossy(&garbage[..20.min(garbage.len())])
        );
    }
}

#[tokio::test(start_paused = true)]
async fn j11_a_server_that_hangs_blocks_nobody_with_a_known_key() {
    let server = Server::with([Ok(set("a"))]);
    let keys = server.keys();
    keys.start();
    pass(60).await;
    server.delay.store(1_000_000, Ordering::SeqCst);
    let generation = Some(keys.now().unwrap().generation);
    let start = Instant::now();
    assert!(keys.newer(generation).await.is_none());
    assert_eq!(start.elapsed(), PATIENCE, "who asks for an unknown key waits so long");
    assert!(keys.now().is_some(), "and who has a known one not at all");
    pass(60).await;
    assert!(server.asked() >= 3, "a fetch that hangs is given up and tried again");
}

#[tokio::test(start_paused = true)]
async fn waiting_is_bounded() {
    let server = Server::with([Ok(set("a"))]);
    server.delay.store(5, Ordering::SeqCst);
    let keys = Arc::new(server.keys());
    keys.start();
    let waiting: Vec<_> = (0..WAITING)
        .map(|_| {
            let keys = keys.clone();
            tokio::spawn(async move { keys.newer(None).await.is_some() })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let start = Instant::now();
    assert!(keys.newer(None).await.is_none());
    assert_eq!(start.elapsed(), Duration::ZERO);
    drop(waiting);
}

#[test]
fn sets_on_disk_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let kept = KeptSet::new(&folder.path().join("jwks"), "https://a.example/k");
    assert!(kept.read().is_none());
    kept.write(&set("a")).unwrap();
    kept.write(&set("b")).unwrap();
    let (text, age) = kept.read().unwrap();
    assert_eq!(text, set("b"));
    assert!(age < Duration::from_secs(600));
    assert_ne!(kept, KeptSet::new(&folder.path().join("jwks"), "https://b.example/k"));
    let server = Server::with([Err("down".to_owned())]);
    let schedule = server.keys().shared.schedule;
    let keys = FetchedKeys::new("x".to_owned(), vec![Algorithm::ES256], schedule, server.fetcher(), Some(kept));
    assert_eq!(kid(&keys).as_deref(), Some("b"));
}
