//! Requests that functions make: each runs on a thread of its own, and tells the event loop what comes. A body is read in
//! pieces, and only as far as the script asks for it.
//!
//! Where a function may send requests is judged here, after the name was resolved and on the address that is then
//! connected to (security.md R01); in this engine there is no other way to the network. Absent: HTTP/2, proxies,
//! redirects (the scripts follow them), cookies.

use boa_engine::object::JsObject;
use edgehook_contract::AddressPolicy;
use edgehook_protocol::lambda::{Function, NetworkSetting};
use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::{HashMap, VecDeque},
    io::{self, Read as _},
    net::SocketAddr,
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};
use ureq::{
    Agent, Body, Error,
    config::Config,
    http::{Request, Response, Uri},
    tls::{Certificate, RootCerts, TlsConfig},
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};

/// Requests under way at a time; more wait.
const AT_ONCE: usize = 32;

/// Bytes of a body in one piece.
const PIECE: usize = 64 * 1024;

/// How long a connection, and a silence, may take. The function's own budget usually ends first.
const PATIENCE: Duration = Duration::from_secs(30);

/// Stack of a request's thread.
const STACK: usize = 512 * 1024;

/// Where functions may send requests (design.md 8).
#[derive(Clone, Debug, Default)]
pub(crate) enum Reach {
    /// Nowhere.
    #[default]
    None,
    /// To addresses of the public Internet, and what is allowed besides.
    Public(Arc<AddressPolicy>),
    /// Anywhere.
    All,
}

impl Reach {
    /// That of a function. An entry that is none of names and networks allows nothing.
    pub(crate) fn of(function: &Function) -> Self {
        match NetworkSetting::named(&function.network) {
            NetworkSetting::None => Self::None,
            NetworkSetting::All => Self::All,
            NetworkSetting::Public => {
                let refused = function.refused.iter().filter_map(|address| address.parse().ok()).collect();
                Self::Public(Arc::new(AddressPolicy::new(&function.allowed, refused).unwrap_or_default()))
            }
        }
    }

    fn permits(&self, host: &str, address: SocketAddr) -> bool {
        match self {
            Self::None => false,
            Self::Public(policy) => policy.permits(host, address),
            Self::All => true,
        }
    }
}

/// A request as a script makes it.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) method: String,
    /// Scheme and authority.
    pub(crate) address: String,
    pub(crate) path: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// The response begins.
    Head {
        /// Status code.
        status: u16,
        /// Fields in order; values as text, byte for byte.
        fields: Vec<(String, String)>,
    },
    /// A piece of the body that was asked for.
    Chunk(Vec<u8>),
    /// The body is complete.
    End,
    /// There is no response, or its body was cut.
    Failed {
        /// Node's name for it.
        code: &'static str,
        /// For people.
        message: String,
    },
}

/// Number of a request.
pub(crate) type RequestId = u32;

struct Exchange {
    callback: JsObject,
    demand: Sender<()>,
    /// Whether something is to come without another word from the script.
    awaiting: bool,
}

/// The requests of one environment.
pub(crate) struct Network {
    reach: RefCell<Reach>,
    agent: OnceCell<Agent>,
    exchanges: RefCell<HashMap<RequestId, Exchange>>,
    waiting: RefCell<VecDeque<(RequestId, Outgoing, Receiver<()>)>>,
    running: Cell<usize>,
    last: Cell<RequestId>,
    told: Sender<(RequestId, Option<Incoming>)>,
    news: Receiver<(RequestId, Option<Incoming>)>,
}

impl Network {
    pub(crate) fn new(reach: Reach) -> Self {
        let (told, news) = mpsc::channel();
        Self {
            reach: RefCell::new(reach),
            agent: OnceCell::new(),
            exchanges: RefCell::default(),
            waiting: RefCell::default(),
            running: Cell::new(0),
            last: Cell::new(0),
            told,
            news,
        }
    }

    /// Says where requests may go. What was sent before is not recalled.
    pub(crate) fn set_reach(&self, reach: Reach) {
        *self.reach.borrow_mut() = reach;
    }

    /// Sends a request; `callback` is given what comes of it.
    pub(crate) fn start(&self, request: Outgoing, callback: JsObject) -> RequestId {
        let id = self.last.get().wrapping_add(1);
        self.last.set(id);
        let (demand, demanded) = mpsc::channel();
        self.exchanges.borrow_mut().insert(id, Exchange { callback, demand, awaiting: true });
        self.waiting.borrow_mut().push_back((id, request, demanded));
        self.advance();
        id
    }

    /// Asks for the next piece of a body.
    pub(crate) fn want(&self, id: RequestId) {
        if let Some(exchange) = self.exchanges.borrow_mut().get_mut(&id)
            && exchange.demand.send(()).is_ok()
        {
            exchange.awaiting = true;
        }
    }

    /// Forgets a request; its thread ends when it notices.
    pub(crate) fn abandon(&self, id: RequestId) {
        self.exchanges.borrow_mut().remove(&id);
        self.waiting.borrow_mut().retain(|(waiting, ..)| *waiting != id);
    }

    /// Whether something is to come.
    pub(crate) fn is_awaiting(&self) -> bool {
        self.exchanges.borrow().values().any(|exchange| exchange.awaiting)
    }

    /// What has come, waiting for it until `deadline` at the latest; `None` when nothing came.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Option<(JsObject, Incoming)> {
        loop {
            let news = match deadline {
                Some(deadline) => self.news.recv_timeout(deadline.saturating_duration_since(Instant::now())),
                None => self.news.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let (id, incoming) = news.ok()?;
            let Some(incoming) = incoming else {
                self.running.set(self.running.get().saturating_sub(1));
                self.advance();
                continue;
            };
            let over = matches!(incoming, Incoming::End | Incoming::Failed { .. });
            let mut exchanges = self.exchanges.borrow_mut();
            // One that was abandoned meanwhile interests nobody.
            let Some(exchange) = exchanges.get_mut(&id) else { continue };
            exchange.awaiting = false;
            let callback = exchange.callback.clone();
            if over {
                exchanges.remove(&id);
            }
            return Some((callback, incoming));
        }
    }

    fn advance(&self) {
        while self.running.get() < AT_ONCE {
            let Some((id, request, demanded)) = self.waiting.borrow_mut().pop_front() else { return };
            let agent = self.agent.get_or_init(|| agent(self.reach.borrow().clone())).clone();
            let told = self.told.clone();
            let run = move || {
                // Sent even if the exchange panics: the place is free again.
                let _over = Over { id, told: told.clone() };
                exchange(&agent, request, &demanded, |incoming| told.send((id, Some(incoming))).is_ok());
            };
            match thread::Builder::new().name("request".to_owned()).stack_size(STACK).spawn(run) {
                Ok(_) => self.running.set(self.running.get() + 1),
                Err(error) => {
                    let failed =
                        Incoming::Failed { code: "EAGAIN", message: format!("no thread for a request: {error}") };
                    // The receiver is part of this object.
                    let _ = self.told.send((id, Some(failed)));
                }
            }
        }
    }
}

struct Over {
    id: RequestId,
    told: Sender<(RequestId, Option<Incoming>)>,
}

impl Drop for Over {
    fn drop(&mut self) {
        // Nobody listens any more when the environment ends.
        let _ = self.told.send((self.id, None));
    }
}

/// Resolves names, and leaves out the addresses that the function may not reach.
#[derive(Debug)]
struct Judge(Reach, DefaultResolver);

impl Resolver for Judge {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        if matches!(self.0, Reach::None) {
            return Err(Error::Io(refusal(uri)));
        }
        let found = self.1.resolve(uri, config, timeout)?;
        let mut permitted = self.empty();
        let host = uri.host().unwrap_or_default();
        found.iter().filter(|address| self.0.permits(host, **address)).for_each(|address| permitted.push(*address));
        if permitted.is_empty() { Err(Error::Io(refusal(uri))) } else { Ok(permitted) }
    }
}

fn refusal(uri: &Uri) -> io::Error {
    let host = uri.host().unwrap_or_default();
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("the function's network setting does not permit requests to {host}"),
    )
}

fn agent(reach: Reach) -> Agent {
    // Certificates that cannot be read are left out; https then fails with a reason.
    let certificates = rustls_native_certs::load_native_certs().certs;
    let roots: Vec<Certificate<'static>> =
        certificates.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .allow_non_standard_methods(true)
        .proxy(None)
        .user_agent("")
        .accept("")
        .accept_encoding("")
        .timeout_resolve(Some(PATIENCE))
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE))
        .build();
    Agent::with_parts(config, DefaultConnector::default(), Judge(reach, DefaultResolver::default()))
}

/// One exchange from its beginning to its end. `tell` answers whether anybody still listens.
fn exchange(agent: &Agent, request: Outgoing, demanded: &Receiver<()>, tell: impl Fn(Incoming) -> bool) {
    let failed = |error: &Error| Incoming::Failed { code: code(error), message: error.to_string() };
    let response = match send(agent, request) {
        Ok(response) => response,
        Err(error) => {
            tell(failed(&error));
            return;
        }
    };
    let text = |bytes: &[u8]| bytes.iter().map(|&byte| char::from(byte)).collect::<String>();
    let fields = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())));
    if !tell(Incoming::Head { status: response.status().as_u16(), fields: fields.collect() }) {
        return;
    }
    let mut body = response.into_body().into_reader();
    let mut piece = vec![0; PIECE];
    while demanded.recv().is_ok() {
        let incoming = match body.read(&mut piece) {
            Ok(0) => Incoming::End,
            Ok(length) => Incoming::Chunk(piece[..length].to_vec()),
            Err(error) => Incoming::Failed { code: "ECONNRESET", message: error.to_string() },
        };
        let more = matches!(incoming, Incoming::Chunk(_));
        if !tell(incoming) || !more {
            return;
        }
    }
}

fn send(agent: &Agent, request: Outgoing) -> Result<Response<Body>, Error> {
    let mut builder =
        Request::builder().method(request.method.as_str()).uri(format!("{}{}", request.address, request.path));
    for (name, value) in request.fields {
        // Text of Latin-1, as it came from the script, back to bytes.
        let bytes: Vec<u8> = value.chars().map(|sign| u8::try_from(u32::from(sign)).unwrap_or(b'?')).collect();
        builder = builder.header(name, bytes);
    }
    if request.body.is_empty() && !matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") {
        agent.run(builder.body(())?)
    } else {
        agent.run(builder.body(request.body)?)
    }
}

/// Node's name for what went wrong.
fn code(error: &Error) -> &'static str {
    match error {
        Error::HostNotFound => "ENOTFOUND",
        Error::Timeout(_) => "ETIMEDOUT",
        Error::Rustls(_) => "ERR_TLS",
        Error::Io(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => "ECONNREFUSED",
            io::ErrorKind::TimedOut => "ETIMEDOUT",
            io::ErrorKind::PermissionDenied => "EACCES",
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "EHOSTUNREACH",
            io::ErrorKind::InvalidData => "ERR_TLS",
            _ => "ECONNRESET",
        },
        Error::ConnectionFailed => "ECONNREFUSED",
        Error::Protocol(_) | Error::Http(_) | Error::BadUri(_) => "HPE_INVALID_CONSTANT",
        _ => "ECONNRESET",
    }
}
