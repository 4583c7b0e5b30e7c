//! The executor input: the message in which a component finds its inputs and where its outputs go.

use std::collections::BTreeMap;

use super::artifacts::{local_path, runtime_artifact};
use crate::messages::{Artifact, Launch, OutputFile, PreparedArtifact, RenderContext};
use crate::value::Value;

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.map(|(key, value)| (key.to_owned(), value)).into())
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// The message as JSON. Whole numbers are written as integers, absent inputs are left out.
pub(super) fn executor_input(
    parameters: &BTreeMap<String, Value>,
    launch: &Launch,
    context: &RenderContext,
    output_files: &[OutputFile],
    output_artifacts: &[PreparedArtifact],
) -> Value {
    let input_artifacts = launch.inputs.iter().flat_map(|inputs| &inputs.artifacts).map(|input| {
        let artifacts = input.artifacts.iter().map(|artifact| shown(artifact, context)).collect();
        (input.name.clone(), object([("artifacts", Value::List(artifacts))]))
    });
    let output_parameters =
        output_files.iter().map(|file| (file.name.clone(), object([("outputFile", text(&file.path))])));
    let made_artifacts = output_artifacts.iter().map(|output| {
        let artifact = output.artifact.as_ref().map(|artifact| {
            let uri = if context.are_uris_local { &output.path } else { &artifact.uri };
            runtime_artifact(artifact, &output.name, uri)
        });
        (output.name.clone(), object([("artifacts", Value::List(artifact.into_iter().collect()))]))
    });
    object([
        (
            "inputs",
            object([
                ("parameterValues", Value::Object(parameters.clone())),
                ("artifacts", Value::Object(input_artifacts.collect())),
            ]),
        ),
        (
            "outputs",
            object([
                ("parameters", Value::Object(output_parameters.collect())),
                ("artifacts", Value::Object(made_artifacts.collect())),
                ("outputFile", text(&context.output_file)),
            ]),
        ),
    ])
}

/// An input artifact as the component sees it.
pub(super) fn shown(artifact: &Artifact, context: &RenderContext) -> Value {
    let name = if artifact.output_name.is_empty() { &artifact.name } else { &artifact.output_name };
    runtime_artifact(artifact, name, &shown_uri(artifact, context))
}

/// The URI of an input artifact as the component sees it.
pub(super) fn shown_uri(artifact: &Artifact, context: &RenderContext) -> String {
    if context.are_uris_local {
        return local_path(&artifact.uri, context);
    }
    artifact.uri.clone()
}
