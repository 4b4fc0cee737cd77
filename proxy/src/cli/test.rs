//! `edgehook test`: runs the tests of a project.

use super::{ConfigArgument, Exit, find_config, load_config, output::Output, start_engine, watch::Watch};
use crate::workbench::{
    cases::{self, Case, Problem, Suite},
    coverage,
    engine::{Engine, Setting},
    report::TestReport,
    runner::{self, Edit, Played},
};
use clap::Args;
use edgehook_config::Mode;
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

#[derive(Debug, Args)]
pub(super) struct TestArguments {
    /// Files and folders of tests [default: every folder called `tests` below the configuration's], and parts of names of
    /// tests to run
    #[arg(value_name = "FILTER")]
    what: Vec<String>,
    /// Run again whenever the configuration, a function or a test is saved.
    #[arg(long)]
    watch: bool,
    /// Write a JUnit report.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Tell which lines of functions the tests reach; with a file, write that for lcov too.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    coverage: Option<Option<PathBuf>>,
    /// Write what came in the place of what was expected: literals of test files, expected results of events.
    #[arg(long)]
    update: bool,
    /// The function that events in JSON files are for [default: the one that their folder is named after]
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// Errors that cftest files expect must be those of the function word for word; without it, an error of the engine's
    /// own need only be of the same type.
    #[arg(long)]
    exact_errors: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgument,
}

pub(super) async fn run(arguments: TestArguments, output: &Output) -> Exit {
    let file = match find_config(arguments.config.config.as_deref()) {
        Ok(file) => file,
        Err(none) => return none.report(output),
    };
    if !arguments.watch {
        return once(&file, &arguments, output).await;
    }
    let mut watch = match Watch::start(&file) {
        Ok(watch) => watch,
        Err(error) => {
            output.error(&format!("files cannot be watched: {error}"));
            return Exit::No;
        }
    };
    loop {
        once(&file, &arguments, output).await;
        watch.follow(watched(&file, &arguments), Vec::new());
        output.notice("waiting for changes; Ctrl-C ends");
        tokio::select! {
            _ = watch.saved() => {}
            _ = tokio::signal::ctrl_c() => return Exit::Interrupted,
        }
    }
}

/// Runs all tests of a project once, as `edgehook test` without arguments does.
pub(super) async fn run_all(config: &Path, output: &Output) -> Exit {
    let arguments = TestArguments {
        what: Vec::new(),
        watch: false,
        junit: None,
        coverage: None,
        update: false,
        function: None,
        exact_errors: false,
        json: false,
        config: ConfigArgument { config: None },
    };
    once(config, &arguments, output).await
}

/// Everything that a run reads.
fn watched(config: &Path, arguments: &TestArguments) -> Vec<PathBuf> {
    let mut files = found(config, arguments).0;
    if let Ok(loaded) = edgehook_config::load(config, Mode::Check) {
        files.extend(loaded.config.functions.values().map(|function| function.file.clone()));
        files.extend(loaded.config.kvs.values().filter_map(|store| Some(store.seed.as_ref()?.file.clone())));
    }
    files
}

async fn once(file: &Path, arguments: &TestArguments, output: &Output) -> Exit {
    let begun = Instant::now();
    let Some(loaded) = load_config(file, Mode::Check, output) else { return Exit::Invalid };
    let suites = match chosen(file, arguments) {
        Ok(suites) => suites,
        Err(problems) => {
            problems.iter().for_each(|problem| output.error(problem));
            return Exit::Invalid;
        }
    };
    let Some(engine) = start_engine(loaded.config, Some(Setting::default().clock), output).await else {
        return Exit::Invalid;
    };
    engine.broken.iter().for_each(|problem| output.error(&problem.to_string()));
    let played = runner::run(&engine, &suites).await;
    let mut report = TestReport::new(&suites, &played, begun.elapsed());
    if let Some(lcov) = &arguments.coverage
        && let Err(problem) = add_coverage(&engine, &suites, lcov.as_deref(), &mut report).await
    {
        output.error(&problem);
        return Exit::Invalid;
    }
    if arguments.json {
        output.result(&serde_json::to_string(&report).unwrap_or_default());
    } else {
        output.result(&report.human(output.color()));
    }
    if let Some(junit) = &arguments.junit
        && let Err(error) = fs::write(junit, report.junit())
    {
        output.error(&format!("{}: {error}", junit.display()));
        return Exit::Invalid;
    }
    let verdict = if report.failed == 0 { Exit::Done } else { Exit::No };
    if !arguments.update {
        return verdict;
    }
    match update(&played) {
        Ok(0) => verdict,
        Ok(count) => {
            output.notice(&format!("{count} updated; run again to see whether all is as it should be"));
            Exit::Done
        }
        Err(error) => {
            output.error(&error);
            Exit::Invalid
        }
    }
}

/// The tests to run, or what is wrong with them.
fn chosen(file: &Path, arguments: &TestArguments) -> Result<Vec<Suite>, Vec<String>> {
    let (paths, filters) = found(file, arguments);
    let problems = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut suites = read(&paths, arguments.function.as_deref()).map_err(problems)?;
    for suite in &mut suites {
        suite.cases.retain(|case| filters.is_empty() || filters.iter().any(|part| case.name.contains(part.as_str())));
    }
    if arguments.exact_errors {
        suites.iter_mut().flat_map(|suite| &mut suite.cases).for_each(Case::expect_exact_errors);
    }
    suites.retain(|suite| !suite.cases.is_empty());
    if suites.is_empty() { Err(vec![nothing(file, &filters)]) } else { Ok(suites) }
}

/// Plays the tests once more, for what they reach.
async fn add_coverage(
    engine: &Engine,
    suites: &[Suite],
    lcov: Option<&Path>,
    report: &mut TestReport,
) -> Result<(), String> {
    let coverage = coverage::measure(engine.config(), suites).await.map_err(|error| error.to_string())?;
    if let Some(file) = lcov {
        fs::write(file, coverage::lcov(&coverage)).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    report.add_coverage(coverage);
    Ok(())
}

fn nothing(config: &Path, filters: &[String]) -> String {
    if filters.is_empty() {
        let folder = config.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return format!("no tests below {}; write tests/NAME.toml, or name files and folders", folder.display());
    }
    format!("no test has a name with {}", filters.join(" or "))
}

/// Files of tests and folders of events, and parts of names.
fn found(config: &Path, arguments: &TestArguments) -> (Vec<PathBuf>, Vec<String>) {
    let (mut paths, mut filters) = (Vec::new(), Vec::new());
    for what in &arguments.what {
        let path = PathBuf::from(what);
        if path.is_dir() {
            below(&path, &mut paths);
        } else if path.is_file() {
            paths.push(path);
        } else {
            filters.push(what.clone());
        }
    }
    if paths.is_empty() {
        let folder = config.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        for folder in super::folders_below(folder) {
            if folder.file_name() == Some(OsStr::new("tests")) {
                below(&folder, &mut paths);
            }
        }
    }
    paths.sort();
    paths.dedup();
    (paths, filters)
}

/// Test files in a folder and below it, and the folders themselves, for their events.
fn below(folder: &Path, paths: &mut Vec<PathBuf>) {
    for folder in super::folders_below(folder) {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_file() && path.extension() == Some(OsStr::new("toml")) {
                paths.push(path);
            }
        }
        paths.push(folder);
    }
}

fn read(paths: &[PathBuf], function: Option<&str>) -> Result<Vec<Suite>, Vec<Problem>> {
    let (mut suites, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        let name = shown(path);
        let found = if path.is_dir() {
            cases::read_folder(Path::new(if name.is_empty() { "." } else { &name }), function)
        } else {
            match fs::read_to_string(path) {
                Ok(text) => cases::read_toml(Path::new(&name), &text).map(|cases| Suite { name: name.clone(), cases }),
                Err(error) => {
                    let text = format!("cannot be read: {error}");
                    Err(vec![Problem { file: path.clone(), line: 1, text }])
                }
            }
        };
        match found {
            Ok(suite) => suites.push(suite),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(suites) } else { Err(problems) }
}

/// As the user would write it.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let short = here.as_deref().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
    short.strip_prefix("./").unwrap_or(short).display().to_string()
}

/// Writes what came; returns how many places were changed.
fn update(played: &[Vec<Played>]) -> Result<usize, String> {
    let mut texts: BTreeMap<&Path, Vec<(std::ops::Range<usize>, &str)>> = BTreeMap::new();
    let mut count = 0;
    for edit in played.iter().flatten().flat_map(|played| &played.edits) {
        match edit {
            Edit::Text(place, text) => texts.entry(&place.file).or_default().push((place.span.clone(), text)),
            Edit::File(file, text) => {
                fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))?;
                count += 1;
            }
        }
    }
    for (file, mut edits) in texts {
        let failed = |error: std::io::Error| format!("{}: {error}", file.display());
        let mut text = fs::read_to_string(file).map_err(failed)?;
        // From the end, so that places before stay where they are.
        edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        edits.dedup_by_key(|(span, _)| span.start);
        for (span, new) in edits {
            if text.get(span.clone()).is_some() {
                text.replace_range(span, new);
                count += 1;
            }
        }
        fs::write(file, text).map_err(failed)?;
    }
    Ok(count)
}
