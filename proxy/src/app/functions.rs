//! Loads the functions of a configuration into isolate hosts and environments, and keeps those that did not change.

use super::{Engines, Roles, packages};
use crate::{
    gate,
    hooks::{Breaker, Deployed, Facts, Function, FunctionBody, FunctionCounts, OnError, ReplacedHeaders, Said},
    id,
};
use edgehook_config::{self as config, Config, FunctionKind, Language, Validation, ViewerRuntime};
use edgehook_contract::{
    Family,
    lambda::OriginRules,
    viewer::{EdgeLocation, Rules, Runtime},
};
use edgehook_lambda::{self as lambda, Concurrency, FunctionSettings, Identity, Launch, Reach};
use edgehook_protocol::viewer::Problem;
use edgehook_viewer::supervisor::{Hosts, StoreId, Surroundings, ViewerFunction};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::Mutex;

/// Largest source of a function, in bytes (cloudfront-functions.md 8).
const SOURCE_LIMIT: u64 = 1024 * 1024;

/// What to do about functions that cannot be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBroken {
    /// Serve all the same; their requests fail.
    Keep,
    /// Refuse the configuration.
    Refuse,
}

/// A function that cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionProblem {
    /// Its name.
    pub function: String,
    /// Its source file.
    pub file: PathBuf,
    /// Line and column, where known.
    pub place: Option<(u32, u32)>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for FunctionProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(formatter, ":{line}:{column}")?;
        }
        write!(formatter, ": function \"{}\": {}", self.function, self.message)
    }
}

/// Why a function could not be loaded.
#[derive(Debug)]
struct Unloaded {
    problem: FunctionProblem,
    /// Its environments, which are started again when they are asked for: what failed may succeed then (lambda-edge.md 7.3).
    tries_again: Option<lambda::Function>,
}

impl From<FunctionProblem> for Unloaded {
    fn from(problem: FunctionProblem) -> Self {
        Self { problem, tries_again: None }
    }
}

/// Loaded functions by name, and the processes that they run in.
#[derive(Debug)]
pub(super) struct Functions {
    hosts: Hosts,
    concurrency: Concurrency,
    engines: Engines,
    /// The time that Lambda functions see while they load, in milliseconds since 1970, where they are tested.
    clock: Option<u64>,
    loaded: Mutex<HashMap<String, (Fingerprint, Loaded)>>,
    /// Counters by name, which go on when a function changes.
    counts: Mutex<HashMap<String, Arc<FunctionCounts>>>,
}

impl Drop for Functions {
    fn drop(&mut self) {
        self.concurrency.clear_away();
    }
}

/// A function in its processes.
#[derive(Clone, Debug)]
enum Loaded {
    Viewer(Arc<Deployed>),
    Lambda(lambda::Function),
}

/// All that makes a loaded function what it is. Equal fingerprints: nothing has to be loaded again.
#[derive(Clone, PartialEq)]
struct Fingerprint {
    source: Vec<u8>,
    settings: String,
    variables: Vec<(String, String)>,
    neighbours: Vec<(PathBuf, SystemTime, u64)>,
    /// Number and id of its key value store.
    store: Option<(StoreId, String)>,
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Fingerprint").finish_non_exhaustive()
    }
}

/// The functions of a configuration.
#[derive(Debug, Default)]
pub(super) struct Set {
    /// All of them, by name.
    pub(super) functions: HashMap<String, Arc<Function>>,
    /// Those that could not be loaded.
    pub(super) broken: Vec<FunctionProblem>,
    /// Those that were loaded now.
    pub(super) fresh: Vec<String>,
}

impl Functions {
    pub(super) fn new(hosts: Hosts, concurrency: Concurrency, roles: &Roles) -> Self {
        let engines = roles.engines();
        Self { hosts, concurrency, engines, clock: None, loaded: Mutex::default(), counts: Mutex::default() }
    }

    /// Shows Lambda functions this time while they load, and then what their invocations say.
    pub(super) fn set_clock(&mut self, clock: SystemTime) {
        let since = clock.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.clock = Some(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    }

    /// Starts an environment of each Lambda function, and tells its sandbox layers, with why they are missing, or why it does
    /// not start.
    pub(super) async fn layers(&self, config: &Config) -> Vec<(String, Result<Vec<(String, String)>, String>)> {
        let mut all = Vec::new();
        for function in config.functions.values().filter(|function| family(function) == Family::Lambda) {
            let settings = match fingerprint(function, config) {
                Ok(found) => self.lambda_settings(function, &found, config).await,
                Err(problem) => Err(problem),
            };
            let layers = match settings {
                Ok(settings) => {
                    let warmed = lambda::Function::new(settings, &self.concurrency).warm().await;
                    warmed.map_err(|error| error.to_string())
                }
                Err(problem) => Err(problem.to_string()),
            };
            all.push((function.name.clone(), layers));
        }
        all
    }

    /// Loads every function of `config`. `stores`: number and id of its key value stores, by name.
    pub(super) async fn load(
        &self,
        config: &Config,
        on_broken: OnBroken,
        stores: &BTreeMap<String, (StoreId, String)>,
    ) -> Result<Set, Vec<FunctionProblem>> {
        let facts = Arc::new(Facts {
            domain_name: config
                .server
                .hosts
                .first()
                .map_or("localhost", |host| host.trim_start_matches("*."))
                .to_owned(),
            distribution_id: config.server.distribution_id.clone(),
        });
        let mut loaded = self.loaded.lock().await;
        self.concurrency.reserve(reserved(config));
        let (mut next, mut set) = (HashMap::new(), Set::default());
        let mut next_counts = self.counts.lock().await;
        for function in config.functions.values() {
            let known = loaded.get(&function.name);
            let body = match self.body(function, known, config, stores).await {
                Ok((fingerprint, held)) => {
                    if known.is_none_or(|(before, _)| *before != fingerprint) {
                        set.fresh.push(function.name.clone());
                    }
                    next.insert(function.name.clone(), (fingerprint, held.clone()));
                    self.attached(function, held)
                }
                Err(Unloaded { problem, tries_again }) => {
                    let shown = problem.to_string();
                    set.broken.push(problem);
                    match tries_again {
                        Some(environments) => self.attached(function, Loaded::Lambda(environments)),
                        None => FunctionBody::Broken { family: family(function), problem: shown },
                    }
                }
            };
            let on_error = match &function.on_error {
                config::OnError::Fail => OnError::Fail,
                config::OnError::Bypass => OnError::Bypass,
                config::OnError::Page(path) => match gate::canonical_path(path) {
                    Ok(path) => OnError::Page(path.into()),
                    Err(_) => {
                        set.broken.push(problem(function, "on_error: half an escape, or a path above the root"));
                        OnError::Fail
                    }
                },
            };
            let (name, facts) = (function.name.clone(), facts.clone());
            let breaks = matches!(function.kind, FunctionKind::Viewer { circuit_breaker: true, .. });
            let breaker = breaks.then(Breaker::default);
            let counts = next_counts.entry(name.clone()).or_default().clone();
            set.functions.insert(
                name.clone(),
                Arc::new(Function { name, on_error, facts, body, breaker, said: Said::default(), counts }),
            );
        }
        if on_broken == OnBroken::Refuse && !set.broken.is_empty() {
            return Err(set.broken);
        }
        *loaded = next;
        Ok(set)
    }

    async fn body(
        &self,
        function: &config::Function,
        known: Option<&(Fingerprint, Loaded)>,
        config: &Config,
        stores: &BTreeMap<String, (StoreId, String)>,
    ) -> Result<(Fingerprint, Loaded), Unloaded> {
        let mut fingerprint = fingerprint(function, config)?;
        if let FunctionKind::Viewer { kvs: Some(name), .. } = &function.kind {
            fingerprint.store = stores.get(name).cloned();
        }
        if let Some((before, held)) = known
            && *before == fingerprint
        {
            return Ok((fingerprint, held.clone()));
        }
        let held = match &function.kind {
            FunctionKind::Viewer { budget, state_memory, memory, .. } => {
                let program = ViewerFunction {
                    name: function.name.clone(),
                    file: file_name(&function.file),
                    source: fingerprint.source.clone(),
                    budget: *budget,
                    state_memory: *state_memory,
                    memory: *memory,
                    store: fingerprint.store.clone(),
                    surroundings: surroundings(function, config),
                };
                let deployed = self.hosts.deploy(&program).await;
                let id = deployed.map_err(|problem| viewer_problem(function, &problem))?;
                Loaded::Viewer(Arc::new(Deployed::new(self.hosts.clone(), id)))
            }
            FunctionKind::Lambda(_) => {
                let settings = self.lambda_settings(function, &fingerprint, config).await?;
                let lambda = lambda::Function::new(settings, &self.concurrency);
                if let Err(error) = lambda.warm().await {
                    let tries_again = error.may_pass().then_some(lambda);
                    return Err(Unloaded { problem: problem(function, &error.to_string()), tries_again });
                }
                Loaded::Lambda(lambda)
            }
        };
        Ok((fingerprint, held))
    }

    fn attached(&self, function: &config::Function, held: Loaded) -> FunctionBody {
        match (held, &function.kind) {
            (Loaded::Viewer(id), FunctionKind::Viewer { budget, body_limit, validation, .. }) => FunctionBody::Viewer {
                hosts: self.hosts.clone(),
                id,
                budget: *budget,
                rules: Rules {
                    lenient: *validation == Validation::Lenient,
                    body_limit: usize::try_from(*body_limit).unwrap_or(usize::MAX),
                },
            },
            (Loaded::Lambda(environments), FunctionKind::Lambda(settings)) => FunctionBody::Lambda {
                environments,
                origin_rules: match settings.origin_rules {
                    config::OriginRules::Aws => OriginRules::Aws,
                    config::OriginRules::Relaxed => OriginRules::Relaxed,
                },
                replaced: match settings.replaced_body_headers {
                    config::ReplacedBodyHeaders::Drop => ReplacedHeaders::Drop,
                    config::ReplacedBodyHeaders::Keep => ReplacedHeaders::Keep,
                },
            },
            _ => FunctionBody::Broken { family: family(function), problem: "loaded as the wrong kind".to_owned() },
        }
    }

    async fn lambda_settings(
        &self,
        function: &config::Function,
        fingerprint: &Fingerprint,
        config: &Config,
    ) -> Result<FunctionSettings, FunctionProblem> {
        let FunctionKind::Lambda(own) = &function.kind else {
            return Err(problem(function, "not a Lambda function"));
        };
        let code = packages::code(function, own, &fingerprint.source, &self.concurrency).await;
        let code = code.map_err(|text| problem(function, &text))?;
        let launch = match own.language {
            Language::JavaScript => Launch::Engine(self.engines.javascript.clone()),
            Language::Python => Launch::Engine(self.engines.python.clone().map_err(|text| problem(function, &text))?),
            Language::Node | Language::Provided if code.by_node => {
                let node = super::find_node().map_err(|text| problem(function, &text))?;
                Launch::Node(self.engines.provided.clone(), node)
            }
            Language::Node | Language::Provided => Launch::Engine(self.engines.provided.clone()),
        };
        Ok(FunctionSettings {
            identity: Identity { name: function.name.clone(), version: "1".to_owned(), content: code.content },
            account_id: config.server.account_id.clone(),
            log_stream: format!("[1]{}", id::hex32()),
            launch,
            root: code.root,
            file: code.file,
            source: code.source,
            handler: code.handler,
            full_handler: own.handler.clone(),
            package: code.package,
            variables: fingerprint.variables.clone(),
            timeout: own.timeout,
            memory: u32::try_from(own.memory / (1024 * 1024)).unwrap_or(u32::MAX),
            reserved_concurrency: own.reserved_concurrency.map(|count| count as usize),
            provisioned_concurrency: own.provisioned_concurrency as usize,
            layers: code.layers,
            network: own.network.as_str().to_owned(),
            reach: reach(config),
            compat: own.compat.as_str().to_owned(),
            tmp_quota: own.tmp,
            idle_timeout: own.idle_timeout,
            max_age: own.max_age,
            freeze: own.freeze,
            clock: self.clock,
        })
    }
}

fn reach(config: &Config) -> Reach {
    let (allowed, refused) = super::site::reachable(config);
    Reach { allowed, refused }
}

/// What a viewer function finds besides the language.
fn surroundings(function: &config::Function, config: &Config) -> Surroundings {
    let FunctionKind::Viewer { runtime, validation, .. } = &function.kind else { return Surroundings::default() };
    Surroundings {
        runtime: match runtime {
            ViewerRuntime::Js1 => Runtime::Js1,
            ViewerRuntime::Js2 => Runtime::Js2,
        },
        lenient: *validation == Validation::Lenient,
        edge: config.server.edge_location.as_ref().map(|edge| EdgeLocation {
            name: edge.name.clone(),
            server_ip: edge.server_ip.to_string(),
            region: edge.region.clone(),
        }),
    }
}

/// Environments that functions have for themselves.
fn reserved(config: &Config) -> usize {
    let of = |function: &config::Function| match &function.kind {
        FunctionKind::Lambda(own) => own.reserved_concurrency.unwrap_or(0) as usize,
        FunctionKind::Viewer { .. } => 0,
    };
    config.functions.values().map(of).sum()
}

fn family(function: &config::Function) -> Family {
    match function.kind {
        FunctionKind::Viewer { .. } => Family::Viewer,
        FunctionKind::Lambda(_) => Family::Lambda,
    }
}

fn fingerprint(function: &config::Function, config: &Config) -> Result<Fingerprint, FunctionProblem> {
    let unreadable = |error: std::io::Error| problem(function, &format!("cannot be read: {error}"));
    let metadata = std::fs::metadata(&function.file).map_err(unreadable)?;
    // What is copied when it is loaded; times and lengths tell that it changed.
    let executable =
        matches!(&function.kind, FunctionKind::Lambda(own) if own.packaged || own.language == Language::Provided);
    if metadata.len() > SOURCE_LIMIT && !executable {
        let length = metadata.len();
        return Err(problem(function, &format!("{length} bytes of source, the limit is {SOURCE_LIMIT}")));
    }
    let source = if executable { Vec::new() } else { std::fs::read(&function.file).map_err(unreadable)? };
    let (variables, mut neighbours) = match &function.kind {
        FunctionKind::Viewer { .. } => (Vec::new(), Vec::new()),
        FunctionKind::Lambda(own) => {
            let variables = own.env.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
            let mut neighbours = if own.packaged { Vec::new() } else { neighbours(&function.file) };
            // A viewer function cannot be imported; its changes are its own.
            let viewer: Vec<&Path> = viewer_files(config).collect();
            neighbours.retain(|(file, ..)| !viewer.contains(&file.as_path()));
            neighbours.extend(own.layers.iter().flat_map(|layer| packages::listed(layer)));
            (variables, neighbours)
        }
    };
    if executable {
        neighbours.extend(packages::listed(&function.file));
    }
    // `Debug` of a function leaves out its secrets; those are compared as `variables`.
    Ok(Fingerprint {
        source,
        settings: format!("{:?} {:?} {:?}", function.kind, config.server.edge_location, reach(config)),
        variables,
        neighbours,
        store: None,
    })
}

fn viewer_files(config: &Config) -> impl Iterator<Item = &Path> {
    let functions = config.functions.values().filter(|function| family(function) == Family::Viewer);
    functions.map(|function| function.file.as_path())
}

/// Files that a Lambda function may import, beside it and below, with what tells that they changed.
fn neighbours(file: &Path) -> Vec<(PathBuf, SystemTime, u64)> {
    let Some(folder) = file.parent() else { return Vec::new() };
    let mut found: Vec<_> = crate::cli::folders_below(folder)
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flat_map(Iterator::flatten)
        .filter(|entry| crate::cli::is_source(&entry.path()) && entry.path() != file)
        .filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            Some((entry.path(), metadata.modified().ok()?, metadata.len()))
        })
        .collect();
    found.sort();
    found
}

/// Whether the system would start it.
pub(super) fn check_executable(file: &Path) -> Result<(), String> {
    let mode = std::fs::metadata(file).map_err(|error| format!("cannot be read: {error}"))?.permissions().mode();
    let shown = file.display();
    if mode & 0o111 == 0 { Err(format!("is not executable: chmod +x {shown}")) } else { Ok(()) }
}

fn file_name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn problem(function: &config::Function, message: &str) -> FunctionProblem {
    FunctionProblem {
        function: function.name.clone(),
        file: function.file.clone(),
        place: None,
        message: message.to_owned(),
    }
}

fn viewer_problem(function: &config::Function, found: &Problem) -> FunctionProblem {
    let place = found.line.map(|line| (line, found.column.unwrap_or(1)));
    let message = if place.is_some() { found.message.clone() } else { found.to_string() };
    FunctionProblem { place, ..problem(function, &message) }
}
