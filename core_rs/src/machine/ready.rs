//! Tasks that are ready, given out in the order of their ids.
//!
//! Invariant: a bit of a level above the first is set where the word of that number in the level below is not zero.

use super::slot::NodeId;

/// A set of ids: a bit for each, and above them a bit for each word that is not zero, up to a single word.
#[derive(Debug, Default)]
pub(super) struct Ready {
    levels: Vec<Vec<u64>>,
}

impl Ready {
    /// Adds an id; one that is in it already stays in it once.
    pub(super) fn insert(&mut self, id: NodeId) {
        let mut place = id as usize;
        for level in 0.. {
            let (word, bit) = (place / BITS, place % BITS);
            if self.levels.len() == level {
                // What was the only word so far is the first of its level.
                let has_below = level > 0 && self.levels.get(level - 1).is_some_and(|below| below.first() != Some(&0));
                self.levels.push(vec![u64::from(has_below)]);
            }
            let Some(words) = self.levels.get_mut(level) else { return };
            if word >= words.len() {
                words.resize(word + 1, 0);
            }
            if let Some(word) = words.get_mut(word) {
                *word |= 1 << bit;
            }
            if words.len() == 1 && self.levels.len() == level + 1 {
                return;
            }
            place = word;
        }
    }

    /// The smallest id, which is in it no more.
    pub(super) fn take_first(&mut self) -> Option<NodeId> {
        let mut place = 0;
        for level in self.levels.iter().rev() {
            let word = *level.get(place)?;
            if word == 0 {
                return None;
            }
            place = place * BITS + word.trailing_zeros() as usize;
        }
        let first = NodeId::try_from(place).ok().filter(|_| !self.levels.is_empty())?;
        for words in &mut self.levels {
            let (word, bit) = (place / BITS, place % BITS);
            let word_left = words.get_mut(word)?;
            *word_left &= !(1 << bit);
            if *word_left != 0 {
                break;
            }
            place = word;
        }
        Some(first)
    }
}

const BITS: usize = u64::BITS as usize;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_come_in_their_order_whatever_the_order_they_were_added_in() {
        let mut ready = Ready::default();
        for id in [0, 70, 5, 300_000, 4095, 4096, 70] {
            ready.insert(id);
        }
        assert_eq!((ready.take_first(), ready.take_first()), (Some(0), Some(5)));
        ready.insert(3);
        let rest: Vec<NodeId> = std::iter::from_fn(|| ready.take_first()).collect();
        assert_eq!(rest, [3, 70, 4095, 4096, 300_000]);
        ready.insert(1);
        assert_eq!((ready.take_first(), ready.take_first()), (Some(1), None));
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_set(steps in prop::collection::vec(prop::option::of(0u32..70_000), 0..300)) {
            let (mut ready, mut sorted) = (Ready::default(), BTreeSet::new());
            for step in steps {
                match step {
                    Some(id) => {
                        ready.insert(id);
                        sorted.insert(id);
                    }
                    None => prop_assert_eq!(ready.take_first(), sorted.pop_first()),
                }
            }
            while let Some(first) = sorted.pop_first() {
                prop_assert_eq!(ready.take_first(), Some(first));
            }
            prop_assert_eq!(ready.take_first(), None);
        }
    }
}
