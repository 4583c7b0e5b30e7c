//! Records and plans of any bytes can be looked through.
#![no_main]

use _core::api::{find_task, plan_pages, same_task};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: (&[u8], &[u8], i64)| {
    let (ours, others, task_id) = bytes;
    let _ = find_task(ours, &task_id.to_string());
    let _ = same_task(ours, task_id, others);
    // Whatever is a task is the same as itself, or is held by nothing that comes before it.
    if let Ok(Some(found)) = same_task(ours, task_id, ours) {
        assert!(find_task(ours, &task_id.to_string()).is_ok_and(|task| task.is_some()), "{found:?}");
    }
    if let Ok(pages) = plan_pages(ours) {
        assert_eq!(pages.cache_keys.len() % 32, 0);
        assert_eq!(pages.ends.len() % 8, 0);
    }
});
