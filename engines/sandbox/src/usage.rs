//! How much lies in a folder, for the quota of an environment's `/tmp` (lambda-edge.md 6.1).

use std::{fs, path::Path};

/// More files and folders than this are too many, whatever their size: they would use up a disk's table of files.
const ENTRIES_LIMIT: usize = 131_072;

/// Bytes of all files below `folder`, links not followed; `u64::MAX` for more files and folders than anybody needs. Stops
/// counting beyond `most`. What goes while it is counted is not counted.
#[must_use]
pub fn usage(folder: &Path, most: u64) -> u64 {
    let (mut bytes, mut entries) = (0_u64, 0);
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            entries += 1;
            if entries > ENTRIES_LIMIT {
                return u64::MAX;
            }
            let Ok(found) = entry.metadata() else { continue };
            if found.is_dir() {
                folders.push(entry.path());
            } else {
                bytes = bytes.saturating_add(found.len());
            }
            if bytes > most {
                return bytes;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted_at_any_depth_and_links_are_not_followed() {
        let folder = std::env::temp_dir().join(format!("edgehook-usage-{}", std::process::id()));
        fs::create_dir_all(folder.join("a/b")).unwrap();
        fs::write(folder.join("one"), [0; 100]).unwrap();
        fs::write(folder.join("a/b/two"), [0; 50]).unwrap();
        assert_eq!(usage(&folder, 1_000), 150);
        std::os::unix::fs::symlink("/usr", folder.join("a/link")).unwrap();
        assert_eq!(usage(&folder, 1_000), 150 + 4, "the link itself");
        assert!(usage(&folder, 60) > 60);
        assert_eq!(usage(&folder.join("missing"), 1), 0);
        fs::remove_dir_all(folder).unwrap();
    }
}
