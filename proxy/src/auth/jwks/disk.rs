//! The last good key set on disk, so that a restart during an outage does not lock everybody out.

use crate::auth::jwt::SET_LIMIT;
use aws_lc_rs::digest;
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Where a set is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSet {
    file: PathBuf,
}

impl KeptSet {
    /// In a folder, under a name that is made of the set's URL.
    #[must_use]
    pub fn new(folder: &Path, url: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, url.as_bytes());
        let name: String = hash.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { file: folder.join(format!("{name}.json")) }
    }

    /// The set and its age; one from the future counts as new.
    pub(super) fn read(&self) -> Option<(Vec<u8>, Duration)> {
        let meta = fs::metadata(&self.file).ok().filter(|meta| meta.is_file() && meta.len() <= SET_LIMIT as u64)?;
        let age = SystemTime::now().duration_since(meta.modified().ok()?).unwrap_or_default();
        Some((fs::read(&self.file).ok()?, age))
    }

    /// Replaces it as a whole.
    pub(super) fn write(&self, text: &[u8]) -> io::Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
        io::Write::write_all(&mut fresh, text)?;
        fresh.persist(&self.file).map_err(|error| error.error)?;
        Ok(())
    }
}
