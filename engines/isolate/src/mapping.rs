//! Memory obtained from the kernel directly: what an arena, a backup or a signal stack lies in.
//!
//! Mappings are reserved without being paid for (`MAP_NORESERVE`): pages exist from their first use on. Everything that a
//! rewind must not touch lives in one of its own.
//!
//! Absent on purpose: any policy of what is protected when.

use std::{io, ops::Range, ptr};

/// What a range of pages may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Any touch is a fault: guard pages, and room not yet given to an arena.
    None,
    /// Writing is a fault.
    Read,
    /// Ordinary memory.
    Write,
}

impl Access {
    fn bits(self) -> libc::c_int {
        match self {
            Self::None => libc::PROT_NONE,
            Self::Read => libc::PROT_READ,
            Self::Write => libc::PROT_READ | libc::PROT_WRITE,
        }
    }
}

/// Anonymous private memory, unmapped when dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: usize,
    len: usize,
}

impl Mapping {
    /// Maps at least `len` bytes of zeros.
    pub(crate) fn new(len: usize, access: Access) -> io::Result<Self> {
        let len = page_up(len.max(1)).ok_or(io::ErrorKind::OutOfMemory)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: without an address and MAP_FIXED the kernel picks unused room, so no existing memory is affected.
        let start = unsafe { libc::mmap(ptr::null_mut(), len, access.bits(), flags, -1, 0) };
        if start == libc::MAP_FAILED {
            Err(io::Error::last_os_error())
        } else {
            Ok(Self { start: start as usize, len })
        }
    }

    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// Length in bytes, a multiple of the page size.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn range(&self) -> Range<usize> {
        self.start..self.start + self.len
    }

    pub(crate) fn pointer(&self) -> *mut u8 {
        ptr::with_exposed_provenance_mut(self.start)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `new`, is owned by `self` alone, and its users borrow or own `self`.
        unsafe { libc::munmap(self.pointer().cast(), self.len) };
    }
}

/// Bytes per page.
pub(crate) fn page_size() -> usize {
    // SAFETY: sysconf reads a constant.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// `address` rounded up to a whole page; `None` past the end of the address space.
pub(crate) fn page_up(address: usize) -> Option<usize> {
    address.checked_next_multiple_of(page_size())
}

/// `address` rounded down to a whole page.
pub(crate) fn page_down(address: usize) -> usize {
    address - address % page_size()
}

/// Changes what whole pages may be used for. Makes one system call, so it may be used in signal handlers.
///
/// # Safety
/// The range must belong to the caller, and nothing may rely on more access than it is left with, unless the fault
/// handler gives it back.
pub(crate) unsafe fn protect(range: Range<usize>, access: Access) -> io::Result<()> {
    let start = ptr::with_exposed_provenance_mut(range.start);
    // SAFETY: mprotect changes no content; that the access may change is the caller's promise.
    match unsafe { libc::mprotect(start, range.len(), access.bits()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Gives the pages' memory back to the kernel; they read as zeros afterwards.
///
/// # Safety
/// The range must be whole pages of anonymous private memory of which nobody needs the content.
pub(crate) unsafe fn discard(range: Range<usize>) {
    if !range.is_empty() {
        let start = ptr::with_exposed_provenance_mut(range.start);
        // SAFETY: as the caller promises, the content is not needed. Failure would only cost memory.
        unsafe { libc::madvise(start, range.len(), libc::MADV_DONTNEED) };
    }
}

/// Copies `len` bytes between two places that do not overlap.
///
/// # Safety
/// Both ranges must be mapped, the target writable, and no reference to the target may be in use.
#[inline]
pub(crate) unsafe fn copy(from: usize, to: usize, len: usize) {
    let (from, to) = (ptr::with_exposed_provenance::<u8>(from), ptr::with_exposed_provenance_mut::<u8>(to));
    // SAFETY: the caller's promise.
    unsafe { ptr::copy_nonoverlapping(from, to, len) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_whole_pages_of_zeros_and_forgets_what_is_discarded() {
        let mapping = Mapping::new(page_size() + 1, Access::Write).unwrap();
        assert_eq!(mapping.len(), 2 * page_size());
        let last = mapping.range().end - 1;
        let byte = ptr::with_exposed_provenance_mut::<u8>(last);
        // SAFETY: the last byte of the mapping, which nobody else uses.
        unsafe {
            assert_eq!(byte.read(), 0);
            byte.write(7);
            discard(mapping.range());
            assert_eq!(byte.read_volatile(), 0);
        }
    }

    #[test]
    fn rounding_to_pages() {
        let page = page_size();
        assert_eq!((page_up(1), page_up(page), page_down(page + 1)), (Some(page), Some(page), page));
        assert_eq!(page_up(usize::MAX), None);
    }
}
