//! How many requests a viewer may make: a generic cell rate algorithm per key (governor).
//!
//! Memory is bounded: keys are seeded hashes, those with a full allowance are forgotten, and beyond [`KEYS`] at a time further ones
//! share buckets. Absent on purpose: counts across nodes or reloads.

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::DashMapStateStore,
};
use http::{HeaderMap, HeaderName};
use std::{
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// Most keys that are told apart at a time.
const KEYS: usize = 1 << 18;
/// How many checks go by between two looks for keys to forget.
const ROUND: u32 = 1 << 14;

/// What tells viewers apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Per {
    /// The address; IPv6 by its /64 network, which one viewer usually has to itself.
    Address,
    /// A header; where it is missing, the address.
    Header(HeaderName),
    /// A claim of the verified token; where it is missing, the address.
    Claim(String),
}

/// A limit and the state of all viewers.
pub struct RateLimit<C: Clock = DefaultClock> {
    /// What tells viewers apart.
    pub per: Per,
    limiter: RateLimiter<u64, DashMapStateStore<u64>, C, NoOpMiddleware<C::Instant>>,
    clock: C,
    seed: RandomState,
    checks: AtomicU32,
}

impl RateLimit<DefaultClock> {
    /// `count` requests in `period`, `burst` of them at once. `None` for zeros.
    #[must_use]
    pub fn new(per: Per, count: u32, period: Duration, burst: u32) -> Option<Self> {
        Self::with_clock(per, count, period, burst, DefaultClock::default())
    }
}

impl<C: Clock> std::fmt::Debug for RateLimit<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimit").field("per", &self.per).finish_non_exhaustive()
    }
}

impl<C: Clock + Clone> RateLimit<C> {
    fn with_clock(per: Per, count: u32, period: Duration, burst: u32, clock: C) -> Option<Self> {
        let interval = period.checked_div(count).filter(|interval| !interval.is_zero())?;
        let quota = Quota::with_period(interval)?.allow_burst(NonZeroU32::new(burst)?);
        let limiter = RateLimiter::new(quota, DashMapStateStore::default(), clock.clone());
        Some(Self { per, limiter, clock, seed: RandomState::new(), checks: AtomicU32::new(0) })
    }

    /// Counts a request of this viewer.
    ///
    /// # Errors
    /// It is one too many; the next is let through after the time returned.
    pub fn check(&self, viewer: IpAddr, headers: &HeaderMap, claim: Option<&str>) -> Result<(), Duration> {
        let header = match &self.per {
            Per::Header(name) => headers.get(name),
            Per::Address | Per::Claim(_) => None,
        };
        match (&self.per, header, claim) {
            (Per::Header(_), Some(value), _) => self.count(self.seed.hash_one((1_u8, value.as_bytes()))),
            (Per::Claim(_), _, Some(value)) => self.count(self.seed.hash_one((2_u8, value))),
            _ => self.count(self.seed.hash_one((0_u8, network(viewer)))),
        }
    }

    fn count(&self, hash: u64) -> Result<(), Duration> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % ROUND == ROUND - 1 {
            self.limiter.retain_recent();
        }
        let key = if self.limiter.len() < KEYS { hash } else { hash % KEYS as u64 };
        self.limiter.check_key(&key).map_err(|denied| denied.wait_time_from(self.clock.now()))
    }
}

fn network(viewer: IpAddr) -> u128 {
    match viewer {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;
    use http::HeaderValue;

    fn limit(per: Per, count: u32, burst: u32) -> (RateLimit<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (RateLimit::with_clock(per, count, Duration::from_secs(1), burst, clock.clone()).unwrap(), clock)
    }

    #[test]
    fn a_burst_and_one_more_and_the_time_to_wait() {
        let (limit, clock) = limit(Per::Address, 10, 3);
        let (viewer, none) = ("192.0.2.1".parse().unwrap(), HeaderMap::new());
        let check = || limit.check(viewer, &none, None);
        for _ in 0..3 {
            assert_eq!(check(), Ok(()));
        }
        assert_eq!(check(), Err(Duration::from_millis(100)));
        clock.advance(Duration::from_millis(99));
        assert_eq!(check(), Err(Duration::from_millis(1)));
        clock.advance(Duration::from_millis(1));
        assert_eq!(check(), Ok(()));
        assert!(check().is_err());
        assert_eq!(limit.check("192.0.2.2".parse().unwrap(), &none, None), Ok(()), "another viewer");
    }

    #[test]
    fn what_tells_viewers_apart() {
        let name = HeaderName::from_static("x-api-key");
        let header = |value: &'static str| HeaderMap::from_iter([(name.clone(), HeaderValue::from_static(value))]);
        let (a, b) = ("2001:db8::1".parse().unwrap(), "2001:db8::ffff:2".parse().unwrap());
        let (by_address, _) = limit(Per::Address, 1, 1);
        assert!(by_address.check(a, &header("1"), None).is_ok());
        assert!(by_address.check(b, &header("2"), None).is_err(), "the same /64");
        assert!(by_address.check("2001:db8:0:1::1".parse().unwrap(), &header("1"), None).is_ok());
        let (by_header, _) = limit(Per::Header(name.clone()), 1, 1);
        assert!(by_header.check(a, &header("1"), None).is_ok());
        assert!(by_header.check(a, &header("2"), None).is_ok());
        assert!(by_header.check(b, &header("1"), None).is_err());
        assert!(by_header.check(a, &HeaderMap::new(), None).is_ok());
        assert!(by_header.check(b, &HeaderMap::new(), None).is_err(), "without the header by address");
        let (by_claim, _) = limit(Per::Claim("sub".to_owned()), 1, 1);
        assert!(by_claim.check(a, &HeaderMap::new(), Some("x")).is_ok());
        assert!(by_claim.check(a, &HeaderMap::new(), Some("y")).is_ok());
        assert!(by_claim.check(b, &HeaderMap::new(), Some("x")).is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let (limit, clock) = limit(Per::Address, 1, 1);
        for key in 0..KEYS as u64 + 50_000 {
            let _ = limit.count(key << 32 | 1 << 60);
        }
        assert!(limit.limiter.len() <= 2 * KEYS, "{}", limit.limiter.len());
        clock.advance(Duration::from_secs(5));
        for key in 0..u64::from(ROUND) {
            let _ = limit.count(key);
        }
        assert!(limit.limiter.len() <= ROUND as usize, "{}", limit.limiter.len());
    }
}
