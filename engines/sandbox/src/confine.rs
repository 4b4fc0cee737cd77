//! What an isolate host does to itself before any user code runs.
//!
//! It has its channel and everything else that it needs open. [`Confinement::begin`] gives up files and other
//! processes, on the main thread before there are others; [`Confinement::finish`] gives up all system calls but those
//! of a host's loop, on whichever thread and after all others were started. A process of one thread does both with
//! [`confine_host`]. Nothing here fails: a layer that the kernel lacks or that does not hold when tried is reported as
//! missing, and the proxy decides.
//!
//! Absent on purpose: memory and CPU limits (`limits`, and the guard of the isolates), namespaces and users, and any
//! way to give something back.

mod capabilities;
mod environment;
mod gate;
mod landlock;
mod layers;
mod seccomp;

pub use environment::{DEVICES, EnvironmentRules, NetworkUse, ProcessUse, SYSTEM_FILES, confine_environment};
pub use gate::{Handing, Keeper};
pub use layers::{LayerState, Layers};

use landlock::Rules;
use nix::sys::{
    prctl,
    resource::{Resource, getrlimit, setrlimit},
    signal::Signal,
};
use seccomp::Status;
use std::{fs, io};

/// Most open files of a confined host: its channel, the standard three, and some room.
pub const OPEN_FILES: u64 = 16;

/// Puts all layers around a process of one thread, after which it can only serve. See [`Confinement`] for one of
/// several.
///
/// From here on: no files, no sockets but those that are open, no processes, no new threads or timers, no executable
/// memory. What is tried all the same ends the process by `SIGSYS`, but for a few calls that get `EPERM` (see
/// `seccomp`).
#[must_use = "a layer may be missing"]
pub fn confine_host() -> Layers {
    Confinement::begin().finish()
}

/// A process that has given up everything but its system calls, so that it can still start threads and timers.
#[must_use = "without the last layer user code is not confined"]
#[derive(Debug)]
pub struct Confinement {
    layers: Layers,
    status: Status,
}

impl Confinement {
    /// Applies and checks all layers but the last. Files cannot be opened afterwards.
    ///
    /// Call it on the main thread before others are started: they inherit all of it, but for one that runs already an
    /// older kernel has no way to take its files away, and then the Landlock layers are reported as missing.
    pub fn begin() -> Self {
        let (status, threads) = (Status::open(), threads());
        let no_new_privs = LayerState::tried(no_new_privs());
        let core_dumps = LayerState::tried(limit(Resource::RLIMIT_CORE, 0));
        let not_dumpable = LayerState::tried(not_dumpable());
        let parent_death = LayerState::tried(parent_death());
        let Rules { files, tcp, scope } = landlock::restrict(threads);
        let layers = Layers {
            no_new_privs,
            parent_death,
            core_dumps,
            // After Landlock, which needs a descriptor for a moment.
            open_files: LayerState::tried(limit(Resource::RLIMIT_NOFILE, OPEN_FILES)),
            not_dumpable,
            landlock: files,
            landlock_tcp: tcp,
            landlock_scope: scope,
            seccomp: LayerState::Missing("not applied yet".to_owned()),
        };
        Self { layers, status }
    }

    /// Applies the last layer to all threads, and tells how all of them went.
    #[must_use = "a layer may be missing"]
    pub fn finish(self) -> Layers {
        Layers { seccomp: seccomp::restrict(self.status), ..self.layers }
    }
}

/// How many threads the process has.
fn threads() -> io::Result<usize> {
    Ok(fs::read_dir("/proc/self/task")?.count())
}

fn no_new_privs() -> nix::Result<LayerState> {
    prctl::set_no_new_privs()?;
    Ok(LayerState::of(prctl::get_no_new_privs()?, "the kernel says that it is not set"))
}

fn parent_death() -> nix::Result<LayerState> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    let set = prctl::get_pdeathsig()?;
    Ok(LayerState::of(set == Some(Signal::SIGKILL), "the kernel says that it is not set"))
}

fn not_dumpable() -> nix::Result<LayerState> {
    prctl::set_dumpable(false)?;
    Ok(LayerState::of(!prctl::get_dumpable()?, "the kernel says that it still is"))
}

/// Lowers a limit for good, never raises it.
fn limit(resource: Resource, most: u64) -> nix::Result<LayerState> {
    let most = getrlimit(resource)?.1.min(most);
    setrlimit(resource, most, most)?;
    let now = getrlimit(resource)?;
    Ok(LayerState::of(now == (most, most), &format!("the limit is {}, not {most}", now.1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::mpsc, thread};

    #[test]
    fn limits_are_lowered_never_raised() {
        // The core size is nobody else's concern in this test process.
        assert!(limit(Resource::RLIMIT_CORE, 0).unwrap().is_active());
        assert!(limit(Resource::RLIMIT_CORE, 4096).unwrap().is_active());
        assert_eq!(getrlimit(Resource::RLIMIT_CORE).unwrap(), (0, 0));
    }

    #[test]
    fn threads_are_counted() {
        let (wait, waiting) = mpsc::channel::<()>();
        let thread = thread::spawn(move || waiting.recv());
        assert!(threads().unwrap() >= 2);
        drop(wait);
        assert!(thread.join().unwrap().is_err());
    }
}
