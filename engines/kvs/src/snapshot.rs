//! A store as functions read it: one block of bytes, made once, then shared by all hosts and never changed.
//!
//! [`Snapshot::encode`] makes the block, [`Snapshot::parse`] takes a block of unknown origin and looks at all of it, so that
//! lookups afterwards cannot fail. All numbers are little-endian.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `edgekvs1` |
//! | 8 | 8 | sequence number of the last edit |
//! | 16 | 8 | when the store was made, milliseconds since 1970 |
//! | 24 | 8 | when it was last changed |
//! | 32 | 4 | number of keys |
//! | 36 | 4 | number of slots, a power of two and more than there are keys |
//! | 40 | 4 each | slots: where the entry begins, or 0 for none; found by XXH3 of the key, then one after the other |
//! | then | each | entries: length of key and of value (2 bytes each), key, value |
//!
//! Absent on purpose: memory mappings (crate `edgehook-sandbox`), and a way to change anything.

use crate::limits;
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: [u8; 8] = *b"edgekvs1";
const HEADER: usize = 40;
const SLOT: usize = 4;
const LENGTHS: usize = 4;

/// What is known of a store besides its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Number of the last edit; it grows with each.
    pub sequence: u64,
    /// When the store was made, milliseconds since 1970.
    pub created: u64,
    /// When it was last changed, milliseconds since 1970.
    pub updated: u64,
}

/// Why bytes are not a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// They begin otherwise, or end within the header or the slots.
    #[error("not a key value snapshot")]
    Header,
    /// Numbers of keys and slots do not fit each other or what is there.
    #[error("the counts of a key value snapshot contradict its content")]
    Counts,
    /// A slot leads to something that is no entry.
    #[error("slot {0} of a key value snapshot leads nowhere")]
    Entry(usize),
}

/// A store at one moment, over bytes that do not change.
#[derive(Clone, Debug)]
pub struct Snapshot<B> {
    bytes: B,
    slots: usize,
    count: usize,
    meta: Meta,
}

impl Snapshot<Vec<u8>> {
    /// Makes the block for these entries, whose keys must differ.
    #[must_use]
    pub fn encode<'a>(meta: Meta, entries: impl ExactSizeIterator<Item = (&'a str, &'a str)>) -> Self {
        let count = entries.len();
        // At most half full, so that a search ends soon.
        let slots = (count * 2).max(2).next_power_of_two();
        let mut bytes = Vec::with_capacity(HEADER + slots * SLOT + count * 64);
        bytes.extend_from_slice(&MAGIC);
        for number in [meta.sequence, meta.created, meta.updated] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for number in [count, slots] {
            bytes.extend_from_slice(&narrow(number).to_le_bytes());
        }
        bytes.resize(HEADER + slots * SLOT, 0);
        for (key, value) in entries {
            let at = narrow(bytes.len());
            let mut slot = slot_of(key, slots);
            while number(&bytes, HEADER + slot * SLOT) != Some(0) {
                slot = (slot + 1) & (slots - 1);
            }
            bytes[HEADER + slot * SLOT..][..SLOT].copy_from_slice(&at.to_le_bytes());
            for length in [key.len(), value.len()] {
                bytes.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
            }
            bytes.extend_from_slice(key.as_bytes());
            bytes.extend_from_slice(value.as_bytes());
        }
        Self { bytes, slots, count, meta }
    }
}

impl<B: AsRef<[u8]>> Snapshot<B> {
    /// Looks at all of a block.
    ///
    /// # Errors
    /// It is not what [`Snapshot::encode`] makes. Nothing is believed that was not looked at, except that each entry stands
    /// where its key is searched for: one that does not is not found.
    pub fn parse(bytes: B) -> Result<Self, SnapshotError> {
        let block = bytes.as_ref();
        if block.get(..MAGIC.len()) != Some(&MAGIC) {
            return Err(SnapshotError::Header);
        }
        let long = |at| Some(u64::from_le_bytes(*block.get(at..)?.first_chunk()?));
        let meta = || Some(Meta { sequence: long(8)?, created: long(16)?, updated: long(24)? });
        let meta = meta().ok_or(SnapshotError::Header)?;
        let counts = || Some((number(block, 32)? as usize, number(block, 36)? as usize));
        let (count, slots) = counts().ok_or(SnapshotError::Header)?;
        if !slots.is_power_of_two() || count >= slots {
            return Err(SnapshotError::Counts);
        }
        let table = slots.checked_mul(SLOT).and_then(|length| block.get(HEADER..)?.get(..length));
        let table = table.ok_or(SnapshotError::Header)?;
        let mut filled = 0;
        for (slot, at) in table.chunks_exact(SLOT).enumerate() {
            if at == [0; SLOT] {
                continue;
            }
            filled += 1;
            let at = number(at, 0).unwrap_or_default() as usize;
            entry(block, at).filter(|_| at >= HEADER + table.len()).ok_or(SnapshotError::Entry(slot))?;
        }
        if filled != count {
            return Err(SnapshotError::Counts);
        }
        Ok(Self { bytes, slots, count, meta })
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let bytes = self.bytes.as_ref();
        let mut slot = slot_of(key, self.slots);
        // There are fewer keys than slots, so a search meets an empty one.
        for _ in 0..self.slots {
            let at = number(bytes, HEADER + slot * SLOT)?;
            if at == 0 {
                return None;
            }
            let (known, value) = pieces(bytes, at as usize)?;
            if known == key.as_bytes() {
                return std::str::from_utf8(value).ok();
            }
            slot = (slot + 1) & (self.slots - 1);
        }
        None
    }

    /// Number of keys.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// What is known besides.
    #[must_use]
    pub const fn meta(&self) -> Meta {
        self.meta
    }

    /// The block.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

fn slot_of(key: &str, slots: usize) -> usize {
    // The lower bits are as good as any; a narrower machine has enough of them too.
    (xxh3_64(key.as_bytes()) & (slots as u64 - 1)) as usize
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Key and value of the entry that begins at `at`.
fn pieces(bytes: &[u8], at: usize) -> Option<(&[u8], &[u8])> {
    let ([k0, k1, v0, v1], rest) = bytes.get(at..)?.split_first_chunk::<LENGTHS>()?;
    let (key, value) = (u16::from_le_bytes([*k0, *k1]), u16::from_le_bytes([*v0, *v1]));
    let (key, rest) = rest.split_at_checked(usize::from(key))?;
    Some((key, rest.get(..usize::from(value))?))
}

/// The same, where both are texts within the limits.
fn entry(bytes: &[u8], at: usize) -> Option<(&str, &str)> {
    let (key, value) = pieces(bytes, at)?;
    let entry = (std::str::from_utf8(key).ok()?, std::str::from_utf8(value).ok()?);
    limits::check_entry(entry.0, entry.1).ok().map(|()| entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const META: Meta = Meta { sequence: 7, created: 1, updated: 2 };

    fn snapshot(entries: &[(&str, &str)]) -> Snapshot<Vec<u8>> {
        Snapshot::encode(META, entries.iter().copied())
    }

    #[test]
    fn keys_are_found_and_others_are_not() {
        let made = snapshot(&[("/old", "/new"), ("empty", ""), ("käse", "日本")]);
        let read = Snapshot::parse(made.bytes()).unwrap();
        assert_eq!(read.get("/old"), Some("/new"));
        assert_eq!(read.get("empty"), Some(""));
        assert_eq!(read.get("käse"), Some("日本"));
        for absent in ["", "/ol", "/old/", "OLD"] {
            assert_eq!(read.get(absent), None, "{absent}");
        }
        assert_eq!((read.count(), read.meta()), (3, META));
    }

    #[test]
    fn an_empty_store_is_a_store() {
        let read = Snapshot::parse(snapshot(&[]).bytes).unwrap();
        assert_eq!((read.count(), read.get("a")), (0, None));
    }

    #[test]
    fn what_is_no_snapshot_is_refused() {
        let good = snapshot(&[("a", "b"), ("c", "d")]).bytes;
        let changed = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            Snapshot::parse(bytes).err()
        };
        assert_eq!(Snapshot::parse(&b""[..]).err(), Some(SnapshotError::Header));
        assert_eq!(changed(0, b'x'), Some(SnapshotError::Header));
        assert_eq!(changed(32, 3), Some(SnapshotError::Counts), "more keys than entries");
        assert_eq!(changed(36, 3), Some(SnapshotError::Counts), "slots are no power of two");
        assert_eq!(changed(38, 1), Some(SnapshotError::Counts), "two powers of two");
        assert_eq!(changed(39, 0x80), Some(SnapshotError::Counts));
        let slot = (0..4).find(|slot| good[HEADER + slot * SLOT] != 0).unwrap();
        assert_eq!(changed(HEADER + slot * SLOT, 1), Some(SnapshotError::Entry(slot)), "into the header");
        assert_eq!(changed(HEADER + slot * SLOT + 3, 1), Some(SnapshotError::Entry(slot)), "beyond the end");
        let text = good.iter().rposition(|byte| *byte == b'd').unwrap();
        assert!(matches!(changed(text, 0xff), Some(SnapshotError::Entry(_))), "not UTF-8");
        assert!(matches!(Snapshot::parse(&good[..good.len() - 1]), Err(SnapshotError::Entry(_))));
    }

    proptest! {
        #[test]
        fn every_key_of_any_store_is_found(
            entries in prop::collection::btree_map("\\PC{1,40}", "\\PC{0,40}", 0..60), other in "\\PC{1,40}",
        ) {
            let entries: BTreeMap<String, String> = entries;
            let made = Snapshot::encode(META, entries.iter().map(|(key, value)| (key.as_str(), value.as_str())));
            let read = Snapshot::parse(made.bytes()).unwrap();
            prop_assert_eq!(read.count(), entries.len());
            for (key, value) in &entries {
                prop_assert_eq!(read.get(key), Some(value.as_str()));
            }
            prop_assert_eq!(read.get(&other), entries.get(&other).map(String::as_str));
        }

        #[test]
        fn junk_is_refused_or_harmless(
            at in 0_usize..200, byte: u8, length in 0_usize..200, key in "[a-d]{1,2}",
        ) {
            let mut bytes = snapshot(&[("a", "1"), ("b", "2"), ("ab", "3"), ("dd", "4")]).bytes;
            bytes.truncate(length);
            if let Some(there) = bytes.get_mut(at) {
                *there = byte;
            }
            if let Ok(read) = Snapshot::parse(bytes) {
                let _ = read.get(&key);
            }
        }
    }
}
