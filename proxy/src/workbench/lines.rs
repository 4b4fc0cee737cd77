//! Where something stands in a configuration file: from `cache_policy.pages.query` or `behavior 2` to `edge.toml:31`.

use std::path::Path;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A file with its tables.
#[derive(Debug, Default)]
pub(crate) struct Places {
    name: String,
    text: String,
}

impl Places {
    /// Reads a file; one that cannot be read has no places.
    pub(crate) fn read(file: &Path) -> Self {
        Self { name: file.display().to_string(), text: std::fs::read_to_string(file).unwrap_or_default() }
    }

    /// File and line of a rule, or of the nearest table around it that is written.
    pub(crate) fn of(&self, rule: &str) -> Option<String> {
        let (document, errors) = DeTable::parse_recoverable(&self.text);
        if !errors.is_empty() {
            return None;
        }
        let start = match rule.strip_prefix("behavior ") {
            Some(index) => behavior(document.get_ref(), index.parse().ok()?)?,
            None => written(document.get_ref(), rule)?,
        };
        let line = self.text.get(..start)?.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Some(format!("{}:{line}", self.name))
    }
}

fn behavior(root: &DeTable<'_>, index: usize) -> Option<usize> {
    let behavior = root.get("behavior")?.get_ref().as_array()?.get(index)?.get_ref().as_table()?;
    let (_, path) = behavior.get_key_value("path")?;
    Some(path.span().start)
}

/// The place of a dotted name, as far as it is written; none where not even a table of that name is.
fn written(root: &DeTable<'_>, rule: &str) -> Option<usize> {
    let (mut table, mut found, mut depth) = (root, None, 0);
    for name in rule.split('.') {
        let Some((key, value)): Option<(_, &Spanned<DeValue<'_>>)> = table.get_key_value(name) else { break };
        found = Some(key.span().start);
        depth += 1;
        match value.get_ref().as_table() {
            Some(inner) => table = inner,
            None => break,
        }
    }
    found.filter(|_| depth >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_have_lines() {
        let text = "[cache_policy.pages]\nttl = { min = \"0s\" }\nquery = \"all\"\n[[behavior]]\npath = \"*\"\n";
        let places = Places { name: "edge.toml".to_owned(), text: text.to_owned() };
        let of = |rule: &str| places.of(rule);
        assert_eq!(of("cache_policy.pages.query").as_deref(), Some("edge.toml:3"));
        assert_eq!(of("cache_policy.pages.query.normalize").as_deref(), Some("edge.toml:3"));
        assert_eq!(of("cache_policy.pages.headers").as_deref(), Some("edge.toml:1"));
        assert_eq!(of("behavior 0").as_deref(), Some("edge.toml:5"));
        assert_eq!((of("cache_policy.other.query"), of("behavior 1")), (None, None));
    }
}
