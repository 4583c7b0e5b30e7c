use super::*;
use crate::wire::WireError;

fn record() -> TaskRecord {
    TaskRecord {
        task_id: 3,
        name: "train".to_owned(),
        kind: Kind::Container,
        state: State::Succeeded,
        inputs: Some(Values::default()),
        key: vec![0, 255],
        candidate: Some(Box::new(TaskRecord { path: "a.b".to_owned(), ..Default::default() })),
        upstream: vec![1, 300],
        history: vec![StateChange { at_ns: -1, state: State::Failed, error: None }],
        ..Default::default()
    }
}

#[test]
fn what_was_encoded_decodes_to_the_same() {
    let record = record();
    assert_eq!(TaskRecord::decode(&record.encode()), Ok(record.clone()));
    let decisions = Decisions {
        decisions: vec![
            Decision { task_id: 1, what: Some(What::Created(Box::new(NodeCreated { task: Some(record) }))) },
            Decision { task_id: 2, what: Some(What::Launch(Box::default())) },
        ],
        run_ended: None,
    };
    assert_eq!(Decisions::decode(&decisions.encode()), Ok(decisions));
}

#[test]
fn the_bytes_are_those_of_other_protobuf_implementations() {
    // Made with Python's runtime: TaskRecord(task_id=3, name="train", kind=CONTAINER, state=SUCCEEDED, inputs=Values(),
    // key=b"\x00\xff", candidate=TaskRecord(path="a.b"), upstream=[1, 300], history=[StateChange(at_ns=-1, state=FAILED)])
    let bytes = b"\x08\x03\x1a\x05train\x28\x01\x30\x03\x5a\x00\x72\x02\x00\xff\x9a\x01\x05\x22\x03a.b\xc2\x01\x03\x01\
        \xac\x02\x92\x02\x0d\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x07";
    assert_eq!(record().encode(), bytes);
    assert_eq!(TaskRecord::decode(bytes), Ok(record()));
}

#[test]
fn a_request_borrows_its_large_parts() {
    let request = RunRequest {
        spec: b"spec"[..].into(),
        original: Some(Original { records: b"records"[..].into(), run_id: 4, ..Default::default() }),
        configs: vec![Config { has_inputs: true, ..Default::default() }],
        ..Default::default()
    };
    let bytes = request.encode();
    let read = RunRequest::decode(&bytes).unwrap();
    assert_eq!(read, request);
    assert!(matches!(read.spec, std::borrow::Cow::Borrowed(_)));
}

#[test]
fn unknown_fields_are_passed_over_and_unknown_enums_refused() {
    assert_eq!(Parameter::decode(&[0xf8, 0x07, 0x01, 0x0a, 0x01, b'x']).unwrap().name, "x");
    assert_eq!(TaskRecord::decode(&[0x30, 0x63]), Err(WireError::UnknownEnum));
}

#[test]
fn nesting_without_end_is_refused() {
    let mut bytes = Vec::new();
    for _ in 0..100 {
        let mut writer = crate::wire::Writer::new();
        writer.bytes_always(19, &bytes);
        bytes = writer.into_bytes();
    }
    assert_eq!(TaskRecord::decode(&bytes), Err(WireError::TooDeep));
}
