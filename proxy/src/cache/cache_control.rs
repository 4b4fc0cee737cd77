//! The `Cache-Control` field of a response, parsed once into the directives that a shared cache acts on.
//!
//! Follows http-cache.md 3.1 and 3.2 (RFC 9111 section 5.2): names in any case, unknown directives ignored, the most
//! restrictive of several, a number that is none counts as zero. Deliberately absent: the directives of requests
//! (`request_control`), targeted fields (`targeted`), and any decision; those are in `policy`.

use http::{HeaderMap, HeaderName, header};

/// The largest number of seconds that is told apart from infinity (RFC 9111 section 1.2.2).
pub(crate) const MAX_SECONDS: u64 = 1 << 31;

/// A directive that may be narrowed to named fields, as `private` and `no-cache` can.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The directive was not there.
    #[default]
    Absent,
    /// It concerns these fields only.
    Fields(Vec<HeaderName>),
    /// It concerns the whole response.
    Whole,
}

impl Scope {
    /// Takes in one more occurrence; the whole beats the part.
    fn add(&mut self, value: Option<&[u8]>) {
        let named = value.map(field_names).unwrap_or_default();
        match self {
            Self::Whole => {}
            _ if named.is_empty() => *self = Self::Whole,
            Self::Absent => *self = Self::Fields(named),
            Self::Fields(fields) => fields.extend(named),
        }
    }

    /// The scope that a quoted list of field names gives.
    pub(crate) fn of(value: &[u8]) -> Self {
        let mut scope = Self::Absent;
        scope.add(Some(value));
        scope
    }

    /// The named fields, if there are any.
    pub(crate) fn fields(&self) -> &[HeaderName] {
        match self {
            Self::Fields(fields) => fields,
            Self::Absent | Self::Whole => &[],
        }
    }
}

/// What the directives of one response say. Durations are whole seconds, at most [`MAX_SECONDS`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CacheControl {
    pub(crate) no_store: bool,
    pub(crate) public: bool,
    pub(crate) must_revalidate: bool,
    pub(crate) proxy_revalidate: bool,
    pub(crate) must_understand: bool,
    pub(crate) private: Scope,
    pub(crate) no_cache: Scope,
    pub(crate) max_age: Option<u64>,
    pub(crate) s_maxage: Option<u64>,
    pub(crate) stale_while_revalidate: Option<u64>,
    pub(crate) stale_if_error: Option<u64>,
}

impl CacheControl {
    /// Reads all `Cache-Control` lines. Never fails: what cannot be understood is left out or counts as the strictest.
    pub(crate) fn parse(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        for line in headers.get_all(header::CACHE_CONTROL) {
            split_outside_quotes(line.as_bytes(), b',').for_each(|member| directives.take(member.trim_ascii()));
        }
        directives
    }

    fn take(&mut self, member: &[u8]) {
        let mut halves = member.splitn(2, |byte| *byte == b'=');
        let name = halves.next().unwrap_or_default().to_ascii_lowercase();
        let raw = halves.next();
        if raw.is_some_and(|value| value.first().is_some_and(u8::is_ascii_whitespace)) {
            return; // white space around the equals sign makes an unknown directive; before it, the name does not match
        }
        let value = raw.map(unquote);
        let value = value.as_deref();
        match name.as_slice() {
            b"no-store" => self.no_store = true,
            b"public" => self.public = true,
            b"must-revalidate" => self.must_revalidate = true,
            b"proxy-revalidate" => self.proxy_revalidate = true,
            b"must-understand" => self.must_understand = true,
            b"private" => self.private.add(value),
            b"no-cache" => self.no_cache.add(value),
            b"max-age" => least(&mut self.max_age, value),
            b"s-maxage" => least(&mut self.s_maxage, value),
            b"stale-while-revalidate" => least(&mut self.stale_while_revalidate, value),
            b"stale-if-error" => least(&mut self.stale_if_error, value),
            _ => {}
        }
    }
}

fn least(slot: &mut Option<u64>, value: Option<&[u8]>) {
    let seconds = value.and_then(delta_seconds).unwrap_or(0);
    *slot = Some(slot.map_or(seconds, |known| known.min(seconds)));
}

/// A number of seconds as RFC 9111 section 1.2.2 writes it: digits and nothing else, cut at [`MAX_SECONDS`].
pub(crate) fn delta_seconds(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0_u64, |sum, digit| (sum * 10 + u64::from(digit - b'0')).min(MAX_SECONDS)))
}

/// Splits at `separator` where it stands outside of quoted strings. An open quote reaches to the end of the line.
pub(crate) fn split_outside_quotes(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => return !quoted && *byte == separator,
        }
        false
    })
}

/// Takes the quotes and escapes off a complete quoted string; anything else stays as it is.
pub(crate) fn unquote(value: &[u8]) -> Vec<u8> {
    let Some(inner) = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else {
        return value.to_vec();
    };
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        plain.extend(if *byte == b'\\' { bytes.next() } else { Some(byte) });
    }
    plain
}

/// The names in the value of `private="a, b"`; empty (so the whole response is meant) if any of them is no field name.
fn field_names(value: &[u8]) -> Vec<HeaderName> {
    let members = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty());
    members.map(HeaderName::from_bytes).collect::<Result<_, _>>().unwrap_or_default()
}

#[cfg(test)]
#[path = "tests/cache_control.rs"]
mod tests;
