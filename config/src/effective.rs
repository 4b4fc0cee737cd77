//! The effective configuration: every key with the value that counts, as it would be written in the file.
//!
//! [`Effective::of`] writes a checked configuration back: defaults and inherited values stand beside what was written, paths are
//! absolute, durations and sizes have their units. What cannot be told apart from not being written (`None`) is left out, and so are
//! policies that CloudFront manages. Secrets are masked, and a value that came from `${NAME}` or `${file:PATH}` shows that reference
//! instead, wherever it stands. Read again, the text means the same; a test holds it to that.

mod behaviors;
mod caching;
mod functions;
mod guards;
mod node;
mod serving;

use crate::Loaded;
use node::{Node, Table};
use serde::{Serialize, Serializer};

/// Stands in for a secret that is written in the file itself.
pub(crate) const MASK: &str = "(secret)";

/// A configuration written back. Serialised, it is one table of tables.
#[derive(Debug, Clone)]
pub struct Effective(Table);

impl Effective {
    /// Writes a configuration back.
    #[must_use]
    pub fn of(loaded: &Loaded) -> Self {
        let config = &loaded.config;
        let mut root = Table::default();
        root.put("version", 1);
        root.put("server", serving::server(&config.server));
        root.put("limits", serving::limits(&config.limits));
        root.put("admin", serving::admin(&config.admin));
        root.put("debug", config.debug.as_ref().map(serving::debug));
        root.put("access_log", config.access_log.as_ref().map(serving::access_log));
        root.put("trace", serving::trace(&config.trace));
        root.filled("geo", serving::geo(&config.geo));
        let endpoint = |url: &crate::OriginUrl| Table::default().with("endpoint", url.to_string());
        root.put("s3", config.s3_endpoint.as_ref().map(endpoint));
        root.put("cache", caching::node(&config.cache));
        root.named("origin", config.origins.values().map(|it| (&it.name, serving::origin(it))));
        root.named("origin_group", config.origin_groups.values().map(|it| (&it.name, serving::origin_group(it))));
        caching::policies(&mut root, config);
        root.named("kvs", config.kvs.values().map(|it| (&it.name, functions::store(it))));
        root.named("key_group", config.key_groups.values().map(|it| (&it.name, guards::key_group(it))));
        root.named("function", config.functions.values().map(|it| (&it.name, functions::function(it))));
        root.named("authorizer", config.authorizers.values().map(|it| (&it.name, guards::authorizer(it))));
        root.named("experiment", config.experiments.values().map(|it| (&it.name, behaviors::experiment(it))));
        root.list("custom_error_response", config.error_responses.iter().map(behaviors::error_response));
        root.list("behavior", config.behaviors.iter().map(|it| behaviors::behavior(it, &config.cache.rules)));
        root.filled("dev", serving::dev(&config.dev));
        root.mask(&loaded.references);
        Self(root)
    }

    /// As TOML.
    #[must_use]
    pub fn toml(&self) -> String {
        // Text, numbers, booleans, lists and tables under text keys: all of it can be written.
        toml::to_string(self).unwrap_or_default()
    }
}

impl Serialize for Effective {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// A word, or nothing.
fn word(yes: bool, then: &'static str, otherwise: &'static str) -> Node {
    Node::from(if yes { then } else { otherwise })
}
