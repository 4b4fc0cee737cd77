//! Sites for tests of a configuration: the same as those that serve, in a world of their own and with played origins.

use super::{Runtime, SiteError, site};
use crate::{
    auth::jwt::KeySet, cache::Cache, edge_fields::PlayedPlaces, origin::Stage, record::Tracing, site::Site,
    stores::Served, world::World,
};
use edgehook_config::{Config, Mode};
use std::sync::Arc;

/// What stands in for the world outside.
#[derive(Clone, Debug)]
pub(crate) struct Rehearsal {
    /// Time and chance.
    pub(crate) world: World,
    /// All origins.
    pub(crate) stage: Arc<dyn Stage>,
    /// The key that signs tokens for every authorizer.
    pub(crate) key: Arc<KeySet>,
    /// Where addresses are.
    pub(crate) places: Arc<PlayedPlaces>,
    /// What is recorded.
    pub(crate) tracing: Tracing,
}

impl Runtime {
    /// A site with an empty cache and the functions of `loaded`, which came of the same configuration.
    ///
    /// # Errors
    /// Something in the configuration cannot be used.
    pub(crate) fn rehearse(
        &self,
        config: &Config,
        loaded: &Site,
        rehearsal: Rehearsal,
    ) -> Result<Arc<Site>, SiteError> {
        let cache = Cache::within(rehearsal.world.clone(), site::cache_limits(config));
        let options = site::Options {
            number: 1,
            dev: false,
            enforce_https: true,
            https_port: None,
            fetch_keys: self.mode != Mode::Check,
            wishes: site::Wishes::default(),
            rehearsal: Some(rehearsal),
        };
        site::build(config, &loaded.functions, cache, &self.kept, options).map(Arc::new)
    }

    /// A key value store of the configuration.
    pub(crate) fn store(&self, name: &str) -> Option<Arc<Served>> {
        self.stores.get(name)
    }
}
