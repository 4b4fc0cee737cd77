//! What the proxy and its function processes say to each other over their one Unix socket.
//!
//! A message is a [`frame`]: four bytes of length, then the message in the compact form of [`wire`]. [`viewer`] holds the
//! messages of isolate hosts, [`lambda`] those of environments. A process speaks first, with its [`VERSION`].
//!
//! Invariants: decoding never panics, never allocates more than the frame it was given could fill, and refuses what is
//! left over. Neither side trusts the other: the processes run code that nobody has read.
//!
//! Absent on purpose: no sockets of its own ([`channel`] works on any stream), no JSON, no knowledge of engines.

pub mod channel;
pub mod event;
pub mod frame;
pub mod lambda;
pub mod viewer;
mod viewer_origin;
pub mod wire;

/// Version of everything in this crate. A process that greets with another one is from another build and is not used.
pub const VERSION: u16 = 3;
