//! Purges: what no longer counts, decided by one number (http-cache.md 5).
//!
//! Every purge raises the number and enters what it covers in the [`Table`]; every stored response carries the number that
//! was current before its origin request was sent, and one up to which it was held against the table. So a lookup costs
//! one comparison while nothing is purged, a purge costs the same whatever it covers, and whoever asks after a purge was
//! answered can see it. Order matters: a fetch reads the number *before* it looks at what it may validate, a purge
//! is in the table *before* its number shows. Deliberately absent: freeing the space, which `sweep` does, and the
//! normalisation of what operators type.

mod journal;
mod scope;
mod table;

use std::{
    io,
    path::Path,
    sync::{
        Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use self::journal::{Journal, Record};
pub use self::{scope::Scope, table::Kind};
pub(crate) use self::{
    scope::Subject,
    table::{Table, Verdict},
};

/// With this many patterns in force the sweeper does not wait for its time (http-cache.md 5.2).
pub(crate) const MANY_PATTERNS: usize = 10_000;

/// How safe the record of a purge is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// On the medium.
    Synced,
    /// With the system; on the medium within 100 ms.
    Written,
    /// Nowhere: this cache has no journal, and forgets everything with its process anyway.
    InMemory,
    /// It could not be written, for this reason. It holds as long as this process runs.
    Failed(String),
}

impl Recorded {
    /// The word in answers and logs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Written => "written",
            Self::InMemory => "memory",
            Self::Failed(_) => "no",
        }
    }
}

/// All purges.
#[derive(Debug, Default)]
pub(crate) struct Purges {
    /// The number of the last purge that everybody can see.
    number: AtomicU64,
    table: RwLock<Table>,
    /// Taken for a purge as a whole, so that numbers rise in the order of the records.
    journal: Mutex<Option<Journal>>,
}

impl Purges {
    /// Replays the journal at `path` and keeps it from now on.
    ///
    /// # Errors
    /// It cannot be used; purges work and are not recorded.
    pub(crate) fn attach(&self, path: &Path) -> io::Result<()> {
        let journal = Journal::open(path)?;
        let mut kept = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.retire(journal.retired());
        for record in journal.records() {
            let at = UNIX_EPOCH + Duration::from_millis(record.at);
            record.scopes.iter().for_each(|scope| table.enter(record.number, scope, record.kind(), at));
        }
        self.number.fetch_max(journal.number(), Ordering::SeqCst);
        *kept = Some(journal);
        Ok(())
    }

    /// The name of the journal, if there is one.
    pub(crate) fn journal_name(&self) -> Option<String> {
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.as_ref().map(|journal| journal.name().to_owned())
    }

    /// The number of the last purge.
    pub(crate) fn number(&self) -> u64 {
        self.number.load(Ordering::SeqCst)
    }

    /// What has been purged of an object that is known to be good up to the number `since`, and up to which number it has
    /// been looked at now.
    pub(crate) fn judge(&self, subject: &Subject<'_>, since: u64) -> (Verdict, u64) {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let number = self.number(); // cannot rise beyond what the table holds while this is locked
        (table.judge(subject, since), number)
    }

    /// Purges. When this returns, nobody who looks sees what was fetched before.
    pub(crate) fn purge(&self, scopes: &[Scope], kind: Kind, at: SystemTime, sync: bool) -> (u64, Recorded) {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.number() + 1; // nobody else raises it while the journal is locked
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let record = Record {
            number,
            soft: kind == Kind::Soft,
            at: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            scopes: scopes.to_vec(),
        };
        let recorded = match journal.as_mut().map(|journal| journal.append(record, sync)) {
            None => Recorded::InMemory,
            Some(Ok(())) if sync => Recorded::Synced,
            Some(Ok(())) => Recorded::Written,
            Some(Err(error)) => Recorded::Failed(error.to_string()),
        };
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        scopes.iter().for_each(|scope| table.enter(number, scope, kind, at));
        self.number.store(number, Ordering::SeqCst);
        (number, recorded)
    }

    /// Forgets purges up to `number`, which everything that is kept has been held against.
    pub(crate) fn retire(&self, number: u64) {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(error)) = journal.as_mut().map(|journal| journal.retire(number)) {
            tracing::error!("the purge journal cannot be rewritten: {error}");
            return;
        }
        self.table.write().unwrap_or_else(PoisonError::into_inner).retire(number);
    }

    /// Up to which number purges have been forgotten.
    pub(crate) fn retired(&self) -> u64 {
        self.table.read().unwrap_or_else(PoisonError::into_inner).retired()
    }

    /// How many patterns are in force.
    pub(crate) fn patterns(&self) -> usize {
        self.table.read().unwrap_or_else(PoisonError::into_inner).patterns()
    }
}
