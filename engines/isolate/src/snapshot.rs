//! The state of a program outside its heap: writable static data and thread-locals, and how two owners share them.
//!
//! A guest's statics and thread-locals point into its arena, the host's do not, and both use the same addresses. So they are
//! *exchanged*: [`Statics::enter`] puts the host's away and lays out the guest's as they were at its snapshot,
//! [`Statics::leave`] forgets the guest's and brings the host's back. Nothing a guest does to them reaches the host or another
//! guest, and nothing the host does to its own is undone.
//!
//! What is exchanged is `.data` and `.bss` of the executable (its writable segments without those pages that the loader makes
//! read-only) and the executable's thread-local block of the guest thread. Shared libraries keep theirs: the C library's
//! state (its own heap, `errno`, stdio) belongs to the host and to the guest alike, which is why a guest must not use any
//! part of it that allocates or locks.
//!
//! Static pages that nobody has written since tracking began are the same in every image, so only written ones are copied.
//!
//! Absent on purpose: the arena, which has an address range of its own per guest and is rewound in place.

use crate::{
    dirty::{Recorded, Tracked},
    mapping::{self, Access, Mapping},
};
use std::{cell::RefCell, ffi::c_void, io, ops::Range, slice};

/// One owner's statics and thread-locals: all static pages, then the thread-local block.
#[derive(Debug)]
pub(crate) struct Image(Mapping);

/// A stretch of written static data: where it is, and where in an image.
#[derive(Debug, Clone)]
struct Piece {
    address: usize,
    offset: usize,
    len: usize,
}

/// The executable's statics and the guest thread's thread-locals.
#[derive(Debug)]
pub(crate) struct Statics {
    regions: Vec<Tracked>,
    pieces: RefCell<Vec<Piece>>,
    thread_locals: Range<usize>,
    host: Image,
}

impl Statics {
    /// Finds them for the calling thread.
    pub(crate) fn find() -> io::Result<Self> {
        let found = Found::in_executable();
        let len = found.writable.iter().map(Range::len).sum::<usize>() + found.thread_locals.len();
        let host = Image(Mapping::new(len, Access::Write)?);
        let mut regions = Vec::new();
        for range in found.writable {
            regions.push(Tracked::new(range, false)?);
        }
        Ok(Self { regions, pieces: RefCell::default(), thread_locals: found.thread_locals, host })
    }

    /// Begins to track writes.
    ///
    /// # Safety
    /// The fault handler must be in place and pass faults to [`Statics::record`] until [`Statics::release`] was called.
    pub(crate) unsafe fn start(&self) -> io::Result<()> {
        for region in &self.regions {
            // SAFETY: the executable's writable data; the caller promises the handler.
            unsafe { region.start()? };
        }
        self.capture(&self.host);
        Ok(())
    }

    /// Room for a guest's image.
    pub(crate) fn image(&self) -> io::Result<Image> {
        Mapping::new(self.host.0.len(), Access::Write).map(Image)
    }

    /// Copies everything as it is now into `image`.
    pub(crate) fn capture(&self, image: &Image) {
        let mut offset = 0;
        for range in self.regions.iter().map(Tracked::range) {
            // SAFETY: static data is readable, and an image has room for all of it in this order.
            unsafe { mapping::copy(range.start, image.0.start() + offset, range.len()) };
            offset += range.len();
        }
        // SAFETY: this thread's own block, and its place behind the statics.
        unsafe { mapping::copy(self.thread_locals.start, image.0.start() + offset, self.thread_locals.len()) };
    }

    /// Puts the host's state away and, given an image, lays out the guest's.
    ///
    /// # Safety
    /// On the guest thread, outside any guest, with no reference to statics or thread-locals in use, and followed by
    /// [`Statics::leave`] before host code goes on.
    pub(crate) unsafe fn enter(&self, image: Option<&Image>) {
        self.settle();
        // SAFETY: the caller's promise; pieces are writable.
        unsafe {
            self.each(|live, offset, len| mapping::copy(live, self.host.0.start() + offset, len));
            if let Some(image) = image {
                self.each(|live, offset, len| mapping::copy(image.0.start() + offset, live, len));
            }
        }
    }

    /// Forgets the guest's state and lays out the host's again.
    ///
    /// # Safety
    /// On the guest thread, after [`Statics::enter`], with no guest code running any more.
    pub(crate) unsafe fn leave(&self) {
        self.settle();
        // SAFETY: the caller's promise. For pages that joined since `enter`, the host's image holds what they had when
        // tracking began, which nobody had changed since.
        unsafe { self.each(|live, offset, len| mapping::copy(self.host.0.start() + offset, live, len)) };
    }

    /// Calls `copy(live address, offset in an image, bytes)` for every written stretch and the thread-locals.
    #[inline]
    fn each(&self, copy: impl Fn(usize, usize, usize)) {
        for piece in self.pieces.borrow().iter() {
            copy(piece.address, piece.offset, piece.len);
        }
        let offset = self.statics_len();
        copy(self.thread_locals.start, offset, self.thread_locals.len());
    }

    fn settle(&self) {
        let mut offset = 0;
        for region in &self.regions {
            let range = region.range();
            if let Some(stretches) = region.settle() {
                let mut pieces = self.pieces.borrow_mut();
                pieces.retain(|piece| !range.contains(&piece.address));
                pieces.extend(stretches.into_iter().map(|stretch| Piece {
                    address: stretch.start,
                    offset: offset + (stretch.start - range.start),
                    len: stretch.len(),
                }));
            }
            offset += range.len();
        }
    }

    /// For the fault handler: notes a write to static data; `None` if the address is none of it.
    pub(crate) fn record(&self, address: usize) -> Option<Recorded> {
        self.regions.iter().find(|region| region.contains(address)).map(|region| region.record(address))
    }

    /// Ends tracking: static data is ordinary memory again.
    pub(crate) fn release(&self) {
        self.regions.iter().for_each(Tracked::release);
    }

    /// Bytes of static data.
    pub(crate) fn statics_len(&self) -> usize {
        self.regions.iter().map(|region| region.range().len()).sum()
    }

    /// Bytes of thread-locals.
    pub(crate) fn thread_locals_len(&self) -> usize {
        self.thread_locals.len()
    }

    /// Bytes that an exchange copies.
    pub(crate) fn exchanged(&self) -> usize {
        self.pieces.borrow().iter().map(|piece| piece.len).sum::<usize>() + self.thread_locals.len()
    }

    /// Calls `visit(address, bytes)` for all static data and the thread-locals, written or not.
    pub(crate) fn visit(&self, mut visit: impl FnMut(usize, usize)) {
        for range in self.regions.iter().map(Tracked::range).chain([self.thread_locals.clone()]) {
            visit(range.start, range.len());
        }
    }
}

/// What the program headers of the executable say.
#[derive(Default)]
struct Found {
    writable: Vec<Range<usize>>,
    thread_locals: Range<usize>,
}

impl Found {
    fn in_executable() -> Self {
        let mut found = Self::default();
        // SAFETY: the callback has the type that the C library expects, and `found` outlives the call.
        unsafe { libc::dl_iterate_phdr(Some(first_object), (&raw mut found).cast()) };
        found
    }

    fn read(&mut self, base: usize, headers: &[libc::Elf64_Phdr], thread_locals: usize) {
        let place = |header: &libc::Elf64_Phdr| {
            let start = base + header.p_vaddr as usize;
            start..start + header.p_memsz as usize
        };
        let mut fixed = 0..0;
        for header in headers {
            match header.p_type {
                libc::PT_GNU_RELRO => fixed = place(header),
                libc::PT_TLS => self.thread_locals = thread_locals..thread_locals + header.p_memsz as usize,
                _ => {}
            }
        }
        for header in headers.iter().filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W != 0)
        {
            let place = place(header);
            let mut start = mapping::page_down(place.start);
            // The loader protects whole pages only, and what it protects is always a segment's beginning.
            if fixed.contains(&place.start) {
                start = mapping::page_down(fixed.end);
            }
            let end = mapping::page_up(place.end).unwrap_or(place.end);
            if start < end {
                self.writable.push(start..end);
            }
        }
    }
}

/// Reads the first object of the list, which is the executable, and stops. `dlpi_tls_data` is the calling thread's block
/// on every architecture, wherever that keeps it.
unsafe extern "C" fn first_object(info: *mut libc::dl_phdr_info, _: libc::size_t, found: *mut c_void) -> libc::c_int {
    // SAFETY: the C library passes a valid description, and `found` is what `in_executable` gave it.
    let (info, found) = unsafe { (&*info, &mut *found.cast::<Found>()) };
    // SAFETY: address and number of the program headers belong together and are mapped as long as the program runs.
    let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    found.read(info.dlpi_addr as usize, headers, info.dlpi_tls_data as usize);
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::Cell, sync::atomic::AtomicU32};

    static COUNTED: AtomicU32 = AtomicU32::new(3);
    static EMPTY: AtomicU32 = AtomicU32::new(0);
    static FIXED: &str = "read-only";

    thread_local!(static LOCAL: Cell<u32> = const { Cell::new(9) });

    #[test]
    fn statics_and_thread_locals_are_found() {
        let found = Found::in_executable();
        let writable = |address: usize| found.writable.iter().any(|range| range.contains(&address));
        assert!(writable((&raw const COUNTED) as usize) && writable((&raw const EMPTY) as usize));
        assert!(!writable(FIXED.as_ptr() as usize) && !writable((&raw const FIXED) as usize));
        LOCAL.with(|local| assert!(found.thread_locals.contains(&(local.as_ptr() as usize))));
        let page = mapping::page_size();
        assert!(found.writable.iter().all(|range| range.start % page == 0 && range.end % page == 0));
    }

    #[test]
    fn protected_pages_at_a_segments_beginning_are_left_out() {
        // SAFETY: a program header is plain numbers, for which zeros are valid.
        let header = |kind, start: u64, len: u64| unsafe {
            libc::Elf64_Phdr { p_type: kind, p_flags: libc::PF_W, p_vaddr: start, p_memsz: len, ..std::mem::zeroed() }
        };
        let page = mapping::page_size() as u64;
        let check = |headers: &[libc::Elf64_Phdr], expected: &[(u64, u64)]| {
            let mut found = Found::default();
            found.read(0, headers, 0);
            let found: Vec<_> = found.writable.iter().map(|range| (range.start as u64, range.end as u64)).collect();
            assert_eq!(found, expected);
        };
        let load = header(libc::PT_LOAD, page + 8, 3 * page);
        check(&[load], &[(page, 5 * page)]);
        check(&[load, header(libc::PT_GNU_RELRO, page + 8, page)], &[(2 * page, 5 * page)]);
        let alone = header(libc::PT_LOAD, page + 8, page - 8);
        check(&[alone, header(libc::PT_GNU_RELRO, page + 8, page - 8)], &[]);
    }
}
