//! The cookie that keeps a viewer at a variant: reading it from requests, writing it for responses (RFC 6265).

use http::{HeaderMap, HeaderValue, header};
use std::{fmt::Write as _, time::Duration};

/// The attributes of an experiment's cookie.
#[derive(Clone, Debug)]
pub struct Attributes {
    /// Lifetime; `None`: the browser's session.
    pub max_age: Option<Duration>,
    /// `SameSite`.
    pub same_site: &'static str,
    /// `Secure`.
    pub secure: bool,
    /// `HttpOnly`.
    pub http_only: bool,
    /// `Path`.
    pub path: String,
    /// `Domain`.
    pub domain: Option<String>,
}

impl Attributes {
    /// The `Set-Cookie` field for one variant; `None` for a name or value that cannot stand in a field.
    #[must_use]
    pub fn set_cookie(&self, name: &str, variant: &str) -> Option<HeaderValue> {
        let mut text = format!("{name}={variant}; Path={}", self.path);
        if let Some(domain) = &self.domain {
            let _ = write!(text, "; Domain={domain}"); // writing into a String cannot fail
        }
        if let Some(age) = self.max_age {
            let _ = write!(text, "; Max-Age={}", age.as_secs());
        }
        let _ = write!(text, "; SameSite={}", self.same_site);
        text.push_str(if self.secure { "; Secure" } else { "" });
        text.push_str(if self.http_only { "; HttpOnly" } else { "" });
        HeaderValue::try_from(text).ok()
    }
}

/// The first value of a cookie.
pub(super) fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes() {
        let plain = Attributes {
            max_age: None,
            same_site: "Lax",
            secure: false,
            http_only: false,
            path: "/".to_owned(),
            domain: None,
        };
        assert_eq!(plain.set_cookie("ab", "new").unwrap(), "ab=new; Path=/; SameSite=Lax");
        let all = Attributes {
            max_age: Some(Duration::from_hours(1)),
            same_site: "None",
            secure: true,
            http_only: true,
            path: "/shop".to_owned(),
            domain: Some("example.com".to_owned()),
        };
        let expected = "ab=new; Path=/shop; Domain=example.com; Max-Age=3600; SameSite=None; Secure; HttpOnly";
        assert_eq!(all.set_cookie("ab", "new").unwrap(), expected);
    }

    #[test]
    fn reading() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("xab=no; a=1;ab=new; ab=old"));
        headers.append(header::COOKIE, HeaderValue::from_static("other=x=y"));
        assert_eq!(value(&headers, "ab"), Some("new"));
        assert_eq!(value(&headers, "other"), Some("x=y"));
        assert_eq!(value(&headers, "AB"), None);
    }
}
