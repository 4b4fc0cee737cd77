//! A child process that is killed and waited for when it is dropped.

use edgehook_sandbox::{Process, Signal};
use std::{io, os::fd::AsRawFd, process::ExitStatus, time::Duration};
use tokio::{
    io::{Interest, unix::AsyncFd},
    runtime::Handle,
    time::timeout,
};

/// How long a process that was told to end may take (lambda-edge.md 7.3).
const GRACE: Duration = Duration::from_millis(500);

/// A child process of the proxy. Dropping it kills it with its group, and leaves no zombie.
#[derive(Debug)]
pub(crate) struct Child(Option<AsyncFd<Process>>);

impl Child {
    /// # Errors
    /// The runtime cannot watch it.
    pub(crate) fn new(process: Process) -> io::Result<Self> {
        watched(process, Interest::READABLE).map(Some).map(Self)
    }

    pub(crate) fn number(&self) -> u32 {
        self.0.as_ref().map_or(0, |process| process.get_ref().number())
    }

    /// Whether it has ended, as far as the runtime has been told.
    pub(crate) fn has_ended(&self) -> bool {
        let Some(process) = &self.0 else { return true };
        let told = process.try_io(Interest::READABLE, |_| Ok(()));
        told.is_ok()
    }

    pub(crate) fn kill(&self) {
        if let Some(process) = &self.0 {
            process.get_ref().kill();
        }
    }

    /// Stops it where it is, or lets it go on.
    pub(crate) fn freeze(&self, frozen: bool) {
        if let Some(process) = &self.0 {
            let signal = if frozen { Signal::SIGSTOP } else { Signal::SIGCONT };
            process.get_ref().signal_group(signal);
        }
    }

    /// Waits for its end.
    pub(crate) async fn wait(&mut self) -> Option<ExitStatus> {
        let process = self.0.as_mut()?;
        // The guard's word that it is readable holds for good: a process ends once.
        drop(process.readable().await.ok()?);
        process.get_mut().wait()
    }

    /// Tells it to end, and kills it when it does not.
    pub(crate) async fn end(mut self) {
        if let Some(process) = &self.0 {
            process.get_ref().signal(Signal::SIGTERM);
            process.get_ref().signal_group(Signal::SIGCONT);
        }
        let _ = timeout(GRACE, self.wait()).await;
    }
}

/// Has the runtime watch the descriptor of its owner.
pub(crate) fn watched<T: AsRawFd>(owner: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    #[allow(
        deprecated,
        reason = "its successor is unsafe for what might not own its descriptor; all that come here do"
    )]
    AsyncFd::with_interest(owner, interest)
}

impl Drop for Child {
    fn drop(&mut self) {
        let Some(mut process) = self.0.take() else { return };
        process.get_ref().kill();
        if process.get_mut().try_wait().is_some() {
            return;
        }
        match Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    let _ = process.readable().await;
                    process.get_mut().wait();
                });
            }
            Err(_) => {
                process.get_mut().wait();
            }
        }
    }
}
