//! From `[access_log]` to the settings of the log.

use crate::access_log::{Format, Settings, Target};
use edgehook_config::{Config, LogFormat, LogTarget};

/// Where the log goes and how it is written; none: there is to be none.
#[must_use]
pub(crate) fn settings(config: &Config) -> Option<Settings> {
    let written = config.access_log.as_ref()?;
    let target = match &written.target {
        LogTarget::Stdout => Target::Stdout,
        LogTarget::File(path) => Target::File(path.clone()),
    };
    let format = match written.format {
        LogFormat::Json => Format::Json,
        LogFormat::CloudFront => Format::CloudFront,
    };
    Some(Settings { target, format })
}
