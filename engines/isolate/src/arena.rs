//! The allocator: the system's, except inside a guest, where it is a pointer that moves up through the guest's arena.
//!
//! ```
//! # fn main() {}
//! #[global_allocator]
//! static ALLOCATOR: edgehook_isolate::IsolateAlloc = edgehook_isolate::IsolateAlloc;
//! ```
//!
//! | | outside a guest | inside |
//! |---|---|---|
//! | allocate | system | next free bytes of the arena; at the run's cap the run ends |
//! | free a system block | system | nothing (see below) |
//! | free an arena block | nothing | nothing, except that the last block is given back; while loading, it is kept for reuse |
//! | grow a block | system; an arena block is copied out | in place if it is the last, otherwise copied |
//!
//! A guest that frees a system block leaks it. It may have got it through a static or a thread-local which the exchange at the end
//! of the run points to that block again, so freeing it would be wrong; and the system's allocator may not be interrupted.
//!
//! Absent on purpose: any collection of a run's garbage. A run is short, and its whole heap goes at once. Loading is another
//! matter: see `reuse.rs`.

use crate::{
    control::Control,
    guard::Exit,
    mapping,
    reuse::{self, FreeLists},
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    ptr,
};

/// Least alignment of a block, in bytes.
const ALIGNMENT: usize = 16;

/// The global allocator of an executable that runs guests.
///
/// In a process that never does it costs one load and one branch per call.
#[derive(Debug, Clone, Copy, Default)]
pub struct IsolateAlloc;

/// The part of the arena that the running guest may still use. All but the last three are addresses.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    /// First byte of what the run may use.
    start: Cell<usize>,
    /// First free byte.
    next: Cell<usize>,
    /// End of what the run may use.
    limit: Cell<usize>,
    /// The block that ends at `next`; 0 if that is not known.
    last: Cell<usize>,
    /// Highest value of `next` in this run.
    peak: Cell<usize>,
    /// From here on the arena's pages were never written.
    soiled: Cell<usize>,
    /// Whether blocks are rounded up and reused: while loading.
    reusing: Cell<bool>,
    /// Bytes of blocks that are not free, while loading.
    live: Cell<usize>,
    free: FreeLists,
}

impl Heap {
    /// Prepares for a run whose blocks lie in `next..limit`; from `soiled` on that memory is known to be zeros.
    pub(crate) fn open(&self, next: usize, limit: usize, soiled: usize, reusing: bool) {
        self.start.set(next);
        self.next.set(next);
        self.limit.set(limit);
        self.last.set(0);
        self.peak.set(next);
        self.soiled.set(soiled);
        self.reusing.set(reusing);
        self.live.set(0);
        if reusing {
            self.free.clear();
        }
    }

    /// After loading, outside the guest: gives the memory of pages with nothing in use back; the bytes that are in use.
    pub(crate) fn close_load(&self) -> usize {
        for free in self.free.drain() {
            if free.end == self.next.get() {
                self.next.set(free.start);
            }
            let pages = mapping::page_up(free.start).unwrap_or(free.end)..mapping::page_down(free.end);
            if pages.start < pages.end {
                // SAFETY: whole pages of the arena in which every block is free.
                unsafe { mapping::discard(pages) };
            }
        }
        self.live.get()
    }

    pub(crate) fn next(&self) -> usize {
        self.next.get()
    }

    pub(crate) fn peak(&self) -> usize {
        self.peak.get()
    }

    /// The class of a block that is reused when free, and its real size.
    #[inline]
    fn class(&self, layout: Layout) -> Option<(usize, usize)> {
        if self.reusing.get() && layout.align() <= ALIGNMENT { reuse::class(layout.size()) } else { None }
    }

    /// The address of a new block; `None` if the run's cap is reached.
    #[inline]
    fn take(&self, layout: Layout) -> Option<usize> {
        let mut size = layout.size();
        if self.reusing.get() {
            if let Some((class, rounded)) = self.class(layout) {
                if let Some(block) = self.free.pop(class) {
                    self.live.set(self.live.get() + rounded);
                    return Some(block);
                }
                size = rounded;
            }
            self.live.set(self.live.get().saturating_add(size));
        }
        let mask = layout.align().max(ALIGNMENT) - 1;
        let start = self.next.get().checked_add(mask)? & !mask; // an alignment is a power of two
        self.extend(start, size)
    }

    /// Makes the block at `start` the last one, `size` bytes long.
    #[inline]
    fn extend(&self, start: usize, size: usize) -> Option<usize> {
        let end = start.checked_add(size).filter(|&end| end <= self.limit.get())?;
        self.last.set(start);
        self.next.set(end);
        if end > self.peak.get() {
            self.peak.set(end);
        }
        Some(start)
    }

    #[inline]
    fn is_last(&self, start: usize, size: usize) -> bool {
        start == self.last.get() && start.checked_add(size) == Some(self.next.get())
    }

    #[inline]
    fn give_back(&self, start: usize, layout: Layout) {
        if self.reusing.get() {
            self.set_free(start, layout);
        } else if self.is_last(start, layout.size()) {
            self.next.set(start);
            self.last.set(0);
        }
    }

    /// While loading: makes a block available again, unless it is the host's.
    fn set_free(&self, start: usize, layout: Layout) {
        if !(self.start.get()..self.next.get()).contains(&start) {
            return;
        }
        let (class, size) = self.class(layout).unzip();
        self.live.set(self.live.get().saturating_sub(size.unwrap_or(layout.size())));
        if let Some(class) = class {
            // SAFETY: a block of this arena that is being freed; its layout, and so its class, is that of its
            // allocation, since the same loading allocated it.
            unsafe { self.free.push(class, start) };
        }
    }

    /// Changes a block's size without moving it, if that is possible.
    #[inline]
    fn resize(&self, start: usize, layout: Layout, size: usize) -> Resized {
        if self.reusing.get() {
            let same = Layout::from_size_align(size, layout.align()).is_ok_and(|new| {
                let class = self.class(layout);
                class.is_some() && class == self.class(new) && (self.start.get()..self.next.get()).contains(&start)
            });
            return if same { Resized::InPlace } else { Resized::Elsewhere };
        }
        if self.is_last(start, layout.size()) {
            return if self.extend(start, size).is_some() { Resized::InPlace } else { Resized::Exhausted };
        }
        if size <= layout.size() { Resized::InPlace } else { Resized::Elsewhere }
    }

    /// How many bytes of a block that is about to be taken may hold something else than zeros.
    fn to_clear(&self, start: usize, size: usize, peak: usize) -> usize {
        self.soiled.get().max(peak).saturating_sub(start).min(size)
    }
}

/// How a block's size was changed.
enum Resized {
    InPlace,
    /// Not yet: it must be moved.
    Elsewhere,
    /// Not at all: the run's cap is reached.
    Exhausted,
}

/// Ends the run: no memory is left for it. Comes back, with null, only outside the guarded section.
#[cold]
fn exhausted(control: &Control) -> *mut u8 {
    control.leave(Exit::Memory);
    ptr::null_mut()
}

fn in_pool(pointer: *mut u8) -> bool {
    Control::get().is_some_and(|control| control.pool_range.contains(&pointer.addr()))
}

// SAFETY: outside a guest every call for a system block goes to `System` unchanged. Inside, blocks are disjoint: each lies between
// the old and the new `next`, aligned as asked, within the arena; only the block that ends at `next` is ever given back. A
// block is valid until the run ends, when everything that could refer to it is forgotten (see the crate's text). Blocks are
// told apart by their address: the pool's range holds arenas and nothing else.
unsafe impl GlobalAlloc for IsolateAlloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(control) = Control::inside() else {
            // SAFETY: passed on unchanged.
            return unsafe { System.alloc(layout) };
        };
        match control.heap.take(layout) {
            Some(start) => ptr::with_exposed_provenance_mut(start),
            None => exhausted(control),
        }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match Control::inside() {
            Some(control) => control.heap.give_back(pointer.addr(), layout),
            None if in_pool(pointer) => {}
            // SAFETY: not an arena's block, so `System` allocated it with this layout.
            None => unsafe { System.dealloc(pointer, layout) },
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(control) = Control::inside() else {
            // SAFETY: passed on unchanged.
            return unsafe { System.alloc_zeroed(layout) };
        };
        let peak = control.heap.peak();
        match control.heap.take(layout) {
            Some(start) => {
                let block = ptr::with_exposed_provenance_mut::<u8>(start);
                // SAFETY: within the new block.
                unsafe { block.write_bytes(0, control.heap.to_clear(start, layout.size(), peak)) };
                block
            }
            None => exhausted(control),
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match Control::inside() {
            Some(control) => match control.heap.resize(pointer.addr(), layout, size) {
                Resized::InPlace => return pointer,
                Resized::Exhausted => return exhausted(control),
                Resized::Elsewhere => {}
            },
            None if !in_pool(pointer) => {
                // SAFETY: not an arena's block, so `System` allocated it with this layout.
                return unsafe { System.realloc(pointer, layout, size) };
            }
            None => {}
        }
        // SAFETY: the caller keeps to `GlobalAlloc::realloc`'s terms: `size` is not zero and does not overflow with this alignment.
        let block = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !block.is_null() {
            // SAFETY: a new block and an old one, each at least this long; the old one is not used afterwards.
            unsafe {
                pointer.copy_to_nonoverlapping(block, layout.size().min(size));
                self.dealloc(pointer, layout);
            }
        }
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn blocks_are_disjoint_aligned_and_within_the_cap() {
        let heap = Heap::default();
        heap.open(0x1_0000, 0x1_0100, 0x1_0000, false);
        assert_eq!(heap.take(layout(1, 1)), Some(0x1_0000));
        assert_eq!(heap.take(layout(1, 1)), Some(0x1_0010));
        assert_eq!(heap.take(layout(8, 64)), Some(0x1_0040));
        assert_eq!(heap.take(layout(0x100, 1)), None, "past the cap");
        assert_eq!(heap.take(layout(isize::MAX as usize, 1)), None);
        assert_eq!(heap.take(layout(0xb0, 16)), Some(0x1_0050), "the cap itself");
        assert_eq!(heap.take(layout(1, 1)), None);
    }

    #[test]
    fn only_the_last_block_grows_or_goes() {
        let heap = Heap::default();
        heap.open(0x1_0000, 0x2_0000, 0x1_0000, false);
        let first = heap.take(layout(16, 16)).unwrap();
        let second = heap.take(layout(16, 16)).unwrap();
        heap.give_back(first, layout(16, 16));
        assert_eq!(heap.next(), 0x1_0020);
        assert!(heap.is_last(second, 16) && !heap.is_last(first, 16) && !heap.is_last(second, 8));
        assert_eq!(heap.extend(second, 48), Some(second));
        heap.give_back(second, layout(48, 16));
        assert_eq!((heap.next(), heap.peak()), (0x1_0010, 0x1_0040));
        heap.give_back(first, layout(16, 16));
        assert_eq!(heap.next(), 0x1_0010, "what is the last block now is not known");
    }

    #[test]
    fn only_memory_that_was_used_is_cleared() {
        let heap = Heap::default();
        heap.open(0x1_0000, 0x2_0000, 0x1_0020, false);
        assert_eq!(heap.to_clear(0x1_0000, 0x40, 0x1_0000), 0x20);
        assert_eq!(heap.to_clear(0x1_0000, 0x10, 0x1_0000), 0x10);
        assert_eq!(heap.to_clear(0x1_0020, 0x10, 0x1_0000), 0);
        assert_eq!(heap.to_clear(0x1_0020, 0x10, 0x1_0028), 8, "used and given back within this run");
    }
}
