//! What a process wants to send, copied out of its memory.

use nix::{
    errno::Errno,
    sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev},
    unistd::Pid,
};
use std::io::{IoSlice, IoSliceMut};

/// Bytes of a message that are taken; a stream's rest is for the process to send again, as after any short write.
const BYTES: u64 = 256 * 1024;

/// Parts of a message that are taken.
const PARTS: u64 = 1_024;

/// Bytes of `struct msghdr`, and of `struct mmsghdr`, on all 64-bit machines.
const HEADER: u64 = 56;
const NUMBERED_HEADER: u64 = 64;

/// Bytes of `struct iovec`.
const PART: u64 = 16;

/// A message: its bytes, and the address that it names.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    pub(super) name: Option<Vec<u8>>,
    /// Whether it was all of what was to be sent.
    pub(super) whole: bool,
}

impl Message {
    pub(super) fn from_buffer(thread: u32, start: u64, length: u64, name: Option<Vec<u8>>) -> Result<Self, Errno> {
        let bytes = read(thread, start, length.min(BYTES))?;
        Ok(Self { bytes, name, whole: length <= BYTES })
    }

    /// The message of a `struct msghdr`.
    pub(super) fn from_header(thread: u32, header: u64) -> Result<Self, Errno> {
        let header = read(thread, header, HEADER)?;
        let (name, name_length) = (number(&header, 0), number(&header, 8) & 0xffff_ffff);
        let (parts, count) = (number(&header, 16), number(&header, 24));
        if number(&header, 40) > 0 {
            // Descriptors, or options of this one message.
            return Err(Errno::EINVAL);
        }
        if count > PARTS {
            return Err(Errno::EMSGSIZE);
        }
        let name = super::name(thread, name, name_length)?;
        let parts = read(thread, parts, count * PART)?;
        let (mut bytes, mut wanted) = (Vec::new(), 0_u64);
        for part in parts.chunks_exact(16) {
            let (start, length) = (number(part, 0), number(part, 8));
            wanted = wanted.saturating_add(length);
            let room = BYTES - u64::try_from(bytes.len()).unwrap_or(BYTES);
            bytes.extend(read(thread, start, length.min(room))?);
        }
        Ok(Self { bytes, name, whole: wanted <= BYTES })
    }
}

/// Where each `struct msghdr` of an array of `struct mmsghdr` lies, and where its length is to be written.
pub(super) fn message_headers(start: u64, count: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..count).map(move |index| {
        let header = start.wrapping_add(index * NUMBERED_HEADER);
        (header, header.wrapping_add(HEADER))
    })
}

pub(super) fn write_length(thread: u32, at: u64, bytes: i64) -> Result<(), Errno> {
    let length = u32::try_from(bytes).unwrap_or(u32::MAX).to_ne_bytes();
    let remote = RemoteIoVec { base: place(at)?, len: length.len() };
    process_vm_writev(process(thread)?, &[IoSlice::new(&length)], &[remote]).map(drop)
}

/// Bytes of the memory of the process that a thread belongs to.
pub(super) fn read(thread: u32, start: u64, length: u64) -> Result<Vec<u8>, Errno> {
    if length == 0 {
        return Ok(Vec::new());
    }
    let length = usize::try_from(length).map_err(|_| Errno::EFAULT)?;
    let mut bytes = vec![0; length];
    let remote = RemoteIoVec { base: place(start)?, len: length };
    let read = process_vm_readv(process(thread)?, &mut [IoSliceMut::new(&mut bytes)], &[remote])?;
    if read == length { Ok(bytes) } else { Err(Errno::EFAULT) }
}

fn place(address: u64) -> Result<usize, Errno> {
    usize::try_from(address).map_err(|_| Errno::EFAULT)
}

fn process(thread: u32) -> Result<Pid, Errno> {
    i32::try_from(thread).map(Pid::from_raw).map_err(|_| Errno::ESRCH)
}

/// A word of a structure that was read, at an offset that lies inside it.
fn number(bytes: &[u8], at: usize) -> u64 {
    let word = bytes.get(at..at + 8).and_then(|word| word.try_into().ok());
    word.map(u64::from_ne_bytes).unwrap_or_default()
}
