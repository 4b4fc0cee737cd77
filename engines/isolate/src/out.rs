//! The only way out of a guest: bytes, in memory that no rewind touches.

use crate::{
    control::Control,
    mapping::{Access, Mapping},
};
use std::{fmt, io, ptr, slice};

/// Bytes before the content, which hold its length.
const HEADER: usize = 16;

/// The output did not fit; nothing of what was being written was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the output buffer is full")
    }
}

impl std::error::Error for Full {}

/// A bounded buffer outside every arena.
///
/// A guest appends to it; what had been appended when a run was stopped is there afterwards, whole writes only.
#[derive(Debug)]
pub struct OutBuffer {
    memory: Mapping,
    capacity: usize,
}

impl OutBuffer {
    /// A buffer for `capacity` bytes, of which only what is used takes memory.
    ///
    /// # Errors
    /// What the kernel answers when there are no addresses left.
    pub fn new(capacity: usize) -> io::Result<Self> {
        let len = capacity.checked_add(HEADER).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { memory: Mapping::new(len, Access::Write)?, capacity })
    }

    /// Most bytes that it holds.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// What was written since the buffer was emptied.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `len` bytes behind the header lie in the mapping, which `self` owns.
        unsafe { slice::from_raw_parts(self.memory.pointer().add(HEADER), self.len()) }
    }

    /// Forgets the content.
    pub fn clear(&mut self) {
        self.set_len(0);
    }

    /// Appends all of `bytes` or nothing.
    ///
    /// # Errors
    /// If they do not fit.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Full> {
        // SAFETY: the mapping is `self`'s.
        unsafe { self.sink().write(bytes) }
    }

    /// Where [`tell`] writes while a run has this buffer.
    pub(crate) fn sink(&mut self) -> Sink {
        Sink { memory: self.memory.pointer(), capacity: self.capacity }
    }

    fn len(&self) -> usize {
        // SAFETY: the header is aligned and initialised (to zero). Volatile, since a run may end at any moment.
        let len = unsafe { ptr::read_volatile(self.memory.pointer().cast::<usize>()) };
        len.min(self.capacity)
    }

    fn set_len(&mut self, len: usize) {
        // SAFETY: as in `len`.
        unsafe { ptr::write_volatile(self.memory.pointer().cast::<usize>(), len) };
    }
}

/// An output buffer's memory, without its owner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sink {
    memory: *mut u8,
    capacity: usize,
}

impl Sink {
    /// Appends all of `bytes` or nothing. They may be part of what was written before: that is not touched.
    ///
    /// # Safety
    /// The buffer must still be there.
    unsafe fn write(self, bytes: &[u8]) -> Result<(), Full> {
        let header = self.memory.cast::<usize>();
        // SAFETY: the header is aligned and initialised (to zero). Volatile, since a run may end at any moment.
        let len = unsafe { ptr::read_volatile(header) }.min(self.capacity);
        let end = len.checked_add(bytes.len()).filter(|&end| end <= self.capacity).ok_or(Full)?;
        // SAFETY: within the mapping, as just checked, and behind everything that a reference to its content can cover, so
        // nothing is written that `bytes` or anyone else borrows. The length comes last: whole writes only.
        unsafe {
            self.memory.add(HEADER + len).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            ptr::write_volatile(header, end);
        }
        Ok(())
    }
}

/// Appends to the output of the run that the calling thread is in, as [`crate::Turn::write`] does: for code that no turn can be
/// handed to, such as a native function of an engine.
///
/// # Errors
/// If `bytes` do not fit, or outside of runs.
pub fn tell(bytes: &[u8]) -> Result<(), Full> {
    let sink = Control::inside().and_then(|control| control.sink.get()).ok_or(Full)?;
    // SAFETY: `perform` sets the sink for as long as it borrows the buffer.
    unsafe { sink.write(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_runs_there_is_nothing_to_tell() {
        assert_eq!(tell(b"x"), Err(Full));
    }

    #[test]
    fn it_takes_whole_writes_up_to_its_capacity() {
        let mut out = OutBuffer::new(5).unwrap();
        assert_eq!(out.write(b"abc"), Ok(()));
        assert_eq!(out.write(b"def"), Err(Full));
        assert_eq!(out.bytes(), b"abc");
        assert_eq!(out.write(b"de"), Ok(()));
        assert_eq!(out.write(b"x"), Err(Full));
        assert_eq!(out.bytes(), b"abcde");
        out.clear();
        assert_eq!((out.bytes(), out.capacity()), (&b""[..], 5));
    }
}
