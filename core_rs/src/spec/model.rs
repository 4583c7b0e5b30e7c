//! The pipeline as the machine needs it: components once, however often they are used, names resolved to indices.
//!
//! Invariant: every index in a [`Spec`] is within its list, every DAG's tasks are in topological order (an upstream
//! task has the smaller index), and no component contains itself.

use std::sync::Arc;

use crate::parameter::ParameterType;
use crate::spec::Lists;
use crate::value::Value;

/// A compiled pipeline.
#[derive(Debug, Default)]
pub struct Spec {
    /// `pipelineInfo.name`.
    pub pipeline_name: String,
    /// `schemaVersion`, e.g. 2.1.0.
    pub schema_version: String,
    /// `defaultPipelineRoot`.
    pub default_root: String,
    /// All components that the root reaches or that are merely declared; the root is at [`Spec::root`].
    pub components: Vec<Component>,
    /// The index of the root component.
    pub root: u32,
    /// All executors.
    pub executors: Vec<Executor>,
}

/// What a task runs: a DAG or an executor, with its declared inputs and outputs, each sorted by name.
#[derive(Debug, Default)]
pub struct Component {
    /// The name, `root` for the root.
    pub name: Box<str>,
    /// Declared input parameters.
    pub inputs: Box<[InputParameter]>,
    /// Declared input artifacts.
    pub input_artifacts: Box<[InputArtifact]>,
    /// Declared output parameters.
    pub outputs: Box<[OutputParameter]>,
    /// Declared output artifacts.
    pub output_artifacts: Box<[OutputArtifact]>,
    /// What it is made of.
    pub body: Body,
    /// How many tasks lie inside, at any depth, each loop counted as one iteration.
    pub tasks_inside: u64,
}

/// What a component is made of.
#[derive(Debug, Default)]
pub enum Body {
    /// Nothing that can run; a problem has been reported.
    #[default]
    Missing,
    /// Tasks.
    Dag(Dag),
    /// An executor, by index.
    Executor(u32),
}

/// A declared input parameter.
#[derive(Debug)]
pub struct InputParameter {
    /// Its name.
    pub name: Box<str>,
    /// Its type.
    pub kind: ParameterType,
    /// Its default, if it has one.
    pub default: Option<Arc<Value>>,
    /// Whether it may be absent.
    pub is_optional: bool,
    /// The only values allowed, if given.
    pub literals: Option<Vec<Value>>,
}

/// A declared input artifact.
#[derive(Debug)]
pub struct InputArtifact {
    /// Its name.
    pub name: Box<str>,
    /// Its schema.
    pub schema: Schema,
    /// Whether it takes a list.
    pub is_list: bool,
    /// Whether it may be absent.
    pub is_optional: bool,
}

/// The type of an artifact.
#[derive(Debug, Default, Clone)]
pub struct Schema {
    /// e.g. system.Model.
    pub title: Box<str>,
    /// e.g. 0.0.1.
    pub version: Box<str>,
    /// An inline schema, in YAML.
    pub instance: Box<str>,
}

impl Schema {
    /// Gives an artifact that came without a type the declared one.
    pub fn complete(&self, artifact: &mut crate::messages::Artifact) {
        if artifact.schema_title.is_empty() {
            artifact.schema_title = self.title.to_string();
            artifact.schema_version = self.version.to_string();
        }
    }
}

/// A declared output parameter.
#[derive(Debug)]
pub struct OutputParameter {
    /// Its name.
    pub name: Box<str>,
    /// Its type.
    pub kind: ParameterType,
}

/// A declared output artifact.
#[derive(Debug)]
pub struct OutputArtifact {
    /// Its name.
    pub name: Box<str>,
    /// Its schema.
    pub schema: Schema,
    /// Whether it is a list.
    pub is_list: bool,
    /// The metadata that the author declared.
    pub metadata: Option<Value>,
}

/// The tasks of a component, and what becomes of their outputs.
#[derive(Debug, Default)]
pub struct Dag {
    /// In topological order.
    pub tasks: Box<[Task]>,
    /// The same, in the order of their names.
    pub by_name: Box<[u32]>,
    /// Of each task: those that start after it has ended; sorted.
    pub downstream: Lists,
    /// One for each bound output parameter, sorted by output.
    pub outputs: Box<[DagOutput]>,
    /// One for each bound output artifact, sorted by output.
    pub output_artifacts: Box<[DagOutput]>,
}

/// Where an output of a DAG comes from.
#[derive(Debug)]
pub struct DagOutput {
    /// Index of the component's output.
    pub output: u32,
    /// (task, index of its component's output).
    pub selectors: Box<[(u32, u32)]>,
    /// Exactly one of the selectors has to produce.
    pub is_one_of: bool,
}

/// One task of a DAG.
#[derive(Debug, Default)]
pub struct Task {
    /// Its name in the DAG.
    pub name: Box<str>,
    /// What it runs.
    pub component: u32,
    /// Sorted by name.
    pub parameters: Box<[Binding<ParameterSource>]>,
    /// Sorted by name.
    pub artifacts: Box<[Binding<ArtifactSource>]>,
    /// Tasks that end before this one starts; sorted.
    pub upstream: Box<[u32]>,
    /// ALL_UPSTREAM_TASKS_COMPLETED.
    pub runs_after_any_end: bool,
    /// Runs after an exit handler's body, whatever became of it.
    pub is_exit: bool,
    /// `cachingOptions.enableCache`.
    pub is_cache_enabled: bool,
    /// What few tasks have.
    pub extras: Option<Box<Extras>>,
}

/// What few tasks have.
#[derive(Debug, Default)]
pub struct Extras {
    /// `triggerPolicy.condition`.
    pub condition: Option<Box<str>>,
    /// Makes the task a loop.
    pub iterator: Option<LoopItems>,
    /// At most so many iterations at once; 0: all.
    pub parallelism: u32,
    /// `cachingOptions.cacheKey`.
    pub cache_key: Option<String>,
    /// `retryPolicy`.
    pub retry: Option<Retry>,
}

/// `retryPolicy`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Retry {
    /// Attempts after the first.
    pub max_retry_count: i32,
    /// Before the first retry.
    pub backoff_duration_s: f64,
    /// Grows the delay.
    pub backoff_factor: f64,
    /// Limits the delay; 0: none given.
    pub backoff_max_duration_s: f64,
}

/// What a loop goes over.
#[derive(Debug)]
pub struct LoopItems {
    /// Index of the component's input that takes one item: a parameter, or an artifact.
    pub item: u32,
    /// Where the items come from.
    pub source: ItemSource,
}

/// Where the items of a loop come from.
#[derive(Debug)]
pub enum ItemSource {
    /// A constant list.
    Raw(Arc<Value>),
    /// An input parameter of the loop's component, by index.
    Parameter(u32),
    /// An input artifact of the loop's component, by index.
    Artifact(u32),
}

/// The source of one input of a task.
#[derive(Debug)]
pub struct Binding<S> {
    /// The input.
    pub input: BoundInput,
    /// Where its value comes from.
    pub source: S,
    /// `parameterExpressionSelector`.
    pub selector: Option<Box<str>>,
}

/// An input that is given a value.
#[derive(Debug)]
pub enum BoundInput {
    /// By its index in the task's component.
    Declared(u32),
    /// By its name: the component declares no such input.
    Undeclared(Box<str>),
}

/// Where an input parameter comes from.
#[derive(Debug)]
pub enum ParameterSource {
    /// A constant without placeholders for inputs.
    Constant(Arc<Value>),
    /// A constant with placeholders for other inputs of the task.
    Template(Arc<Value>),
    /// An input of the component that holds the task.
    Input(u32),
    /// An output of a sibling.
    Output {
        /// The sibling.
        task: u32,
        /// The index of its component's output.
        output: u32,
    },
    /// How a sibling ended.
    FinalStatus(u32),
}

/// Where an input artifact comes from.
#[derive(Debug)]
pub enum ArtifactSource {
    /// An input artifact of the component that holds the task.
    Input(u32),
    /// An output of a sibling.
    Output {
        /// The sibling.
        task: u32,
        /// The index of its component's output artifact.
        output: u32,
    },
}

/// How a leaf is run.
#[derive(Debug)]
pub struct Executor {
    /// Its label in `deploymentSpec.executors`.
    pub label: Box<str>,
    /// What it is.
    pub body: ExecutorBody,
}

/// The kinds of executors.
#[derive(Debug)]
pub enum ExecutorBody {
    /// A container.
    Container(Container),
    /// An importer.
    Importer(Importer),
    /// One that only Google Cloud has: `customJob` or `resolver`.
    Foreign(Box<str>),
}

/// A container to run.
#[derive(Debug, Default)]
pub struct Container {
    /// Its image.
    pub image: String,
    /// Placeholders unresolved.
    pub command: Vec<String>,
    /// Placeholders unresolved.
    pub args: Vec<String>,
    /// In the order of the spec.
    pub env: Vec<(String, String)>,
    /// What it asks for, as in the spec.
    pub resources: Option<Resources>,
}

impl Container {
    /// True where image, command, arguments or environment name that input parameter.
    pub fn names_input(&self, input: &str) -> bool {
        let quoted = format!("inputs.parameters['{input}']");
        self.texts().any(|text| text.contains(&quoted))
    }

    /// Every text that may hold placeholders.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let env = self.env.iter().map(|(_, value)| value);
        std::iter::once(&self.image).chain(&self.command).chain(&self.args).chain(env).map(String::as_str)
    }
}

/// What a container asks for: each either a number or a text that may hold placeholders.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Resources {
    /// CPUs at most.
    pub cpu_limit: String,
    /// CPUs at least.
    pub cpu_request: String,
    /// Memory at most.
    pub memory_limit: String,
    /// Memory at least.
    pub memory_request: String,
    /// The accelerator's type.
    pub accelerator_type: String,
    /// How many accelerators.
    pub accelerator_count: String,
}

/// An artifact to bring in.
#[derive(Debug, Default)]
pub struct Importer {
    /// A constant URI.
    pub uri: Option<String>,
    /// The input parameter that holds the URI.
    pub uri_input: Option<String>,
    /// The artifact's type.
    pub schema: Schema,
    /// The artifact's metadata, which may hold placeholders.
    pub metadata: Value,
    /// Import each time.
    pub is_reimport: bool,
}

impl Spec {
    /// The component of that index.
    pub fn component(&self, index: u32) -> &Component {
        static MISSING: std::sync::LazyLock<Component> = std::sync::LazyLock::new(Component::default);
        self.components.get(index as usize).unwrap_or(&MISSING)
    }

    /// The executor of that index.
    pub fn executor(&self, index: u32) -> Option<&Executor> {
        self.executors.get(index as usize)
    }

    /// True for schema 2.0.0, whose run parameters come as text and whose inputs are all optional.
    pub fn is_legacy(&self) -> bool {
        self.schema_version.starts_with("2.0")
    }
}

impl Component {
    /// The tasks, where the component is a DAG.
    pub fn dag(&self) -> Option<&Dag> {
        match &self.body {
            Body::Dag(dag) => Some(dag),
            _ => None,
        }
    }

    /// The index of the input parameter of that name.
    pub fn input(&self, name: &str) -> Option<u32> {
        index_of(&self.inputs, name, |input| &input.name)
    }

    /// The index of the input artifact of that name.
    pub fn input_artifact(&self, name: &str) -> Option<u32> {
        index_of(&self.input_artifacts, name, |input| &input.name)
    }

    /// The index of the output parameter of that name.
    pub fn output(&self, name: &str) -> Option<u32> {
        index_of(&self.outputs, name, |output| &output.name)
    }

    /// The index of the output artifact of that name.
    pub fn output_artifact(&self, name: &str) -> Option<u32> {
        index_of(&self.output_artifacts, name, |output| &output.name)
    }
}

impl Dag {
    /// The task of that name.
    pub fn find(&self, name: &str) -> Option<&Task> {
        let found = self.by_name.binary_search_by(|index| (*self.task(*index).name).cmp(name)).ok()?;
        self.by_name.get(found).map(|index| self.task(*index))
    }

    /// The task of that index.
    pub fn task(&self, index: u32) -> &Task {
        static MISSING: std::sync::LazyLock<Task> = std::sync::LazyLock::new(Task::default);
        self.tasks.get(index as usize).unwrap_or(&MISSING)
    }
}

impl Task {
    /// The trigger condition.
    pub fn condition(&self) -> Option<&str> {
        self.extras.as_ref().and_then(|extras| extras.condition.as_deref())
    }

    /// The iterator, where the task is a loop.
    pub fn iterator(&self) -> Option<&LoopItems> {
        self.extras.as_ref().and_then(|extras| extras.iterator.as_ref())
    }
}

impl BoundInput {
    /// The index of the input in the task's component, where that declares it.
    pub fn index(&self) -> Option<u32> {
        match self {
            BoundInput::Declared(index) => Some(*index),
            BoundInput::Undeclared(_) => None,
        }
    }

    fn name<'n, T>(&'n self, declared: &'n [T], name: impl Fn(&'n T) -> &'n str) -> &'n str {
        match self {
            BoundInput::Declared(index) => declared.get(*index as usize).map_or("", name),
            BoundInput::Undeclared(name) => name,
        }
    }
}

impl Binding<ParameterSource> {
    /// The input's name. `component`: that of the task.
    pub fn name<'n>(&'n self, component: &'n Component) -> &'n str {
        self.input.name(&component.inputs, |input| &input.name)
    }
}

impl Binding<ArtifactSource> {
    /// The input's name. `component`: that of the task.
    pub fn name<'n>(&'n self, component: &'n Component) -> &'n str {
        self.input.name(&component.input_artifacts, |input| &input.name)
    }
}

fn index_of<T>(sorted: &[T], name: &str, key: impl Fn(&T) -> &str) -> Option<u32> {
    sorted.binary_search_by(|item| key(item).cmp(name)).ok().map(|index| index as u32)
}
