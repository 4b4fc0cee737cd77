//! Which variant: a pure function of names, weights and what is known of the viewer.
//!
//! Every variant draws a number from the hash of experiment, variant and viewer, exponentially distributed with its weight
//! as the rate, and the smallest wins (weighted rendezvous hashing). So shares are exact, experiments do not depend on
//! each other, and every node and every start agree without any state. When weights change, a viewer moves
//! only from a variant that lost share against another to one that gained: with two variants exactly the difference
//! moves; with more, at most `2d / (1 + d)` where `d` is the least that must move, and no method without memory does better for
//! all changes at once (Bavarian et al., "Optimality of correlated sampling", 2016). A variant that comes takes only its share;
//! one that goes leaves only its own.

use super::Variant;
use std::net::IpAddr;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// How a request came to its variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// A new viewer was drawn.
    Drawn,
    /// The cookie says so.
    Kept,
    /// The cookie names a variant that is gone; the viewer was moved to the fallback.
    Moved,
    /// By hash. The number tells viewers apart.
    Hashed(u64),
    /// A tester asked for it. Not counted.
    Forced,
}

impl How {
    /// The word in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drawn => "drawn",
            Self::Kept => "kept",
            Self::Moved => "moved",
            Self::Hashed(_) => "hashed",
            Self::Forced => "forced",
        }
    }
}

/// What is known of the viewer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Evidence<'a> {
    /// The value of the cookie.
    Held(&'a str),
    /// No cookie; a digest that is different for every request.
    Draw(u128),
    /// A digest of what tells viewers apart.
    Hash(u128),
}

/// A digest of what viewers are told apart by, different in every experiment.
pub(super) fn digest(experiment: &str, bytes: &[u8]) -> u128 {
    let mut input = Vec::with_capacity(8 + experiment.len() + bytes.len());
    input.extend_from_slice(&(experiment.len() as u64).to_be_bytes());
    input.extend_from_slice(experiment.as_bytes());
    input.extend_from_slice(bytes);
    xxh3_128(&input)
}

/// What of an address tells viewers apart.
pub(super) fn address(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets()[..8].to_vec(),
    }
}

/// The variant, as an index, and how it was found.
pub(super) fn decide(variants: &[Variant], fallback: usize, evidence: Evidence<'_>) -> (usize, How) {
    match evidence {
        Evidence::Held(name) => match variants.iter().position(|variant| variant.name == name) {
            Some(kept) => (kept, How::Kept),
            None => (fallback, How::Moved),
        },
        Evidence::Draw(digest) => (choose(shares(variants), digest).unwrap_or(fallback), How::Drawn),
        Evidence::Hash(digest) => {
            // The low half is as good as random, and not what the variant depends on alone.
            let number = (digest & u128::from(u64::MAX)) as u64;
            (choose(shares(variants), digest).unwrap_or(fallback), How::Hashed(number))
        }
    }
}

fn shares(variants: &[Variant]) -> impl Iterator<Item = (&str, u32)> {
    variants.iter().map(|variant| (variant.name.as_str(), variant.weight))
}

/// The index of the variant that a digest falls to; `None` when all weights are 0.
pub(super) fn choose<'v>(variants: impl Iterator<Item = (&'v str, u32)>, digest: u128) -> Option<usize> {
    let mut input = digest.to_be_bytes().to_vec();
    let mut best: Option<(f64, usize)> = None;
    for (index, (name, weight)) in variants.enumerate().filter(|(_, (_, weight))| *weight > 0) {
        input.truncate(16);
        input.extend_from_slice(name.as_bytes());
        let arrival = -unit(xxh3_64(&input)).ln() / f64::from(weight);
        if best.is_none_or(|(first, _)| arrival < first) {
            best = Some((arrival, index));
        }
    }
    best.map(|(_, index)| index)
}

/// A number between 0 and 1, neither included, from the upper 53 bits of a hash.
fn unit(hash: u64) -> f64 {
    ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}
