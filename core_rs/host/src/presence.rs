//! Whether many artifacts are still what they were, in one call.
//!
//! Invariant: true only if every one was looked at and has the fingerprint that it had when its digest was taken (or is
//! still not there, where nothing was). What is not sure is "no": the caller then looks closer.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::digest::fingerprint_paths;

const MOST_THREADS: usize = 8;
/// Below this many, another thread costs more than it saves.
const PER_THREAD: usize = 256;
/// How many are looked at before asking whether another thread has found something.
const AT_ONCE: usize = 64;

/// A file or folder as it was seen last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Where it is.
    pub path: PathBuf,
    /// Its mark; `None`: nothing was there.
    pub fingerprint: Option<String>,
}

/// Whether all of them are as they were. Looks with several threads, reads no content.
#[must_use]
pub fn are_unchanged(known: &[Known]) -> bool {
    let has_changed = AtomicBool::new(false);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let share = known.len().div_ceil(threads.max(1)).max(PER_THREAD);
    let look = |mine: &[Known]| {
        for few in mine.chunks(AT_ONCE) {
            if has_changed.load(Ordering::Relaxed) {
                return;
            }
            if !few.iter().all(is_unchanged) {
                has_changed.store(true, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        let mut shares = known.chunks(share);
        let own = shares.next();
        for mine in shares {
            scope.spawn(move || look(mine));
        }
        own.map(look);
    });
    !has_changed.load(Ordering::Relaxed)
}

fn is_unchanged(known: &Known) -> bool {
    match (fingerprint_paths(std::slice::from_ref(&known.path)).pop(), &known.fingerprint) {
        (Some(Ok(mark)), Some(before)) => mark == *before,
        (Some(Err(error)), None) => error.kind() == ErrorKind::NotFound,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(path: PathBuf) -> Known {
        let fingerprint = fingerprint_paths(std::slice::from_ref(&path)).pop().and_then(Result::ok);
        Known { path, fingerprint }
    }

    #[test]
    fn one_file_among_many_that_was_written_to_or_removed_or_made_is_noticed() {
        let folder = std::env::temp_dir().join(format!("reprise-presence-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = |index: usize| folder.join(index.to_string());
        (0..1000).for_each(|index| std::fs::write(path(index), [0; 3]).unwrap());
        let mut known: Vec<Known> = (0..1000).map(|index| seen(path(index))).collect();
        known.push(seen(path(1000)));
        assert!(known.last().unwrap().fingerprint.is_none());
        assert!(are_unchanged(&known) && are_unchanged(&[]));
        std::fs::write(path(777), [0; 4]).unwrap();
        assert!(!are_unchanged(&known));
        known[777] = seen(path(777));
        assert!(are_unchanged(&known));
        std::fs::remove_file(path(3)).unwrap();
        assert!(!are_unchanged(&known));
        std::fs::write(path(1000), [0]).unwrap();
        assert!(!are_unchanged(&known[1000..]));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
