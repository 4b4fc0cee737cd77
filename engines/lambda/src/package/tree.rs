//! A tree of files as it is put together from folders and archives, within limits; and the digest of one.

use super::{ARCHIVE_LIMIT, PackageError, is_archive};
use sha2::{Digest as _, Sha256};
use std::{
    collections::HashSet,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink},
    path::{Component, Path, PathBuf},
};
use zip::ZipArchive;

/// What may still be added.
#[derive(Debug)]
pub(super) struct Tree {
    bytes: u64,
    files: usize,
    left_out: usize,
}

impl Tree {
    /// Nothing yet, and room for this much.
    pub(super) fn new(bytes: u64, files: usize) -> Self {
        Self { bytes, files, left_out: 0 }
    }

    /// Links that were left out.
    pub(super) fn left_out(&self) -> usize {
        self.left_out
    }

    /// Adds a folder, an archive or a file to what lies at `target`, over files of the same name.
    pub(super) fn add(&mut self, source: &Path, target: &Path) -> Result<(), PackageError> {
        folder(target)?;
        let found = fs::metadata(source).map_err(|error| unreadable(source, error))?;
        if found.is_dir() {
            let root = source.canonicalize().map_err(|error| unreadable(source, error))?;
            return self.add_folder(&root, &root, target);
        }
        if is_archive(source) {
            return self.add_archive(source, target);
        }
        let name = source.file_name().unwrap_or_default();
        self.add_file(source, &target.join(name))
    }

    fn count(&mut self) -> Result<(), PackageError> {
        self.files = self.files.checked_sub(1).ok_or(PackageError::TooManyFiles)?;
        Ok(())
    }

    fn add_folder(&mut self, root: &Path, source: &Path, target: &Path) -> Result<(), PackageError> {
        for entry in fs::read_dir(source).map_err(|error| unreadable(source, error))? {
            let entry = entry.map_err(|error| unreadable(source, error))?;
            let (from, to) = (entry.path(), target.join(entry.file_name()));
            let kind = entry.file_type().map_err(|error| unreadable(&from, error))?;
            if kind.is_dir() {
                self.count()?;
                folder(&to)?;
                self.add_folder(root, &from, &to)?;
            } else if kind.is_symlink() {
                self.add_link(root, &from, &to)?;
            } else if kind.is_file() {
                self.add_file(&from, &to)?;
            } else {
                // A socket or a pipe is no code.
                self.left_out += 1;
            }
        }
        Ok(())
    }

    /// A link within the package stays a link, as package managers make them; others are left out.
    fn add_link(&mut self, root: &Path, from: &Path, to: &Path) -> Result<(), PackageError> {
        let target = fs::read_link(from).map_err(|error| unreadable(from, error))?;
        let inside = from.canonicalize().is_ok_and(|found| found.starts_with(root));
        if !inside || target.is_absolute() {
            self.left_out += 1;
            return Ok(());
        }
        self.count()?;
        make_room(to)?;
        Ok(symlink(target, to)?)
    }

    fn add_file(&mut self, from: &Path, to: &Path) -> Result<(), PackageError> {
        let mut file = File::open(from).map_err(|error| unreadable(from, error))?;
        let mode = file.metadata().map_err(|error| unreadable(from, error))?.permissions().mode();
        self.write(&mut file, to, mode, |error| unreadable(from, error))
    }

    /// Writes a file; what is there by that name goes.
    fn write(
        &mut self,
        from: &mut impl Read,
        to: &Path,
        mode: u32,
        broken: impl Fn(io::Error) -> PackageError,
    ) -> Result<(), PackageError> {
        self.count()?;
        make_room(to)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = from.read(&mut buffer).map_err(&broken)?;
            if length == 0 {
                break;
            }
            self.bytes = self.bytes.checked_sub(length as u64).ok_or(PackageError::TooLarge)?;
            io::Write::write_all(&mut file, &buffer[..length])?;
        }
        // Readable and, where it was, executable; never writable again.
        let executable = if mode & 0o111 == 0 { 0 } else { 0o111 };
        Ok(file.set_permissions(Permissions::from_mode(0o444 | executable))?)
    }

    fn add_archive(&mut self, source: &Path, target: &Path) -> Result<(), PackageError> {
        let shown = source.display().to_string();
        let file = File::open(source).map_err(|error| unreadable(source, error))?;
        let bytes = file.metadata().map_err(|error| unreadable(source, error))?.len();
        if bytes > ARCHIVE_LIMIT {
            return Err(PackageError::ArchiveTooLarge(shown, bytes));
        }
        let bad = |error: &dyn std::fmt::Display| PackageError::BadArchive(shown.clone(), error.to_string());
        let mut archive = ZipArchive::new(io::BufReader::new(file)).map_err(|error| bad(&error))?;
        let mut seen = HashSet::new();
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(|error| bad(&error))?;
            let name = entry.name().map_err(|error| bad(&error))?.into_owned();
            let refused =
                |why| PackageError::BadEntry { archive: shown.clone(), entry: name.escape_default().to_string(), why };
            let path = inside(&name).map_err(refused)?;
            if entry.is_symlink() || !entry.unix_mode().is_none_or(is_plain) {
                return Err(refused("is a link or a device; only files and folders may be packed"));
            }
            let to = target.join(&path);
            if entry.is_dir() {
                self.count()?;
                self.folders(target, &path, &refused)?;
            } else {
                if !seen.insert(path.clone()) {
                    return Err(refused("is there twice"));
                }
                self.folders(target, path.parent().unwrap_or(Path::new("")), &refused)?;
                let mode = entry.unix_mode().unwrap_or(0o644);
                self.write(&mut entry, &to, mode, |error| bad(&error))?;
            }
        }
        Ok(())
    }

    /// Makes the folders of `path` in `target`, none of which may be a file or a link.
    fn folders(
        &mut self,
        target: &Path,
        path: &Path,
        refused: &impl Fn(&'static str) -> PackageError,
    ) -> Result<(), PackageError> {
        let mut at = target.to_owned();
        for part in path.components() {
            at.push(part);
            match fs::symlink_metadata(&at) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => return Err(refused("lies below something that is a file")),
                Err(_) => {
                    self.count()?;
                    folder(&at)?;
                }
            }
        }
        Ok(())
    }
}

/// Whether a mode is that of a file or folder, or tells no kind.
fn is_plain(mode: u32) -> bool {
    matches!(mode & 0o170_000, 0 | 0o100_000 | 0o040_000)
}

/// The path that the name of an entry means, if it stays inside.
fn inside(name: &str) -> Result<PathBuf, &'static str> {
    if name.contains(['\\', '\0']) {
        return Err("has a character that no path may have");
    }
    let mut path = PathBuf::new();
    for part in Path::new(name).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return Err("leads out of the package"),
        }
    }
    if path.as_os_str().is_empty() && !name.ends_with('/') { Err("has no name") } else { Ok(path) }
}

fn unreadable(path: &Path, error: io::Error) -> PackageError {
    PackageError::Unreadable(path.display().to_string(), error)
}

/// Makes a folder that may be there already.
fn folder(path: &Path) -> Result<(), PackageError> {
    match DirBuilder::new().mode(0o755).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => Ok(made?),
    }
}

/// Takes away the file or link that something goes over.
fn make_room(path: &Path) -> Result<(), PackageError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => Ok(removed?),
    }
}

/// SHA-256 over everything below `root`, in the order of names, every part with its length before it.
pub(super) fn digest(root: &Path) -> Result<String, PackageError> {
    let mut hash = Sha256::new();
    of_folder(root, &mut hash)?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn of_folder(folder: &Path, hash: &mut Sha256) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    hash.update((entries.len() as u64).to_be_bytes());
    for entry in entries {
        let (name, kind, path) = (entry.file_name(), entry.file_type()?, entry.path());
        let name = name.as_encoded_bytes();
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name);
        if kind.is_dir() {
            hash.update(b"d");
            of_folder(&path, hash)?;
        } else if kind.is_symlink() {
            let target = fs::read_link(&path)?;
            let target = target.as_os_str().as_encoded_bytes();
            hash.update(b"l");
            hash.update((target.len() as u64).to_be_bytes());
            hash.update(target);
        } else {
            let found = entry.metadata()?;
            hash.update(if found.permissions().mode() & 0o111 == 0 { b"f" } else { b"x" });
            hash.update(found.len().to_be_bytes());
            let mut file = File::open(&path)?;
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let length = file.read(&mut buffer)?;
                if length == 0 {
                    break;
                }
                hash.update(&buffer[..length]);
            }
        }
    }
    Ok(())
}
