//! The template process of an engine, and the copies that are made of it (design.md 2.2).

use crate::child::Child;
use edgehook_sandbox::{ANSWER, Confined, Process, Receiver, request_copy};
use std::{
    ffi::OsString,
    io::{self, PipeReader},
    os::fd::AsFd as _,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio::{io::Interest, net::UnixStream, sync::Mutex, time::timeout};

/// How long a template may take to start and to make a copy. CPython starts in a tenth of a second on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// The engine that environments are copied from: its template is started when the first is wanted, and again when it is
/// lost. Clones share it.
#[derive(Clone, Debug)]
pub struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    program: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(String, String)>,
    template: Mutex<Option<Template>>,
}

/// A copy, just made, with its ends of what it talks and writes through.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) child: Child,
    pub(crate) socket: std::os::unix::net::UnixStream,
    pub(crate) output: PipeReader,
    pub(crate) errors: PipeReader,
}

impl Engine {
    /// The engine whose template is `program` with these arguments and environment variables.
    #[must_use]
    pub fn new(program: PathBuf, arguments: Vec<OsString>, variables: Vec<(String, String)>) -> Self {
        Self(Arc::new(Inner { program, arguments, variables, template: Mutex::new(None) }))
    }

    /// # Errors
    /// The template cannot be started, or makes no copy: also not when it was started anew.
    pub(crate) async fn copy(&self) -> io::Result<Copy> {
        let mut template = self.0.template.lock().await;
        if let Some(known) = template.as_mut()
            && let Ok(copy) = known.copy().await
        {
            return Ok(copy);
        }
        let mut fresh = Template::start(&self.0)?;
        let copy = fresh.copy().await?;
        *template = Some(fresh);
        Ok(copy)
    }
}

/// A running template.
#[derive(Debug)]
struct Template {
    socket: UnixStream,
    child: Child,
}

impl Template {
    fn start(inner: &Inner) -> io::Result<Self> {
        let confined = Confined {
            program: inner.program.clone(),
            arguments: inner.arguments.clone(),
            variables: inner.variables.clone(),
            address_space: None,
            capture_output: false,
        };
        let (mut command, socket) = confined.command()?;
        let child = command.spawn()?;
        let child = Child::new(Process::of_child(child.id())?)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket: UnixStream::from_std(socket)?, child })
    }

    async fn copy(&mut self) -> io::Result<Copy> {
        if self.child.has_ended() {
            return Err(io::Error::other("the template has ended"));
        }
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let (output, output_end) = io::pipe()?;
        let (errors, errors_end) = io::pipe()?;
        let ends = [theirs.as_fd(), output_end.as_fd(), errors_end.as_fd()];
        self.socket.writable().await?;
        // Three bytes: they fit whenever the socket takes any, for each request waits for its answer.
        request_copy(&self.socket, ends)?;
        let process = timeout(PATIENCE, self.answer()).await.map_err(|_| io::Error::other("no answer"))??;
        Ok(Copy { child: Child::new(process)?, socket: ours, output, errors })
    }

    async fn answer(&self) -> io::Result<Process> {
        let (mut receiver, mut answer, mut length) = (Receiver::default(), [0; ANSWER], 0);
        while length < ANSWER {
            let read = || match receiver.receive(&self.socket, &mut answer[length..]) {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                read => read,
            };
            length += self.socket.async_io(Interest::READABLE, read).await?;
        }
        let [number, error] = [&answer[..4], &answer[4..]].map(|bytes| bytes.try_into().unwrap_or_default());
        match receiver.descriptor() {
            Some(descriptor) => Ok(Process::new(u32::from_le_bytes(number), descriptor)),
            None => Err(io::Error::from_raw_os_error(i32::from_le_bytes(error))),
        }
    }
}
