//! Takes preimages of cache keys apart, to say in which fields two of them differ.
//!
//! Invariant: bytes of any kind can be given; what is no preimage of this version is [`NotComparable`].

use std::cmp::Ordering;

use crate::key::{Section, DIGESTED, DOMAIN, UNKNOWN};

/// The bytes are no preimage, or one of another version of the encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotComparable;

impl std::fmt::Display for NotComparable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a key of this version")
    }
}

impl std::error::Error for NotComparable {}

/// The value of a field, as it stands in a preimage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyValue<'a> {
    /// The encoded value.
    Inline(&'a [u8]),
    /// SHA-256 of an encoded value that is too long to be kept.
    Digest(&'a [u8; 32]),
}

/// One field in which two preimages differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDiff<'a> {
    /// E.g. `inputs.parameters.x`, `executor.args`, `outputs.parameters.Output`.
    pub path: String,
    /// The value in the first, `None`: it has no such field.
    pub old: Option<KeyValue<'a>>,
    /// The value in the second.
    pub new: Option<KeyValue<'a>>,
}

/// One field, as it lies in a preimage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stored<'a> {
    section: Section,
    name: &'a str,
    /// `None`: not known yet.
    value: Option<KeyValue<'a>>,
}

struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn of(preimage: &'a [u8]) -> Result<Self, NotComparable> {
        Ok(Fields { rest: preimage.strip_prefix(DOMAIN).ok_or(NotComparable)? })
    }

    fn next(&mut self) -> Result<Option<Stored<'a>>, NotComparable> {
        let Some((&number, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let section = Section::from_number(number).ok_or(NotComparable)?;
        let length = self.length()?;
        let name = std::str::from_utf8(self.bytes(length)?).map_err(|_| NotComparable)?;
        let value = match self.length()? {
            UNKNOWN => None,
            DIGESTED => {
                let (digest, rest) = self.rest.split_first_chunk::<32>().ok_or(NotComparable)?;
                self.rest = rest;
                Some(KeyValue::Digest(digest))
            }
            length => Some(KeyValue::Inline(self.bytes(length)?)),
        };
        Ok(Some(Stored { section, name, value }))
    }

    fn length(&mut self) -> Result<u32, NotComparable> {
        let (length, rest) = self.rest.split_first_chunk::<4>().ok_or(NotComparable)?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*length))
    }

    fn bytes(&mut self, length: u32) -> Result<&'a [u8], NotComparable> {
        let (bytes, rest) = self.rest.split_at_checked(length as usize).ok_or(NotComparable)?;
        self.rest = rest;
        Ok(bytes)
    }
}

/// Walks two preimages side by side and calls `found` for each field that differs, smallest path first, until it says
/// to stop. A field whose value is not known in one of them does not differ from any value, nor from its absence.
fn compare<'a>(
    old: &'a [u8],
    new: &'a [u8],
    mut found: impl FnMut(Section, &'a str, Option<KeyValue<'a>>, Option<KeyValue<'a>>) -> bool,
) -> Result<(), NotComparable> {
    if old == new && old.starts_with(DOMAIN) {
        return Ok(());
    }
    let (mut olds, mut news) = (Fields::of(old)?, Fields::of(new)?);
    let (mut a, mut b) = (olds.next()?, news.next()?);
    loop {
        let order = match (&a, &b) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(x), Some(y)) => (x.section, x.name).cmp(&(y.section, y.name)),
        };
        let (left, right) = match order {
            Ordering::Less => (a.take(), None),
            Ordering::Greater => (None, b.take()),
            Ordering::Equal => (a.take(), b.take()),
        };
        let is_unknown = |side: &Option<Stored<'_>>| side.is_some_and(|field| field.value.is_none());
        if !is_unknown(&left) && !is_unknown(&right) && left != right {
            if let Some(field) = left.or(right) {
                let value = |side: Option<Stored<'a>>| side.and_then(|field| field.value);
                if !found(field.section, field.name, value(left), value(right)) {
                    return Ok(());
                }
            }
        }
        if order != Ordering::Greater {
            a = olds.next()?;
        }
        if order != Ordering::Less {
            b = news.next()?;
        }
    }
}

/// Every field in which two preimages differ, in the order of the paths.
pub fn differing_fields<'a>(old: &'a [u8], new: &'a [u8]) -> Result<Vec<FieldDiff<'a>>, NotComparable> {
    let mut diffs = Vec::new();
    compare(old, new, |section, name, old, new| {
        diffs.push(FieldDiff { path: section.path(name), old, new });
        true
    })?;
    Ok(diffs)
}

/// The path of the first field in which two preimages differ; `None` where what is known of them is the same.
pub fn first_difference(old: &[u8], new: &[u8]) -> Result<Option<String>, NotComparable> {
    if old == new && old.starts_with(DOMAIN) {
        // What most preimages of a rerun are.
        return Ok(None);
    }
    let mut first = None;
    compare(old, new, |section, name, _, _| {
        first = Some(section.path(name));
        false
    })?;
    Ok(first)
}

/// True when a complete preimage can be what a partial one becomes, once all its values are known.
pub fn matches(old: &[u8], partial: &[u8]) -> bool {
    matches!(first_difference(old, partial), Ok(None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyBuilder;
    use crate::value::Value;

    fn key(parameters: &[(&str, Option<i64>)]) -> Vec<u8> {
        let mut key = KeyBuilder::new();
        key.container("image", &["sh"], &["-c", "x"]);
        for (name, value) in parameters {
            match value {
                Some(number) => key.parameter(name, None, &Value::Int(*number)),
                None => key.unknown_parameter(name),
            }
        }
        key.preimage()
    }

    #[test]
    fn differences_are_found_field_by_field() {
        let old = key(&[("a", Some(1)), ("b", Some(1)), ("c", Some(1))]);
        let new = key(&[("b", Some(2)), ("c", Some(1)), ("d", Some(1))]);
        let diffs = differing_fields(&old, &new).unwrap();
        let paths: Vec<&str> = diffs.iter().map(|diff| diff.path.as_str()).collect();
        assert_eq!(paths, ["inputs.parameters.a", "inputs.parameters.b", "inputs.parameters.d"]);
        assert_eq!(diffs[1].old, Some(KeyValue::Inline(b"\x001")));
        assert_eq!(diffs[1].new, Some(KeyValue::Inline(b"\x002")));
        assert_eq!((diffs[0].new.is_none(), diffs[2].old.is_none()), (true, true));
        assert_eq!(first_difference(&old, &new), Ok(Some("inputs.parameters.a".to_owned())));
        assert_eq!(first_difference(&old, &old), Ok(None));
    }

    #[test]
    fn what_is_not_known_differs_from_nothing() {
        let old = key(&[("a", Some(1)), ("b", Some(1))]);
        assert!(matches(&old, &key(&[("a", None), ("b", Some(1))])));
        assert!(matches(&old, &key(&[("a", Some(1)), ("b", Some(1)), ("c", None)])));
        assert!(!matches(&old, &key(&[("a", None), ("b", Some(2))])));
        assert!(!matches(&old, &key(&[("a", None)])));
    }

    #[test]
    fn long_values_are_compared_by_their_digests() {
        let key = |length: usize| {
            let mut key = KeyBuilder::new();
            key.container("image", &["x".repeat(length)], &[]);
            key.preimage()
        };
        assert!(key(100_000).len() < 200);
        assert_eq!(first_difference(&key(1000), &key(1001)), Ok(Some("executor.command".to_owned())));
        assert_eq!(first_difference(&key(10), &key(1000)), Ok(Some("executor.command".to_owned())));
        assert_eq!(first_difference(&key(1000), &key(1000)), Ok(None));
    }

    #[test]
    fn bytes_that_are_no_preimage_are_not_comparable() {
        let good = key(&[("a", Some(1))]);
        assert_eq!(first_difference(b"", &good), Err(NotComparable));
        assert_eq!(first_difference(b"reprise.key.v9\0\0", &good), Err(NotComparable));
        for end in DOMAIN.len() + 1..good.len() {
            let _ = differing_fields(&good[..end], &good);
        }
        assert!(differing_fields(&good[..good.len() - 1], &good).is_err());
    }
}
