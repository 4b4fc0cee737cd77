//! The store on the medium: edits, limits, seeds, records, and what a crash leaves.

use super::*;
use crate::limits::{MAX_KEY, MAX_STORE, MAX_VALUE};
use std::os::unix::fs::PermissionsExt as _;

fn put(key: &str, value: &str) -> Change {
    Change::Put { key: key.to_owned(), value: value.to_owned() }
}

fn remove(key: &str) -> Change {
    Change::Remove { key: key.to_owned() }
}

fn entries(list: &[(&str, &str)]) -> Entries {
    list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn shown(store: &Store) -> String {
    let (_, content) = store.content().unwrap();
    content.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

fn memory() -> Store {
    Store::in_memory(1).unwrap()
}

#[test]
fn edits_are_made_and_numbered() {
    let store = memory();
    let edited = store.edit(vec![put("a", "1"), put("b", "2"), remove("x")], 5).unwrap();
    assert_eq!(edited, Edited { sequence: 1, put: 2, removed: 0 });
    let edited = store.edit(vec![put("a", "1"), put("b", "3"), remove("a"), put("c", "")], 6).unwrap();
    assert_eq!(edited, Edited { sequence: 2, put: 2, removed: 1 });
    assert_eq!(shown(&store), "b=3 c=");
    assert_eq!((store.get("b").unwrap().as_deref(), store.get("a").unwrap()), (Some("3"), None));
    assert_eq!(store.content().unwrap().0, Meta { sequence: 2, created: 1, updated: 6 });
}

#[test]
fn what_changes_nothing_is_no_edit() {
    let store = memory();
    store.edit(vec![put("a", "1")], 5).unwrap();
    let edited = store.edit(vec![put("a", "1"), remove("b")], 6).unwrap();
    assert_eq!(edited, Edited { sequence: 1, put: 0, removed: 0 });
    assert_eq!(store.content().unwrap().0.updated, 5);
}

#[test]
fn an_edit_that_breaks_a_limit_leaves_everything_as_it_was() {
    let store = memory();
    store.edit(vec![put("a", "1")], 5).unwrap();
    let (key, value) = ("k".repeat(MAX_KEY), "v".repeat(MAX_VALUE));
    for (changes, expected) in [
        (vec![put("a", "2"), put("", "")], LimitError::Key(0)),
        (vec![put("a", "2"), put(&format!("{key}k"), "")], LimitError::Key(513)),
        (vec![put("a", "2"), put("b", &format!("{value}v"))], LimitError::Value(1_025)),
    ] {
        match store.edit(changes, 6) {
            Err(StoreError::Limit(limit)) => assert_eq!(limit, expected),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(shown(&store), "a=1");
    assert_eq!(store.edit(vec![put(&key, &value)], 7).unwrap().sequence, 2);
}

#[test]
fn a_full_store_takes_no_more_but_can_be_changed() {
    let store = memory();
    let value = "v".repeat(MAX_VALUE - 8);
    let full: Entries =
        (0..MAX_STORE / MAX_VALUE as u64).map(|number| (format!("{number:08}"), value.clone())).collect();
    store.replace(full, 1).unwrap();
    match store.edit(vec![put("x", "")], 2) {
        Err(StoreError::Limit(limit)) => assert_eq!(limit, LimitError::Store(MAX_STORE + 1)),
        other => panic!("{other:?}"),
    }
    store.edit(vec![remove("00000000"), put("x", "")], 2).unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!((snapshot.count(), snapshot.get("x"), snapshot.get("00000000")), (5_120, Some(""), None));
    assert_eq!(snapshot.get("00005119"), Some(value.as_str()));
}

#[test]
fn the_file_seeds_and_replaces_when_it_changes() {
    let store = memory();
    assert_eq!(store.would_lose(1).unwrap(), Some(0));
    assert_eq!(store.seed(&entries(&[("a", "1"), ("b", "2")]), 1, 5).unwrap(), Seeded::Loaded { lost: 0 });
    store.edit(vec![put("a", "9")], 6).unwrap();
    store.edit(vec![put("c", "9")], 6).unwrap();
    assert_eq!(store.would_lose(1).unwrap(), None);
    assert_eq!(store.seed(&entries(&[("a", "1"), ("b", "2")]), 1, 7).unwrap(), Seeded::Unchanged);
    assert_eq!(shown(&store), "a=9 b=2 c=9");
    assert_eq!(store.would_lose(2).unwrap(), Some(2));
    assert_eq!(store.seed(&entries(&[("a", "3")]), 2, 8).unwrap(), Seeded::Loaded { lost: 2 });
    assert_eq!(shown(&store), "a=3");
    assert_eq!(store.seed(&entries(&[("a", "4")]), 3, 9).unwrap(), Seeded::Loaded { lost: 0 });
    assert_eq!(store.content().unwrap().0.sequence, 5);
}

#[test]
fn a_file_that_says_what_the_store_holds_loses_nothing() {
    let store = memory();
    store.seed(&entries(&[("a", "1")]), 1, 5).unwrap();
    store.edit(vec![put("a", "2")], 6).unwrap();
    assert_eq!(store.seed(&entries(&[("a", "2")]), 2, 7).unwrap(), Seeded::Loaded { lost: 0 });
    assert_eq!(store.would_lose(3).unwrap(), Some(0));
}

#[test]
fn a_seed_that_breaks_a_limit_is_tried_again() {
    let store = memory();
    let bad = entries(&[("", "")]);
    assert!(matches!(store.seed(&bad, 1, 5), Err(StoreError::Limit(_))));
    assert_eq!(store.would_lose(1).unwrap(), Some(0), "the fingerprint was not kept either");
}

#[test]
fn records_replay_to_the_same_content() {
    let (store, copy) = (memory(), memory());
    store.replace(entries(&[("a", "1"), ("b", "2")]), 5).unwrap();
    store.edit(vec![remove("a"), put("c", "3")], 6).unwrap();
    let replay = |records: Vec<Record>| {
        for record in records {
            let edited = if record.replaces {
                let puts = record.changes.into_iter().filter_map(|change| match change {
                    Change::Put { key, value } => Some((key, value)),
                    Change::Remove { .. } => None,
                });
                copy.replace(puts.collect(), record.at)
            } else {
                copy.edit(record.changes, record.at)
            };
            assert_eq!(edited.unwrap().sequence, record.sequence);
        }
    };
    replay(store.records(0).unwrap().unwrap());
    assert_eq!(shown(&copy), "b=2 c=3");
    store.edit(vec![put("d", "4")], 7).unwrap();
    replay(store.records(2).unwrap().unwrap());
    assert_eq!(
        (shown(&copy), copy.content().unwrap()),
        (shown(&store), (store.content().unwrap().0, copy.content().unwrap().1))
    );
    assert_eq!(store.records(3).unwrap(), Some(Vec::new()));
}

#[test]
fn records_are_bounded_and_gaps_are_told() {
    let store = memory();
    for number in 0..MAX_RECORDS + 2 {
        store.edit(vec![put("a", &number.to_string())], number).unwrap();
    }
    assert_eq!(store.records(0).unwrap(), None);
    assert_eq!(store.records(1).unwrap(), None);
    assert_eq!(store.records(2).unwrap().map(|records| records.len() as u64), Some(MAX_RECORDS));
    store.replace(entries(&[("b", "1")]), 5).unwrap();
    assert_eq!(store.records(0).unwrap().map(|records| records.len()), Some(1), "it makes all before it needless");
}

#[test]
fn one_process_at_a_time_and_everything_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state/kvs/a.redb");
    let store = Store::open(&file, 1).unwrap();
    store.edit(vec![put("a", "1")], 2).unwrap();
    assert!(matches!(Store::open(&file, 3), Err(StoreError::InUse)));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    drop(store);
    let store = Store::open(&file, 3).unwrap();
    assert_eq!(shown(&store), "a=1");
    assert_eq!(store.content().unwrap().0, Meta { sequence: 1, created: 1, updated: 2 });
}

#[test]
fn what_is_no_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.redb");
    std::fs::write(&file, "something else altogether".repeat(1_000)).unwrap();
    assert!(matches!(Store::open(&file, 3), Err(StoreError::Storage(_))));
}
