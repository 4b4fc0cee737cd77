//! A model of purges against everything that is under way: the real cache, its tasks run by a scheduler that chooses at
//! random who goes on at every await and at every [`point`](crate::cache::point).
//!
//! The property (security.md X24): no request that arrives after a purge was acknowledged gets what the origin said
//! before it. Bodies are versions of the origin's content, so that seeing an old one is seeing a purged byte.
//! `EDGEHOOK_SCHEDULES` chooses how many interleavings each scenario is run in.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use shuttle::future;

use super::*;
use crate::cache::purge::Kind;

thread_local! {
    static MODELLED: Cell<bool> = const { Cell::new(false) };
}

/// Lets another task of the model run; does nothing outside of it.
pub(in crate::cache) fn point() {
    if MODELLED.get() {
        shuttle::thread::yield_now();
    }
}

/// Starts a task in the model, or gives it back if there is none.
pub(in crate::cache) fn spawn<F: Future<Output = ()> + Send + 'static>(task: F) -> Result<(), F> {
    if !MODELLED.get() {
        return Err(task);
    }
    drop(future::spawn(task));
    Ok(())
}

fn schedules() -> usize {
    std::env::var("EDGEHOOK_SCHEDULES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_500)
}

/// Runs a scenario in many interleavings. A runtime that nobody drives stands by for the time-outs, which never come.
fn explore(scenario: fn()) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    shuttle::check_random(
        move || {
            let _entered = runtime.enter();
            MODELLED.set(true);
            scenario();
        },
        schedules(),
    );
    MODELLED.set(false);
}

/// The origin's content, counted in versions, and the version whose purge was acknowledged last.
#[derive(Clone)]
struct World {
    edge: Edge,
    origin: Arc<AtomicU64>,
    acknowledged: Arc<AtomicU64>,
    headers: &'static [(&'static str, &'static str)],
}

const VERSIONS: [&str; 4] = ["0", "1", "2", "3"];
const ETAGS: [&str; 4] = ["\"0\"", "\"1\"", "\"2\"", "\"3\""];

impl World {
    fn new(headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { edge: Edge::new(), origin: Arc::default(), acknowledged: Arc::default(), headers }
    }

    /// One request of a viewer from arrival to the last byte.
    async fn request(&self, seconds: u64) {
        let least = self.acknowledged.load(SeqCst);
        let viewer = get("/");
        let body = match self.edge.lookup(&viewer, seconds).await {
            Lookup::Hit(mut served) => {
                if let Some(ticket) = served.refresh.take() {
                    let world = self.clone();
                    drop(future::spawn(async move { drop(world.fetch(ticket, seconds).await) }));
                }
                served.body
            }
            Lookup::Miss(ticket) => self.fetch(ticket, seconds).await,
            other => panic!("{other:?}"),
        };
        let seen: u64 = body.collect().await.unwrap().to_bytes().iter().map(|byte| u64::from(byte - b'0')).sum();
        assert!(seen >= least, "version {seen} was seen by a request after the purge of everything below {least}");
    }

    /// Asks the origin: a look at its content at some moment, an answer at a later one.
    async fn fetch(&self, mut ticket: Box<FetchTicket>, seconds: u64) -> Body {
        loop {
            let mut asked = HeaderMap::new();
            ticket.prepare(&mut asked);
            point();
            let version = usize::try_from(self.origin.load(SeqCst)).unwrap();
            future::yield_now().await;
            let mut headers = self.headers.to_vec();
            headers.push(("etag", ETAGS[version]));
            let confirmed = asked.get("if-none-match").is_some_and(|tag| tag == ETAGS[version]);
            let answer = if confirmed {
                self.edge.answer(304, &headers, "", seconds)
            } else {
                let (origin, body) = scripted();
                drop(future::spawn(async move {
                    future::yield_now().await;
                    origin.send(Ok(Bytes::from(VERSIONS[version]))).ok();
                }));
                self.edge.answer_of(200, &headers, body, Delimited::Chunked, seconds)
            };
            match ticket.settle(answer, self.edge.at(seconds)) {
                Settlement::Answer(settled) => return settled.body,
                Settlement::Refetch(again) => ticket = again,
            }
        }
    }

    /// New content at the origin, then its purge.
    fn publish(&self, scope: Scope, kind: Kind) {
        let version = self.origin.fetch_add(1, SeqCst) + 1;
        point();
        let order = PurgeOrder { scopes: vec![scope], kind, sync: false, count: false };
        let purged = self.edge.cache.purge(&order, self.edge.at(0));
        assert_eq!(purged.number, version);
        self.acknowledged.store(version, SeqCst);
    }

    /// Viewers, an operator and the sweeper, all at once.
    fn play(self, viewers: usize, seconds: u64, scope: fn() -> Scope, kind: Kind) {
        let mut tasks = Vec::new();
        for _ in 0..viewers {
            let world = self.clone();
            tasks.push(future::spawn(async move {
                for _ in 0..2 {
                    world.request(seconds).await;
                }
            }));
        }
        let world = self.clone();
        tasks.push(future::spawn(async move {
            for _ in 0..2 {
                world.publish(scope(), kind);
                future::yield_now().await;
                point();
                world.edge.cache.sweep(world.edge.at(seconds));
            }
        }));
        future::block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
            self.request(seconds).await;
        });
    }
}

fn url() -> Scope {
    Scope::Url { scheme: None, host: Some("edge.test".to_owned()), target: "/".to_owned() }
}

fn pattern() -> Scope {
    Scope::Pattern { scheme: None, host: None, path: "/*".to_owned(), query: None }
}

const FRESH: &[(&str, &str)] = &[("cache-control", "max-age=60"), ("surrogate-key", "t")];
const REVALIDATED: &[(&str, &str)] = &[("cache-control", "max-age=5"), ("surrogate-key", "t")];
const WHILE: &[(&str, &str)] = &[("cache-control", "max-age=5, stale-while-revalidate=60"), ("surrogate-key", "t")];
const UNCACHEABLE: &[(&str, &str)] = &[("cache-control", "no-store")];

#[test]
fn a_url_is_purged_while_it_is_filled_and_joined() {
    explore(|| World::new(FRESH).play(3, 0, url, Kind::Hard));
}

#[test]
fn a_tag_is_purged_before_anybody_knows_that_the_answer_has_it() {
    explore(|| World::new(FRESH).play(3, 0, || Scope::Tag("t".to_owned()), Kind::Hard));
}

#[test]
fn a_pattern_and_everything_are_purged() {
    explore(|| World::new(FRESH).play(2, 0, pattern, Kind::Hard));
    explore(|| World::new(FRESH).play(2, 0, || Scope::All, Kind::Hard));
}

#[test]
fn a_purge_comes_between_validation_and_its_confirmation() {
    explore(|| {
        let world = World::new(REVALIDATED);
        future::block_on(world.request(0));
        world.play(2, 10, || Scope::Tag("t".to_owned()), Kind::Hard);
    });
}

#[test]
fn a_purge_comes_while_a_stale_answer_is_refreshed_in_the_background() {
    explore(|| {
        let world = World::new(WHILE);
        future::block_on(world.request(0));
        world.play(2, 10, url, Kind::Hard);
    });
}

#[test]
fn a_soft_purge_is_never_followed_by_a_fresh_old_answer() {
    // Without a window for stale answers a softly purged response has to be validated.
    explore(|| World::new(FRESH).play(3, 0, || Scope::Tag("t".to_owned()), Kind::Soft));
}

#[test]
fn what_cannot_be_stored_is_shared_with_nobody_who_came_after() {
    explore(|| World::new(UNCACHEABLE).play(3, 0, url, Kind::Hard));
}

/// The model finds what it looks for: where a purge is acknowledged before it is in force, it fails.
#[test]
fn the_model_sees_a_purge_that_is_acknowledged_too_early() {
    let found = std::panic::catch_unwind(|| {
        explore(|| {
            let world = World::new(FRESH);
            future::block_on(world.request(0));
            let viewer = world.clone();
            let asked = future::spawn(async move { viewer.request(0).await });
            world.origin.store(1, SeqCst);
            world.acknowledged.store(1, SeqCst);
            point();
            let order = PurgeOrder { scopes: vec![url()], kind: Kind::Hard, sync: false, count: false };
            drop(world.edge.cache.purge(&order, world.edge.at(0)));
            future::block_on(asked).unwrap();
        });
    });
    MODELLED.set(false);
    assert!(found.is_err());
}

/// The same without the model, on real threads: many requests against purges of every scope.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn real_threads_see_no_purged_byte() {
    let edge = Edge::new();
    let (origin, acknowledged) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (edge, origin, acknowledged) = (edge.clone(), Arc::clone(&origin), Arc::clone(&acknowledged));
        readers.spawn(async move {
            for _ in 0..2_000 {
                let least = acknowledged.load(SeqCst);
                let body = match edge.lookup(&get("/"), 0).await {
                    Lookup::Hit(served) => served.body,
                    Lookup::Miss(ticket) => {
                        let said = origin.load(SeqCst).to_string();
                        tokio::task::yield_now().await;
                        let length = Delimited::Length(said.len() as u64);
                        let answer = edge.answer_of(200, FRESH, body::full(said), length, 0);
                        settle(*ticket, answer, edge.at(0)).body
                    }
                    other => panic!("{other:?}"),
                };
                let seen: u64 = text(body).await.unwrap().parse().unwrap();
                assert!(seen >= least, "{seen} after {least}");
                tokio::task::yield_now().await;
            }
        });
    }
    let scopes: [fn() -> Scope; 5] =
        [url, pattern, || Scope::All, || Scope::Tag("t".to_owned()), || Scope::Host("edge.test".to_owned())];
    let mut version = 0;
    while !readers.is_empty() {
        version += 1;
        origin.store(version, SeqCst);
        let scope = scopes[usize::try_from(version).unwrap() % scopes.len()]();
        let order = PurgeOrder { scopes: vec![scope], kind: Kind::Hard, sync: false, count: false };
        drop(edge.cache.purge(&order, edge.at(0)));
        acknowledged.store(version, SeqCst);
        if version % 16 == 0 {
            edge.cache.sweep(edge.at(0));
        }
        while let Some(done) = readers.try_join_next() {
            done.unwrap();
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    assert!(version > 5, "{version}");
}
