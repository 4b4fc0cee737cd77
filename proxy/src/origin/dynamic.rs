//! Origins that functions choose at run time: any public server, and what `allow_private_origins` adds.
//!
//! [`DynamicOrigins::origin`] gives an [`Origin`] whose connections go only to addresses that were judged. Origins with
//! the same scheme, host and port share a pool. [`DynamicOrigins::renamed`] gives a configured origin under another server name; where
//! it is and whom it trusts stays its configuration's to say. Deliberately absent: `ca` files, folders and sockets in the file system.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use edgehook_contract::{AddressPolicy, plain_name};
use tokio::time::Instant;

use super::connect::Connector;
use super::http::Endpoint;
use super::{Origin, OriginBuildError, OriginError, OriginSettings, Source, Stage, Target, Waits, tls};

/// Pools kept at a time. A function that makes up hosts must not fill the memory.
const MAX_ENDPOINTS: usize = 256;

/// The origins that functions have chosen so far.
#[derive(Debug)]
pub struct DynamicOrigins {
    policy: Arc<AddressPolicy>,
    endpoints: Mutex<HashMap<Key, Entry>>,
    /// Who plays all of them, in tests of configurations.
    stage: Option<Arc<dyn Stage>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// A place that a function chose.
    Chosen { https: bool, host: String, port: u16, server_name: Option<String> },
    /// A configured origin, by its name, and the server name that is asked for there.
    Renamed { origin: String, server_name: String },
}

#[derive(Debug)]
struct Entry {
    endpoint: Arc<Endpoint>,
    last_used: Instant,
}

impl DynamicOrigins {
    /// `allowed` is `[server] allow_private_origins`: names, addresses and CIDRs that may be chosen though they are not
    /// public. `refused` is never connected to: the admin listener's address.
    ///
    /// # Errors
    /// [`OriginBuildError::Allowed`] names an entry that is neither name nor network.
    pub fn new(allowed: &[String], refused: Vec<SocketAddr>) -> Result<Self, OriginBuildError> {
        let policy = AddressPolicy::new(allowed, refused).map_err(|entry| OriginBuildError::Allowed { entry })?;
        Ok(Self { policy: Arc::new(policy), endpoints: Mutex::default(), stage: None })
    }

    /// The same, played.
    #[must_use]
    pub fn on(self, stage: Arc<dyn Stage>) -> Self {
        Self { stage: Some(stage), ..self }
    }

    /// The origin that `settings` describe; `ca` is not looked at. Connects to nothing, but may read the system's
    /// authorities once.
    ///
    /// # Errors
    /// [`OriginError::Blocked`] for a folder or a host that is no host; [`OriginError::Tls`] without authorities.
    pub fn origin(&self, settings: &OriginSettings) -> Result<Origin, OriginError> {
        let Target::Url { https, host, port, path_prefix } = &settings.target else {
            return Err(OriginError::Blocked("functions cannot choose folders".to_owned()));
        };
        if let Some(stage) = &self.stage {
            let usual = *port == if *https { 443 } else { 80 };
            let name = if usual { host.clone() } else { format!("{host}:{port}") };
            return Ok(Origin::staged(&name, settings, stage.clone()));
        }
        let endpoint = self.endpoint(*https, host, *port, settings.server_name.as_deref(), settings.max_connections)?;
        Ok(Origin::of_endpoint(endpoint, Waits::of(settings), path_prefix))
    }

    /// The configured `origin` of this `name`, which is asked for as `server_name` when its TLS begins. An origin without TLS is what it
    /// was.
    ///
    /// # Errors
    /// [`OriginError::Blocked`]: `server_name` is none.
    pub fn renamed(&self, name: &str, origin: &Origin, settings: &OriginSettings) -> Result<Origin, OriginError> {
        let (Source::Server { endpoint, path_prefix, .. }, Some(server)) = (&origin.source, &settings.server_name)
        else {
            return Ok(origin.with_waits(Waits::of(settings)));
        };
        let key = Key::Renamed { origin: name.to_owned(), server_name: plain_name(server) };
        let endpoint =
            self.kept(key, settings.max_connections, || named(endpoint.connector().again(), name, server))?;
        Ok(Origin::of_endpoint(endpoint, Waits::of(settings), path_prefix))
    }

    fn endpoint(
        &self,
        https: bool,
        host: &str,
        port: u16,
        server_name: Option<&str>,
        max_connections: usize,
    ) -> Result<Arc<Endpoint>, OriginError> {
        let server_name = server_name.filter(|_| https).map(plain_name);
        let host = plain_name(host);
        let key = Key::Chosen { https, host: host.clone(), port, server_name: server_name.clone() };
        self.kept(key, max_connections, || self.connector(https, &host, port, server_name.as_deref()))
    }

    /// The endpoint of a key; made where there is none yet.
    fn kept(
        &self,
        key: Key,
        max_connections: usize,
        make: impl FnOnce() -> Result<Connector, OriginError>,
    ) -> Result<Arc<Endpoint>, OriginError> {
        let now = Instant::now();
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = endpoints.get_mut(&key) {
            entry.last_used = now;
            return Ok(Arc::clone(&entry.endpoint));
        }
        let connector = make()?;
        if endpoints.len() >= MAX_ENDPOINTS
            && let Some(oldest) = endpoints.iter().min_by_key(|(_, entry)| entry.last_used).map(|(key, _)| key.clone())
        {
            endpoints.remove(&oldest);
        }
        let endpoint = Endpoint::new(connector, max_connections);
        endpoints.insert(key, Entry { endpoint: Arc::clone(&endpoint), last_used: now });
        Ok(endpoint)
    }

    fn connector(
        &self,
        https: bool,
        host: &str,
        port: u16,
        server_name: Option<&str>,
    ) -> Result<Connector, OriginError> {
        const NAME: &str = "chosen by a function";
        let roots =
            https.then(|| tls::roots(NAME, None)).transpose().map_err(|error| OriginError::Tls(error.to_string()))?;
        let connector = Connector::build(NAME, host, port, roots)
            .map_err(|_| OriginError::Blocked(format!("{host:?} is not a host")))?;
        let connector = match server_name {
            None => connector,
            Some(server) => named(connector, NAME, server)?,
        };
        Ok(connector.guarded(Arc::clone(&self.policy)))
    }
}

fn named(connector: Connector, name: &str, server: &str) -> Result<Connector, OriginError> {
    connector.named(name, server).map_err(|_| OriginError::Blocked(format!("{server:?} is not a server's name")))
}

#[cfg(test)]
mod tests {
    use std::io;

    use http::{HeaderMap, Method};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::body;
    use crate::origin::{BodyLength, OriginRequest, OriginResponse, SecondTry};

    fn settings(host: &str, port: u16) -> OriginSettings {
        OriginSettings::new(Target::Url { https: false, host: host.to_owned(), port, path_prefix: String::new() })
    }

    async fn get(origin: &Origin) -> Result<OriginResponse, OriginError> {
        let request = OriginRequest {
            again: SecondTry::default(),
            method: Method::GET,
            path_and_query: "/".to_owned(),
            headers: HeaderMap::new(),
            body: body::empty(),
            body_length: BodyLength::None,
            interim: None,
            websocket: false,
            grpc: false,
        };
        origin.send(request).await
    }

    #[tokio::test]
    async fn private_addresses_are_refused_in_every_dress() {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        let origins = DynamicOrigins::new(&[], Vec::new()).unwrap();
        for host in
            ["127.0.0.1", "[::1]", "::1", "0", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "localhost"]
        {
            let origin = origins.origin(&settings(host, port)).unwrap();
            let error = get(&origin).await.unwrap_err();
            assert!(matches!(error, OriginError::Blocked(_)), "{host}: {error}");
        }
        for host in ["/run/admin.sock", "unix:/run/admin.sock", "a b", "a@b", ""] {
            let error = origins.origin(&settings(host, port)).unwrap_err();
            assert!(matches!(error, OriginError::Blocked(_)), "{host}: {error}");
        }
    }

    #[tokio::test]
    async fn a_name_that_rebinds_is_refused() {
        let origins = DynamicOrigins::new(&[], Vec::new()).unwrap();
        let mut settings = settings("rebind.test", 1);
        settings.connection_attempts = 1;
        let origin = origins.origin(&settings).unwrap();
        let Source::Server { endpoint, .. } = &origin.source else { panic!("a server") };
        let address = |text: &str| vec![text.parse().unwrap()];
        endpoint.connector().resolver().script([Err(io::Error::other("not yet")), Ok(address("127.0.0.1:1"))]);
        assert!(matches!(get(&origin).await.unwrap_err(), OriginError::Connect(_)));
        assert!(matches!(get(&origin).await.unwrap_err(), OriginError::Blocked(_)));
    }

    #[tokio::test]
    async fn an_allowed_private_origin_is_reached_except_the_admin_listener() {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut tcp, _) = server.accept().await.unwrap();
            tcp.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            let _end = tcp.read_to_end(&mut Vec::new()).await;
        });
        let allowed = ["127.0.0.0/8".to_owned()];
        let settings = settings("127.0.0.1", address.port());
        let origins = DynamicOrigins::new(&allowed, vec![address]).unwrap();
        let error = get(&origins.origin(&settings).unwrap()).await.unwrap_err();
        assert!(matches!(error, OriginError::Blocked(_)), "{error}");
        let origins = DynamicOrigins::new(&allowed, Vec::new()).unwrap();
        assert_eq!(get(&origins.origin(&settings).unwrap()).await.unwrap().head.status, 204);
    }

    #[test]
    fn endpoints_are_shared_and_bounded() {
        let origins = DynamicOrigins::new(&[], Vec::new()).unwrap();
        let first = origins.endpoint(false, "A.test.", 80, None, 1).unwrap();
        assert!(Arc::ptr_eq(&first, &origins.endpoint(false, "a.test", 80, None, 1).unwrap()));
        assert!(!Arc::ptr_eq(&first, &origins.endpoint(false, "a.test", 81, None, 1).unwrap()));
        for port in 1000..2000 {
            origins.endpoint(false, "b.test", port, None, 1).unwrap();
        }
        assert_eq!(origins.endpoints.lock().unwrap().len(), MAX_ENDPOINTS);
    }
}
