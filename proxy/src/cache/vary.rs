//! The secondary key: which request fields a response was negotiated by, and with which values.
//!
//! A [`Variant`] is taken when a response is stored and compared with every later request (http-cache.md 3.9, RFC 9111
//! section 4.1). Deliberately absent: the meaning of negotiation. Values are compared after white space has been evened
//! out; `Accept-Encoding` is reduced to the set of codings it offers and, where the rules say so, `Accept-Language` to
//! its weights.

use http::{HeaderMap, HeaderName, header};
use serde::{Deserialize, Serialize};

use super::{cache_control::split_outside_quotes, rules::VaryLanguage};

/// Names and values by which a response was selected; nothing, in one pointer, if it was not negotiated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Variant(Option<Box<Negotiated>>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Negotiated {
    #[serde(with = "named")]
    named: Box<[(HeaderName, Option<Vec<u8>>)]>,
    language: VaryLanguage,
}

/// Field names are kept as text.
mod named {
    use http::HeaderName;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    type Named = Box<[(HeaderName, Option<Vec<u8>>)]>;

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
    pub(crate) fn of(response: &HeaderMap, request: &HeaderMap, language: VaryLanguage) -> Self {
        let mut named: Vec<HeaderName> = names(response).flatten().collect();
        named.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        named.dedup();
        Self::by(named, request, language)
    }

    /// Names and values.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&HeaderName, Option<&[u8]>)> {
        self.pairs().iter().map(|(name, value)| (name, value.as_deref()))
    }

    /// What this variant's names select in another request.
    pub(crate) fn counterpart(&self, request: &HeaderMap) -> Self {
        let Some(own) = &self.0 else { return Self(None) };
        Self::by(own.named.iter().map(|(name, _)| name.clone()).collect(), request, own.language)
    }

    /// Whether `request` would be answered by the response of this variant. Absent matches only absent.
    pub(crate) fn matches(&self, request: &HeaderMap) -> bool {
        self.0.as_ref().is_none_or(|own| {
            own.named.iter().all(|(name, value)| selecting_value(name, request, own.language) == *value)
        })
    }

    /// Whether the response was negotiated at all.
    pub(crate) fn is_negotiated(&self) -> bool {
        self.0.is_some()
    }

    /// Whether it was by nothing but the codings that the viewer takes.
    pub(crate) fn is_by_codings(&self) -> bool {
        self.pairs().iter().all(|(name, _)| *name == header::ACCEPT_ENCODING)
    }

    /// Bytes that the variant occupies.
    pub(crate) fn weight(&self) -> usize {
        let named = self.pairs().iter();
        named.map(|(name, value)| name.as_str().len() + value.as_ref().map_or(0, Vec::len) + 64).sum()
    }

    fn pairs(&self) -> &[(HeaderName, Option<Vec<u8>>)] {
        self.0.as_ref().map_or(&[], |own| &own.named)
    }

    fn by(named: Vec<HeaderName>, request: &HeaderMap, language: VaryLanguage) -> Self {
        let value = |name: HeaderName| {
            let value = selecting_value(&name, request, language);
            (name, value)
        };
        if named.is_empty() {
            return Self(None);
        }
        Self(Some(Box::new(Negotiated { named: named.into_iter().map(value).collect(), language })))
    }
}

/// The members of all `Vary` lines; `None` where one is no field name (`*` is one by its syntax).
fn names(response: &HeaderMap) -> impl Iterator<Item = Option<HeaderName>> {
    let lines = response.get_all(header::VARY).iter();
    let members = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    members.filter(|member| !member.is_empty()).map(|member| HeaderName::from_bytes(member).ok())
}

/// The value of a field in the form in which it is compared; `None` if the request does not have it.
fn selecting_value(name: &HeaderName, request: &HeaderMap, language: VaryLanguage) -> Option<Vec<u8>> {
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
    if *name != header::ACCEPT_LANGUAGE {
        return Some(members.join(&b", "[..]));
    }
    Some(match language {
        VaryLanguage::Syntax => members.join(&b", "[..]).to_ascii_lowercase(),
        VaryLanguage::Normalised => weighted_languages(&members),
    })
}

/// Language ranges from the heaviest to the lightest, those of equal weight in alphabetical order.
fn weighted_languages(members: &[&[u8]]) -> Vec<u8> {
    let mut languages: Vec<(u16, Vec<u8>)> = members
        .iter()
        .filter_map(|member| {
            let mut parts = member.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let range = parts.next().filter(|range| !range.is_empty())?.to_ascii_lowercase();
            Some((parts.find_map(weight).unwrap_or(1000), range))
        })
        .collect();
    languages.sort_by(|(weight, range), (other_weight, other)| other_weight.cmp(weight).then(range.cmp(other)));
    languages.dedup();
    let shown = languages.into_iter().map(|(weight, mut range)| {
        range.extend_from_slice(format!(";q={weight}").as_bytes());
        range
    });
    shown.collect::<Vec<_>>().join(&b","[..])
}

/// A weight in thousandths; what cannot be read counts as absent.
fn weight(parameter: &[u8]) -> Option<u16> {
    let text = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="))?;
    let number: f32 = std::str::from_utf8(text).ok()?.parse().ok()?;
    // Clamped to what fits; the cast cannot lose anything but digits that weights do not have.
    (0.0..=1.0).contains(&number).then(|| (number * 1000.0).round() as u16)
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
