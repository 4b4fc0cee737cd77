//! The index: which responses are on disk, as records by key in one redb file.
//!
//! Changes are collected and committed together, about once a second: a lost insert is a miss. Deliberately absent: the
//! bodies, and who decides what stays.

use std::path::Path;

use redb::{Database, Durability, ReadableDatabase as _, ReadableTable as _, TableDefinition};

/// URL, key, variant: hashes with the index's own seed.
pub(super) type Id = (u64, u64, u64);

const RECORDS: TableDefinition<'_, Id, &[u8]> = TableDefinition::new("records");
const FACTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("facts");

/// Raised whenever the layout changes; an index of another version is thrown away.
const VERSION: &[u8] = b"2";

/// Bytes of the file that redb keeps in memory.
const CACHE: usize = 16 << 20;

/// An error of the index, whatever redb calls it.
pub(super) type IndexError = Box<dyn std::error::Error + Send + Sync>;

/// The open index.
#[derive(Debug)]
pub(super) struct Index {
    database: Database,
    /// Of the hashes in ids; viewers cannot know it.
    pub(super) seed: u64,
    /// Everything was held against the purges up to this number.
    pub(super) swept: u64,
}

impl Index {
    /// Opens the index; none if what is there belongs to another version or another journal of purges.
    pub(super) fn open(path: &Path, journal: &str) -> Result<Option<Self>, IndexError> {
        let database = Database::builder().set_cache_size(CACHE).create(path)?;
        let write = database.begin_write()?;
        let (seed, swept) = {
            let mut facts = write.open_table(FACTS)?;
            write.open_table(RECORDS)?;
            let fact = |name: &str| -> Result<Option<Vec<u8>>, IndexError> {
                Ok(facts.get(name)?.map(|value| value.value().to_vec()))
            };
            let number = |bytes: Option<Vec<u8>>| {
                bytes.and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()).map(u64::from_be_bytes)
            };
            match (fact("version")?, fact("journal")?, number(fact("seed")?)) {
                (None, None, None) => {
                    let mut seed = [0; 8];
                    getrandom::fill(&mut seed).map_err(|error| error.to_string())?;
                    facts.insert("version", VERSION)?;
                    facts.insert("journal", journal.as_bytes())?;
                    facts.insert("seed", &seed[..])?;
                    (u64::from_be_bytes(seed), 0)
                }
                (Some(version), Some(known), Some(seed)) if version == VERSION && known == journal.as_bytes() => {
                    (seed, number(fact("swept")?).unwrap_or(0))
                }
                _ => return Ok(None),
            }
        };
        write.commit()?;
        Ok(Some(Self { database, seed, swept }))
    }

    /// The records of one key.
    pub(super) fn of_key(&self, url: u64, key: u64) -> Result<Vec<(Id, Vec<u8>)>, IndexError> {
        let read = self.database.begin_read()?;
        let records = read.open_table(RECORDS)?;
        let mut found = Vec::new();
        for record in records.range((url, key, 0)..=(url, key, u64::MAX))? {
            let (id, text) = record?;
            found.push((id.value(), text.value().to_vec()));
        }
        Ok(found)
    }

    /// Calls `see` with every record.
    pub(super) fn each(&self, mut see: impl FnMut(Id, &[u8])) -> Result<(), IndexError> {
        let read = self.database.begin_read()?;
        let records = read.open_table(RECORDS)?;
        for record in records.iter()? {
            let (id, text) = record?;
            see(id.value(), text.value());
        }
        Ok(())
    }

    /// Writes changes: a text takes the place of a record, none removes it. With `durable`, everything so far is on the
    /// medium when this returns.
    pub(super) fn commit(
        &self,
        changes: impl IntoIterator<Item = (Id, Option<Vec<u8>>)>,
        swept: Option<u64>,
        durable: bool,
    ) -> Result<(), IndexError> {
        let mut write = self.database.begin_write()?;
        write.set_durability(if durable { Durability::Immediate } else { Durability::None })?;
        {
            let mut records = write.open_table(RECORDS)?;
            for (id, text) in changes {
                match text {
                    Some(text) => drop(records.insert(id, text.as_slice())?),
                    None => drop(records.remove(id)?),
                }
            }
            if let Some(number) = swept {
                write.open_table(FACTS)?.insert("swept", &number.to_be_bytes()[..])?;
            }
        }
        write.commit()?;
        Ok(())
    }
}
