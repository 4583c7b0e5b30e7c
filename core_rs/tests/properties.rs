//! Properties that hold for all inputs: of values, of keys, and of bytes and texts that mean nothing.

use std::collections::BTreeMap;

use _core::cel::{self, Lookup};
use _core::key::{differing_fields, first_difference, matches, KeyArtifact, KeyBuilder};
use _core::messages::{Decisions, Events, Launch, Message, PlanResult, RunRequest, TaskRecords};
use _core::parameter::ParameterType;
use _core::placeholder::{segments, Segment};
use _core::structure::Structure;
use _core::value::Value;
use _core::wire::Writer;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        "-?[1-9][0-9]{20,40}".prop_map(|digits| Value::from_integer_text(&digits).unwrap()),
        any::<f64>().prop_filter_map("finite", Value::from_f64),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::List),
            btree_map(any::<String>(), inner, 0..6).prop_map(Value::Object),
        ]
    })
}

/// The bytes of a google.protobuf.Value, members in reverse order, integers rounded to doubles.
fn to_protobuf(value: &Value, writer: &mut Writer) {
    match value {
        Value::Null => writer.int_always(1, 0),
        Value::Bool(flag) => writer.int_always(4, i64::from(*flag)),
        Value::String(text) => writer.bytes_always(3, text.as_bytes()),
        Value::List(items) => writer.message(6, |list| {
            items.iter().for_each(|item| list.message(1, |inner| to_protobuf(item, inner)));
        }),
        Value::Object(members) => writer.message(5, |object| {
            for (key, item) in members.iter().rev() {
                object.message(1, |entry| {
                    entry.string(1, key);
                    entry.message(2, |inner| to_protobuf(item, inner));
                });
            }
        }),
        number => writer.double_always(2, number.as_f64().unwrap()),
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Task {
    image: String,
    command: Vec<String>,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    parameters: BTreeMap<String, (u8, Value)>,
    artifacts: BTreeMap<String, (String, String)>,
    outputs: BTreeMap<String, u8>,
    salt: String,
}

const TYPES: [Option<ParameterType>; 4] =
    [None, Some(ParameterType::String), Some(ParameterType::NumberInteger), Some(ParameterType::Struct)];

fn task() -> impl Strategy<Value = Task> {
    let name = || "[a-c.é]{0,3}";
    (
        any::<String>(),
        vec("[a-c]{0,3}", 0..4),
        vec("[a-c]{0,3}", 0..4),
        btree_map(name(), any::<String>(), 0..4),
        btree_map(name(), (0..4u8, value()), 0..4),
        btree_map(name(), ("(sha256:[0-9a-f]{2})?", "[a-c/]{0,4}"), 0..4),
        btree_map(name(), 1..4u8, 0..4),
        "[a-c]{0,2}",
    )
        .prop_map(|(image, command, args, env, parameters, artifacts, outputs, salt)| Task {
            image,
            command,
            args,
            env,
            parameters,
            artifacts,
            outputs,
            salt,
        })
}

type Step<'a> = Box<dyn Fn(&mut KeyBuilder) + 'a>;

impl Task {
    /// One step for each field, so that they can be taken in any order.
    fn steps(&self) -> Vec<Step<'_>> {
        let mut steps: Vec<Step<'_>> = vec![
            Box::new(|key| key.container(&self.image, &self.command, &self.args)),
            Box::new(|key| key.salt(&self.salt)),
        ];
        for (name, text) in &self.env {
            steps.push(Box::new(move |key| key.env(name, text)));
        }
        for (name, (declared, value)) in &self.parameters {
            steps.push(Box::new(move |key| key.parameter(name, TYPES[usize::from(*declared)], value)));
        }
        for (name, (digest, uri)) in &self.artifacts {
            let artifact = KeyArtifact { schema_title: "system.Model", digest, uri, ..Default::default() };
            steps.push(Box::new(move |key| key.artifacts(name, false, &[artifact])));
        }
        for (name, declared) in &self.outputs {
            if let Some(declared) = TYPES[usize::from(*declared)] {
                steps.push(Box::new(move |key| key.output_parameter(name, declared)));
            }
        }
        steps
    }

    fn key(&self) -> KeyBuilder {
        let mut key = KeyBuilder::new();
        self.steps().iter().for_each(|step| step(&mut key));
        key
    }
}

/// Every way to change one thing about a task, with the path that names it.
fn edits(task: &Task) -> Vec<(String, Task)> {
    let mut edits: Vec<(String, Task)> = Vec::new();
    let mut edit = |path: String, change: &dyn Fn(&mut Task)| {
        let mut edited = task.clone();
        change(&mut edited);
        edits.push((path, edited));
    };
    edit("executor.image".to_owned(), &|task| task.image.push('x'));
    edit("executor.command".to_owned(), &|task| task.command.push(String::new()));
    edit("executor.args".to_owned(), &|task| task.args.insert(0, "x".to_owned()));
    edit("salt".to_owned(), &|task| task.salt.push('x'));
    for name in task.env.keys() {
        edit(format!("executor.env.{name}"), &|task| task.env.get_mut(name).unwrap().push('x'));
        edit(format!("executor.env.{name}"), &|task| drop(task.env.remove(name)));
    }
    for name in task.parameters.keys() {
        let path = || format!("inputs.parameters.{name}");
        edit(path(), &|task| task.parameters.get_mut(name).unwrap().0 ^= 1);
        edit(path(), &|task| drop(task.parameters.remove(name)));
        edit(path(), &|task| {
            let value = &mut task.parameters.get_mut(name).unwrap().1;
            *value = Value::List(vec![value.clone()]);
        });
    }
    for name in task.artifacts.keys() {
        let path = || format!("inputs.artifacts.{name}");
        edit(path(), &|task| drop(task.artifacts.remove(name)));
        edit(path(), &|task| task.artifacts.get_mut(name).unwrap().0.push('0'));
    }
    for name in task.outputs.keys() {
        edit(format!("outputs.parameters.{name}"), &|task| {
            task.outputs.remove(name);
        });
    }
    edits
}

proptest! {
    #[test]
    fn a_value_that_was_written_reads_back_the_same(value in value()) {
        let text = value.to_json();
        let read = Value::from_json(&text).unwrap();
        prop_assert_eq!(&read, &value);
        prop_assert_eq!(read.to_json(), text);
        prop_assert_eq!(read.digest(), value.digest());
    }

    #[test]
    fn protobuf_gives_the_same_text_with_and_without_the_value(value in value()) {
        let mut writer = Writer::new();
        to_protobuf(&value, &mut writer);
        let read = Value::from_protobuf(writer.as_bytes()).unwrap();
        let mut text = Vec::new();
        _core::canonical::write_protobuf(writer.as_bytes(), &mut text).unwrap();
        prop_assert_eq!(read.to_json().into_bytes(), text);
    }

    #[test]
    fn the_order_of_fields_does_not_change_a_key(
        (task, order) in task().prop_flat_map(|task| {
            let indices: Vec<usize> = (0..task.steps().len()).collect();
            (Just(task), Just(indices).prop_shuffle())
        })
    ) {
        let steps = task.steps();
        let mut shuffled = KeyBuilder::new();
        order.iter().for_each(|&index| steps[index](&mut shuffled));
        prop_assert_eq!(shuffled.preimage(), task.key().preimage());
        prop_assert_eq!(shuffled.digest(), task.key().digest());
    }

    #[test]
    fn every_change_of_meaning_changes_the_key_and_is_named(task in task()) {
        let (before, key) = (task.key().preimage(), task.key().digest());
        for (path, edited) in edits(&task) {
            let after = edited.key().preimage();
            prop_assert_ne!(key, edited.key().digest(), "{}", path);
            let diffs = differing_fields(&before, &after).unwrap();
            prop_assert_eq!(diffs.len(), 1, "{}", path);
            prop_assert_eq!(&diffs[0].path, &path);
            prop_assert_eq!(first_difference(&before, &after).unwrap(), Some(path));
        }
    }

    #[test]
    fn a_partial_key_fits_what_it_can_become(task in task(), hidden in any::<prop::sample::Index>()) {
        prop_assume!(!task.parameters.is_empty());
        let name = hidden.get(&task.parameters.keys().cloned().collect::<Vec<_>>()).clone();
        let mut rest = task.clone();
        rest.parameters.remove(&name);
        let mut partial = rest.key();
        partial.unknown_parameter(&name);
        prop_assert!(!partial.is_complete());
        prop_assert!(matches(&task.key().preimage(), &partial.preimage()));
        let mut other = task.clone();
        other.image.push('x');
        prop_assert!(!matches(&other.key().preimage(), &partial.preimage()));
    }

    #[test]
    fn bytes_that_mean_nothing_are_no_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = RunRequest::decode(&bytes);
        let _ = TaskRecords::decode(&bytes);
        let _ = (Launch::decode(&bytes), PlanResult::decode(&bytes), Decisions::decode(&bytes), Events::decode(&bytes));
        let _ = Value::from_protobuf(&bytes);
        let _ = _core::canonical::write_protobuf(&bytes, &mut Vec::new());
        let _ = _core::render::render_bytes(&bytes, &bytes);
        let mut preimage = _core::key::DOMAIN.to_vec();
        preimage.extend_from_slice(&bytes);
        let _ = differing_fields(&preimage, &task_preimage());
    }

    #[test]
    fn texts_that_mean_nothing_are_no_panic(text in "(\\{\\{\\$|\\}\\}|[\\[\\]{}'\"\\\\.$,:()&|!=<>?-]|inputs|true|in|0x|[0-9eu]|é|\\PC){0,40}") {
        let _ = cel::evaluate(&text, |_| Lookup::Unknown);
        let _ = cel::select(&text, &Value::Null);
        let _ = Value::from_json(&text);
        let _ = Structure::parse(&text);
        let joined: String = segments(&text)
            .map(|segment| match segment {
                Segment::Text(text) | Segment::Placeholder(_, text) => text,
            })
            .collect();
        prop_assert_eq!(joined, text);
    }
}

fn task_preimage() -> Vec<u8> {
    let mut key = KeyBuilder::new();
    key.container("image", &["a"], &["b"]);
    key.parameter("x", None, &Value::Int(1));
    key.preimage()
}
