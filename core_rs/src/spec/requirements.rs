//! What a spec asks of its host that not every host has: Google Cloud's services, accelerators.

use crate::messages::Requirement;
use crate::spec::{Container, Executor, ExecutorBody, Spec};

/// Placeholders whose values only Google Cloud has, by their beginning.
const FOREIGN_PLACEHOLDERS: [&str; 8] = [
    "{{$.pipeline_google_cloud_project_id",
    "{{$.pipeline_google_cloud_location",
    "{{$.pipeline_service_account",
    "{{$.pipeline_network",
    "{{$.pipeline_persistent_resource_id",
    "{{$.default_encryption_spec_kms_key_name",
    "{{$.pipeline_encryption_spec_kms_key_name",
    "{{$.json_escape",
];

const FOREIGN_IMAGES: [&str; 2] = ["gcr.io/ml-pipeline/", "us-docker.pkg.dev/vertex-ai/"];

/// What the tasks of a spec require, each with its path (without iterations), in the order of the tasks.
pub fn requirements(spec: &Spec) -> Vec<Requirement> {
    let wanted: Vec<Vec<String>> = spec.executors.iter().map(constructs).collect();
    let mut found = Vec::new();
    if wanted.iter().all(Vec::is_empty) {
        return found;
    }
    let mut stack = vec![(spec.root, String::new())];
    while let Some((component, prefix)) = stack.pop() {
        let component = spec.component(component);
        if let crate::spec::Body::Executor(executor) = component.body {
            let label = spec.executor(executor).map_or("", |executor| &executor.label);
            for construct in wanted.get(executor as usize).into_iter().flatten() {
                found.push(Requirement {
                    path: prefix.clone(),
                    executor: label.to_owned(),
                    construct: construct.clone(),
                });
            }
        }
        let Some(dag) = component.dag() else { continue };
        for task in dag.tasks.iter().rev() {
            let dot = if prefix.is_empty() { "" } else { "." };
            stack.push((task.component, format!("{prefix}{dot}{}", task.name)));
        }
        if found.len() >= crate::spec::problems::MAX_PROBLEMS {
            break;
        }
    }
    found
}

/// True where some executor asks for something that not every host has.
pub fn any(executors: &[Executor]) -> bool {
    executors.iter().any(|executor| !constructs(executor).is_empty())
}

fn constructs(executor: &Executor) -> Vec<String> {
    match &executor.body {
        ExecutorBody::Foreign(name) => vec![name.to_string()],
        ExecutorBody::Importer(_) => Vec::new(),
        ExecutorBody::Container(container) => of_container(container),
    }
}

fn of_container(container: &Container) -> Vec<String> {
    let mut found = Vec::new();
    for prefix in FOREIGN_IMAGES {
        if container.image.strip_prefix("https://").unwrap_or(&container.image).starts_with(prefix) {
            found.push(format!("image under {prefix}"));
        }
    }
    let texts = || {
        let env = container.env.iter().map(|(_, value)| value);
        std::iter::once(&container.image).chain(&container.command).chain(&container.args).chain(env)
    };
    let joined = container.command.join(" ");
    if joined.contains("-m google_cloud_pipeline_components.") {
        found.push("command of google_cloud_pipeline_components".to_owned());
    }
    for placeholder in FOREIGN_PLACEHOLDERS {
        if texts().any(|text| text.contains(placeholder)) {
            found.push(format!("placeholder {placeholder}}}}}"));
        }
    }
    if let Some(resources) = &container.resources {
        // One that an input decides is known when the task starts, and asked for then.
        let (kind, count) = (resources.accelerator_type.trim(), resources.accelerator_count.trim());
        let is_constant = !kind.contains("{{") && !count.contains("{{");
        if is_constant && !kind.is_empty() && !matches!(count, "0" | "0.0") {
            found.push("accelerator".to_owned());
        }
    }
    found
}
