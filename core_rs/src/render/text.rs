//! Resolves the placeholders in the texts of one launch.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::artifacts::{local_path, metadata, runtime_artifact};
use super::executor_input::{executor_input, shown, shown_uri};
use crate::message::{message, Message};
use crate::messages::{ArtifactList, Launch, OutputFile, OutputParameter, PreparedArtifact, Problem, RenderContext};
use crate::placeholder::{resolve_identities, segments, ArtifactPart, IdentityValues, Placeholder, Segment};
use crate::value::Value;

message! {
    /// What `Launch.input_types` holds: the inputs that the component declares, so that one that is absent can be told
    /// from a text that only looks like a placeholder.
    DeclaredInputs {
        /// Declared parameters with their types.
        parameters: Vec<OutputParameter> = 1,
        /// Names of declared artifacts.
        artifacts: Vec<String> = 2,
    }
}

/// Knows everything that a placeholder of one launch can name.
pub(super) struct Resolver<'a> {
    launch: &'a Launch,
    context: &'a RenderContext,
    identity: IdentityValues<'a>,
    parameters: BTreeMap<String, Value>,
    artifacts: BTreeMap<&'a str, &'a ArtifactList>,
    /// Read for the first text that names an input without a value.
    declared: OnceCell<DeclaredInputs>,
    output_files: &'a [OutputFile],
    output_artifacts: &'a [PreparedArtifact],
    /// Made for the first text that asks for it.
    executor_input: OnceCell<String>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(
        launch: &'a Launch,
        context: &'a RenderContext,
        identity: IdentityValues<'a>,
        output_files: &'a [OutputFile],
        output_artifacts: &'a [PreparedArtifact],
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        let mut parameters = BTreeMap::new();
        let mut artifacts = BTreeMap::new();
        for parameter in launch.inputs.iter().flat_map(|inputs| &inputs.parameters) {
            match Value::from_json(&parameter.json) {
                Ok(Value::Null) => {}
                Ok(value) => {
                    parameters.insert(parameter.name.clone(), resolve_identities(&value, &identity));
                }
                Err(error) => problems.push(Problem {
                    field: format!("inputs.parameters['{}']", parameter.name),
                    message: format!("the value is no JSON: {error}"),
                }),
            }
        }
        for input in launch.inputs.iter().flat_map(|inputs| &inputs.artifacts) {
            artifacts.insert(input.name.as_str(), input);
        }
        Resolver {
            launch,
            context,
            identity,
            parameters,
            artifacts,
            declared: OnceCell::new(),
            output_files,
            output_artifacts,
            executor_input: OnceCell::new(),
            problems,
        }
    }

    fn declared(&self) -> &DeclaredInputs {
        self.declared.get_or_init(|| DeclaredInputs::decode(&self.launch.input_types).unwrap_or_default())
    }

    fn executor_input_json(&self) -> &str {
        self.executor_input.get_or_init(|| {
            let (files, artifacts) = (self.output_files, self.output_artifacts);
            executor_input(&self.parameters, self.launch, self.context, files, artifacts).to_json()
        })
    }

    /// True where the input has a value: a default counts, null does not.
    pub(super) fn is_present(&self, input: &str) -> bool {
        self.parameters.contains_key(input) || self.artifacts.contains_key(input)
    }

    /// The text with its placeholders resolved. What cannot be is reported, with `field` to say where.
    pub(super) fn text(&mut self, field: impl Fn() -> String, text: &str) -> String {
        if !text.contains("{{$") {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        for segment in segments(text) {
            match segment {
                Segment::Text(text) => out.push_str(text),
                Segment::Placeholder(placeholder, written) => match self.placeholder(&placeholder) {
                    Ok(Some(resolved)) => out.push_str(&resolved),
                    Ok(None) => out.push_str(written),
                    Err(message) => {
                        self.problems.push(Problem { field: field(), message: format!("{written}: {message}") })
                    }
                },
            }
        }
        out
    }

    /// `Ok(None)`: the placeholder names nothing of this task, so it is text.
    fn placeholder(&self, placeholder: &Placeholder<'_>) -> Result<Option<String>, String> {
        match *placeholder {
            Placeholder::ExecutorInput => Ok(Some(self.executor_input_json().to_owned())),
            Placeholder::OutputFile => Ok(Some(self.context.output_file.clone())),
            Placeholder::Identity(identity) => Ok(Some(self.identity.get(identity).to_owned())),
            Placeholder::InputParameter(name) => match self.parameters.get(name) {
                Some(value) => Ok(Some(value.to_text())),
                None => absent(self.declared().parameters.iter().any(|declared| declared.name == name)),
            },
            Placeholder::OutputParameterFile(name) => {
                Ok(self.output_files.iter().find(|file| file.name == name).map(|file| file.path.clone()))
            }
            Placeholder::InputArtifact(name, part) => match self.artifacts.get(name) {
                Some(artifacts) => self.input_artifact(artifacts, part).map(Some),
                None => absent(self.declared().artifacts.iter().any(|declared| declared == name)),
            },
            Placeholder::OutputArtifact(name, part) => {
                let Some(output) = self.output_artifacts.iter().find(|output| output.name == name) else {
                    return Ok(None);
                };
                self.output_artifact(output, part).map(Some)
            }
        }
    }

    fn input_artifact(&self, input: &ArtifactList, part: ArtifactPart<'_>) -> Result<String, String> {
        if part == ArtifactPart::Whole && input.is_list {
            let all = input.artifacts.iter().map(|artifact| shown(artifact, self.context)).collect();
            return Ok(Value::List(all).to_json());
        }
        let artifact = input.artifacts.first().ok_or("the list of artifacts is empty")?;
        match part {
            ArtifactPart::Path => Ok(local_path(&artifact.uri, self.context)),
            ArtifactPart::Name => Ok(artifact.name.clone()),
            ArtifactPart::Metadata | ArtifactPart::MetadataKey(_) => metadata_text(&artifact.metadata_json, part),
            ArtifactPart::Uri => Ok(named_uri(&artifact.uri, || shown_uri(artifact, self.context))),
            ArtifactPart::Whole => Ok(shown(artifact, self.context).to_json()),
        }
    }

    fn output_artifact(&self, output: &PreparedArtifact, part: ArtifactPart<'_>) -> Result<String, String> {
        let artifact = output.artifact.as_ref().ok_or("the artifact was not prepared")?;
        let uri = if self.context.are_uris_local { &output.path } else { &artifact.uri };
        match part {
            ArtifactPart::Whole => Ok(runtime_artifact(artifact, &output.name, uri).to_json()),
            ArtifactPart::Uri => Ok(named_uri(&artifact.uri, || uri.clone())),
            ArtifactPart::Path => Ok(output.path.clone()),
            ArtifactPart::Name => Ok(output.name.clone()),
            ArtifactPart::Metadata | ArtifactPart::MetadataKey(_) => metadata_text(&artifact.metadata_json, part),
        }
    }
}

/// What a text that asks for the URI gets: who reads an object store by himself is given its URI, and can have the path
/// by asking for that. The executor input has one field for both, and shows the path there.
fn named_uri(uri: &str, shown: impl FnOnce() -> String) -> String {
    let is_on_this_host = uri.split_once("://").is_none_or(|(scheme, _)| scheme == "file");
    if is_on_this_host {
        shown()
    } else {
        uri.to_owned()
    }
}

fn absent(is_declared: bool) -> Result<Option<String>, String> {
    if is_declared {
        return Err("the input is absent (an optional input can be guarded with IfPresent)".to_owned());
    }
    Ok(None)
}

fn metadata_text(json: &str, part: ArtifactPart<'_>) -> Result<String, String> {
    let metadata = metadata(json).ok_or("the artifact's metadata is no JSON object")?;
    match part {
        ArtifactPart::MetadataKey(key) => match metadata.get(key) {
            Some(value) => Ok(value.to_text()),
            None => Err(format!("the artifact's metadata has no {key:?}")),
        },
        _ => Ok(metadata.to_json()),
    }
}
