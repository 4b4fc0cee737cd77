//! Tokens that were verified a moment ago, found again by their hash.
//!
//! Bounded in memory; each verdict ends with its token, and all end when the keys change. The hash is SHA-256: with a weaker one a
//! viewer could look for a token that is found under another's verdict. The token itself is not kept.

use super::{
    claims::{Rules, Verified},
    problem::TokenProblem,
};
use aws_lc_rs::digest;
use moka::sync::Cache;
use std::{
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
    time::Duration,
};

/// Most memory of one authorizer's verdicts, bytes, as far as it can be told from the length of tokens.
const MEMORY: u64 = 64 * 1024 * 1024;
/// What a verdict takes besides its claims.
const OVERHEAD: usize = 512;
/// Longest time that a verdict is kept unasked for.
const IDLE: Duration = Duration::from_mins(10);

/// Verdicts by token.
#[derive(Debug)]
pub struct Verdicts {
    cache: Cache<[u8; 32], Verdict, BuildHasherDefault<FirstBytes>>,
}

#[derive(Clone, Debug)]
struct Verdict {
    verified: Arc<Verified>,
    /// Which keys it was made with.
    generation: u64,
    /// Length of the token.
    length: usize,
}

impl Default for Verdicts {
    fn default() -> Self {
        // Claims as a tree take about twice their text.
        let weight = |_: &[u8; 32], verdict: &Verdict| u32::try_from(2 * verdict.length + OVERHEAD).unwrap_or(u32::MAX);
        let cache = Cache::builder().max_capacity(MEMORY).weigher(weight).time_to_idle(IDLE);
        Self { cache: cache.build_with_hasher(BuildHasherDefault::default()) }
    }
}

impl Verdicts {
    /// What was found out about `token` with keys of this generation, judged for the present time again.
    ///
    /// # Errors
    /// The token was genuine and has run out.
    pub fn recall(
        &self,
        token: &str,
        generation: u64,
        rules: &Rules,
        now: u64,
    ) -> Option<Result<Arc<Verified>, TokenProblem>> {
        let verdict = self.cache.get(&hash(token)).filter(|verdict| verdict.generation == generation)?;
        Some(verdict.verified.still_holds(rules, now).map(|()| verdict.verified))
    }

    /// Keeps a verdict.
    pub fn keep(&self, token: &str, generation: u64, verified: Arc<Verified>) {
        self.cache.insert(hash(token), Verdict { verified, generation, length: token.len() });
    }

    /// How many there are, once pending work is done.
    #[cfg(test)]
    pub(crate) fn count(&self) -> u64 {
        self.cache.run_pending_tasks();
        self.cache.entry_count()
    }
}

fn hash(token: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    hash
}

/// The keys are hashes already.
#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some((first, _)) = bytes.split_first_chunk() {
            self.0 = u64::from_ne_bytes(*first);
        }
    }

    /// The length, which is always the same.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
