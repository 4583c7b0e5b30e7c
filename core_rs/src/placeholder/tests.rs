use super::*;
use crate::cel::Lookup;
use crate::value::Value;

fn only(text: &str) -> Option<Placeholder<'_>> {
    match segments(text).collect::<Vec<_>>().as_slice() {
        [Segment::Placeholder(placeholder, written)] if *written == text => Some(placeholder.clone()),
        _ => None,
    }
}

#[test]
fn every_form_is_known() {
    for (text, expected) in [
        ("{{$}}", Placeholder::ExecutorInput),
        ("{{$.outputs.output_file}}", Placeholder::OutputFile),
        ("{{$.outputMetadataUri}}", Placeholder::OutputFile),
        ("{{$.inputs.parameters['a.b c']}}", Placeholder::InputParameter("a.b c")),
        ("{{$.inputs.parameters[''a'']}}", Placeholder::InputParameter("a")),
        ("{{$.inputs.parameters[\"a\"]}}", Placeholder::InputParameter("a")),
        ("{{$.outputs.parameters['a'].output_file}}", Placeholder::OutputParameterFile("a")),
        ("{{$.inputs.artifacts['a']}}", Placeholder::InputArtifact("a", ArtifactPart::Whole)),
        ("{{$.inputs.artifacts['a'].uri}}", Placeholder::InputArtifact("a", ArtifactPart::Uri)),
        ("{{$.inputs.artifacts['a'].metadata['k']}}", Placeholder::InputArtifact("a", ArtifactPart::MetadataKey("k"))),
        ("{{$.outputs.artifacts['a'].path}}", Placeholder::OutputArtifact("a", ArtifactPart::Path)),
        ("{{$.outputs.artifacts['a'].metadata}}", Placeholder::OutputArtifact("a", ArtifactPart::Metadata)),
    ] {
        assert_eq!(only(text), Some(expected), "{text}");
    }
    for identity in Identity::ALL {
        assert_eq!(only(&format!("{{{{$.{}}}}}", identity.name())), Some(Placeholder::Identity(identity)));
    }
}

#[test]
fn a_text_is_cut_without_loss() {
    for text in [
        "",
        "plain",
        "{{$",
        "{{$}}{{$}}",
        "a{{$.inputs.parameters['x']}}b{{$.nonsense}}c{{$.inputs.parameters['y']}}",
        "{{$.inputs.parameters['x'].more}}",
        "{{$.inputs.parameters[x]}} {{$ }} {{ $}} {{$.inputs.parameters['']}}",
        "{{$ {{$}} }}",
        "é{{$.pipeline_root}}é",
    ] {
        let joined: String = segments(text)
            .map(|segment| match segment {
                Segment::Text(text) | Segment::Placeholder(_, text) => text,
            })
            .collect();
        assert_eq!(joined, text);
    }
    assert_eq!(segments("{{$ {{$}} }}").filter(|s| matches!(s, Segment::Placeholder(..))).count(), 1);
}

#[test]
fn beginnings_without_ends_take_no_quadratic_time() {
    assert_eq!(segments(&"{{$.".repeat(1_000_000)).count(), 1);
}

#[test]
fn constants_take_in_other_inputs_but_keep_the_runs_identity() {
    let five = Value::Int(5);
    let name = Value::String("\"quoted\"".to_owned());
    let list = Value::from_json("[1, true]").unwrap();
    let lookup = |input: &str| match input {
        "five" => Lookup::Known(&five),
        "name" => Lookup::Known(&name),
        "list" => Lookup::Known(&list),
        "later" => Lookup::Unknown,
        _ => Lookup::Absent,
    };
    let resolve = |json: &str| {
        resolve_constant(&Value::from_json(json).unwrap(), &lookup).map(|value| value.map(|value| value.to_json()))
    };
    for (constant, expected) in [
        ("\"plain\"", "\"plain\""),
        ("\"a {{$.inputs.parameters['name']}}!\"", "\"a \\\"quoted\\\"!\""),
        ("[{\"n\": \"{{$.inputs.parameters['five']}}\"}]", "[{\"n\":5}]"),
        ("\"{{$.inputs.parameters['five']}}-{{$.inputs.parameters['list']}}\"", "\"5-[1,true]\""),
        ("{\"{{$.inputs.parameters['five']}}\": 1}", "{\"5\":1}"),
        ("\"{{$.pipeline_job_name}}/{{$.inputs.parameters['five']}}\"", "\"{{$.pipeline_job_name}}/5\""),
        ("\"{{$.inputs.parameters['gone']}}\"", "null"),
    ] {
        assert_eq!(resolve(constant), Ok(Some(expected.to_owned())), "{constant}");
    }
    assert_eq!(resolve("[\"{{$.inputs.parameters['later']}}\"]"), Ok(None));
    assert_eq!(
        resolve("\"x{{$.inputs.parameters['gone']}}\"").unwrap_err().to_string(),
        "the constant holds the input gone, which is absent"
    );
}

#[test]
fn what_an_input_holds_is_not_resolved_again() {
    let tricky = Value::String("{{$.inputs.parameters['tricky']}}".to_owned());
    let constant = Value::String("a {{$.inputs.parameters['tricky']}}".to_owned());
    assert_eq!(
        resolve_constant(&constant, &|_: &str| Lookup::Known(&tricky)),
        Ok(Some(Value::String("a {{$.inputs.parameters['tricky']}}".to_owned())))
    );
}

#[test]
fn identities_are_found_and_resolved_in_values() {
    let value =
        Value::from_json("{\"a\": [\"{{$.pipeline_root}}/x\", 1], \"b\": \"{{$.pipeline_job_uuid}}\"}").unwrap();
    let mut found = BTreeSet::new();
    identities_in_value(&value, &mut found);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [Identity::PipelineJobUuid, Identity::PipelineRoot]);
    let values = IdentityValues { job_uuid: "7", pipeline_root: "/root", ..Default::default() };
    assert_eq!(resolve_identities(&value, &values).to_json(), "{\"a\":[\"/root/x\",1],\"b\":\"7\"}");
}

#[test]
fn artifacts_whose_location_is_named_are_found_in_structures_too() {
    let texts = [
        "{{$}} {{$.inputs.artifacts['no'].metadata['k']}}",
        "--x={{$.inputs.artifacts['a'].uri}}",
        "{\"IfPresent\": {\"InputName\": \"b\", \"Then\": [\"{{$.inputs.artifacts['b'].path}}\"]}}",
        "{\"Concat\": [\"{{$.inputs.artifacts['c']}}\"]}",
    ];
    assert_eq!(located_artifacts(texts).into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert!(names_uri_or_path(texts, "a"));
    assert!(!names_uri_or_path(texts, "no"));
}
