//! A plan of any request, and a rendering of any launch: an answer, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = _core::api::plan(bytes);
    let _ = _core::api::render(bytes, bytes);
});
