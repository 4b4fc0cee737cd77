//! Where credentials stand in a request: read there, and taken out again.
//!
//! Cookies and query parameters are parsed and written anew, never edited in place. Names are compared byte for byte, so what is
//! not written as the configuration has it is not found, and stays a part of the request.

use crate::gate::Received;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// One place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `Authorization: Bearer …` (RFC 6750 section 2.1).
    Bearer,
    /// A header of its own.
    Header(HeaderName),
    /// A cookie.
    Cookie(String),
    /// A query parameter.
    Query(String),
}

impl Place {
    /// All tokens that stand there. One that is no text at all counts as the empty token, which nothing accepts.
    pub(crate) fn tokens<'r>(&self, request: &'r Received) -> Vec<&'r str> {
        match self {
            Self::Bearer => values(&request.headers, &header::AUTHORIZATION).filter_map(bearer).collect(),
            Self::Header(name) => values(&request.headers, name).map(str::trim).collect(),
            Self::Cookie(name) => cookies(&request.headers, name).collect(),
            Self::Query(name) => parameters(request.query.as_deref(), name).collect(),
        }
    }

    /// Takes them out.
    pub(crate) fn remove(&self, request: &mut Received) {
        match self {
            Self::Bearer => drop(request.headers.remove(header::AUTHORIZATION)),
            Self::Header(name) => drop(request.headers.remove(name)),
            Self::Cookie(name) => remove_cookies(&mut request.headers, |cookie| cookie == name),
            Self::Query(name) => remove_parameters(&mut request.query, |parameter| parameter == name),
        }
    }
}

fn values<'r>(headers: &'r HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'r str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default())
}

/// What stands behind `Bearer`, in any case; `None` for another scheme.
fn bearer(value: &str) -> Option<&str> {
    if value.is_empty() {
        return Some("");
    }
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim_matches(' '))
}

/// The values of all cookies with this name.
pub(crate) fn cookies<'r>(headers: &'r HeaderMap, name: &str) -> impl Iterator<Item = &'r str> {
    let lines = headers.get_all(header::COOKIE).iter();
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).filter_map(move |cookie| {
        let cookie = cookie.trim_ascii();
        let at = cookie.iter().position(|byte| *byte == b'=')?;
        (cookie[..at] == *name.as_bytes()).then(|| std::str::from_utf8(&cookie[at + 1..]).unwrap_or_default())
    })
}

/// Takes cookies out by name.
pub(crate) fn remove_cookies(headers: &mut HeaderMap, goes: impl Fn(&str) -> bool) {
    let name = |cookie: &[u8]| {
        let name = cookie.split(|byte| *byte == b'=').next().unwrap_or_default();
        std::str::from_utf8(name.trim_ascii()).map(str::to_owned).unwrap_or_default()
    };
    let lines: Vec<HeaderValue> = headers.get_all(header::COOKIE).iter().cloned().collect();
    let found = lines.iter().any(|line| line.as_bytes().split(|byte| *byte == b';').any(|cookie| goes(&name(cookie))));
    if !found {
        return;
    }
    headers.remove(header::COOKIE);
    for line in lines {
        let cookies = line.as_bytes().split(|byte| *byte == b';');
        let kept: Vec<&[u8]> = cookies.filter(|cookie| !goes(&name(cookie))).map(<[u8]>::trim_ascii).collect();
        // What was a header value stays one when pieces are left out.
        if !kept.is_empty()
            && let Ok(value) = HeaderValue::from_bytes(&kept.join(&b"; "[..]))
        {
            headers.append(header::COOKIE, value);
        }
    }
}

/// The values of all query parameters with this name, as they are written.
pub(crate) fn parameters<'r>(query: Option<&'r str>, name: &str) -> impl Iterator<Item = &'r str> {
    query.unwrap_or_default().split('&').filter_map(move |pair| {
        let (known, value) = pair.split_once('=').unwrap_or((pair, ""));
        (known == name).then_some(value)
    })
}

/// Takes query parameters out by name; the others keep order and bytes. A query of which nothing is left is none.
pub(crate) fn remove_parameters(query: &mut Option<String>, goes: impl Fn(&str) -> bool) {
    let Some(text) = query else { return };
    let name = |pair: &str| pair.split_once('=').map_or(pair, |(name, _)| name).to_owned();
    let kept: Vec<&str> = text.split('&').filter(|pair| !goes(&name(pair))).collect();
    if kept.len() < text.split('&').count() {
        *query = (!kept.is_empty()).then(|| kept.join("&"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookies: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in cookies {
            headers.append(header::COOKIE, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    fn without(query: &str) -> Option<String> {
        let mut query = Some(query.to_owned());
        remove_parameters(&mut query, |name| name == "t");
        query
    }

    #[test]
    fn parameters_go_and_the_rest_stays_as_it_was() {
        assert_eq!(without("t=1"), None);
        assert_eq!(without("t"), None);
        assert_eq!(without("a=1&t=2&&b=%20&t=3"), Some("a=1&&b=%20".to_owned()));
        assert_eq!(without("&t=1"), Some(String::new()));
        assert_eq!(without("T=1&%74=2&tt=3"), Some("T=1&%74=2&tt=3".to_owned()));
        assert_eq!(without(""), Some(String::new()));
    }

    #[test]
    fn cookies_go_and_the_rest_stays() {
        let mut headers = headers(&["a=1; t=x; b=2", "t=y", "c=3;t=z"]);
        assert_eq!(cookies(&headers, "t").collect::<Vec<_>>(), ["x", "y", "z"]);
        remove_cookies(&mut headers, |name| name == "t");
        let left: Vec<_> = headers.get_all(header::COOKIE).iter().collect();
        assert_eq!(left, ["a=1; b=2", "c=3"]);
    }

    #[test]
    fn schemes() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bEARER  abc "), Some("abc"));
        assert_eq!(bearer("Bearer"), Some(""));
        assert_eq!(bearer("Bearer\tabc"), None);
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("Bearerabc"), None);
        assert_eq!(bearer("Bearer a, Bearer b"), Some("a, Bearer b"), "which is no token");
    }
}
