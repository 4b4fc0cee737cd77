//! Everything about one version of a function.

use crate::{Engine, package::Package};
use edgehook_protocol::lambda::{Function as Load, NetworkSetting};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// How a function's environments are made.
#[derive(Clone, Debug)]
pub enum Launch {
    /// Copied from an engine's template.
    Engine(Engine),
    /// The same, and the file is run by this executable of Node.js.
    Node(Engine, PathBuf),
}

impl Launch {
    pub(crate) fn engine(&self) -> &Engine {
        match self {
            Self::Engine(engine) | Self::Node(engine, _) => engine,
        }
    }
}

/// Which function it is: versions and aliases are told apart by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Name in the configuration.
    pub name: String,
    /// Version shown to the function, such as `1`.
    pub version: String,
    /// SHA-256 of its code, in hexadecimal digits: unchanged code has the same.
    pub content: String,
}

/// What a function may connect to besides public addresses, and what not.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Names, addresses and networks. Names count where the one who judges knows them: for JavaScript on boa.
    pub allowed: Vec<String>,
    /// Addresses of the proxy that are nobody's business, whatever is allowed.
    pub refused: Vec<SocketAddr>,
}

/// Everything about one version of a function.
#[derive(Clone, Debug)]
pub struct FunctionSettings {
    /// Its name, version and content.
    pub identity: Identity,
    /// Account number in its ARN.
    pub account_id: String,
    /// Log stream shown to the function.
    pub log_stream: String,
    /// How its environments are made.
    pub launch: Launch,
    /// Folder of its code, absolute: `/var/task`.
    pub root: PathBuf,
    /// Absolute path of the source file, or of the executable.
    pub file: PathBuf,
    /// The source.
    pub source: Vec<u8>,
    /// Export or function to call.
    pub handler: String,
    /// The handler as it was configured: `_HANDLER`.
    pub full_handler: String,
    /// What keeps a copy of the code or of the layers for as long as this version lives.
    pub package: Option<Package>,
    /// The function's own variables.
    pub variables: Vec<(String, String)>,
    /// Folders of its layers, in order; those of a package are merged to one.
    pub layers: Vec<PathBuf>,
    /// Where it may connect to: `none`, `public` or `all`.
    pub network: String,
    /// What `public` includes and excludes besides.
    pub reach: Reach,
    /// Handler styles: `any`, `nodejs22` or `nodejs24`.
    pub compat: String,
    /// Budget of one invocation: queue, cold start and run.
    pub timeout: Duration,
    /// Memory limit in MB.
    pub memory: u32,
    /// Most bytes in `/tmp`.
    pub tmp_quota: u64,
    /// Environments of this function alone: its guarantee and its limit; `None`: it takes from what all others share.
    pub reserved_concurrency: Option<usize>,
    /// Environments that are kept, also when nobody needs them.
    pub provisioned_concurrency: usize,
    /// How long an environment may be idle before it is let go.
    pub idle_timeout: Duration,
    /// How old an environment may become.
    pub max_age: Duration,
    /// Whether environments are stopped between invocations.
    pub freeze: bool,
    /// The time that the function sees while it loads, in milliseconds since 1970: a test's; `None`: the real one.
    pub clock: Option<u64>,
}

impl FunctionSettings {
    /// Whether addresses are judged: `public`.
    pub(crate) fn is_gated(&self) -> bool {
        NetworkSetting::named(&self.network) == NetworkSetting::Public
    }

    /// The function's ARN (lambda-edge.md 5.5).
    pub(crate) fn arn(&self) -> String {
        let Identity { name, version, .. } = &self.identity;
        format!("arn:aws:lambda:us-east-1:{}:function:us-east-1.{name}:{version}", self.account_id)
    }

    /// What an environment is told to load; `tmp` is the folder that becomes its `/tmp`, `kept` whether it is one of those
    /// that are kept.
    pub(crate) fn load(&self, tmp: String, kept: bool) -> Load {
        let name = format!("us-east-1.{}", self.identity.name);
        let mut variables = self.variables.clone();
        if kept {
            variables.push(("AWS_LAMBDA_INITIALIZATION_TYPE".to_owned(), "provisioned-concurrency".to_owned()));
        }
        Load {
            version: self.identity.version.clone(),
            arn: self.arn(),
            log_group: format!("/aws/lambda/{name}"),
            log_stream: self.log_stream.clone(),
            memory: self.memory,
            root: self.root.to_string_lossy().into_owned(),
            file: self.file.to_string_lossy().into_owned(),
            source: edgehook_protocol::wire::Blob(self.source.clone()),
            handler: self.handler.clone(),
            full_handler: self.full_handler.clone(),
            variables,
            name,
            tmp,
            tmp_quota: self.tmp_quota,
            layers: self.layers.iter().map(|layer| layer.to_string_lossy().into_owned()).collect(),
            network: self.network.clone(),
            allowed: self.reach.allowed.clone(),
            refused: self.reach.refused.iter().map(SocketAddr::to_string).collect(),
            compat: self.compat.clone(),
            clock: self.clock,
            node: match &self.launch {
                Launch::Engine(_) => String::new(),
                Launch::Node(_, node) => node.to_string_lossy().into_owned(),
            },
        }
    }
}
