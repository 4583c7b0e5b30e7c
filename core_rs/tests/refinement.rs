//! For any pipeline, any change of it and any request: the run of a rerun refines its plan.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeMap;

use _core::messages::*;
use proptest::prelude::*;
use serde_json::{json, Value as Json};
use support::*;

#[derive(Debug, Clone)]
struct Shape {
    kind: u8,
    code: u8,
    upstream: Vec<prop::sample::Index>,
    items: Vec<u8>,
    runs_after_any_end: bool,
}

fn shape() -> impl Strategy<Value = Shape> {
    (
        0..6u8,
        0..3u8,
        prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        prop::collection::vec(0..3u8, 0..3),
        any::<bool>(),
    )
        .prop_map(|(kind, code, upstream, items, after)| Shape {
            kind,
            code,
            upstream,
            items,
            runs_after_any_end: after && code == 0,
        })
}

/// Task `t3` reads the outputs of earlier tasks by the inputs `a`, `b`; some are a condition around the leaf, some a
/// loop over constants or over what an earlier task lists, some a sub-pipeline of two.
fn spec_of(shapes: &[Option<Shape>]) -> Json {
    let mut list: Vec<(String, Json)> = Vec::new();
    let mut tasks = serde_json::Map::new();
    let mut earlier: Vec<String> = Vec::new();
    let inputs = [("a", "STRING?"), ("b", "STRING?"), ("item", "STRING?")];
    for (index, shape) in shapes.iter().enumerate() {
        let Some(shape) = shape else { continue };
        let name = format!("t{index}");
        let leaf_name = format!("comp-leaf-{index}");
        list.push((leaf_name.clone(), leaf(&format!("{index} code {}", shape.code), &inputs)));
        let mut parameters = serde_json::Map::new();
        for (slot, upstream) in ["a", "b"].iter().zip(&shape.upstream) {
            if !earlier.is_empty() {
                parameters.insert((*slot).to_owned(), json!(format!("from:{}", upstream.get(&earlier))));
            }
        }
        let has_a = parameters.contains_key("a");
        let mut task_spec = task(&leaf_name, Json::Object(parameters));
        if shape.kind >= 2 {
            let inner = json!({"a": "in:a", "b": "in:b", "item": "in:item"});
            let mut inside = json!({"work": task(&leaf_name, inner.clone())});
            if shape.kind == 5 {
                inside["more"] = task(&leaf_name, json!({"a": "from:work", "b": "in:b"}));
            }
            let dag_name = format!("comp-dag-{index}");
            list.push((
                dag_name.clone(),
                json!({
                    "dag": {
                        "tasks": inside,
                        "outputs": {"parameters": {"Output": {"valueFromParameter":
                            {"producerSubtask": "work", "outputParameterKey": "Output"}}}},
                    },
                    "inputDefinitions": {"parameters": declared(&inputs)},
                    "outputDefinitions": {"parameters": {"Output": {"parameterType": "STRING"}}},
                }),
            ));
            task_spec["componentRef"]["name"] = json!(dag_name);
        }
        match shape.kind {
            2 if has_a => {
                task_spec["triggerPolicy"] = json!({"condition": "inputs.parameter_values['a'] != 'x1'"});
            }
            3 => {
                task_spec["parameterIterator"] =
                    json!({"itemInput": "item", "items": {"raw": json!(shape.items).to_string()}});
            }
            4 if has_a => {
                task_spec["parameterIterator"] = json!({"itemInput": "item", "items": {"inputParameter": "a"}});
            }
            _ => {}
        }
        if shape.runs_after_any_end {
            task_spec["triggerPolicy"]["strategy"] = json!("ALL_UPSTREAM_TASKS_COMPLETED");
        }
        tasks.insert(name.clone(), task_spec);
        earlier.push(name);
    }
    let list: Vec<(&str, Json)> = list.iter().map(|(name, component)| (name.as_str(), component.clone())).collect();
    pipeline(components(&list), Json::Object(tasks))
}

/// Answers that depend on the task, its code and inputs, and on `seed`; sometimes a list, sometimes a failure.
fn answer(seed: u64, failures: u64) -> impl FnMut(&Launch) -> LeafEnded {
    move |launch| {
        let mut hash = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xcbf2_9ce4_8422_2325;
        for byte in launch.path.bytes().chain(launch.args.concat().bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        hash ^= hash >> 29;
        if failures > 0 && hash % 7 < failures {
            return fail(launch);
        }
        match (hash >> 8) % 4 {
            0 => leave(launch, json!("x1")),
            1 => leave(launch, json!("[\"p\", \"q\"]")),
            2 => leave(launch, json!("[\"q\"]")),
            _ => leave(launch, json!("x0")),
        }
    }
}

#[derive(Debug, Clone)]
struct Ask {
    task: prop::sample::Index,
    kind: u8,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_run_of_a_rerun_refines_its_plan(
        shapes in prop::collection::vec(shape(), 1..8),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..3u8), 0..3),
        asks in prop::collection::vec((any::<prop::sample::Index>(), 0..5u8).prop_map(|(task, kind)| Ask { task, kind }), 0..4),
        seeds in (0..4u64, 0..4u64, 0..3u64, 0..3u64),
        is_sdk in any::<bool>(),
    ) {
        let original: Vec<Option<Shape>> = shapes.iter().cloned().map(Some).collect();
        let spec = spec_of(&original);
        let first = run(&request(&spec, json!({})), answer(seeds.0, seeds.2));
        let mut changed = original.clone();
        for (index, kind) in &changes {
            let at = index.index(changed.len());
            match (kind, &mut changed[at]) {
                (0, Some(shape)) => shape.code += 1,
                (1, slot) => *slot = None,
                (2, Some(shape)) => shape.items.reverse(),
                _ => {}
            }
        }
        let changed = spec_of(&changed);
        let mut request = first.rerun(&changed);
        let mut named: BTreeMap<i64, Config> = BTreeMap::new();
        for ask in &asks {
            let record = first.records.values().nth(ask.task.index(first.records.len())).unwrap();
            let mut config = config(&first, &record.path);
            match ask.kind {
                0 => config.skip_task = true,
                1 => (config.skip_task, config.skip_downstream_tasks) = (true, true),
                2 => config.skip_downstream_tasks = true,
                3 => {
                    config.has_inputs = true;
                    if !matches!(record.kind, Kind::Iteration) {
                        config.input_parameters = given(json!({"b": "x7"}));
                    }
                }
                _ => {}
            }
            named.insert(record.task_id, config);
        }
        let named: Vec<Config> = named.into_values().collect();
        request.configs = if is_sdk { sdk_configs(&first, &named) } else { named };
        if problems(&request).is_empty() {
            let (_, second) = rerun(&request, answer(seeds.1, seeds.3));
            // And a rerun of the rerun, as the SDK sends it.
            let mut again = second.rerun(&changed);
            again.configs = sdk_configs(&second, &[]);
            if problems(&again).is_empty() {
                rerun(&again, answer(seeds.0, 0));
            }
        }
    }
}
