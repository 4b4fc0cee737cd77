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

/// Bounds the size of each file that this process writes; beyond it writing fails.
///
/// # Errors
/// The system refuses.
pub fn set_file_size_limit(bytes: u64) -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE)?;
    let limit = bytes.min(hard);
    // Otherwise the signal would end the process.
    let ignored = nix::sys::signal::SigHandler::SigIgn;
    // SAFETY: no handler is installed, so none can be unsafe; ignoring a signal concerns this process alone.
    unsafe { nix::sys::signal::signal(nix::sys::signal::Signal::SIGXFSZ, ignored)? };
    setrlimit(Resource::RLIMIT_FSIZE, limit, limit).map_err(io::Error::from)
}

/// Lets the main thread's stack of programs that this process runs next grow to `bytes`, or as far as the system allows.
/// Tells whether it was less before.
///
/// # Errors
/// The system refuses.
pub fn raise_stack_limit(bytes: u64) -> io::Result<bool> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_STACK)?;
    let wanted = bytes.min(hard);
    if soft >= wanted {
        return Ok(false);
    }
    setrlimit(Resource::RLIMIT_STACK, wanted, hard)?;
    Ok(true)
}

/// Most memory that this process has used so far, in KiB; 0 when the system does not tell.
#[must_use]
pub fn peak_memory() -> u64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF);
    usage.ok().and_then(|usage| u64::try_from(usage.max_rss()).ok()).unwrap_or(0)
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
