//! `[origin_request_policy.NAME]`: what the origin gets besides what is in the cache key; also the managed policies.
//!
//! Deliberately absent: what no policy can send on (http-cache.md 6.2 and 7.2); the proxy strips that.

use crate::address;
use crate::cache_policy::{Selection, any_name, names};
use crate::diagnostic::{Code, Problem};
use crate::keys::Table;
use crate::section::{Section, Value};

/// What the origin gets besides the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginRequestPolicy {
    /// Its name.
    pub name: String,
    /// The viewer's headers that go on; names in lower case.
    pub headers: Selection,
    /// Headers of the edge's own that are made for the origin, in lower case, such as `cloudfront-viewer-country`.
    pub edge_headers: Vec<String>,
    /// Query parameters that go on.
    pub query: Selection,
    /// Cookies that go on.
    pub cookies: Selection,
}

/// Managed policies with their ids (http-cache.md 6.2).
pub(crate) const MANAGED: [(&str, &str); 7] = [
    ("AllViewer", "216adef6-5c7f-47e4-b989-5492eafa07d3"),
    ("AllViewerExceptHostHeader", "b689b0a8-53d0-40ab-baf2-68738e2966ac"),
    ("AllViewerAndCloudFrontHeaders-2022-06", "33f36d7e-f396-46d9-90e0-52428a34d9dc"),
    ("CORS-CustomOrigin", "59781a5b-3903-41f3-afcb-af62929ccde1"),
    ("CORS-S3Origin", "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf"),
    ("UserAgentRefererHeaders", "acba4595-bd28-49b8-b9fe-13317c0390fa"),
    ("HostHeaderOnly", "bf0718e1-ba1e-49d1-88b1-f726733018ae"),
];

/// The headers that `AllViewerAndCloudFrontHeaders-2022-06` adds.
const CLOUDFRONT_2022: [&str; 23] = [
    "cloudfront-forwarded-proto",
    "cloudfront-is-android-viewer",
    "cloudfront-is-desktop-viewer",
    "cloudfront-is-ios-viewer",
    "cloudfront-is-mobile-viewer",
    "cloudfront-is-smarttv-viewer",
    "cloudfront-is-tablet-viewer",
    "cloudfront-viewer-address",
    "cloudfront-viewer-asn",
    "cloudfront-viewer-city",
    "cloudfront-viewer-country",
    "cloudfront-viewer-country-name",
    "cloudfront-viewer-country-region",
    "cloudfront-viewer-country-region-name",
    "cloudfront-viewer-header-count",
    "cloudfront-viewer-header-order",
    "cloudfront-viewer-http-version",
    "cloudfront-viewer-latitude",
    "cloudfront-viewer-longitude",
    "cloudfront-viewer-metro-code",
    "cloudfront-viewer-postal-code",
    "cloudfront-viewer-time-zone",
    "cloudfront-viewer-tls",
];

/// A managed policy by its CloudFront name.
pub(crate) fn managed(name: &str) -> Option<OriginRequestPolicy> {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let (none, all) = (Selection::None, Selection::All);
    let (headers, rest) = match name {
        "AllViewer" | "AllViewerAndCloudFrontHeaders-2022-06" => (all.clone(), all),
        "AllViewerExceptHostHeader" => (Selection::Exclude(list(&["host"])), all),
        "CORS-CustomOrigin" => (Selection::Include(list(&["origin"])), none),
        "CORS-S3Origin" => {
            let names = ["origin", "access-control-request-headers", "access-control-request-method"];
            (Selection::Include(list(&names)), none)
        }
        "UserAgentRefererHeaders" => (Selection::Include(list(&["user-agent", "referer"])), none),
        "HostHeaderOnly" => (Selection::Include(list(&["host"])), none),
        _ => return None,
    };
    let edge_headers = if name.starts_with("AllViewerAnd") { list(&CLOUDFRONT_2022) } else { Vec::new() };
    Some(OriginRequestPolicy { name: name.to_owned(), headers, edge_headers, query: rest.clone(), cookies: rest })
}

pub(crate) fn read(name: &str, section: &Section<'_>) -> Option<OriginRequestPolicy> {
    if MANAGED.iter().any(|(managed, _)| *managed == name) {
        section.cx.report(
            Problem::new(Code::Conflict, section.span.clone(), format!("`{name}` is a managed policy"))
                .label("cannot be written again")
                .help("choose another name, or use the managed one without writing it"),
        );
        return None;
    }
    let (headers, edge_headers) = section.value("headers").and_then(|value| headers(&value)).unwrap_or_default();
    let simple = |key| section.value(key).and_then(|value| selection(&value)).unwrap_or(Selection::None);
    let (query, cookies) = (simple("query"), simple("cookies"));
    Some(OriginRequestPolicy { name: name.to_owned(), headers, edge_headers, query, cookies })
}

fn headers(value: &Value<'_>) -> Option<(Selection, Vec<String>)> {
    if value.is_text() {
        let viewer = value.text()?.choice(value.cx, &[("none", false), ("viewer", true)], &[])?;
        return Some((if viewer { Selection::All } else { Selection::None }, Vec::new()));
    }
    let section = value.section(Table::PolicyHeaders)?;
    let keys = ["include", "exclude", "viewer_and"];
    let written: Vec<_> = keys.into_iter().filter_map(|key| Some((key, section.value(key)?))).collect();
    let [(key, list)] = &written[..] else {
        let message = "`headers` takes one of `include`, `exclude` and `viewer_and`";
        let help = "\"none\", \"viewer\", { include = [..] }, { exclude = [..] } or { viewer_and = [..] }";
        section.cx.report(Problem::new(Code::Conflict, value.key_span.clone(), message).help(help));
        return None;
    };
    let names = names(&section, key, list, address::header_name)?;
    Some(match *key {
        "include" => {
            let (edge, viewer): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| name.starts_with("cloudfront-"));
            (if viewer.is_empty() { Selection::None } else { Selection::Include(viewer) }, edge)
        }
        "exclude" => (Selection::Exclude(names), Vec::new()),
        _ => (Selection::All, names),
    })
}

fn selection(value: &Value<'_>) -> Option<Selection> {
    if value.is_text() {
        let all = value.text()?.choice(value.cx, &[("none", false), ("all", true)], &[])?;
        return Some(if all { Selection::All } else { Selection::None });
    }
    crate::cache_policy::include_or_exclude(&value.section(Table::PolicySelection)?, value, any_name)
}
