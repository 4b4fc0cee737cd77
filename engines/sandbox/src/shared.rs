//! Memory that one process fills and others read: sealed, so that nobody can change or shrink it any more.
//!
//! [`sealed`] makes it, [`pass`](crate::pass) brings its descriptor to another process, [`SharedBytes::map`] opens it there.

use nix::{
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::memfd::{MFdFlags, memfd_create},
};
use std::{
    ffi::c_void,
    fs::File,
    io::{self, Write as _},
    mem::MaybeUninit,
    ops::Deref,
    os::fd::{AsFd, AsRawFd as _, OwnedFd},
    ptr::{self, NonNull},
    slice,
};

/// A file without a name that holds `bytes` for good.
///
/// # Errors
/// The kernel has no memory or descriptor left.
pub fn sealed(bytes: &[u8]) -> io::Result<OwnedFd> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let mut file = File::from(memfd_create(c"edgehook", flags)?);
    file.write_all(bytes)?;
    fcntl(&file, FcntlArg::F_ADD_SEALS(needed() | SealFlag::F_SEAL_SEAL))?;
    // Before Linux 6.7 a descriptor that was opened for writing cannot be mapped any more, not even for reading.
    let for_reading = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()));
    Ok(for_reading.unwrap_or(file).into())
}

/// What must be impossible before bytes can be read through a shared reference.
fn needed() -> SealFlag {
    SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW
}

/// The bytes behind a sealed descriptor, mapped for reading.
#[derive(Debug)]
pub struct SharedBytes {
    start: NonNull<c_void>,
    length: usize,
}

impl SharedBytes {
    /// Maps what [`sealed`] made. The descriptor is not needed afterwards.
    ///
    /// # Errors
    /// It could still be changed by someone, is empty, or cannot be mapped.
    pub fn map(descriptor: impl AsFd) -> io::Result<Self> {
        let seals = SealFlag::from_bits_retain(fcntl(&descriptor, FcntlArg::F_GET_SEALS)?);
        if !seals.contains(needed()) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "shared memory that is not sealed"));
        }
        let length = length(&descriptor)?;
        // SAFETY: a mapping where the kernel finds room disturbs no other memory. The descriptor is open for the call;
        // a length of 0 is refused by the kernel.
        let start = unsafe {
            let descriptor = descriptor.as_fd().as_raw_fd();
            libc::mmap(ptr::null_mut(), length, libc::PROT_READ, libc::MAP_SHARED, descriptor, 0)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start).ok_or_else(|| io::Error::other("a mapping at address 0"))?;
        Ok(Self { start, length })
    }
}

/// The length of a file. The C library's function makes a call that hosts are refused.
fn length(descriptor: impl AsFd) -> io::Result<usize> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel fills the structure, which on the supported architectures is the C library's.
    let done = unsafe { libc::syscall(libc::SYS_fstat, descriptor.as_fd().as_raw_fd(), stat.as_mut_ptr()) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so all of it is filled.
    let length = unsafe { stat.assume_init() }.st_size;
    usize::try_from(length).map_err(io::Error::other)
}

// SAFETY: the bytes are read-only for every process, this one included, so any thread may read them; unmapping is not
// bound to a thread.
unsafe impl Send for SharedBytes {}
// SAFETY: as above; there is no interior mutability.
unsafe impl Sync for SharedBytes {}

impl Deref for SharedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `map` made this mapping of `length` bytes and only `drop` ends it, which needs the value itself. The file
        // behind it is sealed, which cannot be undone: against writing, so the bytes do not change while the reference
        // lives; against shrinking, so all pages exist. `length` fits an `isize`, since the address space does.
        unsafe { slice::from_raw_parts(self.start.as_ptr().cast(), self.length) }
    }
}

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for SharedBytes {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping that `map` made; references into it borrow `self`, so none is left.
        unsafe { libc::munmap(self.start.as_ptr(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Seek as _;

    #[test]
    fn what_was_sealed_is_read_and_stays() {
        let descriptor = sealed(b"hello").unwrap();
        let mut file = File::from(descriptor.try_clone().unwrap());
        let bytes = SharedBytes::map(&descriptor).unwrap();
        drop(descriptor);
        file.rewind().unwrap();
        assert!(file.write_all(b"jello").is_err());
        assert!(file.set_len(1).is_err() && file.set_len(10_000).is_err());
        assert_eq!(&*bytes, b"hello");
    }

    #[test]
    fn what_could_change_is_not_mapped() {
        let file = File::from(memfd_create(c"test", MFdFlags::MFD_ALLOW_SEALING).unwrap());
        file.set_len(5).unwrap();
        assert_eq!(SharedBytes::map(&file).unwrap_err().kind(), io::ErrorKind::InvalidData);
        fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW)).unwrap();
        assert_eq!(SharedBytes::map(&file).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let ordinary = tempfile::tempfile().unwrap();
        assert!(SharedBytes::map(&ordinary).is_err(), "an ordinary file has no seals");
        assert!(SharedBytes::map(sealed(b"").unwrap()).is_err(), "nothing to map");
    }
}
