//! Credentials in addresses, kept out of logs, traces and `Referer` (security.md A02, J13).

use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// The query parameters of a site that hold credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretParameters(Vec<String>);

impl SecretParameters {
    /// With these names.
    #[must_use]
    pub fn new(mut names: Vec<String>) -> Self {
        names.sort();
        names.dedup();
        Self(names)
    }

    /// Also where the name is written with escapes: who reads a log may decode them.
    fn holds(&self, pair: &str) -> bool {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        self.0.iter().any(|secret| percent_decode_str(name).eq(secret.bytes()))
    }

    /// An address for a log: values of secret parameters become `***`.
    #[must_use]
    pub fn redact<'a>(&self, address: &'a str) -> Cow<'a, str> {
        let Some((path, query)) = address.split_once('?').filter(|_| !self.0.is_empty()) else { return address.into() };
        if !query.split('&').any(|pair| self.holds(pair)) {
            return address.into();
        }
        let masked = |pair| {
            if self.holds(pair) {
                format!("{}=***", pair.split('=').next().unwrap_or_default())
            } else {
                pair.to_owned()
            }
        };
        format!("{path}?{}", query.split('&').map(masked).collect::<Vec<_>>().join("&")).into()
    }

    /// An address without its secret parameters; `None` when it has none.
    #[must_use]
    pub fn without(&self, address: &str) -> Option<String> {
        let (path, query) = address.split_once('?').filter(|_| !self.0.is_empty())?;
        let (query, fragment) =
            query.split_once('#').map_or((query, None), |(query, fragment)| (query, Some(fragment)));
        if !query.split('&').any(|pair| self.holds(pair)) {
            return None;
        }
        let kept: Vec<&str> = query.split('&').filter(|pair| !self.holds(pair)).collect();
        let mut shown = path.to_owned();
        if !kept.is_empty() {
            shown = format!("{shown}?{}", kept.join("&"));
        }
        Some(fragment.map_or(shown.clone(), |fragment| format!("{shown}#{fragment}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_nothing_else() {
        let secrets = SecretParameters::new(vec!["token".to_owned(), "Signature".to_owned()]);
        for (address, shown, kept) in [
            ("/a?x=1&token=abc&y", "/a?x=1&token=***&y", Some("/a?x=1&y")),
            ("/a?token=abc", "/a?token=***", Some("/a")),
            ("/a?%74oken=abc#f", "/a?%74oken=***", Some("/a#f")),
            ("/a?tokens=abc", "/a?tokens=abc", None),
            ("/token=abc", "/token=abc", None),
            ("/a?Signature=a&token=b&Signature=c", "/a?Signature=***&token=***&Signature=***", Some("/a")),
        ] {
            assert_eq!(secrets.redact(address), shown);
            assert_eq!(secrets.without(address).as_deref(), kept);
        }
        assert_eq!(SecretParameters::default().redact("/a?token=abc"), "/a?token=abc");
    }
}
