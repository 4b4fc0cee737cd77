//! What may be stored, for how long it is fresh, and when it may be used past that: the rules and nothing else.
//!
//! [`judge`] looks at one answer of the origin and returns a [`Plan`] or the reason why there is none; its
//! [`Freshness`] then answers every later question about age. Follows http-cache.md 3.1 to 3.7, 3.12 and 3.13, under the
//! [`Rules`] of the behavior. Deliberately absent: clock, store and messages. Time comes in as seconds since 1970 or as
//! the time since arrival, and nothing here changes a response.

pub use crate::body::Delimited;
use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::{
    cache_control::{CacheControl, MAX_SECONDS, Scope},
    date,
    freshness::{Freshness, Span, initial_age},
    normalise::Normalise,
    rules::{Rules, SetCookie},
    tags::TagRules,
    targeted,
    vary::Variant,
};

/// Share of the time between `Last-Modified` and `Date` that a response lives without a stated lifetime, and the most that
/// comes of it (http-cache.md 3.6).
const HEURISTIC_SHARE: u64 = 10;
const HEURISTIC_MAX: u64 = 24 * 3600;

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
    #[must_use]
    pub fn takes(&self, name: &str) -> bool {
        self.decide(|listed| listed == name)
    }

    /// Whether `name` is selected, in any case.
    #[must_use]
    pub fn takes_ignoring_case(&self, name: &str) -> bool {
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
    /// What is evened out before the key is made.
    pub normalise: Arc<Normalise>,
    /// What else may be decided one way or the other.
    pub rules: Arc<Rules>,
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
    /// The request asked for its answer not to be stored.
    RequestDirective,
    /// The URL has too many variants that replace one another.
    VaryLimit,
    /// The answer's type does not suit its path (`deception_armor`).
    Deception,
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
            Self::RequestDirective => "request-directive",
            Self::VaryLimit => "vary-limit",
            Self::Deception => "deception",
            Self::TagLimit => "tag-limit",
        }
    }
}

/// Where a lifetime comes from if the origin did not give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Lent {
    /// `ttl.default`.
    DefaultTtl,
    /// [`Rules::errors`].
    ErrorTtl,
    /// A share of the time since `Last-Modified`.
    Heuristic,
}

impl Lent {
    /// The word for `Cache-Status`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::DefaultTtl => "default-ttl",
            Self::ErrorTtl => "error-ttl",
            Self::Heuristic => "heuristic",
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
    /// The request said `no-store`, and that counts.
    pub(crate) declined: bool,
    /// Cookies of viewers may have reached the origin.
    pub(crate) cookies_forwarded: bool,
    pub(crate) ttl: Ttl,
    pub(crate) rules: &'a Rules,
    /// Bytes; larger bodies are not stored.
    pub(crate) max_object: u64,
    /// The extension of the path, in lower case.
    pub(crate) extension: Option<&'a str>,
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
            lifetime: Span::ZERO,
            initial_age: Span::ZERO,
            always_validate: true,
            while_revalidating: Span::ZERO,
            on_unreachable: Span::ZERO,
            on_5xx: Span::ZERO,
            never_stale: true,
        };
        Self { freshness, strip: Vec::new(), unstored: Vec::new(), lent: None }
    }
}

/// The directives that count, after `ttl.min` has overruled what it may.
struct Declared {
    directives: CacheControl,
    /// Seconds of freshness that the response itself states, before the policy's bounds.
    lifetime: Option<u64>,
}

impl Declared {
    fn of(exchange: &Exchange<'_>) -> Self {
        let (mut directives, targeted) = targeted::governing(exchange.headers, &exchange.rules.targeted);
        let mut lifetime = directives.s_maxage.or(directives.max_age);
        if lifetime.is_none() && !targeted {
            lifetime = until_expires(exchange);
        }
        let forbids = directives.no_store || directives.private == Scope::Whole || directives.no_cache == Scope::Whole;
        if forbids && exchange.rules.min_ttl_wins && !exchange.ttl.min.is_zero() {
            directives.no_store = false;
            directives.private = Scope::Absent;
            directives.no_cache = Scope::Absent;
            lifetime = Some(0); // which `ttl.min` raises
        }
        Self { directives, lifetime }
    }
}

/// Decides whether an answer to GET may be stored, and for how long it is fresh.
pub(crate) fn judge(exchange: &Exchange<'_>) -> Result<Plan, NoStoreReason> {
    let declared = Declared::of(exchange);
    let directives = &declared.directives;
    permitted(exchange, directives)?;
    let strip = cookies(exchange, &declared)?;
    let whole_no_cache = directives.no_cache == Scope::Whole;
    let (lifetime, lent) = lifetime(exchange, &declared)?;
    if whole_no_cache && !has_validator(exchange.headers) {
        return Err(NoStoreReason::NoFreshness);
    }
    let mut unstored = directives.private.fields().to_vec();
    unstored.extend_from_slice(directives.no_cache.fields());
    let windows = stale_windows(directives, exchange);
    let freshness = Freshness {
        lifetime: lifetime.into(),
        initial_age: initial_age(exchange.headers, exchange.delay).into(),
        always_validate: whole_no_cache,
        while_revalidating: windows.while_revalidating.into(),
        on_unreachable: windows.on_unreachable.into(),
        on_5xx: windows.on_5xx.into(),
        never_stale: windows.never_stale,
    };
    Ok(Plan { freshness, strip, unstored, lent })
}

/// Whether the response itself states a lifetime: only then may one to POST serve a GET (http-cache.md 3.14).
pub(crate) fn states_lifetime(exchange: &Exchange<'_>) -> bool {
    Declared::of(exchange).lifetime.is_some()
}

/// Everything that forbids storing whatever the lifetime, in the order in which it is reported.
fn permitted(exchange: &Exchange<'_>, directives: &CacheControl) -> Result<(), NoStoreReason> {
    let understood = directives.must_understand && is_registered(exchange.status);
    let odd = exchange.rules.poison_guard && is_guarded(exchange.status);
    if is_never_stored(exchange.status) || odd || (directives.must_understand && !understood) {
        return Err(NoStoreReason::Status);
    }
    if directives.no_store && !understood {
        return Err(NoStoreReason::NoStore);
    }
    if directives.private == Scope::Whole {
        return Err(NoStoreReason::Private);
    }
    if exchange.declined {
        return Err(NoStoreReason::RequestDirective);
    }
    let shared = directives.public || directives.must_revalidate || directives.s_maxage.is_some();
    if exchange.authorization && !shared {
        return Err(NoStoreReason::Authorization);
    }
    if Variant::is_unmatchable(exchange.headers) {
        return Err(NoStoreReason::VaryStar);
    }
    if exchange.rules.deception_armor && exchange.extension.is_some_and(|it| !suits(it, exchange.headers)) {
        return Err(NoStoreReason::Deception);
    }
    match exchange.delimited {
        Delimited::Close if !exchange.rules.store_close_delimited => Err(NoStoreReason::CloseDelimited),
        Delimited::Length(bytes) if bytes > exchange.max_object => Err(NoStoreReason::Oversize),
        Delimited::Length(_) | Delimited::Chunked | Delimited::Close | Delimited::None => Ok(()),
    }
}

/// What is to be stripped of an answer that sets cookies, or why it is not stored (http-cache.md 3.13).
fn cookies(exchange: &Exchange<'_>, declared: &Declared) -> Result<Vec<HeaderName>, NoStoreReason> {
    if !exchange.headers.contains_key(header::SET_COOKIE) {
        return Ok(Vec::new());
    }
    // A zero lifetime is how applications forbid caching; taking their cookies away for it would break every login.
    let explicit = declared.lifetime.is_some_and(|seconds| seconds > 0) && declared.directives.no_cache != Scope::Whole;
    match exchange.rules.set_cookie {
        SetCookie::Store => Ok(Vec::new()),
        SetCookie::Strip => Ok(vec![header::SET_COOKIE]),
        SetCookie::Auto if explicit && !exchange.cookies_forwarded => Ok(vec![header::SET_COOKIE]),
        SetCookie::Auto | SetCookie::Bypass => Err(NoStoreReason::SetCookie),
    }
}

/// Whether the type of an answer is one that files with this extension have; unknown ones and plain bytes always are.
fn suits(extension: &str, headers: &HeaderMap) -> bool {
    let stated = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let stated = stated.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let known = mime_guess::from_ext(extension);
    stated == "application/octet-stream" || known.is_empty() || known.iter().any(|kind| kind.essence_str() == stated)
}

/// Interim answers, parts, and answers to conditions.
fn is_never_stored(status: StatusCode) -> bool {
    status.is_informational() || [206, 304].contains(&status.as_u16())
}

/// The errors that an odd request makes (http-cache.md 3.12).
fn is_guarded(status: StatusCode) -> bool {
    [400, 405, 408, 412, 413, 414, 416, 417, 421, 431, 501].contains(&status.as_u16())
}

/// The status codes of RFC 9110 section 15, whose caching rules are known.
fn is_registered(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200..=206 | 300..=305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505)
}

/// Statuses that may be stored although the response says nothing about it (RFC 9110 section 15.1).
fn is_heuristically_cacheable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// Seconds from `Date` to `Expires`; none without `Expires`.
fn until_expires(exchange: &Exchange<'_>) -> Option<u64> {
    exchange.headers.contains_key(header::EXPIRES).then(|| {
        let now = exchange.received;
        let base = date::of(exchange.headers, header::DATE, now).unwrap_or(now);
        let until = date::of(exchange.headers, header::EXPIRES, now).map_or(0, |expires| expires - base);
        u64::try_from(until).unwrap_or(0).min(MAX_SECONDS)
    })
}

fn lifetime(exchange: &Exchange<'_>, declared: &Declared) -> Result<(Duration, Option<Lent>), NoStoreReason> {
    let (ttl, directives) = (exchange.ttl, &declared.directives);
    if directives.no_cache == Scope::Whole {
        return Ok((Duration::ZERO, None)); // neither ttl.min nor the error lifetime softens it
    }
    let in_digits = directives.max_age.is_some() || directives.s_maxage.is_some();
    let error_ttl = exchange.rules.error_ttl(exchange.status, in_digits);
    if let Some(seconds) = declared.lifetime {
        let bounded = ttl.clamp(Duration::from_secs(seconds));
        return Ok(match error_ttl.filter(|least| bounded < *least) {
            Some(least) => (least, Some(Lent::ErrorTtl)),
            None => (bounded, None),
        });
    }
    if let Some(least) = error_ttl {
        return Ok((least, Some(Lent::ErrorTtl)));
    }
    let by_status = is_heuristically_cacheable(exchange.status) || directives.public;
    if let Some(guess) = heuristic(exchange).filter(|_| by_status && exchange.rules.heuristics) {
        return Ok((ttl.clamp(guess), Some(Lent::Heuristic)));
    }
    let lent = ttl.min.max(ttl.default);
    if matches!(exchange.status.as_u16(), 200 | 203 | 300 | 301 | 308 | 410) && !lent.is_zero() {
        return Ok((lent, Some(Lent::DefaultTtl)));
    }
    if by_status && has_validator(exchange.headers) {
        return Ok((ttl.clamp(Duration::ZERO), None));
    }
    Err(NoStoreReason::NoFreshness)
}

/// A share of the time between `Last-Modified` and `Date` (http-cache.md 3.6).
fn heuristic(exchange: &Exchange<'_>) -> Option<Duration> {
    let now = exchange.received;
    let modified = date::of(exchange.headers, header::LAST_MODIFIED, now)?;
    let base = date::of(exchange.headers, header::DATE, now).unwrap_or(now);
    let seconds = u64::try_from(base.saturating_sub(modified)).unwrap_or(0) / HEURISTIC_SHARE;
    Some(Duration::from_secs(seconds.min(HEURISTIC_MAX)))
}

fn has_validator(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ETAG) || headers.contains_key(header::LAST_MODIFIED)
}

/// How long past expiry a response may be used, by occasion (http-cache.md 3.7).
struct StaleWindows {
    while_revalidating: Duration,
    on_unreachable: Duration,
    on_5xx: Duration,
    never_stale: bool,
}

fn stale_windows(directives: &CacheControl, exchange: &Exchange<'_>) -> StaleWindows {
    let zero = Duration::ZERO;
    let explicit = directives.stale_while_revalidate.or(directives.stale_if_error).is_some();
    let strict = directives.must_revalidate || directives.proxy_revalidate || directives.no_cache == Scope::Whole;
    if strict || (directives.s_maxage.is_some() && !explicit) {
        return StaleWindows { while_revalidating: zero, on_unreachable: zero, on_5xx: zero, never_stale: true };
    }
    let while_revalidating = Duration::from_secs(directives.stale_while_revalidate.unwrap_or(0));
    let stated = directives.stale_if_error.map(Duration::from_secs);
    let (on_unreachable, on_5xx) = if exchange.status.is_server_error() {
        (zero, zero) // an old error is no better than a new one
    } else {
        (stated.unwrap_or(exchange.rules.stale_if_unreachable), stated.unwrap_or(exchange.rules.stale_on_5xx))
    };
    StaleWindows { while_revalidating, on_unreachable, on_5xx, never_stale: stated == Some(zero) }
}

#[cfg(test)]
#[path = "tests/policy.rs"]
mod tests;
