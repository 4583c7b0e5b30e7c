//! Many short lists of numbers, in one.

/// Lists by index.
#[derive(Debug, Default)]
pub struct Lists {
    items: Vec<u32>,
    /// Where each ends in `items`.
    ends: Vec<usize>,
}

impl Lists {
    /// The list of that index; an empty one where there is none.
    pub fn get(&self, index: u32) -> &[u32] {
        let index = index as usize;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(index).and_then(|end| self.items.get(start..*end)).unwrap_or(&[])
    }

    /// Adds a list.
    pub(super) fn push(&mut self, list: impl IntoIterator<Item = u32>) {
        self.items.extend(list);
        self.ends.push(self.items.len());
    }

    /// Adds the lists of another one.
    pub(super) fn append(&mut self, mut next: Lists) {
        let before = self.items.len();
        self.items.append(&mut next.items);
        self.ends.extend(next.ends.into_iter().map(|end| before + end));
    }

    /// Of lists `of` each index: the lists of those that name it, in their order.
    pub(super) fn inverted<'l>(count: usize, of: impl Fn(u32) -> &'l [u32]) -> Lists {
        let mut ends = vec![0usize; count + 1];
        for &to in (0..count as u32).flat_map(&of) {
            if let Some(length) = ends.get_mut(to as usize + 1) {
                *length += 1;
            }
        }
        let mut total = 0;
        for end in &mut ends {
            total += *end;
            *end = total;
        }
        // Where each list begins, and as it is filled where it goes on: at last where it ends.
        ends.truncate(count);
        let mut items = vec![0; total];
        for from in 0..count as u32 {
            for &to in of(from) {
                if let Some(at) = ends.get_mut(to as usize) {
                    if let Some(item) = items.get_mut(*at) {
                        *item = from;
                    }
                    *at += 1;
                }
            }
        }
        Lists { items, ends }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lists: &Lists) -> Vec<&[u32]> {
        (0..lists.ends.len() as u32).map(|index| lists.get(index)).collect()
    }

    #[test]
    fn lists_come_out_as_they_went_in() {
        let mut lists = Lists::default();
        lists.push([1, 2]);
        lists.push([]);
        let mut more = Lists::default();
        more.push([3]);
        lists.append(more);
        assert_eq!(all(&lists), [&[1, 2][..], &[], &[3]]);
        assert_eq!(lists.get(7), &[] as &[u32]);
    }

    #[test]
    fn who_names_an_index_is_listed_in_order() {
        let named: [&[u32]; 4] = [&[], &[0], &[0, 1], &[2, 0, 9]];
        let lists = Lists::inverted(4, |index| named[index as usize]);
        assert_eq!(all(&lists), [&[1, 2, 3][..], &[2], &[3], &[]]);
        assert!(all(&Lists::inverted(0, |_| &[])).is_empty());
    }
}
