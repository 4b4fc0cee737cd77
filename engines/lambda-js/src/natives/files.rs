//! Files for `fs`: the package, which is read only, and `/tmp` (lambda-edge.md 6.1). Nothing else is there for a function,
//! whatever links or `..` a path goes through. Failures are reported by their `errno` name as the error's message; the
//! script makes Node's errors of them.

use super::{State, bytes, string, text};
use boa_engine::{Context, JsArgs as _, JsNativeError, JsResult, JsValue, object::builtins::JsArray};
use std::{
    cell::Cell,
    ffi::OsStr,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Component, Path, PathBuf},
    time::UNIX_EPOCH,
};
use tempfile::TempDir;

/// Errors that scripts know by name, with their numbers on Linux.
const ERRORS: [(&str, i32); 9] = [
    ("ENOENT", 2),
    ("EIO", 5),
    ("EACCES", 13),
    ("EEXIST", 17),
    ("ENOTDIR", 20),
    ("EISDIR", 21),
    ("ENOSPC", 28),
    ("EROFS", 30),
    ("ENOTEMPTY", 39),
];

type Failure = &'static str;

fn thrown(failure: Failure) -> boa_engine::JsError {
    JsNativeError::error().with_message(failure).into()
}

fn failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound => "ENOENT",
        io::ErrorKind::PermissionDenied => "EACCES",
        io::ErrorKind::AlreadyExists => "EEXIST",
        io::ErrorKind::IsADirectory => "EISDIR",
        io::ErrorKind::NotADirectory => "ENOTDIR",
        io::ErrorKind::DirectoryNotEmpty => "ENOTEMPTY",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => "ENOSPC",
        _ => "EIO",
    }
}

/// Where a function's paths lie on this machine.
#[derive(Debug)]
pub(crate) struct Places {
    package: PathBuf,
    /// What `/opt` is, if it is anything.
    layers: Option<PathBuf>,
    temporary: PathBuf,
    /// Most bytes in `/tmp`, and how many there are, once they are counted: nobody else writes there.
    quota: u64,
    used: Cell<Option<u64>>,
    /// Removes what this process made, at its end.
    _made: Option<TempDir>,
}

impl Places {
    /// `package` is the function's folder, links followed, and the first of `layers` is `/opt`. `/tmp` is the folder
    /// `temporary`, with room for `quota` bytes; empty: one that is made here.
    pub(crate) fn new(package: &Path, layers: &[PathBuf], temporary: &str, quota: u64) -> io::Result<Self> {
        let (temporary, made) = match temporary {
            path if !path.is_empty() => (PathBuf::from(path), None),
            _ => {
                let made = tempfile::Builder::new().prefix("edgehook-").tempdir()?;
                (made.path().to_owned(), Some(made))
            }
        };
        let (package, layers, temporary) = (package.to_owned(), layers.first().cloned(), temporary.canonicalize()?);
        Ok(Self { package, layers, temporary, quota, used: Cell::new(None), _made: made })
    }

    /// Whether `/tmp` has room for the file at `place` when it has `after` bytes, and then counts it as if it had.
    fn grow(&self, place: &Path, after: u64) -> Result<(), Failure> {
        let used = self.used.get().unwrap_or_else(|| edgehook_sandbox::usage(&self.temporary, self.quota));
        let before = fs::metadata(place).map_or(0, |found| found.len());
        let used = used.saturating_sub(before).saturating_add(after);
        if used > self.quota {
            return Err("ENOSPC");
        }
        self.used.set(Some(used));
        Ok(())
    }

    /// What lies in `/tmp` must be counted again.
    fn forget_usage(&self) {
        self.used.set(None);
    }

    /// The folders that may be read.
    fn roots(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.package, &self.temporary].into_iter().chain(&self.layers)
    }

    /// Where `/tmp` is.
    pub(crate) fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// The file that `path` names, its last part not followed; and whether it may be written.
    fn place(&self, path: &str) -> Result<(PathBuf, bool), Failure> {
        // `..` is taken away by name: no link can lead it elsewhere.
        let mut plain = PathBuf::from("/");
        for part in self.package.join(path).components() {
            match part {
                Component::Normal(part) => plain.push(part),
                Component::ParentDir => {
                    plain.pop();
                }
                _ => {}
            }
        }
        // A function may name a file by its real path, as errors show it; the package may itself lie below `/tmp`.
        if !plain.starts_with(&self.package) {
            if let Ok(rest) = plain.strip_prefix("/tmp") {
                plain = self.temporary.join(rest);
            } else if let Ok(rest) = plain.strip_prefix("/var/task") {
                plain = self.package.join(rest);
            } else if let Some((rest, layers)) = plain.strip_prefix("/opt").ok().zip(self.layers.as_ref())
                && !plain.starts_with(layers)
            {
                plain = layers.join(rest);
            }
        }
        // `join` with nothing leaves a slash at the end.
        let plain: PathBuf = plain.components().collect();
        if self.roots().any(|root| *root == plain) {
            return Ok((plain.clone(), plain == self.temporary));
        }
        let name = plain.file_name().map(OsStr::to_owned).unwrap_or_default();
        let parent = plain.parent().unwrap_or(Path::new("/"));
        let parent =
            parent.canonicalize().map_err(|error| if self.holds(parent) { failure(&error) } else { "ENOENT" })?;
        let place = parent.join(name);
        if place.starts_with(&self.temporary) {
            Ok((place, true))
        } else if self.holds(&place) {
            Ok((place, false))
        } else {
            Err("ENOENT")
        }
    }

    fn holds(&self, path: &Path) -> bool {
        self.roots().any(|root| path.starts_with(root))
    }

    /// A file or folder that exists, links followed.
    fn existing(&self, path: &str) -> Result<PathBuf, Failure> {
        let (place, _) = self.place(path)?;
        let place = place.canonicalize().map_err(|error| failure(&error))?;
        if self.holds(&place) { Ok(place) } else { Err("EACCES") }
    }

    /// A place in `/tmp`. A link there is not followed out of it.
    fn writable(&self, path: &str) -> Result<PathBuf, Failure> {
        let (place, writable) = self.place(path)?;
        if !writable {
            return Err("EROFS");
        }
        match place.canonicalize() {
            Ok(target) if !target.starts_with(&self.temporary) => Err("EACCES"),
            Ok(target) => Ok(target),
            Err(_) if place.is_symlink() => Err("EACCES"),
            Err(_) => Ok(place),
        }
    }
}

fn answer<T>(
    arguments: &[JsValue],
    context: &mut Context,
    run: impl FnOnce(&Places, &str) -> Result<T, Failure>,
) -> JsResult<T> {
    let path = string(arguments, 0, context)?;
    if path.contains('\0') {
        return Err(thrown("ENOENT"));
    }
    run(State::of(context).places(), &path).map_err(thrown)
}

/// `readFile(path)`: an `ArrayBuffer`.
pub(super) fn read_file(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let content = answer(arguments, context, |places, path| {
        let place = places.existing(path)?;
        if place.is_dir() {
            return Err("EISDIR");
        }
        fs::read(place).map_err(|error| failure(&error))
    })?;
    bytes::given(&content, context)
}

/// `writeFile(path, view, flag)`, where the flag is Node's `w`, `a`, `wx` or `ax`.
pub(super) fn write_file(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let content = bytes::taken(arguments, 1, context)?;
    let flag = string(arguments, 2, context)?;
    answer(arguments, context, |places, path| {
        let place = places.writable(path)?;
        let mut options = OpenOptions::new();
        if flag.starts_with('a') {
            options.append(true)
        } else {
            options.write(true).truncate(true)
        };
        if flag.contains('x') {
            options.create_new(true)
        } else {
            options.create(true)
        };
        let length = content.len() as u64;
        let before = if flag.starts_with('a') { fs::metadata(&place).map_or(0, |found| found.len()) } else { 0 };
        if !(flag.contains('x') && place.exists()) {
            places.grow(&place, before + length)?;
        }
        let written = options.open(place).and_then(|mut file| file.write_all(&content));
        written.map_err(|error| {
            places.forget_usage();
            failure(&error)
        })
    })?;
    Ok(JsValue::undefined())
}

/// `stat(path, follow)`: `[kind, size, changed in ms, mode]`.
pub(super) fn stat(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let follow = arguments.get_or_undefined(1).to_boolean();
    let found = answer(arguments, context, |places, path| {
        let place = if follow { places.existing(path)? } else { places.place(path)?.0 };
        fs::symlink_metadata(place).map_err(|error| failure(&error))
    })?;
    let kind = if found.is_dir() {
        "folder"
    } else if found.is_symlink() {
        "link"
    } else {
        "file"
    };
    let changed = found.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let mode = if found.is_dir() { 0o040_755 } else { 0o100_644 };
    #[expect(clippy::cast_precision_loss, reason = "sizes of files are exact in 53 bits")]
    let size = found.len() as f64;
    let parts = [text(kind), size.into(), (changed.as_secs_f64() * 1000.0).floor().into(), mode.into()];
    Ok(JsArray::from_iter(parts, context).into())
}

/// `list(path)`: the names in a folder, sorted.
pub(super) fn list(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let mut names = answer(arguments, context, |places, path| {
        let place = places.existing(path)?;
        let entries = fs::read_dir(place).map_err(|error| failure(&error))?;
        Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>())
    })?;
    names.sort_unstable();
    Ok(JsArray::from_iter(names.iter().map(|name| text(name)), context).into())
}

/// `makeFolder(path, recursive)`.
pub(super) fn make_folder(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let recursive = arguments.get_or_undefined(1).to_boolean();
    answer(arguments, context, |places, path| {
        if !recursive {
            return fs::create_dir(places.writable(path)?).map_err(|error| failure(&error));
        }
        // Folder by folder, so that each is judged.
        let mut made = PathBuf::new();
        for part in Path::new(path).components() {
            made.push(part);
            let text = made.to_string_lossy();
            match places.existing(&text) {
                Ok(place) if place.is_dir() => {}
                Ok(_) => return Err("ENOTDIR"),
                Err(_) if made == Path::new("/") => {}
                Err(_) => fs::create_dir(places.writable(&text)?).map_err(|error| failure(&error))?,
            }
        }
        Ok(())
    })?;
    Ok(JsValue::undefined())
}

/// `remove(path, kind)`, where the kind is `file`, `folder` (an empty one) or `all`.
pub(super) fn remove(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let kind = string(arguments, 1, context)?;
    answer(arguments, context, |places, path| {
        let (place, writable) = places.place(path)?;
        if !writable || place == places.temporary {
            return Err("EROFS");
        }
        let folder = fs::symlink_metadata(&place).map_err(|error| failure(&error))?.is_dir();
        let removed = match (kind.as_str(), folder) {
            ("file", true) => return Err("EISDIR"),
            ("folder", false) => return Err("ENOTDIR"),
            ("folder", true) => fs::remove_dir(place),
            ("all", true) => fs::remove_dir_all(place),
            _ => fs::remove_file(place),
        };
        places.forget_usage();
        removed.map_err(|error| failure(&error))
    })?;
    Ok(JsValue::undefined())
}

/// `rename(from, to)`.
pub(super) fn rename(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let target = string(arguments, 1, context)?;
    answer(arguments, context, |places, path| {
        let (from, to) = (places.writable(path)?, places.writable(&target)?);
        places.forget_usage();
        fs::rename(from, to).map_err(|error| failure(&error))
    })?;
    Ok(JsValue::undefined())
}

/// `errno(name)`: the negative number that Node shows.
pub(super) fn errno(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let name = string(arguments, 0, context)?;
    let number = ERRORS.iter().find(|(known, _)| *known == name).map_or(5, |(_, number)| *number);
    Ok((-number).into())
}
