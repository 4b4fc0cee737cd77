//! What any cache owes to a response that passes it: fields between hops end here, a `Date` is there, `Age` counts the
//! way.
//!
//! Deliberately absent: whether and how the response is stored.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{
    Now, date,
    freshness::initial_age,
    rules::{AgePenalty, Rules},
};

/// Fields between two hops only: neither stored nor forwarded (http-cache.md 3.17), besides those that `Connection`
/// names.
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Fields that are forwarded but not stored (http-cache.md 3.17); `Age` becomes part of the stored clocks.
pub(crate) const NOT_STORED: [HeaderName; 4] = [
    header::AGE,
    header::PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-authentication-info"),
    header::PROXY_AUTHORIZATION,
];

/// Takes out what was meant for the hop to the origin only, `Connection`'s own list included.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let lines = headers.get_all(header::CONNECTION).iter();
    let named: Vec<HeaderName> = lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    named.iter().chain(&HOP_BY_HOP).for_each(|name| drop(headers.remove(name)));
}

/// Adds the receipt time as `Date` where there is none (http-cache.md 3.3).
pub(crate) fn add_date(headers: &mut HeaderMap, now: Now) {
    headers.entry(header::DATE).or_insert_with(|| date::format(now.wall));
}

/// The cache's duties on an answer that it forwards: a `Date`, and an `Age` that counts the way, if viewers see one.
pub(crate) fn complete_forwarded(headers: &mut HeaderMap, sent_at: Now, now: Now, rules: &Rules) {
    add_date(headers, now);
    if !headers.contains_key(header::AGE) {
        return;
    }
    let age = initial_age(headers, now.mono.saturating_duration_since(sent_at.mono));
    match rules.age_penalty {
        AgePenalty::Off => drop(headers.insert(header::AGE, HeaderValue::from(age.as_secs()))),
        AgePenalty::DropAge => drop(headers.remove(header::AGE)),
        AgePenalty::RewriteDate => {
            headers.remove(header::AGE);
            headers.insert(header::DATE, date::format(now.wall));
        }
    }
}

/// Takes out the targeted fields that viewers do not see (http-cache.md 3.5).
pub(crate) fn strip_targeted(headers: &mut HeaderMap, rules: &Rules) {
    for targeted in rules.targeted.iter().filter(|targeted| targeted.strip) {
        headers.remove(&targeted.field);
    }
}

/// What an answer owes that passes the cache by: no field between hops, no targeted field that is for us alone.
pub fn finish_passed(headers: &mut HeaderMap, rules: &Rules) {
    strip_hop_by_hop(headers);
    strip_targeted(headers, rules);
}
