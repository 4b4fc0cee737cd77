//! A folder for each running process, which goes with it: where the `/tmp` of environments and packages lie, for one. It is locked for
//! as long as the process lives, so that the next one can tell what a killed one has left behind, and takes it away.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
};
use tempfile::{Builder, TempDir};

/// What the folders begin with in which environments and packages lie.
pub(crate) const RUN: &str = "edgehook-run-";

/// How often a folder is made anew that somebody took for a leftover before it was locked.
const ATTEMPTS: usize = 10;

/// The folder of this process.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    /// Locked: the folder is in use.
    _lock: File,
}

impl Scratch {
    /// Makes the folder in `parent`, with a name that begins with `prefix`, and removes those of that kind there that nobody uses
    /// any more.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(parent: &Path, prefix: &str) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            let folder = Builder::new().prefix(prefix).tempdir_in(parent)?;
            let lock = File::open(folder.path())?;
            // One that looks for leftovers at this very moment may have been first.
            if lock.try_lock().is_ok() && is_at(&lock, folder.path()) {
                sweep(parent, prefix, lock.metadata()?.uid());
                return Ok(Self { folder, _lock: lock });
            }
        }
        Err(io::Error::other("the folder was removed again and again"))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A new folder that becomes the `/tmp` of an environment.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn temporary(&self) -> io::Result<TempDir> {
        Builder::new().prefix("tmp-").tempdir_in(self.folder.path())
    }
}

/// Whether the open folder is still what lies there.
fn is_at(open: &File, path: &Path) -> bool {
    let here = fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()));
    open.metadata().is_ok_and(|open| here.is_ok_and(|here| here == (open.dev(), open.ino())))
}

/// Removes the folders of processes that have ended, where they belonged to this user. What cannot be removed stays.
fn sweep(parent: &Path, prefix: &str, user: u32) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let path = entry.path();
        let named = entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix));
        let own = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir() && found.uid() == user);
        if named
            && own
            && let Ok(lock) = File::open(&path)
            && lock.try_lock().is_ok()
            && is_at(&lock, &path)
        {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(parent: &Path) -> usize {
        fs::read_dir(parent).unwrap().count()
    }

    #[test]
    fn what_a_killed_proxy_left_goes_and_what_is_in_use_stays() {
        let parent = tempfile::tempdir().unwrap();
        let first = Scratch::open(parent.path(), RUN).unwrap();
        let kept = first.temporary().unwrap();
        // As a killed proxy leaves it: not locked, not empty.
        let left = parent.path().join(format!("{RUN}left"));
        fs::create_dir_all(left.join("tmp-x/deep")).unwrap();
        fs::write(left.join("tmp-x/deep/file"), "x").unwrap();
        fs::create_dir(parent.path().join("somebody-elses")).unwrap();
        std::os::unix::fs::symlink(parent.path().join("somebody-elses"), parent.path().join(format!("{RUN}link")))
            .unwrap();
        let second = Scratch::open(parent.path(), RUN).unwrap();
        assert!(!left.exists());
        assert!(kept.path().is_dir(), "another proxy's, which runs");
        assert_eq!(names(parent.path()), 4, "two in use, and what is none of ours");
        drop((first, second));
        assert_eq!(names(parent.path()), 2);
    }
}
