//! Packages as a version keeps them: folders and archives, copied once into a folder of the proxy's own (lambda-edge.md 6.1, 6.2).
//!
//! [`Package::unpack`] is given what the configuration names and makes the two trees that a function sees: its code
//! (`/var/task`) and its layers, merged (`/opt`). What is copied no longer changes, whatever becomes of the files that it came
//! from; packages with the same content share one copy, which goes when the last version that uses it is gone. An archive is
//! hostile: its names stay inside, links are refused, and it is counted while it is unpacked, not believed.
//!
//! Absent on purpose: which file of a package is started ([`crate::entry`]), mounting, running what is inside.

mod tree;

#[cfg(test)]
mod tests;

use crate::concurrency::Concurrency;
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;
use tree::{Tree, digest};

/// Most bytes of an archive (lambda-edge.md 6.1).
pub const ARCHIVE_LIMIT: u64 = 50 * 1024 * 1024;

/// Most bytes of a package with its layers, unpacked (lambda-edge.md 6.1).
pub const UNPACKED_LIMIT: u64 = 250 * 1024 * 1024;

/// Most files and folders of a package with its layers: what else a small archive could fill a disk with.
pub const FILES_LIMIT: usize = 65_536;

/// What a package is made of.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    /// A folder, an archive (`.zip`), or one file that is copied alone; `None`: the code stays where it is.
    pub code: Option<&'a Path>,
    /// Folders and archives, in order; a later one goes over an earlier one.
    pub layers: &'a [PathBuf],
}

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// Something cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, #[source] io::Error),
    /// The copy cannot be written.
    #[error("the package cannot be kept: {0}")]
    Unwritable(#[from] io::Error),
    /// The archive is over [`ARCHIVE_LIMIT`].
    #[error("{0} has {1} bytes; an archive may have {ARCHIVE_LIMIT}")]
    ArchiveTooLarge(String, u64),
    /// More than [`UNPACKED_LIMIT`].
    #[error("unpacked, the package and its layers have more than {UNPACKED_LIMIT} bytes")]
    TooLarge,
    /// More than [`FILES_LIMIT`].
    #[error("the package and its layers have more than {FILES_LIMIT} files and folders")]
    TooManyFiles,
    /// Not an archive, or damaged.
    #[error("{0} is no usable zip archive: {1}")]
    BadArchive(String, String),
    /// An entry that no package may have.
    #[error("{archive}: the entry `{entry}` {why}")]
    BadEntry {
        /// Path of the archive.
        archive: String,
        /// The entry's name, shown safely.
        entry: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// What the handler names is not there.
    #[error("{kind}: {message}")]
    NoEntry {
        /// Lambda's error type.
        kind: &'static str,
        /// What was looked for.
        message: String,
    },
}

/// Whether `path` is named like an archive.
#[must_use]
pub fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip"))
}

/// A package that has been unpacked. Clones share the files, which go with the last of them.
#[derive(Clone, Debug)]
pub struct Package(pub(crate) Arc<Kept>);

#[derive(Debug)]
pub(crate) struct Kept {
    folder: TempDir,
    hash: String,
    code: bool,
    layers: bool,
}

impl Package {
    /// Copies what `contents` names to where the environments of `room` have their files; how many links in folders were
    /// left out because they lead elsewhere. Blocks for as long as copying takes.
    ///
    /// # Errors
    /// A limit is passed, an archive is damaged or has an entry that no package may have, or the disk fails.
    pub fn unpack(contents: Contents<'_>, room: &Concurrency) -> Result<(Self, usize), PackageError> {
        let folder = room.temporary()?;
        let mut tree = Tree::new(UNPACKED_LIMIT, FILES_LIMIT);
        if let Some(code) = contents.code {
            tree.add(code, &folder.path().join("task"))?;
        }
        for layer in contents.layers {
            tree.add(layer, &folder.path().join("opt"))?;
        }
        let hash = digest(folder.path())?;
        let kept = Kept { folder, hash, code: contents.code.is_some(), layers: !contents.layers.is_empty() };
        Ok((Self(room.kept(kept)), tree.left_out()))
    }

    /// The folder of the code: `/var/task`.
    #[must_use]
    pub fn code(&self) -> Option<PathBuf> {
        self.0.code.then(|| self.0.folder.path().join("task"))
    }

    /// The folder of the layers, merged: `/opt`.
    #[must_use]
    pub fn layers(&self) -> Option<PathBuf> {
        self.0.layers.then(|| self.0.folder.path().join("opt"))
    }

    /// SHA-256 over names, modes and bytes of all files, in hexadecimal digits: the same for the same content, however it
    /// was packed.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.0.hash
    }
}

impl Kept {
    pub(crate) fn hash(&self) -> &str {
        &self.hash
    }
}
