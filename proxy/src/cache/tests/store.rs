//! Tests of `store`.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::*;
use crate::cache::{
    Now,
    entry::{Meta, StoredBody},
    fields::Fields,
    key::{KeyInput, KeyedRequest},
    policy::{CachePolicy, Plan, Selection, Ttl},
    rules::VaryLanguage,
    tags::{TagRules, Tags},
    vary::Variant,
};

fn policy() -> CachePolicy {
    let ttl = Ttl { min: Duration::ZERO, default: Duration::ZERO, max: Duration::ZERO };
    let (query, headers, cookies) = (Selection::None, Selection::None, Selection::None);
    let (tags, normalise, rules) = (TagRules::default(), Default::default(), Default::default());
    CachePolicy { ttl, query, headers, cookies, tags, normalise, rules }
}

fn key(path: &str) -> Key {
    let headers = HeaderMap::new();
    let input =
        KeyInput { namespace: "", scheme: "http", host: "a", path, query: None, headers: &headers, buckets: &[] };
    KeyedRequest::new(&policy(), &input).key
}

fn entry(size: usize) -> Arc<Entry> {
    let meta = Meta {
        status: StatusCode::OK,
        headers: Fields::default(),
        freshness: Plan::expired().freshness,
        variant: Variant::of(&HeaderMap::new(), &HeaderMap::new(), VaryLanguage::Syntax),
        received: Now::read().into(),
        lent: None,
        tags: Tags::default(),
        asked_at: 0,
    };
    Arc::new(Entry::new(meta, StoredBody::new(vec![Bytes::from(vec![0_u8; size])]), 0))
}

fn put(store: &Store, key: &Key, size: usize) -> bool {
    let flight = Flight::new(key.clone(), true, Arc::default(), 0);
    store.with_slot(key, |slot| slot.admit(Arc::clone(&flight)));
    store.commit(&flight, entry(size), None, || true)
}

fn slots(store: &Store) -> usize {
    let of_shard = |shard: &Mutex<Shard>| {
        let shard = lock(shard);
        shard.keys.0.len() + shard.flights.len()
    };
    store.shards.iter().map(of_shard).sum()
}

#[test]
fn memory_is_bounded_and_the_index_follows() {
    let store = Store::new(1 << 20, 1 << 16);
    for number in 0..2_000 {
        assert!(put(&store, &key(&format!("/{number}")), 10_000));
        assert!(store.weight() <= 1 << 20);
    }
    let held = (0..2_000).filter(|number| store.group(&key(&format!("/{number}"))).is_some()).count();
    assert!(held <= 100, "{held} objects of 10 kB in a megabyte");
    assert!(held >= 50, "{held} objects of 10 kB in a megabyte");
    assert_eq!(slots(&store), held);
    assert_eq!(store.clear(), held);
    assert_eq!(slots(&store), 0);
}

#[test]
fn a_flight_that_is_not_in_its_slot_stores_nothing() {
    let store = Store::new(1 << 20, 1 << 16);
    let flight = Flight::new(key("/"), true, Arc::default(), 0);
    assert!(!store.commit(&flight, entry(1), None, || true));
    store.with_slot(&flight.key, |slot| slot.admit(Arc::clone(&flight)));
    assert_eq!(store.invalidate(&flight.key), 0);
    assert!(!store.commit(&flight, entry(1), None, || true));
    assert!(store.group(&flight.key).is_none());
    assert_eq!(slots(&store), 0, "nothing is left behind");
}

#[test]
fn a_discarded_entry_is_gone_and_only_that() {
    let store = Store::new(1 << 20, 1 << 16);
    assert!(put(&store, &key("/"), 1));
    let stored = store.group(&key("/")).and_then(|group| group.latest().cloned()).unwrap();
    store.discard(&key("/"), &entry(1));
    assert!(store.group(&key("/")).is_some());
    store.discard(&key("/"), &stored);
    assert!(store.group(&key("/")).is_none());
    assert_eq!(slots(&store), 0);
}

#[test]
fn a_url_with_several_keys_goes_as_a_whole_and_alone() {
    let store = Store::new(1 << 20, 1 << 16);
    let keyed = |path: &str, value: &str| {
        let headers: HeaderMap =
            [(http::HeaderName::from_static("x-key"), value.parse().unwrap())].into_iter().collect();
        let input =
            KeyInput { namespace: "", scheme: "http", host: "a", path, query: None, headers: &headers, buckets: &[] };
        KeyedRequest::new(&CachePolicy { headers: Selection::All, ..policy() }, &input).key
    };
    for value in ["1", "2", "3"] {
        assert!(put(&store, &keyed("/", value), 1));
        assert!(put(&store, &keyed("/other", value), 1));
    }
    assert!(put(&store, &keyed("/", "3"), 2), "the same again");
    assert_eq!(slots(&store), 2);
    assert_eq!(store.invalidate(&keyed("/", "9")), 3);
    assert!(store.group(&keyed("/", "1")).is_none());
    assert!(store.group(&keyed("/other", "1")).is_some());
    for value in ["1", "2", "3"] {
        let key = keyed("/other", value);
        let stored = store.group(&key).and_then(|group| group.latest().cloned()).unwrap();
        store.discard(&key, &stored);
    }
    assert_eq!(slots(&store), 0);
}

#[test]
fn what_was_asked_for_often_outlives_a_scan() {
    let store = Store::new(4 << 20, 1 << 20);
    let hot: Vec<Key> = (0..80).map(|number| key(&format!("/hot/{number}"))).collect();
    hot.iter().for_each(|key| assert!(put(&store, key, 10_000)));
    for _ in 0..3 {
        hot.iter().for_each(|key| assert!(store.group(key).is_some()));
    }
    for number in 0..8_000 {
        put(&store, &key(&format!("/scan/{number}")), 10_000);
    }
    let left = hot.iter().filter(|key| store.group(key).is_some()).count();
    assert!(left >= 75, "{left} of 80 hot responses outlived one-hit wonders of twenty times the memory");
}
