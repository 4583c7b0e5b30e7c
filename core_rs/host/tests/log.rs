//! The log keeps its bounds whatever is written.

use std::fs;
use std::path::PathBuf;

use reprise_host::log::LogWriter;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("reprise-log-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn written(name: &str, log_limit: u64, line_limit: u64, pieces: &[&[u8]]) -> (String, bool, u64) {
    let folder = folder(name);
    let path = folder.join("log");
    let mut log = LogWriter::new(&path, log_limit, line_limit);
    for piece in pieces {
        log.write(piece);
    }
    assert!(log.finish().is_none());
    let text = String::from_utf8(fs::read(&path).expect("the log")).expect("text");
    let names: Vec<_> = fs::read_dir(&folder).expect("a folder").collect();
    assert_eq!(names.len(), 1, "segments are removed");
    fs::remove_dir_all(&folder).expect("removed");
    (text, log.was_cut(), log.received())
}

#[test]
fn what_fits_is_kept_as_it_is() {
    let (text, was_cut, received) = written("fits", 100, 50, &[b"one\n", b"", b"two", b"\nthree"]);
    assert_eq!((text.as_str(), was_cut, received), ("one\ntwo\nthree", false, 13));
}

#[test]
fn of_a_loud_task_the_first_and_the_last_lines_are_kept() {
    let lines: Vec<String> = (0..10_000).map(|number| format!("line {number:05}\n")).collect();
    let pieces: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
    let (text, was_cut, received) = written("loud", 2_200, 50, &pieces);
    assert!(was_cut);
    assert_eq!(received, 110_000);
    assert!(text.starts_with("line 00000\nline 00001\n"));
    assert!(text.ends_with("line 09998\nline 09999\n"));
    assert!(text.len() < 2_200 + 200, "{}", text.len());
    let left_out = text.lines().find(|line| line.contains("bytes left out here")).expect("a note");
    let count: usize = left_out.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a number");
    let kept = text.lines().filter(|line| line.starts_with("line ")).count();
    assert_eq!(kept * 11 + count, 110_000);
}

#[test]
fn what_fits_into_both_parts_is_kept_whole() {
    let (text, was_cut, _) = written("both", 20, 50, &[b"0123456789", b"abcdefgh\n"]);
    assert!(!was_cut);
    assert!(text.starts_with("0123456789"));
    assert!(text.ends_with("abcdefgh\n"));
}

#[test]
fn a_long_line_is_cut_wherever_the_pieces_end() {
    for size in [1, 3, 7, 64, 1000] {
        let mut bytes = vec![b'x'; 500];
        bytes.extend_from_slice(b"\nshort\n");
        let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
        let (text, was_cut, _) = written(&format!("line{size}"), 10_000, 20, &pieces);
        assert!(was_cut);
        assert_eq!(text, format!("{} [480 bytes of this line left out]\nshort\n", "x".repeat(20)));
    }
}

#[test]
fn a_long_last_line_without_end_says_what_is_missing() {
    let (text, was_cut, _) = written("unended", 10_000, 5, &[b"0123456789"]);
    assert_eq!((text.as_str(), was_cut), ("01234 [5 bytes of this line left out]\n", true));
}

#[test]
fn progress_bars_are_lines_too() {
    let bar = b"\r 10%\r 20%\r 30%\r 40%\n";
    let (text, was_cut, _) = written("bar", 10_000, 6, &[bar]);
    assert_eq!((text.as_bytes(), was_cut), (bar.as_slice(), false));
}

#[test]
fn a_log_that_cannot_be_written_does_not_stop_the_task() {
    let mut log = LogWriter::new(&PathBuf::from("/dev/full"), 100, 50);
    log.write(b"lost\n");
    log.write(b"lost too\n");
    assert_eq!(log.received(), 14);
    assert!(log.was_cut());
    assert!(log.finish().is_some());
}

/// The log after `first` was written by a writer that was killed, and `again` by one to which all is told again.
fn told_again(name: &str, log_limit: u64, first: &[u8], again: &[u8]) -> (String, bool) {
    let folder = folder(name);
    let path = folder.join("log");
    let mut killed = LogWriter::replay(&path, log_limit, 50).expect("a log");
    killed.write(first);
    std::mem::forget(killed);
    let mut log = LogWriter::replay(&path, log_limit, 50).expect("a log");
    for piece in again.chunks(7) {
        log.write(piece);
    }
    assert!(log.finish().is_none());
    let text = String::from_utf8(fs::read(&path).expect("the log")).expect("text");
    fs::remove_dir_all(&folder).expect("removed");
    (text, log.was_cut())
}

#[test]
fn what_is_told_again_is_not_written_twice() {
    let whole = b"one\ntwo\nthree\nfour\n";
    for known in 0..=whole.len() {
        let (first, _) = whole.split_at(known);
        let (text, was_cut) = told_again("again", 100, first, whole);
        assert_eq!((text.as_bytes(), was_cut), (&whole[..], false));
    }
}

#[test]
fn a_loud_task_told_again_has_the_log_that_it_would_have_had() {
    let whole: Vec<u8> = (0..500).flat_map(|number| format!("line {number:05}\n").into_bytes()).collect();
    let (known, _) = whole.split_at(3_000);
    let (at_once, _) = told_again("at-once", 2_200, b"", &whole);
    let (again, was_cut) = told_again("loud-again", 2_200, known, &whole);
    assert!(was_cut);
    assert_eq!(at_once, again);
}

#[test]
fn what_a_source_has_forgotten_is_kept_and_the_gap_is_noted() {
    let (text, was_cut) = told_again("gap", 1_000, b"line 1\nline 2\n", b"line 4\nline 5\n");
    assert!(was_cut);
    assert!(text.starts_with("line 1\nline 2\n"), "{text}");
    assert!(text.ends_with("]\nline 4\nline 5\n"), "{text}");
}
