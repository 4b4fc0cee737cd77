//! Landlock: no files, no TCP, no signals to others.
//!
//! The ruleset handles every right that the kernel knows and grants none. It is inherited by threads and processes
//! started later; of threads that run already it reaches the others only from ABI 8 on (Linux 7.0).
//!
//! Absent on purpose: exceptions. What a host needs, it has open before.

use super::layers::{LayerState, causes};
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, LandlockStatus, RestrictSelfAttr as _, RestrictionStatus, Ruleset,
    RulesetAttr as _, RulesetError, RulesetStatus, Scope,
};
use nix::{errno::Errno, sys::signal::kill, unistd::getppid};
use std::{fs::File, io, net::TcpListener};

/// The newest rules that were looked at. On an older kernel the rest is left out.
const NEWEST: ABI = ABI::V9;

/// The three layers that one ruleset makes.
pub(super) struct Rules {
    pub(super) files: LayerState,
    pub(super) tcp: LayerState,
    pub(super) scope: LayerState,
}

impl Rules {
    fn none(why: &str) -> Self {
        let missing = || LayerState::Missing(why.to_owned());
        Self { files: missing(), tcp: missing(), scope: missing() }
    }
}

/// Takes everything away; `threads` is how many the process has, if that is known.
pub(super) fn restrict(threads: io::Result<usize>) -> Rules {
    match apply() {
        Ok(status) => judge(&Enforced::from(status), threads, Seen::look),
        Err(error) => Rules::none(&causes(&error)),
    }
}

fn apply() -> Result<RestrictionStatus, RulesetError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .all_threads(true)?
        .restrict_self()
}

/// What the kernel says of the ruleset.
struct Enforced {
    landlock: LandlockStatus,
    /// Whether any of it is in force.
    in_part: bool,
    all_threads: bool,
}

impl From<RestrictionStatus> for Enforced {
    fn from(status: RestrictionStatus) -> Self {
        let in_part = status.ruleset != RulesetStatus::NotEnforced;
        Self { landlock: status.landlock, in_part, all_threads: status.all_threads }
    }
}

/// What the calling thread meets when it tries.
struct Seen {
    open: io::Result<()>,
    bind: io::Result<()>,
    signal: Result<(), Errno>,
}

impl Seen {
    /// Tries what the rules forbid, in ways that do nothing if they should succeed.
    fn look() -> Self {
        let parent = getppid();
        Self {
            open: File::open("/").map(drop),
            bind: TcpListener::bind(("127.0.0.1", 0)).map(drop),
            // Signal 0 is none, and only asks. Process 0 would be the own group: the parent is in another namespace.
            signal: if parent.as_raw() == 0 { Err(Errno::EPERM) } else { kill(parent, None) },
        }
    }
}

/// The states that follow from what the kernel says and what was seen.
fn judge(status: &Enforced, threads: io::Result<usize>, look: impl FnOnce() -> Seen) -> Rules {
    let abi = match status.landlock {
        LandlockStatus::NotEnabled => return Rules::none("this kernel has Landlock, but it is not enabled"),
        LandlockStatus::NotImplemented => return Rules::none("this kernel has no Landlock (Linux 5.13 or newer)"),
        LandlockStatus::Available { effective_abi, .. } => effective_abi,
    };
    if !status.in_part {
        return Rules::none("the kernel enforces nothing of the ruleset");
    }
    let others = match threads {
        _ if status.all_threads => None,
        Ok(1) => None,
        Ok(count) => {
            Some(format!("only one of {count} threads is covered; this kernel's Landlock cannot reach the others"))
        }
        Err(error) => Some(format!("whether other threads run is not known: {error}")),
    };
    if let Some(why) = others {
        return Rules::none(&why);
    }
    let since = |first: ABI, linux: &str, state: LayerState| match abi < first {
        true => LayerState::Missing(format!("this kernel's Landlock is too old (Linux {linux} or newer)")),
        false => state,
    };
    let seen = look();
    let refused = |what: &str, result: &io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => LayerState::Active,
        Err(error) => LayerState::Missing(format!("trying to {what} met another obstacle: {error}")),
        Ok(()) => LayerState::Missing(format!("it was still possible to {what}")),
    };
    Rules {
        files: refused("open a folder", &seen.open),
        tcp: since(ABI::V4, "6.7", refused("bind a TCP port", &seen.bind)),
        scope: since(
            ABI::V6,
            "6.12",
            LayerState::of(seen.signal == Err(Errno::EPERM), "the parent could still be signalled"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied() -> Seen {
        let refused = || Err(io::ErrorKind::PermissionDenied.into());
        Seen { open: refused(), bind: refused(), signal: Err(Errno::EPERM) }
    }

    fn judged(effective_abi: ABI, all_threads: bool, threads: io::Result<usize>, seen: Seen) -> [Option<String>; 3] {
        let landlock = LandlockStatus::Available { effective_abi, kernel_abi: None };
        let rules = judge(&Enforced { landlock, in_part: true, all_threads }, threads, || seen);
        [rules.files, rules.tcp, rules.scope].map(|state| state.missing().map(str::to_owned))
    }

    #[test]
    fn a_kernel_without_landlock_is_reported() {
        for landlock in [LandlockStatus::NotEnabled, LandlockStatus::NotImplemented] {
            let status = Enforced { landlock, in_part: false, all_threads: false };
            let rules = judge(&status, Ok(1), || unreachable!("there is nothing to try"));
            for state in [rules.files, rules.tcp, rules.scope] {
                assert!(state.missing().is_some_and(|why| why.contains("Landlock")), "{state}");
            }
        }
    }

    #[test]
    fn an_early_landlock_is_reported_part_by_part() {
        for (abi, tcp, scope) in [
            (ABI::V1, false, false),
            (ABI::V3, false, false),
            (ABI::V4, true, false),
            (ABI::V5, true, false),
            (ABI::V6, true, true),
        ] {
            let active = judged(abi, false, Ok(1), denied()).map(|why| why.is_none());
            assert_eq!(active, [true, tcp, scope], "{abi:?}");
        }
    }

    #[test]
    fn threads_that_are_not_covered_are_reported() {
        let all_missing = |states: [Option<String>; 3]| states.iter().all(Option::is_some);
        assert!(all_missing(judged(ABI::V7, false, Ok(2), denied())));
        assert!(all_missing(judged(ABI::V7, false, Err(io::ErrorKind::NotFound.into()), denied())));
        assert_eq!(judged(ABI::V8, true, Ok(2), denied()), [None, None, None]);
    }

    #[test]
    fn what_does_not_bite_is_reported() {
        let seen = Seen { open: Ok(()), bind: Ok(()), signal: Ok(()) };
        assert!(judged(ABI::V7, false, Ok(1), seen).iter().all(Option::is_some));
        let seen = Seen { bind: Err(io::ErrorKind::AddrNotAvailable.into()), signal: Err(Errno::ESRCH), ..denied() };
        assert_eq!(judged(ABI::V7, false, Ok(1), seen).map(|why| why.is_none()), [true, false, false]);
    }
}
