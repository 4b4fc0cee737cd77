//! Where something stands in a configuration: from `cache_policy.pages.query` or `behavior 2` to a place in the text.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::document::is_json;
use crate::json;

/// The byte at which a rule stands, or the nearest table around it that is written; `None` where there is none, or the text cannot
/// be read. `name` is the file's, which says in what format it is.
#[must_use]
pub fn offset(source: &str, name: &str, rule: &str) -> Option<usize> {
    let document = if is_json(name) {
        let (document, flaws) = json::parse(source);
        flaws.is_empty().then_some(document)?
    } else {
        DeTable::parse(source).ok()?.into_inner()
    };
    match rule.strip_prefix("behavior ") {
        Some(index) => behavior(&document, index.parse().ok()?),
        None => written(&document, rule),
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
        let toml = "[cache_policy.pages]\nttl = { min = \"0s\" }\nquery = \"all\"\n[[behavior]]\npath = \"*\"\n";
        let json = "{ \"cache_policy\": { \"pages\": {\n\"ttl\": { \"min\": \"0s\" },\n\"query\": \"all\"\n} },\n\"behavior\": [{ \"path\": \"*\" }] }";
        for (name, text) in [("edge.toml", toml), ("edge.json", json)] {
            let line = |rule: &str| Some(text[..offset(text, name, rule)?].matches('\n').count() + 1);
            assert_eq!(line("cache_policy.pages.query"), Some(3));
            assert_eq!(line("cache_policy.pages.query.normalize"), Some(3));
            assert_eq!(line("cache_policy.pages.headers"), Some(1));
            assert_eq!(line("behavior 0"), Some(5));
            assert_eq!((line("cache_policy.other.query"), line("behavior 1")), (None, None));
            assert_eq!(offset("{", name, "behavior 0"), None);
        }
    }
}
