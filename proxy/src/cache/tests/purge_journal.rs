//! Tests of `purge::journal`.

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn record(number: u64) -> Record {
    Record {
        number,
        soft: number.is_multiple_of(2),
        at: 1_000 + number,
        scopes: vec![Scope::Tag(format!("t{number}"))],
    }
}

fn journal(count: u64) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/purge.log");
    let mut journal = Journal::open(&path).unwrap();
    (1..=count).for_each(|number| journal.append(record(number), false).unwrap());
    (folder, path)
}

fn numbers(journal: &Journal) -> Vec<u64> {
    journal.records().iter().map(|record| record.number).collect()
}

#[test]
fn what_was_written_is_read_again() {
    let (_folder, path) = journal(3);
    let first = Journal::open(&path).unwrap();
    assert_eq!((first.records(), first.number()), (&[record(1), record(2), record(3)][..], 3));
    let name = first.name().to_owned();
    drop(first);
    let mut again = Journal::open(&path).unwrap();
    again.append(record(4), true).unwrap();
    drop(again);
    let again = Journal::open(&path).unwrap();
    assert_eq!((numbers(&again), again.name()), (vec![1, 2, 3, 4], name.as_str()));
}

#[test]
fn only_one_process_has_it() {
    let (_folder, path) = journal(1);
    let _held = Journal::open(&path).unwrap();
    assert!(Journal::open(&path).unwrap_err().to_string().contains("another process"));
}

#[test]
fn a_torn_end_is_dropped_wherever_it_is_torn() {
    let (_folder, path) = journal(3);
    let whole = fs::read(&path).unwrap();
    let second = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).nth(2).unwrap();
    for length in second..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(numbers(&journal), [1, 2], "{length}");
        journal.append(record(3), false).unwrap();
        drop(journal);
        assert_eq!(numbers(&Journal::open(&path).unwrap()), [1, 2, 3]);
    }
}

#[test]
fn a_damaged_journal_is_another_journal() {
    let (_folder, path) = journal(3);
    let whole = fs::read(&path).unwrap();
    let name = Journal::open(&path).unwrap().name().to_owned();
    for at in [3, 40, whole.iter().position(|byte| *byte == b'\n').unwrap() + 20] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let journal = Journal::open(&path).unwrap();
        assert_ne!(journal.name(), name, "{at}");
        assert_eq!((journal.records().len(), journal.number()), (0, 3), "numbers go on rising");
        assert!(path.with_extension("damaged").exists());
    }
}

#[test]
fn retired_records_leave_the_file() {
    let (_folder, path) = journal(5);
    let mut journal = Journal::open(&path).unwrap();
    let name = journal.name().to_owned();
    journal.retire(3).unwrap();
    assert_eq!((numbers(&journal), journal.number(), journal.retired()), (vec![4, 5], 5, 3));
    drop(journal);
    let mut journal = Journal::open(&path).unwrap();
    assert_eq!((numbers(&journal), journal.retired(), journal.name()), (vec![4, 5], 3, name.as_str()));
    journal.retire(5).unwrap();
    journal.append(record(6), false).unwrap();
    drop(journal);
    let journal = Journal::open(&path).unwrap();
    assert_eq!((numbers(&journal), journal.number(), journal.retired()), (vec![6], 6, 5));
}

proptest! {
    /// No bytes make it panic, and what it accepts has rising numbers.
    #[test]
    fn any_bytes(tail in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..400) {
        let mut text = line(&Header { journal: "x".to_owned(), number: 0, retired: 0 }).unwrap();
        text.extend(line(&record(1)).unwrap());
        text.truncate(cut);
        text.extend(tail);
        if let Some(parsed) = parse(&text) {
            prop_assert!(parsed.length <= text.len() as u64);
            prop_assert!(parsed.records.windows(2).all(|pair| pair[0].number < pair[1].number));
        }
        last_readable_number(&text);
    }
}
