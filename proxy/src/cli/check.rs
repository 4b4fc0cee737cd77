//! `edgehook check`: everything that `serve` would find wrong, without serving.

use super::{CheckArguments, Exit, find_config, no_config, output::Output};
use crate::app::{OnBroken, Roles, Runtime, SiteError};
use edgehook_config::{Config, Mode};

pub(super) async fn run(arguments: CheckArguments, output: &Output) -> Exit {
    let Some(file) = find_config(arguments.config.config.as_deref()) else { return no_config(output) };
    let loaded = match edgehook_config::load(&file, Mode::Check) {
        Ok(loaded) => loaded,
        Err(problems) => {
            output.notice(problems.render(output.color()).trim_end());
            return Exit::Invalid;
        }
    };
    let warnings = loaded.warnings.warning_count();
    if warnings > 0 {
        output.notice(loaded.warnings.render(output.color()).trim_end());
    }
    let problems = load(&loaded.config).await;
    for problem in &problems {
        output.error(problem);
    }
    if !problems.is_empty() {
        output.notice(&format!("{} of {} functions cannot be loaded", problems.len(), loaded.config.functions.len()));
        return Exit::Invalid;
    }
    if warnings > 0 && arguments.deny.is_some() {
        return Exit::Invalid;
    }
    let counts = summary(&loaded.config);
    output.result(&format!("{}: ok  {counts}", file.display()));
    Exit::Done
}

/// Loads every function and builds the site, then lets both go.
async fn load(config: &Config) -> Vec<String> {
    let roles = match Roles::find() {
        Ok(roles) => roles,
        Err(error) => return vec![format!("this executable cannot be found: {error}")],
    };
    let runtime = Runtime::start(config, &roles, Mode::Check, true);
    match runtime.site(config, OnBroken::Refuse).await {
        Ok(_) => Vec::new(),
        Err(SiteError::Functions(problems)) => problems.iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.to_string()],
    }
}

/// `3 behaviors · 2 origins · 3 functions`.
pub(super) fn summary(config: &Config) -> String {
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    [
        counted(config.behaviors.len(), "behavior"),
        counted(config.origins.len(), "origin"),
        counted(config.functions.len(), "function"),
    ]
    .join(" · ")
}
