//! `[cache]`, `[behavior.cache]` and the three kinds of policies.

use super::node::{Node, Table, list, path, size};
use super::word;
use crate::{
    AgePenalty, CachePolicy, CacheRules, CacheSettings, Config, Cors, Encoding, OriginRequestPolicy, Profile,
    ResponseHeadersPolicy, Selection, SetCookie, Ttl, cache_policy, cache_rules, origin_request_policy,
    response_headers_policy,
};
use std::time::Duration;

fn ttl(ttl: Ttl) -> Table {
    Table::default().with("min", ttl.min).with("default", ttl.default).with("max", ttl.max)
}

pub(super) fn node(cache: &CacheSettings) -> Table {
    let disk = |disk: &crate::Disk| Table::default().with("path", path(&disk.path)).with("size", size(disk.size));
    let mut rules = rules(&cache.rules).with("ttl", ttl(cache.rules.ttl));
    rules.put("memory", size(cache.memory));
    rules.put("disk", cache.disk.as_ref().map(disk));
    rules.with("max_object", size(cache.max_object)).with("keep", cache.keep)
}

/// All but `ttl`, which means something else where it is not written.
pub(super) fn rules(rules: &CacheRules) -> Table {
    let off = |time: Option<Duration>| time.map_or(Node::from("off"), Node::from);
    let stale = |time: Duration| off((!time.is_zero()).then_some(time));
    let targeted = rules.targeted.iter().map(|it| {
        Node::Table(Table::default().with("field", &it.field).with("to_viewers", word(it.strip, "strip", "forward")))
    });
    Table::default()
        .with("profile", word(rules.profile == Profile::StrictRfc, "strict-rfc", "default"))
        .with("max_object", rules.max_object.map(size))
        .with("admit_after", rules.admit_after.map_or(Node::from("off"), size))
        .with("keep", rules.keep)
        .with("heuristics", rules.heuristics)
        .with("error_caching", word(has_declared(rules), "cloudfront", "edgehook"))
        .with("error_ttl", error_ttl(rules))
        .with("poison_guard", rules.poison_guard)
        .with("stale_if_unreachable", stale(rules.stale_if_unreachable))
        .with("stale_on_5xx", stale(rules.stale_on_5xx))
        .with("stale_soft_deadline", off(rules.stale_soft_deadline))
        .with("stale_retry", rules.stale_retry)
        .with("request_directives", word(rules.honour_requests, "honour", "ignore"))
        .with(
            "set_cookie",
            match rules.set_cookie {
                SetCookie::Auto => "auto",
                SetCookie::Strip => "strip",
                SetCookie::Store => "store",
                SetCookie::Bypass => "bypass",
            },
        )
        .with("close_delimited", word(rules.store_close_delimited, "store", "pass"))
        .with("targeted", Node::List(targeted.collect()))
        .with("post_reuse", rules.post_reuse)
        .with("head_fill", rules.head_fill)
        .with("fat_get", word(rules.strip_bodies, "strip", "reject"))
        .with("vary_language", word(rules.normalise_language, "normalised", "syntax"))
        .with(
            "age_penalty",
            match rules.age_penalty {
                AgePenalty::Off => "off",
                AgePenalty::DropAge => "drop-age",
                AgePenalty::RewriteDate => "rewrite-date",
            },
        )
        .with("cache_groups", rules.cache_groups)
        .with("no_vary_search", rules.no_vary_search)
        .with("cloudfront_min_ttl", rules.cloudfront_min_ttl)
        .with("tag_fields", word(rules.forward_tags, "forward", "strip"))
        .with("forward", word(rules.forward_all, "all", "policy"))
        .with("rewrite", word(rules.host_path_only, "host-path", "full"))
        .with("reject_encoded_delimiters", rules.reject_encoded_delimiters)
        .with("deception_armor", rules.deception_armor)
}

/// What stays how long, and what of the table that `error_caching` names does not.
fn error_ttl(rules: &CacheRules) -> Table {
    let mut table = Table::default();
    for entry in rules.error_ttl.iter().filter(|entry| !entry.only_declared) {
        table.put(&entry.status.to_string(), entry.ttl);
    }
    let named =
        if has_declared(rules) { cache_rules::cloudfront_errors() } else { CacheRules::of(rules.profile).error_ttl };
    for entry in named {
        if !rules.error_ttl.iter().any(|other| other.status == entry.status) {
            table.put(&entry.status.to_string(), Duration::ZERO);
        }
    }
    table
}

/// Only the table called `cloudfront` has such.
fn has_declared(rules: &CacheRules) -> bool {
    rules.error_ttl.iter().any(|entry| entry.only_declared)
}

/// `[cache_policy.NAME]`, `[origin_request_policy.NAME]` and `[response_headers_policy.NAME]` of the file.
pub(super) fn policies(root: &mut Table, config: &Config) {
    let own = |managed: &[(&str, &str)], name: &str| !managed.iter().any(|(known, _)| *known == name);
    let policies = config.cache_policies.values().filter(|it| own(&cache_policy::MANAGED, &it.name));
    root.named("cache_policy", policies.map(|it| (&it.name, cache_policy(it))));
    let policies = config.origin_request_policies.values().filter(|it| own(&origin_request_policy::MANAGED, &it.name));
    root.named("origin_request_policy", policies.map(|it| (&it.name, origin_request_policy(it))));
    let policies =
        config.response_headers_policies.values().filter(|it| own(&response_headers_policy::MANAGED, &it.name));
    root.named("response_headers_policy", policies.map(|it| (&it.name, response_headers_policy(it))));
}

fn selection(selection: &Selection) -> Node {
    match selection {
        Selection::None => Node::from("none"),
        Selection::All => Node::from("all"),
        Selection::Include(names) => Table::default().with("include", names).into(),
        Selection::Exclude(names) => Table::default().with("exclude", names).into(),
    }
}

fn cache_policy(policy: &CachePolicy) -> Table {
    let normalize = &policy.normalize;
    let words = [("sort", normalize.sort), ("dedupe", normalize.dedupe), ("strip-tracking", normalize.strip_tracking)];
    let words: Vec<String> = words.iter().filter(|(_, on)| *on).map(|(word, _)| (*word).to_owned()).collect();
    let query = match (&policy.query, words.is_empty()) {
        (Selection::All, false) => Table::default().with("all", true).with("normalize", &words).into(),
        (Selection::Include(names), false) => Table::default().with("include", names).with("normalize", &words).into(),
        (Selection::Exclude(names), false) => Table::default().with("exclude", names).with("normalize", &words).into(),
        (query, _) => selection(query),
    };
    let headers = match (&policy.headers, normalize.best_match.is_empty()) {
        (Selection::Include(names), false) => {
            let mut matches = Table::default();
            normalize.best_match.iter().for_each(|(name, values)| matches.put(name, values));
            Table::default().with("include", names).with("normalize", matches).into()
        }
        (headers, _) => selection(headers),
    };
    let encodings = normalize.encodings.iter().map(|encoding| match encoding {
        Encoding::Brotli => "br",
        Encoding::Gzip => "gzip",
        Encoding::Zstd => "zstd",
    });
    Table::default()
        .with("ttl", policy.has_ttl.then(|| ttl(policy.ttl)))
        .with("query", query)
        .with("headers", headers)
        .with("cookies", selection(&policy.cookies))
        .with("encodings", list(encodings))
        .with("tags", policy.tags.as_ref())
        .with("signed_names", &normalize.signed_names)
}

fn origin_request_policy(policy: &OriginRequestPolicy) -> Table {
    let (headers, edge) = (&policy.headers, &policy.edge_headers);
    let headers = match (headers, edge.is_empty()) {
        (Selection::All, true) => Node::from("viewer"),
        (Selection::All, false) => Table::default().with("viewer_and", edge).into(),
        (Selection::None, false) => Table::default().with("include", edge).into(),
        (Selection::Include(names), _) => Table::default().with("include", list(names.iter().chain(edge))).into(),
        (headers, _) => selection(headers),
    };
    Table::default()
        .with("headers", headers)
        .with("query", selection(&policy.query))
        .with("cookies", selection(&policy.cookies))
}

fn response_headers_policy(policy: &ResponseHeadersPolicy) -> Table {
    let mut set = Table::default();
    for header in &policy.set {
        set.put(&header.name, Table::default().with("value", &header.value).with("override", header.overrides));
    }
    let mut table = Table::default().with("remove", &policy.remove).with("cors", policy.cors.as_ref().map(cors));
    table.filled("custom", set);
    table.with("server_timing", policy.server_timing)
}

fn cors(cors: &Cors) -> Table {
    Table::default()
        .with("allow_origins", &cors.allow_origins)
        .with("allow_credentials", cors.allow_credentials)
        .with("allow_headers", &cors.allow_headers)
        .with("allow_methods", &cors.allow_methods)
        .with("expose_headers", &cors.expose_headers)
        .with("max_age", cors.max_age)
        .with("override", cors.overrides)
}
