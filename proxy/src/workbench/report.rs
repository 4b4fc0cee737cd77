//! What came of tests: for people, as JSON (`proxy/schemas/test-report.json`) and as JUnit.

use super::{
    cases::{Case, Suite, What},
    coverage::{Coverage, FunctionCoverage},
    near::Reason,
    runner::{Played, Verdict},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

/// All of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TestReport {
    /// Number of this shape: 1.
    pub schema: u32,
    /// How many tests passed.
    pub passed: usize,
    /// How many did not.
    pub failed: usize,
    /// How many were not run.
    pub skipped: usize,
    /// Milliseconds for all.
    pub took_ms: u64,
    /// Files and folders of tests.
    pub suites: Vec<SuiteReport>,
    /// Functions that ran.
    pub functions: Vec<FunctionReport>,
}

/// One file or folder.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SuiteReport {
    /// Its path.
    pub name: String,
    /// Its tests.
    pub tests: Vec<CaseReport>,
}

/// One test.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct CaseReport {
    /// Its name.
    pub name: String,
    /// Where it is written.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// passed, failed or skipped.
    pub result: String,
    /// Microseconds.
    pub took_us: u64,
    /// The function that ran first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// What let the first viewer in, or kept it out, such as `authorizer staff`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<String>,
    /// Its share of the budget in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilization: Option<u8>,
    /// Its CPU time in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_us: Option<u64>,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureReport>,
}

/// Why a test failed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FailureReport {
    /// The step, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// How many steps there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// What was expected and what came.
    pub text: String,
    /// Why, line by line.
    pub reasons: Vec<Reason>,
    /// The file of the expectation.
    pub file: String,
    /// Its line.
    pub line: usize,
}

/// What was measured of one function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FunctionReport {
    /// Its name.
    pub name: String,
    /// How often it ran.
    pub calls: usize,
    /// Its greatest share of the budget in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_utilization: Option<u8>,
    /// Its greatest CPU time in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cpu_us: Option<u64>,
    /// What tests reached of it, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<FunctionCoverage>,
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl TestReport {
    /// Of these suites, each with what came of its cases.
    pub(crate) fn new(suites: &[Suite], played: &[Vec<Played>], took: Duration) -> Self {
        let mut report = Self { schema: 1, took_ms: micros(took) / 1000, ..Self::default() };
        let mut functions: BTreeMap<&str, FunctionReport> = BTreeMap::new();
        for (suite, played) in suites.iter().zip(played) {
            for run in played.iter().flat_map(|played| &played.runs) {
                let known = functions.entry(&run.function).or_default();
                known.name.clone_from(&run.function);
                known.calls += 1;
                known.max_utilization = known.max_utilization.max(run.utilization);
                known.max_cpu_us = known.max_cpu_us.max(run.cpu.map(micros));
            }
            let tests: Vec<CaseReport> =
                suite.cases.iter().zip(played).map(|(case, played)| CaseReport::new(case, played)).collect();
            for test in &tests {
                match test.result.as_str() {
                    "passed" => report.passed += 1,
                    "failed" => report.failed += 1,
                    _ => report.skipped += 1,
                }
            }
            report.suites.push(SuiteReport { name: suite.name.clone(), tests });
        }
        report.functions = functions.into_values().collect();
        report
    }

    /// For people. `color`: with the colours of a terminal.
    #[must_use]
    pub(crate) fn human(&self, color: bool) -> String {
        let mut text = String::new();
        let widest = self.suites.iter().flat_map(|suite| &suite.tests).map(|test| test.name.chars().count()).max();
        let width = widest.unwrap_or(0).clamp(20, 48);
        for suite in &self.suites {
            let _ = writeln!(text, " {}", suite.name);
            suite.tests.iter().for_each(|test| test.human(width, color, &mut text));
        }
        if !self.functions.is_empty() {
            text.push('\n');
            let name = self.functions.iter().map(|function| function.name.len()).max().unwrap_or(0);
            for (index, function) in self.functions.iter().enumerate() {
                let title = if index == 0 { "functions" } else { "" };
                let calls = if function.calls == 1 { "call " } else { "calls" };
                let _ = write!(text, " {title:<10} {:<name$}  {} {calls}", function.name, function.calls);
                if let (Some(percent), Some(cpu)) = (function.max_utilization, function.max_cpu_us) {
                    let _ = write!(text, "  max {} ({percent} % of budget)", milliseconds(cpu));
                }
                if let Some(coverage) = &function.coverage {
                    let _ = write!(text, "  {}", coverage.human());
                }
                text.push('\n');
            }
        }
        let skipped = if self.skipped > 0 { format!(", {} skipped", self.skipped) } else { String::new() };
        let seconds = Duration::from_millis(self.took_ms).as_secs_f64();
        let summary = format!("{} passed, {} failed{skipped}", self.passed, self.failed);
        let _ =
            write!(text, " {} in {seconds:.2} s", styled(color, if self.failed > 0 { "31" } else { "32" }, &summary));
        text
    }

    /// Adds what tests reached of functions, of those too that none ran.
    pub(crate) fn add_coverage(&mut self, coverage: Coverage) {
        for (name, of) in coverage {
            match self.functions.iter_mut().find(|function| function.name == name) {
                Some(known) => known.coverage = Some(of),
                None => self.functions.push(FunctionReport { name, coverage: Some(of), ..FunctionReport::default() }),
            }
        }
        self.functions.sort_by(|one, other| one.name.cmp(&other.name));
    }

    /// As JUnit reads it.
    #[must_use]
    pub(crate) fn junit(&self) -> String {
        let total = self.passed + self.failed + self.skipped;
        let mut text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{total}\" failures=\"{}\" skipped=\"{}\" time=\"{:.3}\">\n",
            self.failed,
            self.skipped,
            Duration::from_millis(self.took_ms).as_secs_f64()
        );
        for suite in &self.suites {
            let count = |result: &str| suite.tests.iter().filter(|test| test.result == result).count();
            let _ = writeln!(
                text,
                "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">",
                escaped(&suite.name),
                suite.tests.len(),
                count("failed"),
                count("skipped")
            );
            suite.tests.iter().for_each(|test| test.junit(&suite.name, &mut text));
            text.push_str("  </testsuite>\n");
        }
        text.push_str("</testsuites>\n");
        text
    }
}

impl CaseReport {
    fn new(case: &Case, played: &Played) -> Self {
        let first = played.runs.first();
        let mut report = Self {
            name: case.name.clone(),
            file: case.place.file.display().to_string(),
            line: case.place.line,
            result: "passed".to_owned(),
            took_us: micros(played.took),
            function: match &case.what {
                What::Function(function) => Some(function.function.clone()),
                What::Event(event) => Some(event.function.clone()),
                What::Edge(_) => first.map(|run| run.function.clone()),
            },
            guard: played.guard.clone(),
            utilization: first.and_then(|run| run.utilization),
            cpu_us: first.and_then(|run| run.cpu).map(micros),
            ..Self::default()
        };
        match &played.verdict {
            Verdict::Passed => {}
            Verdict::Skipped(why) => {
                report.result = "skipped".to_owned();
                report.skip = Some(why.clone());
            }
            Verdict::Failed(failure) => {
                report.result = "failed".to_owned();
                report.failure = Some(FailureReport {
                    step: failure.step.map(|(step, _)| step),
                    steps: failure.step.map(|(_, steps)| steps),
                    text: failure.text.clone(),
                    reasons: failure.reasons.clone(),
                    file: failure.place.file.display().to_string(),
                    line: failure.place.line,
                });
            }
        }
        report
    }

    fn human(&self, width: usize, color: bool, text: &mut String) {
        let name = crate::record::shown(&self.name);
        let pad = " ".repeat(width.saturating_sub(name.chars().count()));
        let Some(failure) = &self.failure else {
            if let Some(why) = &self.skip {
                let _ = writeln!(
                    text,
                    "  {} {name}{pad}  skipped: {}",
                    styled(color, "33", "-"),
                    crate::record::shown(why)
                );
                return;
            }
            let _ = write!(text, "  {} {name}{pad}", styled(color, "32", "✓"));
            if let Some(decided) = self.function.as_ref().or(self.guard.as_ref()) {
                let _ = write!(text, "  {}", crate::record::shown(decided));
            }
            if let (Some(percent), Some(cpu)) = (self.utilization, self.cpu_us) {
                let _ = write!(text, "  {percent} % of budget  {}", milliseconds(cpu));
            }
            text.push('\n');
            return;
        };
        let step = match (failure.step, failure.steps) {
            (Some(step), Some(steps)) => format!("  step {step} of {steps}"),
            _ => String::new(),
        };
        let _ = writeln!(text, "  {} {name}{pad}{step}", styled(color, "31", "✗"));
        let _ = writeln!(text, "      {}", styled(color, "31", &crate::record::shown(&failure.text)));
        for reason in &failure.reasons {
            let _ = writeln!(text, "      {:<7} {}", reason.label, crate::record::shown(&reason.text));
        }
        let _ = writeln!(text, "      {:<7} {}:{}", "at", failure.file, failure.line);
    }

    fn junit(&self, suite: &str, text: &mut String) {
        let seconds = Duration::from_micros(self.took_us).as_secs_f64();
        let _ = write!(
            text,
            "    <testcase name=\"{}\" classname=\"{}\" file=\"{}\" line=\"{}\" time=\"{seconds:.6}\"",
            escaped(&self.name),
            escaped(suite),
            escaped(&self.file),
            self.line
        );
        match (&self.failure, &self.skip) {
            (Some(failure), _) => {
                let mut lines = failure.text.clone();
                for reason in &failure.reasons {
                    let _ = write!(lines, "\n{:<7} {}", reason.label, reason.text);
                }
                let _ = write!(lines, "\n{:<7} {}:{}", "at", failure.file, failure.line);
                let _ = write!(
                    text,
                    ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
                    escaped(&failure.text),
                    escaped(&lines)
                );
            }
            (None, Some(why)) => {
                let _ = write!(text, ">\n      <skipped message=\"{}\"/>\n    </testcase>\n", escaped(why));
            }
            (None, None) => text.push_str("/>\n"),
        }
    }
}

/// `0.09 ms`.
pub(crate) fn milliseconds(micros: u64) -> String {
    format!("{:.2} ms", Duration::from_micros(micros).as_secs_f64() * 1000.0)
}

/// Text in a style of the terminal, if colours are on.
pub(crate) fn styled(color: bool, code: &str, text: &str) -> String {
    if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Text for XML 1.0, which has no place for most control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push('\n'),
            control if control.is_control() || matches!(control, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junit_is_xml_whatever_the_names_are() {
        let failure = FailureReport { text: "a < \"b\"\u{1b}".to_owned(), ..FailureReport::default() };
        let failed = CaseReport { name: "<x & y>".to_owned(), failure: Some(failure), ..CaseReport::default() };
        let suite = SuiteReport { name: "s".to_owned(), tests: vec![failed] };
        let report = TestReport { failed: 1, suites: vec![suite], ..TestReport::default() };
        let junit = report.junit();
        assert!(
            junit.contains("name=\"&lt;x &amp; y&gt;\"") && junit.contains("a &lt; &quot;b&quot;\u{fffd}"),
            "{junit}"
        );
    }

    /// `EDGEHOOK_BLESS=1` writes the file anew.
    #[test]
    fn the_published_schema_is_that_of_these_types() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/test-report.json");
        let schema = format!("{:#}\n", schemars::schema_for!(TestReport).to_value());
        if std::env::var_os("EDGEHOOK_BLESS").is_some() {
            std::fs::write(file, &schema).unwrap();
        }
        assert_eq!(std::fs::read_to_string(file).unwrap_or_default(), schema);
    }
}
