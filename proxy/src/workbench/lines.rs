//! Where something stands in a configuration file: from `cache_policy.pages.query` or `behavior 2` to `edge.toml:31`.

use std::path::Path;

/// A file and its text.
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
        let start = edgehook_config::offset(&self.text, &self.name, rule)?;
        let line = self.text.get(..start)?.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Some(format!("{}:{line}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_have_lines() {
        let text = "[cache_policy.pages]\nttl = { min = \"0s\" }\nquery = \"all\"\n[[behavior]]\npath = \"*\"\n";
        let places = Places { name: "edge.toml".to_owned(), text: text.to_owned() };
        assert_eq!(places.of("cache_policy.pages.query").as_deref(), Some("edge.toml:3"));
        assert_eq!(places.of("behavior 0").as_deref(), Some("edge.toml:5"));
        assert_eq!(places.of("behavior 1"), None);
    }
}
