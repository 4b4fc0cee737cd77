//! `edgehook experiment status`: how the experiments of a running node are doing.

use super::{Exit, NodeArguments, output::Output};
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) async fn status(name: Option<&str>, json: bool, node: &NodeArguments, output: &Output) -> Exit {
    let node = match node.node(output) {
        Ok(node) => node,
        Err(problem) => {
            output.error(&problem);
            return Exit::Invalid;
        }
    };
    let answer = match node.call("GET", "/experiments", None).await {
        Ok(answer) => answer,
        Err(problem) => return problem.report(output),
    };
    let known = answer["experiments"].as_array().cloned().unwrap_or_default();
    let shown: Vec<&Value> = known.iter().filter(|known| name.is_none_or(|name| known["name"] == name)).collect();
    if let (Some(name), true) = (name, shown.is_empty()) {
        let names: Vec<&str> = known.iter().filter_map(|known| known["name"].as_str()).collect();
        let list = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        output.error(&format!("no experiment \"{name}\"   experiments: {list}"));
        return Exit::Invalid;
    }
    if json {
        output.result(&format!("{:#}", json!({ "schema": 1, "experiments": shown })));
    } else if shown.is_empty() {
        output.result("no experiments");
    } else {
        output.result(shown.iter().map(|shown| table(shown)).collect::<Vec<_>>().join("\n").trim_end());
    }
    let off = shown.iter().any(|shown| shown["sample_ratio"]["verdict"] == "mismatch");
    if off { Exit::No } else { Exit::Done }
}

/// One experiment for people.
fn table(experiment: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut shown = format!(
        "{}  {}  {}  since {}\n  {:<16} {:>8} {:>9} {:>9} {:>9} {:>10} {:>8} {:>8} {:>8} {:>7} {:>9} {:>9} {:>9}\n",
        text(&experiment["name"]),
        text(&experiment["match"]),
        text(&experiment["assign"]),
        text(&experiment["since"]),
        "variant",
        "weight",
        "expected",
        "viewers",
        "share",
        "requests",
        "3xx",
        "4xx",
        "5xx",
        "hits",
        "p50 ms",
        "p95 ms",
        "p99 ms",
    );
    let variants = experiment["variants"].as_array().map(Vec::as_slice).unwrap_or_default();
    for variant in variants {
        let (status, latency) = (&variant["status"], &variant["latency_ms"]);
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        let _ = writeln!(
            shown,
            "  {:<16} {:>8} {:>9} {:>9} {:>9} {:>10} {:>8} {:>8} {:>8} {:>7} {:>9} {:>9} {:>9}",
            text(&variant["name"]),
            number(&variant["weight"]),
            percent(&variant["expected_share"]),
            number(&variant["viewers"]),
            percent(&variant["viewer_share"]),
            number(&variant["requests"]),
            number(&status["3xx"]),
            number(&status["4xx"]),
            number(&status["5xx"]),
            percent(&variant["hit_ratio"]),
            milliseconds(&latency["p50"]),
            milliseconds(&latency["p95"]),
            milliseconds(&latency["p99"]),
        ); // writing into a String cannot fail
    }
    let _ = writeln!(shown, "  {}", verdict(&experiment["sample_ratio"]));
    shown
}

fn verdict(ratio: &Value) -> String {
    let number = |key: &str| ratio[key].as_f64().unwrap_or_default();
    let figures = format!("chi-square {:.2}, p = {:.2e}", number("chi_square"), number("p"));
    match ratio["verdict"].as_str() {
        Some("fits") => format!("split as configured: {figures}"),
        Some("mismatch") => {
            let threshold = number("threshold");
            format!("split NOT as configured: {figures}, below {threshold}; do not trust this experiment's results")
        }
        _ => "split not judged yet: too few viewers".to_owned(),
    }
}

fn percent(share: &Value) -> String {
    share.as_f64().map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

fn milliseconds(time: &Value) -> String {
    format!("{:.2}", time.as_f64().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mismatch_cannot_be_overlooked() {
        let ratio = json!({ "verdict": "mismatch", "chi_square": 44.4, "p": 2.6e-11, "threshold": 0.001 });
        let shown = verdict(&ratio);
        assert_eq!(
            shown,
            "split NOT as configured: chi-square 44.40, p = 2.60e-11, below 0.001; do not trust this experiment's results"
        );
        assert_eq!(verdict(&json!({ "verdict": "too-few" })), "split not judged yet: too few viewers");
    }
}
