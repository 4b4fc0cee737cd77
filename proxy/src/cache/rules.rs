//! The switches of the cache policy: every place where a deployment may decide otherwise than the next one.
//!
//! [`Rules::default`] is the profile `default` and [`Rules::strict_rfc`] the profile `strict-rfc` of http-cache.md 1;
//! the configuration starts from one of them and sets single fields. No code asks which profile is active.
//! Deliberately absent: times to live and keys, which a cache policy sets, and any decision; those are in `policy`.

use std::time::Duration;

use http::{HeaderName, StatusCode};

/// Field names with freshness for this kind of cache, which viewers never see.
const OWN_FIELD: HeaderName = HeaderName::from_static("edgehook-cdn-cache-control");
/// The same for every CDN (RFC 9213).
const CDN_FIELD: HeaderName = HeaderName::from_static("cdn-cache-control");

/// Statuses that get [`Rules::errors`] in the default profile, and for how long.
const ERRORS: [u16; 5] = [404, 500, 502, 503, 504];
const ERROR_TTL: Duration = Duration::from_secs(10);
/// CloudFront's own table: always, and only where the origin says `max-age` or `s-maxage` (http-cache.md 3.12).
const CLOUDFRONT_ALWAYS: [u16; 7] = [404, 414, 500, 501, 502, 503, 504];
const CLOUDFRONT_DECLARED: [u16; 5] = [400, 403, 405, 412, 415];

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Answers that set cookies (http-cache.md 3.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetCookie {
    /// Stripped and stored where cookies are not forwarded and freshness is explicit; else not stored.
    Auto,
    /// Always stripped.
    Strip,
    /// Stored as it came.
    Store,
    /// Never stored.
    Bypass,
}

/// How `Accept-Language` is compared under `Vary` (http-cache.md 3.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum VaryLanguage {
    /// In lower case and without white space.
    Syntax,
    /// Also by weight, in any order of equal weights.
    Normalised,
}

/// What viewers see of `Age` (http-cache.md 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgePenalty {
    /// The true age.
    Off,
    /// No `Age` at all.
    DropAge,
    /// No `Age`, and a `Date` of now.
    RewriteDate,
}

/// A targeted field and what becomes of it (RFC 9213).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targeted {
    /// Its name.
    pub field: HeaderName,
    /// Whether viewers do not see it.
    pub strip: bool,
}

/// A least lifetime for one status (http-cache.md 3.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorTtl {
    /// The status.
    pub status: StatusCode,
    /// Its least lifetime.
    pub ttl: Duration,
    /// Only where the origin states `max-age` or `s-maxage`.
    pub only_declared: bool,
}

/// Settings of one behavior's caching; names as in the configuration (experience.md 3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Lifetimes from `Last-Modified` where the origin states none.
    pub heuristics: bool,
    /// Least lifetimes of errors.
    pub errors: Vec<ErrorTtl>,
    /// Errors that an odd request makes are never stored.
    pub poison_guard: bool,
    /// How long past expiry a response may stand in for an origin that cannot be reached; zero: not at all.
    pub stale_if_unreachable: Duration,
    /// The same for an origin that answers 500, 502, 503 or 504.
    pub stale_on_5xx: Duration,
    /// How long a request waits for the origin when it could be answered stale.
    pub stale_soft_deadline: Option<Duration>,
    /// Pause between tries of a failing origin while something stale stands in; zero: none.
    pub stale_retry: Duration,
    /// Whether the viewer's `Cache-Control` counts.
    pub honour_requests: bool,
    /// Answers that set cookies.
    pub set_cookie: SetCookie,
    /// Whether a body that ends with the connection is stored.
    pub store_close_delimited: bool,
    /// Fields that decide instead of `Cache-Control` and `Expires`, the first one that is usable.
    pub targeted: Vec<Targeted>,
    /// Whether an answer to POST may serve later GETs.
    pub post_reuse: bool,
    /// Whether a HEAD that misses is fetched as GET and stored.
    pub head_fill: bool,
    /// Comparison of `Accept-Language`.
    pub vary_language: VaryLanguage,
    /// What viewers see of `Age`.
    pub age_penalty: AgePenalty,
    /// Whether a positive `ttl.min` overrules `no-store`, `no-cache` and `private`, as CloudFront has it.
    pub min_ttl_wins: bool,
    /// Whether all end-to-end fields of a request go to the origin, keyed or not.
    pub forward_all: bool,
    /// Whether `OPTIONS` is cached, apart from GET.
    pub cache_options: bool,
    /// Whether `No-Vary-Search` decides which query parameters are keyed (http-cache.md 3.16).
    pub no_vary_search: bool,
    /// An answer whose type does not suit its path's extension is not stored (http-cache.md 7.2).
    pub deception_armor: bool,
    /// Bytes of the largest body that is stored, besides the limit of the whole cache.
    pub max_object: Option<u64>,
    /// A larger body is stored on disk only when it is asked for again within a day; bytes. None: the first time.
    pub admit_after: Option<u64>,
    /// How long expired responses stay, instead of the limit of the whole cache.
    pub keep: Option<Duration>,
}

impl Default for Rules {
    /// The profile `default`.
    fn default() -> Self {
        Self {
            heuristics: false,
            errors: Self::errors_of(&ERRORS, ERROR_TTL, false),
            poison_guard: true,
            stale_if_unreachable: DAY,
            stale_on_5xx: DAY,
            stale_soft_deadline: Some(Duration::from_secs(1)),
            stale_retry: Duration::from_secs(10),
            honour_requests: false,
            set_cookie: SetCookie::Auto,
            store_close_delimited: false,
            targeted: vec![Targeted { field: OWN_FIELD, strip: true }, Targeted { field: CDN_FIELD, strip: false }],
            post_reuse: false,
            head_fill: false,
            vary_language: VaryLanguage::Syntax,
            age_penalty: AgePenalty::Off,
            min_ttl_wins: false,
            forward_all: false,
            cache_options: false,
            no_vary_search: false,
            deception_armor: false,
            max_object: None,
            admit_after: Some(64 << 20),
            keep: None,
        }
    }
}

impl Rules {
    /// The profile `strict-rfc`.
    #[must_use]
    pub fn strict_rfc() -> Self {
        let mut rules = Self {
            heuristics: true,
            errors: Vec::new(),
            poison_guard: false,
            stale_soft_deadline: None,
            stale_retry: Duration::ZERO,
            honour_requests: true,
            set_cookie: SetCookie::Store,
            store_close_delimited: true,
            post_reuse: true,
            admit_after: None,
            vary_language: VaryLanguage::Normalised,
            forward_all: true,
            ..Self::default()
        };
        rules.targeted.iter_mut().for_each(|targeted| targeted.strip = false);
        rules
    }

    /// CloudFront's table of errors, with its least lifetime for all of them.
    #[must_use]
    pub fn cloudfront_errors() -> Vec<ErrorTtl> {
        let mut errors = Self::errors_of(&CLOUDFRONT_ALWAYS, ERROR_TTL, false);
        errors.extend(Self::errors_of(&CLOUDFRONT_DECLARED, ERROR_TTL, true));
        errors
    }

    fn errors_of(codes: &[u16], ttl: Duration, only_declared: bool) -> Vec<ErrorTtl> {
        let statuses = codes.iter().filter_map(|code| StatusCode::from_u16(*code).ok());
        statuses.map(|status| ErrorTtl { status, ttl, only_declared }).collect()
    }

    /// The least lifetime of an answer with this status; `declared`: the origin states `max-age` or `s-maxage`.
    pub(crate) fn error_ttl(&self, status: StatusCode, declared: bool) -> Option<Duration> {
        let mut entries = self.errors.iter().filter(|entry| entry.status == status);
        entries.find(|entry| declared || !entry.only_declared).map(|entry| entry.ttl)
    }
}
