//! `edgehook check`: everything that `serve` would find wrong, without serving, and what would not pass on CloudFront.

use super::{CheckArguments, Exit, find_config, findings, load_config, no_config, output::Output, schema};
use crate::app::{self, OnBroken, Roles, Runtime, SiteError};
use edgehook_config::{Code, Config, Diagnostic, Diagnostics, Mode};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path};

pub(super) async fn run(arguments: CheckArguments, output: &Output) -> Exit {
    let Some(file) = find_config(arguments.config.config.as_deref()) else { return no_config(output) };
    if arguments.json {
        return as_json(&file, &arguments, output).await;
    }
    let Some(loaded) = load_config(&file, Mode::Check, output) else { return Exit::Invalid };
    schema::refresh(&file);
    let warnings = loaded.warnings.warning_count();
    let (problems, broken) = load(&loaded.config).await;
    for problem in &problems {
        output.error(problem);
    }
    let strict = arguments.strict_cloudfront;
    let found = findings::all(&loaded.config, &broken);
    for finding in &found {
        output.notice(&format!("{}\n", finding.rendered(strict, output.color())));
    }
    let settings = if strict { findings::settings(&loaded.config) } else { Vec::new() };
    for problem in &settings {
        output.error(problem);
    }
    if !problems.is_empty() {
        output.notice(&format!("{} problem{}", problems.len(), if problems.len() == 1 { "" } else { "s" }));
        return Exit::Invalid;
    }
    let refused = refused_by_cloudfront(&loaded.warnings, found.len() + settings.len());
    if strict && refused > 0 {
        let plural = if refused == 1 { "" } else { "s" };
        output.notice(&format!("{refused} problem{plural} for CloudFront"));
        return Exit::Invalid;
    }
    if warnings + found.len() > 0 && arguments.deny.is_some() {
        return Exit::Invalid;
    }
    let counts = summary(&loaded.config);
    output.result(&format!("{}: ok  {counts}", file.display()));
    Exit::Done
}

/// The same as one JSON object: `problems`, each with `code`, `severity`, `message`, and where it is known `file`, `line`,
/// `column`, `label` and `help`.
async fn as_json(file: &Path, arguments: &CheckArguments, output: &Output) -> Exit {
    let strict = arguments.strict_cloudfront;
    let (mut problems, counts) = match edgehook_config::load(file, Mode::Check) {
        Err(found) => (found.iter().map(diagnostic).collect(), Value::Null),
        Ok(loaded) => {
            let mut problems: Vec<Value> = loaded.warnings.iter().map(diagnostic).collect();
            let (broken, names) = load(&loaded.config).await;
            problems.extend(broken.iter().map(|message| json!({ "severity": "error", "message": message })));
            let found = findings::all(&loaded.config, &names);
            problems.extend(found.iter().map(|finding| finding.as_json(strict)));
            let settings = if strict { findings::settings(&loaded.config) } else { Vec::new() };
            problems.extend(settings.iter().map(|message| json!({ "severity": "error", "message": message })));
            (problems, json!(summary(&loaded.config)))
        }
    };
    if strict {
        for problem in &mut problems {
            if problem["code"] == Code::MixedFamilies.as_str() {
                problem["severity"] = json!("error");
            }
        }
    }
    let fatal = |problem: &Value| problem["severity"] == "error" || arguments.deny.is_some();
    let ok = !problems.iter().any(fatal);
    let report = json!({ "schema": 1, "file": file, "ok": ok, "summary": counts, "problems": problems });
    output.result(&report.to_string());
    if ok { Exit::Done } else { Exit::Invalid }
}

fn diagnostic(found: &Diagnostic) -> Value {
    json!({
        "code": found.code.as_str(),
        "severity": found.severity().as_str(),
        "message": found.message,
        "file": found.file,
        "line": found.line,
        "column": found.column,
        "label": found.label,
        "help": found.help,
    })
}

/// How much of what is only a warning here would not pass there.
fn refused_by_cloudfront(warnings: &Diagnostics, found: usize) -> usize {
    let refused = [Code::MixedFamilies, Code::StoreQuota];
    found + warnings.iter().filter(|warning| refused.contains(&warning.code)).count()
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
