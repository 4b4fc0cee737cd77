//! The folders that an environment has in places of its own, in a mount namespace of its own (lambda-edge.md 6.1): its `/tmp`, its
//! code at `/var/task`, its layers at `/opt`.
//!
//! Absent on purpose: who may read or write there, which Landlock says.

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    unistd::{getgid, getuid},
};
use std::{
    fs::{self, DirBuilder, File},
    io,
    os::{fd::AsRawFd as _, unix::fs::DirBuilderExt as _},
    path::{Path, PathBuf},
};

/// Where a function's code is.
const TASK: &str = "/var/task";

/// What is put where.
#[derive(Clone, Copy, Debug)]
pub struct PrivateFolders<'a> {
    /// What `/tmp` is.
    pub tmp: &'a Path,
    /// What `/var/task` is, read-only.
    pub code: &'a Path,
    /// A file that goes over the one of its name in `/var/task`.
    pub over: Option<&'a Path>,
    /// What is found in `/opt`, read-only; `None`: it is left alone.
    pub layers: Option<&'a Path>,
    /// Folders that stay where they are, read-only, though one of those goes over them.
    pub keep: &'a [PathBuf],
}

/// Which folders are in places of their own.
#[derive(Debug)]
pub struct PrivatePlaces {
    /// `/tmp`; without it the others are not either.
    pub tmp: bool,
    /// `/var/task`.
    pub code: bool,
    /// `/opt`.
    pub layers: bool,
    /// What became of each as a layer of the sandbox: its name, and why it is missing; empty: it is there.
    pub report: Vec<(String, String)>,
}

/// How it went with the folders besides `/tmp`.
struct Besides {
    code: io::Result<()>,
    /// There is nothing to say without layers.
    layers: Option<io::Result<()>>,
}

/// The row of a report.
fn told<T>(name: &str, done: &io::Result<T>) -> (String, String) {
    (name.to_owned(), done.as_ref().err().map_or_else(String::new, ToString::to_string))
}

/// Puts `folders` in their places, for this process and what it starts. Nothing else is left of `/tmp` and `/var`, and of `/opt`
/// where there are layers, but what is kept.
///
/// Call it while the process has one thread. It must be told again whom it dies with afterwards. Where the system allows no
/// mount namespaces to this user, everything is as it was.
#[must_use]
pub fn private_folders(folders: &PrivateFolders<'_>) -> PrivatePlaces {
    let done = put(folders);
    let mut report = vec![told("private-tmp", &done)];
    let Ok(Besides { code, layers }) = done else {
        return PrivatePlaces { tmp: false, code: false, layers: false, report };
    };
    report.push(told("private-task", &code));
    report.extend(layers.as_ref().map(|layers| told("private-opt", layers)));
    PrivatePlaces { tmp: true, code: code.is_ok(), layers: layers.is_some_and(|layers| layers.is_ok()), report }
}

fn put(folders: &PrivateFolders<'_>) -> io::Result<Besides> {
    let (user, group) = (getuid(), getgid());
    if unshare(CloneFlags::CLONE_NEWNS).is_err() {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    }
    let none: Option<&Path> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    // Held open, since their names lead elsewhere in a moment.
    let code = File::open(folders.code)?;
    let over = folders.over.map(|file| File::open(file).map(|open| (file.file_name(), open))).transpose()?;
    let layers = folders.layers.map(entries).transpose()?;
    let kept = |place: &'static str| {
        let below = folders.keep.iter().filter(move |path| path.starts_with(place) && *path != Path::new(place));
        below.filter_map(|path| Some((path.as_path(), File::open(path).ok()?))).collect::<Vec<_>>()
    };
    let (below_tmp, below_var, below_opt) = (kept("/tmp"), kept("/var"), kept("/opt"));
    mount(Some(folders.tmp), "/tmp", none, MsFlags::MS_BIND, none)?;
    restore(&below_tmp)?;
    Ok(Besides {
        code: (|| {
            empty("/var")?;
            restore(&below_var)?;
            bind(&code, TASK.as_ref())?;
            let Some((Some(name), file)) = &over else { return Ok(()) };
            bind(file, &Path::new(TASK).join(name))
        })(),
        layers: layers.map(|layers| {
            empty("/opt")?;
            restore(&below_opt)?;
            layers.iter().try_for_each(|(name, open)| bind(open, &Path::new("/opt").join(name)))
        }),
    })
}

/// What lies in a folder, opened.
fn entries(folder: &Path) -> io::Result<Vec<(std::ffi::OsString, File)>> {
    fs::read_dir(folder)?
        .map(|entry| entry.and_then(|entry| Ok((entry.file_name(), File::open(entry.path())?))))
        .collect()
}

/// Puts a small folder of memory in the place of one that exists.
fn empty(place: &str) -> io::Result<()> {
    let kind = Some("tmpfs");
    Ok(mount(kind, place, kind, MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("size=1m,mode=755"))?)
}

fn restore(kept: &[(&Path, File)]) -> io::Result<()> {
    kept.iter().try_for_each(|(path, open)| bind(open, path))
}

/// Mounts an open file or folder at `path`, which is made, read-only.
fn bind(open: &File, path: &Path) -> io::Result<()> {
    let is_folder = open.metadata()?.is_dir();
    let folder = if is_folder { Some(path) } else { path.parent() };
    if let Some(folder) = folder {
        DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    }
    if !is_folder && !path.exists() {
        File::create(path)?;
    }
    let none: Option<&Path> = None;
    let source = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd()));
    mount(Some(&source), path, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)?;
    let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    // In a user namespace of its own the flags that the mount came with may be locked; Landlock holds all the same.
    let _ = mount(none, path, none, read_only, none);
    Ok(())
}
