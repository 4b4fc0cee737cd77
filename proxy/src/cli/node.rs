//! Talking to a running node: one GET to its admin API.
//!
//! HTTP/1.0 by hand, so that an answer ends with its connection and `hyper` stays where it belongs.

use super::{NodeArguments, find_config, output::Output};
use edgehook_config::{AdminListen, Config, Mode};
use serde_json::Value;
use std::io;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
};

/// Longest answer that is read, bytes.
const ANSWER_LIMIT: u64 = 16 * 1024 * 1024;

/// Where a node's admin API is.
enum Place {
    Tcp(String),
    Unix(String),
}

/// A node.
pub(super) struct Node {
    place: Place,
    token: Option<String>,
}

/// Why a node did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NodeError {
    /// There is no configuration that says where it is, or it says nothing usable.
    #[error("{0}")]
    Unknown(String),
    /// It cannot be reached.
    #[error("the admin API at {0} cannot be reached: {1}")]
    Unreachable(String, io::Error),
    /// It answered with an error.
    #[error("the admin API at {0} says {1}")]
    Refused(String, String),
}

impl Node {
    /// The node that the arguments name, or that of the configuration.
    pub(super) fn find(arguments: &NodeArguments, output: &Output) -> Result<Self, NodeError> {
        let mut token = match &arguments.token_file {
            None => None,
            Some(file) => match std::fs::read_to_string(file) {
                Ok(token) => Some(token.trim().to_owned()),
                Err(error) => return Err(NodeError::Unknown(format!("{}: {error}", file.display()))),
            },
        };
        if let Some(place) = &arguments.admin {
            return Ok(Self { place: place_of(place)?, token });
        }
        let none = "no edge.toml here or in a parent folder; name the node with --admin URL";
        let file =
            find_config(arguments.config.config.as_deref()).ok_or_else(|| NodeError::Unknown(none.to_owned()))?;
        let loaded = edgehook_config::load(&file, Mode::Check).map_err(|problems| {
            output.notice(problems.render(output.color()).trim_end());
            NodeError::Unknown(format!("{} does not pass; name the node with --admin URL", file.display()))
        })?;
        if token.is_none() {
            token = loaded.config.admin.token.as_ref().map(|token| token.expose().to_owned());
        }
        Ok(Self { place: configured(&loaded.config), token })
    }

    /// GET `path`, answered with JSON.
    pub(super) async fn get(&self, path: &str) -> Result<Value, NodeError> {
        let (shown, answer) = match &self.place {
            Place::Tcp(authority) => {
                let exchange = async { self.exchange(TcpStream::connect(authority).await?, authority, path).await };
                (format!("http://{authority}"), exchange.await)
            }
            Place::Unix(socket) => {
                let exchange = async { self.exchange(UnixStream::connect(socket).await?, "localhost", path).await };
                (format!("unix:{socket}"), exchange.await)
            }
        };
        let answer = answer.map_err(|error| NodeError::Unreachable(shown.clone(), error))?;
        let refused = |text: &str| NodeError::Refused(shown.clone(), text.trim().to_owned());
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| refused("something that is not HTTP"))?;
        match head.split(' ').nth(1) {
            Some("200") => serde_json::from_str(body).map_err(|error| refused(&error.to_string())),
            Some(status) => Err(refused(&format!("{status}: {body}"))),
            None => Err(refused("something that is not HTTP")),
        }
    }

    async fn exchange(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        host: &str,
        path: &str,
    ) -> io::Result<String> {
        let token = self.token.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\n{token}\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(ANSWER_LIMIT).read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

fn place_of(url: &str) -> Result<Place, NodeError> {
    if let Some(socket) = url.strip_prefix("unix:") {
        return Ok(Place::Unix(socket.to_owned()));
    }
    let authority = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    let authority = authority.filter(|authority| !authority.is_empty() && !authority.contains(['/', '@']));
    let wanted = || NodeError::Unknown(format!("{url}: write http://ADDRESS:PORT or unix:PATH"));
    authority.map(|authority| Place::Tcp(authority.to_owned())).ok_or_else(wanted)
}

fn configured(config: &Config) -> Place {
    match &config.admin.listen {
        AdminListen::Tcp(address) => Place::Tcp(address.to_string()),
        AdminListen::Unix(path) => Place::Unix(path.display().to_string()),
    }
}
