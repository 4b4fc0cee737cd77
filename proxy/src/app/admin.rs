//! Where the admin API listens and which token it asks for: from the configuration to a served address.
//!
//! Over TCP it has the listener of viewers, with the waits and sizes of `[limits]` and fewer connections. Over a Unix socket, which only
//! its owner may open, it has none of them.

use super::{ListenError, Runtime, listen, token};
use crate::{
    admin::{Door, Gate, Reloads, router},
    edge::Edge,
    listener::{ConnectionSlots, Drain, Listener},
};
use edgehook_config::{Address, AdminListen, Config, Mode};
use std::{io, net::Ipv6Addr, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

/// Binds the admin address and serves it on a task of its own; returns where it can be reached.
pub(super) async fn serve(
    config: &Config,
    runtime: &Runtime,
    edge: Arc<Edge>,
    next_free: bool,
    reloads: Option<Reloads>,
) -> Result<String, ListenError> {
    let failed = |address: String| move |error| ListenError::Bind { address, error };
    match &config.admin.listen {
        AdminListen::Tcp(address) => {
            let listener = bind(address, next_free).await?;
            let local = listener.local_addr();
            let gate = over_tcp(config, address, runtime.mode);
            let door = Door(router(edge, runtime.stores.clone(), reloads, gate));
            // It serves for as long as the process lives.
            let drain = Drain { begin: CancellationToken::new(), grace: Duration::ZERO };
            let slots = ConnectionSlots::new(MOST_CONNECTIONS, MOST_CONNECTIONS);
            tokio::spawn(listener.serve(Arc::new(door), listen::limits(&config.limits), slots, drain));
            Ok(format!("http://{local}"))
        }
        AdminListen::Unix(path) => {
            let listener = bind_socket(path).await.map_err(failed(path.display().to_string()))?;
            let token = config.admin.token.as_ref().map(|token| token.expose().to_owned());
            let gate = Gate { hosts: Vec::new(), token, guarded: false, problem: None };
            let router = router(edge, runtime.stores.clone(), reloads, gate);
            tokio::spawn(async move { axum::serve(listener, router).await });
            Ok(format!("unix:{}", path.display()))
        }
    }
}

fn over_tcp(config: &Config, address: &Address, mode: Mode) -> Gate {
    let open = config.admin.insecure || (mode == Mode::Dev && address.is_loopback());
    let (token, problem) = if open { (None, None) } else { token_or_why(config) };
    let guarded = !open && !address.is_loopback();
    let own = match address.host.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => address.host.clone(),
    };
    // Who must send a token cannot be made to by another site's page, so any name will do.
    let any = guarded && token.is_some();
    let hosts = ["localhost", "127.0.0.1", "[::1]", &own].map(str::to_owned).to_vec();
    Gate { hosts: if any { Vec::new() } else { hosts }, token, guarded, problem }
}

fn token_or_why(config: &Config) -> (Option<String>, Option<String>) {
    match token::of(config) {
        Ok(token) => (token.map(|token| token.expose().to_owned()), None),
        Err(error) => {
            let problem = format!(
                "no admin token can be kept in {} ({error}); changes are refused; mend that or write [admin] token",
                config.server.state_dir.display()
            );
            tracing::warn!("{problem}");
            (None, Some(problem))
        }
    }
}

async fn bind_socket(path: &Path) -> io::Result<UnixListener> {
    // A socket that an earlier run left behind would refuse the bind; one that answers is in use and stays.
    if UnixStream::connect(path).await.is_err() {
        let _ = std::fs::remove_file(path);
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let listener = UnixListener::bind(path)?;
    // Its owner's alone, whatever the process's mask.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Connections at a time; more are reset, as they are for viewers.
const MOST_CONNECTIONS: usize = 256;

/// Binds the first of the address's addresses that can be bound.
async fn bind(address: &Address, next_free: bool) -> Result<Listener, ListenError> {
    let named = format!("{address} ([admin] listen)");
    let mut failed = ListenError::Bind { address: named.clone(), error: io::ErrorKind::AddrNotAvailable.into() };
    for found in listen::resolve(address).await? {
        match listen::bind_one(found, None, next_free) {
            Ok(listener) => return Ok(listener),
            Err(ListenError::Bind { error, .. }) => failed = ListenError::Bind { address: named.clone(), error },
            Err(other) => failed = other,
        }
    }
    Err(failed)
}
