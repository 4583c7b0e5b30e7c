//! Large work in two halves, side by side.
//!
//! Invariant: what comes out is what one thread would have made, in the same order.

/// Fewer things than this are not worth a thread.
pub(crate) const MANY: usize = if cfg!(fuzzing) { 2 } else { 4096 };

/// What both give. The second is done on another thread, or here where none is to be had.
pub(crate) fn both<A, B: Send>(first: impl FnOnce() -> A, second: impl Fn() -> B + Sync) -> (A, B) {
    std::thread::scope(|scope| {
        let beside = std::thread::Builder::new().spawn_scoped(scope, &second);
        let first = first();
        match beside.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(second)) => (first, second),
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => (first, second()),
        }
    })
}

/// What `work` gives of the first and of the second half of many things; few are done at once.
pub(crate) fn in_halves<T: Sync, R: Send>(things: &[T], work: impl Fn(&[T]) -> R + Sync) -> (R, Option<R>) {
    if things.len() < MANY {
        return (work(things), None);
    }
    let (first, second) = things.split_at(things.len() / 2);
    let (first, second) = both(|| work(first), || work(second));
    (first, Some(second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_come_out_in_order_and_few_things_stay_together() {
        let things: Vec<usize> = (0..MANY).collect();
        let (first, second) = in_halves(&things, <[usize]>::to_vec);
        assert_eq!([first, second.unwrap()].concat(), things);
        assert_eq!(in_halves(&[1, 2], <[i32]>::to_vec), (vec![1, 2], None));
    }
}
