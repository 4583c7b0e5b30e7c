//! Content digests of artifacts (files and folders), and fingerprints that are cheap to compare again.
//!
//! Invariant: equal content gives equal digests on every machine. A file's digest is the SHA-256 of its bytes; a
//! folder's is that of a listing, sorted by relative path, of kinds, sizes and the digests of the files in it, with
//! symbolic links by their target. Times, owners and permissions are not in it.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

use sha2::{Digest as _, Sha256};

const READ_BYTES: usize = 256 * 1024;
const MOST_THREADS: usize = 8;
const LISTING_DOMAIN: &[u8] = b"reprise.folder.v1\0";
const FINGERPRINT_DOMAIN: &[u8] = b"reprise.fingerprint.v1\0";

/// What was found at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file (or a link to one).
    File,
    /// A folder (or a link to one).
    Folder,
}

/// The digest of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathDigest {
    /// File or folder.
    pub kind: Kind,
    /// "sha256:<hex>".
    pub digest: String,
    /// Bytes of all files.
    pub size_bytes: u64,
    /// Hex; equal while sizes, times of change and inodes are.
    pub fingerprint: String,
}

enum Entry {
    File(Metadata),
    Folder,
    Link(PathBuf),
}

/// Digests of several paths, read by several threads. An error is that of its own path only: NotFound means that
/// nothing is there; InvalidData, that the content changed while it was read, or is no file or folder.
pub fn digest_paths(paths: &[PathBuf]) -> Vec<io::Result<PathDigest>> {
    let listings: Vec<io::Result<Vec<(PathBuf, Entry)>>> = paths.iter().map(|path| list(path)).collect();
    let files: Vec<PathBuf> = paths
        .iter()
        .zip(&listings)
        .filter_map(|(path, listing)| listing.as_ref().ok().map(|entries| (path, entries)))
        .flat_map(|(path, entries)| {
            entries
                .iter()
                .filter(|(_, entry)| matches!(entry, Entry::File(_)))
                .map(move |(relative, _)| join(path, relative))
        })
        .collect();
    let mut digests = digest_files(&files).into_iter();
    paths
        .iter()
        .zip(listings)
        .map(|(path, listing)| listing.and_then(|entries| conclude(path, &entries, &mut digests)))
        .collect()
}

/// Fingerprints of several paths: no content is read.
pub fn fingerprint_paths(paths: &[PathBuf]) -> Vec<io::Result<String>> {
    paths.iter().map(|path| list(path).map(|entries| fingerprint(&entries))).collect()
}

fn join(path: &Path, relative: &Path) -> PathBuf {
    if relative.as_os_str().is_empty() {
        path.to_owned()
    } else {
        path.join(relative)
    }
}

/// The entry of a file under an empty relative path; the entries of a folder, sorted, the folder itself first.
fn list(path: &Path) -> io::Result<Vec<(PathBuf, Entry)>> {
    let metadata = fs::metadata(path)?;
    if metadata.is_file() {
        return Ok(vec![(PathBuf::new(), Entry::File(metadata))]);
    }
    if !metadata.is_dir() {
        return Err(other_kind(path));
    }
    let mut entries = vec![(PathBuf::new(), Entry::Folder)];
    let mut waiting = vec![PathBuf::new()];
    while let Some(folder) = waiting.pop() {
        for child in fs::read_dir(join(path, &folder))? {
            let child = child?;
            let relative = folder.join(child.file_name());
            let metadata = child.metadata()?;
            let entry = if metadata.is_symlink() {
                Entry::Link(fs::read_link(child.path())?)
            } else if metadata.is_dir() {
                waiting.push(relative.clone());
                Entry::Folder
            } else if metadata.is_file() {
                Entry::File(metadata)
            } else {
                return Err(other_kind(&child.path()));
            };
            entries.push((relative, entry));
        }
    }
    entries.sort_by(|(one, _), (other, _)| one.as_os_str().as_bytes().cmp(other.as_os_str().as_bytes()));
    Ok(entries)
}

fn other_kind(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{} is neither a file nor a folder nor a link", path.display()))
}

/// The content's digest, and what the file looked like after it was read.
type FileDigest = io::Result<([u8; 32], Metadata)>;

fn digest_files(files: &[PathBuf]) -> Vec<FileDigest> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS).min(files.len());
    if threads <= 1 {
        let mut buffer = vec![0; READ_BYTES];
        return files.iter().map(|file| digest_file(file, &mut buffer)).collect();
    }
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, FileDigest)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut buffer = vec![0; READ_BYTES];
                let mut mine = Vec::new();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(at) else { break };
                    mine.push((at, digest_file(file, &mut buffer)));
                }
                if let Ok(mut all) = results.lock() {
                    all.append(&mut mine);
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

fn digest_file(path: &Path, buffer: &mut [u8]) -> FileDigest {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    loop {
        match file.read(buffer) {
            Ok(0) => break,
            Ok(count) => hash.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok((hash.finalize().into(), file.metadata()?))
}

fn identity(metadata: &Metadata) -> [u64; 4] {
    let mtime_ns = u64::try_from(metadata.mtime_nsec()).unwrap_or(0);
    [metadata.size(), metadata.mtime().cast_unsigned(), mtime_ns, metadata.ino()]
}

fn put(hash: &mut Sha256, kind: u8, bytes: &[u8]) {
    hash.update([kind]);
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

fn fingerprint(entries: &[(PathBuf, Entry)]) -> String {
    let mut hash = Sha256::new();
    hash.update(FINGERPRINT_DOMAIN);
    for (relative, entry) in entries {
        let name = relative.as_os_str().as_bytes();
        match entry {
            Entry::File(metadata) => {
                put(&mut hash, b'f', name);
                for number in identity(metadata) {
                    hash.update(number.to_be_bytes());
                }
            }
            Entry::Folder => put(&mut hash, b'd', name),
            Entry::Link(target) => {
                put(&mut hash, b'l', name);
                put(&mut hash, b't', target.as_os_str().as_bytes());
            }
        }
    }
    let whole: [u8; 32] = hash.finalize().into();
    hex(whole.iter().take(16))
}

fn hex<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    use std::fmt::Write as _;
    bytes.fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn conclude(
    path: &Path,
    entries: &[(PathBuf, Entry)],
    digests: &mut impl Iterator<Item = FileDigest>,
) -> io::Result<PathDigest> {
    let mut listing = Sha256::new();
    listing.update(LISTING_DOMAIN);
    let mut size_bytes = 0;
    let mut single: Option<[u8; 32]> = None;
    let mut failure: Option<io::Error> = None;
    for (relative, entry) in entries {
        let name = relative.as_os_str().as_bytes();
        match entry {
            // The digests of all files of this path are taken from the common list, also after a failure.
            Entry::File(before) => match digests.next() {
                Some(Ok((digest, after))) => {
                    if identity(before) != identity(&after) {
                        let message = format!("{} changed while it was read", join(path, relative).display());
                        failure = Some(io::Error::new(io::ErrorKind::InvalidData, message));
                    }
                    size_bytes += after.size();
                    put(&mut listing, b'f', name);
                    listing.update(after.size().to_be_bytes());
                    listing.update(digest);
                    single = Some(digest);
                }
                Some(Err(error)) => failure = Some(error),
                None => failure = Some(io::Error::other("a digest is missing")),
            },
            Entry::Folder => put(&mut listing, b'd', name),
            Entry::Link(target) => {
                put(&mut listing, b'l', name);
                put(&mut listing, b't', target.as_os_str().as_bytes());
            }
        }
    }
    if let Some(error) = failure {
        return Err(error);
    }
    let is_file = matches!(entries, [(_, Entry::File(_))]);
    let digest = match single {
        Some(digest) if is_file => digest,
        _ => listing.finalize().into(),
    };
    Ok(PathDigest {
        kind: if is_file { Kind::File } else { Kind::Folder },
        digest: format!("sha256:{}", hex(digest.iter())),
        size_bytes,
        fingerprint: fingerprint(entries),
    })
}
