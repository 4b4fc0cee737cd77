//! The file as a whole: syntax, TOML or JSON, then every table in an order in which names are known before they are used.

use std::ops::Range;
use std::path::Path;

use indexmap::IndexMap;
use toml::de::DeTable;

use crate::access::Gates;
use crate::behavior::{self, Behavior, Declared};
use crate::cache_policy::{self, CachePolicy, Selection};
use crate::context::Context;
use crate::diagnostic::{Code, Diagnostics, Problem};
use crate::error_response::ErrorResponse;
use crate::experiment::Experiment;
use crate::function::Function;
use crate::geo::Geo;
use crate::json::{self, Flaw};
use crate::keys::{Family, Table};
use crate::origin_request_policy::OriginRequestPolicy;
use crate::section::{Section, Value};
use crate::{
    Config, Dev, Loaded, access_log, admin, authorizer, cache, debug, error_response, experiment, function, geo,
    key_group, kvs, lambda, limits, origin, origin_group, origin_request_policy, response_headers_policy, routing,
    server, trace,
};

/// Checks a file and sorts the outcome.
pub(crate) fn check(cx: &Context<'_>) -> Result<Loaded, Diagnostics> {
    let (document, sound) = syntax(cx);
    let config = sound.then(|| tables(cx, &document)).flatten();
    let (found, extensions) = cx.take_diagnostics();
    match config {
        Some(config) if found.error_count() == 0 => {
            Ok(Loaded { config, warnings: found, extensions, references: cx.take_references() })
        }
        _ => Err(found),
    }
}

/// Parses the text. False when it is broken in a way that would make its values meaningless; a key written twice is not.
fn syntax<'c>(cx: &Context<'c>) -> (DeTable<'c>, bool) {
    if is_json(cx.name) { json_syntax(cx) } else { toml_syntax(cx) }
}

/// Whether a file of this name is JSON, with or without comments, and not TOML.
pub(crate) fn is_json(name: &str) -> bool {
    let kind = Path::new(name).extension().and_then(|kind| kind.to_str());
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("json") || kind.eq_ignore_ascii_case("jsonc"))
}

fn json_syntax<'c>(cx: &Context<'c>) -> (DeTable<'c>, bool) {
    let (document, flaws) = json::parse(cx.source);
    let mut sound = true;
    for (span, flaw) in flaws {
        cx.report(match flaw {
            Flaw::Twice(name) => written_twice(&name, span),
            Flaw::Null => Problem::new(Code::WrongType, span, "no key takes `null`").help("leave the key out"),
            Flaw::Syntax(reason) => {
                sound = false;
                Problem::new(Code::Syntax, span, "not valid JSON").label(reason)
            }
        });
    }
    (document, sound)
}

fn written_twice(name: &str, span: Range<usize>) -> Problem {
    Problem::new(Code::DuplicateKey, span, format!("`{}` is written twice", name.escape_debug()))
        .label("stands above already")
        .help("keep one of them")
}

fn toml_syntax<'c>(cx: &Context<'c>) -> (DeTable<'c>, bool) {
    let (document, errors) = DeTable::parse_recoverable(cx.source);
    let mut sound = true;
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let message = error.message();
        if message.starts_with("duplicate key") {
            let name = cx.source.get(span.clone()).unwrap_or_default().trim();
            cx.report(written_twice(name, span.clone()));
        } else {
            sound = false;
            cx.report(Problem::new(Code::Syntax, span, "not valid TOML").label(message));
        }
    }
    (document.into_inner(), sound)
}

#[allow(clippy::too_many_lines, reason = "one thought: every table in the order in which names become known")]
fn tables(cx: &Context<'_>, document: &DeTable<'_>) -> Option<Config> {
    let empty = DeTable::new();
    let root = Section::open(cx, Table::File, "the top level", 0..0, document);
    root.count::<u32>("version", 1..=1);
    let section = |key, table: Table| single(&root, key, table, &empty);

    let server = server::read(&section("server", Table::Server));
    let limits = limits::read(&section("limits", Table::Limits));
    let admin = admin::read(&section("admin", Table::Admin));
    let trace = trace::read(&section("trace", Table::Trace));
    let debug = root.value("debug").is_some().then(|| section("debug", Table::Debug));
    let debug = debug.and_then(|section| debug::read(&section));
    let access_log = root.value("access_log").is_some().then(|| section("access_log", Table::AccessLog));
    let access_log = access_log.and_then(|section| access_log::read(&section));
    let cache = cache::read(&section("cache", Table::Cache));
    let geo = geo::read(&section("geo", Table::Geo));

    let sections = named(&root, "origin", Table::Origin);
    let origins = collect(&sections, |name, section| origin::read(name, section, cache.rules.profile));
    let origin_names = names(&sections);
    let known: Vec<&str> = origin_names.iter().map(String::as_str).collect();
    let sections = named(&root, "origin_group", Table::OriginGroup);
    let origin_groups = collect(&sections, |name, section| origin_group::read(name, section, &known));
    let group_names = names(&sections);
    let s3_endpoint = origin::s3_endpoint(&section("s3", Table::S3));

    let sections = named(&root, "cache_policy", Table::CachePolicy);
    let mut cache_policies = collect(&sections, |name, section| cache_policy::read(name, section, cache.rules.ttl));
    let policy_names = names(&sections);
    check_keyed(&geo, &sections, &cache_policies);

    let sections = named(&root, "origin_request_policy", Table::OriginRequestPolicy);
    let mut origin_request_policies = collect(&sections, origin_request_policy::read);
    let request_policy_names = names(&sections);
    let sections = named(&root, "response_headers_policy", Table::ResponseHeadersPolicy);
    let mut response_headers_policies = collect(&sections, response_headers_policy::read);
    let response_policy_names = names(&sections);

    let stores = named(&root, "kvs", Table::Kvs);
    let kvs = collect(&stores, kvs::read);
    let store_names = names(&stores);

    let sections = named(&root, "function", Table::Function);
    let (functions, families) = functions(&sections, &store_names);
    kvs::check_quotas(&stores, &sections, &functions);
    lambda::check_reserved(&sections, &functions, server.environments);

    let group_sections = named(&root, "key_group", Table::KeyGroup);
    let key_groups = collect(&group_sections, key_group::read);
    let authorizer_sections = named(&root, "authorizer", Table::Authorizer);
    let authorizers = collect(&authorizer_sections, authorizer::read);
    let places = |name: &str| authorizers.get(name).map_or(&[][..], |authorizer| &authorizer.token);

    let declared = Declared {
        geo: &geo,
        origins: known.clone(),
        targets: known.iter().copied().chain(group_names.iter().map(String::as_str)).collect(),
        cache_policies: policy_names.iter().map(String::as_str).collect(),
        origin_request_policies: request_policy_names.iter().map(String::as_str).collect(),
        response_headers_policies: response_policy_names.iter().map(String::as_str).collect(),
        functions: sections.iter().map(|(name, _)| name.as_str()).zip(families).collect(),
        hosts: &server.hosts,
        gates: Gates {
            authorizers: authorizer_sections.keys().map(|name| (name.as_str(), places(name))).collect(),
            key_groups: group_sections.keys().map(String::as_str).collect(),
        },
        cache: &cache.rules,
    };
    let drafts: Vec<_> =
        behavior_sections(&root)?.into_iter().map(|section| behavior::read(section, &declared)).collect();
    routing::check(cx, &drafts, &server.hosts, declared.origins.first().copied());
    behavior::check_calls(&drafts, |name| target(name, &origins, &origin_groups));
    let behaviors: Vec<_> = drafts.into_iter().filter_map(|draft| draft.behavior).collect();
    for behavior in &behaviors {
        add_managed(&mut cache_policies, behavior.cache_policy.as_deref(), cache_policy::managed);
        let named = behavior.origin_request_policy.as_deref();
        add_managed(&mut origin_request_policies, named, origin_request_policy::managed);
        let named = behavior.response_headers_policy.as_deref();
        add_managed(&mut response_headers_policies, named, response_headers_policy::managed);
    }
    if server.header_prefix != server::EDGE_PREFIX {
        rename_edge_headers(&server.header_prefix, &mut cache_policies, &mut origin_request_policies);
    }
    Some(Config {
        experiments: experiments(&root, &declared, &behaviors),
        dev: dev(&section("dev", Table::Dev), &declared.origins),
        error_responses: error_responses(&root),
        server,
        limits,
        admin,
        trace,
        debug,
        access_log,
        cache,
        geo,
        s3_endpoint,
        origins,
        cache_policies,
        origin_request_policies,
        response_headers_policies,
        functions,
        kvs,
        origin_groups,
        key_groups,
        authorizers,
        behaviors,
    })
}

/// The functions, and for each name its family, as far as it can be told.
fn functions(
    sections: &IndexMap<String, Section<'_>>,
    stores: &[String],
) -> (IndexMap<String, Function>, Vec<Option<Family>>) {
    let stores: Vec<&str> = stores.iter().map(String::as_str).collect();
    let mut families = Vec::new();
    let functions = collect(sections, |name, section| {
        let (family, function) = function::read(name, section, &stores);
        families.push(family);
        function
    });
    (functions, families)
}

fn experiments(root: &Section<'_>, declared: &Declared<'_>, behaviors: &[Behavior]) -> IndexMap<String, Experiment> {
    let sections = named(root, "experiment", Table::Experiment);
    let known = experiment::Declared { origins: &declared.targets, functions: &declared.functions, geo: declared.geo };
    let experiments = collect(&sections, |name, section| experiment::read(name, section, &known));
    experiment::check_cookies(&sections, &experiments);
    let any_token = behaviors.iter().any(|behavior| behavior.admission.authorizers.is_some());
    experiment::check_claims(&sections, &experiments, any_token);
    experiments
}

/// What an origin is, or the first of a group; none where that could not be read.
fn target<'t>(
    name: &str,
    origins: &'t IndexMap<String, origin::Origin>,
    groups: &IndexMap<String, origin_group::OriginGroup>,
) -> Option<&'t origin::OriginTarget> {
    let name = groups.get(name).map_or(name, |group| &group.primary);
    origins.get(name).map(|origin| &origin.target)
}

/// Checks the headers that cache policies put in the key.
fn check_keyed(geo: &Geo, sections: &IndexMap<String, Section<'_>>, policies: &IndexMap<String, CachePolicy>) {
    for (name, section) in sections {
        if let (Some(policy), Some(written)) = (policies.get(name), section.value("headers"))
            && let Selection::Include(names) = &policy.headers
        {
            geo::check_keyed(geo, names, &written);
        }
    }
}

/// Puts the configured prefix in the place of Amazon's in the names of the edge's own headers.
fn rename_edge_headers(
    prefix: &str,
    cache_policies: &mut IndexMap<String, CachePolicy>,
    request_policies: &mut IndexMap<String, OriginRequestPolicy>,
) {
    let rename = |name: &mut String| {
        if let Some(rest) = name.strip_prefix(server::EDGE_PREFIX) {
            *name = format!("{prefix}{rest}");
        }
    };
    for policy in cache_policies.values_mut() {
        if let Selection::Include(names) = &mut policy.headers {
            names.iter_mut().for_each(rename);
        }
    }
    for policy in request_policies.values_mut() {
        policy.edge_headers.iter_mut().for_each(rename);
    }
}

/// A table that stands once, or an empty one in its place so that its defaults are read the same way.
fn single<'c>(root: &Section<'c>, key: &'static str, table: Table, empty: &'c DeTable<'c>) -> Section<'c> {
    let written = root.value(key);
    let entries = written.as_ref().and_then(|value| value.table("a table"));
    let span = written.map_or(0..0, |value| value.key_span);
    Section::open(root.cx, table, table.as_str(), span, entries.unwrap_or(empty))
}

/// The tables under `[key.NAME]`, in file order. A bad name is reported, and the table is read all the same.
fn named<'c>(root: &Section<'c>, key: &'static str, table: Table) -> IndexMap<String, Section<'c>> {
    let map =
        root.value(key).and_then(|value: Value<'c>| value.map(&format!("a table of tables, written [{key}.NAME]")));
    let mut sections = IndexMap::new();
    for (name, value) in map.unwrap_or_default() {
        let Some(entries) = value.table(&format!("a table, written [{key}.NAME]")) else { continue };
        if let Err(label) = crate::address::word(&name) {
            let message = format!("`{}` cannot be a name", name.escape_debug());
            root.cx.report(Problem::new(Code::BadName, value.key_span.clone(), message).label(label));
        }
        let shown = format!("[{key}.{name}]");
        sections.insert(name, Section::open(root.cx, table, shown, value.key_span, entries));
    }
    sections
}

fn names(sections: &IndexMap<String, Section<'_>>) -> Vec<String> {
    sections.keys().cloned().collect()
}

fn collect<'c, T>(
    sections: &IndexMap<String, Section<'c>>,
    mut read: impl FnMut(&str, &Section<'c>) -> Option<T>,
) -> IndexMap<String, T> {
    sections.iter().filter_map(|(name, section)| Some((name.clone(), read(name, section)?))).collect()
}

fn error_responses(root: &Section<'_>) -> Vec<ErrorResponse> {
    const WANTED: &str = "a list of tables, written [[custom_error_response]]";
    let items = root.value("custom_error_response").and_then(|value| value.list(WANTED));
    let mut found = Vec::new();
    for item in items.unwrap_or_default() {
        let Some(entries) = item.table(WANTED) else { continue };
        let shown = Table::ErrorResponse.as_str();
        let section = Section::open(root.cx, Table::ErrorResponse, shown, item.span.clone(), entries);
        found.extend(error_response::read(&section, &found));
    }
    found
}

/// The sections of all behaviors; `None` when `behavior` is not a list of tables, which hides what is in it.
fn behavior_sections<'c>(root: &Section<'c>) -> Option<Vec<Section<'c>>> {
    let Some(value) = root.value("behavior") else { return Some(Vec::new()) };
    let mut sections = Vec::new();
    for item in value.list("a list of tables, written [[behavior]]")? {
        let entries = item.table("a list of tables, written [[behavior]]")?;
        sections.push(Section::open(root.cx, Table::Behavior, Table::Behavior.as_str(), item.span.clone(), entries));
    }
    Some(sections)
}

fn dev(section: &Section<'_>, origins: &[&str]) -> Dev {
    let map = section.value("origin").and_then(|value| value.map("a table of origins and their replacements"));
    let mut dev = Dev::default();
    for (name, value) in map.unwrap_or_default() {
        if !origins.contains(&name.as_str()) {
            let problem = Problem::new(Code::UnknownName, value.key_span.clone(), "[dev] refers to an unknown origin");
            let help = crate::suggest::help(&name, origins, "origins");
            section.cx.report(problem.label(format!("no [origin.{name}]")).help(help));
        }
        if let Some(target) = origin::replacement(&value) {
            dev.origins.insert(name, target);
        }
    }
    dev
}

/// Adds the managed policy of that name, if there is one and it is not there yet.
fn add_managed<P>(policies: &mut IndexMap<String, P>, used: Option<&str>, managed: impl Fn(&str) -> Option<P>) {
    if let Some((name, policy)) = used.and_then(|name| Some((name, managed(name)?))) {
        policies.entry(name.to_owned()).or_insert(policy);
    }
}
