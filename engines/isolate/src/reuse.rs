//! Free lists for the set-up: what is freed while a function loads is used again.
//!
//! Parsing and compiling leave several times more garbage than state; without this it would all be in the snapshot. Runs do
//! not use these lists: they would write to snapshot pages, and are over too soon to profit.
//!
//! Blocks are rounded up to a size class, by at most an eighth. A free block's first word is the address of the next free
//! one of its class. Absent on purpose: splitting and joining blocks.

use std::{cell::Cell, ops::Range, ptr};

/// Sizes up to this are classes in steps of 16 bytes.
const SMALL: usize = 1024;

/// Binary logarithm of the largest block that is reused, in bytes.
const LARGEST: u32 = 30;

const CLASSES: usize = SMALL / 16 + (LARGEST as usize - 10) * 8;

/// The class of blocks that hold `size` bytes, and how many bytes they really have; `None` for sizes too large to have one.
#[inline]
pub(crate) fn class(size: usize) -> Option<(usize, usize)> {
    if size <= SMALL {
        let steps = size.max(1).div_ceil(16);
        return Some((steps - 1, steps * 16));
    }
    // size is in (2^log, 2^(log+1)], which is cut in eight.
    let log = (size - 1).ilog2();
    if log >= LARGEST {
        return None;
    }
    let step = 1 << (log - 3);
    let parts = (size - (1 << log)).div_ceil(step);
    Some((SMALL / 16 + (log as usize - 10) * 8 + parts - 1, (1 << log) + parts * step))
}

/// The free blocks of one arena, by class.
#[derive(Debug)]
pub(crate) struct FreeLists([Cell<usize>; CLASSES]);

impl Default for FreeLists {
    fn default() -> Self {
        Self([const { Cell::new(0) }; CLASSES])
    }
}

impl FreeLists {
    pub(crate) fn clear(&self) {
        self.0.iter().for_each(|head| head.set(0));
    }

    /// Takes a free block of a class.
    #[inline]
    pub(crate) fn pop(&self, class: usize) -> Option<usize> {
        let head = self.0[class].get();
        if head == 0 {
            return None;
        }
        // SAFETY: a block that `push` was given and that nobody has got since; its first word is what `push` wrote.
        self.0[class].set(unsafe { ptr::with_exposed_provenance::<usize>(head).read() });
        Some(head)
    }

    /// Adds a block.
    ///
    /// # Safety
    /// It must be of this class, aligned to 16 bytes, writable, and not in use any more.
    #[inline]
    pub(crate) unsafe fn push(&self, class: usize, block: usize) {
        // SAFETY: as the caller promises; every class has room for a word.
        unsafe { ptr::with_exposed_provenance_mut::<usize>(block).write(self.0[class].get()) };
        self.0[class].set(block);
    }

    /// Takes all blocks out: the ranges that they cover, ascending, neighbours joined. For the end of the set-up, outside
    /// the guest: it allocates.
    pub(crate) fn drain(&self) -> Vec<Range<usize>> {
        let mut blocks: Vec<Range<usize>> = Vec::new();
        for (class, size) in SIZES {
            while let Some(block) = self.pop(class) {
                blocks.push(block..block + size);
            }
        }
        blocks.sort_unstable_by_key(|block| block.start);
        blocks.dedup_by(|next, before| {
            let joined = before.end == next.start;
            if joined {
                before.end = next.end;
            }
            joined
        });
        blocks
    }
}

/// Every class with the size of its blocks.
const SIZES: [(usize, usize); CLASSES] = {
    let mut sizes = [(0, 0); CLASSES];
    let mut size = 0;
    let mut at = 0;
    while at < CLASSES {
        size += if at < SMALL / 16 { 16 } else { 1 << (7 + (at - SMALL / 16) / 8) };
        sizes[at] = (at, size);
        at += 1;
    }
    sizes
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_ordered_and_waste_little() {
        let mut before = (0, 0);
        for size in (1..5000).chain((5000..(3 << 20)).step_by(97)) {
            let (class, rounded) = class(size).unwrap();
            assert!(rounded >= size && rounded % 16 == 0 && class < CLASSES, "{size}");
            assert!(rounded - size < 16.max(size / 8 + 1), "{size} → {rounded}");
            assert!(
                (class, rounded) == before || (class == before.0 + 1 || before == (0, 0)) && rounded > before.1,
                "{size}"
            );
            assert_eq!(super::class(rounded), Some((class, rounded)));
            before = (class, rounded);
        }
        assert_eq!(class(1 << 30), Some((CLASSES - 1, 1 << 30)));
        assert_eq!(class((1 << 30) + 1), None);
        assert_eq!(class(usize::MAX), None);
    }

    #[test]
    fn blocks_come_back_last_in_first_out() {
        let lists = FreeLists::default();
        let mut memory = [[0_u128; 2]; 3];
        let blocks = memory.each_mut().map(|block| (&raw mut *block).expose_provenance());
        assert_eq!(lists.pop(1), None);
        for block in blocks {
            // SAFETY: 32 bytes each, as class 1 asks, aligned, and used here only.
            unsafe { lists.push(1, block) };
        }
        assert_eq!([lists.pop(1), lists.pop(1)], [Some(blocks[2]), Some(blocks[1])]);
        lists.clear();
        assert_eq!(lists.pop(1), None);
    }

    #[test]
    fn draining_joins_neighbours() {
        assert!(SIZES.iter().all(|&(at, size)| class(size) == Some((at, size))));
        let lists = FreeLists::default();
        let mut memory = [0_u128; 16];
        let start = (&raw mut memory).expose_provenance();
        for (block, size) in [(128, 32), (0, 16), (16, 48), (160, 16), (208, 16)] {
            // SAFETY: parts of the array, aligned, and used here only.
            unsafe { lists.push(class(size).unwrap().0, start + block) };
        }
        let drained: Vec<_> = lists.drain().iter().map(|range| (range.start - start, range.end - start)).collect();
        assert_eq!(drained, [(0, 64), (128, 176), (208, 224)]);
        assert!(lists.drain().is_empty());
    }
}
