//! Tests of `store`.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::*;
use crate::cache::{
    Now,
    entry::{Meta, StoredBody},
    key::{KeyInput, KeyedRequest},
    policy::{CachePolicy, Plan, Selection, Ttl},
    rules::VaryLanguage,
    tags::{TagRules, Tags},
    vary::Variant,
};

fn key(path: &str) -> Key {
    let ttl = Ttl { min: Duration::ZERO, default: Duration::ZERO, max: Duration::ZERO };
    let (query, headers, cookies) = (Selection::None, Selection::None, Selection::None);
    let (tags, normalise, rules) = (TagRules::default(), Default::default(), Default::default());
    let policy = CachePolicy { ttl, query, headers, cookies, tags, normalise, rules };
    let headers = HeaderMap::new();
    let input =
        KeyInput { namespace: "", scheme: "http", host: "a", path, query: None, headers: &headers, buckets: &[] };
    KeyedRequest::new(&policy, &input).key
}

fn entry(size: usize) -> Arc<Entry> {
    let meta = Meta {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        freshness: Plan::expired().freshness,
        variant: Variant::of(&HeaderMap::new(), &HeaderMap::new(), VaryLanguage::Syntax),
        received: Now::read(),
        lent: None,
        tags: Tags::default(),
        asked_at: 0,
    };
    Arc::new(Entry::new(meta, StoredBody::new(vec![Bytes::from(vec![0_u8; size])]), 0))
}

fn put(store: &Store, key: &Key, size: usize) -> bool {
    let flight = Flight::new(key.clone(), true, Arc::default(), 0);
    store.with_slot(key, |slot| slot.admit(Arc::clone(&flight)));
    store.commit(&flight, entry(size), None, || false)
}

fn slots(store: &Store) -> usize {
    store.shards.iter().map(|shard| lock(shard).len()).sum()
}

#[test]
fn memory_is_bounded_and_the_index_follows() {
    let store = Store::new(1 << 20);
    for number in 0..2_000 {
        assert!(put(&store, &key(&format!("/{number}")), 10_000));
        assert!(store.weight() <= (1 << 20) + (1 << 16) + 20_000);
    }
    let held = (0..2_000).filter(|number| store.group(&key(&format!("/{number}"))).is_some()).count();
    assert!(held <= 100, "{held} objects of 10 kB in a megabyte");
    assert!(slots(&store) <= held + 20, "{} slots for {held} objects", slots(&store));
    assert!(store.clear() <= held + 20);
    assert_eq!(slots(&store), 0);
}

#[test]
fn a_flight_that_is_not_in_its_slot_stores_nothing() {
    let store = Store::new(1 << 20);
    let flight = Flight::new(key("/"), true, Arc::default(), 0);
    assert!(!store.commit(&flight, entry(1), None, || false));
    store.with_slot(&flight.key, |slot| slot.admit(Arc::clone(&flight)));
    assert_eq!(store.invalidate(&flight.key), 0);
    assert!(!store.commit(&flight, entry(1), None, || false));
    assert!(store.group(&flight.key).is_none());
    assert_eq!(slots(&store), 0, "nothing is left behind");
}

#[test]
fn a_discarded_entry_is_gone_and_only_that() {
    let store = Store::new(1 << 20);
    assert!(put(&store, &key("/"), 1));
    let stored = store.group(&key("/")).and_then(|group| group.latest().cloned()).unwrap();
    store.discard(&key("/"), &entry(1));
    assert!(store.group(&key("/")).is_some());
    store.discard(&key("/"), &stored);
    assert!(store.group(&key("/")).is_none());
    assert_eq!(slots(&store), 0);
}
