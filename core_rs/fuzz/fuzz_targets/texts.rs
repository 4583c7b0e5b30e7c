//! Conditions, selectors, placeholders and structures of any text.
#![no_main]

use _core::cel::{self, Lookup};
use _core::placeholder::{located_artifacts, resolve_constant, segments, Segment};
use _core::structure::Structure;
use _core::value::Value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let seven = Value::Int(7);
    let _ = cel::evaluate(text, |name| if name.len() % 2 == 0 { Lookup::Unknown } else { Lookup::Known(&seven) });
    let _ = cel::referenced(text);
    let _ = cel::select(text, &seven);
    let _ = located_artifacts([text]);
    let _ = Structure::parse(text);
    let _ = resolve_constant(&Value::String(text.to_owned()), &|_: &str| Lookup::Known(&seven));
    let joined: String = segments(text)
        .map(|segment| match segment {
            Segment::Text(text) | Segment::Placeholder(_, text) => text,
        })
        .collect();
    assert_eq!(joined, text);
});
