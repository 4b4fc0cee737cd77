//! The cache key, and what of a request may reach the origin because it is in the key.
//!
//! There is one way to a [`Key`]: [`KeyedRequest::new`]. It selects query parameters, fields and cookies by the cache
//! policy, writes every part with its length in front (so that no two different requests share a byte string) and hands
//! back what was selected, for whoever builds the origin's request: what is not in the key stays at the edge.
//! Deliberately absent: `Default`, conversions from text, the method (GET and HEAD share a key) and any normalisation
//! of host and path, which happens before routing.

use std::{
    fmt,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::{Arc, OnceLock},
};

use http::{HeaderMap, HeaderName, header};
use triomphe::ThinArc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::policy::{CachePolicy, Selection};

/// Raised whenever the layout of the key changes, so that no old object is ever found under a new key.
const VERSION: u8 = 3;

/// Fields that no selection can put in the key: they belong to the connection, to the cache itself, to the body, or
/// (`Cookie`) have a selection of their own.
const NEVER_KEYED: [HeaderName; 17] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::COOKIE,
    header::EXPECT,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::PROXY_AUTHORIZATION,
    header::RANGE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// What a key is made from: the request after the viewer-request hook, host, path and fields already normalised.
#[derive(Clone, Copy, Debug)]
pub struct KeyInput<'a> {
    /// Separates caches that must not share, such as a staging configuration; empty for the ordinary one.
    pub namespace: &'a str,
    /// `http` or `https`, lower case.
    pub scheme: &'a str,
    /// Host in canonical form: lower case, no default port, no trailing dot.
    pub host: &'a str,
    /// Path in canonical form, without the query.
    pub path: &'a str,
    /// Everything behind the `?` as the viewer sent it; an empty query and none differ.
    pub query: Option<&'a str>,
    /// The request's fields.
    pub headers: &'a HeaderMap,
    /// Values that the edge chose for this request (experiment variant, device class) as name and value, in a fixed
    /// order.
    pub buckets: &'a [(&'a str, &'a str)],
}

/// A key together with the parts of the request that are in it, ready to be forwarded.
#[derive(Clone, Debug)]
pub struct KeyedRequest {
    /// The key itself.
    pub key: Key,
    /// The query for the origin: the viewer's names, order and bytes, less what the policy leaves out.
    pub query: Option<String>,
    /// The `Cookie` field for the origin: the viewer's order, less what the policy leaves out.
    pub cookies: Option<String>,
    /// Names of the fields that are present and keyed, sorted.
    pub headers: Vec<HeaderName>,
    /// What stands behind the last dot of the path's last segment, in lower case.
    pub(crate) extension: Option<Arc<str>>,
}

impl KeyedRequest {
    /// Selects by `policy` and writes the key (http-cache.md 7.1).
    #[must_use]
    pub fn new(policy: &CachePolicy, input: &KeyInput<'_>) -> Self {
        let query = select_query(&policy.query, input.query).and_then(|query| {
            let evened = policy.normalise.query(query.clone());
            (query.is_empty() || !evened.is_empty()).then_some(evened)
        });
        Self::written(policy, input, query.clone().as_deref(), query)
    }

    /// The same request under a key with another query, and these buckets; the origin is sent what it would be sent anyway.
    #[must_use]
    pub(crate) fn rewritten(
        self,
        policy: &CachePolicy,
        input: &KeyInput<'_>,
        keyed_query: Option<&str>,
        buckets: &[(&str, &str)],
    ) -> Self {
        Self::written(policy, &KeyInput { buckets, ..*input }, keyed_query, self.query)
    }

    fn written(policy: &CachePolicy, input: &KeyInput<'_>, keyed_query: Option<&str>, query: Option<String>) -> Self {
        let cookies = select_cookies(&policy.cookies, input.headers);
        let headers = select_headers(&policy.headers, input.headers);

        let mut writer = Writer(Vec::with_capacity(64 + input.host.len() + input.path.len()));
        writer.0.push(VERSION);
        for part in [input.namespace, input.scheme, input.host, input.path] {
            writer.part(part.as_bytes());
        }
        writer.count(usize::from(keyed_query.is_some()));
        writer.part(keyed_query.unwrap_or("").as_bytes());

        writer.count(headers.len());
        for name in &headers {
            writer.part(name.as_str().as_bytes());
            writer.count(input.headers.get_all(name).iter().count());
            input.headers.get_all(name).iter().for_each(|value| writer.part(value.as_bytes()));
        }
        let mut sorted = cookies.clone();
        sorted.sort_by(|a, b| cookie_name(a).cmp(cookie_name(b))); // stable: cookies of the same name keep their order
        writer.count(sorted.len());
        sorted.iter().for_each(|cookie| writer.part(cookie.as_bytes()));
        writer.count(input.buckets.len());
        for (name, value) in input.buckets {
            writer.part(name.as_bytes());
            writer.part(value.as_bytes());
        }

        let cookies = (!cookies.is_empty()).then(|| cookies.join("; "));
        Self { key: Key::new(&writer.0), query, cookies, headers, extension: extension(input.path) }
    }
}

impl KeyedRequest {
    /// The same for a slice of the response. No key is the beginning of another one, so this is no other request's.
    #[must_use]
    pub(crate) fn slice(&self, index: u64) -> Self {
        Self { key: self.key.slice(index), ..self.clone() }
    }
}

fn extension(path: &str) -> Option<Arc<str>> {
    let (_, file) = path.rsplit_once('/')?;
    let (_, extension) = file.rsplit_once('.')?;
    Some(extension.to_ascii_lowercase().into())
}

/// Identifies a stored response up to Vary. Equality compares the whole byte string; the hash is seeded per process.
/// There is one for every stored response, so it is as small as can be: one thin pointer to one block.
#[derive(Clone)]
pub struct Key {
    /// The hash, and behind it the bytes.
    block: ThinArc<u64, u8>,
}

impl Key {
    fn new(bytes: &[u8]) -> Self {
        Self { block: ThinArc::from_header_and_slice(xxh3_64_with_seed(bytes, seed()), bytes) }
    }

    /// The key for one slice of the response.
    pub(crate) fn slice(&self, index: u64) -> Self {
        let mut writer = Writer(self.bytes().to_vec());
        writer.part(&index.to_be_bytes());
        Self::new(&writer.0)
    }

    /// The key for the beginning of the response, where that is all there is: a number that no slice has.
    pub(crate) fn prefix(&self) -> Self {
        self.slice(u64::MAX)
    }

    fn hash(&self) -> u64 {
        self.block.header.header
    }

    /// A hash that all keys of one URL share; it differs between processes.
    pub(crate) fn url_hash(&self) -> u64 {
        xxh3_64_with_seed(self.url_bytes(), seed())
    }

    /// The part that says which URL this is, shared by all its variants.
    pub(crate) fn url(&self) -> UrlKey {
        UrlKey(self.clone())
    }

    /// That part, taken apart again.
    pub(crate) fn url_parts(&self) -> UrlParts<'_> {
        // Never missing: the one constructor writes them all.
        read_url(self.bytes()).map_or(UrlParts { scheme: "", host: "", path: "", query: "" }, |(url, _)| url)
    }

    /// All parts, as names and values: `origin`, `scheme`, `host`, `path`, `query NAME`, `header NAME`, `cookie NAME`, and what
    /// the edge chose. Parts of the same name are one, with a comma between the values.
    #[must_use]
    pub fn parts(&self) -> Vec<(String, String)> {
        // Never missing: the one constructor writes them all.
        read_parts(self.bytes()).unwrap_or_default()
    }

    /// The key from its bytes, as they were kept; none if they are no key of this version.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        read_url(bytes)?;
        Some(Self::new(bytes))
    }

    /// All bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.block.slice
    }

    /// Those of the URL, which all its keys have in common.
    pub(crate) fn url_bytes(&self) -> &[u8] {
        let bytes = self.bytes();
        let behind = read_url(bytes).map_or(0, |(_, behind)| behind);
        bytes.get(..bytes.len() - behind).unwrap_or(bytes)
    }

    /// The part of the URL that stands in front of its query.
    pub(crate) fn path_bytes(&self) -> &[u8] {
        let (url, query) = (self.url_bytes(), self.url_parts().query.len());
        url.get(..url.len().saturating_sub(query + 2 * size_of::<u64>())).unwrap_or(url)
    }

    /// Bytes that the key occupies.
    pub(crate) fn weight(&self) -> usize {
        self.bytes().len() + size_of::<u64>()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash());
    }
}

impl fmt::Debug for Key {
    /// Shows the hash only: keys hold cookies, and a public key helps poisoning.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:016x})", self.hash())
    }
}

/// A URL as it stands in a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UrlParts<'a> {
    /// `http` or `https`.
    pub(crate) scheme: &'a str,
    /// Canonical, with the port if it has one.
    pub(crate) host: &'a str,
    /// Canonical.
    pub(crate) path: &'a str,
    /// As far as it is keyed; empty: none.
    pub(crate) query: &'a str,
}

/// The URL part of a key as a key of its own.
#[derive(Clone, Debug)]
pub(crate) struct UrlKey(Key);

impl UrlKey {
    fn bytes(&self) -> &[u8] {
        self.0.url_bytes()
    }
}

impl PartialEq for UrlKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for UrlKey {}

impl Hash for UrlKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.url_hash());
    }
}

/// A number that viewers cannot know, so that they cannot choose requests that share a hash.
fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| RandomState::new().hash_one(VERSION))
}

/// Reads the URL at the beginning of a key, and says how many bytes stand behind it.
fn read_url(bytes: &[u8]) -> Option<(UrlParts<'_>, usize)> {
    fn part<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
        std::str::from_utf8(read_part(rest)?).ok()
    }
    let number = read_number;
    let mut rest = bytes.strip_prefix(&[VERSION])?;
    part(&mut rest)?; // the namespace: a URL is the same in all of them
    let (scheme, host, path) = (part(&mut rest)?, part(&mut rest)?, part(&mut rest)?);
    number(&mut rest)?; // whether there is a query at all
    let query = part(&mut rest)?;
    Some((UrlParts { scheme, host, path, query }, rest.len()))
}

fn read_number(rest: &mut &[u8]) -> Option<usize> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *rest.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return usize::try_from(number).ok();
        }
    }
    None
}

fn read_part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = read_number(rest)?;
    let (part, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(part)
}

fn read_parts(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut rest = bytes.strip_prefix(&[VERSION])?;
    let mut parts: Vec<(String, String)> = Vec::new();
    let mut add = |name: String, value: &str| match parts.iter_mut().find(|(known, _)| *known == name) {
        Some((_, values)) => {
            values.push_str(", ");
            values.push_str(value);
        }
        None => parts.push((name, value.to_owned())),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    for name in ["origin", "scheme", "host", "path"] {
        add(name.to_owned(), &text(read_part(&mut rest)?));
    }
    read_number(&mut rest)?;
    let query = text(read_part(&mut rest)?);
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (pair.to_owned(), String::new()),
    };
    for (name, value) in query.split('&').filter(|pair| !pair.is_empty()).map(pair) {
        add(format!("query {name}"), &value);
    }
    for _ in 0..read_number(&mut rest)? {
        let name = text(read_part(&mut rest)?);
        for _ in 0..read_number(&mut rest)? {
            add(format!("header {name}"), &text(read_part(&mut rest)?));
        }
    }
    for _ in 0..read_number(&mut rest)? {
        let (name, value) = pair(&text(read_part(&mut rest)?));
        add(format!("cookie {name}"), &value);
    }
    for _ in 0..read_number(&mut rest)? {
        let name = text(read_part(&mut rest)?);
        let value = text(read_part(&mut rest)?);
        add(name.replacen('.', " ", 1), &value);
    }
    Some(parts)
}

struct Writer(Vec<u8>);

impl Writer {
    /// Seven bits a byte, the last byte's eighth bit being 0: each number has one form, and no form begins another.
    fn count(&mut self, number: usize) {
        let mut rest = number;
        while rest >= 0x80 {
            self.0.push(0x80 | (rest & 0x7f) as u8);
            rest >>= 7;
        }
        self.0.push(rest as u8);
    }

    fn part(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }
}

fn select_query(selection: &Selection, query: Option<&str>) -> Option<String> {
    let query = query?;
    if *selection == Selection::All {
        return Some(query.to_owned());
    }
    let chosen: Vec<&str> =
        query.split('&').filter(|pair| selection.takes(pair.split_once('=').map_or(*pair, |(name, _)| name))).collect();
    Some(chosen.join("&")).filter(|query| !query.is_empty())
}

/// The chosen cookies as `name=value`, in the viewer's order. A cookie that is not UTF-8 is left out, of key and
/// request alike.
fn select_cookies(selection: &Selection, headers: &HeaderMap) -> Vec<String> {
    if *selection == Selection::None {
        return Vec::new();
    }
    let lines = headers.get_all(header::COOKIE).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|cookie| std::str::from_utf8(cookie.trim_ascii()).ok())
        .filter(|cookie| !cookie.is_empty() && selection.takes(cookie_name(cookie)))
        .map(str::to_owned)
        .collect()
}

fn cookie_name(cookie: &str) -> &str {
    cookie.split_once('=').map_or(cookie, |(name, _)| name)
}

fn select_headers(selection: &Selection, headers: &HeaderMap) -> Vec<HeaderName> {
    if *selection == Selection::None {
        return Vec::new();
    }
    let present = headers.keys().filter(|name| !NEVER_KEYED.contains(name));
    let mut chosen: Vec<HeaderName> =
        present.filter(|name| selection.takes_ignoring_case(name.as_str())).cloned().collect();
    chosen.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    chosen
}

#[cfg(test)]
#[path = "tests/key.rs"]
mod tests;
