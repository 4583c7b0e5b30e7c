//! Digests: equal for equal content, different for any difference, errors for their own path only.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use reprise_host::digest::{digest_paths, fingerprint_paths, Kind, PathDigest};

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("reprise-digest-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn digest(path: &Path) -> PathDigest {
    digest_paths(&[path.to_owned()]).pop().expect("one answer").expect("a digest")
}

fn tree(root: &Path) {
    fs::create_dir_all(root.join("b/empty")).expect("folders");
    fs::write(root.join("a"), "first").expect("a file");
    fs::write(root.join("b/c"), vec![7; 1_000_000]).expect("a file");
    symlink("../a", root.join("b/link")).expect("a link");
}

#[test]
fn a_files_digest_is_the_sha256_of_its_bytes() {
    let root = folder("file");
    fs::write(root.join("x"), "abc").expect("a file");
    let found = digest(&root.join("x"));
    assert_eq!(found.kind, Kind::File);
    assert_eq!(found.size_bytes, 3);
    assert_eq!(found.digest, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    symlink(root.join("x"), root.join("link")).expect("a link");
    assert_eq!(digest(&root.join("link")).digest, found.digest);
    fs::remove_dir_all(root).expect("removed");
}

#[test]
fn equal_folders_have_equal_digests_and_other_fingerprints() {
    let (one, other) = (folder("one"), folder("other"));
    tree(&one);
    tree(&other);
    let (first, second) = (digest(&one), digest(&other));
    assert_eq!(first.kind, Kind::Folder);
    assert_eq!(first.digest, second.digest);
    assert_eq!(first.size_bytes, 1_000_005);
    assert_ne!(first.fingerprint, second.fingerprint, "inodes differ");
    assert_eq!(fingerprint_paths(std::slice::from_ref(&one)).pop().expect("one").expect("found"), first.fingerprint);
    for folder in [one, other] {
        fs::remove_dir_all(folder).expect("removed");
    }
}

#[test]
fn any_difference_changes_the_digest() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 6] = [
        ("content", |root| fs::write(root.join("a"), "First").expect("written")),
        ("name", |root| fs::rename(root.join("a"), root.join("A")).expect("renamed")),
        ("new empty folder", |root| fs::create_dir(root.join("d")).expect("made")),
        ("no empty folder", |root| fs::remove_dir(root.join("b/empty")).expect("removed")),
        ("link target", |root| {
            fs::remove_file(root.join("b/link")).expect("removed");
            symlink("../A", root.join("b/link")).expect("a link");
        }),
        ("link becomes file", |root| {
            fs::remove_file(root.join("b/link")).expect("removed");
            fs::write(root.join("b/link"), "../a").expect("written");
        }),
    ];
    let root = folder("before");
    tree(&root);
    let before = digest(&root).digest;
    fs::remove_dir_all(root).expect("removed");
    for (name, change) in changes {
        let root = folder(name);
        tree(&root);
        change(&root);
        assert_ne!(digest(&root).digest, before, "{name}");
        fs::remove_dir_all(root).expect("removed");
    }
}

#[test]
fn an_error_is_that_of_its_own_path() {
    let root = folder("errors");
    fs::write(root.join("x"), "x").expect("a file");
    let mut found =
        digest_paths(&[root.join("missing"), root.join("x"), PathBuf::from("/dev/null"), root.clone()]).into_iter();
    assert_eq!(found.next().expect("one").expect_err("missing").kind(), ErrorKind::NotFound);
    assert!(found.next().expect("one").is_ok());
    assert_eq!(found.next().expect("one").expect_err("a device").kind(), ErrorKind::InvalidData);
    assert!(found.next().expect("one").is_ok());
    fs::remove_dir_all(root).expect("removed");
}

#[test]
fn many_files_are_told_apart() {
    let root = folder("many");
    let paths: Vec<PathBuf> = (0..500).map(|number| root.join(number.to_string())).collect();
    for (number, path) in paths.iter().enumerate() {
        fs::write(path, number.to_string()).expect("a file");
    }
    let together: Vec<String> = digest_paths(&paths).into_iter().map(|found| found.expect("a digest").digest).collect();
    let alone: Vec<String> = paths.iter().map(|path| digest(path).digest).collect();
    assert_eq!(together, alone);
    fs::remove_dir_all(root).expect("removed");
}
