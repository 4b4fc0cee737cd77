//! What `check` finds, as other tools read it: SARIF, and annotations of GitHub Actions.
//!
//! Both are made of the problems that `--json` prints. Deliberately absent: finding them.

use super::super::codes;
use serde_json::{Map, Value, json};
use std::path::Path;

/// One run of SARIF 2.1.0 (OASIS): a result per problem, and a rule per code, with its title.
pub(super) fn sarif(file: &Path, problems: &[Value]) -> Value {
    let mut rules: Vec<&str> = problems.iter().filter_map(|problem| problem["code"].as_str()).collect();
    rules.sort_unstable();
    rules.dedup();
    let rule = |code: &str| {
        let mut rule = json!({ "id": code });
        if let Some(title) = codes::title(code) {
            rule["shortDescription"] = json!({ "text": title });
        }
        rule
    };
    let driver = json!({
        "name": "edgehook",
        "version": env!("CARGO_PKG_VERSION"),
        "rules": rules.into_iter().map(rule).collect::<Vec<_>>(),
    });
    let results: Vec<Value> = problems.iter().map(|problem| result(file, problem)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{ "tool": { "driver": driver }, "columnKind": "unicodeCodePoints", "results": results }],
    })
}

fn result(file: &Path, problem: &Value) -> Value {
    let mut result = Map::new();
    if let Some(code) = problem["code"].as_str() {
        result.insert("ruleId".to_owned(), json!(code));
    }
    result.insert("level".to_owned(), problem["severity"].clone());
    result.insert("message".to_owned(), json!({ "text": whole(problem) }));
    let mut place = json!({ "artifactLocation": { "uri": place(file, problem) } });
    if let Some(line) = problem["line"].as_u64().filter(|line| *line > 0) {
        place["region"] = json!({ "startLine": line });
        if let Some(column) = problem["column"].as_u64().filter(|column| *column > 0) {
            place["region"]["startColumn"] = json!(column);
        }
    }
    result.insert("locations".to_owned(), json!([{ "physicalLocation": place }]));
    result.into()
}

/// A workflow command per problem: `::error file=edge.toml,line=6,col=10,title=E102::text`.
pub(super) fn github(file: &Path, problems: &[Value]) -> String {
    let command = |problem: &Value| {
        let mut properties = vec![format!("file={}", property(&place(file, problem)))];
        for (name, key) in [("line", "line"), ("col", "column")] {
            properties.extend(problem[key].as_u64().map(|number| format!("{name}={number}")));
        }
        properties.extend(problem["code"].as_str().map(|code| format!("title={code}")));
        let severity = match problem["severity"].as_str() {
            Some("note") => "notice",
            other => other.unwrap_or("error"),
        };
        format!("::{severity} {}::{}", properties.join(","), data(&whole(problem)))
    };
    problems.iter().map(command).collect::<Vec<_>>().join("\n")
}

/// The file that a problem is in; the configuration, where it does not say.
fn place(file: &Path, problem: &Value) -> String {
    problem["file"].as_str().map_or_else(|| file.display().to_string(), str::to_owned)
}

/// Message, label and help.
fn whole(problem: &Value) -> String {
    let parts = ["message", "label", "help"].map(|key| problem[key].as_str().unwrap_or_default());
    match parts {
        [message, "", ""] => message.to_owned(),
        [message, label, ""] => format!("{message}: {label}"),
        [message, "", help] => format!("{message}\n{help}"),
        [message, label, help] => format!("{message}: {label}\n{help}"),
    }
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_escape_what_github_would_read() {
        let problems = [
            json!({ "code": "E102", "severity": "error", "message": "100%", "file": "a,b:c", "line": 6, "column": 2, "help": "x\ny" }),
            json!({ "severity": "warning", "message": "m", "label": "l" }),
        ];
        let expected = "::error file=a%2Cb%3Ac,line=6,col=2,title=E102::100%25%0Ax%0Ay\n::warning file=edge.toml::m: l";
        assert_eq!(github(Path::new("edge.toml"), &problems), expected);
        assert_eq!(github(Path::new("edge.toml"), &[]), "");
    }
}
