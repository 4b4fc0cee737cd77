//! Places for environments: those that all functions share, and those that a function has reserved (lambda-edge.md 7.2).

use crate::{
    package::Kept,
    scratch::{self, Scratch},
};
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tempfile::TempDir;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// A place, taken for as long as an environment lives.
pub(crate) type Place = OwnedSemaphorePermit;

/// Gives up idle environments so that others can have their places.
pub(crate) trait Evictable: Send + Sync + std::fmt::Debug {
    /// Ends one that nobody has needed for long; whether there was one.
    fn evict_one(&self) -> bool;
}

/// The room that all functions share. Clones share it.
#[derive(Clone, Debug)]
pub struct Concurrency(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: usize,
    shared: Arc<Semaphore>,
    reserved: Mutex<usize>,
    /// Functions that take from what is shared.
    functions: Mutex<Vec<Weak<dyn Evictable>>>,
    /// Told whenever a place or an environment may have become free.
    freed: Notify,
    /// Where the `/tmp` of environments lie, once there is one.
    scratch: Mutex<Option<Scratch>>,
    /// Packages in use, by the hash of their content.
    packages: Mutex<HashMap<String, Weak<Kept>>>,
}

impl Concurrency {
    /// Room for `limit` environments at a time.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let shared = Arc::new(Semaphore::new(limit));
        let (reserved, functions) = (Mutex::default(), Mutex::default());
        let (freed, scratch, packages) = (Notify::new(), Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { limit, shared, reserved, functions, freed, scratch, packages }))
    }

    /// Sets `sum` places aside for the functions that reserve their own. Places in use are taken away when they are free.
    pub fn reserve(&self, sum: usize) {
        let mut reserved = self.0.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = sum.min(self.0.limit);
        if sum > *reserved {
            let missing = sum - *reserved;
            let taken = self.0.shared.forget_permits(missing);
            if taken < missing {
                let (shared, rest) = (self.0.shared.clone(), u32::try_from(missing - taken).unwrap_or(u32::MAX));
                tokio::spawn(async move {
                    if let Ok(places) = shared.acquire_many_owned(rest).await {
                        places.forget();
                    }
                });
            }
        } else {
            self.0.shared.add_permits(*reserved - sum);
        }
        *reserved = sum;
    }

    pub(crate) fn limit(&self) -> usize {
        self.0.limit
    }

    pub(crate) fn shared(&self) -> Arc<Semaphore> {
        self.0.shared.clone()
    }

    pub(crate) fn join(&self, function: Weak<dyn Evictable>) {
        let mut functions = self.0.functions.lock().unwrap_or_else(PoisonError::into_inner);
        functions.retain(|known| known.strong_count() > 0);
        functions.push(function);
    }

    /// Ends an idle environment of another function, so that its place is free; whether there was one.
    pub(crate) fn evict(&self, wanting: &Weak<dyn Evictable>) -> bool {
        let functions = self.0.functions.lock().unwrap_or_else(PoisonError::into_inner);
        let others = functions.iter().filter(|known| !known.ptr_eq(wanting));
        others.filter_map(Weak::upgrade).any(|function| function.evict_one())
    }

    /// The package of this content that is in use already, or else this one.
    pub(crate) fn kept(&self, package: Kept) -> Arc<Kept> {
        let mut packages = self.0.packages.lock().unwrap_or_else(PoisonError::into_inner);
        packages.retain(|_, known| known.strong_count() > 0);
        if let Some(known) = packages.get(package.hash()).and_then(Weak::upgrade) {
            return known;
        }
        let package = Arc::new(package);
        packages.insert(package.hash().to_owned(), Arc::downgrade(&package));
        package
    }

    /// A folder for files: the `/tmp` of an environment, or a package.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn temporary(&self) -> io::Result<TempDir> {
        let mut scratch = self.0.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *scratch {
            Some(scratch) => scratch.temporary(),
            none => none.insert(Scratch::open(&std::env::temp_dir(), scratch::RUN)?).temporary(),
        }
    }

    /// Removes the folders of environments: for the end of the process, which does not wait for whoever uses them.
    pub fn clear_away(&self) {
        drop(self.0.scratch.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    pub(crate) fn freed(&self) -> &Notify {
        &self.0.freed
    }
}
