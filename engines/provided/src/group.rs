//! The processes of this environment: those of this process's group, which they cannot leave. How much memory they use, and
//! whether one of them holds a socket.

use edgehook_sandbox::private_memory;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Looks at known processes between two searches for new ones: a search reads of every process of the machine.
const SEARCH_EVERY: u32 = 10;

/// The processes of the group, without this one.
#[derive(Debug)]
pub(crate) struct Group {
    own: u32,
    known: Vec<u32>,
    looks: u32,
}

impl Group {
    /// The group of this process, in which `first` runs.
    pub(crate) fn new(first: u32) -> Self {
        Self { own: std::process::id(), known: vec![first], looks: 0 }
    }

    /// Memory that belongs to the processes alone, in bytes.
    pub(crate) fn memory(&mut self) -> u64 {
        self.looks += 1;
        if self.looks.is_multiple_of(SEARCH_EVERY) {
            self.search();
        }
        self.known.iter().filter_map(|&number| private_memory(number)).sum()
    }

    /// The most memory that the first process has held at a time, with what it shares, in KiB.
    pub(crate) fn peak(&self) -> u64 {
        let status = self.known.first().and_then(|&first| fs::read_to_string(folder(first).join("status")).ok());
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok()).unwrap_or(0)
    }

    /// Whether one of them holds the socket with this inode.
    pub(crate) fn holds(&mut self, inode: u64) -> bool {
        let wanted = PathBuf::from(format!("socket:[{inode}]"));
        if self.known.iter().any(|&number| has_open(&folder(number), &wanted)) {
            return true;
        }
        self.search();
        self.known.iter().any(|&number| has_open(&folder(number), &wanted))
    }

    fn search(&mut self) {
        let Ok(entries) = fs::read_dir("/proc") else { return };
        let first = self.known.first().copied();
        let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let others = numbers.filter(|&number| number != self.own && Some(number) != first);
        let others = others.filter(|&number| group_of(&folder(number)) == Some(self.own));
        self.known = first.into_iter().chain(others).collect();
    }
}

fn folder(number: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{number}"))
}

/// Number, name in parentheses, state, parent, group.
fn group_of(process: &Path) -> Option<u32> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(2)?.parse().ok()
}

fn has_open(process: &Path, wanted: &Path) -> bool {
    let entries = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    entries.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|link| link == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, os::fd::AsRawFd as _};

    #[test]
    fn memory_and_sockets_of_a_process_are_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let link = fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
        let inode = link.to_str().unwrap().trim_start_matches("socket:[").trim_end_matches(']').parse().unwrap();
        let mut group = Group::new(std::process::id());
        assert!(group.holds(inode));
        drop(listener);
        assert!(!group.holds(inode));
        let before = group.memory();
        let block = vec![1_u8; 64 << 20];
        let used = group.memory() - before;
        assert!((60 << 20..80 << 20).contains(&used), "{used}");
        assert!(group.peak() > 64 << 10);
        drop(block);
    }
}
