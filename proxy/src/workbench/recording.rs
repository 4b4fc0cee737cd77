//! Cached hits through the whole edge in process, for the benchmark of what recording costs (`benches/recording.rs`).
//!
//! Deliberately absent: sockets and listeners, so that what recording adds stands beside less than a real request costs.

use super::{
    engine::{Engine, Setting},
    script::{Line, Player, Script},
};
use crate::{
    app::Rehearsal,
    body::Body,
    edge::{self, Edge},
    edge_fields::PlayedPlaces,
    listener::{Connection, Scheme},
    record::{Record, Tracing},
    world::World,
};
use edgehook_config::Mode;
use http::{HeaderValue, Request, Response, header};
use http_body_util::BodyExt as _;
use std::{
    error::Error,
    net::SocketAddr,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

/// An edge that has one answer of 1 KB stored, and records as it is told.
pub struct Recorded {
    edge: Edge,
    connection: Arc<Connection>,
}

/// Edges of one configuration that differ in nothing but recording. The file needs a host `www.example.com` or none, and an
/// origin `site`.
///
/// # Errors
/// The configuration cannot be served.
pub async fn edges(config: &Path, tracings: &[Tracing]) -> Result<Vec<Recorded>, Box<dyn Error>> {
    let loaded = edgehook_config::load(config, Mode::Check).map_err(|problems| problems.render(false))?;
    let engine = Engine::start(loaded.config).await?;
    let mut edges = Vec::new();
    for tracing in tracings {
        let line = Line {
            headers: vec![
                (header::CACHE_CONTROL, HeaderValue::from_static("max-age=86400")),
                (header::CONTENT_TYPE, HeaderValue::from_static("text/html")),
                (header::ETAG, HeaderValue::from_static("\"a1b2c3\"")),
            ],
            body: "x".repeat(1024).into(),
            ..Line::default()
        };
        let origins = [("site".to_owned(), vec![line])].into();
        let setting = Setting { origins, ..Setting::default() };
        let rehearsal = Rehearsal {
            world: World::default(),
            stage: Arc::new(Player(Script::new(&setting.origins))),
            key: engine.key(),
            places: Arc::new(PlayedPlaces::default()),
            tracing: tracing.clone(),
        };
        let recorded = Recorded {
            edge: Edge::new(engine.rehearsed(rehearsal)?, None),
            connection: Arc::new(Connection {
                peer: SocketAddr::from(([192, 0, 2, 1], 49_152)),
                local: SocketAddr::from(([127, 0, 0, 1], 80)),
                scheme: Scheme::Http,
                tls: None,
                used: Arc::new(AtomicBool::new(true)),
            }),
        };
        recorded.hit().await;
        edges.push(recorded);
    }
    Ok(edges)
}

impl Recorded {
    /// One request, answered and read.
    pub async fn hit(&self) -> Response<()> {
        let response = self.edge.serve(self.connection.clone(), request()).await;
        let (head, mut body) = response.into_parts();
        while let Some(Ok(_)) = body.frame().await {}
        Response::from_parts(head, ())
    }

    /// What is asked of the recorder about each request: whether it is one to be traced, and whether to keep what is known of
    /// it. It is asked twice about the same record, with nothing done in between.
    pub fn ask(&self, record: &Record) {
        let site = self.edge.site();
        drop(site.tracing.begin(&record.id));
        self.edge.records.take(record, &site.tracing);
    }

    /// A record to ask with: of an ordinary answer.
    #[must_use]
    pub fn record(&self) -> Record {
        let mut record = edge::begin(&self.connection, &request(), &self.edge.site());
        record.status = http::StatusCode::OK;
        record.outcome = crate::record::Outcome::Generated;
        record
    }

    /// How many records were kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.edge.records.all().len()
    }
}

/// A request as browsers send them.
fn request() -> Request<Body> {
    let mut request = Request::new(crate::body::empty());
    *request.uri_mut() = http::Uri::from_static("/articles/2026/index.html?page=2");
    let fields = [
        (header::HOST, "www.example.com"),
        (header::USER_AGENT, "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"),
        (header::ACCEPT, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        (header::ACCEPT_LANGUAGE, "en-US,en;q=0.5"),
        (header::ACCEPT_ENCODING, "gzip, deflate, br"),
        (header::COOKIE, "session=0123456789abcdef; theme=dark"),
    ];
    for (name, value) in fields {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    request
}
