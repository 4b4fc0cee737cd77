//! The address range that all arenas of a process are cut from.
//!
//! It is reserved once and never given back, so that "does this pointer belong to an arena?" is one comparison: the
//! allocator asks it for every block that is freed outside a guest. What is not an arena's is inaccessible, and every arena is
//! followed by such a page, so that running past one's end is a fault.

use crate::mapping::{self, Access, Mapping};
use std::{io, ops::Range};

/// Reserved addresses and which of them are unused.
#[derive(Debug)]
pub(crate) struct Pool {
    room: Mapping,
    /// Unused ranges in ascending order, none touching another.
    holes: Vec<Range<usize>>,
}

impl Pool {
    /// Reserves `len` bytes of addresses.
    pub(crate) fn reserve(len: usize) -> io::Result<Self> {
        let room = Mapping::new(len, Access::None)?;
        // With huge pages a single page could not be protected cheaply, and rewinding would touch more than it needs. For the
        // whole pool, so that the kernel can join its parts again.
        // SAFETY: only advice, for an own mapping; a kernel without huge pages refuses it, which is as good.
        unsafe { libc::madvise(room.pointer().cast(), room.len(), libc::MADV_NOHUGEPAGE) };
        Ok(Self { holes: vec![room.range()], room })
    }

    pub(crate) fn range(&self) -> Range<usize> {
        self.room.range()
    }

    /// A zeroed, writable range of at least `len` bytes with an inaccessible page behind it.
    pub(crate) fn carve(&mut self, len: usize) -> io::Result<Range<usize>> {
        let page = mapping::page_size();
        let len = mapping::page_up(len).ok_or(io::ErrorKind::OutOfMemory)?;
        let needed = len.checked_add(page).ok_or(io::ErrorKind::OutOfMemory)?;
        let hole = self.holes.iter_mut().find(|hole| hole.len() >= needed).ok_or(io::ErrorKind::OutOfMemory)?;
        let carved = hole.start..hole.start + len;
        // SAFETY: a part of the pool's own mapping that is in no arena, and it only gains access.
        unsafe { mapping::protect(carved.clone(), Access::Write)? };
        hole.start += needed;
        self.holes.retain(|hole| !hole.is_empty());
        Ok(carved)
    }

    /// Takes a range back. Its content is gone and its pages are inaccessible afterwards.
    ///
    /// # Safety
    /// `carved` must come from [`Pool::carve`], be given back once, and nothing in it may be used any more.
    pub(crate) unsafe fn give_back(&mut self, carved: Range<usize>) {
        // SAFETY: as the caller promises, nobody needs the content or the access.
        unsafe {
            mapping::discard(carved.clone());
            if mapping::protect(carved.clone(), Access::None).is_err() {
                return; // too many mappings: the addresses are lost to the pool, which is safe
            }
        }
        let mut hole = carved.start..carved.end + mapping::page_size();
        let mut at = self.holes.partition_point(|other| other.start < hole.start);
        if at < self.holes.len() && self.holes[at].start == hole.end {
            hole.end = self.holes.remove(at).end;
        }
        if at > 0 && self.holes[at - 1].end == hole.start {
            at -= 1;
            hole.start = self.holes.remove(at).start;
        }
        self.holes.insert(at, hole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_reused_and_holes_join() {
        let page = mapping::page_size();
        let mut pool = Pool::reserve(16 * page).unwrap();
        let whole = pool.holes.clone();
        let first = pool.carve(page).unwrap();
        let second = pool.carve(3 * page - 5).unwrap();
        let third = pool.carve(page).unwrap();
        assert_eq!(second.len(), 3 * page);
        assert_eq!(second.start, first.end + page, "a page lies between");
        for range in [first.clone(), third, second] {
            // SAFETY: carved above, given back once.
            unsafe { pool.give_back(range) };
        }
        assert_eq!(pool.holes, whole);
        assert_eq!(pool.carve(2 * page).unwrap().start, first.start);
    }

    #[test]
    fn a_full_pool_says_so() {
        let page = mapping::page_size();
        let mut pool = Pool::reserve(4 * page).unwrap();
        assert!(pool.carve(4 * page).is_err(), "no room for the page behind");
        assert!(pool.carve(usize::MAX - 1).is_err());
        assert!(pool.carve(3 * page).is_ok());
        assert!(pool.carve(1).is_err());
    }
}
