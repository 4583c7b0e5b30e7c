//! Records and plans of any bytes can be looked through.
#![no_main]

use _core::api::{find_task, plan_pages, recorded_artifacts, replaced_records, same_task, with_presence};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: (&[u8], &[u8], i64)| {
    let (ours, others, task_id) = bytes;
    let _ = find_task(ours, &task_id.to_string());
    let _ = same_task(ours, task_id, others);
    // Whatever is a task is the same as itself, or is held by nothing that comes before it.
    if let Ok(Some(found)) = same_task(ours, task_id, ours) {
        assert!(find_task(ours, &task_id.to_string()).is_ok_and(|task| task.is_some()), "{found:?}");
    }
    if let Ok((found, end)) = recorded_artifacts(ours, 0, usize::MAX) {
        assert_eq!(end, ours.len());
        let presences = vec![2; found.len()];
        let (marked, _) = with_presence(ours, &presences).expect("as many as there are");
        assert_eq!(recorded_artifacts(&marked, 0, usize::MAX).map(|(found, _)| found.len()), Ok(found.len()));
    }
    let _ = with_presence(ours, others);
    let _ = replaced_records(ours, others);
    if let Ok(pages) = plan_pages(ours) {
        assert_eq!(pages.cache_keys.len() % 32, 0);
        assert_eq!(pages.ends.len() % 8, 0);
    }
});
