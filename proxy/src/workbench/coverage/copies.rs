//! Copies of functions that tell what they reach, in a folder that lives as long as this.
//!
//! A viewer function is one file. A Lambda function may load whatever lies in its folder, so the folder is copied as a whole, once
//! for all functions in it: JavaScript outside of `node_modules` rewritten, everything else linked or copied as it is.

use edgehook_config::{Config, Function, FunctionKind, Language};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

/// Copies run longer than what they are copied from.
const BUDGET: Duration = Duration::from_millis(50);
/// And take more memory, in bytes.
const MORE_MEMORY: u64 = 4 << 20;

/// Folders of a project that no function loads from.
const APART: [&str; 2] = ["target", "__pycache__"];

pub(super) struct Copies {
    config: Config,
    /// The copies themselves.
    folder: TempDir,
    /// By their numbers.
    places: Vec<(String, u32)>,
    /// Lines with code of each JavaScript file.
    lines: BTreeMap<String, BTreeSet<u32>>,
    /// The files of functions as they are shown, or why there is no copy.
    own: BTreeMap<String, Result<String, String>>,
    /// Copied folders by their originals.
    folders: BTreeMap<PathBuf, PathBuf>,
}

impl Copies {
    /// # Errors
    /// They cannot be written.
    pub(super) fn make(config: &Config) -> io::Result<Self> {
        let mut copies = Self {
            config: config.clone(),
            folder: tempfile::Builder::new().prefix("edgehook-coverage-").tempdir()?,
            places: Vec::new(),
            lines: BTreeMap::new(),
            own: BTreeMap::new(),
            folders: BTreeMap::new(),
        };
        for (name, function) in &config.functions {
            let copied = copies.copy(function)?;
            let own = match copied {
                Ok(file) => {
                    if let Some(copy) = copies.config.functions.get_mut(name) {
                        give_room(&mut copy.kind);
                        copy.file = file;
                    }
                    Ok(shown(&function.file))
                }
                Err(why) => Err(why),
            };
            copies.own.insert(name.clone(), own);
        }
        Ok(copies)
    }

    /// The configuration with the copies in it.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Names of all functions.
    pub(super) fn functions(&self) -> impl Iterator<Item = &str> {
        self.own.keys().map(String::as_str)
    }

    /// File and line of a place in JavaScript.
    pub(super) fn place(&self, number: usize) -> Option<(&str, u32)> {
        self.places.get(number).map(|(file, line)| (file.as_str(), *line))
    }

    /// The lines with code of a JavaScript file.
    pub(super) fn lines(&self, file: &str) -> Option<BTreeSet<u32>> {
        self.lines.get(file).cloned()
    }

    /// A function's file.
    pub(super) fn own_file(&self, function: &str) -> Result<&str, &str> {
        match self.own.get(function) {
            Some(own) => own.as_deref().map_err(String::as_str),
            None => Err("there is no such function"),
        }
    }

    /// A file in the folder of a function.
    pub(super) fn beside(&self, function: &str, file: &str) -> Option<String> {
        let own = Path::new(self.own_file(function).ok()?);
        let folder = own.parent().unwrap_or(Path::new(""));
        Some(folder.join(file).display().to_string())
    }

    /// The copy of a function's file, or why there is none.
    fn copy(&mut self, function: &Function) -> io::Result<Result<PathBuf, String>> {
        let (Some(folder), Some(name)) = (function.file.parent(), function.file.file_name()) else {
            return Ok(Err("its file has no name".to_owned()));
        };
        let settings = match &function.kind {
            FunctionKind::Viewer { .. } => {
                let own = self.folder.path().join(format!("viewer-{}", self.own.len()));
                fs::create_dir(&own)?;
                let copy = own.join(name);
                let source = fs::read_to_string(&function.file)?;
                return Ok(match self.rewritten(&source, &function.file, true) {
                    Ok(text) => fs::write(&copy, text).map(|()| Ok(copy))?,
                    Err(why) => Err(why),
                });
            }
            FunctionKind::Lambda(settings) => settings,
        };
        let language = settings.language;
        if language == Language::Provided {
            return Ok(Err("its executable says nothing about lines".to_owned()));
        }
        let copied = match self.folders.get(folder) {
            Some(copied) => copied.clone(),
            None => {
                let copied = self.folder.path().join(format!("lambda-{}", self.folders.len()));
                self.folders.insert(folder.to_owned(), copied.clone());
                self.copy_folder(folder, &copied)?;
                copied
            }
        };
        let copy = copied.join(name);
        if language == Language::Python {
            let source = fs::read_to_string(&function.file)?;
            let handler = settings.handler.rsplit('.').next().unwrap_or_default();
            let _ = fs::remove_file(&copy);
            fs::write(&copy, edgehook_coverage::python(&source, &name.to_string_lossy(), handler))?;
        } else if !self.lines.contains_key(&shown(&function.file)) {
            return Ok(Err("it could not be read as JavaScript".to_owned()));
        }
        Ok(Ok(copy))
    }

    fn copy_folder(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
            let copy = to.join(&name);
            let hidden = name.as_encoded_bytes().starts_with(b".");
            if path.is_dir() {
                if hidden || APART.iter().any(|apart| *apart == name) || is_inside(&path, self.folder.path()) {
                    continue;
                }
                if name == "node_modules" {
                    link_folder(&path, &copy)?
                } else {
                    self.copy_folder(&path, &copy)?
                }
                continue;
            }
            let script = ["js", "mjs", "cjs"].iter().any(|kind| path.extension() == Some(OsStr::new(kind)));
            let source = if script { fs::read_to_string(&path).ok() } else { None };
            // What does not parse may be no code of the function's at all.
            match source.and_then(|source| self.rewritten(&source, &path, false).ok()) {
                Some(text) => fs::write(&copy, text)?,
                None => link(&path, &copy)?,
            }
        }
        Ok(())
    }

    fn rewritten(&mut self, source: &str, file: &Path, per_run: bool) -> Result<String, String> {
        let done = edgehook_coverage::javascript(source, self.places.len(), per_run);
        let done = done.map_err(|error| format!("it could not be read as JavaScript: {error}"))?;
        let name = shown(file);
        self.lines.entry(name.clone()).or_default().extend(done.places.iter().map(|place| place.line));
        self.places.extend(done.places.iter().map(|place| (name.clone(), place.line)));
        Ok(done.text)
    }
}

fn is_inside(folder: &Path, other: &Path) -> bool {
    other.starts_with(folder) || fs::symlink_metadata(folder).is_ok_and(|about| about.is_symlink())
}

fn link_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() { link_folder(&path, &copy)? } else { link(&path, &copy)? }
    }
    Ok(())
}

/// The same file where the file system lets it have two names, or else a copy. What is no file is left out.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_file() {
        return Ok(());
    }
    let from = from.canonicalize()?;
    fs::hard_link(&from, to).or_else(|_| fs::copy(&from, to).map(drop))
}

fn give_room(kind: &mut FunctionKind) {
    if let FunctionKind::Viewer { budget, state_memory, memory, .. } = kind {
        *budget = BUDGET;
        *state_memory += MORE_MEMORY;
        *memory += MORE_MEMORY;
    }
}

/// As the user would write it.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let short = here.as_deref().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
    short.display().to_string()
}
