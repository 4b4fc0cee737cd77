//! Which lines of functions tests reach, for `edgehook test --coverage`.
//!
//! The tests are judged by the functions as they are. Then they are played once more, with nothing expected, by copies of the
//! functions that tell what they reach (`edgehook-coverage`): [`copies`] makes those, [`listen`] hears what copies of Lambda
//! functions print. A function's lines are those of its own file, and of other files that it reached.
//!
//! Deliberately absent: any influence on verdicts and on measured times.

mod copies;
mod listen;

use super::{
    cases::{Suite, What},
    engine::{Engine, EngineError, Setting},
    runner::{self, Played},
};
use copies::Copies;
use edgehook_config::Config;
use edgehook_coverage::Said;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io,
    path::Path,
};

/// Why there is no coverage.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CoverageError {
    #[error("copies of the functions cannot be written: {0}")]
    Copy(#[from] io::Error),
    #[error("{0}")]
    Engine(#[from] EngineError),
}

/// The coverage of functions by name.
pub(crate) type Coverage = BTreeMap<String, FunctionCoverage>;

/// What tests reached of one function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FunctionCoverage {
    /// Its files, its own first.
    pub files: Vec<FileCoverage>,
    /// Why nothing is known, where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// What was reached of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FileCoverage {
    /// Its path.
    pub file: String,
    /// The lines that hold code, from 1.
    pub lines: BTreeSet<u32>,
    /// Those of them that were not reached.
    pub missed: BTreeSet<u32>,
}

/// Plays `suites` with copies of the functions of `config`.
///
/// # Errors
/// The copies cannot be written, or nothing can be played.
pub(crate) async fn measure(config: &Config, suites: &[Suite]) -> Result<Coverage, CoverageError> {
    let heard = listen::start();
    let copies = Copies::make(config)?;
    let engine = Engine::start(copies.config().clone(), Some(Setting::default().clock)).await?;
    let suites: Vec<Suite> = suites.iter().cloned().map(expecting_nothing).collect();
    let played = runner::run(&engine, &suites).await;
    let mut coverage = Measured { copies: &copies, reached: BTreeMap::new(), code: BTreeMap::new() };
    for run in played.iter().flatten().flat_map(|played: &Played| &played.runs) {
        run.console.iter().for_each(|line| coverage.take(&run.function, line));
    }
    heard.lines().iter().for_each(|(function, line)| coverage.take(function, line));
    let broken: BTreeMap<_, _> =
        engine.broken.iter().map(|problem| (problem.function.as_str(), problem.message.clone())).collect();
    Ok(copies.functions().map(|name| (name.to_owned(), coverage.of(name, broken.get(name).cloned()))).collect())
}

/// The same without expectations, so that every step is played to its end whatever the copies print.
fn expecting_nothing(mut suite: Suite) -> Suite {
    for case in &mut suite.cases {
        match &mut case.what {
            What::Edge(edge) => edge.steps.iter_mut().for_each(super::cases::Step::expect_nothing),
            What::Function(function) => function.request.expect.clear(),
            What::Event(_) => {}
        }
    }
    suite
}

/// What copies told.
struct Measured<'a> {
    copies: &'a Copies,
    /// Function and file to lines.
    reached: BTreeMap<(String, String), BTreeSet<u32>>,
    /// Lines with code of Python files.
    code: BTreeMap<(String, String), BTreeSet<u32>>,
}

impl Measured<'_> {
    fn take(&mut self, function: &str, line: &str) {
        match Said::read(line) {
            Some(Said::Reached(places)) => {
                for (file, line) in places.into_iter().filter_map(|place| self.copies.place(place)) {
                    self.reached.entry((function.to_owned(), file.to_owned())).or_default().insert(line);
                }
            }
            Some(Said::Code(file, lines)) => {
                if let Some(file) = self.copies.beside(function, &file) {
                    self.code.entry((function.to_owned(), file)).or_default().extend(lines);
                }
            }
            Some(Said::Ran(file, line)) => {
                if let Some(file) = self.copies.beside(function, &file) {
                    self.reached.entry((function.to_owned(), file)).or_default().insert(line);
                }
            }
            None => {}
        }
    }

    fn of(&self, function: &str, broken: Option<String>) -> FunctionCoverage {
        let unknown = |why: String| FunctionCoverage { files: Vec::new(), unknown: Some(why) };
        let own = match self.copies.own_file(function) {
            Ok(own) => own,
            Err(why) => return unknown(why.to_owned()),
        };
        if let Some(broken) = broken {
            return unknown(format!("its copy cannot be loaded: {broken}"));
        }
        let names = self.reached.keys().filter(|(name, file)| name == function && file != own).map(|(_, file)| file);
        let mut files = Vec::new();
        for file in std::iter::once(own).chain(names.map(String::as_str)) {
            let key = (function.to_owned(), file.to_owned());
            let Some(lines) = self.copies.lines(file).or_else(|| self.code.get(&key).cloned()) else { continue };
            let reached = self.reached.get(&key).cloned().unwrap_or_default();
            let missed = lines.difference(&reached).copied().collect();
            files.push(FileCoverage { file: file.to_owned(), lines, missed });
        }
        if files.is_empty() {
            return unknown("no test ran it".to_owned());
        }
        FunctionCoverage { files, unknown: None }
    }
}

impl FunctionCoverage {
    /// As people read it: `22/24 lines, not hit: 14, 15`.
    pub(crate) fn human(&self) -> String {
        if let Some(why) = &self.unknown {
            return format!("coverage not known: {why}");
        }
        let mut text = String::from("coverage ");
        for (index, file) in self.files.iter().enumerate() {
            if index > 0 {
                let name = Path::new(&file.file).file_name().unwrap_or_default().to_string_lossy();
                let _ = write!(text, "; {} ", crate::record::shown(&name));
            }
            let _ = write!(text, "{}/{} lines", file.lines.len() - file.missed.len(), file.lines.len());
            if !file.missed.is_empty() {
                let _ = write!(text, ", not hit: {}", ranges(file));
            }
        }
        text
    }
}

/// Lines that were missed one after the other, with no line of code between them that was not: `3, 7-12`.
fn ranges(file: &FileCoverage) -> String {
    let mut ranges: Vec<(u32, u32, usize)> = Vec::new();
    let mut together = false;
    for line in &file.lines {
        let missed = file.missed.contains(line);
        match ranges.last_mut().filter(|_| missed && together) {
            Some(range) => *range = (range.0, *line, range.2 + 1),
            None if missed => ranges.push((*line, *line, 1)),
            None => {}
        }
        together = missed;
    }
    let written = ranges.iter().map(|(first, last, count)| match count {
        1 => first.to_string(),
        2 => format!("{first}, {last}"),
        _ => format!("{first}-{last}"),
    });
    written.collect::<Vec<_>>().join(", ")
}

/// All of it in the form that lcov and editors read. Whether a line was reached is known, not how often.
pub(crate) fn lcov(coverage: &Coverage) -> String {
    let mut files: BTreeMap<&str, (BTreeSet<u32>, BTreeSet<u32>)> = BTreeMap::new();
    for file in coverage.values().flat_map(|function| &function.files) {
        let (lines, reached) = files.entry(&file.file).or_default();
        lines.extend(&file.lines);
        reached.extend(file.lines.difference(&file.missed));
    }
    let mut text = String::new();
    for (file, (lines, reached)) in files {
        let _ = writeln!(text, "TN:\nSF:{}", file.replace(['\n', '\r'], "?"));
        for line in &lines {
            let _ = writeln!(text, "DA:{line},{}", u8::from(reached.contains(line)));
        }
        let _ = writeln!(text, "LF:{}\nLH:{}\nend_of_record", lines.len(), reached.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(lines: &[u32], missed: &[u32]) -> FileCoverage {
        let set = |lines: &[u32]| lines.iter().copied().collect();
        FileCoverage { file: "a.js".to_owned(), lines: set(lines), missed: set(missed) }
    }

    #[test]
    fn missed_lines_are_told_in_ranges() {
        let function = |files| FunctionCoverage { files, unknown: None };
        assert_eq!(function(vec![file(&[1, 2], &[])]).human(), "coverage 2/2 lines");
        let some = file(&[1, 2, 3, 5, 9, 12, 13, 14], &[1, 3, 5, 12, 13, 14]);
        assert_eq!(function(vec![some]).human(), "coverage 2/8 lines, not hit: 1, 3, 5, 12-14");
        let two = vec![file(&[1], &[1]), file(&[4, 8, 9], &[4, 8, 9])];
        assert_eq!(function(two).human(), "coverage 0/1 lines, not hit: 1; a.js 0/3 lines, not hit: 4-9");
    }

    #[test]
    fn a_file_of_two_functions_is_one_record_of_lcov() {
        let of = |missed: &[u32]| FunctionCoverage { files: vec![file(&[1, 2, 3], missed)], unknown: None };
        let coverage = Coverage::from([("a".to_owned(), of(&[1, 2])), ("b".to_owned(), of(&[1, 3]))]);
        assert_eq!(lcov(&coverage), "TN:\nSF:a.js\nDA:1,0\nDA:2,1\nDA:3,1\nLF:3\nLH:2\nend_of_record\n");
    }
}
