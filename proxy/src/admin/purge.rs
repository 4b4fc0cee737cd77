//! `POST /purge` of the admin API: from what operators write to scopes, and to the cache.
//!
//! URLs are normalised as requests are, by the configuration that serves now: host and path in canonical form, the query as
//! the behavior's cache policy keys it, the root object for `/` (http-cache.md 5.1).

use crate::{
    cache::{Now, PurgeKind, PurgeOrder, Purged, Recorded, Scope},
    edge::Edge,
    gate, purging,
    site::Site,
};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Things that one request may name.
pub(super) const MAX_SCOPES: usize = 3_000;

/// What a request says. At least one of the first six must say something.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawPurge {
    urls: Vec<String>,
    prefixes: Vec<String>,
    hosts: Vec<String>,
    tags: Vec<String>,
    groups: Vec<RawGroup>,
    all: bool,
    soft: bool,
    dry_run: bool,
    wait: bool,
    durable: bool,
}

impl RawPurge {
    /// For these URLs, hard and at once.
    pub(super) fn of_urls(urls: Vec<String>) -> Self {
        Self { urls, ..Self::default() }
    }
}

/// A cache group (RFC 9875) of one origin, such as `https://www.example.com`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    origin: String,
    name: String,
}

pub(super) async fn purge(State(edge): State<Arc<Edge>>, Json(raw): Json<RawPurge>) -> Response {
    if let Err(wait) = purging::admit() {
        let after = [(header::RETRY_AFTER, purging::whole_seconds(wait).to_string())];
        return (StatusCode::TOO_MANY_REQUESTS, after, "too many purges at a time\n").into_response();
    }
    let site = edge.site();
    let scopes = match scopes(&raw, &site) {
        Ok(scopes) => scopes,
        Err(problem) => return (StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response(),
    };
    let cache = site.cache.clone();
    let (soft, dry_run) = (raw.soft, raw.dry_run);
    let work = move || {
        if raw.dry_run {
            return json!({ "schema": 1, "dry_run": true, "objects": cache.count(&scopes) });
        }
        let kind = if raw.soft { PurgeKind::Soft } else { PurgeKind::Hard };
        let order = PurgeOrder { scopes, kind, sync: raw.durable, count: raw.wait };
        answer(&cache.purge(&order, Now::read()), raw.soft)
    };
    // It waits for a file, and counting looks at everything that is stored.
    let Ok(answer) = tokio::task::spawn_blocking(work).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    tracing::info!(soft, dry_run, sequence = %answer["sequence"], objects = %answer["objects"], "purge");
    Json(answer).into_response()
}

fn answer(purged: &Purged, soft: bool) -> Value {
    let problem = match &purged.recorded {
        Recorded::Synced | Recorded::Written | Recorded::InMemory => None,
        Recorded::Failed(why) => Some(format!(
            "in force, but not recorded ({why}): repeat it once that is mended, or it is forgotten at a restart"
        )),
    };
    let recorded = purged.recorded.as_str();
    let mut answer = json!({ "schema": 1, "sequence": purged.number, "soft": soft, "recorded": recorded });
    if let Some(objects) = purged.objects {
        answer["objects"] = json!(objects);
    }
    if purged.many_patterns {
        answer["many_patterns"] = json!(true);
    }
    if let Some(problem) = problem {
        answer["problem"] = json!(problem);
    }
    answer
}

/// What a request like `POST /purge` covers.
///
/// # Errors
/// It is no such request, or covers nothing.
pub(crate) fn scopes_of(wanted: Value, site: &Site) -> Result<Vec<Scope>, String> {
    let raw: RawPurge = serde_json::from_value(wanted).map_err(|error| error.to_string())?;
    scopes(&raw, site)
}

/// What a request covers.
pub(super) fn scopes(raw: &RawPurge, site: &Site) -> Result<Vec<Scope>, String> {
    let mut scopes = Vec::new();
    for url in &raw.urls {
        match url.strip_prefix('#') {
            Some(tag) => scopes.push(self::tag(tag)?),
            None => by_url(url, site, &mut scopes)?,
        }
    }
    for prefix in &raw.prefixes {
        scopes.push(Url::parse(prefix)?.pattern("*")?);
    }
    for host in &raw.hosts {
        scopes.push(Scope::Host(self::host(host)?));
    }
    for text in &raw.tags {
        scopes.push(tag(text)?);
    }
    for group in &raw.groups {
        scopes.push(self::group(group)?);
    }
    if raw.all {
        scopes.push(Scope::All);
    }
    match scopes.len() {
        0 => Err("nothing to purge: name urls, prefixes, hosts, tags, groups, or all".to_owned()),
        count if count > MAX_SCOPES => Err(format!("more than {MAX_SCOPES} things to purge in one request")),
        _ => Ok(scopes),
    }
}

fn tag(tag: &str) -> Result<Scope, String> {
    if Scope::is_tag(tag) {
        Ok(Scope::Tag(tag.to_owned()))
    } else {
        Err(format!("{tag:?} is no tag: 1 to 1024 visible ASCII characters, no blank at either end"))
    }
}

fn group(raw: &RawGroup) -> Result<Scope, String> {
    let url = Url::parse(&raw.origin)?;
    match (url.scheme, url.host.as_deref(), url.path.as_str(), &url.query) {
        (Some(scheme), Some(name), "/", None) => {
            Ok(Scope::Group { scheme: scheme.to_owned(), host: host(name)?, group: raw.name.clone() })
        }
        _ => Err(format!("{:?} is no origin: write https://HOST", raw.origin)),
    }
}

fn host(text: &str) -> Result<String, String> {
    gate::Host::parse(text).map(|host| host.authority()).ok_or_else(|| format!("{text:?} is no host"))
}

/// The same where `*` may stand for anything.
fn host_pattern(text: &str) -> Result<String, String> {
    if !text.contains('*') {
        return host(text);
    }
    host(&text.replace('*', "x"))?; // what it matches must be a host
    let text = text.to_ascii_lowercase();
    Ok(text.strip_suffix(":80").or_else(|| text.strip_suffix(":443")).unwrap_or(&text).to_owned())
}

fn by_url(text: &str, site: &Site, scopes: &mut Vec<Scope>) -> Result<(), String> {
    let url = Url::parse(text)?;
    if text.contains('*') {
        scopes.push(url.pattern("")?);
        return Ok(());
    }
    let host = url.host.as_deref().map(host).transpose()?;
    scopes.extend(purging::of_url(site, url.scheme, host.as_deref(), url.canonical_path()?, url.query.as_deref()));
    Ok(())
}

/// A URL as operators write it: `https://host/path?query`, `host/path`, `/path`.
#[derive(Debug)]
struct Url {
    scheme: Option<&'static str>,
    host: Option<String>,
    path: String,
    query: Option<String>,
}

impl Url {
    fn parse(text: &str) -> Result<Self, String> {
        let bad = |what: &str| Err(format!("{text:?}: {what}; write https://HOST/PATH, HOST/PATH or /PATH"));
        if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) || text.contains('#') {
            return bad("a blank, a control character or a fragment is in no URL");
        }
        let (scheme, rest) = match text.split_once("://") {
            Some(("https", rest)) => (Some("https"), rest),
            Some(("http", rest)) => (Some("http"), rest),
            Some(_) => return bad("neither http nor https"),
            None => (None, text),
        };
        let (host, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let host = Some(host).filter(|host| !host.is_empty());
        if scheme.is_some() && host.is_none() {
            return bad("the host is missing");
        }
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { scheme, host: host.map(str::to_owned), path: path.to_owned(), query })
    }

    fn canonical_path(&self) -> Result<String, String> {
        gate::canonical_path(&self.path).map_err(|_| format!("{:?} is no path", self.path))
    }

    /// The URL as a pattern, with `tail` behind its last part.
    fn pattern(self, tail: &str) -> Result<Scope, String> {
        let host = self.host.as_deref().map(host_pattern).transpose()?;
        let path = self.canonical_path()?;
        let (path, query) = match self.query {
            Some(query) => (path, Some(format!("{query}{tail}"))),
            None => (format!("{path}{tail}"), None),
        };
        Ok(Scope::Pattern { scheme: self.scheme.map(str::to_owned), host, path, query })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str, tail: &str) -> Result<String, String> {
        let Scope::Pattern { scheme, host, path, query } = Url::parse(text)?.pattern(tail)? else { panic!("{text}") };
        let shown = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        Ok(format!("{} {} {path} {}", shown(scheme), shown(host), shown(query)))
    }

    #[test]
    fn patterns_are_normalised() {
        for (text, tail, expected) in [
            ("https://WWW.Example.com:443/a/*", "", "https www.example.com /a/* -"),
            ("*.Example.com:8080/%61/./b*", "", "- *.example.com:8080 /a/b* -"),
            ("/x?a=*", "", "- - /x a=*"),
            ("http://a", "*", "http a /* -"),
            ("/img", "*", "- - /img* -"),
            ("/img?w=", "*", "- - /img w=*"),
        ] {
            assert_eq!(pattern(text, tail).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_url() {
        for text in ["", "https:///x", "ftp://a/", "/a b", "/a#b", "https://a b/", "/../x", "a*b c/", "ho$t*/"] {
            assert!(pattern(text, "").is_err(), "{text}");
        }
    }
}
