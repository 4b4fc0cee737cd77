//! `edgehook check`: everything that `serve` would find wrong, without serving, and what would not pass on CloudFront.

mod formats;

use super::{CheckArguments, Exit, find_config, findings, output::Output, schema};
use crate::app::{self, OnBroken, Roles, Runtime, SiteError};
use clap::ValueEnum;
use edgehook_config::{Config, Diagnostic, Diagnostics, Effective, Loaded, Mode};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path};

/// How findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people, with the lines that are meant.
    #[default]
    Human,
    /// One JSON object.
    Json,
    /// SARIF 2.1.0, which code hosts and editors read.
    Sarif,
    /// Annotations of GitHub Actions.
    Github,
}

pub(super) async fn run(arguments: CheckArguments, output: &Output) -> Exit {
    let file = match find_config(arguments.config.config.as_deref()) {
        Ok(file) => file,
        Err(none) => return none.report(output),
    };
    let format = if arguments.json { Format::Json } else { arguments.format };
    if arguments.show && matches!(format, Format::Sarif | Format::Github) {
        output.error("--show needs the format human or json");
        return Exit::Invalid;
    }
    if format != Format::Human {
        return for_programs(&file, format, &arguments, output).await;
    }
    let loaded = match edgehook_config::load(&file, Mode::Check) {
        Ok(loaded) => loaded,
        Err(problems) => {
            output.notice(problems.render(output.color()).trim_end());
            return Exit::Invalid;
        }
    };
    schema::refresh(&file);
    let strict = arguments.strict_cloudfront;
    let told = told(&loaded, strict);
    if !told.is_empty() {
        output.notice(told.render(output.color()).trim_end());
    }
    let (problems, broken) = load(&loaded.config).await;
    for problem in &problems {
        output.error(problem);
    }
    let found = findings::all(&loaded.config, &broken);
    for finding in &found {
        output.notice(&format!("{}\n", finding.rendered(strict, output.color())));
    }
    if !problems.is_empty() {
        output.notice(&format!("{} problem{}", problems.len(), if problems.len() == 1 { "" } else { "s" }));
        return Exit::Invalid;
    }
    let refused = told.error_count() + found.len();
    if strict && refused > 0 {
        let plural = if refused == 1 { "" } else { "s" };
        output.notice(&format!("{refused} problem{plural} for CloudFront"));
        return Exit::Invalid;
    }
    if told.warning_count() + found.len() > 0 && arguments.deny.is_some() {
        return Exit::Invalid;
    }
    let counts = format!("{}: ok  {}", file.display(), summary(&loaded.config));
    if arguments.show {
        output.notice(&counts);
        output.result(Effective::of(&loaded).toml().trim_end());
    } else {
        output.result(&counts);
    }
    Exit::Done
}

/// The same for programs. As JSON it is one object: `problems`, each with `code`, `severity`, `message`, and where it is known
/// `file`, `line`, `column`, `label` and `help`.
async fn for_programs(file: &Path, format: Format, arguments: &CheckArguments, output: &Output) -> Exit {
    let strict = arguments.strict_cloudfront;
    let (mut problems, mut counts, mut config) = (Vec::new(), Value::Null, None);
    match edgehook_config::load(file, Mode::Check) {
        Err(found) => problems.extend(found.iter().map(diagnostic)),
        Ok(loaded) => {
            problems.extend(told(&loaded, strict).iter().map(diagnostic));
            let (broken, names) = load(&loaded.config).await;
            problems.extend(broken.iter().map(|message| json!({ "severity": "error", "message": message })));
            let found = findings::all(&loaded.config, &names);
            problems.extend(found.iter().map(|finding| finding.as_json(strict)));
            counts = json!(summary(&loaded.config));
            config = Some(Effective::of(&loaded)).filter(|_| arguments.show);
        }
    }
    let denied = |problem: &Value| arguments.deny.is_some() && problem["severity"] == "warning";
    for problem in problems.iter_mut().filter(|problem| format != Format::Json && denied(problem)) {
        problem["severity"] = json!("error");
    }
    let fatal = |problem: &Value| problem["severity"] == "error" || denied(problem);
    let ok = !problems.iter().any(fatal);
    output.result(&match format {
        Format::Sarif => formats::sarif(file, &problems).to_string(),
        Format::Github => formats::github(file, &problems),
        Format::Human | Format::Json => {
            let mut report = json!({ "schema": 1, "file": file, "ok": ok, "summary": counts, "problems": problems });
            if let Some(config) = config.filter(|_| ok) {
                report["config"] = json!(config);
            }
            report.to_string()
        }
    });
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

/// What is told of a configuration that can be used.
fn told(loaded: &Loaded, strict: bool) -> Diagnostics {
    if strict { loaded.for_cloudfront() } else { loaded.warnings.clone() }
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
    if !config.authorizers.is_empty() {
        counts.push(counted(config.authorizers.len(), "authorizer"));
    }
    counts.join(" · ")
}
