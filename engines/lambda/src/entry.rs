//! Which file of a package is started, and what of it is called (lambda-edge.md 5.1, 8.5).
//!
//! Absent on purpose: what the file exports, which its engine finds out.

use crate::package::PackageError;
use std::path::{Path, PathBuf};

/// What is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The file.
    pub file: PathBuf,
    /// What of it is called: a property path, a name, or for an executable whatever it makes of it.
    pub handler: String,
}

const MALFORMED: &str = "Runtime.MalformedHandlerName";
const MISSING: &str = "Runtime.ImportModuleError";

fn no_entry(kind: &'static str, message: String) -> PackageError {
    PackageError::NoEntry { kind, message }
}

/// `path/file.export[.nested]`: the folder is all up to the last `/`, the file all up to the first dot of the rest.
///
/// # Errors
/// The handler has another form, or there is no such file.
pub fn javascript(code: &Path, handler: &str) -> Result<Entry, PackageError> {
    let malformed = || no_entry(MALFORMED, format!("`{handler}` is not of the form path/file.export"));
    if handler.contains("..") || handler.starts_with('/') {
        return Err(malformed());
    }
    let (folder, rest) = handler.rsplit_once('/').unwrap_or(("", handler));
    let (name, export) = rest.split_once('.').ok_or_else(malformed)?;
    if name.is_empty() || export.is_empty() {
        return Err(malformed());
    }
    let base = code.join(folder).join(name);
    let mut tried = [".js", ".mjs", ".cjs"].map(|ending| base.with_file_name(format!("{name}{ending}"))).to_vec();
    tried.insert(0, base.clone());
    tried.extend(["index.js", "index.mjs", "index.cjs"].map(|index| base.join(index)));
    match tried.into_iter().find(|file| is_within(file, code)) {
        Some(file) => Ok(Entry { file, handler: export.to_owned() }),
        None => {
            let name = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            Err(no_entry(MISSING, format!("the package has no {name}.js, {name}.mjs or {name}.cjs")))
        }
    }
}

/// `path/module.function` or `package.module.function`: split at the last dot. Without such a module, the default handler is
/// looked for as `index.handler` too.
///
/// # Errors
/// As for [`javascript`].
pub fn python(code: &Path, handler: &str) -> Result<Entry, PackageError> {
    let malformed = || no_entry(MALFORMED, format!("`{handler}` is not of the form module.function"));
    if handler.contains("..") || handler.starts_with('/') {
        return Err(malformed());
    }
    let (module, name) = handler.rsplit_once('.').ok_or_else(malformed)?;
    if module.is_empty() || name.is_empty() {
        return Err(malformed());
    }
    let base = code.join(module.replace('.', "/"));
    let mut file = base.clone().into_os_string();
    file.push(".py");
    let tried = [PathBuf::from(file), base.join("__init__.py")];
    match tried.into_iter().find(|file| is_within(file, code)) {
        Some(file) => Ok(Entry { file, handler: name.to_owned() }),
        None if handler == "lambda_function.lambda_handler" && code.join("index.py").is_file() => {
            python(code, "index.handler")
        }
        None => Err(no_entry(MISSING, format!("the package has no module `{module}`"))),
    }
}

/// `bootstrap` in the package, else in a layer.
///
/// # Errors
/// There is none that could be started.
pub fn executable(code: &Path, layers: Option<&Path>, handler: &str) -> Result<Entry, PackageError> {
    let places = [Some(code), layers];
    let found = places.into_iter().flatten().map(|folder| (folder.join("bootstrap"), folder));
    let found = found.filter(|(file, folder)| is_within(file, folder)).map(|(file, _)| file).next();
    let file = found.ok_or_else(|| {
        no_entry("Runtime.InvalidEntrypoint", "neither the package nor a layer has a file `bootstrap`".to_owned())
    })?;
    Ok(Entry { file, handler: handler.to_owned() })
}

/// Whether it is a file of the package, links followed.
fn is_within(file: &Path, folder: &Path) -> bool {
    let folder = folder.canonicalize();
    let file = file.canonicalize();
    matches!((file, folder), (Ok(file), Ok(folder)) if file.is_file() && file.starts_with(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        folder
    }

    /// The file, relative to the package, and what of it is called; or the kind of error.
    fn shown(found: Result<Entry, PackageError>, folder: &Path) -> String {
        match found {
            Ok(entry) => format!("{} {}", entry.file.strip_prefix(folder).unwrap().display(), entry.handler),
            Err(PackageError::NoEntry { kind, .. }) => kind.to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn javascript_handlers() {
        let folder = package(&["index.js", "a/b.mjs", "c.cjs", "exact", "whole/index.js", "d.js", "d.mjs"]);
        for (handler, expected) in [
            ("index.handler", "index.js handler"),
            ("a/b.x.y", "a/b.mjs x.y"),
            ("c.handler", "c.cjs handler"),
            ("exact.handler", "exact handler"),
            ("whole.handler", "whole/index.js handler"),
            ("d.handler", "d.js handler"),
            ("missing.handler", MISSING),
            ("a/index.handler", MISSING),
            ("handler", MALFORMED),
            ("../a.b", MALFORMED),
            ("/index.handler", MALFORMED),
            ("index.", MALFORMED),
            (".handler", MALFORMED),
        ] {
            assert_eq!(shown(javascript(folder.path(), handler), folder.path()), expected, "{handler}");
        }
    }

    #[test]
    fn python_handlers() {
        let folder = package(&["lambda_function.py", "a/b.py", "c/__init__.py"]);
        for (handler, expected) in [
            ("lambda_function.lambda_handler", "lambda_function.py lambda_handler"),
            ("a.b.handler", "a/b.py handler"),
            ("a/b.handler", "a/b.py handler"),
            ("c.handler", "c/__init__.py handler"),
            ("missing.handler", MISSING),
            ("handler", MALFORMED),
            ("../a.b", MALFORMED),
        ] {
            assert_eq!(shown(python(folder.path(), handler), folder.path()), expected, "{handler}");
        }
        let folder = package(&["index.py"]);
        let found = python(folder.path(), "lambda_function.lambda_handler");
        assert_eq!(shown(found, folder.path()), "index.py handler");
    }

    #[test]
    fn executables() {
        let (code, layer) = (package(&["bootstrap"]), package(&["bootstrap"]));
        let of = |code: &Path, layer: &Path| executable(code, Some(layer), "any").map(|entry| entry.file);
        assert_eq!(of(code.path(), layer.path()).unwrap(), code.path().join("bootstrap"));
        let empty = package(&[]);
        assert_eq!(of(empty.path(), layer.path()).unwrap(), layer.path().join("bootstrap"));
        assert!(of(empty.path(), empty.path()).unwrap_err().to_string().contains("bootstrap"));
    }
}
