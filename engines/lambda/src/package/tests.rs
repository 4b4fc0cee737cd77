//! Packages from folders and archives, the hostile ones among them.

use super::{Contents, FILES_LIMIT, Package, PackageError, UNPACKED_LIMIT};
use crate::Concurrency;
use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// An archive with these entries; one that ends in `/` is a folder.
fn archive(folder: &Path, entries: &[(&str, &[u8])]) -> PathBuf {
    let path = folder.join("package.zip");
    let mut writer = ZipWriter::new(File::create(&path).unwrap());
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in entries {
        if name.ends_with('/') {
            writer.add_directory(*name, options).unwrap();
        } else {
            writer.start_file(*name, options.unix_permissions(0o755)).unwrap();
            writer.write_all(content).unwrap();
        }
    }
    writer.finish().unwrap();
    path
}

fn unpack(code: &Path, layers: &[PathBuf]) -> Result<Package, PackageError> {
    Package::unpack(Contents { code: Some(code), layers }, &Concurrency::new(1)).map(|(package, _)| package)
}

/// What an archive with one entry of this name is refused for.
fn refused(name: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    unpack(&archive(folder.path(), &[(name, b"x")]), &[]).unwrap_err().to_string()
}

#[test]
fn a_folder_and_an_archive_of_it_are_the_same_package() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    fs::create_dir_all(source.join("lib")).unwrap();
    fs::write(source.join("lib/a.js"), "a").unwrap();
    fs::write(source.join("index.js"), "b").unwrap();
    for file in ["lib/a.js", "index.js"] {
        fs::set_permissions(source.join(file), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let room = Concurrency::new(1);
    let packed = archive(folder.path(), &[("index.js", b"b"), ("lib/", b""), ("lib/a.js", b"a")]);
    let of = |code: &Path| Package::unpack(Contents { code: Some(code), layers: &[] }, &room).unwrap().0;
    let (first, second) = (of(&source), of(&packed));
    assert_eq!(first.hash(), second.hash());
    assert_eq!(first.code(), second.code(), "kept once");
    // What lies at the source may change.
    fs::write(source.join("index.js"), "changed").unwrap();
    let kept = first.code().unwrap();
    assert_eq!(fs::read_to_string(kept.join("index.js")).unwrap(), "b");
    assert_eq!(fs::metadata(kept.join("lib/a.js")).unwrap().permissions().mode() & 0o777, 0o555);
    assert_ne!(of(&source).hash(), first.hash());
    drop((first, second));
    assert!(!kept.exists(), "gone with the last version that uses it");
}

#[test]
fn later_layers_go_over_earlier_ones() {
    let folder = tempfile::tempdir().unwrap();
    let layers: Vec<PathBuf> = ["one", "two"]
        .map(|name| {
            let layer = folder.path().join(name);
            fs::create_dir_all(layer.join("nodejs")).unwrap();
            fs::write(layer.join("nodejs/same"), name).unwrap();
            fs::write(layer.join(name), name).unwrap();
            layer
        })
        .into();
    let room = Concurrency::new(1);
    let (package, _) = Package::unpack(Contents { code: None, layers: &layers }, &room).unwrap();
    assert_eq!(package.code(), None);
    let merged = package.layers().unwrap();
    for (file, expected) in [("nodejs/same", "two"), ("one", "one"), ("two", "two")] {
        assert_eq!(fs::read_to_string(merged.join(file)).unwrap(), expected);
    }
}

#[test]
fn names_that_lead_out_are_refused() {
    for name in ["../a", "a/../../b", "/etc/a", "a\\..\\b"] {
        let message = refused(name);
        assert!(message.contains("leads out") || message.contains("character"), "{name}: {message}");
    }
}

#[test]
fn links_in_an_archive_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("links.zip");
    let mut writer = ZipWriter::new(File::create(&path).unwrap());
    writer.add_symlink("out", "/etc", SimpleFileOptions::default()).unwrap();
    writer.finish().unwrap();
    assert!(unpack(&path, &[]).unwrap_err().to_string().contains("is a link"));
}

#[test]
fn a_file_is_no_folder_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let error = unpack(&archive(folder.path(), &[("a", b"1"), ("a/b", b"2")]), &[]).unwrap_err();
    assert!(error.to_string().contains("below something that is a file"), "{error}");
}

#[test]
fn what_is_no_archive_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.zip");
    fs::write(&path, "PK, or not").unwrap();
    assert!(matches!(unpack(&path, &[]), Err(PackageError::BadArchive(..))));
    let whole = fs::read(archive(folder.path(), &[("a", &[7; 5000])])).unwrap();
    for length in [whole.len() - 1, whole.len() / 2, 40] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(unpack(&path, &[]).is_err(), "cut at {length}");
    }
}

#[test]
fn an_archive_is_counted_as_it_is_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.zip");
    let mut writer = ZipWriter::new(File::create(&path).unwrap());
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    writer.start_file("zeros", options).unwrap();
    let zeros = vec![0; 1024 * 1024];
    for _ in 0..UNPACKED_LIMIT / zeros.len() as u64 {
        writer.write_all(&zeros).unwrap();
    }
    writer.start_file("one-more", options).unwrap();
    writer.write_all(b"0").unwrap();
    writer.finish().unwrap();
    assert!(fs::metadata(&path).unwrap().len() < 1024 * 1024, "a small file");
    assert!(matches!(unpack(&path, &[]), Err(PackageError::TooLarge)));
}

#[test]
fn files_are_counted_too() {
    let mut tree = super::Tree::new(UNPACKED_LIMIT, 2);
    let folder = tempfile::tempdir().unwrap();
    let two = archive(folder.path(), &[("a", b""), ("b", b"")]);
    tree.add(&two, &folder.path().join("task")).unwrap();
    assert!(matches!(tree.add(&two, &folder.path().join("task")), Err(PackageError::TooManyFiles)));
    const { assert!(FILES_LIMIT > 1_000) };
}

#[test]
fn links_of_a_folder_stay_inside() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    fs::create_dir_all(source.join("bin")).unwrap();
    fs::write(source.join("tool.js"), "tool").unwrap();
    symlink("../tool.js", source.join("bin/tool")).unwrap();
    symlink("/etc/hostname", source.join("absolute")).unwrap();
    symlink("../../", source.join("bin/out")).unwrap();
    let room = Concurrency::new(1);
    let (package, left_out) = Package::unpack(Contents { code: Some(&source), layers: &[] }, &room).unwrap();
    let kept = package.code().unwrap();
    assert_eq!(fs::read_to_string(kept.join("bin/tool")).unwrap(), "tool");
    assert_eq!(left_out, 2);
    assert!(!kept.join("absolute").is_symlink() && !kept.join("bin/out").is_symlink());
}
