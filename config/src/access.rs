//! Who a behavior lets in: `authorizer`, `trusted_key_groups`, `basic_auth`, `allow`, `deny` and `rate_limit` of `[[behavior]]`.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::address;
use crate::authorizer::TokenPlace;
use crate::context::Expect;
use crate::diagnostic::{Code, Problem};
use crate::keys::Table;
use crate::section::{Section, Value};
use crate::text::Text;

/// Who is let in. Whatever is written must be passed; nothing written lets everybody in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admission {
    /// Viewers let in by address; empty: all. Others get 403.
    pub allow: Vec<IpNet>,
    /// Viewers refused with 403, also where `allow` lets them in.
    pub deny: Vec<IpNet>,
    /// Token checks.
    pub authorizers: Option<Authorizers>,
    /// Names of key groups, at most 4; not empty: a signed URL or cookie is needed.
    pub trusted_key_groups: Vec<String>,
    /// File of names and hashed passwords, absolute.
    pub basic_auth: Option<PathBuf>,
    /// Requests per viewer.
    pub rate_limit: Option<RateLimit>,
}

/// The authorizers of a behavior; the list is not empty and names nothing twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorizers {
    /// One of them must let the viewer in.
    Any(Vec<String>),
    /// All of them must.
    All(Vec<String>),
}

impl Authorizers {
    /// Their names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        match self {
            Self::Any(names) | Self::All(names) => names,
        }
    }
}

/// How many requests a viewer may make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// What tells viewers apart.
    pub per: RatePer,
    /// Requests in `period`; at least 1.
    pub count: u32,
    /// Never zero.
    pub period: Duration,
    /// Requests at once; at least 1.
    pub burst: u32,
}

/// What tells viewers apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RatePer {
    /// The viewer's address; IPv6 by its /64 network.
    Address,
    /// The value of a request header, name in lower case.
    Header(String),
    /// A claim of the verified token.
    Claim(String),
}

/// What a behavior may refer to.
pub(crate) struct Gates<'n> {
    /// With the token's places, where they could be read.
    pub(crate) authorizers: Vec<(&'n str, &'n [TokenPlace])>,
    pub(crate) key_groups: Vec<&'n str>,
}

/// Most key groups of a behavior, as in CloudFront.
const MAX_GROUPS: usize = 4;
const MAX_COUNT: u64 = 1_000_000;

pub(crate) fn read(section: &Section<'_>, gates: &Gates<'_>) -> Admission {
    let authorizers = authorizers(section, gates);
    let admission = Admission {
        allow: networks(section, "allow"),
        deny: section.list("deny", address::network).unwrap_or_default(),
        trusted_key_groups: key_groups(section, gates),
        basic_auth: section.existing("basic_auth", Expect::File),
        rate_limit: rate_limit(section, authorizers.is_some()),
        authorizers,
    };
    one_use_of_authorization(section, &admission, gates);
    admission
}

fn networks(section: &Section<'_>, key: &'static str) -> Vec<IpNet> {
    if let Some(value) = section.value(key)
        && value.is_empty_list()
    {
        value.report(Code::BadValue, format!("`{key}` must name a network"), "an empty list lets nobody in");
    }
    section.list(key, address::network).unwrap_or_default()
}

fn authorizers(section: &Section<'_>, gates: &Gates<'_>) -> Option<Authorizers> {
    let value = section.value("authorizer")?;
    let declared: Vec<&str> = gates.authorizers.iter().map(|(name, _)| *name).collect();
    let known = |text: &Text| section.cx.refers(text, "authorizer", "behavior", &declared);
    if value.is_text() {
        let text = value.text()?;
        return known(&text).then(|| Authorizers::All(vec![text.value]));
    }
    let set = value.section(Table::Authorizers)?;
    let (any, all) = (set.value("any"), set.value("all"));
    let (list, wrap): (_, fn(Vec<String>) -> Authorizers) = match (any, all) {
        (Some(list), None) => (list, Authorizers::Any),
        (None, Some(list)) => (list, Authorizers::All),
        _ => {
            let problem = Problem::new(Code::Conflict, value.key_span, "`authorizer` takes one of `any` and `all`");
            section.cx.report(problem.help("\"NAME\", { any = [..] } or { all = [..] }"));
            return None;
        }
    };
    names(&list, "an authorizer", known).map(wrap)
}

fn key_groups(section: &Section<'_>, gates: &Gates<'_>) -> Vec<String> {
    let Some(value) = section.value("trusted_key_groups") else { return Vec::new() };
    let known = |text: &Text| section.cx.refers(text, "key_group", "behavior", &gates.key_groups);
    let names = names(&value, "a key group", known).unwrap_or_default();
    if names.len() > MAX_GROUPS {
        let message = format!("`trusted_key_groups` names at most {MAX_GROUPS} groups");
        value.report(Code::OutOfRange, message, format!("{} groups", names.len()));
    }
    names
}

/// A list of names, without repetitions; an empty one is reported, because it would let nobody in.
fn names(value: &Value<'_>, what: &str, known: impl Fn(&Text) -> bool) -> Option<Vec<String>> {
    let items = value.list("a list of names")?;
    if items.is_empty() {
        value.report(Code::BadValue, format!("`{}` must name {what}", value.name), "an empty list lets nobody in");
    }
    let mut names: Vec<String> = Vec::new();
    for text in items.iter().filter_map(Value::text) {
        if known(&text) && !names.contains(&text.value) {
            names.push(text.value);
        }
    }
    (!names.is_empty()).then_some(names)
}

/// One `Authorization` field cannot carry both a password and a token.
fn one_use_of_authorization(section: &Section<'_>, admission: &Admission, gates: &Gates<'_>) {
    let (Some(_), Some(authorizers)) = (&admission.basic_auth, &admission.authorizers) else { return };
    let takes_it = |name: &String| {
        let places = gates.authorizers.iter().find(|(known, _)| known == name).map_or(&[][..], |(_, places)| places);
        places.contains(&TokenPlace::Header("authorization".to_owned()))
    };
    if authorizers.names().iter().any(takes_it)
        && let Some(value) = section.value("basic_auth")
    {
        section.cx.report(
            Problem::new(Code::Conflict, value.key_span, "`basic_auth` and the authorizer both read `Authorization`")
                .label("one header cannot hold password and token")
                .help("let the authorizer read another place: token = [\"cookie:NAME\"]"),
        );
    }
}

fn rate_limit(section: &Section<'_>, has_authorizer: bool) -> Option<RateLimit> {
    let limit = section.value("rate_limit")?.section(Table::RateLimit)?;
    let help = "rate_limit = { per = \"address\", rate = \"10/s\", burst = 20 }";
    let written = limit.required("per", help).and_then(|value| Some((value.text()?, value)));
    let rate =
        limit.required("rate", help).and_then(|value| value.text()).and_then(|text| text.parsed(section.cx, rate));
    let (count, period) = rate.unwrap_or((1, Duration::from_secs(1)));
    let burst = limit.count("burst", 1..=MAX_COUNT).unwrap_or(count);
    let (text, value) = written?;
    let per = text.parsed(section.cx, per)?;
    if matches!(per, RatePer::Claim(_)) && !has_authorizer {
        let message = "`rate_limit.per` names a claim, but the behavior has no authorizer";
        value.report(Code::Conflict, message, "no token, no claims");
    }
    rate.map(|_| RateLimit { per, count, period, burst })
}

fn per(text: &str) -> Result<RatePer, String> {
    match text.split_once(':') {
        None if text == "address" => Ok(RatePer::Address),
        Some(("header", name)) => address::header_name(name).map(RatePer::Header),
        Some(("claim", name)) if !name.is_empty() => Ok(RatePer::Claim(name.to_owned())),
        _ => Err("\"address\", \"header:NAME\" or \"claim:NAME\"".to_owned()),
    }
}

/// `10/s`, `600/m`, `5000/h`.
fn rate(text: &str) -> Result<(u32, Duration), String> {
    let wrong = || "requests per second, minute or hour, such as \"10/s\", \"600/m\" or \"5000/h\"".to_owned();
    let (count, unit) = text.split_once('/').ok_or_else(wrong)?;
    let digits = !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit());
    let count: u32 = count.parse().ok().filter(|_| digits).ok_or_else(wrong)?;
    if count == 0 || u64::from(count) > MAX_COUNT {
        return Err(format!("between 1 and {MAX_COUNT} requests"));
    }
    let period = match unit {
        "s" => Duration::from_secs(1),
        "m" => Duration::from_mins(1),
        "h" => Duration::from_hours(1),
        _ => return Err(wrong()),
    };
    Ok((count, period))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        assert_eq!(rate("10/s"), Ok((10, Duration::from_secs(1))));
        assert_eq!(rate("600/m"), Ok((600, Duration::from_secs(60))));
        assert_eq!(rate("1000000/h"), Ok((1_000_000, Duration::from_secs(3600))));
        for text in ["", "10", "10/", "/s", "0/s", "1000001/s", "-1/s", "+1/s", "1.5/s", "10/d", "10 /s"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn keys_of_rates() {
        assert_eq!(per("header:X-Api-Key"), Ok(RatePer::Header("x-api-key".to_owned())));
        assert_eq!(per("claim:sub"), Ok(RatePer::Claim("sub".to_owned())));
        for text in ["", "addresses", "header:", "header:a b", "claim:", "cookie:a", "address:x"] {
            assert!(per(text).is_err(), "{text}");
        }
    }
}
