//! The key value store of the function that runs (cloudfront-functions.md 6.4).
//!
//! The host lends it to each run, so a run sees one version of it from beginning to end; it lies in shared memory outside
//! the isolate, is read where it lies, and is neither changed nor rewound.
//!
//! Absent on purpose: what functions call (`cf.kvs()`, in `modules::kvs`), and stores of other functions.

use super::modules::kvs;
use edgehook_kvs::Snapshot;
use edgehook_sandbox::SharedBytes;

/// A store as it came from the proxy.
pub(super) type Store = Snapshot<SharedBytes>;

impl kvs::Store for Store {
    fn get(&self, key: &str) -> Option<&str> {
        Self::get(self, key)
    }

    fn count(&self) -> usize {
        Self::count(self)
    }

    fn created(&self) -> u64 {
        self.meta().created
    }

    fn updated(&self) -> u64 {
        self.meta().updated
    }
}

/// The store as functions read it.
pub(super) fn readable(store: &Store) -> &dyn kvs::Store {
    store
}
