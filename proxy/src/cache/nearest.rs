//! What is stored that comes nearest to a key: the answer to "why was this a miss?".
//!
//! Deliberately absent: any effect. Nothing is touched, kept longer or counted for having been looked at.

use super::{Cache, Now, entry::Entry, key::Key};
use http::HeaderMap;
use std::{sync::Arc, time::Duration};

/// A stored answer under another key, or under the same one for other requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    /// Parts of its key, as names and values.
    pub parts: Vec<(String, String)>,
    /// In what it differs.
    pub differs: Vec<Difference>,
    /// Time since it was stored or confirmed.
    pub stored: Duration,
    /// Its age.
    pub age: Duration,
    /// Whole seconds of freshness left, negative when stale.
    pub ttl_left: i64,
}

/// A part in which two keys differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub part: String,
    /// In the key that was asked for; none: it is not there.
    pub ours: Option<String>,
    /// In the stored one.
    pub theirs: Option<String>,
}

/// Keys that are looked through when a whole cache is searched.
const MOST: usize = 100_000;

impl Cache {
    /// The stored answer whose key is nearest to `key`: the same but for as few parts as possible. Answers that were
    /// negotiated for others (`Vary`) count, with what they were negotiated by. Of equally near ones the one stored last.
    #[must_use]
    pub fn nearest(&self, key: &Key, headers: &HeaderMap, now: Now) -> Option<Near> {
        let ours = key.parts();
        let path = key.url_parts().path.to_owned();
        let mut best: Option<Near> = None;
        for (known, group) in self.inner.store.groups().take(MOST) {
            // Another path is another thing.
            if known.url_parts().path != path {
                continue;
            }
            let theirs = known.parts();
            let differs = differences(&ours, &theirs);
            for entry in group.entries() {
                let mut differs = differs.clone();
                if differs.is_empty() {
                    differs = varies(entry, headers);
                }
                if differs.is_empty() {
                    continue;
                }
                let near = near(theirs.clone(), differs, entry, now);
                let rank = |near: &Near| (near.differs.len(), near.stored);
                if best.as_ref().is_none_or(|best| rank(&near) < rank(best)) {
                    best = Some(near);
                }
            }
        }
        best
    }
}

fn near(parts: Vec<(String, String)>, differs: Vec<Difference>, entry: &Arc<Entry>, now: Now) -> Near {
    let resident = entry.meta.resident(now);
    let freshness = &entry.meta.freshness;
    Near { parts, differs, stored: resident, age: freshness.age(resident), ttl_left: freshness.ttl_left(resident) }
}

/// What the answer was negotiated by and the request has otherwise.
fn varies(entry: &Entry, headers: &HeaderMap) -> Vec<Difference> {
    let shown = |value: Option<&[u8]>| value.map(|value| String::from_utf8_lossy(value).into_owned());
    let theirs = entry.meta.variant.named();
    let ours = entry.meta.variant.counterpart(headers);
    let pairs = theirs.zip(ours.named());
    let differ = pairs.filter(|((_, theirs), (_, ours))| theirs != ours);
    differ
        .map(|((name, theirs), (_, ours))| Difference {
            part: format!("vary {name}"),
            ours: shown(ours),
            theirs: shown(theirs),
        })
        .collect()
}

fn differences(ours: &[(String, String)], theirs: &[(String, String)]) -> Vec<Difference> {
    let value = |parts: &[(String, String)], name: &str| {
        parts.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    let mut found = Vec::new();
    for (name, own) in ours {
        let other = value(theirs, name);
        if other.as_ref() != Some(own) {
            found.push(Difference { part: name.clone(), ours: Some(own.clone()), theirs: other });
        }
    }
    for (name, other) in theirs {
        if value(ours, name).is_none() {
            found.push(Difference { part: name.clone(), ours: None, theirs: Some(other.clone()) });
        }
    }
    found
}
