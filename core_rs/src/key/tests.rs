use super::*;

fn json(text: &str) -> Value {
    Value::from_json(text).unwrap()
}

#[test]
fn the_order_in_which_fields_are_given_does_not_matter() {
    let mut one = KeyBuilder::new();
    one.output_parameter("Output", ParameterType::String);
    one.parameter("b", None, &json("1"));
    one.parameter("a", None, &json("{\"y\":1,\"x\":2.0}"));
    one.container("image", &["sh"], &["x"]);
    one.env("B", "2");
    one.env("A", "1");
    let mut two = KeyBuilder::new();
    two.container("image", &["sh"], &["x"]);
    two.env("A", "1");
    two.env("B", "2");
    two.parameter("a", None, &json("{\"x\":2,\"y\":1.0}"));
    two.parameter("b", None, &json("1"));
    two.output_parameter("Output", ParameterType::String);
    assert_eq!(one.preimage(), two.preimage());
    assert_eq!(one.digest(), digest(&one.preimage()));
    assert_eq!(one.preimage(), two.preimage(), "asking again changes nothing");
}

#[test]
fn a_field_that_comes_twice_counts_once() {
    let mut key = KeyBuilder::new();
    key.parameter("a", None, &json("1"));
    key.parameter("a", None, &json("2"));
    let mut only = KeyBuilder::new();
    only.parameter("a", None, &json("2"));
    assert_eq!(key.preimage(), only.preimage());
}

#[test]
fn command_and_args_are_kept_apart() {
    let key = |command: &[&str], args: &[&str]| {
        let mut key = KeyBuilder::new();
        key.container("image", command, args);
        key.digest()
    };
    assert_ne!(key(&["a", "b"], &[]), key(&["a"], &["b"]));
    assert_ne!(key(&["ab"], &[]), key(&["a", "b"], &[]));
}

#[test]
fn numbers_differ_by_value_and_declared_type_only() {
    let key = |declared, text: &str| {
        let mut key = KeyBuilder::new();
        key.parameter("x", Some(declared), &json(text));
        key.digest()
    };
    use ParameterType::{NumberDouble, NumberInteger, String};
    assert_eq!(key(NumberInteger, "1"), key(NumberInteger, "1.0"));
    assert_ne!(key(NumberInteger, "1"), key(NumberDouble, "1.0"));
    assert_ne!(key(NumberInteger, "9007199254740993"), key(NumberInteger, "9007199254740992"));
    assert_ne!(key(String, "\"1\""), key(NumberInteger, "1"));
}

#[test]
fn the_location_of_an_artifact_counts_only_where_it_must() {
    let key = |artifact: KeyArtifact<'_>| {
        let mut key = KeyBuilder::new();
        key.artifacts("in", false, &[artifact]);
        key.digest()
    };
    let here = KeyArtifact { schema_title: "system.Model", digest: "sha256:1", uri: "/a", ..Default::default() };
    let there = KeyArtifact { uri: "/b", ..here };
    assert_eq!(key(here), key(there));
    assert_ne!(
        key(KeyArtifact { is_location_named: true, ..here }),
        key(KeyArtifact { is_location_named: true, ..there })
    );
    assert_ne!(key(KeyArtifact { digest: "", ..here }), key(KeyArtifact { digest: "", ..there }));
    let metadata = json("{\"a\":1}");
    assert_ne!(key(here), key(KeyArtifact { author_metadata: Some(&metadata), ..here }));
}

#[test]
fn an_authors_key_replaces_code_and_inputs() {
    let key = |image: &str, output: &str| {
        let mut key = KeyBuilder::new();
        key.container(image, &["sh"], &[]);
        key.unknown_parameter(image);
        key.cache_key("mine");
        key.output_parameter(output, ParameterType::String);
        assert!(key.is_complete());
        key.digest()
    };
    assert_eq!(key("one", "Output"), key("two", "Output"));
    assert_ne!(key("one", "Output"), key("one", "other"));
}

#[test]
fn a_prepared_component_gives_the_same_key() {
    let fill_component = |key: &mut KeyBuilder| {
        key.output_parameter("Output", ParameterType::String);
        key.output_artifact("model", "system.Model", false);
        key.env("B", "2");
        key.env("A", "1");
        key.container("image", &["sh".to_owned(), "x".repeat(1000)], &["a".to_owned()]);
    };
    let fill_task = |key: &mut KeyBuilder| {
        key.salt("salt");
        key.parameter("p", None, &json("1"));
        key.unknown_artifacts("q");
    };
    let mut single = KeyBuilder::new();
    fill_component(&mut single);
    let component = single.component_key();
    fill_task(&mut single);
    let mut prepared = KeyBuilder::new();
    fill_task(&mut prepared);
    prepared.component(&component);
    assert_eq!(prepared.preimage(), single.preimage());
    prepared.cache_key("mine");
    single.cache_key("mine");
    assert_eq!(prepared.preimage(), single.preimage());
}

#[test]
fn a_key_with_unknown_fields_is_not_complete() {
    let mut key = KeyBuilder::new();
    key.parameter("a", None, &json("1"));
    assert!(key.is_complete());
    key.unknown_artifacts("b");
    assert!(!key.is_complete());
    key.clear();
    assert!(key.is_complete());
}

#[test]
fn the_cross_run_key_adds_the_runs_identity_only_where_it_is_used() {
    let key = [7; 32];
    assert_eq!(cross_run_key(&key, &[]), key);
    let one = cross_run_key(&key, &[("a", "1"), ("b", "2")]);
    assert_eq!(one, cross_run_key(&key, &[("b", "2"), ("a", "1")]));
    assert_ne!(one, cross_run_key(&key, &[("a", "1"), ("b", "3")]));
}

#[test]
fn sections_are_ordered_like_their_paths() {
    let paths: Vec<String> = Section::ALL.iter().map(|section| section.path("")).collect();
    let mut sorted = paths.clone();
    sorted.sort();
    assert_eq!(paths, sorted);
    for section in Section::ALL {
        assert_eq!(Section::from_number(section as u8), Some(section));
    }
}
