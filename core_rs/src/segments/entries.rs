//! The texts in which a write says what has become of tasks and attempts: JSON, compact, in ASCII.
//!
//! Invariant: what is spelt here is stored for ever and also looked for as text, so the same values are always spelt in
//! the same way.

use crate::json::{write_escape, write_int, Sink};
use crate::segments::Attempt;
use crate::task_rows::TaskRow;

/// A JSON list that is written item by item; what closes it comes last.
#[derive(Debug, Default)]
pub struct List(String);

impl List {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The items, with commas between them.
    pub fn items(&self) -> &str {
        self.0.get(1..).unwrap_or("")
    }

    /// The list, of one item at least.
    pub fn into_text(self) -> String {
        self.0 + "]"
    }

    /// Task, attempt (0: the task itself), the number of the state before and of that after.
    pub fn add_change(&mut self, task_id: i64, attempt: u32, before: i32, after: i32) {
        self.add(|item| {
            item.int(task_id).int(attempt.into()).int(before.into()).int(after.into());
        });
    }

    /// Task id, state, path, bytes of the record.
    pub fn add_task(&mut self, task: &TaskRow<'_>) {
        self.add(|item| {
            item.int(task.task_id).int(task.state.into()).text(task.path).int(task.record.len() as i64);
        });
    }

    /// Task id, number, state, executor, handle, started_ns, ended_ns, is_counted, exit, fence, path of the task ("":
    /// as the entry of its start says).
    pub fn add_attempt(&mut self, attempt: &Attempt<'_>, fence: i64, path: &str) {
        self.add(|item| {
            item.int(attempt.task_id).int(attempt.number.into()).int(attempt.state as i64);
            item.text(attempt.executor).bytes(attempt.handle).int(attempt.started_ns).int(attempt.ended_ns);
            item.int(attempt.is_counted.into()).bytes(attempt.exit).int(fence).text(path);
        });
    }

    fn add(&mut self, write: impl FnOnce(&mut Item<'_>)) {
        self.0.push_str(if self.0.is_empty() { "[[" } else { ",[" });
        write(&mut Item { out: &mut self.0, is_first: true });
        self.0.push(']');
    }
}

/// A list within the list.
struct Item<'a> {
    out: &'a mut String,
    is_first: bool,
}

impl Item<'_> {
    fn begin(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(',');
        }
    }

    fn int(&mut self, number: i64) -> &mut Self {
        self.begin();
        write_int(number, self.out);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.begin();
        if text.bytes().all(is_plain) {
            self.out.push('"');
            self.out.push_str(text);
            self.out.push('"');
        } else {
            write_ascii_string(text.chars(), self.out);
        }
        self
    }

    /// As text in Latin-1, which has a letter for each.
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.begin();
        write_ascii_string(bytes.iter().map(|byte| char::from(*byte)), self.out);
        self
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// Appends a JSON string in which everything but the printable characters of ASCII is escaped, as Python's `json` does.
fn write_ascii_string(characters: impl Iterator<Item = char>, out: &mut String) {
    out.push('"');
    for character in characters {
        match u8::try_from(character) {
            Ok(byte) if is_plain(byte) => out.push(character),
            Ok(byte) if byte < 0x80 => write_escape(byte, out),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.push_text("\\u");
                    for shift in [12, 8, 4, 0] {
                        out.push(char::from_digit(u32::from(*unit >> shift & 15), 16).unwrap_or('0'));
                    }
                }
            }
        }
    }
    out.push('"');
}
