//! `edgehook check`: everything that `serve` would find wrong, without serving.

use super::{CheckArguments, Exit, find_config, load_config, no_config, output::Output};
use crate::app::{self, OnBroken, Roles, Runtime, SiteError};
use edgehook_config::{Config, Mode};

pub(super) async fn run(arguments: CheckArguments, output: &Output) -> Exit {
    let Some(file) = find_config(arguments.config.config.as_deref()) else { return no_config(output) };
    let Some(loaded) = load_config(&file, Mode::Check, output) else { return Exit::Invalid };
    let warnings = loaded.warnings.warning_count();
    let problems = load(&loaded.config).await;
    for problem in &problems {
        output.error(problem);
    }
    if !problems.is_empty() {
        output.notice(&format!("{} problem{}", problems.len(), if problems.len() == 1 { "" } else { "s" }));
        return Exit::Invalid;
    }
    if warnings > 0 && arguments.deny.is_some() {
        return Exit::Invalid;
    }
    let counts = summary(&loaded.config);
    output.result(&format!("{}: ok  {counts}", file.display()));
    Exit::Done
}

/// Loads certificates and functions and builds the site, then lets all go.
async fn load(config: &Config) -> Vec<String> {
    let roles = match Roles::find() {
        Ok(roles) => roles,
        Err(error) => return vec![format!("this executable cannot be found: {error}")],
    };
    let mut found: Vec<String> = app::load_identities(config).err().iter().map(ToString::to_string).collect();
    let runtime = Runtime::start(config, &roles, Mode::Check, true, None);
    match runtime.site(config, OnBroken::Refuse).await {
        Ok(_) => {}
        Err(SiteError::Functions(problems)) => found.extend(problems.iter().map(ToString::to_string)),
        Err(error) => found.push(error.to_string()),
    }
    found
}

/// `3 behaviors · 2 origins · 3 functions`.
pub(super) fn summary(config: &Config) -> String {
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let mut counts = vec![
        counted(config.behaviors.len(), "behavior"),
        counted(config.origins.len(), "origin"),
        counted(config.functions.len(), "function"),
    ];
    if !config.experiments.is_empty() {
        counts.push(counted(config.experiments.len(), "experiment"));
    }
    counts.join(" · ")
}
