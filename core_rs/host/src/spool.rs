//! The spool file of an attempt's end.
//!
//! Invariant: exit.json is there whole or not at all, whatever process is killed. It is the file that held the launch,
//! overwritten and renamed: its blocks are allocated before the task starts, so that a task that fills the disk cannot
//! hide its own end.
//!
//! Invariant: an end is on disk before anybody rests on it. The server that is told of it commits it to its store; where
//! there is none to tell, the supervisor calls `sync`; where the server goes before it has committed, the spawner does.
//! (What a power cut takes in the moment between was told to nobody. The attempt is then lost like one that ran, and so
//! are its outputs, which the kernel has not written either: to keep the end alone would call them whole.)

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::launch::Exit;

/// The file's name, in the folder of the attempt.
const NAME: &str = "exit.json";
const RESERVED_BYTES: libc::off_t = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(600);

/// A place kept for one exit.json.
pub struct Spool {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    /// Of what lies in it.
    length: usize,
}

impl Spool {
    /// Reserves the place. What the attempt was given is kept in it until then, as `launch`, for whoever has to look
    /// after the attempt when this supervisor is gone; with an empty `content` that is there already, and stays.
    pub fn reserve(launch: &Path, content: &[u8], target: &Path) -> io::Result<Self> {
        if content.is_empty() {
            return Self::beside(target);
        }
        let mut spool = Self::create(launch.to_owned(), target)?;
        // What cannot be kept is missed only if this supervisor is killed.
        let _ = spool.file.write_all_at(content, 0);
        spool.length = content.len();
        Ok(spool)
    }

    fn beside(target: &Path) -> io::Result<Self> {
        let mut name: OsString = target.as_os_str().to_owned();
        name.push(".tmp");
        Self::create(PathBuf::from(name), target)
    }

    fn create(temporary: PathBuf, target: &Path) -> io::Result<Self> {
        // For the owner alone: an environment may hold secrets.
        let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        // SAFETY: plain call on an open descriptor. A file system without it loses the reserve, nothing else.
        unsafe {
            libc::fallocate(file.as_raw_fd(), libc::FALLOC_FL_KEEP_SIZE, 0, RESERVED_BYTES);
        }
        Ok(Self { file, temporary, target: target.to_owned(), length: 0 })
    }

    /// Puts the end where it is looked for. Tries again for ten minutes where the disk refuses; gives up at once where
    /// the folder of the attempt has been deleted.
    ///
    /// `reach` is told of each step that has been done.
    pub fn commit(&self, exit: &Exit, reach: impl Fn(&str)) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(exit).map_err(io::Error::other)?;
        // Over all of the launch. To cut the file would give back the blocks behind it, which takes longer.
        bytes.resize(bytes.len().max(self.length), b' ');
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.try_commit(&bytes, &reach) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(500)),
            }
        }
    }

    fn try_commit(&self, bytes: &[u8], reach: &impl Fn(&str)) -> io::Result<()> {
        if self.file.metadata()?.nlink() == 0 {
            // A server that started the attempt once more has put a launch in its place. Or the folder is gone.
            return Self::beside(&self.target)?.try_commit(bytes, reach);
        }
        self.file.write_all_at(bytes, 0)?;
        reach("spool_written");
        fs::rename(&self.temporary, &self.target)?;
        reach("spooled");
        Ok(())
    }
}

/// Makes the spooled end in this folder survive a power cut; an error where there is none.
pub fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder.join(NAME))?.sync_data()?;
    File::open(folder)?.sync_all()
}
