//! Orders in which nothing comes before what it needs, without recursion over siblings.

/// Orders the indices of `all` so that every index comes after its upstream ones, and otherwise in their own order.
///
/// # Errors
/// A cycle, as the indices along it.
pub(super) fn topological<T>(all: &[T], upstream: impl Fn(&T) -> &[u32]) -> Result<Vec<u32>, Vec<u32>> {
    const NEW: u8 = 0;
    const OPEN: u8 = 1;
    const DONE: u8 = 2;
    let mut marks = vec![NEW; all.len()];
    let mut order = Vec::with_capacity(all.len());
    // (index, how many of its upstream ones were looked at)
    let mut stack: Vec<(u32, usize)> = Vec::new();
    for start in 0..all.len() as u32 {
        if mark(&marks, start) != NEW {
            continue;
        }
        set(&mut marks, start, OPEN);
        stack.push((start, 0));
        while let Some((index, seen)) = stack.last_mut() {
            let index = *index;
            match all.get(index as usize).and_then(|one| upstream(one).get(*seen)) {
                None => {
                    set(&mut marks, index, DONE);
                    order.push(index);
                    stack.pop();
                }
                Some(&next) => {
                    *seen += 1;
                    match mark(&marks, next) {
                        NEW => {
                            set(&mut marks, next, OPEN);
                            stack.push((next, 0));
                        }
                        OPEN => {
                            return Err(stack
                                .iter()
                                .map(|(index, _)| *index)
                                .skip_while(|index| *index != next)
                                .collect());
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    Ok(order)
}

fn mark(marks: &[u8], index: u32) -> u8 {
    marks.get(index as usize).copied().unwrap_or(2)
}

fn set(marks: &mut [u8], index: u32, value: u8) {
    if let Some(mark) = marks.get_mut(index as usize) {
        *mark = value;
    }
}

#[cfg(test)]
mod tests {
    fn topological(upstream: &[Vec<u32>]) -> Result<Vec<u32>, Vec<u32>> {
        super::topological(upstream, |list| list)
    }

    #[test]
    fn upstream_comes_first_and_names_keep_their_order_otherwise() {
        assert_eq!(topological(&[vec![2], vec![], vec![]]), Ok(vec![2, 0, 1]));
        assert_eq!(topological(&[]), Ok(vec![]));
    }

    #[test]
    fn a_cycle_is_told_along_its_tasks() {
        assert_eq!(topological(&[vec![1], vec![2], vec![1]]), Err(vec![1, 2]));
        assert_eq!(topological(&[vec![0]]), Err(vec![0]));
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_needs_no_stack() {
        let upstream: Vec<Vec<u32>> = (0..100_000).map(|i| if i < 99_999 { vec![i + 1] } else { vec![] }).collect();
        assert_eq!(topological(&upstream).unwrap().first(), Some(&99_999));
    }
}
