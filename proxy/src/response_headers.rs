//! The response headers policy of a behavior: fields taken from and added to answers on their way to viewers, hits and
//! misses alike (http-cache.md 6.3). Nothing of it is stored.
//!
//! Deliberately absent: the managed policies; the configuration spells them out.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

/// Changes to the fields of answers, in the order in which they are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseHeaders {
    /// Taken away first.
    pub remove: Vec<HeaderName>,
    /// Cross-origin requests.
    pub cors: Option<Cors>,
    /// Fields with fixed values.
    pub set: Vec<SetField>,
    /// Percentage of answers that get `Server-Timing`; written by `server_timing`.
    pub server_timing: u8,
}

/// A field with a fixed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetField {
    /// Its name.
    pub name: HeaderName,
    /// Its value.
    pub value: HeaderValue,
    /// Whether the origin's value is replaced.
    pub overrides: bool,
}

/// What other origins may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Who.
    pub origins: Vec<AllowedOrigin>,
    /// Whether credentials may be sent.
    pub credentials: bool,
    /// For preflights: which fields may be sent.
    pub headers: Option<HeaderValue>,
    /// For preflights: which methods.
    pub methods: Option<HeaderValue>,
    /// Which fields scripts may read.
    pub expose: Option<HeaderValue>,
    /// For preflights: how long they hold, in seconds.
    pub max_age: Option<u64>,
    /// Whether the origin's own fields are replaced.
    pub overrides: bool,
}

/// An origin, or several by a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// All of them.
    Any,
    /// This one.
    Exactly(String),
    /// Every host below this one: scheme with `://`, and the rest with its leading dot.
    Below(String, String),
}

impl AllowedOrigin {
    /// Reads `*`, `https://app.example.com` or `https://*.example.com`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        match text.split_once("*.") {
            _ if text == "*" => Self::Any,
            Some((scheme, rest)) => Self::Below(scheme.to_owned(), format!(".{rest}")),
            None => Self::Exactly(text.to_owned()),
        }
    }

    fn admits(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(known) => known.eq_ignore_ascii_case(origin),
            Self::Below(scheme, rest) => {
                let origin = origin.to_ascii_lowercase();
                let host = origin.strip_prefix(scheme.as_str()).and_then(|host| host.strip_suffix(rest.as_str()));
                host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '@']))
            }
        }
    }
}

impl ResponseHeaders {
    /// Changes the fields of an answer to a request of this method with these fields.
    pub fn apply(&self, method: &Method, request: &HeaderMap, headers: &mut HeaderMap) {
        for name in &self.remove {
            headers.remove(name);
        }
        if let Some(cors) = &self.cors {
            cors.apply(method, request, headers);
        }
        for field in &self.set {
            if field.overrides || !headers.contains_key(&field.name) {
                headers.insert(field.name.clone(), field.value.clone());
            }
        }
    }
}

impl Cors {
    /// Nothing without `Origin`, and nothing where the origin speaks for itself and is not overruled.
    fn apply(&self, method: &Method, request: &HeaderMap, headers: &mut HeaderMap) {
        let Some(origin) = request.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()) else { return };
        let own = headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        if own && !self.overrides {
            return;
        }
        if self.overrides {
            for name in
                headers.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect::<Vec<_>>()
            {
                headers.remove(name);
            }
        }
        let any = self.origins.contains(&AllowedOrigin::Any);
        if !any && !self.origins.iter().any(|allowed| allowed.admits(origin)) {
            return;
        }
        let allowed = if any { HeaderValue::from_static("*") } else { copy(origin) };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if !any {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        let mut set = |name, value: Option<HeaderValue>| value.map(|value| headers.insert(name, value));
        set(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, self.credentials.then(|| HeaderValue::from_static("true")));
        let preflight = *method == Method::OPTIONS && request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if preflight {
            set(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
            set(header::ACCESS_CONTROL_ALLOW_HEADERS, self.headers.clone());
            set(header::ACCESS_CONTROL_MAX_AGE, self.max_age.map(HeaderValue::from));
        } else {
            set(header::ACCESS_CONTROL_EXPOSE_HEADERS, self.expose.clone());
        }
    }
}

/// The viewer's own words; they were a header value when they came.
fn copy(origin: &str) -> HeaderValue {
    HeaderValue::from_str(origin).unwrap_or_else(|_| HeaderValue::from_static("null"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn set(name: &'static str, value: &'static str, overrides: bool) -> SetField {
        SetField { name: HeaderName::from_static(name), value: HeaderValue::from_static(value), overrides }
    }

    #[test]
    fn remove_then_add_and_override_where_it_says_so() {
        let policy = ResponseHeaders {
            remove: vec![HeaderName::from_static("x-gone")],
            cors: None,
            set: vec![
                set("x-a", "ours", true),
                set("x-b", "ours", false),
                set("x-c", "ours", false),
                set("x-gone", "back", false),
            ],
            server_timing: 0,
        };
        let mut headers = fields(&[("x-gone", "1"), ("x-a", "theirs"), ("x-b", "theirs")]);
        policy.apply(&Method::GET, &HeaderMap::new(), &mut headers);
        assert_eq!(headers, fields(&[("x-a", "ours"), ("x-b", "theirs"), ("x-c", "ours"), ("x-gone", "back")]));
    }

    fn cors(origins: &[&str]) -> Cors {
        Cors {
            origins: origins.iter().map(|text| AllowedOrigin::new(text)).collect(),
            credentials: true,
            headers: Some(HeaderValue::from_static("x-in")),
            methods: Some(HeaderValue::from_static("GET, POST")),
            expose: Some(HeaderValue::from_static("x-out")),
            max_age: Some(600),
            overrides: false,
        }
    }

    fn answered(
        cors: Cors,
        method: &Method,
        request: &[(&'static str, &'static str)],
        own: &[(&'static str, &'static str)],
    ) -> HeaderMap {
        let mut headers = fields(own);
        ResponseHeaders { cors: Some(cors), ..ResponseHeaders::default() }.apply(
            method,
            &fields(request),
            &mut headers,
        );
        headers
    }

    #[test]
    fn origins_are_compared_whole() {
        for (allowed, origin, admitted) in [
            ("https://a.example", "https://a.example", true),
            ("https://a.example", "https://A.example", true),
            ("https://a.example", "http://a.example", false),
            ("https://a.example", "https://a.example.evil", false),
            ("https://a.example", "null", false),
            ("https://*.a.example", "https://x.a.example", true),
            ("https://*.a.example", "https://x.y.a.example", true),
            ("https://*.a.example", "https://a.example", false),
            ("https://*.a.example", "https://xa.example", false),
            ("https://*.a.example", "https://x.a.example:8443", false),
            ("https://*.a.example", "https://evil/.a.example", false),
        ] {
            assert_eq!(AllowedOrigin::new(allowed).admits(origin), admitted, "{allowed} {origin}");
        }
    }

    #[test]
    fn answers_and_preflights() {
        let (get, options) = (Method::GET, Method::OPTIONS);
        let from = ("origin", "https://a.example");
        let known = || cors(&["https://a.example"]);
        assert!(answered(known(), &get, &[], &[]).is_empty(), "not a cross-origin request");
        assert!(answered(known(), &get, &[("origin", "https://b.example")], &[]).is_empty());
        let plain = answered(known(), &get, &[from], &[]);
        let expected = [
            ("access-control-allow-origin", "https://a.example"),
            ("vary", "Origin"),
            ("access-control-allow-credentials", "true"),
            ("access-control-expose-headers", "x-out"),
        ];
        assert_eq!(plain, fields(&expected));
        let preflight = answered(known(), &options, &[from, ("access-control-request-method", "POST")], &[]);
        assert_eq!(preflight["access-control-allow-methods"], "GET, POST");
        assert_eq!(preflight["access-control-allow-headers"], "x-in");
        assert_eq!(preflight["access-control-max-age"], "600");
        let any = answered(cors(&["*"]), &get, &[from], &[]);
        assert_eq!(any["access-control-allow-origin"], "*");
        assert!(!any.contains_key("vary"));
        let own = [("access-control-allow-origin", "https://own.example")];
        assert_eq!(answered(known(), &get, &[from], &own), fields(&own), "the origin speaks for itself");
        let overruled = answered(Cors { overrides: true, ..known() }, &get, &[from], &own);
        assert_eq!(overruled["access-control-allow-origin"], "https://a.example");
    }
}
