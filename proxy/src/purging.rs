//! Purging: which stored answers a URL means, how often may be purged, and HTTP `PURGE` on the public listeners.
//!
//! The admin API (`app::purge`) is the ordinary way to purge; [`PublicPurge`] is for programs that only know the method, and
//! is there only where `[admin] purge_secret` is. Both take URLs as requests are taken, by the configuration that serves now: the
//! path in canonical form, the query as the behavior's cache policy keys it, the root object for `/` (http-cache.md 5.1).
//! Deliberately absent: what a purge does, which is `cache`'s.

use crate::{
    auth::{Per, RateLimit},
    body::{self, Body},
    cache::{KeyInput, KeyedRequest, PurgeKind, PurgeOrder, Scope},
    fault::Fault,
    gate::Received,
    site::Site,
};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter, clock::Clock as _, clock::DefaultClock};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use std::{fmt, num::NonZeroU32, sync::LazyLock, time::Duration};

/// The method.
const PURGE: &str = "PURGE";

/// Purges of this node a second, whoever asks, and how many may come at once: each is a record in a file, and patterns cost
/// every lookup something.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(50).expect("it is not zero");
const AT_ONCE: NonZeroU32 = NonZeroU32::new(500).expect("it is not zero");

/// Wrong secrets from one address: so many in a minute, and so many at once.
const GUESSES: (u32, u32) = (10, 10);

static PURGES: LazyLock<DefaultDirectRateLimiter> =
    LazyLock::new(|| RateLimiter::direct(Quota::per_second(PER_SECOND).allow_burst(AT_ONCE)));

/// Counts a purge.
///
/// # Errors
/// It is one too many; the next is let through after the time returned.
pub(crate) fn admit() -> Result<(), Duration> {
    PURGES.check().map_err(|until| until.wait_time_from(DefaultClock::default().now()))
}

/// For `Retry-After`.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + 1
}

/// What a URL covers: under each query that some behavior would key it by, since what was cached must be what is purged. Without
/// `scheme` or `host`: any. `path` is canonical.
pub(crate) fn of_url(
    site: &Site,
    scheme: Option<&str>,
    host: Option<&str>,
    path: String,
    query: Option<&str>,
) -> Vec<Scope> {
    let root = site.default_root_object.as_deref().filter(|_| path == "/").map(|object| format!("/{object}"));
    let mut scopes = Vec::new();
    for path in [Some(path), root].into_iter().flatten() {
        let mut queries = vec![query.unwrap_or_default().to_owned()];
        for behavior in site.behaviors.iter().filter(|behavior| behavior.path.matches(&path)) {
            let headers = HeaderMap::new();
            let input = KeyInput {
                namespace: "",
                scheme: scheme.unwrap_or("http"),
                host: host.unwrap_or("any"),
                path: &path,
                query,
                headers: &headers,
                buckets: &[],
            };
            let keyed = KeyedRequest::new(&behavior.policy, &input);
            let others = site.cache.simplified_queries(&path, keyed.query.as_deref());
            for query in others.into_iter().chain([keyed.key.url_parts().query.to_owned()]) {
                if !queries.contains(&query) {
                    queries.push(query);
                }
            }
        }
        scopes.extend(queries.into_iter().map(|query| Scope::Url {
            scheme: scheme.map(str::to_owned),
            host: host.map(str::to_owned),
            target: if query.is_empty() { path.clone() } else { format!("{path}?{query}") },
        }));
    }
    scopes
}

/// Who may purge on the public listeners: whoever sends the secret as `Authorization: Bearer SECRET`.
pub struct PublicPurge {
    secret: Box<[u8]>,
    guesses: Option<RateLimit>,
}

impl fmt::Debug for PublicPurge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicPurge").finish_non_exhaustive()
    }
}

impl PublicPurge {
    /// For this secret.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        let (count, burst) = GUESSES;
        let guesses = RateLimit::new(Per::Address, count, Duration::from_mins(1), burst);
        Self { secret: secret.as_bytes().into(), guesses }
    }

    /// Whether a request is a purge, to be answered here and not by an origin.
    #[must_use]
    pub fn concerns(&self, request: &Received) -> bool {
        request.method.as_str() == PURGE
    }

    /// Purges the URL of the request, on both schemes and in all variants; a path with `*` is a pattern, and a query with `*` too.
    ///
    /// # Errors
    /// The host is not served here.
    pub async fn answer(&self, site: &Site, request: &Received) -> Result<Response<Body>, Fault> {
        site.behavior(request)?;
        if let Some(refusal) = self.refusal(request) {
            return Ok(refusal);
        }
        if let Err(wait) = admit() {
            return Ok(too_many(wait));
        }
        let (cache, now, _busy) = (site.cache.clone(), site.world.now(), site.world.busy());
        let order = PurgeOrder { scopes: scopes(site, request), kind: PurgeKind::Hard, sync: false, count: false };
        // It waits for a file.
        let purged = tokio::task::spawn_blocking(move || cache.purge(&order, now)).await;
        let Ok(purged) = purged else { return Ok(plain(StatusCode::INTERNAL_SERVER_ERROR, "the purge failed\n")) };
        let (sequence, recorded) = (purged.number, purged.recorded.as_str());
        tracing::info!(sequence, viewer = %request.viewer, host = request.host.authority(), path = request.path, "purge");
        let text = format!("{{\"schema\":1,\"sequence\":{sequence},\"recorded\":\"{recorded}\"}}\n");
        let mut response = Response::new(body::full(text));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    /// For who does not send the secret; wrong ones are logged only so often.
    fn refusal(&self, request: &Received) -> Option<Response<Body>> {
        let sent = request.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let sent = sent.and_then(|value| value.strip_prefix(b"Bearer ")).unwrap_or_default();
        if aws_lc_rs::constant_time::verify_slices_are_equal(sent, &self.secret).is_ok() {
            return None;
        }
        if let Some(Err(wait)) =
            self.guesses.as_ref().map(|guesses| guesses.check(request.viewer, &request.headers, None))
        {
            return Some(too_many(wait));
        }
        tracing::warn!(viewer = %request.viewer, host = request.host.authority(), "PURGE without the secret");
        let mut refused =
            plain(StatusCode::UNAUTHORIZED, "send the purge secret as \"Authorization: Bearer SECRET\"\n");
        refused.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        Some(refused)
    }
}

fn scopes(site: &Site, request: &Received) -> Vec<Scope> {
    let host = request.host.authority();
    if request.path.contains('*') || request.query.as_ref().is_some_and(|query| query.contains('*')) {
        let (path, query) = (request.path.clone(), request.query.clone());
        return vec![Scope::Pattern { scheme: None, host: Some(host), path, query }];
    }
    of_url(site, None, Some(&host), request.path.clone(), request.query.as_deref())
}

fn too_many(wait: Duration) -> Response<Body> {
    let mut response = plain(StatusCode::TOO_MANY_REQUESTS, "too many purges at a time\n");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(body::full(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
