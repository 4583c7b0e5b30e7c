//! Preimages of any bytes can be compared, and differ from themselves in nothing.
#![no_main]

use _core::key::{differences, differing_fields, first_difference, DOMAIN};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: (&[u8], &[u8])| {
    let of = |fields: &[u8]| [DOMAIN.as_slice(), fields].concat();
    let (old, new) = (of(bytes.0), of(bytes.1));
    if let Ok(diffs) = differing_fields(&old, &new) {
        assert_eq!(first_difference(&old, &new), Ok(diffs.first().map(|diff| diff.path.clone())));
        assert_eq!(differences(&old, &new).differences.len(), diffs.len());
    }
    if let Ok(diffs) = differing_fields(&old, &old) {
        assert!(diffs.is_empty());
    }
});
