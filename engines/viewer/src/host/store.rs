//! The key value store of the function that runs (cloudfront-functions.md 6.4).
//!
//! The host lends it to each run, so a run sees one version of it from beginning to end; it lies in shared memory outside
//! the isolate, is read where it lies, and is neither changed nor rewound.
//!
//! Absent on purpose: what functions call (`cf.kvs()`), and stores of other functions.

use boa_engine::Context;
use edgehook_kvs::Snapshot;
use edgehook_sandbox::SharedBytes;
use scoped_tls::scoped_thread_local;

/// A store as it came from the proxy.
pub(super) type Store = Snapshot<SharedBytes>;

scoped_thread_local!(static LENT: Store);

/// Does `work`, with `store` as the one that [`read`] reads. Must begin within the run: thread-locals are the guest's there.
pub(super) fn lend<R>(store: Option<&Store>, work: impl FnOnce() -> R) -> R {
    match store {
        Some(store) => LENT.set(store, work),
        None => work(),
    }
}

/// Reads the store of the present run. `None` while the top level runs, for which there is none.
#[expect(dead_code, reason = "what `cf.kvs()` stands on; it comes with the module `cloudfront`")]
pub(super) fn read<R>(question: impl FnOnce(&Store) -> R) -> Option<R> {
    LENT.is_set().then(|| LENT.with(question))
}

/// The id of the store that a function may read, kept beside its context.
struct Associated(String);

/// Lets the function read the store of this id.
pub(super) fn associate(id: &str, context: &mut Context) {
    context.insert_data(Associated(id.to_owned()));
}

/// The id of the store that the function may read.
#[expect(dead_code, reason = "what `cf.kvs()` stands on; it comes with the module `cloudfront`")]
pub(super) fn associated(context: &Context) -> Option<&str> {
    context.get_data::<Associated>().map(|associated| associated.0.as_str())
}
