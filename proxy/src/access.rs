//! Who and what a behavior lets through, before any function runs: address lists, countries, protocol, methods.

use crate::{
    body,
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
    Redirect(Response<body::Body>),
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

/// 301 for GET and HEAD, 307 for others from HTTP/1.1 on, 403 below (http-cache.md 6.4).
fn redirect(site: &Site, request: &Received) -> Result<Response<body::Body>, Fault> {
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
