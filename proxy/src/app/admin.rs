//! The admin API: `GET /status`, `GET /experiments`, `POST /purge`, and key value stores below `/kvs`.
//!
//! It listens on an address of its own, loopback by default, and cannot be reached through the public listeners. Off loopback
//! it answers only to who sends the token, unless the configuration says `insecure`. Changes need the token on loopback too,
//! except in `dev`, and a field that no form on a web page can send (experience.md 8).

use super::{ListenError, Runtime, kvs, purge, token};
use crate::edge::Edge;
use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderName, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use edgehook_config::{Address, AdminListen, Config, Mode, Secret};
use serde_json::{Value, json};
use std::{io, sync::Arc, time::Instant};
use tokio::net::{TcpListener, UnixListener};

#[derive(Clone)]
struct Api {
    edge: Arc<Edge>,
    started: Instant,
    gate: Arc<Gate>,
}

/// Who may ask.
struct Gate {
    /// Names under which the API may be asked for, against name rebinding; empty on a Unix socket.
    hosts: Vec<String>,
    /// Needed for changes when present.
    token: Option<Secret>,
    /// Needed for everything else, too.
    guarded: bool,
    /// Why there is no token where one is needed.
    problem: Option<String>,
}

/// The field that changes have to have, with any value.
const CHANGE: HeaderName = HeaderName::from_static("x-edgehook-admin");

/// Binds the admin address and serves it on a task of its own; returns where it can be reached.
pub(super) async fn serve(
    config: &Config,
    runtime: &Runtime,
    edge: Arc<Edge>,
    next_free: bool,
) -> Result<String, ListenError> {
    let failed = |address: String| move |error| ListenError::Bind { address, error };
    match &config.admin.listen {
        AdminListen::Tcp(address) => {
            let listener = bind(address, next_free).await;
            let listener = listener.map_err(failed(format!("{address} ([admin] listen)")))?;
            let local = listener.local_addr().map_err(failed(address.to_string()))?;
            let hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned(), address.host.clone()];
            let open = config.admin.insecure || (runtime.mode == Mode::Dev && address.is_loopback());
            let (token, problem) = if open { (None, None) } else { token_or_why(config) };
            let router =
                router(edge, runtime, Gate { hosts, token, guarded: !open && !address.is_loopback(), problem });
            tokio::spawn(async move { axum::serve(listener, router).await });
            Ok(format!("http://{local}"))
        }
        AdminListen::Unix(path) => {
            // A socket that an earlier run left behind would refuse the bind; one that answers is in use and stays.
            if tokio::net::UnixStream::connect(path).await.is_err() {
                let _ = std::fs::remove_file(path);
            }
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(failed(folder.display().to_string()))?;
            }
            let listener = UnixListener::bind(path).map_err(failed(path.display().to_string()))?;
            let token = config.admin.token.clone();
            let router = router(edge, runtime, Gate { hosts: Vec::new(), token, guarded: false, problem: None });
            tokio::spawn(async move { axum::serve(listener, router).await });
            Ok(format!("unix:{}", path.display()))
        }
    }
}

fn token_or_why(config: &Config) -> (Option<Secret>, Option<String>) {
    match token::of(config) {
        Ok(token) => (token, None),
        Err(error) => {
            let problem = format!(
                "no admin token can be kept in {} ({error}); changes are refused; mend that or write [admin] token",
                config.server.state_dir.display()
            );
            tracing::warn!("{problem}");
            (None, Some(problem))
        }
    }
}

/// How many ports above the wanted one are tried where any will do.
const PORTS_TRIED: u16 = 50;

async fn bind(address: &Address, next_free: bool) -> io::Result<TcpListener> {
    let mut port = address.port;
    loop {
        match TcpListener::bind((address.host.as_str(), port)).await {
            Err(error)
                if next_free && error.kind() == io::ErrorKind::AddrInUse && port < address.port + PORTS_TRIED =>
            {
                port += 1;
            }
            bound => return bound,
        }
    }
}

fn router(edge: Arc<Edge>, runtime: &Runtime, gate: Gate) -> Router {
    let api = Api { edge, started: Instant::now(), gate: Arc::new(gate) };
    let purging = Router::new().route("/purge", post(purge::purge)).with_state(Arc::clone(&api.edge));
    Router::new()
        .route("/status", get(status))
        .route("/experiments", get(experiments))
        .with_state(api.clone())
        .merge(purging)
        .merge(kvs::router(runtime.stores.clone()))
        .layer(middleware::from_fn_with_state(api, admit))
}

async fn admit(State(api): State<Api>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name);
    if !api.gate.hosts.is_empty() && !api.gate.hosts.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return (StatusCode::MISDIRECTED_REQUEST, "this host name is not served here\n").into_response();
    }
    let change = !matches!(*request.method(), Method::GET | Method::HEAD);
    // What functions keep may be secret, also from others who can reach this machine's loopback.
    let private = change || request.uri().path().starts_with("/kvs");
    if let Some(token) = api.gate.token.as_ref().filter(|_| private || api.gate.guarded) {
        let sent = request.headers().get(header::AUTHORIZATION).map(|value| value.as_bytes());
        let sent = sent.and_then(|value| value.strip_prefix(b"Bearer ")).unwrap_or_default();
        if !same(sent, token.expose().as_bytes()) {
            return (StatusCode::UNAUTHORIZED, "send the admin token as \"Authorization: Bearer TOKEN\"\n")
                .into_response();
        }
    }
    if let Some(problem) = api.gate.problem.as_ref().filter(|_| private) {
        return (StatusCode::FORBIDDEN, format!("{problem}\n")).into_response();
    }
    if change && !request.headers().contains_key(CHANGE) {
        return (StatusCode::FORBIDDEN, format!("changes need the field {CHANGE}, and a JSON body\n")).into_response();
    }
    next.run(request).await
}

/// Compares in time that depends on the lengths alone.
fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

async fn experiments(State(api): State<Api>) -> Json<Value> {
    Json(json!({ "schema": 1, "experiments": crate::experiment::report(&api.edge.site().experiments) }))
}

/// What has been counted of the Lambda functions that the configuration uses, by name; times in milliseconds, memory in KiB.
fn environments(site: &crate::site::Site) -> serde_json::Map<String, Value> {
    let hooks = site.behaviors.iter().flat_map(|behavior| {
        [&behavior.viewer_request, &behavior.origin_request, &behavior.origin_response, &behavior.viewer_response]
    });
    let measured = hooks.flatten().filter_map(|function| Some((&function.name, function.measured()?)));
    let milliseconds = |time: std::time::Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
    let shown = measured.map(|(name, of)| {
        let counted = json!({
            "invocations": of.invocations,
            "errors": of.errors,
            "throttles": of.throttles,
            "concurrent": of.concurrent,
            "most_concurrent": of.most_concurrent,
            "duration_ms": milliseconds(of.duration),
            "queue_ms": milliseconds(of.queue),
            "cold_starts": of.cold_starts,
            "init_ms": milliseconds(of.init),
            "max_memory_kib": of.max_memory,
            "environments": of.environments,
            "idle": of.idle,
        });
        (name.clone(), counted)
    });
    shown.collect()
}

async fn status(State(api): State<Api>) -> Json<Value> {
    let site = api.edge.site();
    let outcomes: serde_json::Map<String, Value> =
        api.edge.counters.outcomes().map(|(word, count)| (word.to_owned(), json!(count))).collect();
    let behaviors: Vec<Value> = site
        .behaviors
        .iter()
        .map(|behavior| {
            let name = |function: &Option<Arc<crate::hooks::Function>>| {
                function.as_ref().map_or(Value::Null, |function| json!(function.name))
            };
            json!({
                "path": behavior.path.as_str(),
                "origin": behavior.origin.name,
                "viewer_request": name(&behavior.viewer_request),
                "origin_request": name(&behavior.origin_request),
                "origin_response": name(&behavior.origin_response),
                "viewer_response": name(&behavior.viewer_response),
                "shadow": behavior.shadow.as_ref().map(|shadow| {
                    let [answered, failed, left_out] = shadow.counts();
                    json!({ "origin": shadow.origin(), "answered": answered, "failed": failed, "left_out": left_out })
                }),
            })
        })
        .collect();
    Json(json!({
        "schema": 1,
        "version": env!("CARGO_PKG_VERSION"),
        "node": site.node,
        "config": site.number,
        "uptime_seconds": api.started.elapsed().as_secs(),
        "requests": api.edge.counters.requests(),
        "outcomes": outcomes,
        "cache_bytes": site.cache.weight(),
        "disk": site.cache.on_disk().map(|(bytes, objects)| json!({ "bytes": bytes, "objects": objects })),
        "behaviors": behaviors,
        "functions": functions(&site),
        "lambda": environments(&site),
    }))
}

/// What was counted of each function, under Amazon's names (cloudfront-functions.md 8).
fn functions(site: &crate::site::Site) -> serde_json::Map<String, Value> {
    let one = |function: &crate::hooks::Function| {
        let (sums, utilization) = function.counts.metrics();
        let mut metrics: serde_json::Map<String, Value> =
            sums.into_iter().map(|(name, sum)| (name.to_owned(), json!(sum))).collect();
        if let Some(average) = utilization {
            metrics.insert("FunctionComputeUtilization".to_owned(), json!(average));
        }
        metrics
    };
    let mut all: Vec<_> = site.functions.iter().map(|(name, function)| (name.clone(), json!(one(function)))).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.into_iter().collect()
}
