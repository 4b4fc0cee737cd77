//! The composition root: from a checked configuration to a running edge.
//!
//! [`Runtime`] is what outlives a reload (cache, isolate hosts, environments, counters); [`Runtime::site`] turns a configuration into
//! a [`Site`]; [`Servers`] holds the listeners. Configuration types are named here and in the command line, nowhere else.

mod access_log;
mod admin;
mod auth;
mod caching;
mod experiments;
mod exposure;
mod functions;
mod listen;
mod packages;
mod rehearsal;
mod roles;
mod site;
mod token;

pub(crate) use access_log::settings as access_log;
pub(crate) use auth::signers;
pub use functions::{FunctionProblem, OnBroken};
pub(crate) use listen::load_identities;
pub use listen::{Bound, ListenError, Servers};
pub(crate) use rehearsal::Rehearsal;
pub(crate) use roles::find_node;
pub use roles::{ENVIRONMENT_ROLE, Engines, HOST_ROLE, PROVIDED_ROLE, Roles};
pub use site::SiteError;
pub(crate) use site::Wishes;
pub(crate) use token::{path as token_path, read as read_token};

use crate::{
    admin::Reloads,
    auth::Authorizer,
    cache::{Cache, DiskSettings, Now},
    edge::Edge,
    site::Site,
    stores::{Place, Seed, Seeds, Stores, Wanted},
};
use auth::KeySets;
use edgehook_config::{Config, Mode};
use edgehook_lambda::Concurrency;
use edgehook_viewer::supervisor::{HostSettings, Hosts};
use functions::Functions;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

/// What outlives a reload.
#[derive(Debug)]
pub struct Runtime {
    cache: Cache,
    functions: Functions,
    kept: site::Kept,
    stores: Arc<Stores>,
    loads: AtomicU64,
    mode: Mode,
    enforce_https: bool,
    https_port: Option<u16>,
    wishes: Wishes,
}

/// A configuration that is ready to serve, and what is broken in it.
#[derive(Debug)]
pub struct Prepared {
    /// What serves.
    pub site: Arc<Site>,
    /// Functions that could not be loaded; each of their runs fails.
    pub broken: Vec<FunctionProblem>,
    /// Functions that were loaded for it, and not taken over from the configuration before.
    pub fresh: Vec<String>,
    /// What is to be loaded into key value stores before it serves.
    pub seeds: Seeds,
}

fn wanted(config: &Config) -> Vec<Wanted> {
    let stores = config.kvs.values().map(|store| Wanted {
        name: store.name.clone(),
        id: store.id.clone(),
        seed: store.seed.as_ref().map(|seed| Seed {
            file: seed.file.clone(),
            entries: seed.entries.clone(),
            fingerprint: seed.fingerprint,
        }),
    });
    stores.collect()
}

/// How long the disk tier has to commit its last answers.
const SETTLE: Duration = Duration::from_secs(5);

impl Runtime {
    /// Lets the disk tier commit what it has, for as long as a working disk may take: the end of the process is near.
    pub async fn settle(&self) {
        let cache = self.cache.clone();
        let flush = tokio::task::spawn_blocking(move || cache.flush_disk());
        if tokio::time::timeout(SETTLE, flush).await.is_err() {
            tracing::warn!("the disk tier did not commit its last answers in time; they are lost");
        }
    }

    /// Starts the isolate hosts and makes an empty cache. `https_port` is the port that redirects lead to. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(config: &Config, roles: &Roles, mode: Mode, enforce_https: bool, https_port: Option<u16>) -> Self {
        let mut settings = HostSettings::new(roles.edgehook.clone(), vec![HOST_ROLE.into()]);
        if let Some(hosts) = config.server.isolate_hosts {
            settings.hosts = hosts as usize;
        }
        let hosts = Hosts::spawn(settings);
        let place = match mode {
            Mode::Check => Place::Memory,
            Mode::Serve | Mode::Dev => Place::Folder(config.server.state_dir.clone()),
        };
        let stores = Arc::new(Stores::new(hosts.clone(), place));
        let concurrency = Concurrency::new(config.server.environments as usize);
        let cache = Cache::new(site::cache_limits(config));
        // A check leaves nothing behind, and gets along with a node that runs.
        if mode != Mode::Check {
            keep_on_disk(&cache, config);
            tokio::spawn(sweep(cache.clone()));
        }
        Self {
            cache,
            functions: Functions::new(hosts, concurrency, roles),
            kept: site::Kept::default(),
            stores,
            loads: AtomicU64::new(0),
            mode,
            enforce_https,
            https_port: https_port.filter(|&port| port != 443),
            wishes: Wishes::default(),
        }
    }

    /// For sites that come from now on.
    #[must_use]
    pub(crate) fn wishing(self, wishes: Wishes) -> Self {
        Self { wishes, ..self }
    }

    /// For functions that are loaded from now on: the time is this one while they load, and then what their invocations say.
    #[must_use]
    pub(crate) fn at(mut self, clock: SystemTime) -> Self {
        self.functions.set_clock(clock);
        self
    }

    /// Loads the functions of a configuration and makes a site of it. Functions that did not change keep their processes.
    ///
    /// # Errors
    /// Something in the configuration cannot be used; with [`OnBroken::Refuse`] also any function that cannot be loaded.
    pub async fn site(&self, config: &Config, on_broken: OnBroken) -> Result<Prepared, SiteError> {
        let seeds = self.stores.prepare(wanted(config)).await?;
        let loaded = self.functions.load(config, on_broken, &seeds.links()).await.map_err(SiteError::Functions)?;
        let number = self.loads.load(Ordering::Relaxed) + 1;
        let options = site::Options {
            number,
            dev: self.mode == Mode::Dev,
            enforce_https: self.enforce_https,
            https_port: self.https_port,
            fetch_keys: self.mode != Mode::Check,
            wishes: self.wishes.clone(),
            rehearsal: None,
        };
        let site = site::build(config, &loaded.functions, self.cache.clone(), &self.kept, options)?;
        if self.mode != Mode::Check {
            exposure::tell(&site);
        }
        self.loads.store(number, Ordering::Relaxed);
        Ok(Prepared { site: Arc::new(site), broken: loaded.broken, fresh: loaded.fresh, seeds })
    }

    /// Starts an environment of each Lambda function of a configuration, by name; and tells its sandbox layers, with why they
    /// are missing, or why it does not start.
    pub(crate) async fn layers(&self, config: &Config) -> Vec<(String, Result<Vec<(String, String)>, String>)> {
        self.functions.layers(config).await
    }

    /// Passes every request by the cache from now on, or no longer; what is stored stays.
    pub(crate) fn pause_cache(&self, paused: bool) {
        self.cache.pause(paused);
    }

    /// Forgets all stored answers.
    pub fn clear_cache(&self) {
        self.cache.clear();
    }
}

/// One authorizer of a configuration by itself; its key set, where it is behind a URL, begins to be fetched.
///
/// # Errors
/// Its keys cannot be used.
pub(crate) fn authorizer(from: &edgehook_config::Authorizer, config: &Config) -> Result<Authorizer, SiteError> {
    auth::authorizer(from, config, &KeySets::default(), true)
}

/// Records purges in the state directory and adds the disk tier, where that can be done. Without a journal purges hold as long
/// as this process runs, and so does what they cover.
fn keep_on_disk(cache: &Cache, config: &Config) {
    let journal = config.server.state_dir.join("purge.log");
    if let Err(error) = cache.attach_journal(&journal) {
        tracing::warn!("purges are not recorded in {}: {error}", journal.display());
    }
    let Some(disk) = &config.cache.disk else { return };
    if let Err(error) = cache.attach_disk(DiskSettings { path: disk.path.clone(), size: disk.size }) {
        tracing::error!("no disk cache in {}: {error}", disk.path.display());
    }
}

/// How often purged answers are removed from memory; lookups know without.
const SWEEP: Duration = Duration::from_secs(60);

async fn sweep(cache: Cache) {
    let mut due = tokio::time::interval(SWEEP);
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = due.tick() => {}
            () = cache.sweep_is_urgent() => {}
        }
        let cache = cache.clone();
        // A sweep that panicked is no reason to stop sweeping.
        let _ = tokio::task::spawn_blocking(move || cache.sweep(Now::read())).await;
    }
}

/// Serves the admin API until the process ends; with `next_free` on the next port that is free. `reloads` is where it asks for a
/// reload. Returns where it can be reached.
///
/// # Errors
/// The address cannot be bound.
pub(crate) async fn serve_admin(
    config: &Config,
    runtime: &Runtime,
    edge: Arc<Edge>,
    next_free: bool,
    reloads: Option<Reloads>,
) -> Result<String, ListenError> {
    admin::serve(config, runtime, edge, next_free, reloads).await
}
