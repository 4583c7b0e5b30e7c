//! What decodes, encodes to bytes that decode to the same.
#![no_main]

use _core::messages::{Decisions, Events, Launch, Message, PlanResult, RenderContext, RunRequest, TaskRecords};
use libfuzzer_sys::fuzz_target;

fn round_trip<M: Message + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(message) = M::decode(bytes) {
        let encoded = message.encode();
        // NaN is not equal to itself, so the bytes are compared.
        assert_eq!(M::decode(&encoded).map(|again| again.encode()), Ok(encoded));
    }
}

fuzz_target!(|bytes: &[u8]| {
    round_trip::<TaskRecords>(bytes);
    round_trip::<Launch>(bytes);
    round_trip::<RenderContext>(bytes);
    round_trip::<PlanResult>(bytes);
    round_trip::<Decisions>(bytes);
    round_trip::<Events>(bytes);
    if let Ok(request) = RunRequest::decode(bytes) {
        let encoded = request.encode();
        assert_eq!(RunRequest::decode(&encoded).map(|again| again.encode()), Ok(encoded.clone()));
    }
});
