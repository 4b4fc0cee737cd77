//! What may be stored, for how long it is fresh, and when it may be used past that: the rules and nothing else.
//!
//! [`judge`] looks at one answer of the origin and returns a [`Plan`] or the reason why there is none; its
//! [`Freshness`] then answers every later question about age. Follows http-cache.md 3.1 to 3.4, 3.6, 3.7, 3.12 and 3.13
//! for the default profile. Deliberately absent: clock, store and messages. Time comes in as seconds since 1970 or as
//! the time since arrival, and nothing here changes a response.

pub use crate::body::Delimited;
use std::time::Duration;

use http::{HeaderMap, HeaderName, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::{
    cache_control::{CacheControl, MAX_SECONDS, Scope},
    date,
    freshness::{Freshness, initial_age},
    tags::TagRules,
    vary::Variant,
};

/// Lifetime of errors that say nothing about theirs, and the least one of those that do (http-cache.md 3.12).
pub(crate) const ERROR_TTL: Duration = Duration::from_secs(10);

/// How long past expiry a response may stand in for a failing origin when no directive speaks of it (http-cache.md
/// 3.7).
const STALE_ON_ERROR: Duration = Duration::from_secs(24 * 3600);

/// Which names of a kind (query parameters, fields, cookies) are in the cache key, and so reach the origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// None of them.
    #[default]
    None,
    /// All of them.
    All,
    /// Those named here. Query parameters and cookies compare byte for byte, fields in any case.
    Include(Vec<String>),
    /// All but those named here.
    Exclude(Vec<String>),
}

impl Selection {
    /// Whether `name` is selected, byte for byte.
    pub(crate) fn takes(&self, name: &str) -> bool {
        self.decide(|listed| listed == name)
    }

    /// Whether `name` is selected, in any case.
    pub(crate) fn takes_ignoring_case(&self, name: &str) -> bool {
        self.decide(|listed| listed.eq_ignore_ascii_case(name))
    }

    fn decide(&self, is: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Include(names) => names.iter().any(|name| is(name)),
            Self::Exclude(names) => !names.iter().any(|name| is(name)),
        }
    }
}

/// Bounds of the freshness lifetime. As in CloudFront, `default` and then `max` rise to what lies below them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttl {
    /// Least lifetime of what may be stored.
    pub min: Duration,
    /// Lifetime where the origin gives none (http-cache.md 3.6).
    pub default: Duration,
    /// Greatest lifetime.
    pub max: Duration,
}

impl Ttl {
    fn clamp(self, lifetime: Duration) -> Duration {
        lifetime.max(self.min).min(self.max.max(self.default).max(self.min))
    }
}

/// How a behavior caches: its time to live, and what its keys are made of (http-cache.md 6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    /// Bounds of the lifetime.
    pub ttl: Ttl,
    /// Query parameters in the key.
    pub query: Selection,
    /// Fields in the key.
    pub headers: Selection,
    /// Cookies in the key.
    pub cookies: Selection,
    /// Purge tags.
    pub tags: TagRules,
}

impl CachePolicy {
    /// Whether the policy switches caching off: all three times are zero.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        [self.ttl.min, self.ttl.default, self.ttl.max].iter().all(Duration::is_zero)
    }
}

/// Why an answer of the origin was not stored. The words are those of `detail` in `Cache-Status` (http-cache.md 3.19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoStoreReason {
    /// `no-store`.
    NoStore,
    /// `private`.
    Private,
    /// `Set-Cookie` on a response that may hold one viewer's cookie.
    SetCookie,
    /// The request had credentials and the response does not permit sharing.
    Authorization,
    /// Neither the response nor the policy gives it a lifetime.
    NoFreshness,
    /// `Vary: *`.
    VaryStar,
    /// The status is never stored.
    Status,
    /// Larger than `max_object`.
    Oversize,
    /// The end of the body cannot be verified.
    CloseDelimited,
    /// It was purged, or its URL invalidated, after this request had begun.
    Purged,
    /// Large, and asked for the first time.
    Admission,
    /// It has more purge tags than are kept, so that a purge might miss it.
    TagLimit,
}

impl NoStoreReason {
    /// The word for logs and `Cache-Status`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::SetCookie => "set-cookie",
            Self::Authorization => "authorization",
            Self::NoFreshness => "no-freshness",
            Self::VaryStar => "vary-star",
            Self::Status => "status",
            Self::Oversize => "oversize",
            Self::CloseDelimited => "close-delimited",
            Self::Purged => "purged",
            Self::Admission => "admission",
            Self::TagLimit => "tag-limit",
        }
    }
}

/// Where a lifetime comes from if the origin did not give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Lent {
    /// `ttl.default`.
    DefaultTtl,
    /// [`ERROR_TTL`].
    ErrorTtl,
}

impl Lent {
    /// The word for `Cache-Status`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::DefaultTtl => "default-ttl",
            Self::ErrorTtl => "error-ttl",
        }
    }
}

/// One answer of the origin as far as the rules look at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) delimited: Delimited,
    /// The request had an `Authorization` field.
    pub(crate) authorization: bool,
    /// Cookies of viewers may have reached the origin.
    pub(crate) cookies_forwarded: bool,
    pub(crate) ttl: Ttl,
    /// Bytes; larger bodies are not stored.
    pub(crate) max_object: u64,
    /// When the head arrived, in seconds since 1970.
    pub(crate) received: i64,
    /// From sending the request to receiving the head.
    pub(crate) delay: Duration,
}

/// How to store an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) freshness: Freshness,
    /// Fields that nobody gets: viewers' cookies under `set_cookie = auto`.
    pub(crate) strip: Vec<HeaderName>,
    /// Fields that only the viewer of this request gets.
    pub(crate) unstored: Vec<HeaderName>,
    /// Set where the lifetime is not the origin's.
    pub(crate) lent: Option<Lent>,
}

impl Plan {
    /// For an answer that is used once and not stored.
    pub(crate) fn expired() -> Self {
        let freshness = Freshness {
            lifetime: Duration::ZERO,
            initial_age: Duration::ZERO,
            always_validate: true,
            while_revalidating: Duration::ZERO,
            on_error: Duration::ZERO,
        };
        Self { freshness, strip: Vec::new(), unstored: Vec::new(), lent: None }
    }
}

/// Decides whether an answer to GET may be stored, and for how long it is fresh.
pub(crate) fn judge(exchange: &Exchange<'_>) -> Result<Plan, NoStoreReason> {
    let directives = CacheControl::parse(exchange.headers);
    permitted(exchange, &directives)?;
    let given = given_lifetime(exchange, &directives);
    let whole_no_cache = directives.no_cache == Scope::Whole;
    let mut strip = Vec::new();
    if exchange.headers.contains_key(header::SET_COOKIE) {
        // A zero lifetime is how applications forbid caching; taking their cookies away for it would break every login.
        let explicit = given.is_some_and(|seconds| seconds > 0) && !whole_no_cache;
        if exchange.cookies_forwarded || !explicit {
            return Err(NoStoreReason::SetCookie);
        }
        strip.push(header::SET_COOKIE);
    }
    let (lifetime, lent) = lifetime(exchange, &directives, given)?;
    if whole_no_cache && !has_validator(exchange.headers) {
        return Err(NoStoreReason::NoFreshness);
    }
    let mut unstored = directives.private.fields().to_vec();
    unstored.extend_from_slice(directives.no_cache.fields());
    let (while_revalidating, on_error) = stale_windows(&directives, exchange.status);
    let initial_age = initial_age(exchange.headers, exchange.delay);
    let freshness = Freshness { lifetime, initial_age, always_validate: whole_no_cache, while_revalidating, on_error };
    Ok(Plan { freshness, strip, unstored, lent })
}

/// Everything that forbids storing whatever the lifetime, in the order in which it is reported.
fn permitted(exchange: &Exchange<'_>, directives: &CacheControl) -> Result<(), NoStoreReason> {
    let understood = directives.must_understand && is_registered(exchange.status);
    if is_never_stored(exchange.status) || (directives.must_understand && !understood) {
        return Err(NoStoreReason::Status);
    }
    if directives.no_store && !understood {
        return Err(NoStoreReason::NoStore);
    }
    if directives.private == Scope::Whole {
        return Err(NoStoreReason::Private);
    }
    let shared = directives.public || directives.must_revalidate || directives.s_maxage.is_some();
    if exchange.authorization && !shared {
        return Err(NoStoreReason::Authorization);
    }
    if Variant::is_unmatchable(exchange.headers) {
        return Err(NoStoreReason::VaryStar);
    }
    match exchange.delimited {
        Delimited::Close => Err(NoStoreReason::CloseDelimited),
        Delimited::Length(bytes) if bytes > exchange.max_object => Err(NoStoreReason::Oversize),
        Delimited::Length(_) | Delimited::Chunked | Delimited::None => Ok(()),
    }
}

/// Interim answers, parts, answers to conditions, and the errors that an odd request makes (poison guard, 3.12).
fn is_never_stored(status: StatusCode) -> bool {
    let guarded = [400, 405, 408, 412, 413, 414, 416, 417, 421, 431, 501];
    status.is_informational() || [206, 304].contains(&status.as_u16()) || guarded.contains(&status.as_u16())
}

/// The status codes of RFC 9110 section 15, whose caching rules are known.
fn is_registered(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200..=206 | 300..=305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505)
}

/// The lifetime that the response itself states, in seconds, before the policy's bounds.
fn given_lifetime(exchange: &Exchange<'_>, directives: &CacheControl) -> Option<u64> {
    directives.s_maxage.or(directives.max_age).or_else(|| {
        exchange.headers.contains_key(header::EXPIRES).then(|| {
            let now = exchange.received;
            let base = date::of(exchange.headers, header::DATE, now).unwrap_or(now);
            let until = date::of(exchange.headers, header::EXPIRES, now).map_or(0, |expires| expires - base);
            u64::try_from(until).unwrap_or(0).min(MAX_SECONDS)
        })
    })
}

fn lifetime(
    exchange: &Exchange<'_>,
    directives: &CacheControl,
    given: Option<u64>,
) -> Result<(Duration, Option<Lent>), NoStoreReason> {
    let ttl = exchange.ttl;
    if directives.no_cache == Scope::Whole {
        return Ok((Duration::ZERO, None)); // neither ttl.min nor the error lifetime softens it
    }
    let error = matches!(exchange.status.as_u16(), 404 | 500 | 502 | 503 | 504);
    if let Some(seconds) = given {
        let bounded = ttl.clamp(Duration::from_secs(seconds));
        return Ok(if error && bounded < ERROR_TTL { (ERROR_TTL, Some(Lent::ErrorTtl)) } else { (bounded, None) });
    }
    if error {
        return Ok((ERROR_TTL, Some(Lent::ErrorTtl)));
    }
    let lent = ttl.min.max(ttl.default);
    if matches!(exchange.status.as_u16(), 200 | 203 | 300 | 301 | 308 | 410) && !lent.is_zero() {
        return Ok((lent, Some(Lent::DefaultTtl)));
    }
    if directives.public && has_validator(exchange.headers) {
        return Ok((ttl.clamp(Duration::ZERO), None));
    }
    Err(NoStoreReason::NoFreshness)
}

fn has_validator(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ETAG) || headers.contains_key(header::LAST_MODIFIED)
}

/// How long past expiry a response may be used while it is validated, and when the origin fails (http-cache.md 3.7).
fn stale_windows(directives: &CacheControl, status: StatusCode) -> (Duration, Duration) {
    let explicit = directives.stale_while_revalidate.or(directives.stale_if_error).is_some();
    let strict = directives.must_revalidate || directives.proxy_revalidate || directives.no_cache == Scope::Whole;
    if strict || (directives.s_maxage.is_some() && !explicit) {
        return (Duration::ZERO, Duration::ZERO);
    }
    let while_revalidating = Duration::from_secs(directives.stale_while_revalidate.unwrap_or(0));
    let on_error = if status.is_server_error() {
        Duration::ZERO // an old error is no better than a new one
    } else {
        directives.stale_if_error.map_or(STALE_ON_ERROR, Duration::from_secs)
    };
    (while_revalidating, on_error)
}

#[cfg(test)]
#[path = "tests/policy.rs"]
mod tests;
