//! `[authorizer.NAME]`: which tokens are accepted, where they stand in a request, and what of them goes on (security.md 2.7).
//!
//! Whether key files hold usable keys is found out where they are read; the length of a secret is checked here.

use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;

use crate::address::{self, Address, Scheme};
use crate::context::Expect;
use crate::diagnostic::{Code, Problem};
use crate::keys::Table;
use crate::origin::is_reserved;
use crate::secret::Secret;
use crate::section::{Section, Value};

mod matcher;

pub use matcher::{ClaimMatcher, Comparison};

/// A token check.
#[derive(Debug, Clone)]
pub struct Authorizer {
    /// Its name in the file.
    pub name: String,
    /// Where its keys are.
    pub keys: KeySource,
    /// At least one; one per key type; HMAC alone.
    pub algorithms: Vec<Algorithm>,
    /// Accepted issuers; not empty: `iss` is required.
    pub issuers: Vec<String>,
    /// Accepted audiences; not empty: `aud` is required.
    pub audiences: Vec<String>,
    /// Required header `typ`.
    pub typ: Option<String>,
    /// Places of the token, in order, no place twice.
    pub token: Vec<TokenPlace>,
    /// Whether the token goes on; `None`: except from the query.
    pub forward_token: Option<bool>,
    /// What claims must be.
    pub require: IndexMap<String, ClaimMatcher>,
    /// Scopes that the token must have.
    pub scopes: Vec<String>,
    /// For exp, nbf and iat; at most 60 s.
    pub leeway: Duration,
    /// When a key set is fetched.
    pub refresh: Refresh,
    /// Claims and the headers, in lower case, that they become.
    pub claims_to_headers: IndexMap<String, String>,
    /// Login page instead of 401: an absolute URL or a path; `{url}` stands for the address that was asked for.
    pub redirect: Option<String>,
}

/// Where keys come from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// A key set behind a URL.
    JwksUrl(JwksUrl),
    /// A key set in a file, absolute.
    JwksFile(PathBuf),
    /// A PEM file with one public key, absolute.
    PublicKey(PathBuf),
    /// An HMAC secret, as long as its algorithm's hash or longer.
    Secret(Secret),
}

/// The address of a key set. Plain http on loopback only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JwksUrl {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// Where it is; the port is never 0.
    pub address: Address,
    /// Path and query, beginning with `/`.
    pub target: String,
}

macro_rules! algorithms {
    ($($name:ident = $word:literal, $type:ident, $hash:literal;)*) => {
        /// A signature algorithm (RFC 7518 section 3.1, RFC 8037).
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the names are those of the RFCs")]
        pub enum Algorithm { $($name,)* }

        impl Algorithm {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$name),)*];

            /// As in the token's header.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            fn key_type(self) -> KeyType {
                match self { $(Self::$name => KeyType::$type,)* }
            }

            /// Least length of an HMAC secret, bytes (RFC 7518 section 3.2).
            fn secret_length(self) -> usize {
                match self { $(Self::$name => $hash,)* }
            }
        }
    };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyType {
    Hmac,
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
}

algorithms! {
    HS256 = "HS256", Hmac, 32;
    HS384 = "HS384", Hmac, 48;
    HS512 = "HS512", Hmac, 64;
    RS256 = "RS256", Rsa, 0;
    RS384 = "RS384", Rsa, 0;
    RS512 = "RS512", Rsa, 0;
    PS256 = "PS256", Rsa, 0;
    PS384 = "PS384", Rsa, 0;
    PS512 = "PS512", Rsa, 0;
    ES256 = "ES256", P256, 0;
    ES384 = "ES384", P384, 0;
    ES512 = "ES512", P521, 0;
    EdDSA = "EdDSA", Ed25519, 0;
}

/// Where a token may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    /// A header, name in lower case; in `authorization` behind `Bearer`.
    Header(String),
    /// A cookie.
    Cookie(String),
    /// A query parameter.
    Query(String),
}

/// When a key set behind a URL is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Refresh {
    /// Age at which it is fetched again.
    pub every: Duration,
    /// Whether an unknown key id causes a fetch.
    pub on_unknown_kid: bool,
    /// Least time between two fetches.
    pub min_interval: Duration,
    /// How long the last good set is used while fetches fail.
    pub keep_stale: Duration,
}

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

const DAY: Duration = Duration::from_hours(24);
const MAX_LEEWAY: Duration = Duration::from_mins(1);
/// Headers that claims may not become, besides those that origins' `headers` may not set.
const NOT_FROM_CLAIMS: [&str; 3] = ["authorization", "expect", "forwarded"];

pub(crate) fn read(name: &str, section: &Section<'_>) -> Option<Authorizer> {
    let algorithms = algorithms(section);
    let keys = keys(section, algorithms.as_deref());
    let authorizer = Authorizer {
        name: name.to_owned(),
        issuers: texts(section, "issuer"),
        audiences: texts(section, "audience"),
        typ: section.parsed("typ", not_empty),
        token: token(section),
        forward_token: section.boolean("forward_token"),
        require: matcher::read(section),
        scopes: section.list("scopes", scope).unwrap_or_default(),
        leeway: section.duration("leeway", Duration::ZERO..=MAX_LEEWAY).unwrap_or(seconds(30)),
        refresh: refresh(section),
        claims_to_headers: claims_to_headers(section),
        redirect: section.parsed("redirect", redirect),
        keys: keys?,
        algorithms: algorithms?,
    };
    Some(authorizer)
}

fn algorithms(section: &Section<'_>) -> Option<Vec<Algorithm>> {
    let value = section.required("algorithms", "algorithms = [\"RS256\", \"ES256\"]")?;
    let items = value.list("a list of algorithms such as [\"RS256\", \"ES256\"]")?;
    if items.is_empty() {
        value.report(Code::BadValue, "`algorithms` must name an algorithm", "an empty list accepts nothing");
        return None;
    }
    let mut found: Vec<Algorithm> = Vec::new();
    let mut sound = true;
    for item in &items {
        let choice = item.text().and_then(|text| text.choice(section.cx, Algorithm::WORDS, &[]));
        let Some(algorithm) = choice else {
            sound = false;
            continue;
        };
        if let Some(other) = found.iter().find(|other| other.key_type() == algorithm.key_type()) {
            let label = format!("{} is for the same keys", other.as_str());
            item.report(Code::Conflict, "`algorithms` takes one algorithm per type of key", label);
            sound = false;
        } else if found
            .iter()
            .any(|other| (other.key_type() == KeyType::Hmac) != (algorithm.key_type() == KeyType::Hmac))
        {
            item.report(
                Code::Conflict,
                "HMAC stands alone in `algorithms`",
                "secrets and public keys never share a set",
            );
            sound = false;
        } else {
            found.push(algorithm);
        }
    }
    sound.then_some(found)
}

fn keys(section: &Section<'_>, algorithms: Option<&[Algorithm]>) -> Option<KeySource> {
    let written: Vec<Value<'_>> =
        ["jwks", "public_key", "secret"].iter().filter_map(|key| section.value(key)).collect();
    let [value] = &written[..] else {
        let message = format!("{} needs one of `jwks`, `public_key` and `secret`", section.shown);
        let problem = match written.last() {
            None => Problem::new(Code::MissingKey, section.span.clone(), message).label("none is written"),
            Some(last) => {
                Problem::new(Code::Conflict, last.key_span.clone(), message).label("another one is written too")
            }
        };
        section.cx.report(problem.help("jwks = \"https://login.example.com/keys.json\""));
        return None;
    };
    let hmac = algorithms.and_then(<[_]>::first).filter(|algorithm| algorithm.key_type() == KeyType::Hmac);
    let source = match value.name.as_str() {
        "jwks" => jwks(value, section)?,
        "public_key" => KeySource::PublicKey(section.existing("public_key", Expect::File)?),
        _ => secret(value, hmac.copied())?,
    };
    match (&source, hmac, algorithms) {
        (KeySource::Secret(_), None, Some(_)) => {
            value.report(Code::Conflict, "a secret needs an HMAC algorithm", "`algorithms` names none");
        }
        (KeySource::PublicKey(_) | KeySource::JwksUrl(_), Some(algorithm), _) => {
            let label = format!("{} needs a secret", algorithm.as_str());
            value.report(Code::Conflict, "HMAC keys are secrets and stand in `secret` or in a `jwks` file", label);
        }
        (KeySource::PublicKey(_), None, Some(algorithms)) if algorithms.len() > 1 => {
            value.report(Code::Conflict, "one key has one algorithm", "`algorithms` names several");
        }
        _ => {}
    }
    if !matches!(source, KeySource::JwksUrl(_))
        && let Some(refresh) = section.value("refresh")
    {
        let message = "`refresh` is for key sets behind a URL";
        let problem = Problem::new(Code::Conflict, refresh.key_span, message);
        section.cx.report(problem.label("these keys are read when the configuration is loaded"));
    }
    Some(source)
}

fn jwks(value: &Value<'_>, section: &Section<'_>) -> Option<KeySource> {
    let text = value.text()?;
    if !text.value.contains("://") && !text.placeholder {
        return section.existing("jwks", Expect::File).map(KeySource::JwksFile);
    }
    match text.parsed(value.cx, jwks_url) {
        None if text.placeholder => jwks_url("https://unset.invalid/").ok(),
        parsed => parsed,
    }
    .map(KeySource::JwksUrl)
}

/// Keys that came over a network in the clear could be anybody's.
fn jwks_url(text: &str) -> Result<JwksUrl, String> {
    let (base, query) = text.split_once('?').map_or((text, None), |(base, query)| (base, Some(query)));
    let url = address::origin_url(base)?;
    if url.scheme == Scheme::Http && !url.address.is_loopback() {
        return Err("must begin with https://; http:// is for loopback".to_owned());
    }
    let (_, rest) = base.split_once("://").unwrap_or_default();
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    if query.bytes().any(|b| !b.is_ascii_graphic() || b == b'#') {
        return Err("the query must be URL-encoded".to_owned());
    }
    Ok(JwksUrl { scheme: url.scheme, address: url.address, target: format!("{path}{query}") })
}

fn secret(value: &Value<'_>, hmac: Option<Algorithm>) -> Option<KeySource> {
    value.cx.hide(value.span.clone());
    let text = value.text()?;
    if let Some(algorithm) = hmac.filter(|algorithm| text.value.len() < algorithm.secret_length() && !text.placeholder)
    {
        let (name, least) = (algorithm.as_str(), algorithm.secret_length());
        let problem = Problem::new(Code::OutOfRange, value.span.clone(), "`secret` is too short");
        value.cx.report(
            problem
                .label(format!("{name} needs {least} bytes or more"))
                .help(format!("openssl rand -hex {least} > secrets/token, and secret = \"${{file:secrets/token}}\"")),
        );
        return None;
    }
    Some(KeySource::Secret(Secret::new(text.value)))
}

/// A text or a list of texts; an empty list is reported.
fn texts(section: &Section<'_>, key: &'static str) -> Vec<String> {
    let Some(value) = section.value(key) else { return Vec::new() };
    let items =
        if value.is_list() { value.list("text or a list of text").unwrap_or_default() } else { vec![value.clone()] };
    if items.is_empty() {
        value.report(Code::BadValue, format!("`{key}` must name something"), "an empty list accepts nothing");
    }
    items.iter().filter_map(|item| item.text()?.parsed(section.cx, not_empty)).collect()
}

fn not_empty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// A scope token (RFC 6749 section 3.3).
fn scope(text: &str) -> Result<String, String> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\') {
        Ok(text.to_owned())
    } else {
        Err("a scope has no blanks, quotes or backslashes".to_owned())
    }
}

fn token(section: &Section<'_>) -> Vec<TokenPlace> {
    let default = || vec![TokenPlace::Header("authorization".to_owned())];
    let Some(value) = section.value("token") else { return default() };
    if value.is_empty_list() {
        value.report(Code::BadValue, "`token` must name a place", "without a place there is no token");
    }
    let mut places = section.list("token", place).unwrap_or_default();
    let mut seen: Vec<TokenPlace> = Vec::new();
    places.retain(|place| {
        !seen.contains(place) && {
            seen.push(place.clone());
            true
        }
    });
    places
}

fn place(text: &str) -> Result<TokenPlace, String> {
    let name = |name: &str| {
        let fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~!$".contains(&b));
        if fits { Ok(name.to_owned()) } else { Err("not a name".to_owned()) }
    };
    match text.split_once(':') {
        Some(("header", text)) => {
            let header = address::header_name(text)?;
            let taken =
                header != "authorization" && (is_reserved(&header) || NOT_FROM_CLAIMS.contains(&header.as_str()));
            if taken { Err("this header cannot carry a token".to_owned()) } else { Ok(TokenPlace::Header(header)) }
        }
        Some(("cookie", text)) => name(text).map(TokenPlace::Cookie),
        Some(("query", text)) => name(text).map(TokenPlace::Query),
        _ => Err("\"header:NAME\", \"cookie:NAME\" or \"query:NAME\"".to_owned()),
    }
}

fn refresh(section: &Section<'_>) -> Refresh {
    let defaults = Refresh { every: seconds(600), on_unknown_kid: true, min_interval: seconds(30), keep_stale: DAY };
    let Some(table) = section.value("refresh").and_then(|value| value.section(Table::Refresh)) else { return defaults };
    let hour = Duration::from_hours(1);
    Refresh {
        every: table.duration("every", seconds(1)..=DAY).unwrap_or(defaults.every),
        on_unknown_kid: table.boolean("on_unknown_kid").unwrap_or(defaults.on_unknown_kid),
        min_interval: table.duration("min_interval", seconds(1)..=hour).unwrap_or(defaults.min_interval),
        keep_stale: table.duration("keep_stale", Duration::ZERO..=DAY * 30).unwrap_or(defaults.keep_stale),
    }
}

fn claims_to_headers(section: &Section<'_>) -> IndexMap<String, String> {
    let map = section.value("claims_to_headers").and_then(|value| value.map("a table of claims and header names"));
    let mut headers: IndexMap<String, String> = IndexMap::new();
    for (claim, value) in map.unwrap_or_default() {
        let Some(name) = value.text().and_then(|text| text.parsed(section.cx, address::header_name)) else { continue };
        if is_reserved(&name) || NOT_FROM_CLAIMS.contains(&name.as_str()) {
            let message = format!("a claim cannot become `{name}`");
            value.report(Code::BadName, message, "the edge or the viewer sets it");
        } else if headers.values().any(|other| *other == name) {
            value.report(Code::Conflict, format!("`{name}` is written twice"), "one header, one claim");
        } else {
            headers.insert(claim, name);
        }
    }
    headers
}

fn redirect(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let has_host = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#', '{']));
    let is_path = text.starts_with('/') && !text.starts_with("//") && !text.starts_with("/\\");
    if !has_host && !is_path {
        return Err("a URL or a path such as \"/login?to={url}\"".to_owned());
    }
    if text.replace("{url}", "").bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'{' | b'}' | b'"' | b'<' | b'>'))
    {
        Ok(text.to_owned())
    } else {
        Err("must be URL-encoded; {url} stands for the address that was asked for".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_set_addresses() {
        let shown = |text| jwks_url(text).map(|url| format!("{}{}", url.address, url.target));
        assert_eq!(shown("https://a.example/keys/?v=1"), Ok("a.example:443/keys/?v=1".to_owned()));
        assert_eq!(shown("https://a.example"), Ok("a.example:443/".to_owned()));
        assert_eq!(shown("http://127.0.0.1:9/k"), Ok("127.0.0.1:9/k".to_owned()));
        for text in
            ["http://a.example/k", "ftp://a/k", "https://", "https://u:p@a/k", "https://a/k#x", "https://a/k?x y"]
        {
            assert!(shown(text).is_err(), "{text}");
        }
    }

    #[test]
    fn places() {
        assert_eq!(place("header:X-Token"), Ok(TokenPlace::Header("x-token".to_owned())));
        assert_eq!(place("cookie:a_b"), Ok(TokenPlace::Cookie("a_b".to_owned())));
        for text in
            ["authorization", "header:", "header:cookie", "header:host", "cookie:a=b", "query:", "query:a&b", "body:x"]
        {
            assert!(place(text).is_err(), "{text}");
        }
    }

    #[test]
    fn login_pages() {
        for text in ["https://login.example.com/?to={url}", "/login", "http://localhost:1/{url}"] {
            assert!(redirect(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "login",
            "//evil.example",
            "/\\evil.example",
            "https://",
            "https:///x",
            "javascript:alert(1)",
            "/a b",
            "/{other}",
            "https://{url}",
        ] {
            assert!(redirect(text).is_err(), "{text}");
        }
    }
}
