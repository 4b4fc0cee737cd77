//! The allocator of an executable that is the proxy or, by its first argument, a process that runs functions.
//!
//! ```
//! # fn main() {}
//! #[global_allocator]
//! static ALLOCATOR: edgehook_isolate::RoleAlloc = edgehook_isolate::RoleAlloc;
//! ```
//!
//! A process whose first argument begins with [`ROLE`] has [`IsolateAlloc`], over the system's allocator: its start, its
//! memory and what a copy of it finds stay what they are without mimalloc, whose state would besides lie in the static data that
//! isolates exchange. Every other process has mimalloc, which takes less time and wastes less memory, and runs no guests.
//!
//! Absent on purpose: any change of mind. The first allocation decides, before `main`, so every block goes back to where it
//! came from.

use crate::IsolateAlloc;
use mimalloc::MiMalloc;
use std::{
    alloc::{GlobalAlloc, Layout},
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

/// What the first argument of the processes that run functions begins with.
pub const ROLE: &str = "__";

/// Longest path of an executable behind which its first argument is found, in bytes.
const LONGEST: usize = 4 << 10;

const UNDECIDED: u8 = 0;
const PROXY: u8 = 1;
const GUESTS: u8 = 2;

/// Which of the two this process is.
static SIDE: AtomicU8 = AtomicU8::new(UNDECIDED);

/// The global allocator of such an executable.
#[derive(Debug, Clone, Copy, Default)]
pub struct RoleAlloc;

/// Whether this process has mimalloc.
#[inline]
fn is_proxy() -> bool {
    match SIDE.load(Relaxed) {
        PROXY => true,
        GUESTS => false,
        _ => decide(),
    }
}

/// Looks at the process's arguments; allocates nothing. Threads that come here at once find the same.
#[cold]
fn decide() -> bool {
    let proxy = !first_argument_is_role();
    SIDE.store(if proxy { PROXY } else { GUESTS }, Relaxed);
    proxy
}

/// Whether the first argument begins with [`ROLE`]. Also where that cannot be found out: the system's allocator is right everywhere.
fn first_argument_is_role() -> bool {
    // SAFETY: the path ends with a zero; nothing else is passed.
    let file = unsafe { libc::open(c"/proc/self/cmdline".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if file < 0 {
        return true;
    }
    let mut bytes = [0_u8; LONGEST + ROLE.len() + 1];
    let mut length = 0;
    while length < bytes.len() {
        let free = &mut bytes[length..];
        // SAFETY: the pointer and the length are those of a slice that nobody else has.
        let count = unsafe { libc::read(file, free.as_mut_ptr().cast(), free.len()) };
        match usize::try_from(count) {
            Ok(0) | Err(_) => break,
            Ok(count) => length += count,
        }
    }
    // SAFETY: opened above, and closed nowhere else.
    unsafe { libc::close(file) };
    names_role(&bytes[..length])
}

/// The same of arguments that each end with a zero.
fn names_role(arguments: &[u8]) -> bool {
    let mut arguments = arguments.split_inclusive(|byte| *byte == 0);
    let program = arguments.next().is_some_and(|program| program.ends_with(&[0]));
    !program || arguments.next().is_some_and(|first| first.starts_with(ROLE.as_bytes()))
}

// SAFETY: all calls of a process go to the same of two allocators, unchanged: the first one decides for good, and no block is freed
// or grown before one was allocated.
unsafe impl GlobalAlloc for RoleAlloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on unchanged.
        unsafe { if is_proxy() { MiMalloc.alloc(layout) } else { IsolateAlloc.alloc(layout) } }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: passed on unchanged.
        unsafe { if is_proxy() { MiMalloc.dealloc(pointer, layout) } else { IsolateAlloc.dealloc(pointer, layout) } }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on unchanged.
        unsafe { if is_proxy() { MiMalloc.alloc_zeroed(layout) } else { IsolateAlloc.alloc_zeroed(layout) } }
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: passed on unchanged.
        unsafe {
            if is_proxy() {
                MiMalloc.realloc(pointer, layout, size)
            } else {
                IsolateAlloc.realloc(pointer, layout, size)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_argument_tells() {
        for (arguments, expected) in [
            (&b"edgehook\0"[..], false),
            (b"edgehook\0serve\0", false),
            (b"edgehook\0serve\0__x\0", false),
            (b"edgehook\0_\0", false),
            (b"__edgehook\0serve\0", false),
            (b"edgehook\0__isolate-host\0", true),
            (b"\0__\0", true),
            (b"a path without its en", true),
            (b"", true),
        ] {
            assert_eq!(names_role(arguments), expected, "{}", arguments.escape_ascii());
        }
    }

    #[test]
    fn every_kind_of_block_is_as_asked() {
        for size in [1, 8, 24, 1 << 10, 100 << 10, 5 << 20] {
            let layout = Layout::from_size_align(size, 64).unwrap();
            // SAFETY: the layout is not empty; each block is used within its size and freed once, with the layout that it has then.
            unsafe {
                let block = RoleAlloc.alloc_zeroed(layout);
                assert!(!block.is_null() && block.addr().is_multiple_of(64));
                assert_eq!((*block, *block.add(size - 1)), (0, 0));
                block.write_bytes(7, size);
                let block = RoleAlloc.realloc(block, layout, size * 2);
                assert_eq!((*block, *block.add(size - 1)), (7, 7));
                RoleAlloc.dealloc(block, Layout::from_size_align(size * 2, 64).unwrap());
            }
        }
    }
}
