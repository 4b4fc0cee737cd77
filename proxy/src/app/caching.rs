//! From the configuration's words about caching to the cache's own types.

use super::site::SiteError;
use crate::{
    cache::{
        AgePenalty, CachePolicy, Coding, ErrorTtl, Normalise, Rules, Selection, SetCookie, TagRules, Targeted, Ttl,
        VaryLanguage,
    },
    response_headers::{AllowedOrigin, Cors, ResponseHeaders, SetField},
    site::RequestPolicy,
};
use edgehook_config::{self as config, Config};
use http::{HeaderName, HeaderValue, StatusCode};
use std::{sync::Arc, time::Duration};

/// How a behavior caches. One without a policy caches only what the origin declares, keyed by all query parameters
/// (design.md 8).
pub(super) fn policy(behavior: &config::Behavior, config: &Config) -> Result<CachePolicy, SiteError> {
    let own_ttl =
        || Ttl { min: behavior.cache.ttl.min, default: behavior.cache.ttl.default, max: behavior.cache.ttl.max };
    let mut rules = Rules { cache_options: behavior.cache_options, ..rules(&behavior.cache) };
    error_times(&mut rules.errors, &config.error_responses);
    let rules = Arc::new(rules);
    let written = behavior.cache_policy.as_ref().and_then(|name| config.cache_policies.get(name));
    let normalise = match written {
        _ if behavior.cache.host_path_only => Arc::default(),
        Some(policy) => Arc::new(normalise(&policy.normalize)),
        None => Arc::new(normalise(&config::Normalize::usual())),
    };
    let Some(name) = &behavior.cache_policy else {
        let max = behavior.cache.ttl.max.max(Duration::from_secs(1));
        let declared = Ttl { min: Duration::ZERO, default: Duration::ZERO, max };
        let ttl = if behavior.has_ttl { own_ttl() } else { declared };
        let (headers, cookies) = (Selection::None, Selection::None);
        let tags = tags(behavior, None);
        return Ok(CachePolicy { ttl, query: Selection::All, headers, cookies, tags, normalise, rules });
    };
    let policy = written.ok_or_else(|| SiteError::Missing(format!("cache policy \"{name}\"")))?;
    let ttl = if policy.has_ttl {
        Ttl { min: policy.ttl.min, default: policy.ttl.default, max: policy.ttl.max }
    } else {
        own_ttl()
    };
    let (query, headers) = (selection(&policy.query), selection(&policy.headers));
    let tags = tags(behavior, tag_field(policy)?);
    Ok(CachePolicy { ttl, query, headers, cookies: selection(&policy.cookies), tags, normalise, rules })
}

/// What `[[custom_error_response]]` says about an error counts for all behaviors.
fn error_times(errors: &mut Vec<ErrorTtl>, written: &[config::ErrorResponse]) {
    for (code, ttl) in written.iter().filter_map(|error| Some((error.code, error.ttl?))) {
        errors.retain(|known| known.status.as_u16() != code);
        let status = StatusCode::from_u16(code).ok().filter(|_| !ttl.is_zero());
        errors.extend(status.map(|status| ErrorTtl { status, ttl, only_declared: false }));
    }
}

fn tags(behavior: &config::Behavior, field: Option<HeaderName>) -> TagRules {
    TagRules { field, forward: behavior.cache.forward_tags, groups: behavior.cache.cache_groups }
}

fn tag_field(policy: &config::CachePolicy) -> Result<Option<HeaderName>, SiteError> {
    let unusable = |_| SiteError::Header("tags".to_owned());
    policy.tags.as_deref().map(|name| HeaderName::try_from(name).map_err(unusable)).transpose()
}

fn rules(written: &config::CacheRules) -> Rules {
    let error = |error: &config::ErrorTtl| {
        let status = StatusCode::from_u16(error.status).ok()?;
        Some(ErrorTtl { status, ttl: error.ttl, only_declared: error.only_declared })
    };
    let targeted = |targeted: &config::Targeted| {
        Some(Targeted { field: HeaderName::try_from(&targeted.field).ok()?, strip: targeted.strip })
    };
    Rules {
        heuristics: written.heuristics,
        errors: written.error_ttl.iter().filter_map(error).collect(),
        poison_guard: written.poison_guard,
        stale_if_unreachable: written.stale_if_unreachable,
        stale_on_5xx: written.stale_on_5xx,
        stale_soft_deadline: written.stale_soft_deadline,
        stale_retry: written.stale_retry,
        honour_requests: written.honour_requests,
        set_cookie: match written.set_cookie {
            config::SetCookie::Auto => SetCookie::Auto,
            config::SetCookie::Strip => SetCookie::Strip,
            config::SetCookie::Store => SetCookie::Store,
            config::SetCookie::Bypass => SetCookie::Bypass,
        },
        store_close_delimited: written.store_close_delimited,
        targeted: written.targeted.iter().filter_map(targeted).collect(),
        post_reuse: written.post_reuse,
        head_fill: written.head_fill,
        admit_after: written.admit_after,
        vary_language: if written.normalise_language { VaryLanguage::Normalised } else { VaryLanguage::Syntax },
        age_penalty: match written.age_penalty {
            config::AgePenalty::Off => AgePenalty::Off,
            config::AgePenalty::DropAge => AgePenalty::DropAge,
            config::AgePenalty::RewriteDate => AgePenalty::RewriteDate,
        },
        min_ttl_wins: written.cloudfront_min_ttl,
        forward_all: written.forward_all,
        no_vary_search: written.no_vary_search,
        deception_armor: written.deception_armor,
        max_object: written.max_object,
        keep: written.keep,
        ..Rules::default()
    }
}

fn normalise(written: &config::Normalize) -> Normalise {
    let coding = |encoding: &config::Encoding| match encoding {
        config::Encoding::Brotli => Coding::Brotli,
        config::Encoding::Gzip => Coding::Gzip,
        config::Encoding::Zstd => Coding::Zstd,
    };
    let best_match = |(name, values): &(String, Vec<String>)| {
        let values = values.iter().filter_map(|value| HeaderValue::from_str(value).ok()).collect();
        Some((HeaderName::try_from(name).ok()?, values))
    };
    Normalise {
        sort: written.sort,
        dedupe: written.dedupe,
        strip_tracking: written.strip_tracking,
        signed_names: written.signed_names.clone(),
        codings: written.encodings.iter().map(coding).collect(),
        best_match: written.best_match.iter().filter_map(best_match).collect(),
    }
}

/// What goes on besides the key.
pub(super) fn request_policy(behavior: &config::Behavior, config: &Config) -> Option<RequestPolicy> {
    let policy = config.origin_request_policies.get(behavior.origin_request_policy.as_ref()?)?;
    Some(RequestPolicy {
        headers: selection(&policy.headers),
        edge_headers: policy.edge_headers.clone(),
        query: selection(&policy.query),
        cookies: selection(&policy.cookies),
    })
}

/// What is changed about answers.
pub(super) fn response_headers(
    behavior: &config::Behavior,
    config: &Config,
) -> Result<Option<ResponseHeaders>, SiteError> {
    let Some(name) = &behavior.response_headers_policy else { return Ok(None) };
    let policy = config.response_headers_policies.get(name);
    let policy = policy.ok_or_else(|| SiteError::Missing(format!("response headers policy \"{name}\"")))?;
    let unusable = |what: &str| SiteError::Header(format!("[response_headers_policy.{name}] {what}"));
    let field = |text: &String| HeaderName::try_from(text).map_err(|_| unusable(text));
    let list = |items: &[String]| -> Result<Option<HeaderValue>, SiteError> {
        let value = HeaderValue::from_str(&items.join(", ")).map_err(|_| unusable("cors"))?;
        Ok((!items.is_empty()).then_some(value))
    };
    let cors = |cors: &config::Cors| -> Result<Cors, SiteError> {
        Ok(Cors {
            origins: cors.allow_origins.iter().map(|text| AllowedOrigin::new(text)).collect(),
            credentials: cors.allow_credentials,
            headers: list(&cors.allow_headers)?,
            methods: list(&cors.allow_methods)?,
            expose: list(&cors.expose_headers)?,
            max_age: cors.max_age.map(|time| time.as_secs()),
            overrides: cors.overrides,
        })
    };
    let set = |set: &config::SetHeader| -> Result<SetField, SiteError> {
        let value = HeaderValue::from_str(&set.value).map_err(|_| unusable(&set.name))?;
        Ok(SetField { name: field(&set.name)?, value, overrides: set.overrides })
    };
    Ok(Some(ResponseHeaders {
        remove: policy.remove.iter().map(field).collect::<Result<_, _>>()?,
        cors: policy.cors.as_ref().map(cors).transpose()?,
        set: policy.set.iter().map(set).collect::<Result<_, _>>()?,
        server_timing: policy.server_timing,
    }))
}

fn selection(selection: &config::Selection) -> Selection {
    match selection {
        config::Selection::None => Selection::None,
        config::Selection::All => Selection::All,
        config::Selection::Include(names) => Selection::Include(names.clone()),
        config::Selection::Exclude(names) => Selection::Exclude(names.clone()),
    }
}
