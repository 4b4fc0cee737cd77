//! `edgehook schema`: the JSON Schemas of the configuration file and of test files; and the copies beside a project that editors
//! read.

use super::{Exit, output::Output};
use crate::workbench::cases;
use clap::ValueEnum;
use std::{fs, path::Path};

/// Where the copy for the configuration lies, from the configuration's folder (experience.md 10.2).
pub(super) const CONFIG_FILE: &str = ".edgehook/schema.json";

/// Where the one for test files lies.
pub(super) const TESTS_FILE: &str = ".edgehook/tests.schema.json";

/// What a schema is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Subject {
    /// The configuration file.
    #[default]
    Config,
    /// Test files.
    Tests,
}

pub(super) fn print(subject: Subject, output: &Output) -> Exit {
    output.result(text(subject).trim_end());
    Exit::Done
}

/// A schema as it is written to files.
pub(super) fn text(subject: Subject) -> String {
    let schema = match subject {
        Subject::Config => edgehook_config::schema(),
        Subject::Tests => cases::schema(),
    };
    format!("{schema:#}\n")
}

/// Brings the copies that an earlier version left beside a configuration up to date, and adds the one for tests where it left
/// only the other. Where there is no copy for the configuration, none is made; one that cannot be written stays as it is.
pub(super) fn refresh(config: &Path) {
    let folder = config.parent().unwrap_or(Path::new(""));
    let mut wanted = folder.join(CONFIG_FILE).is_file();
    for (file, subject) in [(CONFIG_FILE, Subject::Config), (TESTS_FILE, Subject::Tests)] {
        let (file, schema) = (folder.join(file), text(subject));
        wanted |= file.is_file();
        if wanted && fs::read_to_string(&file).ok().as_deref() != Some(&*schema) {
            let _ = fs::write(file, schema);
        }
    }
}

/// The line with which a file in the folder `tests` of a project names its schema; `None` where the project has no copy.
pub(super) fn line_for_tests(project: &Path) -> Option<String> {
    project.join(TESTS_FILE).is_file().then(|| format!("#:schema ../{TESTS_FILE}\n"))
}
