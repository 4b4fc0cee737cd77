//! Limits that a process sets on itself after it has started and before user code runs.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io;

/// Bounds the address space of this process to what it has now and `bytes` more.
///
/// # Errors
/// The system refuses, or its own accounting cannot be read.
pub fn set_memory_limit(bytes: u64) -> io::Result<()> {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm")?
        .split_whitespace()
        .next()
        .and_then(|word| word.parse().ok())
        .ok_or_else(|| io::Error::other("/proc/self/statm has an unexpected form"))?;
    let limit = pages.saturating_mul(4096).saturating_add(bytes);
    setrlimit(Resource::RLIMIT_AS, limit, limit).map_err(io::Error::from)
}

/// Bounds the number of open files, so that user code cannot exhaust the system's.
///
/// # Errors
/// The system refuses.
pub fn set_open_file_limit(open_files: u64) -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let limit = open_files.min(hard);
    setrlimit(Resource::RLIMIT_NOFILE, limit, limit).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_files_are_lowered_never_raised() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        set_open_file_limit(hard.saturating_add(1)).unwrap();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap().1, hard);
    }
}
