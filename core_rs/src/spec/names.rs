//! The names of the tasks of one DAG, side by side: those in the document lie so far apart that each costs a trip to
//! memory.
//!
//! Invariant: a name that is found has been compared, whatever its hash; hashes are keyed, so that nobody can choose names
//! that have the same.

use std::hash::{BuildHasher, RandomState};

use crate::halves::{both, MANY};

/// Names, by the index of their task.
pub(super) struct Names {
    text: String,
    /// Where each ends in `text`.
    ends: Vec<usize>,
}

/// What finds the index of a name.
pub(super) struct Lookup<'n> {
    names: &'n Names,
    hasher: RandomState,
    /// For each name, at the place that its hash says or the next free one after it: the upper half of the hash, and below
    /// it the index. A power of two of them, at most half of them taken.
    slots: Vec<u64>,
}

const FREE: u64 = u64::MAX;
const HASH: u64 = !(u32::MAX as u64);

impl Names {
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Names {
        let mut all = Names { text: String::new(), ends: Vec::with_capacity(names.size_hint().0) };
        for name in names {
            all.text.push_str(name);
            all.ends.push(all.text.len());
        }
        all
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The name of that index; an empty one where there is none.
    pub(super) fn get(&self, index: u32) -> &str {
        let index = index as usize;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(index).and_then(|end| self.text.get(start..*end)).unwrap_or("")
    }

    /// All indices in the order of their names, and what finds them.
    pub(super) fn ordered(&self) -> (Vec<u32>, Lookup<'_>) {
        if self.len() < MANY {
            return (self.sorted(), Lookup::new(self));
        }
        both(|| self.sorted(), || Lookup::new(self))
    }

    fn sorted(&self) -> Vec<u32> {
        let all = 0..self.len() as u32;
        // What names begin with is mostly the same; what comes next as a number decides nearly always.
        let common = all.clone().map(|index| self.get(index)).fold(None, |common: Option<&[u8]>, name| {
            let name = name.as_bytes();
            let common = common.unwrap_or(name);
            let length = common.iter().zip(name).take_while(|(a, b)| a == b).count();
            common.get(..length)
        });
        let common = common.map_or(0, <[u8]>::len);
        let mut keyed: Vec<(u64, u32)> = all
            .map(|index| {
                let mut first = [0u8; 8];
                for (place, byte) in first.iter_mut().zip(self.get(index).as_bytes().iter().skip(common)) {
                    *place = *byte;
                }
                (u64::from_be_bytes(first), index)
            })
            .collect();
        keyed.sort_unstable_by(|a, b| {
            let by_name = || self.get(a.1).cmp(self.get(b.1)).then(a.1.cmp(&b.1));
            a.0.cmp(&b.0).then_with(by_name)
        });
        keyed.into_iter().map(|(_, index)| index).collect()
    }
}

impl<'n> Lookup<'n> {
    fn new(names: &'n Names) -> Self {
        let mut lookup = Lookup { names, hasher: RandomState::new(), slots: Vec::new() };
        lookup.slots = vec![FREE; (2 * names.len()).next_power_of_two()];
        for index in 0..names.len() as u32 {
            let name = names.get(index);
            let hash = lookup.hasher.hash_one(name);
            if let Err(free) = lookup.search(name, hash) {
                if let Some(slot) = lookup.slots.get_mut(free) {
                    *slot = (hash & HASH) | u64::from(index);
                }
            }
        }
        lookup
    }

    /// The index of that name, the first where it occurs twice.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.search(name, self.hasher.hash_one(name)).ok()
    }

    /// The indices of some names, side by side: what one of them waits for from memory comes together with the others'.
    pub(super) fn find_all(&self, names: &[&str]) -> Vec<Option<u32>> {
        let hashes: Vec<u64> = names.iter().map(|name| self.hasher.hash_one(name)).collect();
        let likely: Vec<u64> = hashes.iter().filter_map(|hash| self.slots.get(self.place(*hash))).copied().collect();
        std::hint::black_box(likely.iter().map(|slot| self.names.get(*slot as u32).len()).sum::<usize>());
        names.iter().zip(&hashes).map(|(name, hash)| self.search(name, *hash).ok()).collect()
    }

    fn place(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    /// The index of that name, or the slot that is free for it.
    fn search(&self, name: &str, hash: u64) -> Result<u32, usize> {
        let mut at = self.place(hash);
        while let Some(&slot) = self.slots.get(at).filter(|slot| **slot != FREE) {
            let index = slot as u32;
            if slot & HASH == hash & HASH && self.names.get(index) == name {
                return Ok(index);
            }
            at = self.place(at as u64 + 1);
        }
        Err(at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_found_by_all_of_it() {
        let names = Names::new(["step-1", "step-10", "", "step-1"].into_iter());
        let (sorted, lookup) = names.ordered();
        assert_eq!(sorted, [2, 0, 3, 1]);
        assert_eq!(["step-1", "step-10", "", "step"].map(|name| lookup.find(name)), [Some(0), Some(1), Some(2), None]);
        let none = Names::new(std::iter::empty());
        assert_eq!((none.ordered().0.len(), none.ordered().1.find("a")), (0, None));
    }

    proptest! {
        #[test]
        fn names_come_in_their_order_and_each_is_found(given in prop::collection::vec("[aé]{0,3}[a-c]{0,12}", 0..60)) {
            let names = Names::new(given.iter().map(String::as_str));
            let (sorted, lookup) = names.ordered();
            let mut expected: Vec<u32> = (0..given.len() as u32).collect();
            expected.sort_by_key(|index| &given[*index as usize]);
            prop_assert_eq!(sorted, expected);
            let all: Vec<&str> = given.iter().map(String::as_str).collect();
            prop_assert_eq!(lookup.find_all(&all), all.iter().map(|name| lookup.find(name)).collect::<Vec<_>>());
            for name in &given {
                let first = given.iter().position(|other| other == name).map(|index| index as u32);
                prop_assert_eq!(lookup.find(name), first);
            }
        }
    }
}
