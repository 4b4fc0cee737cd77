//! Holds the gate before the network of one environment: only addresses that its function may connect to are let through.
//!
//! The calls that wait at a gate are made on threads for blocking work, a few at a time, so that a process that plays with its
//! sockets keeps nobody else waiting. What blocks there waits here, without a thread.
//!
//! Absent on purpose: how a call is stopped and made (`edgehook_sandbox::Gate`), and which addresses are public
//! (`edgehook_contract`).

use crate::{child::watched, settings::FunctionSettings};
use edgehook_contract::AddressPolicy;
use edgehook_sandbox::{Blocked, Gate};
use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::Semaphore,
    task::{AbortHandle, JoinSet, spawn_blocking},
};

/// Calls of one environment that are made at a time.
const AT_ONCE: usize = 8;

/// Calls of one environment that wait for the network at a time.
const WAITING: usize = 1_024;

/// Where names are asked for.
const DNS: u16 = 53;

/// A gate that is held. Dropping it lets nothing through any more.
#[derive(Debug)]
pub(crate) struct Egress {
    gate: Arc<AsyncFd<Gate>>,
    task: AbortHandle,
}

impl Egress {
    /// Takes the gate that `process` has open as `descriptor`. It may always connect to `api`.
    ///
    /// # Errors
    /// It cannot be taken.
    pub(crate) fn hold(process: u32, descriptor: u32, api: &str, settings: &FunctionSettings) -> io::Result<Self> {
        let gate = Gate::take(process, descriptor)?;
        let reach = settings.reach.clone();
        let public = AddressPolicy::new(&reach.allowed, reach.refused).map_err(io::Error::other)?;
        let rule = Rule { public, api: api.parse().ok(), name_servers: name_servers() };
        let gate = Arc::new(watched(gate, Interest::READABLE)?);
        let task = tokio::spawn(attend(gate.clone(), Arc::new(rule))).abort_handle();
        Ok(Self { gate, task })
    }
}

impl Drop for Egress {
    fn drop(&mut self) {
        self.task.abort();
        self.gate.get_ref().abandon();
    }
}

/// Where one environment may connect to.
#[derive(Debug)]
struct Rule {
    public: AddressPolicy,
    api: Option<SocketAddr>,
    name_servers: Vec<IpAddr>,
}

impl Rule {
    fn permits(&self, address: SocketAddr) -> bool {
        Some(address) == self.api
            || (address.port() == DNS && self.name_servers.contains(&address.ip()))
            || self.public.permits("", address)
    }
}

async fn attend(gate: Arc<AsyncFd<Gate>>, rule: Arc<Rule>) {
    let hands = Arc::new(Semaphore::new(AT_ONCE));
    let mut under_way = JoinSet::new();
    loop {
        let Ok(mut ready) = gate.readable().await else { return };
        let attempt = match gate.get_ref().next() {
            Ok(Some(attempt)) => attempt,
            Ok(None) => {
                ready.clear_ready();
                continue;
            }
            Err(_) => return,
        };
        while under_way.try_join_next().is_some() {}
        if under_way.len() >= WAITING {
            under_way.join_next().await;
        }
        let Ok(hand) = hands.clone().acquire_owned().await else { return };
        let (gate, rule) = (gate.clone(), rule.clone());
        under_way.spawn(async move {
            let held = gate.clone();
            let settled = spawn_blocking(move || {
                let _hand = hand;
                held.get_ref().settle(&attempt, &|address| rule.permits(address))
            });
            let mut blocked = settled.await.ok().flatten();
            while let Some(waiting) = blocked {
                blocked = resumed(gate.get_ref(), waiting).await;
            }
        });
    }
}

/// Waits until what is blocked can go on.
async fn resumed(gate: &Gate, blocked: Blocked) -> Option<Blocked> {
    match watched(blocked, Interest::WRITABLE) {
        Ok(watched) => {
            drop(watched.writable().await);
            gate.resume(watched.into_inner())
        }
        // With it goes the socket, and the call is never answered: there is no descriptor left for it.
        Err(_) => None,
    }
}

/// Whom the C library asks for names (`resolv.conf(5)`).
fn name_servers() -> Vec<IpAddr> {
    let text = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let named = text.lines().filter_map(|line| line.trim_start().strip_prefix("nameserver"));
    let found: Vec<IpAddr> = named.filter_map(|rest| rest.split_whitespace().next()?.parse().ok()).collect();
    if found.is_empty() { vec![Ipv4Addr::LOCALHOST.into()] } else { found }
}
