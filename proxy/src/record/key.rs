//! A cache key taken apart: what is in it, what is not, and the rule that decided.
//!
//! A rule is the place in the configuration that says so, such as `cache_policy.pages.query`; who shows it to an author adds the
//! line.

use super::{Mask, trace::TracedKey};
use crate::cache::{Normalise, Selection};
use http::{HeaderMap, HeaderName, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One part of a request that is in the key, or could have been.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyPart {
    /// What it is: `host`, `path`, `query page`, `header accept-language`, `cookie session`, `encoding`, `experiment checkout`.
    pub part: String,
    /// Its value in the key, or in the request where it is not in the key.
    pub value: String,
    /// Whether it is in the key.
    pub keyed: bool,
    /// Why.
    pub reason: String,
    /// The place in the configuration that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// Parts in the order of the key, then what was left out.
pub(crate) fn key_parts(key: &TracedKey, mask: &Mask) -> Vec<KeyPart> {
    let explained = Explained { key, mask };
    let mut parts = explained.url();
    explained.query(&mut parts);
    explained.headers(&mut parts);
    explained.cookies(&mut parts);
    explained.chosen(&mut parts);
    parts
}

struct Explained<'a> {
    key: &'a TracedKey,
    mask: &'a Mask,
}

fn pair_name(pair: &str) -> &str {
    pair.split_once('=').map_or(pair, |(name, _)| name)
}

fn pair_value(pair: &str) -> &str {
    pair.split_once('=').map_or("", |(_, value)| value)
}

impl Explained<'_> {
    fn rule(&self, what: &str) -> Option<String> {
        let policy = self.key.behavior.written.cache_policy.as_ref()?;
        Some(format!("cache_policy.{policy}.{what}"))
    }

    fn url(&self) -> Vec<KeyPart> {
        let request = &self.key.request;
        let always = |part: &str, value: String| KeyPart {
            part: part.to_owned(),
            value,
            keyed: true,
            reason: "always in the key".to_owned(),
            rule: None,
        };
        vec![
            always("scheme", request.scheme.as_str().to_owned()),
            always("host", request.host.authority()),
            always("path", request.path.clone()),
            always("origin", self.key.behavior.origin.namespace.clone()),
        ]
    }

    fn by_selection(&self, selection: &Selection, what: &str, taken: bool) -> (String, Option<String>) {
        let rule = self.rule(what);
        let reason = match (selection, taken, &rule) {
            (Selection::All, true, None) => "a behavior without cache policy keys all query parameters".to_owned(),
            (Selection::All, ..) => "the policy takes all".to_owned(),
            (Selection::Include(_), true, _) => "named by the policy".to_owned(),
            (Selection::Exclude(_), true, _) => "not excluded by the policy".to_owned(),
            (Selection::Exclude(_), false, _) => "excluded by the policy".to_owned(),
            (_, false, None) => "a behavior without cache policy keys no headers and no cookies".to_owned(),
            (_, false, Some(rule)) => format!("dropped: not in {rule}"),
            (Selection::None, true, _) => "always in the key".to_owned(),
        };
        (reason, rule)
    }

    fn query(&self, parts: &mut Vec<KeyPart>) {
        let policy = &self.key.behavior.policy;
        let keyed = self.key.keyed.query.as_deref();
        for pair in keyed.into_iter().flat_map(|query| query.split('&')) {
            let (reason, rule) = self.by_selection(&policy.query, "query", true);
            parts.push(self.parameter(pair, true, reason, rule));
        }
        let sent = self.key.request.query.as_deref();
        for pair in sent.into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty()) {
            if !policy.query.takes(pair_name(pair)) {
                let (reason, rule) = self.by_selection(&policy.query, "query", false);
                parts.push(self.parameter(pair, false, reason, rule));
            } else if keyed.is_none_or(|keyed| !keyed.split('&').any(|known| known == pair)) {
                let reason = "dropped: a tracking parameter, or there twice".to_owned();
                parts.push(self.parameter(pair, false, reason, self.rule("query.normalize")));
            }
        }
    }

    fn parameter(&self, pair: &str, keyed: bool, reason: String, rule: Option<String>) -> KeyPart {
        let shown = self.mask.query(pair);
        KeyPart {
            part: format!("query {}", pair_name(pair)),
            value: pair_value(&shown).to_owned(),
            keyed,
            reason,
            rule,
        }
    }

    fn headers(&self, parts: &mut Vec<KeyPart>) {
        let (policy, request) = (&self.key.behavior.policy, &self.key.request);
        for name in &self.key.keyed.headers {
            let value = joined(&request.headers, name);
            let before = joined(&self.key.asked, name);
            let (reason, rule) = self.by_selection(&policy.headers, "headers", true);
            let normalised = is_normalised(&policy.normalise, name);
            let (reason, rule) = if normalised && before != value {
                (
                    format!("normalized from {:?}", self.mask.header(name.as_str(), &before)),
                    self.rule("headers.normalize"),
                )
            } else {
                (reason, rule)
            };
            let value = self.mask.header(name.as_str(), &value);
            parts.push(KeyPart { part: format!("header {name}"), value, keyed: true, reason, rule });
        }
        if let Selection::Include(names) = &policy.headers {
            for name in names.iter().filter(|name| !request.headers.contains_key(name.as_str())) {
                let (part, reason) =
                    (format!("header {}", name.to_ascii_lowercase()), "the request has none".to_owned());
                parts.push(KeyPart { part, value: String::new(), keyed: false, reason, rule: self.rule("headers") });
            }
        }
    }

    fn cookies(&self, parts: &mut Vec<KeyPart>) {
        let selection = &self.key.behavior.policy.cookies;
        let lines = self.key.request.headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        for pair in lines.flat_map(|line| line.split(';')).map(str::trim).filter(|pair| !pair.is_empty()) {
            let keyed = selection.takes(pair_name(pair));
            let (reason, rule) = self.by_selection(selection, "cookies", keyed);
            let value = self.mask.cookie(pair_value(pair));
            parts.push(KeyPart { part: format!("cookie {}", pair_name(pair)), value, keyed, reason, rule });
        }
    }

    /// Parts that the edge chose: encoding, experiments, a function that is left out.
    fn chosen(&self, parts: &mut Vec<KeyPart>) {
        let (policy, request) = (&self.key.behavior.policy, &self.key.request);
        if !policy.normalise.codings.is_empty() {
            let codings = crate::cache::joined(&policy.normalise.bucket(&request.headers));
            let value = codings.to_str().unwrap_or_default().to_owned();
            let (keyed, reason) = match self.key.asked.get(header::ACCEPT_ENCODING) {
                None => (false, "no Accept-Encoding sent".to_owned()),
                Some(sent) => (!value.is_empty(), format!("from Accept-Encoding {sent:?}")),
            };
            parts.push(KeyPart { part: "encoding".to_owned(), value, keyed, reason, rule: self.rule("encodings") });
        }
        for (name, variant) in &self.key.buckets {
            let (part, value) = (name.replacen('.', " ", 1), variant.clone());
            let of_experiment = name.starts_with("experiment.");
            let reason = if of_experiment { "the variant changes the answer" } else { "the page of its own failure" };
            parts.push(KeyPart { part, value, keyed: true, reason: reason.to_owned(), rule: Some(name.clone()) });
        }
    }
}

fn is_normalised(normalise: &Normalise, name: &HeaderName) -> bool {
    normalise.best_match.iter().any(|(known, _)| known == name)
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    values.collect::<Vec<_>>().join(", ")
}
