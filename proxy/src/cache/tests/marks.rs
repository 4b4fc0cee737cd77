//! How long marks hold, and how many there are.

use super::*;
use crate::cache::tests::get;

#[test]
fn each_mark_holds_for_its_time() {
    let (marks, now, retry) = (Marks::new(), Instant::now(), Duration::from_secs(10));
    let key = get("/").keyed.key;
    for (mark, lasts) in [
        (Mark::HitForMiss, 120),
        (Mark::Oversize, 3_600),
        (Mark::Whole, 3_600),
        (Mark::OriginFailed(Failure::Status), 10),
    ] {
        marks.set_for(&key, mark, retry, now);
        let lasts = Duration::from_secs(lasts);
        assert_eq!(marks.of(&key, now + lasts - Duration::from_millis(1)), Some(mark));
        assert_eq!(marks.of(&key, now + lasts), None);
    }
    marks.set(&key, Mark::HitForMiss, now);
    marks.set(&key, Mark::OriginFailed(Failure::Status), now);
    assert_eq!(marks.of(&key, now), Some(Mark::HitForMiss), "no pause between tries: nothing to remember");
    marks.clear(&key);
    assert_eq!(marks.of(&key, now), None);
}

#[test]
fn the_table_is_bounded() {
    let (marks, now, key) = (Marks::new(), Instant::now(), get("/").keyed);
    let count = usize::try_from(CAPACITY).unwrap() + 5_000;
    let keys: Vec<Key> = (0..count as u64).map(|number| key.slice(number).key).collect();
    keys.iter().for_each(|key| marks.set(key, Mark::HitForMiss, now));
    marks.0.run_pending_tasks();
    assert!(marks.0.entry_count() <= CAPACITY);
    assert!(keys.iter().filter(|key| marks.of(key, now).is_some()).count() as u64 <= CAPACITY);
    assert_eq!(marks.of(&keys[count - 1], now), Some(Mark::HitForMiss), "the newest is there");
}
