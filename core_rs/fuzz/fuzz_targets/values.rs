//! Values from protobuf and from JSON: one text for each, which reads back as the same value.
#![no_main]

use _core::value::Value;
use libfuzzer_sys::fuzz_target;

fn is_canonical(value: &Value) {
    let text = value.to_json();
    assert_eq!(Value::from_json(&text).as_ref(), Ok(value));
}

fuzz_target!(|bytes: &[u8]| {
    let mut text = Vec::new();
    let written = _core::canonical::write_protobuf(bytes, &mut text);
    if let Ok(value) = Value::from_protobuf(bytes) {
        is_canonical(&value);
        assert_eq!(written, Ok(()));
        assert_eq!(value.to_json().into_bytes(), text);
    }
    if let Ok(value) = std::str::from_utf8(bytes).map_err(drop).and_then(|text| Value::from_json(text).map_err(drop)) {
        is_canonical(&value);
    }
});
