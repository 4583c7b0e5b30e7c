//! A request in pieces: what is large stays where it lies, so that nobody has to copy it into one message.
//!
//! Invariant: the pieces mean what the message means that holds them all.

use std::borrow::Cow;

use crate::messages::RunRequest;
use crate::wire::Result;

/// The message, and beside it what is large.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pieces<'a> {
    /// A RunRequest.
    pub request: &'a [u8],
    /// Its spec; empty: it is in the message.
    pub spec: &'a [u8],
    /// Its original's TaskRecords; empty: they are in the message.
    pub records: &'a [u8],
    /// RunRequests that hold more of `cache`, and of which nothing else is read.
    pub cache: &'a [&'a [u8]],
}

impl<'a> Pieces<'a> {
    /// A message that is in one piece.
    pub fn whole(request: &'a [u8]) -> Self {
        Pieces { request, ..Pieces::default() }
    }

    /// The request.
    ///
    /// # Errors
    /// Some piece is no such message.
    pub fn decode(&self) -> Result<RunRequest<'a>> {
        let mut request = RunRequest::decode(self.request)?;
        if !self.spec.is_empty() {
            request.spec = Cow::Borrowed(self.spec);
        }
        if let Some(original) = request.original.as_mut().filter(|_| !self.records.is_empty()) {
            original.records = Cow::Borrowed(self.records);
        }
        for more in self.cache {
            request.cache.append(&mut RunRequest::decode(more)?.cache);
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{CachedOutcome, Original};

    #[test]
    fn the_pieces_are_the_message_that_holds_them_all() {
        let outcome = |key: u8| CachedOutcome { key: vec![key], ..CachedOutcome::default() };
        let whole = RunRequest {
            spec: Cow::Borrowed(b"spec"),
            original: Some(Original { run_id: 7, records: Cow::Borrowed(b"records"), ..Original::default() }),
            cache: vec![outcome(1), outcome(2), outcome(3)],
            ..RunRequest::default()
        };
        let mut slim = whole.clone();
        (slim.spec, slim.cache) = (Cow::default(), vec![outcome(1)]);
        slim.original = Some(Original { run_id: 7, ..Original::default() });
        let (slim, more) = (
            slim.encode(),
            [2, 3].map(|key| RunRequest { cache: vec![outcome(key)], ..RunRequest::default() }.encode()),
        );
        let cache = [more[0].as_slice(), &more[1]];
        let pieces = Pieces { request: &slim, spec: b"spec", records: b"records", cache: &cache };
        assert_eq!(pieces.decode(), Ok(whole.clone()));
        assert_eq!(Pieces::whole(&whole.encode()).decode(), Ok(whole.clone()));
        assert!(Pieces { cache: &[&[0x0a, 9]], ..pieces }.decode().is_err());
    }
}
