//! `[experiment.NAME]`: who takes part, how viewers are assigned to variants, and what each variant changes.
//!
//! Which variant a viewer gets is decided in the proxy, not here.

use std::time::Duration;

use indexmap::IndexMap;

use crate::address;
use crate::diagnostic::{Code, Problem};
use crate::geo::{self, Geo};
use crate::keys::{Family, Table};
use crate::section::{Section, Value};
use crate::{behavior, origin, pattern, suggest};

/// An experiment. Every name in it exists.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// Its name in the file.
    pub name: String,
    /// Who takes part.
    pub scope: Scope,
    /// How viewers are assigned.
    pub assign: Assign,
    /// Attributes of the cookie; meaningless unless `assign` is a cookie.
    pub cookie: CookieAttributes,
    /// By name, in file order; at least one has a weight above 0.
    pub variants: IndexMap<String, Variant>,
    /// When the variant is in the cache key.
    pub in_cache_key: InCacheKey,
    /// The variant of viewers whose own was removed.
    pub fallback: String,
    /// Header by whose value a tester chooses the variant, in lower case.
    pub force_header: Option<String>,
    /// Query parameter by whose value a tester chooses the variant.
    pub force_query: Option<String>,
}

/// Who takes part in an experiment: all conditions hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Pattern of the viewer's path.
    pub path: String,
    /// Headers, in lower case, and the values of which each must have one; `*` is any value.
    pub headers: Vec<(String, Vec<String>)>,
    /// The same for cookies.
    pub cookies: Vec<(String, Vec<String>)>,
    /// Countries that the viewer is in one of; empty: wherever.
    pub countries: Vec<String>,
}

/// What keeps a viewer at a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assign {
    /// A cookie of this name, set once.
    Cookie(String),
    /// The hash of this header, in lower case.
    Header(String),
    /// The hash of this claim of the verified token.
    Claim(String),
    /// The hash of the viewer's address.
    Address,
}

/// Attributes of an experiment's cookie (RFC 6265).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieAttributes {
    /// Lifetime; `None`: the browser's session.
    pub max_age: Option<Duration>,
    /// `SameSite`.
    pub same_site: SameSite,
    /// `Secure`.
    pub secure: bool,
    /// `HttpOnly`.
    pub http_only: bool,
    /// `Path`.
    pub path: String,
    /// `Domain`; `None`: the host that was asked.
    pub domain: Option<String>,
}

/// The `SameSite` attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// `Strict`
    Strict,
    /// `Lax`
    Lax,
    /// `None`, which browsers take with `Secure` only.
    None,
}

/// When a variant is part of the cache key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InCacheKey {
    /// When it changes what is stored.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// One variant and what it changes.
#[derive(Debug, Clone, Default)]
pub struct Variant {
    /// Its share, in relation to the other weights. 0: no new viewers.
    pub weight: u32,
    /// Name of the origin, or of a group, instead of the behavior's.
    pub origin: Option<String>,
    /// Path instead of the viewer's; a `*` at its end stands for what the `*` of the scope's path stands for.
    pub path: Option<String>,
    /// Request headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Function before the cache, instead of the behavior's.
    pub viewer_request: Option<String>,
    /// Function before the answer leaves.
    pub viewer_response: Option<String>,
    /// Function before the origin is asked.
    pub origin_request: Option<String>,
    /// Function before an answer is stored.
    pub origin_response: Option<String>,
}

impl Variant {
    /// Whether answers fetched under it differ from those fetched without it. What viewer-response does is never stored.
    #[must_use]
    pub fn changes_what_is_stored(&self) -> bool {
        self.origin.is_some()
            || self.path.is_some()
            || !self.headers.is_empty()
            || self.viewer_request.is_some()
            || self.origin_request.is_some()
            || self.origin_response.is_some()
    }
}

/// The names that an experiment may refer to.
pub(crate) struct Declared<'n> {
    pub(crate) origins: &'n [&'n str],
    pub(crate) functions: &'n [(&'n str, Option<Family>)],
    pub(crate) geo: &'n Geo,
}

/// Weights are shares of at most this.
const MAX_WEIGHT: u64 = 1_000_000;
/// Longest cookie lifetime that browsers keep (RFC 6265bis: 400 days).
const MAX_AGE: Duration = Duration::from_hours(400 * 24);

pub(crate) fn read(name: &str, section: &Section<'_>, declared: &Declared<'_>) -> Option<Experiment> {
    let scope = scope(section, declared.geo);
    let assign = assign(section);
    let cookie = cookie(section, assign.as_ref());
    let variants = variants(section, scope.as_ref(), declared);
    let in_cache_key = in_cache_key(section);
    let (force_header, force_query) = force(section);
    let (scope, assign, variants) = (scope?, assign?, variants?);
    warn_of_shared_entries(section, in_cache_key, &variants);
    let fallback = match section.text("fallback") {
        None => variants.first().map(|(name, _)| name.clone())?,
        Some(text) if variants.contains_key(&text.value) => text.value,
        Some(text) => {
            let names: Vec<&str> = variants.keys().map(String::as_str).collect();
            section.cx.report(
                Problem::new(Code::UnknownName, text.span.clone(), "`fallback` is no variant of this experiment")
                    .label("not in `variants`")
                    .help(suggest::help(&text.value, &names, "variants")),
            );
            return None;
        }
    };
    let name = name.to_owned();
    Some(Experiment { name, scope, assign, cookie, variants, in_cache_key, fallback, force_header, force_query })
}

/// Reports experiments that would overwrite each other's cookie.
pub(crate) fn check_cookies(sections: &IndexMap<String, Section<'_>>, experiments: &IndexMap<String, Experiment>) {
    let mut seen: Vec<&str> = Vec::new();
    for experiment in experiments.values() {
        let Assign::Cookie(cookie) = &experiment.assign else { continue };
        if seen.contains(&cookie.as_str())
            && let Some(section) = sections.get(&experiment.name)
            && let Some(written) = section.value("assign")
        {
            section.cx.report(
                Problem::new(Code::Conflict, written.span, "two experiments use one cookie")
                    .label(format!("`{cookie}` belongs to an experiment above"))
                    .help("give each its own"),
            );
        }
        seen.push(cookie);
    }
}

/// Reports experiments by a claim in a file where no behavior asks for a token.
pub(crate) fn check_claims(
    sections: &IndexMap<String, Section<'_>>,
    experiments: &IndexMap<String, Experiment>,
    any_token: bool,
) {
    for experiment in experiments.values().filter(|_| !any_token) {
        if matches!(experiment.assign, Assign::Claim(_))
            && let Some(section) = sections.get(&experiment.name)
            && let Some(written) = section.value("assign")
        {
            let message = "`assign` names a claim, but no behavior has an authorizer";
            written.report(Code::Conflict, message, "no token, no claims");
        }
    }
}

fn scope(section: &Section<'_>, geo: &Geo) -> Option<Scope> {
    let everyone = || Scope { path: "*".to_owned(), headers: Vec::new(), cookies: Vec::new(), countries: Vec::new() };
    let Some(value) = section.value("match") else { return Some(everyone()) };
    if value.is_text() {
        let path = value.text()?.parsed(section.cx, pattern::path)?;
        return Some(Scope { path, ..everyone() });
    }
    let written = value.section(Table::Scope)?;
    let path = match written.value("path") {
        None => "*".to_owned(),
        Some(value) => value.text()?.parsed(section.cx, pattern::path)?,
    };
    let headers = conditions(&written, "header", address::header_name);
    let cookies = conditions(&written, "cookie", cookie_name);
    let countries = written.value("country").and_then(|value| {
        geo::needs_database(geo, &value);
        geo::countries(&written, "country")
    });
    Some(Scope { path, headers, cookies, countries: countries.unwrap_or_default() })
}

/// `{ NAME = "value" }` or `{ NAME = ["one", "other"] }`.
fn conditions(
    section: &Section<'_>,
    key: &'static str,
    read: fn(&str) -> Result<String, String>,
) -> Vec<(String, Vec<String>)> {
    let map = section.value(key).and_then(|value| value.map("a table of names and values"));
    let mut conditions = Vec::new();
    for (written, value) in map.unwrap_or_default() {
        let name = match read(&written) {
            Ok(name) => name,
            Err(label) => {
                let message = format!("`{}` has a name that cannot be used", value.name);
                section.cx.report(Problem::new(Code::BadName, value.key_span.clone(), message).label(label));
                continue;
            }
        };
        let items = if value.is_list() { value.list("a list of text") } else { Some(vec![value.clone()]) };
        if value.is_empty_list() {
            value.report(Code::BadValue, format!("`{}` must name a value", value.name), "\"*\" is any value");
        }
        let values: Vec<String> =
            items.unwrap_or_default().iter().filter_map(|item| Some(item.text()?.value)).collect();
        conditions.push((name, values));
    }
    conditions
}

/// A cookie's name is a token (RFC 6265 s4.1.1), with case.
fn cookie_name(text: &str) -> Result<String, String> {
    address::header_name(text).map(|_| text.to_owned()).map_err(|_| "not a cookie name".to_owned())
}

fn assign(section: &Section<'_>) -> Option<Assign> {
    let text = section.required("assign", "assign = \"cookie:NAME\" or \"hash:address\"")?.text()?;
    text.parsed(section.cx, |text| match text.split_once(':') {
        Some(("cookie", name)) => cookie_name(name).map(Assign::Cookie),
        Some(("hash", "address")) => Ok(Assign::Address),
        Some(("hash", hashed)) if hashed.starts_with("header:") => {
            address::header_name(&hashed["header:".len()..]).map(Assign::Header)
        }
        Some(("hash", hashed)) if hashed.len() > "claim:".len() && hashed.starts_with("claim:") => {
            Ok(Assign::Claim(hashed["claim:".len()..].to_owned()))
        }
        _ => Err("\"cookie:NAME\", \"hash:header:NAME\", \"hash:claim:NAME\" or \"hash:address\"".to_owned()),
    })
}

fn cookie(section: &Section<'_>, assign: Option<&Assign>) -> CookieAttributes {
    let mut attributes = CookieAttributes {
        max_age: None,
        same_site: SameSite::Lax,
        secure: false,
        http_only: false,
        path: "/".to_owned(),
        domain: None,
    };
    let Some(value) = section.value("cookie") else { return attributes };
    if assign.is_some_and(|assign| !matches!(assign, Assign::Cookie(_))) {
        section.cx.report(
            Problem::new(Code::Conflict, value.key_span.clone(), "`cookie` without an assignment by cookie")
                .label("no cookie is set")
                .help("remove it, or write assign = \"cookie:NAME\""),
        );
    }
    let Some(written) = value.section(Table::Cookie) else { return attributes };
    let words = [("strict", SameSite::Strict), ("lax", SameSite::Lax), ("none", SameSite::None)];
    attributes.max_age = written.duration("max_age", Duration::from_secs(1)..=MAX_AGE);
    attributes.same_site = written.choice("same_site", &words, &[]).unwrap_or(SameSite::Lax);
    attributes.secure = written.boolean("secure").unwrap_or(false);
    attributes.http_only = written.boolean("http_only").unwrap_or(false);
    attributes.path = written.parsed("path", cookie_path).unwrap_or(attributes.path);
    attributes.domain = written.parsed("domain", |text| address::host_name(text.strip_prefix('.').unwrap_or(text)));
    if attributes.same_site == SameSite::None && !attributes.secure {
        value.report(Code::Conflict, "`same_site = \"none\"` needs `secure = true`", "browsers refuse this cookie");
    }
    attributes
}

fn cookie_path(text: &str) -> Result<String, String> {
    let fits = text.starts_with('/') && text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b';');
    if fits { Ok(text.to_owned()) } else { Err("a path that begins with `/`, without `;`".to_owned()) }
}

fn variants(
    section: &Section<'_>,
    scope: Option<&Scope>,
    declared: &Declared<'_>,
) -> Option<IndexMap<String, Variant>> {
    let written = section.required("variants", "variants = { control = 90, new = 10 }")?;
    let mut variants = IndexMap::new();
    let mut sound = true;
    for (name, value) in written.map("a table of variants and weights")? {
        if let Err(label) = address::word(&name) {
            let message = format!("`{}` cannot be the name of a variant", name.escape_debug());
            section.cx.report(Problem::new(Code::BadName, value.key_span.clone(), message).label(label));
            sound = false;
        }
        match variant(&value, scope, declared) {
            Some(variant) => drop(variants.insert(name, variant)),
            None => sound = false,
        }
    }
    if sound && variants.values().all(|variant| variant.weight == 0) {
        let message = "no variant has a weight above 0";
        written.report(Code::BadValue, message, "nobody could be assigned");
        return None;
    }
    sound.then_some(variants)
}

fn variant(value: &Value<'_>, scope: Option<&Scope>, declared: &Declared<'_>) -> Option<Variant> {
    let weight = |value: &Value<'_>| value.count(0..=MAX_WEIGHT).and_then(|weight| u32::try_from(weight).ok());
    if !value.is_table() {
        return Some(Variant { weight: weight(value)?, ..Variant::default() });
    }
    let section = value.section(Table::Variant)?;
    let cx = section.cx;
    let weight = section.required("weight", "weight = 10").and_then(|value| weight(&value));
    let origin = section.text("origin").filter(|text| cx.refers(text, "origin", "variant", declared.origins));
    let path = section.value("path").and_then(|value| path(&value, scope));
    let [viewer_request, viewer_response, origin_request, origin_response] = functions(&section, declared.functions);
    Some(Variant {
        weight: weight?,
        origin: origin.map(|text| text.value),
        path,
        headers: origin::headers(&section),
        viewer_request,
        viewer_response,
        origin_request,
        origin_response,
    })
}

/// A path to ask for instead: `/new`, or `/new/*` where the experiment's own path has one `*`.
fn path(value: &Value<'_>, scope: Option<&Scope>) -> Option<String> {
    let text = value.text()?;
    let path = text.parsed(value.cx, |text| {
        let plain = text.strip_suffix('*').unwrap_or(text);
        let allowed = |byte: u8| (b'!'..=b'~').contains(&byte) && !b"?#*".contains(&byte);
        if plain.starts_with('/') && plain.bytes().all(allowed) {
            Ok(text.to_owned())
        } else {
            Err("a path that begins with `/`, percent-encoded, with a `*` at its end or none".to_owned())
        }
    })?;
    let pattern = scope.map_or("*", |scope| scope.path.as_str());
    if path.ends_with('*') && (pattern.matches('*').count() != 1 || pattern.contains('?')) {
        value.cx.report(
            Problem::new(Code::Conflict, value.span.clone(), "this `*` stands for nothing")
                .label("the path in `match` must have one `*` and no `?`"),
        );
        return None;
    }
    Some(path)
}

fn functions(section: &Section<'_>, declared: &[(&str, Option<Family>)]) -> [Option<String>; 4] {
    let written = section.value("functions").and_then(|value| value.section(Table::VariantFunctions));
    let Some(written) = written else { return [None, None, None, None] };
    let names: Vec<&str> = declared.iter().map(|(name, _)| *name).collect();
    behavior::HOOKS.map(|hook| {
        let text = written.text(hook)?;
        if !written.cx.refers(&text, "function", "variant", &names) {
            return None;
        }
        let family = declared.iter().find(|(name, _)| *name == text.value).and_then(|(_, family)| *family);
        if family == Some(Family::Viewer) && hook.starts_with("origin") {
            behavior::report_wrong_hook(&written, hook, &text, declared);
            return None;
        }
        Some(text.value)
    })
}

fn in_cache_key(section: &Section<'_>) -> InCacheKey {
    match section.value("in_cache_key") {
        None => InCacheKey::Auto,
        Some(value) if value.is_text() => {
            let word = value.text().and_then(|text| text.choice(section.cx, &[("auto", InCacheKey::Auto)], &[]));
            word.unwrap_or(InCacheKey::Auto)
        }
        Some(value) => match value.boolean() {
            Some(false) => InCacheKey::Never,
            _ => InCacheKey::Always,
        },
    }
}

fn warn_of_shared_entries(section: &Section<'_>, in_cache_key: InCacheKey, variants: &IndexMap<String, Variant>) {
    let Some(value) = section.value("in_cache_key").filter(|_| in_cache_key == InCacheKey::Never) else { return };
    // Another origin or another path has another key anyway.
    let apart = |variant: &Variant| variant.origin.is_some() || variant.path.is_some();
    if let Some((name, _)) = variants.iter().find(|(_, variant)| variant.changes_what_is_stored() && !apart(variant)) {
        section.cx.report(
            Problem::new(Code::SharedVariants, value.span, "variants that change the answer share cache entries")
                .label(format!("`{name}` changes headers or functions"))
                .help("leave `in_cache_key` at \"auto\", unless the answers are the same for all"),
        );
    }
}

fn force(section: &Section<'_>) -> (Option<String>, Option<String>) {
    let Some(written) = section.value("force").and_then(|value| value.section(Table::Force)) else {
        return (None, None);
    };
    let query = |text: &str| {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        let fits = !text.is_empty() && text.bytes().all(token);
        if fits { Ok(text.to_owned()) } else { Err("letters, digits, `-`, `_`, `.` and `~`".to_owned()) }
    };
    (written.parsed("header", address::header_name), written.parsed("query", query))
}
