//! The filter that makes calls with an address wait at a gate, and handing the gate to its holder.
//!
//! The holder takes it from this process's descriptors, because sending a descriptor is one of the calls that wait.

use super::LayerState;
use crate::child;
use libc::{c_long, c_uint, c_ulong, sock_filter, sock_fprog};
use seccompiler::TargetArch;
use std::{
    io,
    net::{Ipv4Addr, TcpStream},
    os::fd::{AsRawFd as _, OwnedFd},
};

/// What is said to whoever will hold the gate.
#[derive(Clone, Copy, Debug)]
pub struct Handing {
    /// A descriptor of this process: the gate if it is made, and any other before that.
    pub descriptor: u32,
    /// Whether the gate is there, and waits to be taken; else it is asked whether one can be.
    pub is_made: bool,
}

/// Says something to the one who will hold the gate; whether it agrees.
pub type Keeper<'a> = &'a mut dyn FnMut(Handing) -> io::Result<bool>;

/// Calls that always wait.
const WAITING: [c_long; 3] = [libc::SYS_connect, libc::SYS_sendmsg, libc::SYS_sendmmsg];

/// Where `struct seccomp_data` has number, architecture and the two halves of the fifth argument.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ADDRESS: u32 = 48;
const ADDRESS_UPPER: u32 = 52;

/// Numbers of calls for programs with 32-bit pointers begin here (x86-64).
const OTHER_NUMBERS: u32 = 0x4000_0000;

/// Puts the gate before this process and has it taken.
pub(super) fn close(keeper: Option<Keeper<'_>>) -> LayerState {
    let Some(keeper) = keeper else { return LayerState::Missing("nobody holds the gate".to_owned()) };
    match handed_over(keeper) {
        Ok(state) => state,
        Err(error) => LayerState::Missing(error.to_string()),
    }
}

fn handed_over(keeper: Keeper<'_>) -> io::Result<LayerState> {
    if !keeper(Handing { descriptor: 0, is_made: false })? {
        return Ok(LayerState::Missing(
            "the proxy may not look into this process (`kernel.yama.ptrace_scope` above 1, or Linux before 5.6)"
                .to_owned(),
        ));
    }
    let gate = installed()?;
    keeper(Handing { descriptor: gate.as_raw_fd().cast_unsigned(), is_made: true })?;
    // Waits until the gate is held; loopback is never permitted.
    let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, 1));
    let holds = refused.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
    // With `gate` goes this process's own descriptor, with which it could answer itself.
    Ok(LayerState::of(holds, "a connection went past the gate"))
}

fn installed() -> io::Result<OwnedFd> {
    let mut program = program()?;
    let length = program.len().try_into().map_err(io::Error::other)?;
    let program = sock_fprog { len: length, filter: program.as_mut_ptr() };
    let mut flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    loop {
        // SAFETY: the kernel copies the program, whose length is told and which lives for the call. The descriptor that it
        // returns is new and close-on-exec, and belongs to nobody else.
        let made = unsafe {
            let mode: c_uint = libc::SECCOMP_SET_MODE_FILTER;
            child::made(libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program))
        };
        let Err(error) = made else { return made };
        let plain: c_ulong = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
        // Before Linux 5.19 signals interrupt a call that waits, and it is made again.
        if error.raw_os_error() != Some(libc::EINVAL) || flags == plain {
            return Err(error);
        }
        flags = plain;
    }
}

fn program() -> io::Result<Vec<sock_filter>> {
    let architecture = match TargetArch::try_from(std::env::consts::ARCH) {
        // As <linux/audit.h> numbers them: the machine of ELF, 64 bits, little-endian.
        Ok(TargetArch::x86_64) => 0xc000_003e,
        Ok(TargetArch::aarch64) => 0xc000_00b7,
        Ok(TargetArch::riscv64) => 0xc000_00f3,
        Err(_) => return Err(io::Error::other(format!("no filter for {}", std::env::consts::ARCH))),
    };
    let refused = |number: i32| libc::SECCOMP_RET_ERRNO | number.cast_unsigned();
    let is_other = cfg!(target_arch = "x86_64");
    let mut program = vec![
        load(ARCHITECTURE),
        jump(libc::BPF_JEQ, architecture, 1, 0),
        answer(libc::SECCOMP_RET_KILL_PROCESS),
        load(NUMBER),
        jump(libc::BPF_JGE, OTHER_NUMBERS, 0, 1),
        answer(if is_other { refused(libc::ENOSYS) } else { libc::SECCOMP_RET_ALLOW }),
    ];
    for call in WAITING {
        program.push(jump(libc::BPF_JEQ, number(call)?, 0, 1));
        program.push(answer(libc::SECCOMP_RET_USER_NOTIF));
    }
    program.extend([
        // `sendto` waits when it names an address.
        jump(libc::BPF_JEQ, number(libc::SYS_sendto)?, 1, 0),
        answer(libc::SECCOMP_RET_ALLOW),
        load(ADDRESS),
        jump(libc::BPF_JEQ, 0, 0, 3),
        load(ADDRESS_UPPER),
        jump(libc::BPF_JEQ, 0, 0, 1),
        answer(libc::SECCOMP_RET_ALLOW),
        answer(libc::SECCOMP_RET_USER_NOTIF),
    ]);
    Ok(program)
}

fn number(call: c_long) -> io::Result<u32> {
    u32::try_from(call).map_err(io::Error::other)
}

fn load(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0)
}

fn jump(comparison: u32, with: u32, if_true: u8, if_false: u8) -> sock_filter {
    instruction(libc::BPF_JMP | comparison | libc::BPF_K, with, if_true, if_false)
}

fn answer(action: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, action, 0, 0)
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: u16::try_from(code).unwrap_or_default(), jt, jf, k }
}
