//! System calls that no host may make, each in a form that does no lasting harm if it is possible after all.
//!
//! Absent on purpose: the C library's wrappers, which might not make the call or make another.

use libc::c_long;
use std::{
    ffi::CString,
    io,
    ptr::{self, null},
};

/// Signal 0 only asks whether a signal could be sent.
const NO_SIGNAL: usize = 0;

/// The standard input, which is `/dev/null`.
const INPUT: usize = 0;

/// One attempt.
pub(crate) struct Call {
    pub(crate) name: &'static str,
    number: c_long,
    arguments: [usize; 6],
    /// What the arguments point to.
    _text: Option<CString>,
}

impl Call {
    /// Makes the call.
    pub(crate) fn attempt(&self) -> io::Result<()> {
        if self.name == "int80" {
            return int80();
        }
        let [a, b, c, d, e, f] = self.arguments;
        // SAFETY: pointers among the arguments are null, or lead to texts and memory that live as long as `self` or for
        // ever. Calls that take more than numbers are given values which the kernel refuses (a null structure, a wrong
        // descriptor), or have effects on nothing that this program looks at again: a new descriptor, a page, a file of
        // the test's own folder. Those that would make a second process leave at once in it, below; one made by `vfork`
        // runs on this stack meanwhile, and can garble it, which ends a process whose only purpose has failed by then.
        let result = unsafe { libc::syscall(self.number, a, b, c, d, e, f) };
        if self.makes_process() && result == 0 {
            // SAFETY: ends the second process and returns to nothing.
            unsafe { libc::syscall(libc::SYS_exit_group, 0) };
        }
        if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn makes_process(&self) -> bool {
        matches!(self.name, "clone" | "fork" | "vfork")
    }
}

/// A call by the numbering of 32-bit programs, which the same number means another call in.
#[cfg(target_arch = "x86_64")]
fn int80() -> io::Result<()> {
    let result: i32;
    // SAFETY: number 20 asks for the process's number and touches no memory. Without support in the kernel the
    // instruction is a fault, which ends the process.
    unsafe {
        std::arch::asm!(
            "int 0x80",
            inlateout("eax") 20 => result,
            lateout("r8") _,
            lateout("r9") _,
            lateout("r10") _,
            lateout("r11") _,
        );
    };
    if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(()) }
}

#[cfg(not(target_arch = "x86_64"))]
fn int80() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// All of them. `text` is a path for those that need one.
pub(crate) fn calls(text: &str) -> Vec<Call> {
    let mut calls = of_files(text);
    calls.extend(of_sockets());
    calls.extend(of_processes());
    calls.extend(of_memory());
    calls.extend(of_the_kernel());
    #[cfg(target_arch = "x86_64")]
    calls.extend(of_old_architectures(text));
    calls
}

fn call<const N: usize>(name: &'static str, number: c_long, given: [usize; N]) -> Call {
    let mut arguments = [0; 6];
    arguments[..N].copy_from_slice(&given);
    Call { name, number, arguments, _text: None }
}

/// A call whose argument number `at` is the path.
fn with_path<const N: usize>(name: &'static str, number: c_long, path: &str, at: usize, given: [usize; N]) -> Call {
    let text = CString::new(path).unwrap_or_default();
    let mut call = call(name, number, given);
    call.arguments[at] = text.as_ptr().addr();
    call._text = Some(text);
    call
}

const HERE: usize = libc::AT_FDCWD.cast_unsigned() as usize;

fn of_files(path: &str) -> Vec<Call> {
    let how = [libc::O_RDONLY as u64, 0, 0];
    let how = Box::leak(Box::new(how)).as_ptr().addr();
    let new = format!("{path}-new");
    vec![
        with_path("openat", libc::SYS_openat, path, 1, [HERE, 0, 0]),
        with_path("openat2", libc::SYS_openat2, path, 1, [HERE, 0, how, 24]),
        with_path("unlinkat", libc::SYS_unlinkat, path, 1, [HERE, 0, 0]),
        with_path("mkdirat", libc::SYS_mkdirat, &new, 1, [HERE, 0, 0o700]),
        with_path("mknodat", libc::SYS_mknodat, &new, 1, [HERE, 0, 0o700, 0]),
        with_path("symlinkat", libc::SYS_symlinkat, &new, 2, [c"/".as_ptr().addr(), HERE, 0]),
        with_path("fchmodat", libc::SYS_fchmodat, path, 1, [HERE, 0, 0o400]),
        with_path("fchownat", libc::SYS_fchownat, path, 1, [HERE, 0, 1, 1, 0]),
        with_path("truncate", libc::SYS_truncate, path, 0, [0, 0]),
        with_path("newfstatat", libc::SYS_newfstatat, path, 1, [HERE, 0, null::<u8>().addr(), 0]),
        with_path("statx", libc::SYS_statx, path, 1, [HERE, 0, 0, 0, 0]),
        with_path("faccessat", libc::SYS_faccessat, path, 1, [HERE, 0, 0]),
        with_path("readlinkat", libc::SYS_readlinkat, path, 1, [HERE, 0, 0, 0]),
        with_path("chdir", libc::SYS_chdir, "/", 0, [0]),
        with_path("chroot", libc::SYS_chroot, "/", 0, [0]),
        with_path("mount", libc::SYS_mount, "/nothing", 1, [0, 0, 0, 0, 0]),
        with_path("umount2", libc::SYS_umount2, "/nothing", 0, [0, 0]),
        with_path("setxattr", libc::SYS_setxattr, path, 0, [0, 0, 0, 0, 0]),
        with_path("inotify_add_watch", libc::SYS_inotify_add_watch, path, 1, [INPUT, 0, 1]),
        call("getcwd", libc::SYS_getcwd, [0, 0]),
        call("dup", libc::SYS_dup, [INPUT]),
        call("ioctl", libc::SYS_ioctl, [INPUT, libc::FIONBIO as usize, 0]),
        call("fcntl", libc::SYS_fcntl, [INPUT, libc::F_SETFL as usize, libc::O_NONBLOCK as usize]),
        call("pidfd_getfd", libc::SYS_pidfd_getfd, [INPUT, 0, 0]),
    ]
}

fn of_sockets() -> Vec<Call> {
    vec![
        call("socket", libc::SYS_socket, [libc::AF_INET as usize, libc::SOCK_STREAM as usize, 0]),
        call("socket_unix", libc::SYS_socket, [libc::AF_UNIX as usize, libc::SOCK_STREAM as usize, 0]),
        call("socketpair", libc::SYS_socketpair, [libc::AF_UNIX as usize, libc::SOCK_STREAM as usize, 0, 0]),
        call("connect", libc::SYS_connect, [INPUT, 0, 0]),
        call("bind", libc::SYS_bind, [INPUT, 0, 0]),
        call("listen", libc::SYS_listen, [INPUT, 1]),
        call("accept4", libc::SYS_accept4, [INPUT, 0, 0, 0]),
        call("setsockopt", libc::SYS_setsockopt, [INPUT, 0, 0, 0, 0]),
    ]
}

fn of_processes() -> Vec<Call> {
    let parent = usize::try_from(nix::unistd::getppid().as_raw()).unwrap_or_default();
    let clone3 = Box::leak(Box::new([0_u64; 11])).as_ptr().addr();
    vec![
        with_path("execve", libc::SYS_execve, "/bin/true", 0, [0, 0, 0]),
        with_path("execveat", libc::SYS_execveat, "/bin/true", 1, [HERE, 0, 0, 0, 0]),
        call("clone", libc::SYS_clone, [libc::SIGCHLD as usize, 0, 0, 0, 0]),
        // Of a size that no kernel takes: in a second process it would go on in the wrong place.
        call("clone3", libc::SYS_clone3, [clone3, 8]),
        call("kill", libc::SYS_kill, [parent, NO_SIGNAL]),
        call("tkill", libc::SYS_tkill, [parent, NO_SIGNAL]),
        call("tgkill", libc::SYS_tgkill, [parent, parent, NO_SIGNAL]),
        call("rt_sigqueueinfo", libc::SYS_rt_sigqueueinfo, [parent, NO_SIGNAL, 0]),
        call("pidfd_open", libc::SYS_pidfd_open, [parent, 0]),
        call("pidfd_send_signal", libc::SYS_pidfd_send_signal, [INPUT, NO_SIGNAL, 0, 0]),
        call("ptrace", libc::SYS_ptrace, [libc::PTRACE_SEIZE as usize, parent, 0, 0]),
        call("process_vm_readv", libc::SYS_process_vm_readv, [parent, 0, 0, 0, 0, 0]),
        call("process_vm_writev", libc::SYS_process_vm_writev, [parent, 0, 0, 0, 0, 0]),
        call("setrlimit", libc::SYS_prlimit64, [0, libc::RLIMIT_NOFILE as usize, 0, 0]),
        call("prctl", libc::SYS_prctl, [libc::PR_SET_DUMPABLE as usize, 1, 0, 0, 0]),
        call("personality", libc::SYS_personality, [libc::READ_IMPLIES_EXEC as usize]),
        call("setuid", libc::SYS_setuid, [1]),
        call("capset", libc::SYS_capset, [0, 0]),
        call("setpgid", libc::SYS_setpgid, [0, 0]),
        call("setpriority", libc::SYS_setpriority, [0, 0, 0]),
        call("sched_setaffinity", libc::SYS_sched_setaffinity, [0, 0, 0]),
        call("unshare", libc::SYS_unshare, [libc::CLONE_NEWUSER as usize]),
        call("setns", libc::SYS_setns, [INPUT, 0]),
        call("wait4", libc::SYS_wait4, [usize::MAX, 0, libc::WNOHANG as usize, 0]),
        call("sigaction_alarm", libc::SYS_rt_sigaction, [libc::SIGALRM as usize, 0, 0, 8]),
        call("sigaction_term", libc::SYS_rt_sigaction, [libc::SIGTERM as usize, 0, 0, 8]),
        call("timer_create", libc::SYS_timer_create, [libc::CLOCK_MONOTONIC as usize, 0, 0]),
    ]
}

fn of_memory() -> Vec<Call> {
    // SAFETY: a new mapping disturbs none.
    let page = unsafe {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        libc::mmap(ptr::null_mut(), 4096, access, kind, -1, 0)
    };
    let page = page.addr();
    let runnable = (libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC) as usize;
    let writable = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    let anonymous = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
    vec![
        call("mmap_exec", libc::SYS_mmap, [0, 4096, runnable, anonymous, usize::MAX, 0]),
        call("mmap_file", libc::SYS_mmap, [0, 4096, libc::PROT_READ as usize, libc::MAP_PRIVATE as usize, INPUT, 0]),
        call("mmap_to_write", libc::SYS_mmap, [0, 4096, writable, libc::MAP_SHARED as usize, INPUT, 0]),
        call("mprotect_exec", libc::SYS_mprotect, [page, 4096, runnable]),
        call("pkey_mprotect", libc::SYS_pkey_mprotect, [page, 4096, runnable, usize::MAX]),
        call("memfd_create", libc::SYS_memfd_create, [c"x".as_ptr().addr(), 0]),
        call("shmget", libc::SYS_shmget, [0, 4096, 0o600]),
        call("shmat", libc::SYS_shmat, [usize::MAX, 0, 0]),
        call("userfaultfd", libc::SYS_userfaultfd, [0]),
        call("mlockall", libc::SYS_mlockall, [libc::MCL_CURRENT as usize]),
    ]
}

fn of_the_kernel() -> Vec<Call> {
    vec![
        call("io_uring_setup", libc::SYS_io_uring_setup, [1, 0]),
        call("io_uring_enter", libc::SYS_io_uring_enter, [INPUT, 0, 0, 0, 0, 0]),
        call("bpf", libc::SYS_bpf, [0, 0, 0]),
        call("perf_event_open", libc::SYS_perf_event_open, [0, 0, 0, usize::MAX, 0]),
        call("seccomp", libc::SYS_seccomp, [libc::SECCOMP_SET_MODE_FILTER as usize, 0, 0]),
        call("add_key", libc::SYS_add_key, [0, 0, 0, 0, 0]),
        call("keyctl", libc::SYS_keyctl, [0, 0, 0, 0, 0]),
        call("init_module", libc::SYS_init_module, [0, 0, 0]),
        call("reboot", libc::SYS_reboot, [0, 0, 0, 0]),
        call("clock_settime", libc::SYS_clock_settime, [libc::CLOCK_REALTIME as usize, 0]),
        call("sysinfo", libc::SYS_sysinfo, [0]),
        call("unknown", 4_000, [0]),
    ]
}

#[cfg(target_arch = "x86_64")]
fn of_old_architectures(path: &str) -> Vec<Call> {
    /// Marks a number as one of the 32-bit variant of this architecture.
    const X32: c_long = 0x4000_0000;
    let new = format!("{path}-new");
    vec![
        with_path("open", libc::SYS_open, path, 0, [0, 0, 0]),
        with_path("creat", libc::SYS_creat, &new, 0, [0, 0o600]),
        with_path("unlink", libc::SYS_unlink, path, 0, [0]),
        with_path("mkdir", libc::SYS_mkdir, &new, 0, [0, 0o700]),
        with_path("chmod", libc::SYS_chmod, path, 0, [0, 0o400]),
        with_path("rename", libc::SYS_rename, path, 0, [0, c"/nothing/nothing".as_ptr().addr()]),
        call("fork", libc::SYS_fork, []),
        call("vfork", libc::SYS_vfork, []),
        call("modify_ldt", libc::SYS_modify_ldt, [0, 0, 0]),
        call("arch_prctl", libc::SYS_arch_prctl, [0, 0]),
        call("iopl", libc::SYS_iopl, [0]),
        call("x32", X32 | libc::SYS_getpid, []),
        call("int80", 0, []),
    ]
}
