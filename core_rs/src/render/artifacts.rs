//! Artifacts as a component sees them, and those that it is to make.

use super::{is_file_name, join};
use crate::messages::{Artifact, Launch, PreparedArtifact, Problem, RenderContext};
use crate::placeholder::{resolve_identities, IdentityValues};
use crate::value::Value;

/// One artifact prepared for each declared output.
pub(super) fn prepare(
    launch: &Launch,
    context: &RenderContext,
    identity: &IdentityValues<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<PreparedArtifact> {
    let mut prepared = Vec::with_capacity(launch.output_artifacts.len());
    for output in &launch.output_artifacts {
        let field = || format!("outputs.artifacts['{}']", output.name);
        if !is_file_name(&output.name) {
            problems.push(Problem {
                field: field(),
                message: "the name of an output cannot be the name of a file".to_owned(),
            });
        }
        let metadata = metadata(&output.metadata_json).map(|metadata| resolve_identities(&metadata, identity));
        if metadata.is_none() {
            problems.push(Problem { field: field(), message: "the declared metadata is no JSON object".to_owned() });
        }
        prepared.push(PreparedArtifact {
            name: output.name.clone(),
            artifact: Some(Artifact {
                uri: join(&context.outputs_uri, &output.name),
                schema_title: output.schema_title.clone(),
                schema_version: output.schema_version.clone(),
                instance_schema: output.instance_schema.clone(),
                metadata_json: metadata.unwrap_or_default().to_json(),
                ..Artifact::default()
            }),
            path: join(&context.outputs_dir, &output.name),
        });
    }
    prepared
}

/// The metadata of an artifact; no text is no metadata, `None`: it is no JSON object.
pub(super) fn metadata(json: &str) -> Option<Value> {
    if json.is_empty() {
        return Some(Value::Object(Default::default()));
    }
    Value::from_json(json).ok().filter(|value| value.as_object().is_some())
}

/// Where the process finds an input artifact: where the server put it, or where its URI says.
pub(super) fn local_path(uri: &str, context: &RenderContext) -> String {
    if let Some(local) = context.local_paths.iter().find(|local| local.uri == uri) {
        return local.path.clone();
    }
    // The prefixes under which components themselves look for what lies in these stores.
    for (scheme, folder) in
        [("file://", ""), ("gs://", "/gcs/"), ("s3://", "/s3/"), ("minio://", "/minio/"), ("oci://", "/oci/")]
    {
        if let Some(rest) = uri.strip_prefix(scheme) {
            return format!("{folder}{rest}");
        }
    }
    uri.to_owned()
}

/// One artifact as a component gets it (a RuntimeArtifact in JSON); `uri` is the one to be shown.
pub(super) fn runtime_artifact(artifact: &Artifact, name: &str, uri: &str) -> Value {
    let text = |text: &str| Value::String(text.to_owned());
    let mut schema = std::collections::BTreeMap::new();
    let fields = [
        ("schemaTitle", &artifact.schema_title),
        ("schemaVersion", &artifact.schema_version),
        ("instanceSchema", &artifact.instance_schema),
    ];
    for (key, value) in fields {
        if !value.is_empty() {
            schema.insert(key.to_owned(), text(value));
        }
    }
    Value::Object(
        [
            ("name".to_owned(), text(name)),
            ("uri".to_owned(), text(uri)),
            ("type".to_owned(), Value::Object(schema)),
            ("metadata".to_owned(), metadata(&artifact.metadata_json).unwrap_or_default()),
        ]
        .into(),
    )
}
