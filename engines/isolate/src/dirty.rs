//! Which pages were written: found by write faults, remembered for good.
//!
//! A tracked range is write-protected. Its first write to a page faults; the handler calls [`Tracked::record`], which notes the
//! page, keeps its content where that is asked for, and makes it writable. A page stays in the set, so that after a few runs
//! there are no more faults: what a function writes in one run it writes in most.
//!
//! Unprotecting single pages splits the kernel's mapping, and a process may have about 65,000 of those. So outside runs the set
//! is rounded up to few contiguous stretches ([`stretches`]); the pages between count as written.
//!
//! Absent on purpose: the signal handler, and when a rewind happens.

use crate::mapping::{self, Access, Mapping};
use std::{
    io,
    ops::Range,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

/// Most contiguous stretches that the written pages of one range are kept in.
pub(crate) const MOST_STRETCHES: usize = 12;

/// What became of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// The page is writable now and in the set.
    Now,
    /// The page was in the set already: another thread's fault came first, or this was no write to a protected page.
    Before,
    /// The kernel refused to make it writable.
    Failed,
}

/// A range of whole pages whose writes are noticed.
#[derive(Debug)]
pub(crate) struct Tracked {
    range: Range<usize>,
    page: usize,
    written: Box<[AtomicU64]>,
    /// Whether pages joined since the last [`Tracked::settle`].
    grown: AtomicBool,
    /// Where a page's content from before its first write is kept, at its own offset.
    kept: Option<Mapping>,
}

impl Tracked {
    /// Prepares to track `range`, which is whole pages; with `keep`, the first content of every written page is kept for
    /// [`Tracked::rewind`].
    pub(crate) fn new(range: Range<usize>, keep: bool) -> io::Result<Self> {
        let page = mapping::page_size();
        let words = (range.len() / page).div_ceil(64);
        let kept = if keep { Some(Mapping::new(range.len(), Access::Write)?) } else { None };
        let written = std::iter::repeat_with(AtomicU64::default).take(words).collect();
        Ok(Self { range, page, written, grown: AtomicBool::new(false), kept })
    }

    /// Write-protects the range. From here on writes are noticed.
    ///
    /// # Safety
    /// The caller must answer for the range, and the fault handler must call [`Tracked::record`] for faults in it until
    /// [`Tracked::release`] or the end of the range.
    pub(crate) unsafe fn start(&self) -> io::Result<()> {
        if self.range.is_empty() {
            return Ok(());
        }
        // SAFETY: as the caller promises; writers get their access back from the fault handler.
        unsafe { mapping::protect(self.range.clone(), Access::Read) }
    }

    pub(crate) fn contains(&self, address: usize) -> bool {
        self.range.contains(&address)
    }

    pub(crate) fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Notes the page of `address`, which must lie in the range. For the fault handler: it allocates nothing.
    pub(crate) fn record(&self, address: usize) -> Recorded {
        let page = (address - self.range.start) / self.page;
        if self.has(page) {
            return Recorded::Before;
        }
        if self.open(page..page + 1).is_err() {
            return Recorded::Failed;
        }
        self.grown.store(true, Relaxed);
        Recorded::Now
    }

    /// Keeps the content of pages that are not in the set, makes them writable and adds them to it.
    fn open(&self, pages: Range<usize>) -> io::Result<()> {
        let addresses = self.addresses(&pages);
        for page in pages.clone().filter(|&page| !self.has(page)) {
            if let Some(kept) = &self.kept {
                let offset = page * self.page;
                // SAFETY: both are one whole page; the source is readable, the target is this range's own, and neither
                // is being written: the page is still protected.
                unsafe { mapping::copy(self.range.start + offset, kept.start() + offset, self.page) };
            }
        }
        // SAFETY: it only gains access, and whoever constructed this answers for the range.
        unsafe { mapping::protect(addresses, Access::Write)? };
        for page in pages {
            self.written[page / 64].fetch_or(1 << (page % 64), Relaxed);
        }
        Ok(())
    }

    fn has(&self, page: usize) -> bool {
        self.written[page / 64].load(Relaxed) & (1 << (page % 64)) != 0
    }

    fn addresses(&self, pages: &Range<usize>) -> Range<usize> {
        self.range.start + pages.start * self.page..self.range.start + pages.end * self.page
    }

    /// Number of pages in the set.
    pub(crate) fn count(&self) -> usize {
        self.written.iter().map(|word| word.load(Relaxed).count_ones() as usize).sum()
    }

    /// If pages joined the set since the last time: the set as address ranges, rounded up to few of them.
    pub(crate) fn settle(&self) -> Option<Vec<Range<usize>>> {
        if !self.grown.swap(false, Relaxed) {
            return None;
        }
        let count = self.range.len() / self.page;
        let exact = stretches((0..count).filter(|&page| self.has(page)), usize::MAX);
        let few = stretches((0..count).filter(|&page| self.has(page)), MOST_STRETCHES);
        let opened = few.iter().all(|pages| self.open(pages.clone()).is_ok());
        let chosen = if opened { few } else { exact };
        Some(chosen.iter().map(|pages| self.addresses(pages)).collect())
    }

    /// Copies the kept content of these ranges, which [`Tracked::settle`] gave, back.
    ///
    /// # Safety
    /// Nothing may refer to the content of the tracked range.
    pub(crate) unsafe fn rewind(&self, ranges: &[Range<usize>]) {
        let Some(kept) = &self.kept else { return };
        for range in ranges {
            let from = kept.start() + (range.start - self.range.start);
            // SAFETY: pages of a settled range are writable and their content was kept when they became so.
            unsafe { mapping::copy(from, range.start, range.len()) };
        }
    }

    /// Makes the whole range writable again and stops tracking.
    pub(crate) fn release(&self) {
        if !self.range.is_empty() {
            // SAFETY: it only gains access. Failure leaves pages for which faults are still recorded.
            let _ = unsafe { mapping::protect(self.range.clone(), Access::Write) };
        }
    }
}

/// Ascending page numbers as contiguous ranges, at most `most` of them: the smallest gaps are filled.
fn stretches(pages: impl Iterator<Item = usize>, most: usize) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for page in pages {
        match found.last_mut() {
            Some(last) if last.end == page => last.end += 1,
            _ => found.push(page..page + 1),
        }
    }
    while found.len() > most.max(1) {
        let gaps = found.windows(2).map(|pair| pair[1].start - pair[0].end);
        let Some((at, _)) = gaps.enumerate().min_by_key(|&(_, gap)| gap) else { break };
        found[at].end = found.remove(at + 1).end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pages: &[usize], most: usize, expected: &[(usize, usize)]) {
        let found = stretches(pages.iter().copied(), most);
        assert_eq!(found.iter().map(|range| (range.start, range.end)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn neighbours_join_and_the_smallest_gaps_are_filled() {
        check(&[], 3, &[]);
        check(&[4], 3, &[(4, 5)]);
        check(&[1, 2, 3, 7], 3, &[(1, 4), (7, 8)]);
        check(&[0, 10, 12, 30], 3, &[(0, 1), (10, 13), (30, 31)]);
        check(&[0, 10, 12, 30], 2, &[(0, 13), (30, 31)]);
        check(&[0, 10, 12, 30], 1, &[(0, 31)]);
        check(&[0, 10, 12, 30], 0, &[(0, 31)]);
    }

    #[test]
    fn written_pages_are_kept_and_come_back() {
        let page = mapping::page_size();
        let memory = Mapping::new(8 * page, Access::Write).unwrap();
        let byte = |at: usize| std::ptr::with_exposed_provenance_mut::<u8>(memory.start() + at * page);
        // SAFETY: this test alone uses the mapping, and it records each page before it writes there.
        unsafe {
            byte(2).write(5);
            let tracked = Tracked::new(memory.range(), true).unwrap();
            tracked.start().unwrap();
            assert_eq!(tracked.settle(), None);
            assert_eq!(tracked.record(memory.start() + 2 * page + 9), Recorded::Now);
            assert_eq!(tracked.record(memory.start() + 2 * page), Recorded::Before);
            byte(2).write(6);
            let ranges = tracked.settle().unwrap();
            assert!(ranges.iter().eq([&(memory.start() + 2 * page..memory.start() + 3 * page)]));
            assert_eq!(tracked.count(), 1);
            tracked.rewind(&ranges);
            assert_eq!(byte(2).read(), 5);
            tracked.release();
            byte(3).write(1);
        }
    }
}
