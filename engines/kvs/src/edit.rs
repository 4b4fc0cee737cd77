//! Edits: what is done to a store at once, and the record of it.

use serde::{Deserialize, Serialize};

/// Most changes of one edit that is not an import (cloudfront-functions.md 6.4).
pub const MAX_CHANGES: usize = 50;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// The key has this value from now on.
    Put {
        /// Which key.
        key: String,
        /// Its value.
        value: String,
    },
    /// The key is gone. One that is not there is no error.
    Remove {
        /// Which key.
        key: String,
    },
}

/// An edit as it is remembered: applied in the order of their numbers, records lead to the same content anywhere.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Record {
    /// Number of the edit; each is one more than the one before.
    pub sequence: u64,
    /// When it was made, milliseconds since 1970.
    pub at: u64,
    /// Whether all that was there before is gone.
    pub replaces: bool,
    /// What was done, in this order.
    pub changes: Vec<Change>,
}

/// What an edit has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edited {
    /// Number of the edit, or of the last one where nothing was different.
    pub sequence: u64,
    /// Keys whose value is new or another one.
    pub put: usize,
    /// Keys that are gone.
    pub removed: usize,
}
