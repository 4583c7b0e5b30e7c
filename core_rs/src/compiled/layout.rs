//! How numbers lie in a compiled run: little endian, one list after the other, each as long as the head says.
//!
//! Invariant: reading past the end is an error, never a panic.

use super::Refusal;

/// Takes lists off the front of bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut<'b> {
    rest: &'b [u8],
}

impl<'b> Cut<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Cut { rest: bytes }
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'b [u8], Refusal> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Refusal::Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn number(&mut self) -> Result<u32, Refusal> {
        let (taken, rest) = self.rest.split_first_chunk::<4>().ok_or(Refusal::Malformed)?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*taken))
    }

    pub(super) fn numbers(&mut self, count: usize) -> Result<Vec<u32>, Refusal> {
        let bytes = self.bytes(count.checked_mul(4).ok_or(Refusal::Malformed)?)?;
        let (chunks, _) = bytes.as_chunks::<4>();
        Ok(chunks.iter().map(|chunk| u32::from_le_bytes(*chunk)).collect())
    }

    /// The ends of `count` lists that lie in one of `total`: they never fall.
    pub(super) fn ends(&mut self, count: usize, total: usize) -> Result<Vec<u32>, Refusal> {
        let ends = self.numbers(count)?;
        let is_ascending = ends.windows(2).all(|pair| pair[0] <= pair[1]);
        match ends.last() {
            Some(last) if *last as usize == total && is_ascending => Ok(ends),
            None if total == 0 => Ok(ends),
            _ => Err(Refusal::Malformed),
        }
    }

    pub(super) fn rest(self) -> &'b [u8] {
        self.rest
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn finish(self) -> Result<(), Refusal> {
        self.rest.is_empty().then_some(()).ok_or(Refusal::Malformed)
    }
}

pub(super) fn to_bytes(numbers: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(numbers.len() * 4);
    push(&mut bytes, numbers);
    bytes
}

pub(super) fn push(bytes: &mut Vec<u8>, numbers: &[u32]) {
    bytes.reserve(numbers.len() * 4);
    for number in numbers {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
}

/// The list of the task at `index` (counted from 0), whose end is in `ends`.
pub(super) fn list<'n>(ends: &[u32], items: &'n [u32], index: usize) -> &'n [u32] {
    let start = index.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    let end = ends.get(index).copied().unwrap_or(0);
    items.get(start as usize..end as usize).unwrap_or(&[])
}
