//! The code of a Lambda function as a version keeps it: a script with the folder around it, or a package of its own.
//!
//! Packages, executables and layers are copied when a version is loaded; what becomes of their files later is another version's.
//! A script's own text is kept too. The files beside a script are read where they lie: a folder keeps them together with it.

use super::functions::check_executable;
use edgehook_config::{Function, LambdaSettings, Language};
use edgehook_lambda::{
    Concurrency,
    entry::{self, Entry},
    package::{Contents, FILES_LIMIT, Package, PackageError},
};
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Largest file of a package that holds a handler, in bytes: it is sent to each environment in one frame.
const SOURCE_LIMIT: u64 = 6 * 1024 * 1024;

/// What is run.
#[derive(Debug)]
pub(super) struct Code {
    /// `/var/task`.
    pub(super) root: PathBuf,
    /// The script or the executable.
    pub(super) file: PathBuf,
    /// The script's text.
    pub(super) source: Vec<u8>,
    /// What of it is called.
    pub(super) handler: String,
    /// `/opt`.
    pub(super) layers: Vec<PathBuf>,
    /// Whether Node.js runs it: that of the engine, or for a package without a bootstrap of its own.
    pub(super) by_node: bool,
    /// Keeps the copies.
    pub(super) package: Option<Package>,
    /// SHA-256 of all that, in hexadecimal digits.
    pub(super) content: String,
}

/// The code of `function`, whose script is `source`; nothing of it changes any more.
///
/// # Errors
/// The package cannot be used, for this reason.
pub(super) async fn code(
    function: &Function,
    own: &LambdaSettings,
    source: &[u8],
    room: &Concurrency,
) -> Result<Code, String> {
    let (file, own, source, room) = (function.file.clone(), own.clone(), source.to_vec(), room.clone());
    let (name, copying) =
        (function.name.clone(), tokio::task::spawn_blocking(move || copied(&file, &own, source, &room)));
    let (code, left_out) = copying.await.map_err(|_| "the package cannot be copied".to_owned())??;
    if left_out > 0 {
        tracing::warn!(function = name, "{left_out} links of the package lead out of it and were left out");
    }
    Ok(code)
}

fn copied(file: &Path, own: &LambdaSettings, source: Vec<u8>, room: &Concurrency) -> Result<(Code, usize), String> {
    let shown = |error: PackageError| error.to_string();
    let executable = own.language == Language::Provided;
    let whole = (own.packaged || executable).then_some(file);
    if executable && !own.packaged {
        check_executable(file)?;
    }
    let (package, left_out) = match (whole, own.layers.as_slice()) {
        (None, []) => (None, 0),
        (code, layers) => {
            let (package, left_out) = Package::unpack(Contents { code, layers }, room).map_err(shown)?;
            (Some(package), left_out)
        }
    };
    let kept = package.as_ref().and_then(Package::code);
    let layers: Vec<PathBuf> = package.as_ref().and_then(Package::layers).into_iter().collect();
    let beside = file.parent().unwrap_or(Path::new("/")).to_owned();
    let mut language = own.language;
    let (root, Entry { file, handler }) = match kept {
        Some(kept) if own.packaged => {
            let found = started(language, &kept, layers.first().map(PathBuf::as_path), &own.handler);
            let entry = match (found, entry::javascript(&kept, &own.handler)) {
                // Lambda's last bootstrap (lambda-edge.md 8.5).
                (Err(_), Ok(script)) if executable => {
                    language = Language::Node;
                    script
                }
                (found, _) => found.map_err(shown)?,
            };
            (kept, entry)
        }
        // An executable alone: the files beside it stay where they are.
        Some(kept) => {
            let copy = kept.join(file.file_name().unwrap_or_default());
            (beside, Entry { file: copy, handler: own.handler.clone() })
        }
        None => (beside, Entry { file: file.to_owned(), handler: own.handler.clone() }),
    };
    let source = if own.packaged { of_package(language, &file)? } else { source };
    let mut hash = Sha256::new();
    hash.update(package.as_ref().map_or("", |package| package.hash()));
    hash.update(&source);
    let content = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let by_node = language == Language::Node;
    Ok((Code { root, file, source, handler, layers, by_node, package, content }, left_out))
}

fn started(language: Language, code: &Path, layers: Option<&Path>, handler: &str) -> Result<Entry, PackageError> {
    match language {
        Language::JavaScript | Language::Node => entry::javascript(code, handler),
        Language::Python => entry::python(code, handler),
        Language::Provided => entry::executable(code, layers, handler),
    }
}

/// The text of a package's script, where it is sent.
fn of_package(language: Language, file: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("{} cannot be read: {error}", file.display());
    match language {
        Language::Provided => {
            check_executable(file)?;
            Ok(Vec::new())
        }
        Language::Node => Ok(Vec::new()),
        Language::JavaScript | Language::Python => {
            let length = fs::metadata(file).map_err(unreadable)?.len();
            if length > SOURCE_LIMIT {
                let name = file.file_name().unwrap_or_default().display();
                return Err(format!("{name} has {length} bytes; the file of the handler may have {SOURCE_LIMIT}"));
            }
            fs::read(file).map_err(unreadable)
        }
    }
}

/// The files of a package or a layer, with what tells that they changed.
pub(super) fn listed(path: &Path) -> Vec<(PathBuf, SystemTime, u64)> {
    let (mut found, mut left) = (Vec::new(), vec![path.to_owned()]);
    while let Some(path) = left.pop() {
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() {
            left.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else if let Ok(modified) = metadata.modified() {
            found.push((path, modified, metadata.len()));
        }
        if found.len() > FILES_LIMIT {
            break;
        }
    }
    found.sort();
    found
}
