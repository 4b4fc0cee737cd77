//! A stored response as it lies in the index: head, clocks, tags, and where its body is, with a checksum over all of it.
//!
//! Reading never panics and believes nothing: what does not add up is no record. Deliberately absent: the index itself and
//! the body's bytes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::cache::{Now, entry::Meta, fields::Fields, freshness::Freshness, policy::Lent, tags::Tags, vary::Variant};

/// A file of the tier. No number is ever used twice: the upper half is random for every run.
pub(super) type FileId = u64;

/// Stands before the names of trailers; no name begins so.
const TRAILER: char = ':';

/// Where a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Place {
    /// Among others in a segment, from this byte on.
    Segment(FileId, u64),
    /// In a file of its own.
    File(FileId),
    /// In a file of its own that a fill was still writing: more may lie behind it there, of which nothing is known.
    Beginning(FileId),
}

impl Place {
    pub(super) fn file(self) -> FileId {
        match self {
            Self::Segment(file, _) | Self::File(file) | Self::Beginning(file) => file,
        }
    }
}

/// A body on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) place: Place,
    /// Bytes.
    pub(super) length: u64,
    /// One checksum per chunk.
    pub(super) sums: Vec<u64>,
}

/// One record.
#[derive(Debug, Serialize, Deserialize)]
struct Raw<'a> {
    key: &'a [u8],
    body: Stored,
    status: u16,
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a [u8])>,
    freshness: Freshness,
    variant: Variant,
    /// Milliseconds since 1970.
    received: u64,
    lent: Option<Lent>,
    tags: Vec<&'a str>,
    asked_at: u64,
}

/// What a record says.
#[derive(Debug)]
pub(super) struct Record {
    /// The bytes of the key.
    pub(super) key: Vec<u8>,
    pub(super) body: Stored,
    pub(super) meta: Meta,
}

/// Writes a record.
pub(super) fn encode(key: &[u8], body: Stored, meta: &Meta) -> Option<Vec<u8>> {
    let received = meta.received.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
    let trailers = meta.headers.trailers().unwrap_or_default();
    let trailers: Vec<(String, &[u8])> =
        trailers.iter().map(|(name, value)| (format!("{TRAILER}{name}"), value.as_bytes())).collect();
    let mut headers: Vec<(&str, &[u8])> = meta.headers.iter().map(|(name, value)| (name.as_str(), value)).collect();
    headers.extend(trailers.iter().map(|(name, value)| (name.as_str(), *value)));
    let raw = Raw {
        key,
        body,
        status: meta.status.as_u16(),
        headers,
        freshness: meta.freshness,
        variant: meta.variant.clone(),
        received: u64::try_from(received.as_millis()).unwrap_or(u64::MAX),
        lent: meta.lent,
        tags: meta.tags.marked().collect(),
        asked_at: meta.asked_at,
    };
    seal(&raw)
}

/// Reads a record. The time since it was received becomes part of its age, as the monotonic clock did not count it.
pub(super) fn decode(text: &[u8], now: Now) -> Option<Record> {
    let (text, sum) = text.split_last_chunk::<8>()?;
    if u64::from_be_bytes(*sum) != xxh3_64(text) {
        return None;
    }
    let raw: Raw<'_> = postcard::from_bytes(text).ok()?;
    let (mut headers, mut trailers) = (HeaderMap::new(), HeaderMap::new());
    for (name, value) in raw.headers {
        let (map, name) = match name.strip_prefix(TRAILER) {
            Some(name) => (&mut trailers, name),
            None => (&mut headers, name),
        };
        map.append(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    let wall = UNIX_EPOCH.checked_add(Duration::from_millis(raw.received))?;
    let mut freshness = raw.freshness;
    let passed = now.wall.duration_since(wall).unwrap_or_default();
    freshness.initial_age = Duration::from(freshness.initial_age).saturating_add(passed).into();
    let meta = Meta {
        status: StatusCode::from_u16(raw.status).ok()?,
        headers: Fields::from(&headers).with_trailers(&trailers),
        freshness,
        variant: raw.variant,
        received: Now { wall, mono: now.mono }.into(),
        lent: raw.lent,
        tags: Tags::from_marked(raw.tags.into_iter().map(Box::from).collect()),
        asked_at: raw.asked_at,
    };
    Some(Record { key: raw.key.to_vec(), body: raw.body, meta })
}

/// Tells one variant from another.
pub(super) fn variant_hash(variant: &Variant) -> u64 {
    postcard::to_stdvec(variant).map_or(0, |text| xxh3_64(&text))
}

/// The same record with its body elsewhere.
pub(super) fn moved(text: &[u8], body: Stored) -> Option<Vec<u8>> {
    reencode(text, |raw| raw.body = body)
}

/// The same record, expired at that moment.
pub(super) fn expired(text: &[u8], at: SystemTime) -> Option<Vec<u8>> {
    reencode(text, |raw| {
        let received = UNIX_EPOCH + Duration::from_millis(raw.received);
        let age =
            Duration::from(raw.freshness.initial_age).saturating_add(at.duration_since(received).unwrap_or_default());
        raw.freshness.lifetime = raw.freshness.lifetime.min(age.into());
    })
}

fn reencode(text: &[u8], change: impl FnOnce(&mut Raw<'_>)) -> Option<Vec<u8>> {
    let (text, _) = text.split_last_chunk::<8>()?;
    let mut raw: Raw<'_> = postcard::from_bytes(text).ok()?;
    change(&mut raw);
    seal(&raw)
}

fn seal(raw: &Raw<'_>) -> Option<Vec<u8>> {
    let mut text = postcard::to_stdvec(raw).ok()?;
    let sum = xxh3_64(&text);
    text.extend_from_slice(&sum.to_be_bytes());
    Some(text)
}
