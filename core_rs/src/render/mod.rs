//! What a leaf that runs now is given: its command line, environment, executor input and output files.
//!
//! Invariant: every text is resolved once, from left to right; what a value holds is never read as a placeholder,
//! but for those of the run's identity, which constants and defaults carry as values.

mod artifacts;
mod executor_input;
mod text;

use crate::message::Message;
use crate::messages::{EnvVar, Launch, LocalPath, OutputFile, Problem, RenderContext, Rendered, RunSettings};
use crate::placeholder::IdentityValues;
use crate::structure::Structure;
use crate::wire::WireError;

pub use text::DeclaredInputs;
use text::Resolver;

/// Renders a launch for one attempt. What cannot be resolved is listed in `problems`, and nothing of the rest is to be
/// used then.
pub fn render(launch: &Launch, context: &RenderContext) -> Rendered {
    match &context.settings {
        Some(settings) => render_in(settings, launch, context),
        None => render_in(&RunSettings::default(), launch, context),
    }
}

/// The same under the settings of a run that are held already: those of the context are not looked at.
pub fn render_in(settings: &RunSettings, launch: &Launch, context: &RenderContext) -> Rendered {
    let job_uuid = settings.run_id.to_string();
    let identity = IdentityValues {
        job_name: &settings.job_id,
        job_resource_name: &settings.resource_name,
        job_uuid: &job_uuid,
        task_name: &launch.name,
        task_uuid: &context.task_uuid,
        pipeline_root: &settings.pipeline_root,
        create_time_utc: &settings.create_time_utc,
        schedule_time_utc: &settings.schedule_time_utc,
        workspace_path: &settings.workspace_path,
    };
    let mut problems = Vec::new();
    let output_files = output_files(launch, context, &mut problems);
    let output_artifacts = artifacts::prepare(launch, context, &identity, &mut problems);
    let mut resolver = Resolver::new(launch, context, identity, &output_files, &output_artifacts, &mut problems);
    let rendered = Rendered {
        argv_command: arguments(&mut resolver, "command", &launch.command),
        argv_args: arguments(&mut resolver, "args", &launch.args),
        env: launch
            .env
            .iter()
            .map(|variable| EnvVar {
                name: variable.name.clone(),
                value: resolver.text(|| format!("env['{}']", variable.name), &variable.value),
            })
            .collect(),
        output_file: context.output_file.clone(),
        image: resolver.text(|| "image".to_owned(), &launch.image),
        resources: launch.resources.clone(),
        ..Rendered::default()
    };
    drop(resolver);
    let workspace = settings.workspace_path.as_str();
    let mut words = rendered.argv_command.iter().chain(&rendered.argv_args);
    let uses_workspace = !workspace.is_empty() && words.any(|word| word.contains(workspace));
    Rendered { output_files, output_artifacts, problems, uses_workspace, ..rendered }
}

/// The same from bytes to bytes, for the other side.
pub fn render_bytes(launch: &[u8], context: &[u8]) -> Result<Vec<u8>, WireError> {
    Ok(render(&Launch::decode(launch)?, &RenderContext::decode(context)?).encode())
}

/// A launch, and where its attempt writes: on this host, and as URIs name it.
pub struct PlacedLaunch<'a> {
    /// An encoded [`Launch`].
    pub launch: &'a [u8],
    /// What the URIs of its outputs begin with.
    pub outputs_uri: &'a str,
    /// The local view of it.
    pub outputs_dir: &'a str,
}

/// Renders the launches of one run, many at once.
pub struct Renderer {
    settings: RunSettings,
}

impl Renderer {
    /// Of the run with these `RunSettings`.
    ///
    /// # Errors
    /// The bytes are no such message.
    pub fn new(settings: &[u8]) -> Result<Self, WireError> {
        Ok(Renderer { settings: RunSettings::decode(settings)? })
    }

    /// `Rendered` for each of these attempts, in their order. `staged`: what has been fetched for them.
    ///
    /// # Errors
    /// The bytes are no such messages.
    pub fn render(&self, attempts: &[PlacedLaunch<'_>], staged: Vec<LocalPath>) -> Result<Vec<Vec<u8>>, WireError> {
        let mut context = RenderContext { are_uris_local: true, local_paths: staged, ..RenderContext::default() };
        let mut rendered = Vec::with_capacity(attempts.len());
        for attempt in attempts {
            let launch = Launch::decode(attempt.launch)?;
            context.task_uuid = format!("{}-{}", self.settings.run_id, launch.task_id);
            attempt.outputs_uri.clone_into(&mut context.outputs_uri);
            attempt.outputs_dir.clone_into(&mut context.outputs_dir);
            attempt.outputs_dir.clone_into(&mut context.parameters_dir);
            context.output_file = join(attempt.outputs_dir, "executor_output.json");
            rendered.push(render_in(&self.settings, &launch, &context).encode());
        }
        Ok(rendered)
    }
}

fn arguments(resolver: &mut Resolver<'_>, field: &str, texts: &[String]) -> Vec<String> {
    let mut out = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let field = || format!("{field}[{index}]");
        match Structure::parse(text) {
            None => out.push(resolver.text(field, text)),
            Some(structure) => {
                let parts = structure.arguments(&|input: &str| resolver.is_present(input));
                out.extend(parts.iter().map(|part| resolver.text(field, part)));
            }
        }
    }
    out
}

fn output_files(launch: &Launch, context: &RenderContext, problems: &mut Vec<Problem>) -> Vec<OutputFile> {
    let mut files = Vec::with_capacity(launch.output_parameters.len());
    for output in &launch.output_parameters {
        if !is_file_name(&output.name) {
            problems.push(Problem {
                field: format!("outputs.parameters['{}']", output.name),
                message: "the name of an output cannot be the name of a file".to_owned(),
            });
        }
        files.push(OutputFile {
            name: output.name.clone(),
            parameter_type: output.parameter_type.clone(),
            path: join(&context.parameters_dir, &output.name),
        });
    }
    files
}

/// True where a name stays in the folder that it is joined to.
fn is_file_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0']) && name.len() <= 255
}

fn join(folder: &str, name: &str) -> String {
    format!("{}/{name}", folder.trim_end_matches('/'))
}

#[cfg(test)]
mod tests;
