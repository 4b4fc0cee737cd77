//! The journal of purges: one line per purge in a file, written before the purge is acknowledged.
//!
//! A line is a checksum and a JSON record with its sequence number, so that the file can be read by people and replayed by
//! anything. A record is in the hands of the system when the purge is answered, and so survives the end of this process
//! by any signal; it is synced to the medium within 100 ms, or first where that is asked for (design.md 8). The first line names
//! the journal: stored objects remember that name, and objects of another journal are not trusted. Deliberately absent:
//! what the records mean.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use xxhash_rust::xxh3::xxh3_64;

use super::{Kind, Scope};

/// How long a record waits for others before all are synced together.
const SYNC_DELAY: Duration = Duration::from_millis(50);

/// One purge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Its sequence number.
    pub(crate) number: u64,
    /// Whether it was a soft one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) soft: bool,
    /// Milliseconds since 1970 on the wall clock.
    pub(crate) at: u64,
    pub(crate) scopes: Vec<Scope>,
}

impl Record {
    pub(crate) fn kind(&self) -> Kind {
        if self.soft { Kind::Soft } else { Kind::Hard }
    }
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    journal: String,
    /// The last number that was used before the first record.
    number: u64,
    /// Purges up to this one are no longer in the file.
    retired: u64,
}

/// An open journal, which no other process can open.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: Arc<File>,
    header: Header,
    records: Vec<Record>,
    sync_due: Arc<AtomicBool>,
}

impl Journal {
    /// Opens or begins the journal at `path`. A record at the end that was not written whole was never acknowledged and is
    /// dropped; a file that is damaged elsewhere is set aside, and a new journal with a new name begins.
    ///
    /// # Errors
    /// The file or its folder cannot be used, or another process has it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = match OpenOptions::new().read(true).append(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::begin(path, 0),
            file => file?,
        };
        lock(&file, path)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let Some(Parsed { header, records, length }) = parse(&text) else {
            drop(file);
            let aside = path.with_extension("damaged");
            fs::rename(path, &aside)?;
            tracing::error!("{} is damaged and was set aside; everything on disk counts as purged", path.display());
            return Self::begin(path, last_readable_number(&text));
        };
        if length < text.len() as u64 {
            file.set_len(length)?;
        }
        Ok(Self { path: path.to_owned(), file: Arc::new(file), header, records, sync_due: Arc::default() })
    }

    /// A journal with a new name, behind the last number that is known to have been used.
    fn begin(path: &Path, number: u64) -> io::Result<Self> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| io::Error::other(error.to_string()))?;
        let journal = id.iter().map(|byte| format!("{byte:02x}")).collect();
        Self::write_new(path, Header { journal, number, retired: 0 }, Vec::new())
    }

    /// Writes a new file with these records and puts it in the place of the old one.
    fn write_new(path: &Path, header: Header, records: Vec<Record>) -> io::Result<Self> {
        let fresh = path.with_extension("new");
        let mut text = line(&header)?;
        for record in &records {
            text.extend(line(record)?);
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&fresh)?;
        lock(&file, path)?;
        file.set_len(0)?;
        file.write_all(&text)?;
        file.sync_data()?;
        fs::rename(&fresh, path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(Self { path: path.to_owned(), file: Arc::new(file), header, records, sync_due: Arc::default() })
    }

    /// What tells this journal from every other.
    pub(crate) fn name(&self) -> &str {
        &self.header.journal
    }

    /// The last number that was used.
    pub(crate) fn number(&self) -> u64 {
        self.records.last().map_or(self.header.number, |record| record.number)
    }

    /// Purges up to this number are no longer known.
    pub(crate) fn retired(&self) -> u64 {
        self.header.retired
    }

    /// The purges that are known, in order.
    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    /// Writes a record; with `sync` the medium has it when this returns, otherwise within 100 ms.
    pub(crate) fn append(&mut self, record: Record, sync: bool) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let written = line(&record).and_then(|text| (&*self.file).write_all(&text));
        if let Err(error) = written {
            // Half a line would make everything behind it unreadable.
            let _ = self.file.set_len(length);
            return Err(error);
        }
        self.records.push(record);
        if sync { self.file.sync_data() } else { self.sync_soon() }
    }

    fn sync_soon(&self) -> io::Result<()> {
        if self.sync_due.swap(true, Ordering::SeqCst) {
            return Ok(()); // somebody is about to
        }
        let (due, file) = (Arc::clone(&self.sync_due), Arc::clone(&self.file));
        let spawned = std::thread::Builder::new().name("purge-sync".to_owned()).spawn(move || {
            std::thread::sleep(SYNC_DELAY);
            due.store(false, Ordering::SeqCst);
            if let Err(error) = file.sync_data() {
                tracing::error!("the purge journal cannot be synced: {error}");
            }
        });
        if spawned.is_err() {
            self.sync_due.store(false, Ordering::SeqCst);
            return self.file.sync_data();
        }
        Ok(())
    }

    /// Drops the records of purges up to `number` from the file.
    pub(crate) fn retire(&mut self, number: u64) -> io::Result<()> {
        if number <= self.header.retired {
            return Ok(());
        }
        let last = self.number();
        let records: Vec<Record> = self.records.iter().filter(|record| record.number > number).cloned().collect();
        let before = if records.is_empty() { last } else { self.header.number };
        let header = Header { number: before, retired: number, ..self.header.clone() };
        *self = Self::write_new(&self.path, header, records)?;
        Ok(())
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // The thread that syncs may have the file open a moment longer; whoever comes next need not wait for it.
        if let Err(error) = self.file.sync_data().and_then(|()| self.file.unlock()) {
            tracing::warn!("the purge journal cannot be synced: {error}");
        }
    }
}

fn lock(file: &File, path: &Path) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::other(format!("{} belongs to another process that runs", path.display())))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let json = serde_json::to_string(value)?;
    Ok(format!("{:016x} {json}\n", xxh3_64(json.as_bytes())).into_bytes())
}

fn read_line<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let (sum, json) = (line.get(..16)?, line.get(17..)?);
    let sum = u64::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    if sum == xxh3_64(json) { serde_json::from_slice(json).ok() } else { None }
}

struct Parsed {
    header: Header,
    records: Vec<Record>,
    /// Bytes up to the end of the last whole record.
    length: u64,
}

/// Reads a journal; none if it is damaged anywhere but at its end.
fn parse(text: &[u8]) -> Option<Parsed> {
    let mut lines = text.split_inclusive(|byte| *byte == b'\n');
    let first = lines.next()?;
    let header: Header = read_line(first.strip_suffix(b"\n")?)?;
    let mut parsed = Parsed { length: first.len() as u64, records: Vec::new(), header };
    while let Some(text) = lines.next() {
        let last = parsed.records.last().map_or(parsed.header.number, |record: &Record| record.number);
        let record = text.strip_suffix(b"\n").and_then(read_line::<Record>);
        match record.filter(|record| record.number > last) {
            Some(record) => parsed.records.push(record),
            None if lines.next().is_none() => break,
            None => return None,
        }
        parsed.length += text.len() as u64;
    }
    Some(parsed)
}

/// The greatest number in a damaged journal, so that numbers go on rising.
fn last_readable_number(text: &[u8]) -> u64 {
    let lines = text.split(|byte| *byte == b'\n');
    let numbers = lines.filter_map(|line| {
        read_line::<Record>(line).map(|record| record.number).or_else(|| read_line::<Header>(line).map(|h| h.number))
    });
    numbers.max().unwrap_or(0)
}

#[cfg(test)]
#[path = "../tests/purge_journal.rs"]
mod tests;
