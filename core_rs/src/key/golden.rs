//! The vectors that every implementation of the encoding is held against.

use super::*;
use crate::value::hex;

fn text<'a>(case: &'a Value, field: &str) -> Option<&'a str> {
    case.get(field).map(|value| value.as_str().unwrap())
}

fn texts(case: &Value, field: &str) -> Vec<String> {
    let items = case.get(field).and_then(Value::as_list).unwrap_or(&[]);
    items.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

fn members<'a>(case: &'a Value, field: &str) -> Vec<(&'a str, &'a Value)> {
    let members = case.get(field).and_then(Value::as_object);
    members.into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect()
}

fn build(case: &Value) -> KeyBuilder {
    let mut key = KeyBuilder::new();
    key.salt(text(case, "salt").unwrap_or(""));
    for (name, declared) in members(case, "output_parameters") {
        key.output_parameter(name, ParameterType::from_name(declared.as_str().unwrap()).unwrap());
    }
    for (name, output) in members(case, "output_artifacts") {
        let output = output.as_list().unwrap();
        key.output_artifact(name, output[1].as_str().unwrap(), output[0].as_bool().unwrap());
    }
    for (name, typed) in members(case, "parameters") {
        match typed.as_list() {
            None => key.unknown_parameter(name),
            Some(typed) => key.parameter(name, ParameterType::from_name(typed[0].as_str().unwrap()), &typed[1]),
        }
    }
    for (name, input) in members(case, "artifacts") {
        let input = input.as_list().unwrap();
        let artifacts: Vec<KeyArtifact<'_>> = input[1]
            .as_list()
            .unwrap()
            .iter()
            .map(|artifact| {
                let artifact = artifact.as_list().unwrap();
                KeyArtifact {
                    schema_title: artifact[0].as_str().unwrap(),
                    digest: artifact[1].as_str().unwrap(),
                    uri: artifact[2].as_str().unwrap(),
                    is_location_named: artifact[3].as_bool().unwrap(),
                    author_metadata: Some(&artifact[4]).filter(|metadata| !metadata.is_null()),
                }
            })
            .collect();
        key.artifacts(name, input[0].as_bool().unwrap(), &artifacts);
    }
    for (name, value) in members(case, "env") {
        key.env(name, value.as_str().unwrap());
    }
    if let Some(image) = text(case, "image") {
        key.container(image, &texts(case, "command"), &texts(case, "args"));
    }
    if let Some(uri) = text(case, "uri") {
        key.importer(Some(uri), case.get("metadata"), text(case, "content"));
    }
    key.cache_key(text(case, "cache_key").unwrap_or(""));
    key
}

#[test]
fn keys_are_those_of_the_golden_vectors() {
    let vectors = Value::from_json(include_str!("../../../tests/golden/cache_key.json")).unwrap();
    let vectors = vectors.as_list().unwrap();
    assert!(vectors.len() >= 8);
    for vector in vectors {
        let case = vector.get("case").unwrap();
        let name = text(case, "name").unwrap();
        let mut key = build(case);
        assert_eq!(hex(&key.preimage()), text(vector, "preimage").unwrap(), "{name}");
        assert_eq!(hex(&key.digest()), text(vector, "key").unwrap(), "{name}");
        assert_eq!(key.is_complete(), name != "partial");
    }
}
