//! `edgehook schema`: the JSON Schema of the configuration file; and the copy beside a project that editors read.

use super::{Exit, output::Output};
use std::{fs, path::Path};

/// Where the copy lies, from the configuration's folder (experience.md 10.2).
pub(super) const FILE: &str = ".edgehook/schema.json";

pub(super) fn print(output: &Output) -> Exit {
    output.result(text().trim_end());
    Exit::Done
}

/// The schema as it is written to files.
pub(super) fn text() -> String {
    format!("{:#}\n", edgehook_config::schema())
}

/// Brings a copy that an earlier version left beside a configuration up to date. Where there is none, none is made; one
/// that cannot be written stays as it is.
pub(super) fn refresh(config: &Path) {
    let file = config.parent().unwrap_or(Path::new("")).join(FILE);
    let schema = text();
    if fs::read_to_string(&file).is_ok_and(|kept| kept != schema) {
        let _ = fs::write(file, schema);
    }
}
