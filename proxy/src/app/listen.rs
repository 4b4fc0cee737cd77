//! The public listeners of a configuration: bound before anything is served, drained together.

use crate::{
    edge::{Edge, EdgeHandler},
    listener::{ConnectionSlots, Drain, Identity, Limits, Listener, Scheme, TlsIdentities, TlsLoadError, dev_identity},
};
use edgehook_config::{self as config, Config, Mode};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Descriptors that are kept for origins, functions, logs and the admin API.
const RESERVED_DESCRIPTORS: u64 = 256;

/// How many ports above the wanted one `dev` tries.
const PORTS_TRIED: u16 = 50;

/// Why the edge cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// An address cannot be bound.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// The address as configured.
        address: String,
        /// What the system says.
        error: io::Error,
    },
    /// A certificate cannot be used.
    #[error("{0}")]
    Tls(#[from] TlsLoadError),
}

/// One listener that is bound.
#[derive(Debug)]
pub struct Bound {
    /// Cleartext or TLS.
    pub scheme: Scheme,
    /// The address.
    pub address: SocketAddr,
    listener: Listener,
}

/// The listeners of a configuration, bound but not yet serving.
#[derive(Debug)]
pub struct Servers {
    /// Each of them.
    pub bound: Vec<Bound>,
    /// The authority of a `dev` certificate.
    pub ca_file: Option<PathBuf>,
    identities: Option<Arc<TlsIdentities>>,
    limits: Limits,
    slots: Arc<ConnectionSlots>,
    grace: Duration,
}

impl Servers {
    /// Binds what `[server] listen` names. In `dev`: loopback only, with the next free port where one is taken, and https
    /// with a certificate of its own.
    ///
    /// # Errors
    /// An address cannot be bound, or a certificate cannot be used.
    pub async fn bind(config: &Config, mode: Mode, port: Option<u16>) -> Result<Self, ListenError> {
        let (identities, ca_file) = identities(config, mode)?;
        let mut bound = Vec::new();
        for wanted in wanted(config, mode, port) {
            let tls = match wanted.scheme {
                config::Scheme::Http => None,
                config::Scheme::Https => identities.clone(),
            };
            let addresses = resolve(&wanted.address).await?;
            for address in addresses {
                let listener = bind_one(address, tls.clone(), mode == Mode::Dev)?;
                let scheme = if tls.is_some() { Scheme::Https } else { Scheme::Http };
                bound.push(Bound { scheme, address: listener.local_addr(), listener });
            }
        }
        let connections = config.limits.connections.map_or_else(available_connections, |count| count as usize);
        Ok(Self {
            bound,
            ca_file,
            identities,
            limits: limits(&config.limits),
            slots: ConnectionSlots::new(connections, config.limits.connections_per_address as usize),
            grace: config.server.drain_timeout,
        })
    }

    /// The certificates in use, for a reload to replace.
    #[must_use]
    pub fn identities(&self) -> Option<Arc<TlsIdentities>> {
        self.identities.clone()
    }

    /// Serves until `begin_drain`, then until what is under way has ended or the grace is over.
    pub async fn serve(self, edge: Arc<Edge>, begin_drain: CancellationToken) {
        let mut serving = JoinSet::new();
        for bound in self.bound {
            let drain = Drain { begin: begin_drain.clone(), grace: self.grace };
            let handler = Arc::new(EdgeHandler(edge.clone()));
            serving.spawn(bound.listener.serve(handler, self.limits.clone(), self.slots.clone(), drain));
        }
        while let Some(ended) = serving.join_next().await {
            match ended {
                Ok(0) => {}
                Ok(cut) => tracing::warn!(connections = cut, "connections were cut at the end of drain_timeout"),
                Err(error) => tracing::error!(%error, "a listener ended"),
            }
        }
    }
}

/// Loads the certificates that a configuration names.
///
/// # Errors
/// One of them cannot be used.
pub(crate) fn load_identities(config: &Config) -> Result<Vec<Identity>, TlsLoadError> {
    let now = SystemTime::now();
    config.server.tls.iter().map(|certificate| Identity::load(&certificate.cert, &certificate.key, now)).collect()
}

type Identities = (Option<Arc<TlsIdentities>>, Option<PathBuf>);

fn identities(config: &Config, mode: Mode) -> Result<Identities, TlsLoadError> {
    let only_newest = config.server.tls_min_version == config::TlsVersion::V1_3;
    if mode == Mode::Dev {
        let dev = dev_identity(&config.server.state_dir, &config.server.hosts, SystemTime::now())?;
        return Ok((Some(TlsIdentities::new(vec![dev.identity], only_newest)?), Some(dev.ca_file)));
    }
    if config.server.tls.is_empty() {
        return Ok((None, None));
    }
    Ok((Some(TlsIdentities::new(load_identities(config)?, only_newest)?), None))
}

/// What is to be bound. `dev` serves its author alone: loopback, and no port that needs privileges.
fn wanted(config: &Config, mode: Mode, port: Option<u16>) -> Vec<config::Listen> {
    if mode != Mode::Dev {
        return config.server.listen.clone();
    }
    let configured =
        |scheme| config.server.listen.iter().find(|listen| listen.scheme == scheme).map(|listen| listen.address.port);
    let free = |port: Option<u16>, default| port.filter(|&port| port == 0 || port >= 1024).unwrap_or(default);
    let http = port.unwrap_or_else(|| free(configured(config::Scheme::Http), 8080));
    let https = free(configured(config::Scheme::Https), if http == 0 { 0 } else { 8443 });
    [(config::Scheme::Http, http), (config::Scheme::Https, https)]
        .map(|(scheme, port)| config::Listen {
            scheme,
            address: config::Address { host: "127.0.0.1".to_owned(), port },
        })
        .to_vec()
}

pub(super) async fn resolve(address: &config::Address) -> Result<Vec<SocketAddr>, ListenError> {
    if let Some(ip) = address.ip() {
        return Ok(vec![SocketAddr::new(ip, address.port)]);
    }
    let found = tokio::net::lookup_host((address.host.as_str(), address.port)).await;
    let found = found.map_err(|error| ListenError::Bind { address: address.to_string(), error })?;
    Ok(found.collect())
}

pub(super) fn bind_one(
    address: SocketAddr,
    tls: Option<Arc<TlsIdentities>>,
    next_free: bool,
) -> Result<Listener, ListenError> {
    let mut tried = address;
    loop {
        match Listener::bind(tried, tls.clone()) {
            Ok(listener) => return Ok(listener),
            Err(error)
                if next_free
                    && error.kind() == io::ErrorKind::AddrInUse
                    && tried.port() < address.port() + PORTS_TRIED =>
            {
                tried.set_port(tried.port() + 1);
            }
            Err(error) => return Err(ListenError::Bind { address: address.to_string(), error }),
        }
    }
}

/// As many connections as the descriptor limit allows, once it is as high as it may be.
fn available_connections() -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 512 };
    let limit = if setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft };
    usize::try_from(limit.saturating_sub(RESERVED_DESCRIPTORS).max(64)).unwrap_or(usize::MAX)
}

pub(super) fn limits(limits: &config::Limits) -> Limits {
    Limits {
        handshake_timeout: limits.handshake_timeout,
        header_timeout: limits.header_timeout,
        idle_timeout: limits.idle_timeout,
        write_timeout: limits.write_timeout,
        body_min_rate: limits.body_min_rate,
        head_bytes: usize::try_from(limits.head_bytes).unwrap_or(usize::MAX),
        head_fields: limits.head_fields as usize,
    }
}
