//! `[[behavior]]`, `[experiment.NAME]` and `[[custom_error_response]]`.

use super::node::{Node, Table};
use super::{caching, guards, word};
use crate::{
    Assign, Behavior, CacheRules, CookieAttributes, Countries, ErrorResponse, Experiment, InCacheKey, Methods,
    SameSite, Scope, Variant, ViewerProtocolPolicy,
};

pub(super) fn error_response(response: &ErrorResponse) -> Table {
    Table::default()
        .with("code", response.code)
        .with("page", response.page.as_ref())
        .with("response_code", response.page.is_some().then_some(response.response_code))
        .with("ttl", response.ttl)
}

pub(super) fn behavior(behavior: &Behavior, around: &CacheRules) -> Table {
    let hook = |name: &Option<String>, body: bool| match name {
        Some(name) if body => Table::default().with("function", name).with("include_body", true).into(),
        name => Node::from(name.as_ref()),
    };
    let mut table = Table::default()
        .with("path", &behavior.path)
        .with("host", (!behavior.hosts.is_empty()).then_some(&behavior.hosts))
        .with("origin", &behavior.origin)
        .with("cache_policy", behavior.cache_policy.as_ref())
        .with("origin_request_policy", behavior.origin_request_policy.as_ref())
        .with("response_headers_policy", behavior.response_headers_policy.as_ref())
        .with(
            "methods",
            match &behavior.methods {
                Methods::Any => Node::from("any"),
                Methods::List(list) => list.into(),
            },
        )
        .with("cached_methods", word(behavior.cache_options, "get-head-options", "get-head"))
        .with(
            "viewer_protocol_policy",
            match behavior.viewer_protocol_policy {
                ViewerProtocolPolicy::AllowAll => "allow-all",
                ViewerProtocolPolicy::RedirectToHttps => "redirect-to-https",
                ViewerProtocolPolicy::HttpsOnly => "https-only",
            },
        )
        .with("compress", behavior.compress)
        .with("websocket", behavior.websocket)
        .with("grpc", behavior.grpc)
        .with("viewer_request", hook(&behavior.viewer_request, behavior.include_body.viewer_request))
        .with("viewer_response", behavior.viewer_response.as_ref())
        .with("origin_request", hook(&behavior.origin_request, behavior.include_body.origin_request))
        .with("origin_response", behavior.origin_response.as_ref())
        .with(
            "geo",
            behavior.countries.as_ref().map(|countries| match countries {
                Countries::Allow(list) => Table::default().with("allow", list),
                Countries::Deny(list) => Table::default().with("deny", list),
            }),
        )
        .with("shadow", behavior.shadow.as_ref())
        .with("shadow_percent", behavior.shadow.is_some().then_some(behavior.shadow_percent));
    table = guards::admission(table, &behavior.admission);
    if behavior.cache != *around {
        let rules = caching::rules(&behavior.cache);
        let ttl = behavior.cache.ttl;
        let ttl = || Table::default().with("min", ttl.min).with("default", ttl.default).with("max", ttl.max);
        table.put("cache", rules.with("ttl", behavior.has_ttl.then(ttl)));
    }
    table
}

pub(super) fn experiment(experiment: &Experiment) -> Table {
    let (assign, cookie) = match &experiment.assign {
        Assign::Cookie(name) => (format!("cookie:{name}"), Some(cookie(&experiment.cookie))),
        Assign::Header(name) => (format!("hash:header:{name}"), None),
        Assign::Claim(name) => (format!("hash:claim:{name}"), None),
        Assign::Address => ("hash:address".to_owned(), None),
    };
    let mut variants = Table::default();
    experiment.variants.iter().for_each(|(name, it)| variants.put(name, variant(it)));
    let mut force = Table::default();
    force.put("header", experiment.force_header.as_ref());
    force.put("query", experiment.force_query.as_ref());
    let mut table = Table::default()
        .with("assign", assign)
        .with(
            "in_cache_key",
            match experiment.in_cache_key {
                InCacheKey::Auto => Node::from("auto"),
                InCacheKey::Always => Node::from(true),
                InCacheKey::Never => Node::from(false),
            },
        )
        .with("fallback", &experiment.fallback)
        .with("match", scope(&experiment.scope))
        .with("cookie", cookie)
        .with("variants", variants);
    table.filled("force", force);
    table
}

fn scope(scope: &Scope) -> Table {
    let conditions = |conditions: &[(String, Vec<String>)]| {
        let mut table = Table::default();
        conditions.iter().for_each(|(name, values)| table.put(name, values));
        table
    };
    let mut table = Table::default().with("path", &scope.path);
    table.filled("header", conditions(&scope.headers));
    table.filled("cookie", conditions(&scope.cookies));
    table.with("country", (!scope.countries.is_empty()).then_some(&scope.countries))
}

fn cookie(cookie: &CookieAttributes) -> Table {
    Table::default()
        .with("max_age", cookie.max_age)
        .with(
            "same_site",
            match cookie.same_site {
                SameSite::Strict => "strict",
                SameSite::Lax => "lax",
                SameSite::None => "none",
            },
        )
        .with("secure", cookie.secure)
        .with("http_only", cookie.http_only)
        .with("path", &cookie.path)
        .with("domain", cookie.domain.as_ref())
}

fn variant(variant: &Variant) -> Table {
    let (mut headers, mut functions) = (Table::default(), Table::default());
    variant.headers.iter().for_each(|(name, value)| headers.put(name, value));
    functions.put("viewer_request", variant.viewer_request.as_ref());
    functions.put("viewer_response", variant.viewer_response.as_ref());
    functions.put("origin_request", variant.origin_request.as_ref());
    functions.put("origin_response", variant.origin_response.as_ref());
    let mut table = Table::default()
        .with("weight", variant.weight)
        .with("origin", variant.origin.as_ref())
        .with("path", variant.path.as_ref());
    table.filled("headers", headers);
    table.filled("functions", functions);
    table
}
