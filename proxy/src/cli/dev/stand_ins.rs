//! What `dev` puts in the place of the world outside: other origins, slower ones, a country for all viewers; and the echo server
//! where an origin's name leads nowhere (experience.md 4.2).
//!
//! What the command line says wins over `[dev] origin`, and both over the look at names. Deliberately absent: the echo server itself.

use super::super::DevArguments;
use crate::{app::Wishes, workbench::cases};
use edgehook_config::{Config, OriginTarget};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{net::lookup_host, task::JoinSet, time::timeout};

/// How long names have to be resolved; `dev` does not start before.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) struct StandIns {
    origins: HashMap<String, OriginTarget>,
    wishes: Wishes,
    /// Whether a host's name resolved when it was first seen.
    resolved: Mutex<HashMap<String, bool>>,
    /// Origins whose host did not, and that host.
    lost: Mutex<HashMap<String, String>>,
}

impl StandIns {
    /// What the command line asks for; the error is for the user.
    pub(super) fn read(arguments: &DevArguments, config: &Config) -> Result<Self, String> {
        let origins = named(&arguments.origins, "--origin NAME=DIR|echo|URL", config)?.into_iter();
        let latency = named(&arguments.latencies, "--latency NAME=TIME", config)?.into_iter();
        let slower = |(name, text): (String, String)| match cases::duration(&text) {
            Some(time) => Ok((name, time)),
            None => Err(format!("{text:?} is no time; write --latency {name}=200ms")),
        };
        Ok(Self {
            origins: origins
                .map(|(name, text)| OriginTarget::replacement(&text).map(|target| (name, target)))
                .collect::<Result<_, _>>()?,
            wishes: Wishes {
                country: arguments.geo.as_deref().map(country).transpose()?,
                latency: latency.map(slower).collect::<Result<_, _>>()?,
            },
            resolved: Mutex::default(),
            lost: Mutex::default(),
        })
    }

    pub(super) fn wishes(&self) -> Wishes {
        self.wishes.clone()
    }

    /// Where all viewers are taken to be.
    pub(super) fn country(&self) -> Option<&str> {
        self.wishes.country.as_deref()
    }

    /// How much longer an origin is to take, as it is told; nothing where it is left alone.
    pub(super) fn latency(&self, origin: &str) -> String {
        let time = self.wishes.latency.get(origin);
        time.map(|time| format!("  +{} ms (--latency)", time.as_millis())).unwrap_or_default()
    }

    /// Makes the replacements those of a configuration.
    pub(super) async fn put_into(&self, config: &mut Config) {
        for (name, target) in &self.origins {
            config.dev.origins.insert(name.clone(), target.clone());
        }
        let hosts: Vec<(String, String, u16)> = config
            .origins
            .values()
            .filter_map(|origin| {
                let target = config.dev.origins.get(&origin.name).unwrap_or(&origin.target);
                let OriginTarget::Url(url) = target else { return None };
                let (host, port) = (&url.address.host, url.address.port);
                host.parse::<IpAddr>().is_err().then(|| (origin.name.clone(), host.clone(), port))
            })
            .collect();
        self.look_up(&hosts).await;
        let resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.clear();
        for (name, host, _) in hosts {
            if resolved.get(&host) == Some(&false) {
                config.dev.origins.insert(name.clone(), OriginTarget::Echo);
                lost.insert(name, host);
            }
        }
    }

    /// Why an origin is the echo server, if nobody asked for it: ` (HOST did not resolve)`.
    pub(super) fn why(&self, origin: &str) -> String {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.get(origin).map(|host| format!(" ({host} did not resolve)")).unwrap_or_default()
    }

    /// Looks up the hosts that have not been seen before, all at once. One that takes too long does not resolve.
    async fn look_up(&self, hosts: &[(String, String, u16)]) {
        let known = self.resolved.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut lookups = JoinSet::new();
        for (_, host, port) in hosts.iter().filter(|(_, host, _)| !known.contains_key(host)) {
            let (host, port) = (host.clone(), *port);
            lookups.spawn(async move {
                let found = timeout(PATIENCE, lookup_host((host.as_str(), port))).await;
                let resolved = found.is_ok_and(|found| found.is_ok_and(|mut addresses| addresses.next().is_some()));
                (host, resolved)
            });
        }
        let found = lookups.join_all().await;
        self.resolved.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
    }
}

/// `NAME=VALUE` for origins that there are.
fn named(written: &[String], form: &str, config: &Config) -> Result<Vec<(String, String)>, String> {
    let split = |text: &String| {
        let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?}: write {form}"))?;
        if config.origins.contains_key(name) {
            return Ok((name.to_owned(), value.to_owned()));
        }
        let known: Vec<&str> = config.origins.keys().map(String::as_str).collect();
        Err(format!("there is no origin {name:?}; origins: {}", known.join(", ")))
    };
    written.iter().map(split).collect()
}

fn country(text: &str) -> Result<String, String> {
    if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        Ok(text.to_ascii_uppercase())
    } else {
        Err(format!("{text:?} is no country; write its ISO code, such as --geo FR"))
    }
}
