//! Orders in which nothing comes before what it needs, without recursion over siblings.

/// Orders `indices`, which are those below `count` in any order, so that every index comes after its upstream ones, and
/// otherwise in the order given.
///
/// # Errors
/// A cycle, as the indices along it.
pub(super) fn topological<'u>(
    count: usize,
    indices: impl IntoIterator<Item = u32>,
    upstream: impl Fn(u32) -> &'u [u32],
) -> Result<Vec<u32>, Vec<u32>> {
    const NEW: u8 = 0;
    const OPEN: u8 = 1;
    const DONE: u8 = 2;
    let mut marks = vec![NEW; count];
    let mut order = Vec::with_capacity(count);
    // (index, how many of its upstream ones were looked at)
    let mut stack: Vec<(u32, usize)> = Vec::new();
    for start in indices {
        if mark(&marks, start) != NEW {
            continue;
        }
        set(&mut marks, start, OPEN);
        stack.push((start, 0));
        while let Some((index, seen)) = stack.last_mut() {
            let index = *index;
            match upstream(index).get(*seen) {
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
        super::topological(upstream.len(), 0..upstream.len() as u32, |index| &upstream[index as usize])
    }

    #[test]
    fn what_is_given_first_comes_first() {
        let upstream: [&[u32]; 3] = [&[], &[0], &[]];
        assert_eq!(super::topological(3, [2, 1, 0], |index| upstream[index as usize]), Ok(vec![2, 0, 1]));
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
