//! The node's key value stores: opened once, edited by operators, handed to the isolate hosts.
//!
//! [`Stores`] owns them all and outlives reloads. [`Stores::prepare`] opens what a configuration names and changes nothing;
//! [`Seeds::apply`] loads data files that are new once that configuration is about to serve. An edit is on the medium first
//! and at the hosts next, and is answered after both.
//!
//! Absent on purpose: HTTP, and configuration types.

use edgehook_kvs::{Change, Edited, Entries, Seeded, Snapshot, Store, StoreError};
use edgehook_viewer::supervisor::{Hosts, StoreId};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How long a store that is in use is waited for: the command line holds one for a moment.
const IN_USE: Duration = Duration::from_secs(3);

/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// Where stores are kept.
#[derive(Debug)]
pub(crate) enum Place {
    /// One file each in this folder.
    Folder(PathBuf),
    /// Nowhere: nothing outlives the process, and nothing of a running node is touched.
    Memory,
}

/// A store as a configuration names it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    /// What functions ask for.
    pub(crate) id: String,
    pub(crate) seed: Option<Seed>,
}

/// The content of a data file.
#[derive(Clone, Debug)]
pub(crate) struct Seed {
    pub(crate) file: PathBuf,
    pub(crate) entries: Entries,
    pub(crate) fingerprint: u128,
}

/// Why a store is not to be had, or an edit was not made.
#[derive(Debug, thiserror::Error)]
pub enum StoresError {
    /// The store itself says no.
    #[error("key value store \"{name}\": {error}")]
    Store {
        /// Which store.
        name: String,
        /// Why.
        error: StoreError,
    },
    /// The edit is made and kept, but functions see the content before until the next one.
    #[error("key value store \"{name}\": saved, but functions cannot see it yet: {error}")]
    Publish {
        /// Which store.
        name: String,
        /// Why.
        error: std::io::Error,
    },
    /// The work was given up because the process ends.
    #[error("the process is ending")]
    Ending,
}

/// All stores of a node.
#[derive(Debug)]
pub(crate) struct Stores {
    hosts: Hosts,
    place: Place,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    /// Every store that was ever opened: it stays open, for a function that reads it may still be running.
    open: BTreeMap<String, Arc<Served>>,
    /// Those that the serving configuration names, with their ids.
    current: BTreeMap<String, String>,
}

/// An open store and its number in the hosts.
#[derive(Debug)]
pub(crate) struct Served {
    name: String,
    number: StoreId,
    hosts: Hosts,
    store: Store,
    /// Number of the edit that hosts have.
    published: tokio::sync::Mutex<Option<u64>>,
}

/// Stores that a configuration names, open, with what is to be loaded into them.
#[derive(Debug)]
pub struct Seeds {
    known: Arc<Mutex<Known>>,
    stores: Vec<(Arc<Served>, Wanted)>,
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The present time as stores note it, in milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The file of a store in the state directory.
pub(crate) fn file(state: &Path, name: &str) -> PathBuf {
    state.join("kvs").join(format!("{name}.redb"))
}

/// Opens a store, waiting a little for another process to let go of it.
pub(crate) async fn open(file: &Path) -> Result<Store, StoreError> {
    let begun = Instant::now();
    loop {
        let path = file.to_owned();
        let opened = tokio::task::spawn_blocking(move || Store::open(&path, now())).await;
        match opened {
            Ok(Err(StoreError::InUse)) if begun.elapsed() < IN_USE => tokio::time::sleep(PAUSE).await,
            Ok(opened) => return opened,
            Err(_) => return Err(StoreError::File(std::io::Error::other("the process is ending"))),
        }
    }
}

impl Stores {
    pub(crate) fn new(hosts: Hosts, place: Place) -> Self {
        Self { hosts, place, known: Arc::default() }
    }

    /// Opens the stores that are not open yet. Their content stays as it is.
    pub(crate) async fn prepare(&self, wanted: Vec<Wanted>) -> Result<Seeds, StoresError> {
        let mut stores = Vec::new();
        for wanted in wanted {
            let known = lock(&self.known).open.get(&wanted.name).cloned();
            let served = match known {
                Some(served) => served,
                None => {
                    let opened = match &self.place {
                        Place::Folder(state) => open(&file(state, &wanted.name)).await,
                        Place::Memory => Store::in_memory(now()),
                    };
                    let failed = |error| StoresError::Store { name: wanted.name.clone(), error };
                    let served = Arc::new(Served {
                        name: wanted.name.clone(),
                        number: self.hosts.add_store(),
                        hosts: self.hosts.clone(),
                        store: opened.map_err(failed)?,
                        published: tokio::sync::Mutex::new(None),
                    });
                    lock(&self.known).open.insert(wanted.name.clone(), served.clone());
                    served
                }
            };
            stores.push((served, wanted));
        }
        Ok(Seeds { known: self.known.clone(), stores })
    }

    /// A store that the serving configuration names.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Served>> {
        let known = lock(&self.known);
        known.current.contains_key(name).then(|| known.open.get(name).cloned())?
    }

    /// All of them, with their ids.
    pub(crate) fn all(&self) -> Vec<(Arc<Served>, String)> {
        let known = lock(&self.known);
        let open = |(name, id): (&String, &String)| Some((known.open.get(name)?.clone(), id.clone()));
        known.current.iter().filter_map(open).collect()
    }
}

impl Seeds {
    /// Number and id of each store, by name, for the functions that read it.
    pub(crate) fn links(&self) -> BTreeMap<String, (StoreId, String)> {
        self.stores.iter().map(|(served, wanted)| (wanted.name.clone(), (served.number, wanted.id.clone()))).collect()
    }

    /// Loads data files that changed, shows all stores to the hosts, and makes these the node's stores. Returns what operators
    /// should know.
    pub async fn apply(self) -> Vec<String> {
        let mut notices = Vec::new();
        let current = self.stores.iter().map(|(_, wanted)| (wanted.name.clone(), wanted.id.clone())).collect();
        for (served, wanted) in self.stores {
            let seeded = match wanted.seed {
                Some(seed) => served.seed(seed).await,
                None => served.publish(0).await.map(|()| None),
            };
            match seeded {
                Ok(notice) => notices.extend(notice),
                Err(error) => notices.push(error.to_string()),
            }
        }
        lock(&self.known).current = current;
        notices
    }
}

impl Served {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Does work that may wait for the medium.
    pub(crate) async fn with<R: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Store) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoresError> {
        let served = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&served.store)).await;
        done.map_err(|_| StoresError::Ending)?.map_err(|error| StoresError::Store { name: self.name.clone(), error })
    }

    /// Makes changes, all or none, and shows them to functions.
    pub(crate) async fn edit(self: &Arc<Self>, changes: Vec<Change>) -> Result<Edited, StoresError> {
        let edited = self.with(move |store| store.edit(changes, now())).await?;
        self.publish(edited.sequence).await.map(|()| edited)
    }

    /// Puts entries in the place of everything, and shows them to functions.
    pub(crate) async fn replace(self: &Arc<Self>, entries: Entries) -> Result<Edited, StoresError> {
        let edited = self.with(move |store| store.replace(entries, now())).await?;
        self.publish(edited.sequence).await.map(|()| edited)
    }

    async fn seed(self: &Arc<Self>, seed: Seed) -> Result<Option<String>, StoresError> {
        let Seed { file, entries, fingerprint } = seed;
        let seeded = self.with(move |store| store.seed(&entries, fingerprint, now())).await?;
        self.publish(0).await?;
        Ok(match seeded {
            Seeded::Unchanged | Seeded::Loaded { lost: 0 } => None,
            Seeded::Loaded { lost } => {
                let (name, file) = (&self.name, file.display());
                Some(format!(
                    "key value store \"{name}\": {file} has changed and replaces its content; edits lost: {lost}"
                ))
            }
        })
    }

    /// Gives hosts the content as it is now, unless they have edit number `sequence` or, for 0, the last one. Edits that come
    /// together are shown together.
    async fn publish(self: &Arc<Self>, sequence: u64) -> Result<(), StoresError> {
        let mut published = self.published.lock().await;
        if sequence > 0 && published.is_some_and(|published| published >= sequence) {
            return Ok(());
        }
        let content: Snapshot<Vec<u8>> = self.with(Store::snapshot).await?;
        let sequence = content.meta().sequence;
        if *published == Some(sequence) {
            return Ok(());
        }
        let failed = |error| StoresError::Publish { name: self.name.clone(), error };
        self.hosts.publish(self.number, &content).await.map_err(failed)?;
        *published = Some(sequence);
        Ok(())
    }
}
