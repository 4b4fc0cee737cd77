//! From a checked configuration to what is asked of viewers: keys are read here, key sets begin to be fetched.

use super::site::SiteError;
use crate::{
    auth::{
        Admission, Authorizer, Guard, KeySource, Passwords, Per, RateLimit, SecretParameters, Tokens,
        jwks::{FetchedKeys, KeptSet, Schedule, over_http},
        jwt::{Algorithm, Comparison, Key, KeySet, Matcher, Rules},
        places::Place,
        signed::{self, SignedKey, Signers},
    },
    origin::OriginBuildError,
};
use edgehook_config::{
    self as config, Authorizers, ClaimMatcher, Config, JwksUrl, RatePer, Refresh, Scheme, TokenPlace,
};
use http::{HeaderName, HeaderValue};
use regex::Regex;
use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// The fetched key sets of all configurations that are in use: one that a reload does not change goes on.
#[derive(Debug, Default)]
pub(super) struct KeySets(Mutex<HashMap<KeySetId, Weak<FetchedKeys>>>);

type KeySetId = (JwksUrl, Refresh, Vec<&'static str>);

/// What cannot be used, and where it is written.
fn unusable(place: &str, problem: impl std::fmt::Display) -> SiteError {
    SiteError::Auth(format!("{place}: {problem}"))
}

fn read(path: &Path, place: &str) -> Result<Vec<u8>, SiteError> {
    std::fs::read(path).map_err(|error| unusable(place, format!("{}: {error}", path.display())))
}

impl KeySets {
    /// The keys behind a URL; with `fetch` they begin to be fetched.
    fn behind(
        &self,
        url: &JwksUrl,
        authorizer: &config::Authorizer,
        config: &Config,
        fetch: bool,
    ) -> Result<Arc<FetchedKeys>, OriginBuildError> {
        let names: Vec<&'static str> = authorizer.algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
        let id = (url.clone(), authorizer.refresh, names);
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sets.retain(|_, set| set.strong_count() > 0);
        let keys = match sets.get(&id).and_then(Weak::upgrade) {
            Some(keys) => keys,
            None => {
                let keys = Arc::new(fetched(url, authorizer, config)?);
                sets.insert(id, Arc::downgrade(&keys));
                keys
            }
        };
        if fetch {
            keys.start();
        }
        Ok(keys)
    }
}

fn fetched(url: &JwksUrl, authorizer: &config::Authorizer, config: &Config) -> Result<FetchedKeys, OriginBuildError> {
    let (name, address) = (format!("authorizer.{}", authorizer.name), &url.address);
    let agent =
        HeaderValue::from_str(&config.server.user_agent).unwrap_or_else(|_| HeaderValue::from_static("edgehook"));
    let https = url.scheme == Scheme::Https;
    let fetcher = over_http(&name, https, &address.host, address.port, &url.target, agent)?;
    // The query may hold a secret; logs do without it.
    let path = url.target.split('?').next().unwrap_or_default();
    let shown = format!("{}://{address}{path}", url.scheme.as_str());
    let kept = KeptSet::new(&config.server.state_dir.join("jwks"), &format!("{shown}{}", url.target));
    let refresh = authorizer.refresh;
    let schedule = Schedule {
        every: refresh.every,
        on_unknown_kid: refresh.on_unknown_kid,
        min_interval: refresh.min_interval,
        keep_stale: refresh.keep_stale,
    };
    Ok(FetchedKeys::new(shown, algorithms(authorizer), schedule, fetcher, Some(kept)))
}

fn algorithms(authorizer: &config::Authorizer) -> Vec<Algorithm> {
    // Both lists hold the same names; a test says so.
    authorizer.algorithms.iter().filter_map(|algorithm| Algorithm::named(algorithm.as_str())).collect()
}

/// One authorizer. Its key set, where it is behind a URL, is fetched only with `fetch`.
pub(super) fn authorizer(
    authorizer: &config::Authorizer,
    config: &Config,
    sets: &KeySets,
    fetch: bool,
) -> Result<Authorizer, SiteError> {
    let place = format!("[authorizer.{}]", authorizer.name);
    let algorithms = algorithms(authorizer);
    let first = algorithms.first().copied().ok_or_else(|| unusable(&place, "no algorithm"))?;
    let one = |key: Result<Key, _>| key.map(KeySet::of).map_err(|error| unusable(&place, error));
    let fixed = match &authorizer.keys {
        config::KeySource::JwksUrl(url) => {
            let keys = sets.behind(url, authorizer, config, fetch)?;
            return Ok(assembled(authorizer, KeySource::Fetched(keys)));
        }
        config::KeySource::JwksFile(file) => {
            let set = KeySet::parse(&read(file, &place)?, &algorithms).map_err(|error| unusable(&place, error))?;
            if let Some(refused) = set.refused.first() {
                return Err(unusable(&place, format!("a key of {} cannot be used: {refused}", file.display())));
            }
            set
        }
        config::KeySource::PublicKey(file) => one(Key::from_pem(&read(file, &place)?, first))?,
        // A placeholder stands in where the secret is not known; nothing is verified then.
        config::KeySource::Secret(secret) if !fetch && secret.expose().len() < 32 => KeySet::default(),
        config::KeySource::Secret(secret) => one(Key::secret(None, first, secret.expose().as_bytes()))?,
    };
    Ok(assembled(authorizer, KeySource::Fixed(Arc::new(fixed))))
}

fn assembled(from: &config::Authorizer, keys: KeySource) -> Authorizer {
    let rules = Rules {
        issuers: from.issuers.clone(),
        audiences: from.audiences.clone(),
        typ: from.typ.clone(),
        leeway: from.leeway.as_secs(),
        require: from.require.iter().map(|(claim, rule)| (claim.clone(), matcher(rule))).collect(),
        scopes: from.scopes.clone(),
    };
    let mut authorizer = Authorizer::new(from.name.clone(), keys, rules);
    authorizer.places = from.token.iter().map(place).collect();
    authorizer.forward = from.forward_token;
    authorizer.headers =
        from.claims_to_headers.iter().filter_map(|(claim, name)| Some((claim.clone(), name.parse().ok()?))).collect();
    authorizer.redirect.clone_from(&from.redirect);
    authorizer
}

fn place(place: &TokenPlace) -> Place {
    match place {
        TokenPlace::Header(name) => match name.parse::<HeaderName>() {
            Ok(header) if header != http::header::AUTHORIZATION => Place::Header(header),
            // The checked configuration holds nothing but header names.
            _ => Place::Bearer,
        },
        TokenPlace::Cookie(name) => Place::Cookie(name.clone()),
        TokenPlace::Query(name) => Place::Query(name.clone()),
    }
}

fn matcher(rule: &ClaimMatcher) -> Matcher {
    match rule {
        ClaimMatcher::Equals(value) => Matcher::Equals(value.clone()),
        ClaimMatcher::Compares(comparison, number) => {
            let comparison = match comparison {
                config::Comparison::Less => Comparison::Less,
                config::Comparison::AtMost => Comparison::AtMost,
                config::Comparison::More => Comparison::More,
                config::Comparison::AtLeast => Comparison::AtLeast,
            };
            Matcher::Compares(comparison, *number)
        }
        ClaimMatcher::In(values) => Matcher::In(values.clone()),
        // It compiled when the configuration was checked; one that does not lets nobody in.
        ClaimMatcher::Matches(pattern) => Regex::new(pattern).map_or(Matcher::In(Vec::new()), Matcher::Matches),
        ClaimMatcher::Contains(part) => Matcher::Contains(part.clone()),
        ClaimMatcher::Absent => Matcher::Absent,
    }
}

/// All authorizers by name.
pub(super) fn authorizers(
    config: &Config,
    sets: &KeySets,
    fetch: bool,
    test_key: Option<&Arc<KeySet>>,
) -> Result<HashMap<String, Arc<Authorizer>>, SiteError> {
    let one = |from: &config::Authorizer| match test_key {
        Some(key) => Ok(assembled(from, KeySource::Fixed(key.clone()))),
        None => authorizer(from, config, sets, fetch),
    };
    config.authorizers.values().map(|from| Ok((from.name.clone(), Arc::new(one(from)?)))).collect()
}

/// What one behavior asks of viewers.
pub(super) fn admission(
    behavior: &config::Behavior,
    config: &Config,
    authorizers: &HashMap<String, Arc<Authorizer>>,
) -> Result<Admission, SiteError> {
    let from = &behavior.admission;
    let place = format!("[[behavior]] \"{}\"", behavior.path);
    let known = |name: &String| {
        authorizers.get(name).cloned().ok_or_else(|| SiteError::Missing(format!("authorizer \"{name}\"")))
    };
    let list = |names: &[String]| names.iter().map(known).collect::<Result<Vec<_>, _>>();
    let passwords = from.basic_auth.as_ref().map(|file| {
        let text = String::from_utf8(read(file, &place)?).map_err(|_| unusable(&place, "basic_auth is not UTF-8"))?;
        let passwords = Passwords::parse(&text);
        passwords.map(Arc::new).map_err(|error| unusable(&place, format!("basic_auth {}: {error}", file.display())))
    });
    let rate = from.rate_limit.as_ref().map(|limit| {
        let per = match &limit.per {
            RatePer::Address => Per::Address,
            RatePer::Header(name) => Per::Header(name.parse().map_err(|_| unusable(&place, "rate_limit"))?),
            RatePer::Claim(name) => Per::Claim(name.clone()),
        };
        RateLimit::new(per, limit.count, limit.period, limit.burst).ok_or_else(|| unusable(&place, "rate_limit"))
    });
    Ok(Admission {
        rate: rate.transpose()?,
        signers: if from.trusted_key_groups.is_empty() {
            None
        } else {
            Some(signers(&from.trusted_key_groups, config)?)
        },
        passwords: passwords.transpose()?,
        tokens: match &from.authorizers {
            None => None,
            Some(Authorizers::Any(names)) => Some(Tokens::Any(list(names)?)),
            Some(Authorizers::All(names)) => Some(Tokens::All(list(names)?)),
        },
    })
}

/// The keys of some groups. One id stands for one key.
pub(crate) fn signers(groups: &[String], config: &Config) -> Result<Signers, SiteError> {
    let mut keys = HashMap::new();
    for name in groups {
        let group = config.key_groups.get(name);
        let group = group.ok_or_else(|| SiteError::Missing(format!("key group \"{name}\"")))?;
        for (id, file) in &group.keys {
            let place = format!("[key_group.{name}] {id}");
            let pem = read(file, &place)?;
            let key = SignedKey::from_pem(&pem).map_err(|error| unusable(&place, error))?;
            if keys.insert(id.clone(), (pem.clone(), key)).is_some_and(|(other, _)| other != pem) {
                return Err(unusable(&place, "another group of the same behavior has another key with this id"));
            }
        }
    }
    Ok(Signers::new(keys.into_iter().map(|(id, (_, key))| (id, key)).collect()))
}

/// What holds for the whole site.
pub(super) fn guard(config: &Config) -> Guard {
    let all = || config.authorizers.values();
    let headers = all().flat_map(|authorizer| authorizer.claims_to_headers.values());
    let in_query = all().flat_map(|authorizer| &authorizer.token).filter_map(|place| match place {
        TokenPlace::Query(name) => Some(name.clone()),
        TokenPlace::Header(_) | TokenPlace::Cookie(_) => None,
    });
    let mut secrets: Vec<String> = in_query.collect();
    if !config.key_groups.is_empty() {
        secrets.extend(signed::PARAMETERS.map(str::to_owned));
    }
    Guard {
        claim_headers: headers.filter_map(|name| name.parse().ok()).collect(),
        secrets: SecretParameters::new(secrets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_configured_algorithm_is_known() {
        for algorithm in Algorithm::ALL {
            let text = format!("[authorizer.a]\njwks = \"https://a/k\"\nalgorithms = [\"{}\"]", algorithm.as_str());
            let problems = config::parse(&text, "edge.toml", Path::new("."), config::Mode::Check).unwrap_err();
            assert!(problems.iter().all(|problem| problem.message.find("does not take this word").is_none()), "{text}");
        }
    }
}
