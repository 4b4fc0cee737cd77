//! The accept loop: admit, spawn, back off when descriptors run out, and drain.
//!
//! A connection beyond the limits is reset at once, before any byte of it is read. Deliberately absent: what happens
//! on a connection (`http.rs`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::http::Server;
use super::slots::{ConnectionSlots, Slot};
use super::{Connection, Drain, Scheme};

/// Pause after `accept` failed for want of descriptors or memory: no spin, and back within 100 ms (security.md D08).
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// Accepts until `drain` begins, then waits for what is open. Returns how many connections had to be cut.
pub(crate) async fn accept_until_drained(
    listener: TcpListener,
    server: Arc<Server>,
    slots: Arc<ConnectionSlots>,
    drain: Drain,
) -> usize {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = drain.begin.cancelled() => break,
            Some(_ended) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => admit(tcp, &server, &slots, &mut connections),
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections");
                    tokio::select! {
                        () = drain.begin.cancelled() => break,
                        () = tokio::time::sleep(EXHAUSTED_PAUSE) => {}
                    }
                }
            },
        }
    }
    drop(listener);
    finish(connections, drain.grace).await
}

/// Waits for the open connections, and cuts those that outlast `grace`.
async fn finish(mut connections: JoinSet<()>, grace: Duration) -> usize {
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(grace, all_ended).await.is_ok() {
        return 0;
    }
    let cut = connections.len();
    connections.shutdown().await;
    cut
}

fn admit(tcp: TcpStream, server: &Arc<Server>, slots: &Arc<ConnectionSlots>, connections: &mut JoinSet<()>) {
    let (Ok(peer), Ok(local)) = (tcp.peer_addr(), tcp.local_addr()) else {
        return; // gone before it was looked at
    };
    let slot = match slots.claim(peer.ip()) {
        Ok(slot) => slot,
        Err(refusal) => {
            tracing::debug!(%peer, reason = refusal.as_str(), "connection refused");
            // A reset frees the socket at once; a FIN would leave a flood of them in FIN_WAIT.
            let _best_effort = tcp.set_zero_linger();
            return;
        }
    };
    // Small writes (the end of a body, a GOAWAY) must not wait for an acknowledgement.
    let _best_effort = tcp.set_nodelay(true);
    let scheme = if server.speaks_tls() { Scheme::Https } else { Scheme::Http };
    let connection = Connection { peer, local, scheme, tls: None, used: Arc::default() };
    connections.spawn(serve(tcp, connection, Arc::clone(server), slot));
}

async fn serve(tcp: TcpStream, connection: Connection, server: Arc<Server>, slot: Slot) {
    let peer = connection.peer;
    if let Err(end) = server.serve_connection(tcp, connection).await {
        tracing::debug!(%peer, reason = end.as_str(), "connection ended early");
    }
    drop(slot);
}

/// Errors of `accept` that the peer caused and the next call will not see again.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
