//! Names to addresses, with the last good answer for the times when there is none (security.md X06).
//!
//! The system's resolver runs on tokio's blocking threads, so a dead name server never blocks a reactor. An answer
//! serves for a second, so that a burst of connections asks once. Deliberately absent: records' lifetimes, which the
//! system's resolver does not tell, and any judgement of the addresses (`address.rs`).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::OriginError;

/// How long an answer is used without asking again.
const FRESH: Duration = Duration::from_secs(1);

/// How long an answer helps out while asking fails.
const STALE: Duration = Duration::from_secs(600);

/// Addresses looked at per answer; a name with a thousand of them is not tried for ever.
const MAX_ADDRESSES: usize = 8;

/// Resolves one host and port.
#[derive(Debug)]
pub(crate) struct Resolver {
    host: String,
    port: u16,
    literal: Option<IpAddr>,
    last: Mutex<Option<(Instant, Vec<SocketAddr>)>>,
    #[cfg(test)]
    script: Mutex<std::collections::VecDeque<io::Result<Vec<SocketAddr>>>>,
}

impl Resolver {
    /// `host` is a name or an address without brackets.
    pub(crate) fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.to_owned(),
            port,
            literal: host.parse().ok(),
            last: Mutex::new(None),
            #[cfg(test)]
            script: Mutex::default(),
        }
    }

    /// Another one of the same host and port.
    pub(crate) fn again(&self) -> Self {
        Self::new(&self.host, self.port)
    }

    /// The name that is resolved.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// At least one address, at most eight, in the resolver's order.
    ///
    /// # Errors
    /// [`OriginError::Connect`] when there is no answer, not even an old one.
    pub(crate) async fn addresses(&self) -> Result<Vec<SocketAddr>, OriginError> {
        if let Some(address) = self.literal {
            return Ok(vec![SocketAddr::new(address, self.port)]);
        }
        if let Some(fresh) = self.remembered(FRESH) {
            return Ok(fresh);
        }
        let reason = match self.lookup().await {
            Ok(found) if !found.is_empty() => {
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), found.clone()));
                return Ok(found);
            }
            Ok(_) => "the name has no addresses".to_owned(),
            Err(error) => error.to_string(),
        };
        self.remembered(STALE).ok_or(OriginError::Connect(reason))
    }

    fn remembered(&self, longest: Duration) -> Option<Vec<SocketAddr>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| at.elapsed() < longest).map(|(_, addresses)| addresses.clone())
    }

    async fn lookup(&self) -> io::Result<Vec<SocketAddr>> {
        #[cfg(test)]
        if let Some(scripted) = self.script.lock().unwrap().pop_front() {
            return scripted;
        }
        Ok(tokio::net::lookup_host((self.host.as_str(), self.port)).await?.take(MAX_ADDRESSES).collect())
    }

    /// Answers to give, in order, before asking the system.
    #[cfg(test)]
    pub(crate) fn script(&self, answers: impl IntoIterator<Item = io::Result<Vec<SocketAddr>>>) {
        self.script.lock().unwrap().extend(answers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_good_answer_bridges_a_failure() {
        let resolver = Resolver::new("a.test", 80);
        resolver.script([
            Ok(vec![address("192.0.2.1:80")]),
            Err(io::Error::other("SERVFAIL")),
            Ok(Vec::new()),
            Ok(vec![address("192.0.2.2:80")]),
            Err(io::Error::other("SERVFAIL")),
        ]);
        let first = resolver.addresses().await.unwrap();
        assert_eq!(resolver.addresses().await.unwrap(), first, "asked again within a second");
        for _ in ["SERVFAIL", "empty"] {
            tokio::time::advance(FRESH).await;
            assert_eq!(resolver.addresses().await.unwrap(), first);
        }
        assert_eq!(resolver.addresses().await.unwrap(), [address("192.0.2.2:80")], "a new answer replaces the old");
        tokio::time::advance(STALE).await;
        assert_eq!(resolver.addresses().await.unwrap_err(), OriginError::Connect("SERVFAIL".to_owned()));
    }

    #[tokio::test]
    async fn addresses_need_no_lookup() {
        assert_eq!(Resolver::new("::1", 81).addresses().await.unwrap(), [address("[::1]:81")]);
    }
}
