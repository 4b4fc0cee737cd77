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

/// Whether a file may hold source of a function.
pub(crate) fn is_source(file: &Path) -> bool {
    let kind = file.extension().and_then(|kind| kind.to_str());
    matches!(kind, Some("js" | "mjs" | "cjs" | "json" | "py"))
}

/// A watch on a configuration and the folders of its functions.
pub(super) struct Watch {
    watcher: RecommendedWatcher,
    saved: mpsc::UnboundedReceiver<PathBuf>,
    folders: BTreeSet<PathBuf>,
    config: PathBuf,
}

impl Watch {
    /// Watches `config` and the folders of `files`.
    pub(super) fn start(config: &Path, files: impl Iterator<Item = PathBuf>) -> notify::Result<Self> {
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
        let mut watch = Self { watcher, saved, folders: BTreeSet::new(), config };
        watch.follow(files)?;
        Ok(watch)
    }

    /// Watches the folders of `files` too; folders rather than files, because editors replace files.
    pub(super) fn follow(&mut self, files: impl Iterator<Item = PathBuf>) -> notify::Result<()> {
        for file in files.chain([self.config.clone()]) {
            let Some(folder) = file.parent().filter(|folder| folder.is_dir()) else { continue };
            if self.folders.insert(folder.to_owned()) {
                self.watcher.watch(folder, RecursiveMode::NonRecursive)?;
            }
        }
        Ok(())
    }

    /// Waits for a save; returns the files that were saved together.
    pub(super) async fn saved(&mut self) -> BTreeSet<PathBuf> {
        let mut files = BTreeSet::new();
        while let Some(file) = self.saved.recv().await {
            if file == self.config || is_source(&file) {
                files.insert(file);
                break;
            }
        }
        let until = tokio::time::Instant::now() + TOGETHER;
        while let Ok(Some(file)) = tokio::time::timeout_at(until, self.saved.recv()).await {
            if file == self.config || is_source(&file) {
                files.insert(file);
            }
        }
        files
    }
}
