//! `[server]`: listeners, hosts, certificates, names and process counts.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::Mode;
use crate::address::{self, Address, Scheme};
use crate::context::Expect;
use crate::diagnostic::{Code, Problem};
use crate::keys::Table;
use crate::section::{Section, Value};

/// What the edge is and where it listens.
#[derive(Debug, Clone)]
pub struct Server {
    /// Public listeners, at least one, no address twice.
    pub listen: Vec<Listen>,
    /// Hosts served, in lower case, `*.` possible; the first is the canonical one. Empty: any valid host.
    pub hosts: Vec<String>,
    /// Certificates, chosen by SNI, the first without a match. Never empty with an https listener, except in
    /// [`Mode::Dev`], which has its own authority.
    pub tls: Vec<Certificate>,
    /// Lowest TLS version of all certificates.
    pub tls_min_version: TlsVersion,
    /// This node's name in Cache-Status, Via, CDN-Loop and logs; `None`: the machine's host name.
    pub name: Option<String>,
    /// Last word of X-Cache.
    pub vendor: String,
    /// User-Agent sent to origins when the viewer's is not forwarded.
    pub user_agent: String,
    /// What request headers that the edge adds begin with, in lower case. Policies hold the names as they are sent.
    pub header_prefix: String,
    /// Distribution id in function events, ARNs and log lines.
    pub distribution_id: String,
    /// Account id in function ARNs.
    pub account_id: String,
    /// `cf.edgeLocation`, whose name is also X-Amz-Cf-Pop.
    pub edge_location: Option<EdgeLocation>,
    /// File that stands in for `/`, without a leading slash.
    pub default_root_object: Option<String>,
    /// Folder of admin token, stores and logs, absolute; it may not exist yet.
    pub state_dir: PathBuf,
    /// Private, loopback and link-local origins that functions may choose.
    pub allow_private_origins: Vec<PrivateOrigin>,
    /// Host processes for viewer functions; `None`: one per core.
    pub isolate_hosts: Option<u32>,
    /// Lambda environments in all.
    pub environments: u32,
    /// Grace for running requests after SIGTERM.
    pub drain_timeout: Duration,
}

/// A public listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Plain or TLS.
    pub scheme: Scheme,
    /// Where; port 0 lets the system choose.
    pub address: Address,
}

/// A certificate and its key; both files exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// PEM file of the chain, absolute.
    pub cert: PathBuf,
    /// PEM file of the private key, absolute.
    pub key: PathBuf,
}

/// Where the edge is, as functions see it (cloudfront-functions.md 6.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeLocation {
    /// Three letters, upper case.
    pub name: String,
    /// Expected regional cache.
    pub region: String,
    /// This edge's address.
    pub server_ip: IpAddr,
}

/// A TLS protocol version that can be required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

/// An entry of `allow_private_origins`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrivateOrigin {
    /// A host name, in lower case.
    Name(String),
    /// A network.
    Network(IpNet),
}

const MAX_PROCESSES: u64 = 10_000;
const DAY: Duration = Duration::from_hours(24);

pub(crate) fn read(section: &Section<'_>) -> Server {
    let (tls, tls_min_version) = certificates(section);
    let listen = listeners(section, section.value("tls").is_some());
    Server {
        listen,
        hosts: section.list("hosts", address::host_pattern).unwrap_or_default(),
        tls,
        tls_min_version,
        name: section.parsed("name", address::word),
        vendor: section.parsed("vendor", address::word).unwrap_or_else(|| "edgehook".to_owned()),
        user_agent: section.parsed("user_agent", address::header_value).unwrap_or_else(|| "edgehook".to_owned()),
        header_prefix: section.parsed("header_prefix", header_prefix).unwrap_or_else(|| EDGE_PREFIX.to_owned()),
        distribution_id: section.parsed("distribution_id", address::word).unwrap_or_else(|| "EDGEHOOK".to_owned()),
        account_id: section.parsed("account_id", address::word).unwrap_or_else(|| "0".repeat(12)),
        edge_location: edge_location(section),
        default_root_object: section.parsed("default_root_object", root_object),
        state_dir: state_dir(section),
        allow_private_origins: section.list("allow_private_origins", private_origin).unwrap_or_default(),
        isolate_hosts: section.count("isolate_hosts", 1..=MAX_PROCESSES),
        environments: section.count("environments", 1..=MAX_PROCESSES).unwrap_or(100),
        drain_timeout: section.duration("drain_timeout", Duration::ZERO..=DAY).unwrap_or(Duration::from_secs(30)),
    }
}

/// What the names of the edge's own request headers begin with for Amazon, and in policies.
pub(crate) const EDGE_PREFIX: &str = "cloudfront-";

/// Beginnings that mean something else: what functions never see (cloudfront-functions.md 3.1), and what browsers and proxies send.
const OTHER_PREFIXES: [&str; 6] = ["x-edge-", "x-amz-", "x-forwarded-", "sec-", "proxy-", "if-"];

fn header_prefix(text: &str) -> Result<String, String> {
    let prefix = address::header_name(text)?;
    if !prefix.ends_with('-') || prefix.len() < 3 || prefix.len() > 32 {
        return Err("3 to 32 characters that end with \"-\", such as \"X-Geo-\"".to_owned());
    }
    if OTHER_PREFIXES.iter().any(|other| prefix.starts_with(other)) {
        return Err("headers that begin so are not the edge's to add".to_owned());
    }
    Ok(prefix)
}

fn state_dir(section: &Section<'_>) -> PathBuf {
    let written = section.text("state_dir").and_then(|text| section.cx.path(&text));
    written.unwrap_or_else(|| section.cx.base_dir().join(".edgehook"))
}

fn listeners(section: &Section<'_>, has_tls: bool) -> Vec<Listen> {
    let Some(value) = section.value("listen") else {
        return vec![Listen { scheme: Scheme::Http, address: Address { host: "127.0.0.1".to_owned(), port: 8080 } }];
    };
    let Some(items) = value.list("a list of addresses such as \"http://0.0.0.0:80\"") else { return Vec::new() };
    if items.is_empty() {
        value.report(Code::BadValue, "`listen` needs at least one address", "an empty list");
    }
    let mut listen: Vec<Listen> = Vec::new();
    for item in &items {
        let Some(next) = listener(item) else { continue };
        if next.address.port != 0 && listen.iter().any(|other| other.address == next.address) {
            item.report(Code::Conflict, "`listen` names an address twice", "listened on already");
        }
        if next.scheme == Scheme::Https && !has_tls && section.cx.mode != Mode::Dev {
            let message = "an https listener needs a certificate";
            section.cx.report(
                Problem::new(Code::NoCertificate, item.span.clone(), message)
                    .label("no `tls` in [server]")
                    .help("add to [server]: tls = { cert = \"tls/site.crt\", key = \"tls/site.key\" }"),
            );
        }
        listen.push(next);
    }
    listen
}

fn listener(item: &Value<'_>) -> Option<Listen> {
    let text = item.text()?;
    if text.value.starts_with("h3://") {
        item.report(
            Code::Unavailable,
            "`h3://` listeners are not available in this version",
            "known, but not read yet",
        );
        return None;
    }
    text.parsed(item.cx, |text| address::listener(text).map(|(scheme, address)| Listen { scheme, address }))
}

fn certificates(section: &Section<'_>) -> (Vec<Certificate>, TlsVersion) {
    let Some(value) = section.value("tls") else { return (Vec::new(), TlsVersion::V1_2) };
    let items = if value.is_list() {
        value.list("a table or a list of tables").unwrap_or_default()
    } else {
        vec![value.clone()]
    };
    if items.is_empty() {
        value.report(Code::BadValue, "`tls` needs at least one certificate", "an empty list");
    }
    let mut versions: Vec<TlsVersion> = Vec::new();
    let mut certificates = Vec::new();
    for item in &items {
        let Some(tls) = item.section(Table::Tls) else { continue };
        certificates.extend(certificate(&tls));
        let Some(written) = tls.value("min_version") else { continue };
        let words = [("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)];
        let Some(version) = written.text().and_then(|text| text.choice(section.cx, &words, &[])) else { continue };
        if versions.iter().any(|other| *other != version) {
            written.report(Code::Conflict, "`tls.min_version` is the same for all certificates", "another one above");
        }
        versions.push(version);
    }
    (certificates, versions.first().copied().unwrap_or(TlsVersion::V1_2))
}

fn certificate(tls: &Section<'_>) -> Option<Certificate> {
    let help = "tls = { cert = \"tls/site.crt\", key = \"tls/site.key\" }";
    let file = |key| tls.cx.existing(&tls.required(key, help)?.text()?, Expect::File);
    let (cert, key) = (file("cert"), file("key"));
    Some(Certificate { cert: cert?, key: key? })
}

fn edge_location(section: &Section<'_>) -> Option<EdgeLocation> {
    let table = section.value("edge_location")?.section(Table::EdgeLocation)?;
    let help = "edge_location = { name = \"FRA\", region = \"eu-central-1\", server_ip = \"192.0.2.1\" }";
    let name = table.required("name", help).and_then(|value| value.text()?.parsed(table.cx, location_name));
    let region = table.required("region", help).and_then(|value| value.text()?.parsed(table.cx, region));
    let address = |text: &str| text.parse::<IpAddr>().map_err(|_| "an IPv4 or IPv6 address".to_owned());
    let server_ip = table.required("server_ip", help).and_then(|value| value.text()?.parsed(table.cx, address));
    Some(EdgeLocation { name: name?, region: region?, server_ip: server_ip? })
}

fn location_name(text: &str) -> Result<String, String> {
    if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(text.to_owned())
    } else {
        Err("three capital letters, such as FRA".to_owned())
    }
}

fn region(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=32).contains(&text.len()) && text.bytes().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("small letters, digits and -, such as us-west-2".to_owned())
    }
}

fn root_object(text: &str) -> Result<String, String> {
    if text.is_empty() || text.starts_with('/') {
        return Err("a file name without a leading slash".to_owned());
    }
    if text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'\\'))
        && !text.split('/').any(|s| s == "..")
    {
        Ok(text.to_owned())
    } else {
        Err("a URL-encoded path without ? and #".to_owned())
    }
}

fn private_origin(text: &str) -> Result<PrivateOrigin, String> {
    if text.contains(['/', ':']) || text.parse::<std::net::Ipv4Addr>().is_ok() {
        address::network(text).map(PrivateOrigin::Network)
    } else {
        address::host_name(text).map(PrivateOrigin::Name)
    }
}
