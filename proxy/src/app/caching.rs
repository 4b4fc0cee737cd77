//! From the configuration's words about caching to the cache's own types.

use super::site::SiteError;
use crate::cache::{
    AgePenalty, CachePolicy, ErrorTtl, Rules, Selection, SetCookie, TagRules, Targeted, Ttl, VaryLanguage,
};
use edgehook_config::{self as config, Config};
use http::{HeaderName, StatusCode};
use std::{sync::Arc, time::Duration};

/// How a behavior caches. One without a policy caches only what the origin declares, keyed by all query parameters
/// (design.md 8).
pub(super) fn policy(behavior: &config::Behavior, config: &Config) -> Result<CachePolicy, SiteError> {
    let own_ttl =
        || Ttl { min: behavior.cache.ttl.min, default: behavior.cache.ttl.default, max: behavior.cache.ttl.max };
    let rules = Arc::new(rules(&behavior.cache));
    let Some(name) = &behavior.cache_policy else {
        let max = behavior.cache.ttl.max.max(Duration::from_secs(1));
        let declared = Ttl { min: Duration::ZERO, default: Duration::ZERO, max };
        let ttl = if behavior.has_ttl { own_ttl() } else { declared };
        let (headers, cookies) = (Selection::None, Selection::None);
        let tags = TagRules { field: None, forward: config.cache.forward_tags };
        return Ok(CachePolicy { ttl, query: Selection::All, headers, cookies, tags, rules });
    };
    let policy = config.cache_policies.get(name);
    let policy = policy.ok_or_else(|| SiteError::Missing(format!("cache policy \"{name}\"")))?;
    let ttl = if policy.has_ttl {
        Ttl { min: policy.ttl.min, default: policy.ttl.default, max: policy.ttl.max }
    } else {
        own_ttl()
    };
    let (query, headers) = (selection(&policy.query), selection(&policy.headers));
    let tags = TagRules { field: tag_field(policy)?, forward: config.cache.forward_tags };
    Ok(CachePolicy { ttl, query, headers, cookies: selection(&policy.cookies), tags, rules })
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
        vary_language: if written.normalise_language { VaryLanguage::Normalised } else { VaryLanguage::Syntax },
        age_penalty: match written.age_penalty {
            config::AgePenalty::Off => AgePenalty::Off,
            config::AgePenalty::DropAge => AgePenalty::DropAge,
            config::AgePenalty::RewriteDate => AgePenalty::RewriteDate,
        },
        min_ttl_wins: written.cloudfront_min_ttl,
        forward_all: written.forward_all,
        cache_options: false,
        deception_armor: written.deception_armor,
        max_object: written.max_object,
        keep: written.keep,
    }
}

fn selection(selection: &config::Selection) -> Selection {
    match selection {
        config::Selection::None => Selection::None,
        config::Selection::All => Selection::All,
        config::Selection::Include(names) => Selection::Include(names.clone()),
        config::Selection::Exclude(names) => Selection::Exclude(names.clone()),
    }
}
