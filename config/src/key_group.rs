//! `[key_group.NAME]`: the public keys that signed URLs and cookies are checked with (http-cache.md 6.6).
//!
//! Only names and files; whether a file holds a usable key is found out where it is read.

use std::path::PathBuf;

use indexmap::IndexMap;

use crate::address;
use crate::context::Expect;
use crate::diagnostic::{Code, Problem};
use crate::section::Section;

/// A group of public keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyGroup {
    /// Its name in the file.
    pub name: String,
    /// PEM files, absolute, by the id that `Key-Pair-Id` carries; 1 to 5 in file order.
    pub keys: IndexMap<String, PathBuf>,
}

/// Keys of a group, as in CloudFront.
const MAX_KEYS: usize = 5;

pub(crate) fn read(name: &str, section: &Section<'_>) -> Option<KeyGroup> {
    let written = section.required("keys", "keys = { K2EXAMPLE = \"keys/signer.pub.pem\" }")?;
    let map = written.map("a table of key ids and PEM files")?;
    if map.is_empty() || map.len() > MAX_KEYS {
        let message = format!("`{}` holds 1 to {MAX_KEYS} keys", written.name);
        let label = format!("{} keys", map.len());
        let problem = Problem::new(Code::OutOfRange, written.key_span.clone(), message).label(label);
        section.cx.report(problem.help("a behavior may trust up to 4 groups"));
        return None;
    }
    let mut keys = IndexMap::new();
    for (id, value) in map {
        if let Err(label) = address::word(&id) {
            let message = format!("`{}` cannot be a key id", id.escape_debug());
            section.cx.report(Problem::new(Code::BadName, value.key_span.clone(), message).label(label));
            continue;
        }
        if let Some(file) = value.text().and_then(|text| section.cx.existing(&text, Expect::File)) {
            keys.insert(id, file);
        }
    }
    Some(KeyGroup { name: name.to_owned(), keys })
}
