//! From a checked configuration and loaded functions to a site.

use super::rehearsal::Rehearsal;
use super::{
    auth::{self, KeySets},
    experiments,
    functions::FunctionProblem,
};
use crate::{
    access::Countries,
    auth::Admission,
    cache::{Cache, CacheLimits, CachePolicy, Selection},
    debug::Debug,
    deliver::Signature,
    edge_fields::{Asked, GeoDatabases, GeoError, OpenDatabases, PlayedPlaces},
    error_pages::{ErrorPage, ErrorPages},
    experiment::Tallies,
    failover::Health,
    gate,
    hooks::{Function, IncludeBody},
    metrics::KeptMetrics,
    origin::{DynamicOrigins, Origin, OriginBuildError, OriginSettings, Stage, Target},
    purging::PublicPurge,
    record::{Mask, Tracing},
    routing::{HostPattern, PathPattern},
    shadow::Shadow,
    site::{Behavior, Destination, Failover, ProtocolPolicy, Site, SiteOrigin, Written},
    stores::StoresError,
};
use edgehook_config::{
    self as config, AdminListen, Config, Methods, OnError, OriginTarget, PrivateOrigin, Scheme, ViewerProtocolPolicy,
};
use edgehook_contract::{Header, lambda};
use http::{HeaderName, HeaderValue, StatusCode};
use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

/// Why a configuration cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// An origin's settings cannot be used.
    #[error("{0}")]
    Origin(#[from] OriginBuildError),
    /// A database of places or networks cannot be used.
    #[error("[geo] {0}")]
    Geo(#[from] GeoError),
    /// Functions cannot be loaded.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Functions(Vec<FunctionProblem>),
    /// Keys or passwords cannot be used.
    #[error("{0}")]
    Auth(String),
    /// A key value store is not to be had.
    #[error("{0}")]
    Stores(#[from] StoresError),
    /// A value cannot be sent as a header.
    #[error("{0} cannot be sent as a header value")]
    Header(String),
    /// A name that the checked configuration promised is not there.
    #[error("the configuration names {0}, which it does not define")]
    Missing(String),
}

/// What a configuration takes over from the one before it.
#[derive(Debug, Default)]
pub(super) struct Kept {
    tallies: Tallies,
    databases: OpenDatabases,
    key_sets: KeySets,
    metrics: KeptMetrics,
}

/// What does not stand in the file.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) number: u64,
    pub(super) dev: bool,
    pub(super) enforce_https: bool,
    pub(super) https_port: Option<u16>,
    /// Whether key sets are fetched.
    pub(super) fetch_keys: bool,
    /// What the author of a configuration asked of `dev`.
    pub(super) wishes: Wishes,
    /// What stands in for the world outside, in tests of configurations.
    pub(super) rehearsal: Option<Rehearsal>,
}

/// What the author of a configuration may ask of `dev`, besides other origins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    /// The country, as an ISO code in capitals, in which all viewers are.
    pub(crate) country: Option<String>,
    /// How much slower origins are, by name.
    pub(crate) latency: HashMap<String, Duration>,
}

pub(super) fn cache_limits(config: &Config) -> CacheLimits {
    CacheLimits { memory: config.cache.memory, max_object: config.cache.max_object, keep: config.cache.keep }
}

/// The origins of a configuration by name; in `dev` with the replacements that it names.
fn origins<'c>(
    config: &'c Config,
    options: &Options,
    stage: Option<&Arc<dyn Stage>>,
) -> Result<HashMap<&'c str, Arc<SiteOrigin>>, SiteError> {
    let build = |origin: &'c edgehook_config::Origin| {
        let replaced = config.dev.origins.get(&origin.name).filter(|_| options.dev);
        let mut built = site_origin(origin, replaced.unwrap_or(&origin.target), stage)?;
        if let Some(latency) = options.wishes.latency.get(&origin.name) {
            built.origin = built.origin.slowed(*latency);
        }
        Ok((origin.name.as_str(), Arc::new(built)))
    };
    config.origins.values().map(build).collect()
}

pub(super) fn build(
    config: &Config,
    functions: &HashMap<String, Arc<Function>>,
    cache: Cache,
    kept: &Kept,
    options: Options,
) -> Result<Site, SiteError> {
    let server = &config.server;
    let test_key = options.rehearsal.as_ref().map(|rehearsal| &rehearsal.key);
    let authorizers = auth::authorizers(config, &kept.key_sets, options.fetch_keys, test_key)?;
    let stage = options.rehearsal.as_ref().map(|rehearsal| rehearsal.stage.clone());
    let origins = origins(config, &options, stage.as_ref())?;
    let destinations = destinations(config, &origins)?;
    let behaviors = config
        .behaviors
        .iter()
        .enumerate()
        .map(|(index, behavior)| {
            let admission = auth::admission(behavior, config, &authorizers)?;
            let written = Written { index, cache_policy: behavior.cache_policy.clone() };
            self::behavior((behavior, written), admission, config, &destinations, functions).map(Arc::new)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let metrics = kept.metrics.of(
        config.behaviors.iter().map(|behavior| behavior.path.as_str()),
        config.origins.keys().map(String::as_str),
        functions.keys().map(String::as_str),
    );
    let node = server.name.clone().unwrap_or_else(machine_name);
    Ok(Site {
        number: options.number,
        signature: Signature::new(&node, &server.vendor),
        node,
        vendor: server.vendor.clone(),
        header_prefix: server.header_prefix.clone(),
        // Three letters: always a header value.
        pop: server.edge_location.as_ref().and_then(|edge| HeaderValue::from_str(&edge.name).ok()),
        user_agent: HeaderValue::from_str(&server.user_agent)
            .map_err(|_| SiteError::Header("[server] user_agent".to_owned()))?,
        hosts: server.hosts.iter().map(|host| HostPattern::new(host)).collect(),
        default_root_object: server.default_root_object.clone(),
        enforce_https: options.enforce_https,
        https_port: options.https_port,
        dev: options.dev,
        geo: match (&options.rehearsal, &options.wishes.country) {
            (Some(rehearsal), _) => Some(GeoDatabases::played(rehearsal.places.clone())),
            (None, Some(country)) => Some(GeoDatabases::played(Arc::new(PlayedPlaces::all_in(country.clone())))),
            (None, None) => kept.databases.open(config.geo.database.as_deref(), config.geo.asn_database.as_deref())?,
        },
        keeps_header_order: behaviors.iter().any(|behavior| behavior.asked.needs_header_order()),
        error_pages: error_pages(config)?,
        experiments: experiments::build(config, &destinations, functions, &kept.tallies)?,
        behaviors,
        metrics,
        tracing: options.rehearsal.as_ref().map_or_else(|| tracing(config), |rehearsal| rehearsal.tracing.clone()),
        debug: config.debug.as_ref().and_then(|debug| Debug::new(&debug.header, debug.secret.expose())),
        guard: auth::guard(config),
        cache,
        public_purge: config.admin.purge_secret.as_ref().map(|secret| PublicPurge::new(secret.expose())),
        world: options.rehearsal.as_ref().map(|rehearsal| rehearsal.world.clone()).unwrap_or_default(),
        // A played bucket is called by its own name.
        s3: config.s3_endpoint.as_ref().filter(|_| stage.is_none()).map(s3_endpoint).transpose()?,
        dynamic_origins: Arc::new(match stage {
            Some(stage) => dynamic_origins(config)?.on(stage),
            None => dynamic_origins(config)?,
        }),
        functions: functions.clone(),
        origins: origins.into_iter().map(|(name, origin)| (name.to_owned(), origin)).collect(),
    })
}

/// What is recorded, and what of it is masked.
fn tracing(config: &Config) -> Tracing {
    Tracing {
        keep: config.trace.keep,
        memory: config.trace.memory,
        sample: Tracing::of_share(config.trace.sample),
        bodies: config.trace.bodies,
        mask: Mask::new(config.admin.redact.clone(), auth::guard(config).secrets),
    }
}

fn machine_name() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "edgehook".to_owned())
}

fn dynamic_origins(config: &Config) -> Result<DynamicOrigins, SiteError> {
    let (allowed, refused) = reachable(config);
    Ok(DynamicOrigins::new(&allowed, refused)?)
}

/// What functions may reach besides public addresses, and what they never may.
pub(super) fn reachable(config: &Config) -> (Vec<String>, Vec<SocketAddr>) {
    let allowed = config.server.allow_private_origins.iter().map(|entry| match entry {
        PrivateOrigin::Name(name) => name.clone(),
        PrivateOrigin::Network(network) => network.to_string(),
    });
    // A function must never reach the admin API, whatever it is allowed.
    let refused = match &config.admin.listen {
        AdminListen::Tcp(address) => address.ip().map(|ip| SocketAddr::new(ip, address.port)).into_iter().collect(),
        AdminListen::Unix(_) => Vec::new(),
    };
    (allowed.collect(), refused)
}

fn site_origin(
    origin: &config::Origin,
    target: &OriginTarget,
    stage: Option<&Arc<dyn Stage>>,
) -> Result<SiteOrigin, SiteError> {
    let place = match (target, &origin.target) {
        // An echo is told what the origin that it stands for would be told.
        (OriginTarget::Url(url), _) | (OriginTarget::Echo, OriginTarget::Url(url)) => Place::of(url),
        (OriginTarget::Dir(_) | OriginTarget::Echo, _) => Place::called(&origin.name),
    };
    let settings = OriginSettings {
        connection_timeout: origin.connection_timeout,
        connection_attempts: u8::try_from(origin.connection_attempts).unwrap_or(u8::MAX),
        read_timeout: origin.read_timeout,
        keepalive_timeout: origin.keepalive_timeout,
        max_connections: origin.max_connections as usize,
        ca: origin.ca.clone(),
        server_name: None,
        target: match target {
            OriginTarget::Dir(folder) => Target::Dir(folder.clone()),
            OriginTarget::Echo => Target::Echo,
            // The prefix is put in front by the fetch, because an origin-request function may change it.
            OriginTarget::Url(_) => Target::Url {
                https: place.https,
                host: place.domain_name.clone(),
                port: place.port,
                path_prefix: String::new(),
            },
        },
    };
    let unusable = |what: &str| SiteError::Header(format!("[origin.{}] {what}", origin.name));
    let mut headers = Vec::new();
    for (name, value) in &origin.headers {
        let name = HeaderName::try_from(name.as_str()).map_err(|_| unusable("headers"))?;
        headers.push((name, HeaderValue::from_str(value).map_err(|_| unusable("headers"))?));
    }
    let description = lambda::Origin {
        domain_name: place.domain_name.clone(),
        port: place.port,
        https: place.https,
        path: place.path.clone(),
        custom_headers: origin.headers.iter().map(|(name, value)| Header::new(name.clone(), value.clone())).collect(),
        read_timeout: origin.read_timeout.as_secs().max(1),
        keepalive_timeout: origin.keepalive_timeout.as_secs().max(1),
        s3: (origin.kind == config::OriginKind::S3).then(lambda::S3::default),
    };
    Ok(SiteOrigin {
        name: origin.name.clone(),
        namespace: origin.name.clone(),
        host_is_chosen: false,
        host: HeaderValue::from_str(&place.host).map_err(|_| unusable("host"))?,
        path_prefix: place.path,
        headers,
        description,
        connection_timeout: settings.connection_timeout,
        connection_attempts: settings.connection_attempts,
        max_connections: settings.max_connections,
        origin: match stage {
            Some(stage) => Origin::staged(&origin.name, &settings, stage.clone()),
            None => Origin::build(&origin.name, settings)?,
        },
    })
}

/// Where an origin is, in the words of events and headers.
struct Place {
    domain_name: String,
    host: String,
    port: u16,
    https: bool,
    path: String,
}

impl Place {
    /// The place of what has no address.
    fn called(name: &str) -> Self {
        Self { domain_name: name.to_owned(), host: name.to_owned(), port: 80, https: false, path: String::new() }
    }

    fn of(url: &config::OriginUrl) -> Self {
        let (address, https) = (&url.address, url.scheme == Scheme::Https);
        let bracketed = if address.host.contains(':') { format!("[{}]", address.host) } else { address.host.clone() };
        let host =
            if address.port == url.scheme.default_port() { bracketed } else { format!("{bracketed}:{}", address.port) };
        let path = url.path.trim_end_matches('/').to_owned();
        Self { domain_name: address.host.clone(), host, port: address.port, https, path }
    }
}

fn behavior(
    (behavior, written): (&config::Behavior, Written),
    admission: Admission,
    config: &Config,
    destinations: &HashMap<&str, Destination>,
    functions: &HashMap<String, Arc<Function>>,
) -> Result<Behavior, SiteError> {
    let attached = |name: &Option<String>| attached(functions, name);
    let policy = super::caching::policy(behavior, config)?;
    let shadow = behavior.shadow.as_ref().map(|name| destination(destinations, name)).transpose()?;
    let Destination { origin, failover } = destination(destinations, &behavior.origin)?;
    Ok(Behavior {
        written,
        path: PathPattern::new(&behavior.path),
        hosts: behavior.hosts.iter().map(|host| HostPattern::new(host)).collect(),
        origin,
        failover,
        asked: asked(&policy, behavior, config),
        policy,
        request_policy: super::caching::request_policy(behavior, config),
        response_headers: super::caching::response_headers(behavior, config)?.map(Arc::new),
        compress: behavior.compress,
        websocket: behavior.websocket,
        grpc: behavior.grpc,
        strips_bodies: behavior.cache.strip_bodies,
        refuses_delimiters: behavior.cache.reject_encoded_delimiters,
        countries: behavior.countries.as_ref().map(|countries| match countries {
            config::Countries::Allow(list) => Countries::Allow(list.clone()),
            config::Countries::Deny(list) => Countries::Deny(list.clone()),
        }),
        methods: match &behavior.methods {
            Methods::Any => None,
            Methods::List(list) => Some(list.clone()),
        },
        protocol: match behavior.viewer_protocol_policy {
            ViewerProtocolPolicy::AllowAll => ProtocolPolicy::AllowAll,
            ViewerProtocolPolicy::RedirectToHttps => ProtocolPolicy::RedirectToHttps,
            ViewerProtocolPolicy::HttpsOnly => ProtocolPolicy::HttpsOnly,
        },
        allow: behavior.admission.allow.clone(),
        deny: behavior.admission.deny.clone(),
        admission: Arc::new(admission),
        viewer_request: attached(&behavior.viewer_request)?,
        viewer_request_body: include(behavior.include_body.viewer_request),
        viewer_response: attached(&behavior.viewer_response)?,
        origin_request: attached(&behavior.origin_request)?,
        origin_request_body: include(behavior.include_body.origin_request),
        origin_response: attached(&behavior.origin_response)?,
        shadow: shadow.map(|shadow| Arc::new(Shadow::new(shadow.origin, behavior.shadow_percent))),
    })
}

/// The fields about viewers that the cache policy puts in the key, or the origin request policy sends on.
fn asked(policy: &CachePolicy, behavior: &config::Behavior, config: &Config) -> Asked {
    let keyed: &[String] = match &policy.headers {
        Selection::Include(names) => names,
        _ => &[],
    };
    let chosen = behavior.origin_request_policy.as_ref().and_then(|name| config.origin_request_policies.get(name));
    let sent = chosen.map(|policy| policy.edge_headers.as_slice()).unwrap_or_default();
    Asked::among(&config.server.header_prefix, keyed.iter().chain(sent).map(String::as_str))
}

/// Everything that an origin's name may stand for.
fn destinations<'c>(
    config: &'c Config,
    origins: &HashMap<&'c str, Arc<SiteOrigin>>,
) -> Result<HashMap<&'c str, Destination>, SiteError> {
    let plain = |origin: &Arc<SiteOrigin>| Destination { origin: origin.clone(), failover: None };
    let mut found: HashMap<&str, Destination> = origins.iter().map(|(name, origin)| (*name, plain(origin))).collect();
    for group in config.origin_groups.values() {
        let (first, second) = (destination(&found, &group.primary)?, destination(&found, &group.secondary)?);
        // Apart from what the first alone answers: the second's answers are stored here too.
        let origin = Arc::new(SiteOrigin { namespace: group.name.clone(), ..(*first.origin).clone() });
        let health = Arc::new(Health::new(group.skip_primary_for));
        let failover = Failover { origin: second.origin, statuses: group.failover.clone(), health };
        found.insert(group.name.as_str(), Destination { origin, failover: Some(failover) });
    }
    Ok(found)
}

pub(super) fn destination(found: &HashMap<&str, Destination>, name: &str) -> Result<Destination, SiteError> {
    found.get(name).cloned().ok_or_else(|| SiteError::Missing(format!("origin \"{name}\"")))
}

fn error_pages(config: &Config) -> Result<ErrorPages, SiteError> {
    let mut pages = Vec::new();
    for written in &config.error_responses {
        let Some(path) = &written.page else { continue };
        let unusable = || SiteError::Header(format!("[[custom_error_response]] page {path}"));
        let status = |code: u16| StatusCode::from_u16(code).map_err(|_| unusable());
        let path = gate::canonical_path(path).map_err(|_| unusable())?.into();
        pages.push(ErrorPage { code: status(written.code)?, path, shown_as: status(written.response_code)? });
    }
    let of_functions = config.functions.values().any(|function| matches!(function.on_error, OnError::Page(_)));
    Ok(ErrorPages::new(pages, of_functions))
}

pub(super) fn attached(
    functions: &HashMap<String, Arc<Function>>,
    name: &Option<String>,
) -> Result<Option<Arc<Function>>, SiteError> {
    let Some(name) = name else { return Ok(None) };
    functions.get(name).cloned().map(Some).ok_or_else(|| SiteError::Missing(format!("function \"{name}\"")))
}

fn include(body: bool) -> IncludeBody {
    if body { IncludeBody::Yes } else { IncludeBody::No }
}

/// The endpoint is the operator's choice, so it may be private; its own path stands in front of the bucket's.
fn s3_endpoint(url: &config::OriginUrl) -> Result<Origin, OriginBuildError> {
    let place = Place::of(url);
    let target = Target::Url { https: place.https, host: place.domain_name, port: place.port, path_prefix: place.path };
    Origin::build("s3", OriginSettings::new(target))
}
