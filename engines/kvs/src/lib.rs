//! Key value stores (cloudfront-functions.md 6.4).
//!
//! [`Snapshot`] is a whole store in one block of bytes, which isolate hosts read through a shared mapping; [`limits`] says
//! what a store may hold.
//!
//! Absent on purpose: processes, sockets, memory mappings, and the JavaScript face of a store (crate `edgehook-viewer`).

pub mod limits;
mod snapshot;

pub use limits::LimitError;
pub use snapshot::{Meta, Snapshot, SnapshotError};
