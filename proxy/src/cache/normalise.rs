//! Requests that mean the same, made the same before their key is made (http-cache.md 7.1 steps 3 to 5).
//!
//! [`Normalise`] is part of a cache policy. What it changes is changed for the key and for the origin alike, so that the two
//! never disagree. Every change is idempotent. Deliberately absent: host and path, which the gate has made canonical.

use std::cmp::Ordering;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::cache_control::split_outside_quotes;

/// Parameters that only track viewers; those that begin with `utm_` are, too.
const TRACKING: [&str; 12] =
    ["_ga", "_gl", "dclid", "fbclid", "gbraid", "gclid", "igshid", "mc_cid", "mc_eid", "msclkid", "twclid", "wbraid"];

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// `br`
    Brotli,
    /// `gzip`
    Gzip,
    /// `zstd`
    Zstd,
}

impl Coding {
    /// The token of the coding.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// What of a request is evened out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Normalise {
    /// Query parameters are sorted by name; those of one name keep their order.
    pub sort: bool,
    /// A query parameter that is there several times, name and value, is there once.
    pub dedupe: bool,
    /// Parameters that only track viewers are dropped.
    pub strip_tracking: bool,
    /// A query with a parameter of such a name is left byte for byte.
    pub signed_names: Vec<String>,
    /// Content codings that viewers may get, the best first; empty: `Accept-Encoding` is a field like any other.
    pub codings: Vec<Coding>,
    /// Fields whose value is replaced by the one of these that suits best.
    pub best_match: Vec<(HeaderName, Vec<HeaderValue>)>,
}

impl Normalise {
    /// The query as it is keyed and sent.
    pub(crate) fn query(&self, query: String) -> String {
        let name = |pair: &str| pair.split_once('=').map_or(pair, |(name, _)| name).to_owned();
        let signed = |pair: &str| self.signed_names.iter().any(|signed| *signed == name(pair));
        if !(self.sort || self.dedupe || self.strip_tracking) || query.split('&').any(signed) {
            return query;
        }
        let mut pairs: Vec<&str> = query.split('&').collect();
        if self.strip_tracking {
            pairs.retain(|pair| !is_tracking(&name(pair)));
        }
        if self.dedupe {
            let mut seen = std::collections::HashSet::new();
            pairs.retain(|pair| seen.insert(*pair));
        }
        if self.sort {
            pairs.sort_by_key(|pair| name(pair)); // stable
        }
        pairs.join("&")
    }

    /// Replaces the fields of a request by the forms in which they are keyed and sent.
    pub fn fields(&self, headers: &mut HeaderMap) {
        if !self.codings.is_empty() {
            let bucket = self.bucket(headers);
            let value = if bucket.is_empty() { HeaderValue::from_static("identity") } else { joined(&bucket) };
            headers.insert(header::ACCEPT_ENCODING, value);
        }
        for (name, offered) in &self.best_match {
            let chosen = if *name == header::ACCEPT_LANGUAGE {
                language(headers, offered)
            } else {
                let stated = headers.get(name);
                stated
                    .and_then(|stated| offered.iter().find(|it| it.as_bytes().eq_ignore_ascii_case(stated.as_bytes())))
            };
            match chosen {
                Some(value) => drop(headers.insert(name, value.clone())),
                None => drop(headers.remove(name)),
            }
        }
    }

    /// The codings that the viewer takes, of those that it may get, the best first.
    #[must_use]
    pub fn bucket(&self, headers: &HeaderMap) -> Vec<Coding> {
        if self.codings.is_empty() {
            return Vec::new();
        }
        let members = weighted(headers, &header::ACCEPT_ENCODING);
        self.codings.iter().copied().filter(|coding| accepts(&members, coding.as_str())).collect()
    }
}

/// The codings as a list, for key and origin.
#[must_use]
pub fn joined(codings: &[Coding]) -> HeaderValue {
    let list: Vec<&str> = codings.iter().map(|coding| coding.as_str()).collect();
    HeaderValue::try_from(list.join(",")).expect("tokens and commas are visible ASCII")
}

fn is_tracking(name: &str) -> bool {
    name.starts_with("utm_") || TRACKING.contains(&name)
}

/// The members of a field's lines, in whatever case, each with its weight in thousandths.
fn weighted<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<(&'a str, u16)> {
    let mut members = Vec::new();
    for line in headers.get_all(name) {
        for member in split_outside_quotes(line.as_bytes(), b',') {
            let Ok(text) = std::str::from_utf8(member) else { continue };
            let mut parts = text.split(';').map(str::trim);
            let token = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            let weight = weight.map_or(1.0, |text| text.parse::<f32>().unwrap_or(0.0)).clamp(0.0, 1.0);
            if !token.is_empty() {
                // Between 0 and 1000; the cast loses digits that weights do not have.
                members.push((token, (weight * 1000.0).round() as u16));
            }
        }
    }
    members
}

/// Whether a coding may be used (RFC 9110 section 12.5.3). A star speaks of those that are not named.
fn accepts(members: &[(&str, u16)], coding: &str) -> bool {
    let named = |wanted: &str| members.iter().find(|(token, _)| token.eq_ignore_ascii_case(wanted));
    let of = |wanted: &str| named(wanted).map(|(_, weight)| *weight > 0);
    of(coding).or_else(|| of("*")).unwrap_or(false)
}

/// The best language of the list by the lookup of RFC 4647 section 3.4; the first where none suits.
fn language<'a>(headers: &HeaderMap, offered: &'a [HeaderValue]) -> Option<&'a HeaderValue> {
    let mut ranges = weighted(headers, &header::ACCEPT_LANGUAGE);
    ranges.retain(|(_, weight)| *weight > 0);
    ranges.sort_by(|(_, a), (_, b)| b.cmp(a).then(Ordering::Equal)); // stable: the viewer's order among equals
    for (range, _) in &ranges {
        let mut range = *range;
        loop {
            if let Some(found) = offered.iter().find(|it| it.as_bytes().eq_ignore_ascii_case(range.as_bytes())) {
                return Some(found);
            }
            let Some((shorter, _)) = range.rsplit_once('-') else { break };
            // A single letter or digit is no tag of its own and goes with what follows it.
            range = match shorter.rsplit_once('-') {
                Some((before, single)) if single.len() == 1 => before,
                _ => shorter,
            };
        }
    }
    offered.first()
}

#[cfg(test)]
#[path = "tests/normalise.rs"]
mod tests;
