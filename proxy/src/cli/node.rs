//! A running node, as verbs of the command line talk to it: one request to its admin API, one JSON answer.
//!
//! Address and token come from `--admin` and `--token-file`, else from the configuration. Deliberately absent: what is
//! asked, and connections that stay.

use super::{Exit, NoConfig, NodeArguments, find_config, output::Output};
use crate::app;
use edgehook_config::{AdminListen, Mode, Secret};
use serde_json::Value;
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpStream, UnixStream},
};

/// Bytes of an answer at most.
const MAX_ANSWER: u64 = 256 << 20;
/// Longest wait for an answer. Counting in a large cache takes a while.
const PATIENCE: Duration = Duration::from_secs(300);

/// A node to talk to.
#[derive(Debug)]
pub(super) struct Node {
    address: Address,
    token: Option<Secret>,
}

#[derive(Debug)]
enum Address {
    Tcp(String),
    Unix(PathBuf),
}

/// Why a node did not do what it was asked.
#[derive(Debug)]
pub(super) enum NodeError {
    /// It cannot be reached, or refuses the token: exit code 3.
    Unreachable(String),
    /// It refused the request, for this reason.
    Refused(String),
}

impl NodeError {
    /// Tells the user, and how that ends the verb.
    pub(super) fn report(&self, output: &Output) -> Exit {
        match self {
            Self::Unreachable(text) => {
                output.error(text);
                Exit::Unreachable
            }
            Self::Refused(text) => {
                output.error(text);
                Exit::Invalid
            }
        }
    }
}

impl NodeArguments {
    /// The configuration file: as named, or found.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub(super) fn config_file(&self) -> Result<PathBuf, NoConfig> {
        find_config(self.config.config.as_deref())
    }

    /// Whether the user says where the node is.
    pub(super) fn names_node(&self) -> bool {
        self.admin.is_some()
    }

    /// The node that is meant; the error is for the user.
    pub(super) fn node(&self, output: &Output) -> Result<Node, String> {
        let config = match self.config_file() {
            Err(several @ NoConfig::Several(..)) if self.admin.is_none() => return Err(several.to_string()),
            found => found.ok(),
        };
        let loaded = match config.as_deref().map(|file| (file, edgehook_config::load(file, Mode::Check))) {
            Some((_, Ok(loaded))) => Some(loaded.config),
            Some((file, Err(problems))) if self.admin.is_none() => {
                output.notice(problems.render(output.color()).trim_end());
                return Err(format!("{} does not pass; name the node with --admin URL", file.display()));
            }
            _ => None,
        };
        let address = match (&self.admin, &loaded) {
            (Some(url), _) => Address::parse(url)?,
            (None, Some(config)) => match &config.admin.listen {
                AdminListen::Tcp(address) => Address::Tcp(address.to_string()),
                AdminListen::Unix(path) => Address::Unix(path.clone()),
            },
            (None, None) => {
                return Err("no configuration that says where the node is; name the node with --admin URL, \
                            or its configuration with --config FILE"
                    .to_owned());
            }
        };
        let token = match (&self.token_file, &loaded) {
            (Some(file), _) => Some(app::read_token(file).map_err(|error| format!("{}: {error}", file.display()))?),
            (None, Some(config)) => {
                config.admin.token.clone().or_else(|| app::read_token(&app::token_path(config)).ok())
            }
            // The node goes on with the configuration before the one that does not pass, and most likely keeps its token where
            // all do.
            (None, None) => {
                let folder = config.as_deref().and_then(Path::parent);
                folder.and_then(|folder| app::read_token(&folder.join(".edgehook/admin-token")).ok())
            }
        };
        Ok(Node { address, token })
    }
}

impl Address {
    fn parse(url: &str) -> Result<Self, String> {
        if let Some(path) = url.strip_prefix("unix:") {
            return Ok(Self::Unix(path.into()));
        }
        let rest = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
        if rest.contains(['/', '@', ' ']) || rest.starts_with("https:") {
            return Err(format!("{url} is no admin address; write http://HOST:PORT or unix:PATH"));
        }
        Ok(Self::Tcp(if rest.contains(':') { rest.to_owned() } else { format!("{rest}:9901") }))
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Node {
    /// Sends a request with a JSON body, if there is one, and reads the JSON answer.
    pub(super) async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, NodeError> {
        let asked = tokio::time::timeout(PATIENCE, self.exchange(method, path, body));
        let (status, text) = match asked.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                return Err(NodeError::Unreachable(format!("no node answers at {}: {error}", self.address)));
            }
            Err(_) => return Err(NodeError::Unreachable(format!("{} does not answer", self.address))),
        };
        let reason = text.trim();
        match status {
            200..300 => serde_json::from_str(&text)
                .map_err(|_| NodeError::Unreachable(format!("{} is no admin API of edgehook", self.address))),
            401 | 403 | 421 => Err(NodeError::Unreachable(format!("{} refuses: {reason}", self.address))),
            _ => Err(NodeError::Refused(reason.to_owned())),
        }
    }

    /// Reads an answer that goes on, line by line, until the node ends it.
    pub(super) async fn follow(&self, path: &str, mut tell: impl FnMut(&str)) -> Result<(), NodeError> {
        let unreachable =
            |error: io::Error| NodeError::Unreachable(format!("no node answers at {}: {error}", self.address));
        let request = format!("{}\r\n", self.head("GET", path));
        match &self.address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await.map_err(unreachable)?;
                self.lines(stream, &request, &mut tell).await
            }
            Address::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(unreachable)?;
                self.lines(stream, &request, &mut tell).await
            }
        }
    }

    async fn lines(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        request: &str,
        tell: &mut impl FnMut(&str),
    ) -> Result<(), NodeError> {
        let unreachable = |error: io::Error| NodeError::Unreachable(format!("{}: {error}", self.address));
        stream.write_all(request.as_bytes()).await.map_err(unreachable)?;
        let mut lines = BufReader::new(stream).lines();
        let status = lines.next_line().await.map_err(unreachable)?.unwrap_or_default();
        if status.split(' ').nth(1) != Some("200") {
            return Err(NodeError::Unreachable(format!("{} refuses: {status}", self.address)));
        }
        let mut in_head = true;
        while let Some(line) = lines.next_line().await.map_err(unreachable)? {
            in_head = in_head && !line.is_empty();
            if !in_head && !line.is_empty() {
                tell(&line);
            }
        }
        Ok(())
    }

    /// The head of a request, without its last line.
    fn head(&self, method: &str, path: &str) -> String {
        let host = match &self.address {
            Address::Tcp(address) => address.clone(),
            Address::Unix(_) => "localhost".to_owned(),
        };
        // HTTP/1.0, so that the answer ends with the connection and is not chunked.
        let mut head = format!("{method} {path} HTTP/1.0\r\nhost: {host}\r\nx-edgehook-admin: 1\r\n");
        if let Some(token) = &self.token {
            head.push_str(&format!("authorization: Bearer {}\r\n", token.expose()));
        }
        head
    }

    async fn exchange(&self, method: &str, path: &str, body: Option<&Value>) -> io::Result<(u16, String)> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut head = self.head(method, path);
        if !body.is_empty() {
            head.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
        }
        let request = format!("{head}\r\n{body}");
        match &self.address {
            Address::Tcp(address) => converse(TcpStream::connect(address).await?, &request).await,
            Address::Unix(path) => converse(UnixStream::connect(path).await?, &request).await,
        }
    }
}

async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> io::Result<(u16, String)> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| io::Error::other("that is no HTTP"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or_else(|| io::Error::other("that is no HTTP"))?, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let parse = |url: &str| Address::parse(url).map(|address| address.to_string());
        assert_eq!(parse("http://127.0.0.1:9901/"), Ok("http://127.0.0.1:9901".to_owned()));
        assert_eq!(parse("edge.internal"), Ok("http://edge.internal:9901".to_owned()));
        assert_eq!(parse("unix:/run/e.sock"), Ok("unix:/run/e.sock".to_owned()));
        assert!(parse("https://a").is_err() && parse("http://a/x").is_err());
    }
}
