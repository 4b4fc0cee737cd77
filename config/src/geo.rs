//! `[geo]`: databases that tell where an address is; and lists of countries.
//!
//! The databases are opened by the proxy. Here is only checked that the files are there, and that nothing asks for what
//! no database can tell.

use std::path::PathBuf;

use crate::context::Expect;
use crate::diagnostic::{Code, Problem};
use crate::section::{Section, Value};

/// MaxMind databases, absolute paths of files that exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Geo {
    /// Countries, or cities.
    pub database: Option<PathBuf>,
    /// Networks.
    pub asn_database: Option<PathBuf>,
}

/// Which countries' viewers a behavior lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Countries {
    /// These only: ISO 3166-1 codes in capitals, not empty. A viewer of no known country is refused.
    Allow(Vec<String>),
    /// All but these. A viewer of no known country is let in.
    Deny(Vec<String>),
}

/// What `cloudfront-viewer-*` fields say of a place; they need the first database.
const PLACES: [&str; 9] = [
    "cloudfront-viewer-country",
    "cloudfront-viewer-city",
    "cloudfront-viewer-country-name",
    "cloudfront-viewer-country-region",
    "cloudfront-viewer-country-region-name",
    "cloudfront-viewer-latitude",
    "cloudfront-viewer-longitude",
    "cloudfront-viewer-postal-code",
    "cloudfront-viewer-time-zone",
];

/// Fields that tell viewers apart too well for a key (http-cache.md 6.7): origin request policies only.
const NEVER_KEYED: [&str; 5] = [
    "cloudfront-viewer-address",
    "cloudfront-viewer-asn",
    "cloudfront-viewer-ja3-fingerprint",
    "cloudfront-viewer-ja4-fingerprint",
    "cloudfront-viewer-tls",
];

pub(crate) fn read(section: &Section<'_>) -> Geo {
    Geo {
        database: section.existing("database", Expect::File),
        asn_database: section.existing("asn_database", Expect::File),
    }
}

/// A list of countries, written under `key`.
pub(crate) fn countries(section: &Section<'_>, key: &'static str) -> Option<Vec<String>> {
    let value = section.value(key)?;
    if value.is_empty_list() {
        value.report(Code::BadValue, format!("`{}` must name a country", value.name), "an empty list");
        return None;
    }
    let found = section.list(key, code)?;
    (!found.is_empty()).then_some(found)
}

/// ISO 3166-1, two capitals.
fn code(text: &str) -> Result<String, String> {
    let fits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    if fits { Ok(text.to_owned()) } else { Err("two capital letters, such as \"FR\"".to_owned()) }
}

/// Reports a condition on countries where no database tells them.
pub(crate) fn needs_database(geo: &Geo, place: &Value<'_>) {
    if geo.database.is_none() {
        place.cx.report(
            Problem::new(
                Code::Conflict,
                place.key_span.clone(),
                format!("`{}` needs a database of countries", place.name),
            )
            .label("no viewer's country is known")
            .help("add [geo] database = \"GeoLite2-Country.mmdb\""),
        );
    }
}

/// Checks the names of fields that a cache policy puts in the key.
pub(crate) fn check_keyed(geo: &Geo, names: &[String], written: &Value<'_>) {
    for name in names.iter().filter(|name| NEVER_KEYED.contains(&name.as_str())) {
        written.cx.report(
            Problem::new(Code::Conflict, written.span.clone(), format!("`{name}` cannot be in a cache policy"))
                .label("would give every viewer a cache of their own")
                .help("an origin request policy may name it"),
        );
    }
    if let Some(name) = names.iter().find(|name| PLACES.contains(&name.as_str()) && geo.database.is_none()) {
        written.cx.report(
            Problem::new(Code::NoGeoDatabase, written.span.clone(), format!("`{name}` is never known"))
                .label("without a database the field is absent")
                .help("add [geo] database = \"GeoLite2-City.mmdb\""),
        );
    }
}
