//! From the checked configuration of experiments to what serves them.

use super::site::{SiteError, attached, destination};
use crate::{
    experiment::{
        Assign, Attributes, Changes, Conditions, Definition, Experiment, PathRewrite, Scope, Tallies, Variant,
    },
    hooks::Function,
    routing::PathPattern,
    site::Destination,
};
use edgehook_config::{self as config, Config, InCacheKey, SameSite};
use http::{HeaderName, HeaderValue};
use std::{collections::HashMap, sync::Arc, time::SystemTime};

/// What a variant may refer to.
struct Known<'a> {
    destinations: &'a HashMap<&'a str, Destination>,
    functions: &'a HashMap<String, Arc<Function>>,
}

pub(super) fn build(
    config: &Config,
    destinations: &HashMap<&str, Destination>,
    functions: &HashMap<String, Arc<Function>>,
    tallies: &Tallies,
) -> Result<Vec<Arc<Experiment>>, SiteError> {
    let known = Known { destinations, functions };
    config.experiments.values().map(|written| experiment(written, &known, tallies).map(Arc::new)).collect()
}

fn experiment(written: &config::Experiment, known: &Known<'_>, tallies: &Tallies) -> Result<Experiment, SiteError> {
    let scope = Scope { path: PathPattern::new(&written.scope.path), conditions: conditions(written)? };
    let assign = match &written.assign {
        config::Assign::Cookie(name) => Assign::Cookie(name.clone()),
        config::Assign::Header(name) => Assign::Header(header_name(written, name)?),
        config::Assign::Claim(name) => Assign::Claim(name.clone()),
        config::Assign::Address => Assign::Address,
    };
    let mut variants = Vec::new();
    for (name, variant) in &written.variants {
        variants.push(self::variant(written, name, variant, &assign, &scope, known)?);
    }
    let definition = Definition {
        name: written.name.clone(),
        assign: assign.clone(),
        variants: variants.iter().map(|variant| (variant.name.clone(), variant.weight)).collect(),
    };
    let force_header = written.force_header.as_ref().map(|name| header_name(written, name)).transpose()?;
    let fallback = written.variants.get_index_of(&written.fallback);
    Ok(Experiment {
        name: written.name.clone(),
        scope,
        assign,
        variants,
        fallback: fallback.ok_or_else(|| SiteError::Missing(format!("variant \"{}\"", written.fallback)))?,
        force_header,
        force_query: written.force_query.clone(),
        tally: tallies.of(definition, SystemTime::now()),
    })
}

fn header_name(experiment: &config::Experiment, name: &str) -> Result<HeaderName, SiteError> {
    HeaderName::try_from(name).map_err(|_| SiteError::Header(format!("[experiment.{}] {name}", experiment.name)))
}

fn conditions(written: &config::Experiment) -> Result<Conditions, SiteError> {
    let mut headers = Vec::new();
    for (name, values) in &written.scope.headers {
        headers.push((header_name(written, name)?, values.clone()));
    }
    let (cookies, countries) = (written.scope.cookies.clone(), written.scope.countries.clone());
    Ok(Conditions { headers, cookies, countries })
}

fn variant(
    experiment: &config::Experiment,
    name: &str,
    written: &config::Variant,
    assign: &Assign,
    scope: &Scope,
    known: &Known<'_>,
) -> Result<Variant, SiteError> {
    let unusable = || SiteError::Header(format!("[experiment.{}] {name}", experiment.name));
    let set_cookie = match assign {
        Assign::Cookie(cookie) => Some(attributes(&experiment.cookie).set_cookie(cookie, name).ok_or_else(unusable)?),
        Assign::Header(_) | Assign::Claim(_) | Assign::Address => None,
    };
    let mut headers = Vec::new();
    for (header, value) in &written.headers {
        headers.push((header_name(experiment, header)?, HeaderValue::from_str(value).map_err(|_| unusable())?));
    }
    let function = |name| attached(known.functions, name);
    Ok(Variant {
        name: name.to_owned(),
        weight: written.weight,
        keyed: match experiment.in_cache_key {
            InCacheKey::Auto => written.changes_what_is_stored(),
            InCacheKey::Always => true,
            InCacheKey::Never => false,
        },
        set_cookie,
        changes: Changes {
            origin: written.origin.as_ref().map(|name| destination(known.destinations, name)).transpose()?,
            path: written.path.as_ref().map(|path| PathRewrite::new(&scope.path, path)),
            headers,
            viewer_request: function(&written.viewer_request)?,
            viewer_response: function(&written.viewer_response)?,
            origin_request: function(&written.origin_request)?,
            origin_response: function(&written.origin_response)?,
        },
    })
}

fn attributes(written: &config::CookieAttributes) -> Attributes {
    Attributes {
        max_age: written.max_age,
        same_site: match written.same_site {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        },
        secure: written.secure,
        http_only: written.http_only,
        path: written.path.clone(),
        domain: written.domain.clone(),
    }
}
