//! Request fields that the edge adds about a viewer: `CloudFront-Viewer-*`, `CloudFront-Is-*-Viewer` and their like
//! (http-cache.md 6.7, cloudfront-functions.md 3.3).
//!
//! A field is added only where a policy of the behavior asks for it: [`Asked`] says which, [`add`] writes them. The gate has
//! removed what a viewer sent under these names. `geo` looks addresses up in the operator's databases, `device` reads
//! User-Agent. Where a fact is not known (no database, no TLS), the field is absent, never guessed.
//!
//! Not obtainable, because the HTTP parser does not keep them: the spelling of field names under HTTP/1.1
//! (`CloudFront-Viewer-Header-Order` lists them in lower case), and where a repeated field stood (it is listed once, where it came
//! first; `CloudFront-Viewer-Header-Count` counts every line).

mod device;
mod geo;
#[cfg(test)]
mod tests;

pub use geo::{GeoDatabases, GeoError, OpenDatabases, PlayedPlace, PlayedPlaces};

use crate::{
    auth::signed,
    gate::Received,
    listener::{Connection, Scheme},
    site::{Behavior, Site},
};
use edgehook_contract::Family;
use geo::Place;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Version, header};
use std::{fmt::Write as _, net::SocketAddr, sync::Arc};

/// Longest list of field names (cloudfront-functions.md 3.3).
const ORDER_LIMIT: usize = 7_680;

/// What the names of these fields begin with, unless `header_prefix` says otherwise.
pub(crate) const PREFIX: &str = "cloudfront-";

/// What a field is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fact {
    Android,
    Desktop,
    Ios,
    Mobile,
    SmartTv,
    Tablet,
    Address,
    Asn,
    Country,
    City,
    CountryName,
    CountryRegion,
    CountryRegionName,
    Latitude,
    Longitude,
    MetroCode,
    PostalCode,
    TimeZone,
    HeaderOrder,
    HeaderCount,
    Ja3,
    Ja4,
    Tls,
    HttpVersion,
    ForwardedProto,
    ErrorUri,
    ErrorArgs,
}

const FACTS: [(&str, Fact); 27] = [
    ("is-android-viewer", Fact::Android),
    ("is-desktop-viewer", Fact::Desktop),
    ("is-ios-viewer", Fact::Ios),
    ("is-mobile-viewer", Fact::Mobile),
    ("is-smarttv-viewer", Fact::SmartTv),
    ("is-tablet-viewer", Fact::Tablet),
    ("viewer-address", Fact::Address),
    ("viewer-asn", Fact::Asn),
    ("viewer-country", Fact::Country),
    ("viewer-city", Fact::City),
    ("viewer-country-name", Fact::CountryName),
    ("viewer-country-region", Fact::CountryRegion),
    ("viewer-country-region-name", Fact::CountryRegionName),
    ("viewer-latitude", Fact::Latitude),
    ("viewer-longitude", Fact::Longitude),
    ("viewer-metro-code", Fact::MetroCode),
    ("viewer-postal-code", Fact::PostalCode),
    ("viewer-time-zone", Fact::TimeZone),
    ("viewer-header-order", Fact::HeaderOrder),
    ("viewer-header-count", Fact::HeaderCount),
    ("viewer-ja3-fingerprint", Fact::Ja3),
    ("viewer-ja4-fingerprint", Fact::Ja4),
    ("viewer-tls", Fact::Tls),
    ("viewer-http-version", Fact::HttpVersion),
    ("forwarded-proto", Fact::ForwardedProto),
    ("error-uri", Fact::ErrorUri),
    ("error-args", Fact::ErrorArgs),
];

/// Which fields a behavior's policies ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked(Vec<(HeaderName, Fact)>);

impl Asked {
    /// Those of `names`, in lower case, that are fields of the edge under this prefix.
    pub fn among<'n>(prefix: &str, names: impl IntoIterator<Item = &'n str>) -> Self {
        let rests: Vec<&str> = names.into_iter().filter_map(|name| name.strip_prefix(prefix)).collect();
        let asked = FACTS.iter().filter(|(rest, _)| rests.contains(rest));
        Self(asked.filter_map(|(rest, fact)| Some((format!("{prefix}{rest}").parse().ok()?, *fact))).collect())
    }

    /// Whether they ask for none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `name` is one of them.
    #[must_use]
    pub fn has(&self, name: &HeaderName) -> bool {
        self.0.iter().any(|(asked, _)| asked == name)
    }

    /// Whether the names of a request's fields must be kept for it.
    #[must_use]
    pub fn needs_header_order(&self) -> bool {
        self.0.iter().any(|(_, fact)| matches!(fact, Fact::HeaderOrder | Fact::HeaderCount))
    }
}

/// What is known of a request before the gate has touched it.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The connection it came on.
    connection: Arc<Connection>,
    /// Whether it is the connection's first request.
    first: bool,
    /// The protocol that it came in.
    version: Version,
    /// Names of its fields, and how many lines they had; where some behavior asks.
    order: Option<(String, usize)>,
    /// Path and query of the request that ended in an error, where this one is for its page.
    failed: Option<(String, Option<String>)>,
}

impl Arrival {
    /// Looks at a request that has just come; with `keep_order` also at the order of its fields.
    #[must_use]
    pub fn of<B>(connection: &Arc<Connection>, request: &Request<B>, keep_order: bool) -> Self {
        let order = keep_order.then(|| (order(request), request.headers().len()));
        let first = connection.begin_request();
        Self { connection: connection.clone(), first, version: request.version(), order, failed: None }
    }

    /// Cleartext or TLS.
    pub(crate) fn scheme(&self) -> Scheme {
        self.connection.scheme
    }

    /// The protocol, as `HTTP/1.1`.
    pub(crate) fn protocol(&self) -> &'static str {
        match self.version {
            Version::HTTP_10 => "HTTP/1.0",
            Version::HTTP_2 => "HTTP/2.0",
            Version::HTTP_3 => "HTTP/3.0",
            _ => "HTTP/1.1",
        }
    }

    /// Notes that what follows is for the page of an error that a request for this path and query ended in.
    pub(crate) fn failed(&mut self, path: &str, query: Option<&str>) {
        let query = query.map(|query| {
            let pairs = query
                .split('&')
                .filter(|pair| !signed::PARAMETERS.iter().any(|name| pair.split('=').next() == Some(name)));
            pairs.collect::<Vec<_>>().join("&")
        });
        self.failed = Some((path.to_owned(), query));
    }
}

/// `host:user-agent:accept`, cut behind a whole name.
fn order<B>(request: &Request<B>) -> String {
    let mut order = String::new();
    for name in request.headers().keys() {
        if order.len() + 1 + name.as_str().len() > ORDER_LIMIT {
            break;
        }
        if !order.is_empty() {
            order.push(':');
        }
        order.push_str(name.as_str());
    }
    order
}

/// When fields are added, in relation to the viewer-request function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before it: CloudFront Functions see them (cloudfront-functions.md 3.3).
    BeforeFunction,
    /// After it: Lambda functions at viewer-request do not (lambda-edge.md 2.4).
    AfterFunction,
}

/// Adds the fields that a behavior asks for, if this is their moment.
pub fn add(site: &Site, behavior: &Behavior, moment: Moment, arrival: &Arrival, request: &mut Received) {
    let Behavior { asked, viewer_request, .. } = behavior;
    let lambda = viewer_request.as_ref().is_some_and(|function| function.family() == Family::Lambda);
    if asked.0.is_empty() || lambda != (moment == Moment::AfterFunction) {
        return;
    }
    write(asked, site.geo.as_ref(), arrival, request);
}

/// Removes what a viewer sent under a prefix that is not Amazon's, whose fields the gate removes; `_` and `-` are one to many origins.
pub fn strip(prefix: &str, headers: &mut HeaderMap) {
    if prefix == PREFIX {
        return;
    }
    let owned = |name: &&HeaderName| name.as_str().replace('_', "-").starts_with(prefix);
    let names: Vec<HeaderName> = headers.keys().filter(owned).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

fn write(asked: &Asked, geo: Option<&GeoDatabases>, arrival: &Arrival, request: &mut Received) {
    let known = Known {
        arrival,
        place: geo.map(|geo| geo.place(request.viewer)).unwrap_or_default(),
        device: device::of(request.headers.get(header::USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default()),
    };
    for (name, fact) in &asked.0 {
        request.headers.remove(name);
        if let Some(value) = known.value(*fact, request).and_then(|text| HeaderValue::try_from(text).ok()) {
            request.headers.insert(name, value);
        }
    }
}

/// Everything that is known of a request's viewer.
struct Known<'a> {
    arrival: &'a Arrival,
    place: Place,
    device: device::Device,
}

impl Known<'_> {
    fn value(&self, fact: Fact, request: &Received) -> Option<String> {
        let (place, device) = (&self.place, &self.device);
        let tls = self.arrival.connection.tls.as_ref();
        match fact {
            Fact::Android => Some(device.android.to_string()),
            Fact::Desktop => Some(device.desktop.to_string()),
            Fact::Ios => Some(device.ios.to_string()),
            Fact::Mobile => Some(device.mobile.to_string()),
            Fact::SmartTv => Some(device.smart_tv.to_string()),
            Fact::Tablet => Some(device.tablet.to_string()),
            Fact::Address => Some(address(SocketAddr::new(request.viewer, self.arrival.connection.peer.port()))),
            Fact::Asn => place.asn.map(|number| number.to_string()),
            Fact::Country => place.country.as_deref().map(escaped),
            Fact::City => place.city.as_deref().map(escaped),
            Fact::CountryName => place.country_name.as_deref().map(escaped),
            Fact::CountryRegion => place.region.as_deref().map(escaped),
            Fact::CountryRegionName => place.region_name.as_deref().map(escaped),
            Fact::Latitude => place.position.map(|(latitude, _)| format!("{latitude:.5}")),
            Fact::Longitude => place.position.map(|(_, longitude)| format!("{longitude:.5}")),
            Fact::MetroCode => place.metro_code.map(|code| code.to_string()),
            Fact::PostalCode => place.postal_code.as_deref().map(escaped),
            Fact::TimeZone => place.time_zone.as_deref().map(escaped),
            Fact::HeaderOrder => self.arrival.order.as_ref().map(|(order, _)| order.clone()),
            Fact::HeaderCount => self.arrival.order.as_ref().map(|(_, count)| count.to_string()),
            Fact::Ja3 => tls.and_then(|tls| tls.fingerprints.as_ref()).map(|found| found.ja3.clone()),
            Fact::Ja4 => tls.and_then(|tls| tls.fingerprints.as_ref()).map(|found| found.ja4.clone()),
            Fact::Tls => tls.map(|tls| {
                let handshake = match (self.arrival.first, tls.resumed) {
                    (false, _) => "connectionReused",
                    (true, true) => "sessionResumed",
                    (true, false) => "fullHandshake",
                };
                format!("{}:{}:{handshake}", tls.version, tls.cipher)
            }),
            Fact::HttpVersion => Some(version(request.version).to_owned()),
            Fact::ForwardedProto => Some(request.scheme.as_str().to_owned()),
            Fact::ErrorUri => self.arrival.failed.as_ref().map(|(path, _)| path.clone()),
            Fact::ErrorArgs => self.arrival.failed.as_ref().and_then(|(_, query)| query.clone()),
        }
    }
}

/// `ADDRESS:PORT`, also for IPv6 without brackets: what stands behind the last colon is the port.
fn address(viewer: SocketAddr) -> String {
    format!("{}:{}", viewer.ip(), viewer.port())
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2.0",
        Version::HTTP_3 => "3.0",
        _ => "1.1",
    }
}

/// Text with everything but visible ASCII and blanks percent-encoded, `%` too.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}"); // writing into a String cannot fail
        }
    }
    escaped
}
