//! Who and what a behavior lets through, before any function runs: address lists, countries, protocol, methods.

use crate::{
    body::{self, Body},
    fault::{Fault, Refusal},
    gate::Received,
    listener::Scheme,
    site::{Behavior, ProtocolPolicy, Site},
};
use http::{HeaderValue, Method, Response, StatusCode, Version, header};

/// The verdict on a request.
#[derive(Debug)]
pub enum Access {
    /// Go on.
    Granted,
    /// Send the viewer to https.
    Redirect(Response<Body>),
}

/// Which countries' viewers are let in: ISO codes in capitals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Countries {
    /// These only; a viewer of no known country is refused.
    Allow(Vec<String>),
    /// All but these; a viewer of no known country is let in.
    Deny(Vec<String>),
}

impl Countries {
    fn admit(&self, country: Option<&str>) -> bool {
        let within = |list: &[String]| country.is_some_and(|country| list.iter().any(|listed| listed == country));
        match self {
            Self::Allow(list) => within(list),
            Self::Deny(list) => !within(list),
        }
    }
}

/// Methods that are known (RFC 9110, RFC 5789); others are answered 501 where they are not let through.
const KNOWN: [&str; 8] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE"];

/// Checks a request against its behavior.
///
/// # Errors
/// The request is refused.
pub fn authorize(site: &Site, behavior: &Behavior, request: &Received) -> Result<Access, Fault> {
    let within = |list: &[ipnet::IpNet]| list.iter().any(|network| network.contains(&request.viewer));
    if within(&behavior.deny) || !(behavior.allow.is_empty() || within(&behavior.allow)) {
        return Err(Refusal::Address.into());
    }
    if request.has_body && !behavior.strips_bodies {
        return Err(Refusal::BodyNotAllowed.into());
    }
    if behavior.refuses_delimiters && has_encoded_delimiter(&request.path) {
        return Err(Refusal::BadTarget.into());
    }
    if let Some(countries) = &behavior.countries {
        let country = site.geo.as_ref().and_then(|geo| geo.country(request.viewer));
        if !countries.admit(country.as_deref()) {
            return Err(Refusal::Country.into());
        }
    }
    if site.enforce_https && request.scheme == Scheme::Http {
        match behavior.protocol {
            ProtocolPolicy::AllowAll => {}
            ProtocolPolicy::HttpsOnly => return Err(Refusal::HttpsOnly.into()),
            ProtocolPolicy::RedirectToHttps => return redirect(site, request).map(Access::Redirect),
        }
    }
    if let Some(methods) = &behavior.methods
        && !methods.iter().any(|method| method == request.method.as_str())
    {
        if KNOWN.contains(&request.method.as_str()) {
            return Err(Fault::MethodNotAllowed { allow: methods.join(", ") });
        }
        return Err(Refusal::MethodUnknown.into());
    }
    Ok(Access::Granted)
}

/// Takes the body of a GET or HEAD away, with the fields that speak of it.
pub fn drop_body(request: &mut Received, body: &mut Body) {
    *body = body::empty();
    for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONTENT_TYPE, header::CONTENT_ENCODING] {
        request.headers.remove(name);
    }
}

/// A separator that is one for some servers and none for others (http-cache.md 7.1, security.md C06).
fn has_encoded_delimiter(path: &str) -> bool {
    let escapes = path.match_indices('%').filter_map(|(at, _)| path.get(at..at + 3));
    // The canonical path has its hexadecimal digits in capitals.
    let mut delimiters = escapes.filter(|escape| ["%2F", "%5C", "%3B", "%3F", "%23", "%25", "%20"].contains(escape));
    delimiters.next().is_some() || path.contains(';')
}

/// 301 for GET and HEAD, 307 for others from HTTP/1.1 on, 403 below (http-cache.md 6.4).
fn redirect(site: &Site, request: &Received) -> Result<Response<Body>, Fault> {
    let status = match request.method {
        Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
        _ if request.version >= Version::HTTP_11 => StatusCode::TEMPORARY_REDIRECT,
        _ => return Err(Refusal::HttpsOnly.into()),
    };
    let port = site.https_port.map(|port| format!(":{port}")).unwrap_or_default();
    let query = request.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let location = format!("https://{}{port}{}{query}", request.host.name(), request.path);
    let location = HeaderValue::from_str(&location).map_err(|_| Refusal::BadTarget)?;
    let mut response = Response::new(body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    Ok(response)
}
