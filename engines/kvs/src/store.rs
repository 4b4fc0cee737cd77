//! The durable store: one file, written by one process at a time.
//!
//! Every edit is one transaction, on the medium before it is answered: after a crash or `kill -9` either all of it is there or
//! nothing. Edits are numbered and remembered as [`Record`]s back to the last one that replaced everything (but at most
//! [`MAX_RECORDS`] of them), so that another node can follow.
//!
//! Absent on purpose: a clock (`now` is an argument), threads, and who may edit.

use crate::{
    edit::{Change, Edited, Record},
    file::Entries,
    limits::{self, LimitError},
    snapshot::{Meta, Snapshot},
};
use redb::{
    Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase as _, ReadableTable, TableDefinition,
    WriteTransaction, backends::InMemoryBackend,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

/// Most records that are kept.
pub const MAX_RECORDS: u64 = 1_000;

const ENTRIES: TableDefinition<'_, &str, &str> = TableDefinition::new("entries");
const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
const FACTS: TableDefinition<'_, &str, u64> = TableDefinition::new("facts");
const SEED: TableDefinition<'_, &str, u128> = TableDefinition::new("seed");

const SEQUENCE: &str = "sequence";
const CREATED: &str = "created";
const UPDATED: &str = "updated";
const WEIGHT: &str = "weight";
/// Number of the edit that put in the data file's content.
const SEEDED: &str = "seeded";
const FINGERPRINT: &str = "fingerprint";

/// Memory for pages of a store, in bytes.
const PAGES: usize = 8 << 20;

/// Why a store cannot be used, or does not take an edit.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("the store is in use by another process")]
    InUse,
    /// Its file or folder cannot be opened.
    #[error("the store's file cannot be opened: {0}")]
    File(#[from] io::Error),
    /// Its file cannot be read or written, or is damaged.
    #[error("the store's file: {0}")]
    Storage(Box<redb::Error>),
    /// The edit breaks a limit; nothing was changed.
    #[error("{0}")]
    Limit(#[from] LimitError),
    /// A record in the file is not one.
    #[error("the store's file: edit {0} cannot be read")]
    Record(u64),
}

/// What [`Store::seed`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeded {
    /// The file is the one that was loaded before; edits since then stay.
    Unchanged,
    /// The file's content is now the store's.
    Loaded {
        /// Edits since the last load that are gone with this one.
        lost: u64,
    },
}

/// A key value store in its file.
#[derive(Debug)]
pub struct Store {
    database: Database,
}

fn storage(error: impl Into<redb::Error>) -> StoreError {
    StoreError::Storage(Box::new(error.into()))
}

impl Store {
    /// Opens the store in `file`, readable to its owner only, or makes an empty one there, with its folder.
    ///
    /// # Errors
    /// Another process has it open, or the file cannot be used.
    pub fn open(file: &Path, now: u64) -> Result<Self, StoreError> {
        if let Some(folder) = file.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(file)?;
        let database = Builder::new().set_cache_size(PAGES).create_file(file);
        Self::over(database, now)
    }

    /// A store that is gone with the process, for trying things out.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn in_memory(now: u64) -> Result<Self, StoreError> {
        Self::over(Builder::new().create_with_backend(InMemoryBackend::new()), now)
    }

    fn over(database: Result<Database, DatabaseError>, now: u64) -> Result<Self, StoreError> {
        let database = database.map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => StoreError::InUse,
            other => storage(other),
        })?;
        let write = database.begin_write().map_err(storage)?;
        {
            write.open_table(ENTRIES).map_err(storage)?;
            write.open_table(RECORDS).map_err(storage)?;
            write.open_table(SEED).map_err(storage)?;
            let mut facts = write.open_table(FACTS).map_err(storage)?;
            if facts.get(CREATED).map_err(storage)?.is_none() {
                for (name, value) in [(CREATED, now), (UPDATED, now), (SEQUENCE, 0), (WEIGHT, 0), (SEEDED, 0)] {
                    facts.insert(name, value).map_err(storage)?;
                }
            }
        }
        write.commit().map_err(storage)?;
        Ok(Self { database })
    }

    /// Loads the data file's content when `fingerprint` is not that of the file loaded last, in the place of all that is there.
    ///
    /// # Errors
    /// The file cannot be written, or the entries break a limit.
    pub fn seed(&self, entries: &Entries, fingerprint: u128, now: u64) -> Result<Seeded, StoreError> {
        let write = self.database.begin_write().map_err(storage)?;
        let known = {
            let mut seed = write.open_table(SEED).map_err(storage)?;
            seed.insert(FINGERPRINT, fingerprint).map_err(storage)?.map(|known| known.value())
        };
        if known == Some(fingerprint) {
            write.abort().map_err(storage)?;
            return Ok(Seeded::Unchanged);
        }
        let (sequence, seeded) = (fact(&write, SEQUENCE)?, fact(&write, SEEDED)?);
        let changes =
            entries.iter().map(|(key, value)| Change::Put { key: key.clone(), value: value.clone() }).collect();
        let edited = apply(&write, changes, true, now)?;
        put_fact(&write, SEEDED, edited.sequence)?;
        write.commit().map_err(storage)?;
        // A file whose content the store has already takes nothing away.
        let lost = if edited.sequence == sequence { 0 } else { sequence - seeded };
        Ok(Seeded::Loaded { lost })
    }

    /// How many edits the data file does not know, which [`Store::seed`] with this fingerprint would take away; `None` when it
    /// would do nothing.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn would_lose(&self, fingerprint: u128) -> Result<Option<u64>, StoreError> {
        let read = self.read()?;
        let seed = read.open_table(SEED).map_err(storage)?;
        let known = seed.get(FINGERPRINT).map_err(storage)?.map(|known| known.value());
        if known == Some(fingerprint) {
            return Ok(None);
        }
        let facts = read.open_table(FACTS).map_err(storage)?;
        Ok(Some(value_of(&facts, SEQUENCE)? - value_of(&facts, SEEDED)?))
    }

    /// Makes all of these changes or none of them.
    ///
    /// # Errors
    /// A limit would be broken, or the file cannot be written; nothing was changed.
    pub fn edit(&self, changes: Vec<Change>, now: u64) -> Result<Edited, StoreError> {
        self.change(changes, false, now)
    }

    /// Puts these entries in the place of all that is there.
    ///
    /// # Errors
    /// A limit would be broken, or the file cannot be written; nothing was changed.
    pub fn replace(&self, entries: Entries, now: u64) -> Result<Edited, StoreError> {
        let changes = entries.into_iter().map(|(key, value)| Change::Put { key, value }).collect();
        self.change(changes, true, now)
    }

    fn change(&self, changes: Vec<Change>, replaces: bool, now: u64) -> Result<Edited, StoreError> {
        let write = self.database.begin_write().map_err(storage)?;
        // An error drops the transaction, which undoes what there is of it.
        let edited = apply(&write, changes, replaces, now)?;
        write.commit().map_err(storage)?;
        Ok(edited)
    }

    fn read(&self) -> Result<ReadTransaction, StoreError> {
        self.database.begin_read().map_err(storage)
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn get(&self, key: &str) -> Result<Option<String>, StoreError> {
        let entries = self.read()?.open_table(ENTRIES).map_err(storage)?;
        Ok(entries.get(key).map_err(storage)?.map(|value| value.value().to_owned()))
    }

    /// All entries by key, with what else is known, of one moment.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn content(&self) -> Result<(Meta, BTreeMap<String, String>), StoreError> {
        let read = self.read()?;
        let entries = all(&read.open_table(ENTRIES).map_err(storage)?)?;
        let facts = read.open_table(FACTS).map_err(storage)?;
        let value = |name| value_of(&facts, name);
        Ok((Meta { sequence: value(SEQUENCE)?, created: value(CREATED)?, updated: value(UPDATED)? }, entries))
    }

    /// The store as functions read it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot<Vec<u8>>, StoreError> {
        let (meta, entries) = self.content()?;
        Ok(Snapshot::encode(meta, entries.iter().map(|(key, value)| (key.as_str(), value.as_str()))))
    }

    /// The edits after number `after`, oldest first; `None` when not all of them are remembered any more and none of those that
    /// are replaced everything.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn records(&self, after: u64) -> Result<Option<Vec<Record>>, StoreError> {
        let read = self.read()?;
        let table = read.open_table(RECORDS).map_err(storage)?;
        let last = value_of(&read.open_table(FACTS).map_err(storage)?, SEQUENCE)?;
        let mut records = Vec::new();
        for entry in table.range(after.saturating_add(1)..).map_err(storage)? {
            let (sequence, json) = entry.map_err(storage)?;
            let record = serde_json::from_slice(json.value()).map_err(|_| StoreError::Record(sequence.value()))?;
            records.push(record);
        }
        let complete = match records.first() {
            Some(Record { sequence, replaces, .. }) => *replaces || *sequence == after.saturating_add(1),
            None => after >= last,
        };
        Ok(complete.then_some(records))
    }
}

fn value_of(facts: &impl ReadableTable<&'static str, u64>, name: &str) -> Result<u64, StoreError> {
    Ok(facts.get(name).map_err(storage)?.map(|value| value.value()).unwrap_or_default())
}

fn fact(write: &WriteTransaction, name: &str) -> Result<u64, StoreError> {
    value_of(&write.open_table(FACTS).map_err(storage)?, name)
}

fn put_fact(write: &WriteTransaction, name: &str, value: u64) -> Result<(), StoreError> {
    write.open_table(FACTS).map_err(storage)?.insert(name, value).map_err(storage)?;
    Ok(())
}

fn all(entries: &impl ReadableTable<&'static str, &'static str>) -> Result<BTreeMap<String, String>, StoreError> {
    let mut all = BTreeMap::new();
    for entry in entries.iter().map_err(storage)? {
        let (key, value) = entry.map_err(storage)?;
        all.insert(key.value().to_owned(), value.value().to_owned());
    }
    Ok(all)
}

/// Makes the changes within a transaction and remembers them. What makes no difference is no edit.
fn apply(write: &WriteTransaction, changes: Vec<Change>, replaces: bool, now: u64) -> Result<Edited, StoreError> {
    let mut touched = (BTreeSet::new(), BTreeSet::new());
    let mut weight = fact(write, WEIGHT)?;
    {
        let mut entries = write.open_table(ENTRIES).map_err(storage)?;
        if replaces {
            let named: BTreeSet<&str> = changes.iter().map(key_of).collect();
            for (key, value) in all(&entries)? {
                if !named.contains(key.as_str()) {
                    entries.remove(key.as_str()).map_err(storage)?;
                    weight -= limits::weight(&key, &value);
                    touched.1.insert(key);
                }
            }
        }
        for change in &changes {
            let key = key_of(change);
            let before = match change {
                Change::Put { value, .. } => {
                    limits::check_entry(key, value)?;
                    let before = entries.insert(key, value.as_str()).map_err(storage)?;
                    weight += limits::weight(key, value);
                    if before.as_ref().is_none_or(|before| before.value() != value) {
                        touched.0.insert(key.to_owned());
                    }
                    before
                }
                Change::Remove { .. } => {
                    let before = entries.remove(key).map_err(storage)?;
                    if before.is_some() {
                        touched.1.insert(key.to_owned());
                    }
                    before
                }
            };
            weight -= before.map_or(0, |before| limits::weight(key, before.value()));
        }
    }
    limits::check_total(weight)?;
    let (put, removed) = (touched.0.len(), touched.1.len());
    let sequence = fact(write, SEQUENCE)?;
    if put + removed == 0 {
        return Ok(Edited { sequence, put, removed });
    }
    let sequence = sequence + 1;
    for (name, value) in [(SEQUENCE, sequence), (UPDATED, now), (WEIGHT, weight)] {
        put_fact(write, name, value)?;
    }
    remember(write, &Record { sequence, at: now, replaces, changes })?;
    Ok(Edited { sequence, put, removed })
}

fn key_of(change: &Change) -> &str {
    match change {
        Change::Put { key, .. } | Change::Remove { key } => key,
    }
}

/// Keeps a record, and lets go of those that it makes needless or that are too many.
fn remember(write: &WriteTransaction, record: &Record) -> Result<(), StoreError> {
    let mut records = write.open_table(RECORDS).map_err(storage)?;
    let oldest = if record.replaces { record.sequence } else { (record.sequence + 1).saturating_sub(MAX_RECORDS) };
    records.retain_in(..oldest, |_, _| false).map_err(storage)?;
    let json = serde_json::to_vec(record).map_err(|_| StoreError::Record(record.sequence))?;
    records.insert(record.sequence, json.as_slice()).map_err(storage)?;
    Ok(())
}

#[cfg(test)]
mod tests;
