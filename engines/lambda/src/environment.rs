//! One environment: a process, its socket, and the state machine started → ready → running → ready.

use crate::{InvokeError, function::FunctionSettings, log};
use edgehook_protocol::{
    VERSION,
    frame::{self, Inbox},
    lambda::{Error, FromEnvironment, Function as Load, Invocation, RESULT_LIMIT, ToEnvironment},
    wire::Blob,
};
use edgehook_sandbox::{Confined, kill_group};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    process::Child,
    time::{Instant, sleep, timeout_at},
};

/// A process that has loaded the function and waits for an invocation. Dropping it kills the process and its children.
#[derive(Debug)]
pub(crate) struct Environment {
    child: Child,
    process: u32,
    socket: UnixStream,
    inbox: Inbox,
    output: Arc<log::Allowance>,
    never_read: bool,
    pub(crate) idle_since: Instant,
}

/// One invocation as it goes over the socket: encoded once, whichever environment takes it.
#[derive(Debug)]
pub(crate) struct Call {
    number: u64,
    frame: Vec<u8>,
    deadline: Instant,
}

impl Call {
    /// The invocation with a number that no other invocation of the function has.
    pub(crate) fn new(number: u64, request_id: String, event: Vec<u8>, deadline: Instant) -> Self {
        let invocation = Invocation { call: number, request_id, deadline: epoch_millis(deadline), event: Blob(event) };
        let mut frame = Vec::new();
        frame::append(&ToEnvironment::Invoke(invocation), &mut frame);
        Self { number, frame, deadline }
    }
}

impl Environment {
    /// Starts the process and loads the function, until `deadline` at the latest.
    pub(crate) async fn start(settings: &FunctionSettings, deadline: Instant) -> Result<Self, InvokeError> {
        let confined = Confined {
            program: settings.program.clone(),
            arguments: settings.arguments.clone(),
            variables: settings.process_variables.clone(),
            address_space: None,
            capture_output: true,
        };
        let allowed = deadline.saturating_duration_since(Instant::now());
        let start = |error: std::io::Error| InvokeError::Start(format!("{}: {error}", settings.program.display()));
        let (command, socket) = confined.command().map_err(start)?;
        let mut command = tokio::process::Command::from(command);
        let mut child = command.kill_on_drop(true).spawn().map_err(start)?;
        drop(command);
        let output = log::Allowance::new();
        log::drain(&settings.name, &output, child.stdout.take());
        log::drain(&settings.name, &output, child.stderr.take());
        socket.set_nonblocking(true).map_err(start)?;
        let process = child.id().unwrap_or_default();
        let socket = UnixStream::from_std(socket).map_err(start)?;
        let mut environment =
            Self { child, process, socket, inbox: Inbox::new(), output, never_read: false, idle_since: Instant::now() };
        match timeout_at(deadline, environment.init(settings)).await {
            Ok(Ok(())) => Ok(environment),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(InvokeError::TimedOut(allowed)),
        }
    }

    async fn init(&mut self, settings: &FunctionSettings) -> Result<(), InvokeError> {
        if self.receive().await? != (FromEnvironment::Hello { version: VERSION }) {
            return Err(InvokeError::Protocol);
        }
        let mut init = Vec::new();
        frame::append(&ToEnvironment::Init(Box::new(load(settings))), &mut init);
        self.send(&init).await?;
        match self.receive().await? {
            FromEnvironment::Ready => Ok(()),
            FromEnvironment::InitFailed(error) => Err(InvokeError::Init(error)),
            _ => Err(InvokeError::Protocol),
        }
    }

    /// Whether the process still runs and has said nothing out of turn.
    pub(crate) fn is_alive(&mut self) -> bool {
        let quiet = self.socket.try_read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        quiet && matches!(self.child.try_wait(), Ok(None))
    }

    /// Runs the handler once. The environment is good for another call only after `Ok` or `Failed`.
    pub(crate) async fn invoke(&mut self, settings: &FunctionSettings, call: &Call) -> Result<Vec<u8>, InvokeError> {
        self.output.renew(&settings.name);
        let running = async {
            self.send(&call.frame).await?;
            self.receive().await
        };
        match timeout_at(call.deadline, running).await {
            Err(_) => Err(InvokeError::TimedOut(settings.timeout)),
            Ok(Err(error)) => Err(error),
            Ok(Ok(FromEnvironment::Done { call: answered, result })) if answered == call.number => {
                if result.0.len() > RESULT_LIMIT {
                    return Err(InvokeError::Failed(Error::too_large(result.0.len())));
                }
                Ok(result.0)
            }
            Ok(Ok(FromEnvironment::Failed { call: answered, error })) if answered == call.number => {
                Err(InvokeError::Failed(error))
            }
            Ok(Ok(_)) => Err(InvokeError::Protocol),
        }
    }

    /// Whether the process ended without having read what it was sent last: that call has not begun.
    ///
    /// The kernel tells: a Unix socket that is closed with bytes unread resets its peer, one that had read all of them
    /// merely ends.
    pub(crate) fn never_read(&self) -> bool {
        self.never_read
    }

    async fn send(&mut self, frame: &[u8]) -> Result<(), InvokeError> {
        if self.socket.write_all(frame).await.is_err() {
            self.never_read = true;
            return Err(self.ended().await);
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<FromEnvironment, InvokeError> {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.inbox.next_message() {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(_) => return Err(InvokeError::Protocol),
            }
            match self.socket.read(&mut buffer).await {
                Ok(length) if length > 0 => self.inbox.extend(&buffer[..length]),
                end => {
                    self.never_read = end.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset);
                    return Err(self.ended().await);
                }
            }
        }
    }

    /// The connection broke: the process is ending, or must.
    async fn ended(&mut self) -> InvokeError {
        // A process that closed its socket and lives on is no environment any more; it gets a moment to end by itself, so
        // that its own exit status is told. Only then its group is killed, while nobody has waited for the leader yet:
        // until then the group's number cannot have passed to others.
        let patience = Instant::now() + Duration::from_millis(100);
        while !edgehook_sandbox::has_exited(self.process) && Instant::now() < patience {
            sleep(Duration::from_millis(1)).await;
        }
        kill_group(self.process);
        match self.child.wait().await {
            Ok(status) => InvokeError::Exited(status),
            Err(error) => InvokeError::Start(error.to_string()),
        }
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        // While the leader has not been waited for, its group's number cannot have passed to others.
        if self.child.id().is_some() {
            kill_group(self.process);
        }
    }
}

fn load(settings: &FunctionSettings) -> Load {
    let name = format!("us-east-1.{}", settings.name);
    Load {
        version: settings.version.clone(),
        arn: format!("arn:aws:lambda:us-east-1:{}:function:{name}:{}", settings.account_id, settings.version),
        log_group: format!("/aws/lambda/{name}"),
        log_stream: settings.log_stream.clone(),
        memory: settings.memory,
        file: settings.file.to_string_lossy().into_owned(),
        source: Blob(settings.source.clone()),
        handler: settings.handler.clone(),
        variables: settings.variables.clone(),
        name,
    }
}

fn epoch_millis(deadline: Instant) -> u64 {
    let left = deadline.saturating_duration_since(Instant::now());
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + left;
    u64::try_from(at.as_millis()).unwrap_or(u64::MAX)
}
