//! A configuration in process: loaded as `serve` loads it, played as often as wanted.

use super::script::{Asked, Player, Script};
use crate::{
    app::{FunctionProblem, OnBroken, Rehearsal, Roles, Runtime, SiteError},
    auth::jwt::{Algorithm, Key, KeySet, mint},
    body,
    edge::Edge,
    edge_fields::{PlayedPlace, PlayedPlaces},
    listener::{Connection, Scheme, TlsInfo},
    record::{Mask, Meeting, Record, RequestRecord, Seat, Tracing},
    site::Site,
    stores::Served,
    workbench::script::Line,
    world::World,
};
use bytes::Bytes;
use edgehook_config::{Config, Mode};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A loaded configuration.
#[derive(Debug)]
pub(crate) struct Engine {
    config: Config,
    runtime: Runtime,
    loaded: Arc<Site>,
    /// Functions that could not be loaded.
    pub(crate) broken: Vec<FunctionProblem>,
    private_key: String,
    key: Arc<KeySet>,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    #[error("this executable cannot be found: {0}")]
    Roles(std::io::Error),
    #[error("{0}")]
    Site(#[from] SiteError),
    #[error("no key for test tokens: {0}")]
    Key(String),
}

/// What a play begins with.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// The time.
    pub(crate) clock: SystemTime,
    /// Where chance follows from.
    pub(crate) seed: u64,
    /// Answers of origins.
    pub(crate) origins: BTreeMap<String, Vec<Line>>,
}

/// The beginning of 2026: where clocks stand unless a test says otherwise.
pub(crate) const NEW_YEAR: Duration = Duration::from_secs(1_767_225_600);

impl Default for Setting {
    fn default() -> Self {
        Self { clock: UNIX_EPOCH + NEW_YEAR, seed: 0, origins: BTreeMap::new() }
    }
}

/// A request to a play.
#[derive(Clone, Debug)]
pub(crate) struct Entrance {
    pub(crate) method: Method,
    pub(crate) scheme: Scheme,
    pub(crate) host: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) viewer: IpAddr,
    pub(crate) place: Option<PlayedPlace>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) record: Record,
    /// The same as everybody reads it, with nothing masked.
    pub(crate) told: RequestRecord,
}

impl Engine {
    /// Loads `config` and its functions. Those that cannot be loaded fail when they are called. While they load, Lambda functions
    /// see the time `clock`, and then what their invocations say; without one they always see the real time.
    ///
    /// # Errors
    /// The configuration cannot be served.
    pub(crate) async fn start(config: Config, clock: Option<SystemTime>) -> Result<Self, EngineError> {
        let roles = Roles::find().map_err(EngineError::Roles)?;
        let mut runtime = Runtime::start(&config, &roles, Mode::Check, true, None);
        if let Some(clock) = clock {
            runtime = runtime.at(clock);
        }
        let prepared = runtime.site(&config, OnBroken::Keep).await?;
        for notice in prepared.seeds.apply().await {
            tracing::warn!("{notice}");
        }
        let failed = |error: mint::MintError| EngineError::Key(error.to_string());
        let made = mint::new_p256(None).map_err(failed)?;
        let key = Key::from_pem(made.public_pem.as_bytes(), Algorithm::ES256)
            .map_err(|error| EngineError::Key(error.to_string()))?;
        Ok(Self {
            config,
            runtime,
            loaded: prepared.site,
            broken: prepared.broken,
            private_key: made.private_pem,
            key: Arc::new(KeySet::of(key)),
        })
    }

    /// The configuration.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The site that the configuration makes, with real origins.
    pub(crate) fn site(&self) -> &Arc<Site> {
        &self.loaded
    }

    /// A site with the loaded functions and what is put in the place of the world.
    ///
    /// # Errors
    /// The configuration cannot be served.
    fn rehearsed(&self, rehearsal: Rehearsal) -> Result<Arc<Site>, SiteError> {
        self.runtime.rehearse(&self.config, &self.loaded, rehearsal)
    }

    /// A key value store of the configuration.
    pub(crate) fn store(&self, name: &str) -> Option<Arc<Served>> {
        self.runtime.store(name)
    }

    /// An edge of its own.
    ///
    /// # Errors
    /// The configuration cannot be served.
    pub(crate) fn play(&self, setting: &Setting) -> Result<Play, SiteError> {
        let world = World::simulated(setting.clock, setting.seed);
        let script = Script::new(&setting.origins);
        let places = Arc::new(PlayedPlaces::default());
        let rehearsal = Rehearsal {
            world: world.clone(),
            stage: Arc::new(Player { script: script.clone(), world: world.clone() }),
            key: self.key.clone(),
            places: places.clone(),
            tracing: Tracing {
                keep: 1,
                memory: 0,
                sample: Tracing::of_share(1.0),
                bodies: true,
                mask: Mask::nothing(),
            },
        };
        let site = self.rehearsed(rehearsal)?;
        let records: Arc<Mutex<HashMap<String, Record>>> = Arc::default();
        let kept = records.clone();
        let listener = move |record: &Record| {
            kept.lock().unwrap_or_else(PoisonError::into_inner).insert(record.id.clone(), record.clone());
        };
        let edge = Arc::new(Edge::new(site, Some(Arc::new(listener))));
        Ok(Play { edge, world, script, places, records })
    }

    /// A token that the authorizer of this name accepts, with these claims besides those that it asks for.
    ///
    /// # Errors
    /// There is no such authorizer, or it cannot be signed.
    pub(crate) fn token(&self, authorizer: &str, claims: &Value, now: u64) -> Result<String, String> {
        let known = self.config.authorizers.get(authorizer);
        let known = known.ok_or_else(|| format!("there is no authorizer \"{authorizer}\""))?;
        let mut header = json!({ "alg": "ES256" });
        if let Some(typ) = &known.typ {
            header["typ"] = json!(typ);
        }
        let mut all = json!({ "exp": now + 3600 });
        if let Some(issuer) = known.issuers.first() {
            all["iss"] = json!(issuer);
        }
        if let Some(audience) = known.audiences.first() {
            all["aud"] = json!(audience);
        }
        for (name, value) in claims.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        mint::with_p256(self.private_key.as_bytes(), &header, &all).map_err(|error| error.to_string())
    }
}

/// One edge with its world, which ends with it.
pub(crate) struct Play {
    edge: Arc<Edge>,
    pub(crate) world: World,
    script: Arc<Script>,
    places: Arc<PlayedPlaces>,
    records: Arc<Mutex<HashMap<String, Record>>>,
}

impl Drop for Play {
    fn drop(&mut self) {
        self.world.end();
    }
}

impl Play {
    /// The site.
    pub(crate) fn site(&self) -> Arc<Site> {
        self.edge.site()
    }

    /// Sends a request and reads the whole answer. What it leaves behind ends meanwhile, or waits for time to pass.
    pub(crate) async fn send(&self, entrance: &Entrance) -> Scene {
        let scene = self.world.viewer(self.seated(entrance, None)).await;
        self.world.settled().await;
        scene
    }

    /// Sends requests together: no origin answers before all have asked the cache.
    pub(crate) async fn send_together(&self, entrances: &[Entrance]) -> Vec<Scene> {
        let (meeting, seats) = Meeting::of(entrances.len());
        self.script.meet(Some(meeting));
        let together = entrances.iter().zip(seats).map(|(entrance, seat)| {
            let seated = self.seated(entrance, Some(seat));
            self.world.viewer(seated)
        });
        let scenes = futures_util::future::join_all(together).await;
        self.script.meet(None);
        self.world.settled().await;
        scenes
    }

    /// What origins were asked since this was called last.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.take_asked()
    }

    /// Origins without a script that were asked.
    pub(crate) fn undeclared(&self) -> Vec<String> {
        self.script.take_undeclared()
    }

    async fn seated(&self, entrance: &Entrance, seat: Option<Seat>) -> Scene {
        self.places.put(entrance.viewer, entrance.place.clone());
        let connection = Arc::new(Connection {
            peer: SocketAddr::new(entrance.viewer, 49_152),
            local: SocketAddr::from(([127, 0, 0, 1], if entrance.scheme == Scheme::Https { 443 } else { 80 })),
            scheme: entrance.scheme,
            tls: (entrance.scheme == Scheme::Https).then(|| TlsInfo {
                version: "TLSv1.3",
                cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
                sni: Some(entrance.host.clone()),
                resumed: false,
                fingerprints: None,
            }),
            used: Arc::default(),
        });
        let mut request = Request::new(body::empty());
        *request.method_mut() = entrance.method.clone();
        // A target that is no URI stays `/`; the reader of the test has refused it.
        *request.uri_mut() = entrance.target.parse().unwrap_or_default();
        request.headers_mut().clone_from(&entrance.headers);
        if let Ok(host) = HeaderValue::from_str(&entrance.host) {
            request.headers_mut().insert(header::HOST, host);
        }
        if !entrance.body.is_empty() {
            request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(entrance.body.len()));
            *request.body_mut() = body::full(entrance.body.clone());
        }
        if let Some(seat) = seat {
            request.extensions_mut().insert(seat);
        }
        let response = self.edge.serve(&connection, request).await;
        self.scene(response).await
    }

    async fn scene(&self, response: http::Response<crate::body::Body>) -> Scene {
        const ID: HeaderName = HeaderName::from_static("x-amz-cf-id");
        let (head, body) = response.into_parts();
        let id = head.headers.get(ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
        let record = self.records.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        // A body that breaks off is what a viewer would have of it.
        let mut collected = Vec::new();
        let mut body = body;
        while let Some(Ok(frame)) = body.frame().await {
            collected.extend_from_slice(frame.data_ref().map_or(&[][..], |bytes| bytes));
        }
        let record = record.unwrap_or_else(|| unreachable!("every answer has the id of its record"));
        let mut told = RequestRecord::new(&record, &Mask::nothing());
        told.add_bodies(&crate::record::Bodies::of(&record));
        Scene { status: head.status, headers: head.headers, body: collected.into(), record, told }
    }
}
