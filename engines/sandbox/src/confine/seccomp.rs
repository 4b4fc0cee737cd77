//! The system calls of an isolate host.
//!
//! Two filters, of which the stricter answer counts. The first refuses with `EPERM` what standard and C library, engine
//! and guard try of their own accord and can do without. The second allows what a host needs, and ends the process on
//! anything else, also on calls of another architecture's numbering.
//!
//! The list was found by watching a host at work, and a stand-in for one (`edgehook-sandbox-probe`) that ends, panics,
//! aborts, faults, fails to allocate and uses up its stack. Four rules need their reason here:
//!
//! * `rt_sigaction` is allowed for the signals of faults and aborts: standard library, C library and guard put the
//!   default back before they let a process die, so that it dies of the true cause. A handler gives no privileges. For
//!   any other signal it is refused; the guard's timer keeps its handler.
//! * Looking for files is refused, not deadly: the C library's allocator opens `/proc/sys/vm/overcommit_memory` when it
//!   shrinks the heap of a thread, the engine asks for the current folder (for modules) with each context, and
//!   concurrent maps ask for the number of processors, for which the standard library reads `/proc/self/cgroup`. All of
//!   them do without; a function that makes them look must not cost the host.
//! * `fcntl` is allowed to ask for a descriptor's flags, because the standard library of debug builds checks what it
//!   closes, and for its seals.
//! * `mmap` of a file is allowed for shared reading and nothing else: key value stores come as sealed memory over the
//!   channel (see `shared`). What else is open is the channel, `/dev/null` and the standard streams.
//!
//! Absent on purpose: anything that opens, connects, starts processes or threads, makes memory executable, or changes
//! the process's attributes. Threads and timers are made before.

use super::layers::{LayerState, causes};
use libc::{c_int, c_long};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads,
};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
};

/// Allowed whatever the arguments.
const ALLOWED: &[c_long] = &[
    // The channel and the standard streams.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_ppoll,
    libc::SYS_close,
    libc::SYS_fstat,
    // Memory; `mmap` and `mprotect` have rules below.
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    // Threads that are there already.
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_restart_syscall,
    // By which a thread that was started just before gets ready; and see `prctl` below.
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
    // Time.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_timer_settime,
    libc::SYS_timer_gettime,
    libc::SYS_timer_delete,
    // Returning from signal handlers, and leaving them.
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigprocmask,
    libc::SYS_sigaltstack,
    libc::SYS_getrandom,
];

/// The same for calls that newer architectures do not have.
#[cfg(target_arch = "x86_64")]
const ALLOWED_OLD: &[c_long] = &[libc::SYS_poll, libc::SYS_time];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_OLD: &[c_long] = &[];

/// Refused with an error, whatever the arguments.
const REFUSED: &[c_long] =
    &[libc::SYS_openat, libc::SYS_getcwd, libc::SYS_newfstatat, libc::SYS_readlinkat, libc::SYS_statx];

/// The same for calls that newer architectures do not have.
#[cfg(target_arch = "x86_64")]
const REFUSED_OLD: &[c_long] = &[libc::SYS_open, libc::SYS_readlink];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_OLD: &[c_long] = &[];

/// Signals whose default may be put back.
const FATAL: [c_int; 5] = [libc::SIGABRT, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGSEGV];

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// A condition on the lower half of an argument, which is all that the kernel reads of the ones that are looked at
/// here.
pub(super) fn argument(index: u8, operator: SeccompCmpOp, value: c_int) -> Result<SeccompCondition, BackendError> {
    // The bits of the value as the register's lower half has them, also for -1.
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, u64::from(value.cast_unsigned()))
}

pub(super) fn bits(mask: c_int) -> SeccompCmpOp {
    SeccompCmpOp::MaskedEq(u64::from(mask.cast_unsigned()))
}

/// Calls that get an error instead of ending the process.
fn refusals() -> Result<Rules, BackendError> {
    let mut rules: Rules = REFUSED.iter().chain(REFUSED_OLD).map(|&call| (call, Vec::new())).collect();
    let others = FATAL.iter().map(|&signal| argument(0, SeccompCmpOp::Ne, signal)).collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_rt_sigaction, vec![SeccompRule::new(others)?]);
    Ok(rules)
}

/// Calls that do not end the process of number `process`.
fn permissions(process: c_int) -> Result<Rules, BackendError> {
    let mut rules: Rules =
        [ALLOWED, ALLOWED_OLD, REFUSED, REFUSED_OLD].into_iter().flatten().map(|&call| (call, Vec::new())).collect();
    rules.insert(libc::SYS_rt_sigaction, Vec::new());
    let not_executable = || argument(2, bits(libc::PROT_EXEC), 0);
    let anonymous = argument(3, bits(libc::MAP_ANONYMOUS), libc::MAP_ANONYMOUS)?;
    let for_reading =
        vec![argument(2, SeccompCmpOp::Eq, libc::PROT_READ)?, argument(3, SeccompCmpOp::Eq, libc::MAP_SHARED)?];
    let mappings = vec![SeccompRule::new(vec![not_executable()?, anonymous])?, SeccompRule::new(for_reading)?];
    rules.insert(libc::SYS_mmap, mappings);
    rules.insert(libc::SYS_mprotect, vec![SeccompRule::new(vec![not_executable()?])?]);
    // How `abort` raises its signal.
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![argument(0, SeccompCmpOp::Eq, process)?])?]);
    // A new thread gives itself its name.
    rules.insert(libc::SYS_prctl, vec![SeccompRule::new(vec![argument(0, SeccompCmpOp::Eq, libc::PR_SET_NAME)?])?]);
    let questions = [libc::F_GETFD, libc::F_GET_SEALS]
        .map(|question| SeccompRule::new(vec![argument(1, SeccompCmpOp::Eq, question)?]));
    rules.insert(libc::SYS_fcntl, questions.into_iter().collect::<Result<_, _>>()?);
    Ok(rules)
}

/// Both filters, in the order in which they must be installed: under the second no other can be.
fn programs(process: c_int, architecture: TargetArch) -> Result<[BpfProgram; 2], BackendError> {
    let refuse = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    Ok([
        SeccompFilter::new(refusals()?, SeccompAction::Allow, refuse, architecture)?.try_into()?,
        SeccompFilter::new(permissions(process)?, SeccompAction::KillProcess, SeccompAction::Allow, architecture)?
            .try_into()?,
    ])
}

/// What the kernel says of a thread: the mode (2 is filters) and, since Linux 5.9, how many filters there are.
type Told = Option<(u32, Option<u32>)>;

/// What the kernel says of a thread's filters, before and after. Without `/proc` it says nothing.
#[derive(Debug)]
pub(super) struct Status {
    before: Told,
    /// Open for the second look, since no file can be opened then. Its text is made when it is first read.
    after: Option<File>,
}

impl Status {
    /// That of the calling thread.
    pub(super) fn open() -> Self {
        const PATH: &str = "/proc/thread-self/status";
        let before = fs::read_to_string(PATH).ok().and_then(|text| filters(&text));
        Self { before, after: before.and_then(|_| File::open(PATH).ok()) }
    }

    /// What it is now.
    fn after(&mut self) -> io::Result<Told> {
        let mut text = String::new();
        if let Some(file) = &mut self.after {
            // Bounded, which also keeps `File` from asking for the size by a call that is not allowed any more.
            file.take(64 << 10).read_to_string(&mut text)?;
        }
        Ok(filters(&text))
    }
}

fn filters(status: &str) -> Told {
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.and_then(|value| value.trim().parse().ok())
    };
    Some((field("Seccomp")?, field("Seccomp_filters")))
}

/// Installs the filters on all threads. `status` should be that of another thread, if there is one.
pub(super) fn restrict(status: Status) -> LayerState {
    let Ok(architecture) = TargetArch::try_from(std::env::consts::ARCH) else {
        return LayerState::Missing(format!("no filter for {}", std::env::consts::ARCH));
    };
    let process = nix::unistd::getpid().as_raw();
    match programs(process, architecture) {
        Ok(programs) => install(&programs, status),
        Err(error) => LayerState::Missing(causes(&error)),
    }
}

fn install(programs: &[BpfProgram; 2], mut status: Status) -> LayerState {
    for program in programs {
        // All threads or none, and an error then.
        if let Err(error) = apply_filter_all_threads(program) {
            return LayerState::Missing(causes(&error));
        }
    }
    let after = status.after();
    // Of all refusals only the filter's has this error; Landlock and file modes have another.
    let opened = File::open("/").map(drop).map_err(|error| error.raw_os_error());
    judge(status.before, after, opened)
}

/// The state that follows from what was seen.
fn judge(before: Told, after: io::Result<Told>, opened: Result<(), Option<i32>>) -> LayerState {
    if opened != Err(Some(libc::EPERM)) {
        return LayerState::Missing("the filter is installed, but a folder could still be asked for".to_owned());
    }
    let after = match after {
        Ok(after) => after,
        Err(error) => return LayerState::Missing(format!("its status cannot be read: {error}")),
    };
    match (before, after) {
        (None, None) => LayerState::Active,
        (Some((_, before)), Some((2, after))) => {
            let added = after.zip(before).is_none_or(|(after, before)| after == before + 2);
            LayerState::of(added, "the kernel does not count both filters")
        }
        (_, seen) => {
            let mode = seen.map_or_else(|| "not told".to_owned(), |(mode, _)| mode.to_string());
            LayerState::Missing(format!("the kernel says that the mode is {mode}, not 2"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_filters_compile_and_are_small() {
        for architecture in [TargetArch::x86_64, TargetArch::aarch64] {
            for program in programs(1234, architecture).unwrap() {
                assert!((10..400).contains(&program.len()), "{} instructions", program.len());
            }
        }
    }

    #[test]
    fn nothing_that_reaches_out_is_allowed() {
        let rules = permissions(1234).unwrap();
        let forbidden = [
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_bind,
            libc::SYS_accept4,
            libc::SYS_openat2,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_clone,
            libc::SYS_clone3,
            libc::SYS_kill,
            libc::SYS_tkill,
            libc::SYS_rt_tgsigqueueinfo,
            libc::SYS_prlimit64,
            libc::SYS_seccomp,
            libc::SYS_ptrace,
            libc::SYS_bpf,
            libc::SYS_io_uring_setup,
            libc::SYS_pkey_mprotect,
            libc::SYS_memfd_create,
            libc::SYS_shmat,
            libc::SYS_timer_create,
        ];
        for call in forbidden {
            assert!(!rules.contains_key(&call), "call {call}");
        }
    }

    #[test]
    fn what_is_refused_is_not_deadly_and_nothing_else_is_refused() {
        let (refused, allowed) = (refusals().unwrap(), permissions(1234).unwrap());
        assert!(refused.keys().all(|call| allowed[call].is_empty()));
        assert!(refused.keys().all(|call| !ALLOWED.contains(call) && !ALLOWED_OLD.contains(call)));
    }

    #[test]
    fn the_status_is_read() {
        assert_eq!(filters("Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t3\n"), Some((2, Some(3))));
        assert_eq!(filters("NoNewPrivs:\t1\nSeccomp:\t0\n"), Some((0, None)));
        assert_eq!(filters("Name:\tx\n"), None);
    }

    #[test]
    fn only_filters_that_bite_are_active() {
        let eperm = || Err(Some(libc::EPERM));
        let active = |before, after, opened| judge(before, Ok(after), opened).is_active();
        assert!(active(Some((0, Some(0))), Some((2, Some(2))), eperm()));
        assert!(active(Some((2, Some(1))), Some((2, Some(3))), eperm()));
        assert!(active(Some((0, None)), Some((2, None)), eperm()), "before Linux 5.9");
        assert!(active(None, None, eperm()), "without /proc");
        assert!(!active(Some((0, Some(0))), Some((2, Some(2))), Ok(())));
        assert!(!active(Some((0, Some(0))), Some((2, Some(2))), Err(Some(libc::EACCES))));
        assert!(!active(Some((0, Some(0))), Some((2, Some(1))), eperm()));
        assert!(!active(Some((0, Some(0))), Some((0, Some(0))), eperm()));
        assert!(!active(Some((0, None)), None, eperm()));
        assert!(!judge(None, Err(io::ErrorKind::NotFound.into()), eperm()).is_active());
    }
}
