//! Tells when a file that `dev` serves from has been saved.

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::sync::mpsc;

/// Saves within this time count as one (experience.md 4.2).
const TOGETHER: Duration = Duration::from_millis(50);

/// How deep below a folder its subfolders are looked at, and how many in all.
const DEPTH: usize = 8;
const FOLDERS: usize = 512;

/// Whether a file may hold source of a function.
pub(crate) fn is_source(file: &Path) -> bool {
    let kind = file.extension().and_then(|kind| kind.to_str());
    matches!(kind, Some("js" | "mjs" | "cjs" | "json" | "py"))
}

/// A folder and the folders below it in which sources may lie; hidden ones, packages and build results left out.
pub(crate) fn folders_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let (mut from, mut depth) = (0, 0);
    while from < found.len() && depth < DEPTH && found.len() < FOLDERS {
        let level = found.split_off(from);
        let below: Vec<PathBuf> = level.iter().flat_map(|folder| subfolders(folder)).collect();
        from += level.len();
        depth += 1;
        found.extend(level);
        found.extend(below);
    }
    found.truncate(FOLDERS);
    found
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            !name.starts_with('.') && !["node_modules", "__pycache__", "target"].contains(&name.as_ref())
        })
        .map(|entry| entry.path())
        .collect()
}

/// A watch on a configuration, the folders of its functions, and folders that are origins.
pub(super) struct Watch {
    watcher: RecommendedWatcher,
    saved: mpsc::UnboundedReceiver<PathBuf>,
    config: PathBuf,
    files: Vec<PathBuf>,
    origins: Vec<PathBuf>,
    folders: BTreeSet<PathBuf>,
}

/// What was saved together.
#[derive(Debug, Default)]
pub(super) struct Saved {
    /// The configuration, sources of functions, or folders that came or went.
    pub(super) sources: BTreeSet<PathBuf>,
    /// Files of folders that are origins.
    pub(super) origin_files: BTreeSet<PathBuf>,
}

impl Watch {
    /// Watches `config`, to begin with.
    pub(super) fn start(config: &Path) -> notify::Result<Self> {
        let (sender, saved) = mpsc::unbounded_channel();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if matches!(event.kind, notify::EventKind::Access(_)) {
                return;
            }
            for path in event.paths {
                // The other end goes away when `dev` ends.
                let _ = sender.send(path);
            }
        })?;
        let config = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
        let mut watch =
            Self { watcher, saved, config, files: Vec::new(), origins: Vec::new(), folders: BTreeSet::new() };
        watch.renew();
        Ok(watch)
    }

    /// Watches these functions and origins from now on.
    pub(super) fn follow(&mut self, files: Vec<PathBuf>, origins: Vec<PathBuf>) {
        self.files = files;
        self.origins = origins;
        self.renew();
    }

    /// Watches all folders anew: one that was removed and made again has lost its watch. Folders rather than files, because
    /// editors replace files.
    pub(super) fn renew(&mut self) {
        let mut roots: BTreeSet<PathBuf> = self.origins.iter().cloned().collect();
        roots.extend(self.files.iter().chain([&self.config]).filter_map(|file| Some(file.parent()?.to_owned())));
        let folders: BTreeSet<PathBuf> = roots.iter().flat_map(|root| folders_below(root)).collect();
        for folder in &folders {
            if let Err(error) = self.watcher.watch(folder, RecursiveMode::NonRecursive)
                && folder.is_dir()
            {
                tracing::warn!(%error, folder = %folder.display(), "changes in this folder will not be noticed");
            }
        }
        self.folders = folders;
    }

    /// Waits for a save.
    pub(super) async fn saved(&mut self) -> Saved {
        let mut together = Saved::default();
        while let Some(file) = self.saved.recv().await {
            if self.sort(file, &mut together) {
                break;
            }
        }
        let until = tokio::time::Instant::now() + TOGETHER;
        while let Ok(Some(file)) = tokio::time::timeout_at(until, self.saved.recv()).await {
            self.sort(file, &mut together);
        }
        together
    }

    /// Puts a changed path where it belongs, if it matters at all.
    fn sort(&self, path: PathBuf, together: &mut Saved) -> bool {
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if self.origins.iter().any(|origin| path.starts_with(origin)) && !self.files.contains(&path) {
            together.origin_files.insert(path);
            return true;
        }
        // A folder that went can only be known by its name; files without an ending are what editors leave for a moment.
        let folder = !hidden && (path.is_dir() || self.folders.contains(&path));
        if path == self.config || self.files.contains(&path) || (is_source(&path) && !hidden) || folder {
            together.sources.insert(path);
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_with_sources_are_found_and_others_are_not() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["functions/lib/deep", "node_modules/x", ".git/objects", "functions/__pycache__"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let found: BTreeSet<PathBuf> = folders_below(root.path()).into_iter().collect();
        let expected = ["", "functions", "functions/lib", "functions/lib/deep"];
        assert_eq!(found, expected.iter().map(|folder| root.path().join(folder)).collect());
        assert_eq!(folders_below(&root.path().join("absent")), [root.path().join("absent")]);
    }
}
