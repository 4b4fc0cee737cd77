//! Origins that a viewer-request function named: `cf.updateRequestOrigin` and its like (cloudfront-functions.md 6.5).
//!
//! [`check`] tells whether a choice can be followed, when the function's result is judged; [`apply`] gives the behavior with the
//! origin that was chosen. What such an origin answers is stored apart from what the behavior's own answers: the key's namespace is
//! that of the choice.
//!
//! Absent on purpose: which addresses may be reached (`origin::dynamic`).

use crate::{
    failover::Health,
    fault::Fault,
    origin::{OriginError, OriginSettings, Target, Waits},
    site::{Behavior, Failover, Site, SiteOrigin},
};
use edgehook_contract::{
    Header, Violation, ViolationCode,
    viewer::{GroupMember, OriginChoice, OriginOverrides, OriginUpdate},
};
use http::{HeaderName, HeaderValue};
use std::{sync::Arc, time::Duration};

/// Whether every origin that a choice names exists.
///
/// # Errors
/// The id of the first that does not.
pub fn check(site: &Site, choice: &OriginChoice) -> Result<(), Violation> {
    match choice {
        OriginChoice::Update(_) => Ok(()),
        OriginChoice::Select(member) => known(site, member).map(drop),
        OriginChoice::Group { primary, secondary, .. } => known(site, primary).and(known(site, secondary)).map(drop),
    }
}

fn known<'a>(site: &'a Site, member: &GroupMember) -> Result<&'a Arc<SiteOrigin>, Violation> {
    site.origins.get(&member.id).ok_or_else(|| {
        let shown: String = member.id.escape_default().take(64).collect();
        Violation { code: ViolationCode::OriginField, text: format!("there is no origin \"{shown}\"") }
    })
}

/// The behavior with the chosen origin in the place of its own.
///
/// # Errors
/// The origin may not be reached, or cannot be.
pub fn apply(site: &Site, behavior: &Behavior, choice: &OriginChoice) -> Result<Behavior, Fault> {
    let mut directed = behavior.clone();
    match choice {
        OriginChoice::Update(update) => directed.origin = Arc::new(updated(site, &behavior.origin, update)?),
        OriginChoice::Select(member) => {
            directed.origin = selected(site, member)?;
            directed.failover = None;
        }
        OriginChoice::Group { primary, secondary, failover } => {
            let (first, second) = (selected(site, primary)?, selected(site, secondary)?);
            // Apart from what the first alone answers: the second's answers are stored here too.
            let namespace = format!("{}|{}", first.namespace, second.namespace);
            directed.origin = Arc::new(SiteOrigin { namespace, ..(*first).clone() });
            let health = Arc::new(Health::new(Duration::ZERO));
            directed.failover = Some(Failover { origin: second, statuses: failover.clone(), health });
        }
    }
    Ok(directed)
}

/// A configured origin, with what differs for this request.
fn selected(site: &Site, member: &GroupMember) -> Result<Arc<SiteOrigin>, Fault> {
    let configured = known(site, member).map_err(|violation| OriginError::Blocked(violation.text))?;
    if member.overrides == OriginOverrides::default() {
        return Ok(configured.clone());
    }
    let update = OriginUpdate { overrides: member.overrides.clone(), ..OriginUpdate::default() };
    updated(site, configured, &update).map(Arc::new)
}

/// Host, port and scheme of the changed origin.
fn place(given: &SiteOrigin, update: &OriginUpdate) -> (String, u16, bool) {
    let described = &given.description;
    let https = update.https.unwrap_or(described.https);
    let usual = |https: bool| if https { 443 } else { 80 };
    // A port that was the scheme's own goes with the scheme.
    let kept = if described.port == usual(described.https) { usual(https) } else { described.port };
    let moved = update.domain_name.is_some();
    let port = update.port.unwrap_or(if moved && update.https.is_none() { described.port } else { kept });
    (update.domain_name.clone().unwrap_or_else(|| described.domain_name.clone()), port, https)
}

fn updated(site: &Site, given: &SiteOrigin, update: &OriginUpdate) -> Result<SiteOrigin, Fault> {
    let described = &given.description;
    let (domain, port, https) = place(given, update);
    let moved = (&domain, port, https) != (&described.domain_name, described.port, described.https);
    let seconds = |new: Option<u64>, old: Duration| new.map_or(old, Duration::from_secs);
    let waits = Waits {
        connection: seconds(update.connection_timeout, given.connection_timeout),
        attempts: update.attempts.unwrap_or(given.connection_attempts),
        read: seconds(update.read_timeout, Duration::from_secs(described.read_timeout)),
        keepalive: seconds(update.keepalive_timeout, Duration::from_secs(described.keepalive_timeout)),
    };
    let server_name = update.overrides.sni.clone().or_else(|| update.overrides.host_header.clone());
    let settings = OriginSettings {
        connection_timeout: waits.connection,
        connection_attempts: waits.attempts,
        read_timeout: waits.read,
        keepalive_timeout: waits.keepalive,
        max_connections: given.max_connections,
        server_name: server_name.filter(|_| https),
        ..OriginSettings::new(Target::Url { https, host: domain.clone(), port, path_prefix: String::new() })
    };
    let origin = if moved {
        site.dynamic_origins.origin(&settings)?
    } else {
        site.dynamic_origins.renamed(&given.name, &given.origin, &settings)?
    };
    let headers = match &update.headers {
        None => given.headers.clone(),
        Some(headers) => headers.iter().filter_map(|(name, value)| header(name, value)).collect(),
    };
    let path = update.path.clone().unwrap_or_else(|| given.path_prefix.clone());
    let mut description = described.clone();
    if moved {
        description.s3 = None;
    }
    description.domain_name.clone_from(&domain);
    (description.port, description.https) = (port, https);
    description.path.clone_from(&path);
    if let Some(headers) = &update.headers {
        description.custom_headers =
            headers.iter().map(|(name, value)| Header::new(name.clone(), value.clone())).collect();
    }
    (description.read_timeout, description.keepalive_timeout) = (waits.read.as_secs(), waits.keepalive.as_secs());
    Ok(SiteOrigin {
        name: if moved { format!("{domain}:{port}") } else { given.name.clone() },
        namespace: format!("{}>{update:?}", given.namespace),
        origin,
        host_is_chosen: given.host_is_chosen || update.overrides.host_header.is_some(),
        host: host(given, update, moved.then_some((&domain, port, https))),
        path_prefix: path,
        headers,
        description,
        connection_timeout: waits.connection,
        connection_attempts: waits.attempts,
        max_connections: given.max_connections,
    })
}

fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((HeaderName::try_from(name).ok()?, HeaderValue::from_str(value).ok()?))
}

/// `hostHeader`, else the new domain with its port where that is not the scheme's, else the origin's own.
fn host(given: &SiteOrigin, update: &OriginUpdate, moved: Option<(&String, u16, bool)>) -> HeaderValue {
    let text = match (&update.overrides.host_header, moved) {
        (Some(host), _) => Some(host.clone()),
        (None, Some((domain, port, https))) if port == if https { 443 } else { 80 } => Some(domain.clone()),
        (None, Some((domain, port, _))) => Some(format!("{domain}:{port}")),
        (None, None) => None,
    };
    text.and_then(|text| HeaderValue::from_str(&text).ok()).unwrap_or_else(|| given.host.clone())
}
