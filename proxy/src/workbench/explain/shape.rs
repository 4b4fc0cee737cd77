//! What an explanation holds. Its JSON form is published as `schemas/explanation.json`.

use super::Difference;
use crate::{
    cache::{Near, Stored},
    record::RequestRecord,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What would happen.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Explanation {
    /// Number of this shape: 1.
    pub(crate) schema: u32,
    /// Where the cache was looked at: `node`, `live` or `empty`.
    pub(crate) cache_from: String,
    /// Seconds from now at which it would happen.
    pub(crate) later: u64,
    /// What it would be: hit, stale, miss, expired, bypass, generated or error.
    pub(crate) outcome: String,
    /// The status, where it is known already.
    pub(crate) status: Option<u16>,
    /// Why the request would be refused, or how a function failed.
    pub(crate) failure: Option<String>,
    /// The steps up to the cache, as in the record of a request.
    pub(crate) steps: RequestRecord,
    /// What is stored.
    pub(crate) stored: Option<StoredPart>,
    /// Why the cache would be passed by, or what is missing.
    pub(crate) reason: Option<String>,
    /// The stored answer that comes nearest.
    pub(crate) nearest: Option<NearPart>,
    /// The origin that would be asked.
    pub(crate) origin: Option<OriginPart>,
    /// How long an answer would be kept.
    pub(crate) lifetime: Option<LifetimePart>,
    /// Functions that were not run.
    pub(crate) not_run: Vec<String>,
    /// What happened when the request was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sent: Option<RequestRecord>,
    /// Where that differs from what was told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) differs: Vec<Difference>,
    /// The key, by which a node is asked for what it has.
    #[serde(skip)]
    #[schemars(skip)]
    pub(crate) key: Option<Lookup>,
}

/// What a node is asked about its cache.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Lookup {
    pub(crate) key: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) later: u64,
}

/// A stored answer.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct StoredPart {
    /// Its age in seconds.
    pub(crate) age: u64,
    /// Seconds of freshness left, negative when stale.
    pub(crate) ttl: i64,
}

/// The nearest stored answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct NearPart {
    /// In what it differs: part, here, there.
    pub(crate) differs: Vec<(String, Option<String>, Option<String>)>,
    /// Its age in seconds.
    pub(crate) age: u64,
    /// Seconds of freshness left, negative when stale.
    pub(crate) ttl: i64,
}

/// The origin that would be asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct OriginPart {
    /// Its name.
    pub(crate) name: String,
    /// The method.
    pub(crate) method: String,
    /// The URL.
    pub(crate) url: String,
    /// The function that would run before, and may change all that.
    pub(crate) before: Option<String>,
    /// The function that would run after.
    pub(crate) after: Option<String>,
}

/// Bounds of a freshness lifetime, in seconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LifetimePart {
    /// MinTTL.
    pub(crate) min: u64,
    /// DefaultTTL.
    pub(crate) default: u64,
    /// MaxTTL.
    pub(crate) max: u64,
}

impl From<Stored> for StoredPart {
    fn from(stored: Stored) -> Self {
        Self { age: stored.age.as_secs(), ttl: stored.ttl_left }
    }
}

impl From<Near> for NearPart {
    fn from(near: Near) -> Self {
        let differs = near.differs.into_iter().map(|found| (found.part, found.ours, found.theirs)).collect();
        Self { differs, age: near.age.as_secs(), ttl: near.ttl_left }
    }
}

/// What a cache has for a key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) stored: Option<StoredPart>,
    pub(crate) fresh: bool,
    pub(crate) nearest: Option<NearPart>,
}

impl Explanation {
    /// Takes over what a node has stored, where the cache would be asked at all.
    pub(crate) fn with(&mut self, found: Found) {
        self.cache_from = "node".to_owned();
        if self.outcome != "miss" {
            return;
        }
        if let Some(stored) = found.stored {
            self.stored = Some(stored);
            let asks = !found.fresh;
            self.outcome = if asks { "expired" } else { "hit" }.to_owned();
            self.reason = asks.then(|| "stale".to_owned());
            if !asks {
                (self.origin, self.lifetime, self.nearest) = (None, None, None);
                return;
            }
        }
        self.nearest = found.nearest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `EDGEHOOK_BLESS=1` writes the file anew.
    #[test]
    fn the_published_schema_is_that_of_these_types() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/explanation.json");
        let schema = format!("{:#}\n", schemars::schema_for!(Explanation).to_value());
        if std::env::var_os("EDGEHOOK_BLESS").is_some() {
            std::fs::write(file, &schema).unwrap();
        }
        assert_eq!(std::fs::read_to_string(file).unwrap_or_default(), schema);
    }
}
