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
    gate::Received,
    listener::{Connection, Scheme},
    site::{Behavior, Site},
};
use edgehook_contract::Family;
use geo::Place;
use http::{HeaderName, HeaderValue, Request, Version, header};
use std::{fmt::Write as _, net::SocketAddr, sync::Arc};

/// Longest list of field names (cloudfront-functions.md 3.3).
const ORDER_LIMIT: usize = 7_680;

/// Prefix of all of these fields.
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
}

const FACTS: [(HeaderName, Fact); 25] = [
    (HeaderName::from_static("cloudfront-is-android-viewer"), Fact::Android),
    (HeaderName::from_static("cloudfront-is-desktop-viewer"), Fact::Desktop),
    (HeaderName::from_static("cloudfront-is-ios-viewer"), Fact::Ios),
    (HeaderName::from_static("cloudfront-is-mobile-viewer"), Fact::Mobile),
    (HeaderName::from_static("cloudfront-is-smarttv-viewer"), Fact::SmartTv),
    (HeaderName::from_static("cloudfront-is-tablet-viewer"), Fact::Tablet),
    (HeaderName::from_static("cloudfront-viewer-address"), Fact::Address),
    (HeaderName::from_static("cloudfront-viewer-asn"), Fact::Asn),
    (HeaderName::from_static("cloudfront-viewer-country"), Fact::Country),
    (HeaderName::from_static("cloudfront-viewer-city"), Fact::City),
    (HeaderName::from_static("cloudfront-viewer-country-name"), Fact::CountryName),
    (HeaderName::from_static("cloudfront-viewer-country-region"), Fact::CountryRegion),
    (HeaderName::from_static("cloudfront-viewer-country-region-name"), Fact::CountryRegionName),
    (HeaderName::from_static("cloudfront-viewer-latitude"), Fact::Latitude),
    (HeaderName::from_static("cloudfront-viewer-longitude"), Fact::Longitude),
    (HeaderName::from_static("cloudfront-viewer-metro-code"), Fact::MetroCode),
    (HeaderName::from_static("cloudfront-viewer-postal-code"), Fact::PostalCode),
    (HeaderName::from_static("cloudfront-viewer-time-zone"), Fact::TimeZone),
    (HeaderName::from_static("cloudfront-viewer-header-order"), Fact::HeaderOrder),
    (HeaderName::from_static("cloudfront-viewer-header-count"), Fact::HeaderCount),
    (HeaderName::from_static("cloudfront-viewer-ja3-fingerprint"), Fact::Ja3),
    (HeaderName::from_static("cloudfront-viewer-ja4-fingerprint"), Fact::Ja4),
    (HeaderName::from_static("cloudfront-viewer-tls"), Fact::Tls),
    (HeaderName::from_static("cloudfront-viewer-http-version"), Fact::HttpVersion),
    (HeaderName::from_static("cloudfront-forwarded-proto"), Fact::ForwardedProto),
];

/// Which fields a behavior's policies ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked(Vec<(HeaderName, Fact)>);

impl Asked {
    /// Those of `names`, in lower case, that are fields of the edge.
    pub fn among<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let names: Vec<&str> = names.into_iter().filter(|name| name.starts_with(PREFIX)).collect();
        Self(FACTS.iter().filter(|(name, _)| names.contains(&name.as_str())).cloned().collect())
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
}

impl Arrival {
    /// Looks at a request that has just come; with `keep_order` also at the order of its fields.
    #[must_use]
    pub fn of<B>(connection: &Arc<Connection>, request: &Request<B>, keep_order: bool) -> Self {
        let order = keep_order.then(|| (order(request), request.headers().len()));
        let first = connection.begin_request();
        Self { connection: connection.clone(), first, version: request.version(), order }
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
