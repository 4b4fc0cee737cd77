//! The secondary key: which request fields a response was negotiated by, and with which values.
//!
//! A [`Variant`] is taken when a response is stored and compared with every later request (http-cache.md 3.9, RFC 9111
//! section 4.1). Deliberately absent: the meaning of negotiation. Values are compared after white space has been evened
//! out; only `Accept-Encoding` is reduced to the set of codings it offers.

use http::{HeaderMap, HeaderName, header};
use serde::{Deserialize, Serialize};

use super::cache_control::split_outside_quotes;

/// Names and values by which a response was selected; empty if it was not negotiated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Variant(#[serde(with = "named")] Vec<(HeaderName, Option<Vec<u8>>)>);

/// Field names are kept as text.
mod named {
    use http::HeaderName;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    type Named = Vec<(HeaderName, Option<Vec<u8>>)>;

    pub(super) fn serialize<S: Serializer>(named: &[(HeaderName, Option<Vec<u8>>)], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(named.iter().map(|(name, value)| (name.as_str(), value)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Named, D::Error> {
        let texts = Vec::<(String, Option<Vec<u8>>)>::deserialize(from)?;
        let name = |(name, value): (String, _)| Ok((HeaderName::try_from(name).map_err(D::Error::custom)?, value));
        texts.into_iter().map(name).collect()
    }
}

impl Variant {
    /// Whether the response's `Vary` rules out that any later request matches: `*`, or something that is no field name.
    pub(crate) fn is_unmatchable(response: &HeaderMap) -> bool {
        names(response).any(|name| name.is_none_or(|name| name == "*"))
    }

    /// Takes the values of the fields that the response's `Vary` names from the request that it answered.
    pub(crate) fn of(response: &HeaderMap, request: &HeaderMap) -> Self {
        let mut named: Vec<HeaderName> = names(response).flatten().collect();
        named.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        named.dedup();
        Self::by(named, request)
    }

    /// What this variant's names select in another request.
    pub(crate) fn counterpart(&self, request: &HeaderMap) -> Self {
        Self::by(self.0.iter().map(|(name, _)| name.clone()).collect(), request)
    }

    /// Whether `request` would be answered by the response of this variant. Absent matches only absent.
    pub(crate) fn matches(&self, request: &HeaderMap) -> bool {
        self.0.iter().all(|(name, value)| selecting_value(name, request) == *value)
    }

    /// Whether the response was negotiated at all.
    pub(crate) fn is_negotiated(&self) -> bool {
        !self.0.is_empty()
    }

    /// Bytes that the variant occupies.
    pub(crate) fn weight(&self) -> usize {
        self.0.iter().map(|(name, value)| name.as_str().len() + value.as_ref().map_or(0, Vec::len) + 64).sum()
    }

    fn by(named: Vec<HeaderName>, request: &HeaderMap) -> Self {
        let value = |name: HeaderName| {
            let value = selecting_value(&name, request);
            (name, value)
        };
        Self(named.into_iter().map(value).collect())
    }
}

/// The members of all `Vary` lines; `None` where one is no field name (`*` is one by its syntax).
fn names(response: &HeaderMap) -> impl Iterator<Item = Option<HeaderName>> {
    let lines = response.get_all(header::VARY).iter();
    let members = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    members.filter(|member| !member.is_empty()).map(|member| HeaderName::from_bytes(member).ok())
}

/// The value of a field in the form in which it is compared; `None` if the request does not have it.
fn selecting_value(name: &HeaderName, request: &HeaderMap) -> Option<Vec<u8>> {
    if !request.contains_key(name) {
        return None;
    }
    let lines = request.get_all(name).iter();
    let members: Vec<&[u8]> = lines
        .flat_map(|line| split_outside_quotes(line.as_bytes(), b',').collect::<Vec<_>>())
        .map(<[u8]>::trim_ascii)
        .collect();
    if *name == header::ACCEPT_ENCODING {
        return Some(offered_codings(&members));
    }
    let lower = *name == header::ACCEPT_LANGUAGE;
    let joined = members.join(&b", "[..]);
    Some(if lower { joined.to_ascii_lowercase() } else { joined })
}

/// The content codings that are acceptable at all, sorted; order and preference do not make a variant.
fn offered_codings(members: &[&[u8]]) -> Vec<u8> {
    let mut codings: Vec<Vec<u8>> = members.iter().filter_map(|member| offered_coding(member)).collect();
    codings.sort();
    codings.dedup();
    codings.join(&b","[..])
}

fn offered_coding(member: &[u8]) -> Option<Vec<u8>> {
    let mut parts = member.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let coding = parts.next().filter(|coding| !coding.is_empty())?;
    let refused = parts.any(|parameter| {
        let weight = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="));
        weight.is_some_and(|weight| {
            weight.first() == Some(&b'0') && weight.iter().all(|byte| matches!(byte, b'0' | b'.'))
        })
    });
    (!refused).then(|| coding.to_ascii_lowercase())
}

#[cfg(test)]
#[path = "tests/vary.rs"]
mod tests;
