//! Reads cases that are JSON: cftest files and pairs of event and expected result (experience.md 6.2).
//!
//! `name.event.json` goes with `name.expected.json`; any other `.json` file with an `event` in it is cftest's. The function is the
//! one that was named, or the one that the folder, or the folder above one called `tests`, is named after.

use super::{Case, EventCase, Expected, Place, Problem, Suite, What};
use crate::{record::read_event, workbench::engine::NEW_YEAR};
use serde_json::Value;
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

/// The cases of one folder, not of those below it.
///
/// # Errors
/// All that is wrong with its files.
pub(crate) fn read_folder(folder: &Path, function: Option<&str>) -> Result<Suite, Vec<Problem>> {
    let mut files = match json_files(folder) {
        Ok(files) => files,
        Err(error) => return Err(vec![problem(folder, 1, format!("cannot be read: {error}"))]),
    };
    files.sort();
    let named = function.map(str::to_owned).or_else(|| named_after(folder)).unwrap_or_default();
    let (mut cases, mut problems) = (Vec::new(), Vec::new());
    for file in files {
        match case(&file, &named) {
            Ok(Some(case)) => cases.push(case),
            Ok(None) => {}
            Err(found) => problems.push(found),
        }
    }
    if problems.is_empty() { Ok(Suite { name: folder.display().to_string(), cases }) } else { Err(problems) }
}

fn json_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    Ok(entries.filter(|path| path.extension().is_some_and(|kind| kind == "json") && path.is_file()).collect())
}

fn named_after(folder: &Path) -> Option<String> {
    let own = folder.file_name()?.to_str()?;
    if own != "tests" {
        return Some(own.to_owned());
    }
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    folder.parent()?.file_name()?.to_str().map(str::to_owned)
}

fn problem(file: &Path, line: usize, text: String) -> Problem {
    Problem { file: file.to_owned(), line, text }
}

fn read(file: &Path) -> Result<Value, Problem> {
    let text = fs::read(file).map_err(|error| problem(file, 1, format!("cannot be read: {error}")))?;
    serde_json::from_slice(&text).map_err(|error| problem(file, error.line().max(1), format!("expected JSON: {error}")))
}

fn case(file: &Path, function: &str) -> Result<Option<Case>, Problem> {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name.ends_with(".expected.json") {
        let event = file.with_file_name(name.replace(".expected.json", ".event.json"));
        let lost = format!("there is no {} beside it", event.display());
        return if event.is_file() { Ok(None) } else { Err(problem(file, 1, lost)) };
    }
    let (title, event, expected) = if let Some(title) = name.strip_suffix(".event.json") {
        let expected_file = file.with_file_name(format!("{title}.expected.json"));
        let expected = if expected_file.is_file() {
            Expected::Output(read(&expected_file)?, expected_file)
        } else {
            Expected::Success(expected_file)
        };
        (title, read(file)?, expected)
    } else {
        let whole = read(file)?;
        let Some(event) = whole.get("event") else { return Ok(None) };
        let expected = match (whole.get("output"), whole.get("error").and_then(Value::as_str)) {
            (Some(output), None) => Expected::CfOutput(output.clone()),
            (None, Some(error)) => Expected::CfError { text: error.to_owned(), exact: false },
            _ => return Err(problem(file, 1, "expected `output` or `error` (text) besides `event`".to_owned())),
        };
        (name.trim_end_matches(".json"), event.clone(), expected)
    };
    read_event(&event).map_err(|text| problem(file, 1, text))?;
    Ok(Some(Case {
        name: format!("{function}/{title}"),
        place: Place { file: file.to_owned(), line: 1, span: 0..0 },
        only: false,
        skip: None,
        clock: UNIX_EPOCH + NEW_YEAR,
        seed: 0,
        what: What::Event(Box::new(EventCase { function: function.to_owned(), event, expected })),
    }))
}
