//! The command line: what users type, and what they read.
//!
//! Each verb is a module. Results go to standard output, everything else to standard error, both through [`output`]. Exit
//! codes are the same for every verb (experience.md 5.1).

mod check;
mod codes;
mod completions;
mod demo;
mod dev;
mod doctor;
mod experiment;
mod explain;
mod findings;
mod init;
mod invoke;
mod jwt;
mod kv;
mod line;
mod node;
mod output;
mod picker;
mod purge;
mod reload;
mod schema;
mod serve;
mod sign;
mod test;
mod trace;
mod watch;

pub(crate) use watch::{folders_below, is_source};

use crate::{
    app::{ENVIRONMENT_ROLE, HOST_ROLE, PROVIDED_ROLE},
    workbench::engine::Engine,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use edgehook_config::{Config, Loaded, Mode};
use output::Output;
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::SystemTime,
};

/// How a verb ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Done,
    /// It ran, and the answer is no.
    No,
    /// Bad usage, or a configuration that does not pass.
    Invalid,
    /// The node's admin API cannot be reached, or refuses the token.
    Unreachable,
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::No => 1,
            Exit::Invalid => 2,
            Exit::Unreachable => 3,
            Exit::Interrupted => 130,
        })
    }
}

/// A self-hosted CDN edge: a caching reverse proxy that runs edge functions at four hook points.
#[derive(Debug, Parser)]
#[command(name = "edgehook", version, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    /// When to use colours. `NO_COLOR` is honoured.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    color: Color,
    /// Print errors and warnings only.
    #[arg(long, global = true)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal.
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write a small project: a configuration, functions, tests and a site. Never overwrites a file.
    Init {
        /// Where to write it.
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// What it is for [default: site]
        #[arg(long, value_enum, num_args = 0..=1)]
        template: Option<Option<init::Template>>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Serve for development: this machine only, reload on save, one line per request. Without a configuration here or
    /// above, serve a built-in demo.
    Dev(DevArguments),
    /// Serve for production. SIGHUP reloads the configuration, SIGTERM drains and ends.
    Serve(ConfigArgument),
    /// Have a running node read its configuration again, as SIGHUP does, and say what became of it. Exit code 2: nothing has
    /// changed, because something is wrong with it.
    Reload {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        node: NodeArguments,
    },
    /// Check a configuration and load its functions, without serving.
    Check(CheckArguments),
    /// Run tests of functions and of the whole edge, in process: own clock, own cache, scripted origins.
    Test(test::TestArguments),
    /// Run one function once, with an event from a file; exit code 1: it failed, or its result is invalid.
    Invoke(invoke::InvokeArguments),
    /// Tell what would happen to a request, and why, without sending it; or what a code of `check` means.
    Explain(explain::ExplainArguments),
    /// The full record of one real request of a running node.
    Trace(trace::TraceArguments),
    /// Requests of a running node as they come, with console output and errors.
    Tail(trace::TailArguments),
    /// Look into tokens, and make some for tests.
    #[command(subcommand)]
    Jwt(jwt::JwtVerb),
    /// Make a signed URL, or signed cookies.
    Sign(sign::SignArguments),
    /// Make a running node forget what it has stored.
    Purge(purge::PurgeArguments),
    /// Read and edit key value stores.
    Kv(kv::KvArguments),
    /// Look at what this machine offers: sandbox layers, engines, limits; and whether the configuration, if there is one, can
    /// be served. Exit code 1: the edge does not work so.
    Doctor(DoctorArguments),
    /// Print the JSON Schema of the configuration file or of test files, for editors.
    Schema {
        /// What for.
        #[arg(value_enum, default_value_t)]
        subject: schema::Subject,
    },
    /// Print the completions of a shell: for bash, `edgehook completions bash > ~/.local/share/bash-completion/completions/edgehook`.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Experiments of a running node.
    #[command(subcommand)]
    Experiment(ExperimentVerb),
}

#[derive(Debug, Subcommand)]
enum ExperimentVerb {
    /// Configured and observed split, status and latency per variant. Exit code 1: the split is not as configured.
    Status {
        /// One experiment [default: all]
        name: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        node: NodeArguments,
    },
}

/// Which node to talk to.
#[derive(Debug, Args)]
struct NodeArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The node's admin API, http://ADDRESS or unix:PATH [default: that of the configuration]
    #[arg(long, global = true, value_name = "URL")]
    admin: Option<String>,
    /// File with the admin token [default: the token of the configuration, or the one that the node made]
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ConfigArgument {
    /// The configuration file [default: edge.toml, edge.json or edge.jsonc here or in a parent folder]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct DevArguments {
    /// A folder with an edge.toml, edge.json or edge.jsonc.
    #[arg(conflicts_with = "config", value_name = "DIR")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgument,
    /// Put something in the place of an origin: a folder, the built-in `echo` server, or a URL; as often as wanted.
    #[arg(long = "origin", value_name = "NAME=DIR|echo|URL")]
    origins: Vec<String>,
    /// Take all viewers for ones in this country, an ISO code such as FR.
    #[arg(long, value_name = "COUNTRY")]
    geo: Option<String>,
    /// Let an origin take so much longer to answer, such as app=200ms; as often as wanted.
    #[arg(long = "latency", value_name = "NAME=TIME")]
    latencies: Vec<String>,
    /// Pass every request by the cache. On a terminal [p] lets it answer again.
    #[arg(long)]
    no_cache: bool,
    /// Port for http; the next free one is taken if it is in use. 0: any.
    #[arg(long)]
    port: Option<u16>,
    /// Enforce `viewer_protocol_policy` on the http port too.
    #[arg(long)]
    enforce_https: bool,
}

#[derive(Debug, Args)]
struct DoctorArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct CheckArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// Let everything that would not pass on CloudFront count as an error.
    #[arg(long)]
    strict_cloudfront: bool,
    /// Let warnings count as errors.
    #[arg(long, value_name = "WHAT", value_parser = ["warnings"])]
    deny: Option<String>,
    /// Print the effective configuration, defaults included and secrets masked.
    #[arg(long)]
    show: bool,
    /// How to print what was found.
    #[arg(long, value_enum, default_value_t)]
    format: check::Format,
    /// The same as `--format json`.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// The whole life of the process.
#[must_use]
pub fn main() -> ExitCode {
    // The other roles of this executable, started by the proxy itself.
    match std::env::args_os().nth(1).as_deref().and_then(OsStr::to_str) {
        Some(HOST_ROLE) => return edgehook_viewer::host::run(),
        Some(ENVIRONMENT_ROLE) => return edgehook_lambda_js::run(std::env::args().nth(2).as_deref() == Some("copies")),
        Some(PROVIDED_ROLE) => return edgehook_provided::run(),
        _ => {}
    }
    let arguments = Arguments::parse();
    let output = Output::new(arguments.color, arguments.quiet);
    run(arguments.verb, &output).into()
}

fn run(verb: Verb, output: &Output) -> Exit {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.error(&format!("the runtime cannot be started: {error}"));
            return Exit::No;
        }
    };
    let exit = match verb {
        Verb::Init { folder, template, json } => init::run(&folder, template, json, output),
        Verb::Dev(arguments) => runtime.block_on(dev::run(arguments, output)),
        Verb::Serve(arguments) => runtime.block_on(serve::run(arguments, output)),
        Verb::Reload { json, node } => runtime.block_on(reload::run(&node, json, output)),
        Verb::Check(arguments) => runtime.block_on(check::run(arguments, output)),
        Verb::Test(arguments) => runtime.block_on(test::run(arguments, output)),
        Verb::Invoke(arguments) => runtime.block_on(invoke::run(arguments, output)),
        Verb::Explain(arguments) => runtime.block_on(explain::run(arguments, output)),
        Verb::Trace(arguments) => runtime.block_on(trace::run(arguments, output)),
        Verb::Tail(arguments) => runtime.block_on(trace::tail(arguments, output)),
        Verb::Jwt(verb) => runtime.block_on(jwt::run(&verb, output)),
        Verb::Sign(arguments) => sign::run(&arguments, output),
        Verb::Purge(arguments) => runtime.block_on(purge::run(arguments, output)),
        Verb::Kv(arguments) => runtime.block_on(kv::run(arguments, output)),
        Verb::Schema { subject } => schema::print(subject, output),
        Verb::Completions { shell } => completions::print(shell, output),
        Verb::Doctor(arguments) => runtime.block_on(doctor::run(arguments, output)),
        Verb::Experiment(ExperimentVerb::Status { name, json, node }) => {
            runtime.block_on(experiment::status(name.as_deref(), json, &node, output))
        }
    };
    runtime.shutdown_background();
    exit
}

/// The present, for times in tokens and policies.
fn seconds_since_1970() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// What a configuration is called where none is named, in the order in which they are told.
const CONFIG_NAMES: [&str; 3] = ["edge.toml", "edge.json", "edge.jsonc"];

/// Why there is no configuration to go by.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NoConfig {
    /// There is none here or above.
    Nowhere,
    /// There are two in one folder, and nothing says which one counts.
    Several(PathBuf, PathBuf),
}

impl std::fmt::Display for NoConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nowhere => f.write_str("no edge.toml (or edge.json, edge.jsonc) here or in a parent folder"),
            Self::Several(one, other) => {
                let (one, other) = (one.display(), other.display());
                write!(f, "there are both {one} and {other}; remove one of them, or name one with --config FILE")
            }
        }
    }
}

impl NoConfig {
    fn report(&self, output: &Output) -> Exit {
        output.error(&match self {
            Self::Nowhere => format!("{self}; name one with --config FILE, or make one with `edgehook init`"),
            Self::Several(..) => self.to_string(),
        });
        Exit::Invalid
    }
}

/// The configuration file: as named, or `edge.toml`, `edge.json` or `edge.jsonc` here or in the nearest parent folder.
fn find_config(named: Option<&Path>) -> Result<PathBuf, NoConfig> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let here = std::env::current_dir().map_err(|_| NoConfig::Nowhere)?;
    for folder in here.ancestors() {
        // Shown as the user would write it.
        let shown = folder.strip_prefix(&here).unwrap_or(folder);
        match config_in(shown) {
            Err(NoConfig::Nowhere) => {}
            found => return found,
        }
    }
    Err(NoConfig::Nowhere)
}

/// The configuration file of a folder.
fn config_in(folder: &Path) -> Result<PathBuf, NoConfig> {
    let mut found = CONFIG_NAMES.map(|name| folder.join(name)).into_iter().filter(|file| file.is_file());
    match (found.next(), found.next()) {
        (None, _) => Err(NoConfig::Nowhere),
        (Some(file), None) => Ok(file),
        (Some(one), Some(other)) => Err(NoConfig::Several(one, other)),
    }
}

/// Reads a configuration and shows what is wrong with it; `None` when it cannot be used.
fn load_config(file: &Path, mode: Mode, output: &Output) -> Option<Loaded> {
    match edgehook_config::load(file, mode) {
        Ok(loaded) => {
            if loaded.warnings.warning_count() > 0 {
                output.notice(loaded.warnings.render(output.color()).trim_end());
            }
            Some(loaded)
        }
        Err(problems) => {
            output.notice(problems.render(output.color()).trim_end());
            None
        }
    }
}

/// The configuration in process, its functions loaded at that time of a test; what stands in the way is said.
async fn start_engine(config: Config, clock: Option<SystemTime>, output: &Output) -> Option<Engine> {
    Engine::start(config, clock).await.map_err(|error| output.error(&error.to_string())).ok()
}
