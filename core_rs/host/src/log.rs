//! The log of an attempt, bounded whatever the task writes.
//!
//! Invariant: the log file only ever grows, so that a reader may follow it. Of a loud task the first part is in it
//! at once, the last part is kept aside on disk (two segments in turn) and appended at the end. Memory is constant.
//! (A log that is told again from its beginning loses what had been appended after its first part, until that comes.)

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const MISSING_NOTE: &[u8] = b"\n[some of the log is missing here: it was not kept for so long]\n";

fn opened(path: &Path) -> io::Result<File> {
    File::options().append(true).create(true).mode(0o600).open(path)
}

struct Segment {
    path: PathBuf,
    file: File,
    size: u64,
}

impl Segment {
    fn create(log: &Path, suffix: &str) -> io::Result<Self> {
        let mut name: OsString = log.as_os_str().to_owned();
        name.push(suffix);
        let path = PathBuf::from(name);
        let file = File::options().read(true).write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        Ok(Self { path, file, size: 0 })
    }

    fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.size = 0;
        Ok(())
    }
}

/// The first part of a log that an earlier writer left, while the same output comes again.
struct Replay {
    file: File,
    matched: u64,
    size: u64,
}

impl Replay {
    /// How many of `bytes` the log has already, and whether all of those that it could have are the same.
    fn matches(&mut self, bytes: &[u8]) -> io::Result<(usize, bool)> {
        let left = usize::try_from(self.size - self.matched).unwrap_or(usize::MAX);
        let known = bytes.get(..left.min(bytes.len())).unwrap_or_default();
        let mut kept = vec![0; known.len()];
        self.file.read_exact_at(&mut kept, self.matched)?;
        if kept != known {
            return Ok((0, false));
        }
        self.matched += known.len() as u64;
        Ok((known.len(), true))
    }
}

struct Tail {
    older: Segment,
    newer: Segment,
    passed: u64,
}

/// Writes the output of one task within its limits. A write that fails (a full disk) is remembered and the output
/// dropped: it never stops the task.
pub struct LogWriter {
    path: PathBuf,
    /// Made with the first byte: most that a host's disk has to do for a short task is to make files.
    file: Option<File>,
    head_left: u64,
    tail_limit: u64,
    tail: Option<Tail>,
    replay: Option<Replay>,
    line_limit: u64,
    line_length: u64,
    line_dropped: u64,
    received: u64,
    was_cut: bool,
    failure: Option<io::Error>,
}

impl LogWriter {
    /// Of a log that is created when there is something to write, or gone on with where it is there.
    pub fn new(path: &Path, log_limit_bytes: u64, line_limit_bytes: u64) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            head_left: log_limit_bytes.div_ceil(2),
            tail_limit: log_limit_bytes / 2,
            tail: None,
            replay: None,
            line_limit: line_limit_bytes.max(1),
            line_length: 0,
            line_dropped: 0,
            received: 0,
            was_cut: false,
            failure: None,
        }
    }

    fn file(&mut self) -> io::Result<&mut File> {
        match &mut self.file {
            Some(file) => Ok(file),
            unopened => Ok(unopened.insert(opened(&self.path)?)),
        }
    }

    /// Creates the log, or goes on with one whose output will be told again from its beginning: what is there is
    /// not written twice. Where the source no longer has its beginning, what it has is appended after a note.
    pub fn replay(path: &Path, log_limit_bytes: u64, line_limit_bytes: u64) -> io::Result<Self> {
        let mut writer = Self::new(path, log_limit_bytes, line_limit_bytes);
        writer.file()?;
        let file = File::options().read(true).write(true).open(path)?;
        let mut size = file.metadata()?.len();
        if size > writer.head_left {
            // The note and the last part come again.
            size = writer.head_left;
            file.set_len(size)?;
        }
        if size > 0 {
            writer.replay = Some(Replay { file, matched: 0, size });
        }
        Ok(writer)
    }

    /// Bytes that came from the task.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether any of them were left out.
    pub fn was_cut(&self) -> bool {
        self.was_cut
    }

    /// Takes what the task has written.
    pub fn write(&mut self, bytes: &[u8]) {
        self.received += bytes.len() as u64;
        if self.line_dropped == 0 && self.line_length + bytes.len() as u64 <= self.line_limit {
            // No line can get too long within these bytes: only the place of the last line's end matters.
            self.line_length = match bytes.iter().rposition(|byte| *byte == b'\n') {
                Some(at) => (bytes.len() - at - 1) as u64,
                None => self.line_length + bytes.len() as u64,
            };
            self.keep(bytes);
            return;
        }
        // A carriage return ends a line too: progress bars write nothing else.
        for line in bytes.split_inclusive(|byte| *byte == b'\n' || *byte == b'\r') {
            self.write_piece(line);
        }
    }

    /// Takes a part of a line, with the line's end if it is there.
    fn write_piece(&mut self, piece: &[u8]) {
        let (body, end) = match piece.split_last() {
            Some((b'\n' | b'\r', body)) => (body, piece.split_at(body.len()).1),
            _ => (piece, &[][..]),
        };
        let room = usize::try_from(self.line_limit.saturating_sub(self.line_length)).unwrap_or(usize::MAX);
        let (kept, dropped) = body.split_at(if self.line_dropped == 0 { room.min(body.len()) } else { 0 });
        self.keep(kept);
        self.line_length += kept.len() as u64;
        self.line_dropped += dropped.len() as u64;
        if self.line_dropped > 0 {
            self.was_cut = true;
            if !end.is_empty() {
                self.end_cut_line();
            }
        } else if !end.is_empty() {
            self.keep(end);
            self.line_length = 0;
        }
    }

    fn end_cut_line(&mut self) {
        let note = format!(" [{} bytes of this line left out]\n", self.line_dropped);
        self.keep(note.as_bytes());
        self.line_length = 0;
        self.line_dropped = 0;
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.failure.is_some() || bytes.is_empty() {
            return;
        }
        if let Err(error) = self.try_keep(bytes) {
            self.failure = Some(error);
            self.was_cut = true;
        }
    }

    fn try_keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(mut replay) = self.replay.take() else {
            return self.append(bytes);
        };
        let (known, is_same) = replay.matches(bytes)?;
        if is_same {
            self.head_left -= known as u64;
            if replay.matched < replay.size {
                self.replay = Some(replay);
                return Ok(());
            }
            return self.append(bytes.get(known..).unwrap_or_default());
        }
        // Its source has dropped the beginning: all that it tells from here on is later than what is kept.
        self.was_cut = true;
        self.head_left -= replay.size - replay.matched;
        self.file()?.write_all(MISSING_NOTE)?;
        let mut buffer = vec![0; 64 * 1024];
        let mut at = 0;
        while at < replay.matched {
            let count = usize::try_from(replay.matched - at).unwrap_or(usize::MAX);
            let piece = buffer.len().min(count);
            let Some(piece) = buffer.get_mut(..piece) else {
                break;
            };
            replay.file.read_exact_at(piece, at)?;
            at += piece.len() as u64;
            self.append(piece)?;
        }
        self.append(bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let in_head = usize::try_from(self.head_left).unwrap_or(usize::MAX).min(bytes.len());
        let (head, mut rest) = bytes.split_at(in_head);
        if !head.is_empty() {
            self.file()?.write_all(head)?;
        }
        self.head_left -= head.len() as u64;
        if rest.is_empty() {
            return Ok(());
        }
        if self.tail.is_none() {
            let tail = Tail {
                older: Segment::create(&self.path, ".tail0")?,
                newer: Segment::create(&self.path, ".tail1")?,
                passed: 0,
            };
            self.tail = Some(tail);
            self.file()?.write_all(b"\n[the log is at its limit: what follows is shown when the task has ended]\n")?;
        }
        let Some(tail) = self.tail.as_mut() else {
            return Ok(());
        };
        tail.passed += rest.len() as u64;
        while !rest.is_empty() && self.tail_limit > 0 {
            let room = self.tail_limit - tail.newer.size;
            if room == 0 {
                std::mem::swap(&mut tail.older, &mut tail.newer);
                tail.newer.clear()?;
                continue;
            }
            let (now, later) = rest.split_at(usize::try_from(room).unwrap_or(usize::MAX).min(rest.len()));
            tail.newer.file.write_all(now)?;
            tail.newer.size += now.len() as u64;
            rest = later;
        }
        Ok(())
    }

    /// Appends the kept last part and a note of what is missing. Gives the failure that stopped the log, if one did.
    pub fn finish(&mut self) -> Option<io::Error> {
        if self.line_dropped > 0 {
            self.end_cut_line();
        }
        if let Some(tail) = self.tail.take() {
            let result = self.append_tail(tail);
            if self.failure.is_none() {
                self.failure = result.err();
            }
        }
        self.failure.take()
    }

    fn append_tail(&mut self, mut tail: Tail) -> io::Result<()> {
        let held = tail.older.size + tail.newer.size;
        let mut skip = held.saturating_sub(self.tail_limit).min(tail.older.size);
        if skip > 0 || tail.passed > held {
            skip = line_start_after(&mut tail.older, skip)?;
        }
        let left_out = tail.passed.saturating_sub(held - skip);
        if left_out > 0 {
            self.was_cut = true;
            writeln!(self.file()?, "[{left_out} bytes left out here]")?;
        }
        for (segment, from) in [(&mut tail.older, skip), (&mut tail.newer, 0)] {
            segment.file.seek(SeekFrom::Start(from))?;
            io::copy(&mut segment.file, self.file()?)?;
            fs::remove_file(&segment.path)?;
        }
        Ok(())
    }
}

/// The first start of a line at or after `from`, looked for within 64 KiB; `from` where there is none.
fn line_start_after(segment: &mut Segment, from: u64) -> io::Result<u64> {
    let mut window = vec![0; 64 * 1024];
    segment.file.seek(SeekFrom::Start(from))?;
    let count = segment.file.read(&mut window)?;
    let found = window.iter().take(count).position(|byte| *byte == b'\n');
    Ok(found.map_or(from, |at| from + at as u64 + 1))
}
