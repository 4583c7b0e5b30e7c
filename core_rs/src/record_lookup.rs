//! One task among the records of a run, and the same task among those of another run.
//!
//! Invariant: a task of two runs is the same by what it is called in what holds it, where an iteration is called by its
//! item; never by index or id.

use crate::machine::stored::{Record, Stored};
use crate::wire::Result;

/// The record of the task with this path, or this id in decimal; a path goes before an id.
///
/// # Errors
/// The bytes are no TaskRecords.
pub fn find(records: &[u8], task: &str) -> Result<Option<Vec<u8>>> {
    let stored = Stored::read(records)?;
    let by_path = stored.iter().find(|record| record.path() == task);
    let found = by_path.or_else(|| {
        let task_id: i64 = task.parse().ok()?;
        stored.iter().find(|record| record.task_id() == task_id)
    });
    Ok(found.map(|record| record.bytes().to_vec()))
}

/// The record in `others` of what is task `task_id` in `records`.
///
/// # Errors
/// The bytes are no TaskRecords.
pub fn same_task(records: &[u8], task_id: i64, others: &[u8]) -> Result<Option<Vec<u8>>> {
    let (ours, theirs) = (Stored::read(records)?, Stored::read(others)?);
    let Some(names) = names_to(&ours, task_id) else { return Ok(None) };
    let mut at: Option<Record<'_>> = None;
    for name in names.iter().rev() {
        let parent = at.map_or(0, |record| record.task_id());
        at = theirs.iter().find(|record| record.parent_task_id() == parent && record.own_name() == *name);
        if at.is_none() {
            return Ok(None);
        }
    }
    Ok(at.map(|record| record.bytes().to_vec()))
}

/// What the task and each that holds it are called, the task first.
fn names_to(records: &Stored, task_id: i64) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    let mut at = records.find(task_id);
    while let Some(record) = at {
        names.push(record.own_name());
        let parent = record.parent_task_id();
        if parent == 0 {
            return Some(names);
        }
        // What holds a task comes before it; anything else is no run's records.
        at = records.find(parent).filter(|found| found.task_id() < record.task_id());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{Kind, Message, TaskRecord, TaskRecords};

    fn run(items: &[&str]) -> Vec<u8> {
        let task = |task_id: i64, parent_task_id: i64, name: &str, path: String, kind: Kind| TaskRecord {
            task_id,
            parent_task_id,
            name: name.to_owned(),
            path,
            kind,
            ..TaskRecord::default()
        };
        let mut tasks = vec![task(1, 0, "loop", "loop".to_owned(), Kind::Loop)];
        for (index, item) in items.iter().enumerate() {
            let (id, path) = (2 + 2 * index as i64, format!("loop[{index}]"));
            tasks.push(TaskRecord {
                item_identity: (*item).to_owned(),
                ..task(id, 1, &path, path.clone(), Kind::Iteration)
            });
            tasks.push(task(id + 1, id, "work", format!("{path}.work"), Kind::Container));
        }
        TaskRecords { tasks }.encode()
    }

    fn path(record: Option<Vec<u8>>) -> String {
        record.map(|bytes| TaskRecord::decode(&bytes).unwrap().path).unwrap_or_default()
    }

    #[test]
    fn a_task_is_found_by_path_and_by_id() {
        let records = run(&["a", "b"]);
        assert_eq!(path(find(&records, "loop[1].work").unwrap()), "loop[1].work");
        assert_eq!(path(find(&records, "4").unwrap()), "loop[1]");
        assert_eq!(find(&records, "loop[2].work").unwrap(), None);
        assert_eq!(find(&records, "-1").unwrap(), None);
        assert!(find(&[0x0a, 0x05, 1], "1").is_err());
    }

    #[test]
    fn an_iteration_is_the_same_by_its_item() {
        let (old, new) = (run(&["a", "b"]), run(&["z", "a", "b"]));
        assert_eq!(path(same_task(&new, 5, &old).unwrap()), "loop[0].work");
        assert_eq!(path(same_task(&new, 7, &old).unwrap()), "loop[1].work");
        assert_eq!(same_task(&new, 3, &old).unwrap(), None, "z is new");
        assert_eq!(path(same_task(&new, 1, &old).unwrap()), "loop");
        assert_eq!(same_task(&new, 99, &old).unwrap(), None);
    }
}
