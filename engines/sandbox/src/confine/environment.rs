//! What an environment gives up before the function's code runs (security.md 3.5), as far as an engine allows it.
//!
//! Unlike an isolate host, an environment is a whole language runtime that opens files, starts threads and perhaps
//! connects. So the filter refuses what no function needs, with `EPERM`, and allows the rest; Landlock names the folders that
//! may be read or written. The kernel's filters cannot read addresses; where those matter, somebody outside holds a
//! [`Gate`](crate::Gate).

use super::{
    LayerState, capabilities,
    gate::{self, Keeper},
    limit, no_new_privs, not_dumpable,
    seccomp::{argument, bits},
};
use crate::confine::layers::causes;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, NetPort, RestrictionStatus, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use libc::c_long;
use nix::sys::resource::Resource;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
    apply_filter_all_threads,
};
use std::{collections::BTreeMap, fs::File, io, path::PathBuf};

/// The newest Landlock rules that were looked at.
const NEWEST: ABI = ABI::V6;

/// What an environment may still do.
#[derive(Clone, Debug)]
pub struct EnvironmentRules {
    /// Files and folders that may be read, and run where processes may be started. What does not exist is left out.
    pub readable: Vec<PathBuf>,
    /// Folders that may be written to.
    pub writable: Vec<PathBuf>,
    /// Whether it may use the network.
    pub network: NetworkUse,
    /// Whether it may start processes.
    pub processes: ProcessUse,
}

/// Whether an environment may use the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkUse {
    /// No socket at all, but for pairs.
    None,
    /// TCP to this port: on the loopback interface, whoever listens there knows whom it lets in.
    Port(u16),
    /// TCP and UDP, to the addresses that the holder of its gate permits; to all where there can be no gate.
    Gated,
    /// TCP and UDP.
    Internet,
}

/// Whether an environment may start processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessUse {
    /// Threads only.
    None,
    /// Processes of its own, which it may signal.
    Own,
}

/// What every language runtime reads: shared libraries, how names are resolved, who signs certificates, the time zone.
pub const SYSTEM_FILES: [&str; 14] = [
    "/lib",
    "/lib64",
    "/etc/ca-certificates",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/certs",
    "/etc/ld.so.cache",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/localtime",
    "/etc/mime.types",
];

/// Devices that programs expect.
pub const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// What no function needs, and what reaches beyond its process.
const REFUSED: &[c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fsconfig,
    libc::SYS_fspick,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_open_by_handle_at,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_quotactl,
    libc::SYS_syslog,
];

/// Starting processes and running other programs.
const PROCESSES: &[c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_pidfd_send_signal,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_tkill,
];

/// Leaving the process group, which is how all processes of an environment are found. Refused to those, too, that may start
/// processes.
const LEAVING: &[c_long] = &[libc::SYS_setsid, libc::SYS_setpgid];

/// The same as [`PROCESSES`] for calls that newer architectures do not have.
#[cfg(target_arch = "x86_64")]
const PROCESSES_OLD: &[c_long] = &[libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const PROCESSES_OLD: &[c_long] = &[];

/// Puts the layers around the calling process, which has one thread, and tells how each of them went. `keeper` speaks to
/// whoever holds its gate, where [`NetworkUse::Gated`] asks for one.
///
/// The holder of a gate looks into the process, as others of the same user then could; what they are is confined itself.
#[must_use = "a layer may be missing"]
pub fn confine_environment(rules: &EnvironmentRules, keeper: Option<Keeper<'_>>) -> Vec<(&'static str, LayerState)> {
    let mut layers = vec![
        ("no-new-privs", LayerState::tried(no_new_privs())),
        ("capabilities", LayerState::tried(capabilities::drop_all())),
        ("core-dumps", LayerState::tried(limit(Resource::RLIMIT_CORE, 0))),
    ];
    let is_gated = rules.network == NetworkUse::Gated;
    if is_gated {
        let _ = nix::sys::prctl::set_dumpable(true);
    } else {
        layers.push(("not-dumpable", LayerState::tried(not_dumpable())));
    }
    let (files, network) = landlock(rules);
    layers.push(("landlock", files));
    layers.extend(network.map(|state| ("landlock-tcp", state)));
    if is_gated {
        layers.push(("network-gate", gate::close(keeper)));
    }
    layers.push(("seccomp", seccomp(rules)));
    layers
}

/// The layer of files, and that of connections where one port is the rule.
fn landlock(rules: &EnvironmentRules) -> (LayerState, Option<LayerState>) {
    let status = restricted(rules);
    let files = match &status {
        Ok(status) if status.ruleset == RulesetStatus::NotEnforced => {
            LayerState::Missing("this kernel has no Landlock, or it is not enabled".to_owned())
        }
        Ok(_) => match File::open("/") {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => LayerState::Active,
            _ => LayerState::Missing("a folder that is not the function's could still be read".to_owned()),
        },
        Err(error) => LayerState::Missing(causes(error)),
    };
    let NetworkUse::Port(port) = rules.network else { return (files, None) };
    // Landlock answers before anyone is asked.
    let refused = std::net::TcpStream::connect(("127.0.0.1", if port == 1 { 2 } else { 1 }));
    let holds = refused.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
    (files, Some(LayerState::of(holds, "this kernel's Landlock does not hold connections back (Linux 6.7 does)")))
}

fn restricted(rules: &EnvironmentRules) -> Result<RestrictionStatus, RulesetError> {
    let mut read = AccessFs::from_read(NEWEST);
    if rules.processes == ProcessUse::None {
        read.remove(AccessFs::Execute);
    }
    let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(NEWEST))?;
    if matches!(rules.network, NetworkUse::None | NetworkUse::Port(_)) {
        ruleset = ruleset.handle_access(AccessNet::from_all(NEWEST))?;
    }
    let mut ruleset = ruleset.scope(Scope::from_all(NEWEST))?.create()?;
    if let NetworkUse::Port(port) = rules.network {
        ruleset = ruleset.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
    }
    ruleset
        .add_rules(path_beneath_rules(&rules.readable, read))?
        .add_rules(path_beneath_rules(&rules.writable, AccessFs::from_all(NEWEST)))?
        .restrict_self()
}

fn seccomp(rules: &EnvironmentRules) -> LayerState {
    let Ok(architecture) = TargetArch::try_from(std::env::consts::ARCH) else {
        return LayerState::Missing(format!("no filter for {}", std::env::consts::ARCH));
    };
    let programs = match programs(rules, architecture) {
        Ok(programs) => programs,
        Err(error) => return LayerState::Missing(causes(&error)),
    };
    for program in programs {
        if let Err(error) = apply_filter_all_threads(&program) {
            return LayerState::Missing(causes(&error));
        }
    }
    // A call that is refused whatever its arguments, and that would change nothing.
    let refused = nix::sched::unshare(nix::sched::CloneFlags::empty()) == Err(nix::errno::Errno::EPERM);
    LayerState::of(refused, "the filter is installed, but a refused call went through")
}

fn programs(rules: &EnvironmentRules, architecture: TargetArch) -> Result<Vec<BpfProgram>, BackendError> {
    let errno = |number: i32| SeccompAction::Errno(number.cast_unsigned());
    let refusals = refusals(rules)?;
    let mut programs =
        vec![SeccompFilter::new(refusals, SeccompAction::Allow, errno(libc::EPERM), architecture)?.try_into()?];
    if rules.processes == ProcessUse::None {
        // Its flags lie in memory, where a filter cannot look; the C library falls back to `clone`.
        let unknown = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
        programs
            .push(SeccompFilter::new(unknown, SeccompAction::Allow, errno(libc::ENOSYS), architecture)?.try_into()?);
    }
    Ok(programs)
}

fn refusals(rules: &EnvironmentRules) -> Result<BTreeMap<c_long, Vec<SeccompRule>>, BackendError> {
    let mut refusals: BTreeMap<c_long, Vec<SeccompRule>> = REFUSED.iter().map(|&call| (call, Vec::new())).collect();
    let rule = |conditions: Vec<SeccompCondition>| SeccompRule::new(conditions).map(|rule| vec![rule]);
    let family = |family| argument(0, SeccompCmpOp::Ne, family);
    let sockets = match rules.network {
        NetworkUse::None => Vec::new(),
        NetworkUse::Port(_) => {
            // Landlock knows TCP alone.
            let inet = || argument(0, SeccompCmpOp::Eq, libc::AF_INET);
            let kind = |kind| argument(1, SeccompCmpOp::MaskedEq(0xf), kind);
            let mut rules = rule(vec![family(libc::AF_INET)?, family(libc::AF_NETLINK)?])?;
            rules.extend(rule(vec![inet()?, kind(libc::SOCK_DGRAM)?])?);
            rules.extend(rule(vec![inet()?, kind(libc::SOCK_RAW)?])?);
            rules
        }
        // Netlink is how the C library learns which protocols there are.
        NetworkUse::Internet | NetworkUse::Gated => {
            let mut rules = rule(vec![family(libc::AF_INET)?, family(libc::AF_INET6)?, family(libc::AF_NETLINK)?])?;
            let route = || argument(2, SeccompCmpOp::Ne, libc::NETLINK_ROUTE);
            rules.extend(rule(vec![argument(0, SeccompCmpOp::Eq, libc::AF_NETLINK)?, route()?])?);
            // Protocols that connect by other calls, such as SCTP.
            for family in [libc::AF_INET, libc::AF_INET6] {
                let other = |protocol| argument(2, SeccompCmpOp::Ne, protocol);
                let other = [other(0)?, other(libc::IPPROTO_TCP)?, other(libc::IPPROTO_UDP)?];
                rules.extend(rule([vec![argument(0, SeccompCmpOp::Eq, family)?], other.to_vec()].concat())?);
                for kind in [libc::SOCK_RAW, libc::SOCK_RDM, libc::SOCK_SEQPACKET, libc::SOCK_DCCP] {
                    let kind = argument(1, SeccompCmpOp::MaskedEq(0xf), kind)?;
                    rules.extend(rule(vec![argument(0, SeccompCmpOp::Eq, family)?, kind])?);
                }
            }
            rules
        }
    };
    if matches!(rules.network, NetworkUse::Internet | NetworkUse::Gated) {
        // A route that a packet is to take leads to its first stop, whatever its address.
        let mut routes = Vec::new();
        for (level, option) in [(libc::IPPROTO_IP, libc::IP_OPTIONS), (libc::IPPROTO_IPV6, libc::IPV6_RTHDR)] {
            let level = argument(1, SeccompCmpOp::Eq, level)?;
            routes.extend(rule(vec![level, argument(2, SeccompCmpOp::Eq, option)?])?);
        }
        refusals.insert(libc::SYS_setsockopt, routes);
    }
    refusals.insert(libc::SYS_socket, sockets);
    refusals.extend(LEAVING.iter().map(|&call| (call, Vec::new())));
    refusals.insert(libc::SYS_prctl, rule(vec![argument(0, SeccompCmpOp::Eq, libc::PR_SET_PDEATHSIG)?])?);
    if rules.processes == ProcessUse::None {
        refusals.extend(PROCESSES.iter().chain(PROCESSES_OLD).map(|&call| (call, Vec::new())));
        refusals.insert(libc::SYS_clone, rule(vec![argument(0, bits(libc::CLONE_THREAD), 0)?])?);
        let own = nix::unistd::getpid().as_raw();
        let other = |number| argument(0, SeccompCmpOp::Ne, number);
        refusals.insert(libc::SYS_kill, rule(vec![other(own)?, other(0)?])?);
        refusals.insert(libc::SYS_tgkill, rule(vec![other(own)?])?);
    }
    Ok(refusals)
}
