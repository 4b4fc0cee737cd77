//! `[[behavior]]`: what happens to which paths. The order of behaviors is judged in `routing`.

use crate::access::{self, Admission, Gates};
use crate::address::Scheme;
use crate::cache_rules::{self, CacheRules, Profile};
use crate::diagnostic::{Code, Problem};
use crate::geo::{self, Countries, Geo};
use crate::keys::{Family, Table};
use crate::origin::OriginTarget;
use crate::pattern;
use crate::section::{Section, Value};
use crate::text::Text;
use crate::{address, cache_policy, origin_request_policy, response_headers_policy};

/// What happens to requests whose host and path match. Every name in it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behavior {
    /// Pattern of the viewer's path as written: `*` any characters, `?` one; the leading `/` may be missing.
    pub path: String,
    /// Hosts in lower case, `*.` possible; empty: all of [`Server::hosts`](crate::Server::hosts).
    pub hosts: Vec<String>,
    /// Name of the origin, or of a group of origins.
    pub origin: String,
    /// Name of the cache policy; `None`: keyed by all query parameters, stored only as the origin declares.
    pub cache_policy: Option<String>,
    /// Name of the origin request policy.
    pub origin_request_policy: Option<String>,
    /// Name of the response headers policy.
    pub response_headers_policy: Option<String>,
    /// Whether answers are compressed.
    pub compress: bool,
    /// Whether requests for a WebSocket are upgrades.
    pub websocket: bool,
    /// Whether gRPC calls are passed on as such, over HTTP/2.
    pub grpc: bool,
    /// Whether answers to OPTIONS are stored.
    pub cache_options: bool,
    /// `[behavior.cache]`, resolved with `[cache]`.
    pub cache: CacheRules,
    /// Whether `ttl` stands in `[behavior.cache]`.
    pub has_ttl: bool,
    /// Methods let through.
    pub methods: Methods,
    /// What becomes of plain HTTP.
    pub viewer_protocol_policy: ViewerProtocolPolicy,
    /// Function before the cache.
    pub viewer_request: Option<String>,
    /// Function before the answer leaves.
    pub viewer_response: Option<String>,
    /// Lambda function before the origin is asked.
    pub origin_request: Option<String>,
    /// Lambda function before an answer is stored.
    pub origin_response: Option<String>,
    /// Who is let in.
    pub admission: Admission,
    /// Which request hooks see the request's body.
    pub include_body: IncludeBody,
    /// Countries of viewers let in or refused with 403.
    pub countries: Option<Countries>,
    /// Name of the origin that gets copies of requests; its answers are discarded.
    pub shadow: Option<String>,
    /// Percentage of requests that are copied.
    pub shadow_percent: u8,
    /// Line of the `[[behavior]]` header in the file, from 1.
    pub line: usize,
}

/// Which request hooks see the request's body (lambda-edge.md 2.5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IncludeBody {
    /// viewer-request.
    pub viewer_request: bool,
    /// origin-request.
    pub origin_request: bool,
}

/// Methods that a behavior lets through; others get 403.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Methods {
    /// Every method, also unknown ones and TRACE; never CONNECT.
    Any,
    /// These, in upper case; not empty.
    List(Vec<String>),
}

impl Methods {
    /// Whether a method, in upper case, is let through.
    #[must_use]
    pub fn contains(&self, method: &str) -> bool {
        match self {
            Self::Any => method != "CONNECT",
            Self::List(list) => list.iter().any(|listed| listed == method),
        }
    }
}

/// What becomes of requests over plain HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewerProtocolPolicy {
    /// They are served.
    AllowAll,
    /// They are redirected to https.
    RedirectToHttps,
    /// They get 403.
    HttpsOnly,
}

/// The names that a behavior may refer to.
pub(crate) struct Declared<'n> {
    pub(crate) geo: &'n Geo,
    pub(crate) origins: Vec<&'n str>,
    /// Origins and groups of origins.
    pub(crate) targets: Vec<&'n str>,
    pub(crate) cache_policies: Vec<&'n str>,
    pub(crate) origin_request_policies: Vec<&'n str>,
    pub(crate) response_headers_policies: Vec<&'n str>,
    /// With the family, where the function's runtime could be told.
    pub(crate) functions: Vec<(&'n str, Option<Family>)>,
    /// `[server] hosts`.
    pub(crate) hosts: &'n [String],
    pub(crate) gates: Gates<'n>,
    /// What `[behavior.cache]` inherits.
    pub(crate) cache: &'n CacheRules,
}

/// A behavior as far as it could be read: what the judgement of the order needs survives mistakes elsewhere in it.
pub(crate) struct Draft<'c> {
    pub(crate) section: Section<'c>,
    pub(crate) path: Option<Text>,
    /// `None` when `host` could not be read.
    pub(crate) hosts: Option<Vec<String>>,
    pub(crate) behavior: Option<Behavior>,
}

const ALL_METHODS: [&str; 7] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];

pub(crate) fn read<'c>(section: Section<'c>, declared: &Declared<'_>) -> Draft<'c> {
    let path = section.required("path", "path = \"*\" matches every path").and_then(|value| value.text());
    let pattern = path.as_ref().and_then(|text| text.parsed(section.cx, pattern::path));
    let hosts = hosts(&section, declared.hosts);
    let origin = origin(&section, &declared.targets);
    let ([viewer_request, viewer_response, origin_request, origin_response], include_body) =
        hooks(&section, &declared.functions);
    let own = section.value("cache").and_then(|value| value.section(Table::BehaviorCache));
    let cache = own.as_ref().map_or_else(|| declared.cache.clone(), |own| cache_rules::read(own, Some(declared.cache)));
    let usual = if cache.profile == Profile::StrictRfc { Methods::Any } else { listed(&ALL_METHODS) };
    let behavior = Behavior {
        path: pattern.clone().unwrap_or_default(),
        hosts: hosts.clone().unwrap_or_default(),
        origin: origin.clone().unwrap_or_default(),
        cache_policy: policy(&section, "cache_policy", &declared.cache_policies, &cache_policy::MANAGED),
        origin_request_policy: origin_request_policy(&section, &declared.origin_request_policies),
        response_headers_policy: policy(
            &section,
            "response_headers_policy",
            &declared.response_headers_policies,
            &response_headers_policy::MANAGED,
        ),
        compress: section.boolean("compress").unwrap_or(cache.profile != Profile::StrictRfc),
        websocket: section.boolean("websocket").unwrap_or(false),
        grpc: section.boolean("grpc").unwrap_or(false),
        cache_options: section
            .choice("cached_methods", &[("get-head", false), ("get-head-options", true)], &[])
            .unwrap_or(false),
        has_ttl: own.is_some_and(|own| own.value("ttl").is_some()),
        cache,
        methods: methods(&section).unwrap_or(usual),
        viewer_protocol_policy: protocol_policy(&section),
        viewer_request,
        viewer_response,
        origin_request,
        origin_response,
        admission: access::read(&section, &declared.gates),
        include_body,
        countries: countries(&section, declared.geo),
        shadow: shadow(&section, &declared.origins),
        shadow_percent: section.count("shadow_percent", 0..=100).unwrap_or(100),
        line: section.cx.line(section.span.start),
    };
    let complete = pattern.is_some() && hosts.is_some() && origin.is_some();
    let path = path.filter(|_| pattern.is_some());
    Draft { section, path, hosts, behavior: complete.then_some(behavior) }
}

/// Calls need a server to go to, the method that they are made with, and functions that do without their messages.
pub(crate) fn check_calls<'t>(drafts: &[Draft<'_>], target: impl Fn(&str) -> Option<&'t OriginTarget>) {
    for Draft { section, behavior, .. } in drafts {
        let Some(behavior) = behavior.as_ref().filter(|behavior| behavior.grpc) else { continue };
        let Some(key) = section.value("grpc") else { continue };
        let report = |message: &str, label: &str, help: &str| {
            let problem = Problem::new(Code::Conflict, key.key_span.clone(), message.to_owned());
            section.cx.report(problem.label(label.to_owned()).help(help.to_owned()));
        };
        let IncludeBody { viewer_request, origin_request } = behavior.include_body;
        if viewer_request || origin_request {
            let label = "the body of a call is a stream, which no function can be given";
            report("`grpc` and `include_body` exclude each other", label, "remove one of them");
        }
        if matches!(&behavior.methods, Methods::List(methods) if !methods.iter().any(|method| method == "POST")) {
            report("`grpc` without the method POST", "calls are POST requests", "methods = \"all\"");
        }
        match target(&behavior.origin) {
            Some(OriginTarget::Url(url)) if url.scheme == Scheme::Http => {
                let shown = format!("behavior \"{}\"", behavior.path);
                section.cx.extends(Code::CleartextCalls, key.key_span.clone(), &shown);
            }
            Some(OriginTarget::Dir(_) | OriginTarget::Echo) => {
                let label = format!("{} is no server", behavior.origin);
                report("`grpc` needs an origin with a `url`", &label, "name an origin that has one, or remove `grpc`");
            }
            Some(OriginTarget::Url(_)) | None => {}
        }
    }
}

fn hosts(section: &Section<'_>, served: &[String]) -> Option<Vec<String>> {
    let Some(value) = section.value("host") else { return Some(Vec::new()) };
    let items = if value.is_list() { value.list("a name or a list of names")? } else { vec![value.clone()] };
    if items.is_empty() {
        value.report(Code::BadValue, "`host` must name a host", "an empty list; without `host` all hosts are meant");
    }
    let mut hosts = Vec::new();
    for item in &items {
        let Some(text) = item.text() else { continue };
        let Some(host) = text.parsed(section.cx, address::host_pattern) else { continue };
        if !served.is_empty() && !served.iter().any(|outer| address::host_covers(outer, &host)) && !text.placeholder {
            section.cx.report(
                Problem::new(Code::UnknownName, item.span.clone(), "behavior refers to a host that is not served")
                    .label("not in `hosts` of [server]")
                    .help(crate::suggest::help(&host, &served.iter().map(String::as_str).collect::<Vec<_>>(), "hosts")),
            );
        }
        hosts.push(host);
    }
    (!hosts.is_empty()).then_some(hosts)
}

fn origin(section: &Section<'_>, declared: &[&str]) -> Option<String> {
    let help = declared.first().map_or("add an [origin.NAME] first".to_owned(), |name| format!("origin = \"{name}\""));
    let text = section.required("origin", &help)?.text()?;
    section.cx.refers(&text, "origin", "behavior", declared).then_some(text.value)
}

fn countries(section: &Section<'_>, known: &Geo) -> Option<Countries> {
    let written = section.value("geo")?;
    geo::needs_database(known, &written);
    let lists = written.section(Table::BehaviorGeo)?;
    match (lists.value("allow"), lists.value("deny")) {
        (Some(_), None) => geo::countries(&lists, "allow").map(Countries::Allow),
        (None, Some(_)) => geo::countries(&lists, "deny").map(Countries::Deny),
        (both, _) => {
            let label = if both.is_some() { "both are written" } else { "neither is written" };
            let problem =
                Problem::new(Code::Conflict, written.key_span.clone(), "`geo` takes one of `allow` and `deny`");
            section.cx.report(problem.label(label).help("geo = { deny = [\"FR\"] }"));
            None
        }
    }
}

/// Copies to the origin that is asked anyway would double its load, for nothing.
fn shadow(section: &Section<'_>, declared: &[&str]) -> Option<String> {
    let Some(text) = section.text("shadow") else {
        if let Some(share) = section.value("shadow_percent") {
            let problem = Problem::new(Code::Conflict, share.key_span, "`shadow_percent` without `shadow`");
            section.cx.report(problem.label("nothing is copied").help("shadow = \"NAME\" names the origin"));
        }
        return None;
    };
    let known = section.cx.refers(&text, "origin", "behavior", declared);
    if known && section.text("origin").is_some_and(|origin| origin.value == text.value) {
        let problem = Problem::new(Code::Conflict, text.span.clone(), "`shadow` is the behavior's own origin");
        section.cx.report(problem.label("gets every request already"));
        return None;
    }
    known.then_some(text.value)
}

/// The name of a policy, its own or a managed one, which may also be given by CloudFront's id.
fn policy(section: &Section<'_>, key: &'static str, own: &[&str], managed: &[(&str, &str)]) -> Option<String> {
    let text = section.text(key)?;
    if let Some((name, _)) = managed.iter().find(|(_, id)| *id == text.value) {
        return Some((*name).to_owned());
    }
    let declared: Vec<&str> = own.iter().copied().chain(managed.iter().map(|(name, _)| *name)).collect();
    section.cx.refers(&text, key, "behavior", &declared).then_some(text.value)
}

/// What goes on besides the key says nothing where no key is chosen (http-cache.md 6.2).
fn origin_request_policy(section: &Section<'_>, own: &[&str]) -> Option<String> {
    let key = "origin_request_policy";
    let name = policy(section, key, own, &origin_request_policy::MANAGED)?;
    if section.value("cache_policy").is_none() {
        let place = section.value(key).map_or_else(|| section.span.clone(), |value| value.key_span);
        section.cx.report(
            Problem::new(Code::Conflict, place, "`origin_request_policy` needs a `cache_policy`")
                .label("no `cache_policy` beside it")
                .help("add one; cache_policy = \"CachingDisabled\" caches nothing"),
        );
    }
    Some(name)
}

fn listed(methods: &[&str]) -> Methods {
    Methods::List(methods.iter().map(|method| (*method).to_owned()).collect())
}

fn methods(section: &Section<'_>) -> Option<Methods> {
    let value = section.value("methods")?;
    if value.is_text() {
        let sets: [(&str, &[&str]); 4] = [
            ("get-head", &ALL_METHODS[..2]),
            ("get-head-options", &ALL_METHODS[..3]),
            ("all", &ALL_METHODS),
            ("any", &[]),
        ];
        let set = value.text()?.choice(section.cx, &sets, &[])?;
        return Some(if set.is_empty() { Methods::Any } else { listed(set) });
    }
    let items = value.list("\"get-head\", \"get-head-options\", \"all\", \"any\" or a list of methods")?;
    if items.is_empty() {
        value.report(Code::BadValue, "`methods` must name a method", "nothing would be served");
    }
    let mut methods: Vec<String> = Vec::new();
    for item in &items {
        let Some(method) = item.text().and_then(|text| text.parsed(section.cx, method)) else { continue };
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    Some(Methods::List(methods))
}

/// Methods are case-sensitive (RFC 9110 s9.1), so a lower-case one is a mistake and not converted.
fn method(text: &str) -> Result<String, String> {
    if text == "CONNECT" {
        return Err("CONNECT is never served".to_owned());
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'-' || b == b'_') {
        Ok(text.to_owned())
    } else {
        Err("a method in capital letters, such as \"GET\"".to_owned())
    }
}

fn protocol_policy(section: &Section<'_>) -> ViewerProtocolPolicy {
    let words = [
        ("allow-all", ViewerProtocolPolicy::AllowAll),
        ("redirect-to-https", ViewerProtocolPolicy::RedirectToHttps),
        ("https-only", ViewerProtocolPolicy::HttpsOnly),
    ];
    section.choice("viewer_protocol_policy", &words, &[]).unwrap_or(ViewerProtocolPolicy::AllowAll)
}

pub(crate) const HOOKS: [&str; 4] = ["viewer_request", "viewer_response", "origin_request", "origin_response"];

fn hooks(section: &Section<'_>, functions: &[(&str, Option<Family>)]) -> ([Option<String>; 4], IncludeBody) {
    let (mut viewer_families, mut include_body) = (Vec::new(), IncludeBody::default());
    let names = HOOKS.map(|hook| {
        let value = section.value(hook)?;
        let (text, body_key) = function_name(&value)?;
        let declared: Vec<&str> = functions.iter().map(|(name, _)| *name).collect();
        if !section.cx.refers(&text, "function", "behavior", &declared) {
            return None;
        }
        let family = functions.iter().find(|(name, _)| *name == text.value).and_then(|(_, family)| *family);
        if family == Some(Family::Viewer) && hook.starts_with("origin") {
            report_wrong_hook(section, hook, &text, functions);
            return None;
        }
        if hook.starts_with("viewer") {
            viewer_families.extend(family.map(|family| (family, text.span.clone())));
        }
        if body_key.is_some_and(|key| includes_body(&key, hook, family)) {
            match hook {
                "viewer_request" => include_body.viewer_request = true,
                _ => include_body.origin_request = true,
            }
        }
        Some(text.value)
    });
    if let [(first, _), (second, span)] = &viewer_families[..]
        && first != second
    {
        let message = "the two viewer hooks have functions of different families";
        section.cx.report(
            Problem::new(Code::MixedFamilies, span.clone(), message)
                .label(format!("{}, but viewer_request is {}", second.as_str(), first.as_str()))
                .help("works here; CloudFront forbids it"),
        );
    }
    (names, include_body)
}

/// A hook's value: the name, or a table with the name and perhaps `include_body`.
fn function_name<'c>(value: &Value<'c>) -> Option<(Text, Option<Value<'c>>)> {
    if value.is_text() {
        return Some((value.text()?, None));
    }
    let hook = value.section(Table::Hook)?;
    Some((hook.required("function", "function = \"NAME\"")?.text()?, hook.value("include_body")))
}

/// Whether a hook's `include_body` asks for the body, which only a Lambda function at a request hook can have.
fn includes_body(key: &Value<'_>, hook: &str, family: Option<Family>) -> bool {
    if key.boolean() != Some(true) {
        return false;
    }
    let (message, label) = if hook.ends_with("response") {
        ("`include_body` is for request hooks", format!("{hook} never sees a request's body"))
    } else if family == Some(Family::Viewer) {
        ("`include_body` is for Lambda functions", "a CloudFront function sees no body".to_owned())
    } else {
        return true;
    };
    let problem = Problem::new(Code::Conflict, key.key_span.clone(), message);
    key.cx.report(problem.label(label).help("remove it"));
    false
}

pub(crate) fn report_wrong_hook(section: &Section<'_>, hook: &str, text: &Text, functions: &[(&str, Option<Family>)]) {
    let fitting: Vec<&str> =
        functions.iter().filter(|(_, family)| *family == Some(Family::Lambda)).map(|(name, _)| *name).collect();
    let list = if fitting.is_empty() { "none".to_owned() } else { fitting.join(", ") };
    section.cx.report(
        Problem::new(Code::WrongHook, text.span.clone(), format!("a CloudFront function cannot run at {hook}"))
            .label("runs at viewer_request and viewer_response only")
            .help(format!("origin hooks take runtime \"nodejs\" or \"python\"   such functions: {list}")),
    );
}
