//! Key value stores (cloudfront-functions.md 6.4).
//!
//! A [`Store`] is one file that survives crashes; edits to it are numbered. [`file`] is the form in which content comes and goes,
//! [`limits`] what a store may hold. [`Snapshot`] is a whole store in one block of bytes, which isolate hosts read through a
//! shared mapping.
//!
//! Absent on purpose: processes, sockets, memory mappings, a clock, and the JavaScript face of a store (crate
//! `edgehook-viewer`).

mod edit;
pub mod file;
pub mod limits;
mod snapshot;
mod store;

pub use edit::{Change, Edited, MAX_CHANGES, Record};
pub use file::{Entries, FileError};
pub use limits::LimitError;
pub use snapshot::{Meta, Snapshot, SnapshotError};
pub use store::{MAX_RECORDS, Seeded, Store, StoreError};
