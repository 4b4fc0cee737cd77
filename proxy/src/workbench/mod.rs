//! The workbench: a configuration tried out in process. What `edgehook test`, `invoke` and `explain` have in common.
//!
//! [`engine::Engine`] loads a configuration and its functions once, as `serve` does, and gives any number of [`engine::Play`]s:
//! edges with the real lifecycle, an empty cache, a clock that moves when it is told to, chance from a seed, and origins that
//! follow a [`script::Script`]. Functions run in the same host processes and environments as ever. `cases` reads test files,
//! `runner` plays them, `report` tells what came of it.
//!
//! Invariants: nothing here opens a connection; a play shares no cache, clock or script with another.

pub(crate) mod cases;
pub(crate) mod coverage;
pub(crate) mod diff;
pub(crate) mod engine;
pub(crate) mod explain;
pub(crate) mod lines;
pub(crate) mod matcher;
pub(crate) mod near;
pub(crate) mod report;
pub(crate) mod runner;
pub(crate) mod save;
pub(crate) mod script;
pub(crate) mod told;
pub(crate) mod values;
