//! `edgehook check`: everything that `serve` would find wrong, without serving, and what would not pass on CloudFront.

use super::{CheckArguments, Exit, find_config, findings, load_config, no_config, output::Output, schema};
use crate::app::{self, OnBroken, Roles, Runtime, SiteError};
use edgehook_config::{Code, Config, Diagnostics, Mode};
use std::collections::BTreeSet;

pub(super) async fn run(arguments: CheckArguments, output: &Output) -> Exit {
    let Some(file) = find_config(arguments.config.config.as_deref()) else { return no_config(output) };
    let Some(loaded) = load_config(&file, Mode::Check, output) else { return Exit::Invalid };
    schema::refresh(&file);
    let warnings = loaded.warnings.warning_count();
    let (problems, broken) = load(&loaded.config).await;
    for problem in &problems {
        output.error(problem);
    }
    let strict = arguments.strict_cloudfront;
    let found = findings::show(&loaded.config, &broken, strict, output);
    if !problems.is_empty() {
        output.notice(&format!("{} problem{}", problems.len(), if problems.len() == 1 { "" } else { "s" }));
        return Exit::Invalid;
    }
    let refused = refused_by_cloudfront(&loaded.warnings, found);
    if strict && refused > 0 {
        let plural = if refused == 1 { "" } else { "s" };
        output.notice(&format!("{refused} problem{plural} for CloudFront"));
        return Exit::Invalid;
    }
    if warnings + found > 0 && arguments.deny.is_some() {
        return Exit::Invalid;
    }
    let counts = summary(&loaded.config);
    output.result(&format!("{}: ok  {counts}", file.display()));
    Exit::Done
}

/// How much of what is only a warning here would not pass there.
fn refused_by_cloudfront(warnings: &Diagnostics, found: usize) -> usize {
    found + warnings.iter().filter(|warning| warning.code == Code::MixedFamilies).count()
}

/// Loads certificates and functions and builds the site, then lets all go. Returns what is wrong, and the functions that
/// cannot be loaded.
async fn load(config: &Config) -> (Vec<String>, BTreeSet<String>) {
    let roles = match Roles::find() {
        Ok(roles) => roles,
        Err(error) => {
            let all = config.functions.keys().cloned().collect();
            return (vec![format!("this executable cannot be found: {error}")], all);
        }
    };
    let mut found: Vec<String> = app::load_identities(config).err().iter().map(ToString::to_string).collect();
    let mut broken = BTreeSet::new();
    let runtime = Runtime::start(config, &roles, Mode::Check, true, None);
    match runtime.site(config, OnBroken::Refuse).await {
        Ok(_) => {}
        Err(SiteError::Functions(problems)) => {
            found.extend(problems.iter().map(ToString::to_string));
            broken.extend(problems.into_iter().map(|problem| problem.function));
        }
        Err(error) => found.push(error.to_string()),
    }
    (found, broken)
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
