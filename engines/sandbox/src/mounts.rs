//! A `/tmp` of its own for an environment, in a mount namespace of its own (lambda-edge.md 6.1).

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    unistd::{getgid, getuid},
};
use std::{
    fs::{self, File},
    io,
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
};

/// Puts `folder` in the place of `/tmp`, for this process and what it starts. Folders in `keep` that lie below `/tmp` stay
/// where they are, read-only.
///
/// Call it while the process has one thread. It must be told again whom it dies with afterwards.
///
/// # Errors
/// The system allows no mount namespaces to this user. Everything is as it was then.
pub fn private_tmp(folder: &Path, keep: &[PathBuf]) -> io::Result<()> {
    let (user, group) = (getuid(), getgid());
    if unshare(CloneFlags::CLONE_NEWNS).is_err() {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    }
    let none: Option<&Path> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let kept = keep.iter().filter(|path| path.starts_with("/tmp") && *path != Path::new("/tmp"));
    // Held open, since their names lead elsewhere in a moment.
    let kept = kept.map(|path| Ok((path, File::open(path)?))).collect::<io::Result<Vec<_>>>()?;
    mount(Some(folder), "/tmp", none, MsFlags::MS_BIND, none)?;
    for (path, open) in kept {
        fs::create_dir_all(path)?;
        let source = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd()));
        mount(Some(&source), path, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)?;
        let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        // In a user namespace of its own the flags that the mount came with may be locked; Landlock holds all the same.
        let _ = mount(none, path, none, read_only, none);
    }
    Ok(())
}
