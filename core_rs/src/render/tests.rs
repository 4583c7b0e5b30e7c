use super::*;
use crate::messages::{
    Artifact, ArtifactList, LocalPath, OutputArtifact, OutputParameter, Parameter, RunSettings, Values,
};
use crate::value::Value;

fn parameter(name: &str, json: &str) -> Parameter {
    Parameter { name: name.to_owned(), json: json.to_owned() }
}

fn launch(args: &[&str]) -> Launch {
    let model = Artifact {
        name: "m1".to_owned(),
        uri: "gs://bucket/model".to_owned(),
        schema_title: "system.Model".to_owned(),
        schema_version: "0.0.1".to_owned(),
        metadata_json: "{\"framework\":\"x\",\"n\":1.0}".to_owned(),
        ..Default::default()
    };
    Launch {
        task_id: 5,
        name: "train".to_owned(),
        image: "python:{{$.inputs.parameters['n']}}".to_owned(),
        command: vec!["sh".to_owned(), "-c".to_owned()],
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
        env: vec![EnvVar { name: "E".to_owned(), value: "{{$.pipeline_job_name}}".to_owned() }],
        inputs: Some(Values {
            parameters: vec![
                parameter("n", "3.0"),
                parameter("s", "\"it's {{$.inputs.parameters['n']}}\""),
                parameter("l", "[1.0, \"x\", true, null]"),
                parameter("run", "\"{{$.pipeline_job_name}}!\""),
                parameter("nothing", "null"),
            ],
            artifacts: vec![
                ArtifactList { name: "model".to_owned(), artifacts: vec![model.clone()], is_list: false },
                ArtifactList { name: "models".to_owned(), artifacts: vec![model], is_list: true },
                ArtifactList { name: "none".to_owned(), artifacts: vec![], is_list: true },
            ],
        }),
        output_parameters: vec![OutputParameter { name: "Output".to_owned(), parameter_type: "STRING".to_owned() }],
        output_artifacts: vec![OutputArtifact {
            name: "out".to_owned(),
            schema_title: "system.Dataset".to_owned(),
            schema_version: "0.0.1".to_owned(),
            ..Default::default()
        }],
        input_types: DeclaredInputs {
            parameters: vec![OutputParameter { name: "optional".to_owned(), parameter_type: "STRING".to_owned() }],
            artifacts: vec!["optional_artifact".to_owned()],
        }
        .encode(),
        ..Default::default()
    }
}

fn context() -> RenderContext {
    RenderContext {
        settings: Some(RunSettings {
            job_id: "job".to_owned(),
            resource_name: "projects/p/locations/l/pipelineJobs/job".to_owned(),
            run_id: 42,
            create_time_utc: "2026-01-02T03:04:05Z".to_owned(),
            pipeline_root: "/root".to_owned(),
            ..Default::default()
        }),
        task_uuid: "uuid".to_owned(),
        outputs_uri: "/root/job/5/".to_owned(),
        outputs_dir: "/root/job/5".to_owned(),
        output_file: "/attempt/executor_output.json".to_owned(),
        parameters_dir: "/attempt/parameters".to_owned(),
        ..Default::default()
    }
}

fn args(texts: &[&str]) -> Vec<String> {
    let rendered = render(&launch(texts), &context());
    assert_eq!(rendered.problems, []);
    rendered.argv_args
}

#[test]
fn every_placeholder_is_resolved() {
    for (text, expected) in [
        ("--n={{$.inputs.parameters['n']}}", "--n=3"),
        ("{{$.inputs.parameters['s']}}", "it's {{$.inputs.parameters['n']}}"),
        ("{{$.inputs.parameters['l']}}", "[1,\"x\",true,null]"),
        ("{{$.inputs.parameters['run']}}", "job!"),
        ("{{$.outputs.parameters['Output'].output_file}}", "/attempt/parameters/Output"),
        ("{{$.outputs.output_file}}", "/attempt/executor_output.json"),
        ("{{$.inputs.artifacts['model'].uri}}/x", "gs://bucket/model/x"),
        ("{{$.inputs.artifacts['model'].path}}", "/gcs/bucket/model"),
        ("{{$.inputs.artifacts['model'].metadata}}", "{\"framework\":\"x\",\"n\":1}"),
        ("{{$.inputs.artifacts['model'].metadata['framework']}}", "x"),
        ("{{$.outputs.artifacts['out'].uri}}", "/root/job/5/out"),
        ("{{$.outputs.artifacts['out'].path}}", "/root/job/5/out"),
        ("{{$.outputs.artifacts['out'].metadata}}", "{}"),
        (
            "{{$.pipeline_job_name}} {{$.pipeline_job_resource_name}} {{$.pipeline_job_uuid}}",
            "job projects/p/locations/l/pipelineJobs/job 42",
        ),
        ("{{$.pipeline_task_name}} {{$.pipeline_task_uuid}}", "train uuid"),
        ("{{$.pipeline_root}} {{$.pipeline_job_create_time_utc}}", "/root 2026-01-02T03:04:05Z"),
        (
            "{{$.no_such_thing}} {{ $ }} {{$.inputs.parameters['other']}}",
            "{{$.no_such_thing}} {{ $ }} {{$.inputs.parameters['other']}}",
        ),
    ] {
        assert_eq!(args(&[text]), [expected], "{text}");
    }
    let rendered = render(&launch(&[]), &context());
    assert_eq!(rendered.image, "python:3");
    assert_eq!(rendered.env, [EnvVar { name: "E".to_owned(), value: "job".to_owned() }]);
    assert_eq!(rendered.argv_command, ["sh", "-c"]);
}

#[test]
fn artifacts_named_as_a_whole_are_json() {
    let item =
        "{\"metadata\":{\"framework\":\"x\",\"n\":1},\"name\":\"m1\",\"type\":{\"schemaTitle\":\"system.Model\",\
        \"schemaVersion\":\"0.0.1\"},\"uri\":\"gs://bucket/model\"}";
    assert_eq!(args(&["{{$.inputs.artifacts['model']}}"]), [item]);
    assert_eq!(args(&["{{$.inputs.artifacts['models']}}"]), [format!("[{item}]")]);
    assert_eq!(args(&["{{$.inputs.artifacts['none']}}"]), ["[]"]);
}

#[test]
fn structures_become_any_number_of_arguments() {
    assert_eq!(
        args(&[
            r#"{"IfPresent": {"InputName": "n", "Then": ["--n", "{{$.inputs.parameters['n']}}"]}}"#,
            r#"{"IfPresent": {"InputName": "nothing", "Then": ["--nothing"]}}"#,
            r#"{"IfPresent": {"InputName": "optional_artifact", "Then": "a", "Else": "b"}}"#,
            r#"{"IfPresent": {"InputName": "model", "Then": "a", "Else": "b"}}"#,
            r#"{"Concat": ["x=", "{{$.inputs.parameters['n']}}", "{{$.outputs.artifacts['out'].uri}}"]}"#,
        ]),
        ["--n", "3", "b", "a", "x=3/root/job/5/out"]
    );
}

#[test]
fn what_cannot_be_resolved_is_a_problem_that_names_the_place() {
    let rendered = render(
        &launch(&[
            "{{$.inputs.parameters['optional']}}",
            "{{$.inputs.artifacts['optional_artifact'].uri}}",
            "{{$.inputs.artifacts['none'].uri}}",
            "{{$.inputs.artifacts['model'].metadata['gone']}}",
        ]),
        &context(),
    );
    let problems: Vec<String> = rendered.problems.iter().map(|p| format!("{}: {}", p.field, p.message)).collect();
    assert_eq!(
        problems,
        [
            "args[0]: {{$.inputs.parameters['optional']}}: the input is absent (an optional input can be guarded with IfPresent)",
            "args[1]: {{$.inputs.artifacts['optional_artifact'].uri}}: the input is absent (an optional input can be guarded with IfPresent)",
            "args[2]: {{$.inputs.artifacts['none'].uri}}: the list of artifacts is empty",
            "args[3]: {{$.inputs.artifacts['model'].metadata['gone']}}: the artifact's metadata has no \"gone\"",
        ]
    );
}

#[test]
fn outputs_cannot_leave_their_folder() {
    for name in ["", ".", "..", "a/b", "../x"] {
        let mut launch = launch(&[]);
        launch.output_parameters[0].name = name.to_owned();
        assert_eq!(render(&launch, &context()).problems.len(), 1, "{name:?}");
    }
}

#[test]
fn the_executor_input_is_what_components_expect() {
    let rendered = render(&launch(&["{{$}}"]), &context());
    let input = Value::from_json(&rendered.argv_args.join("")).unwrap();
    let at = |path: &[&str]| {
        let found = path.iter().try_fold(&input, |value, key| match value {
            Value::List(items) => items.first(),
            other => other.get(key),
        });
        found.map(Value::to_json)
    };
    assert_eq!(
        at(&["inputs", "parameterValues"]).unwrap(),
        "{\"l\":[1,\"x\",true,null],\"n\":3,\"run\":\"job!\",\"s\":\"it's {{$.inputs.parameters['n']}}\"}"
    );
    assert_eq!(at(&["inputs", "artifacts", "model", "artifacts", "0", "uri"]).unwrap(), "\"gs://bucket/model\"");
    assert_eq!(at(&["inputs", "artifacts", "none", "artifacts"]).unwrap(), "[]");
    assert_eq!(at(&["outputs", "parameters", "Output", "outputFile"]).unwrap(), "\"/attempt/parameters/Output\"");
    assert_eq!(at(&["outputs", "artifacts", "out", "artifacts", "0", "uri"]).unwrap(), "\"/root/job/5/out\"");
    assert_eq!(
        at(&["outputs", "artifacts", "out", "artifacts", "0", "type", "schemaTitle"]).unwrap(),
        "\"system.Dataset\""
    );
    assert_eq!(at(&["outputs", "outputFile"]).unwrap(), "\"/attempt/executor_output.json\"");
    assert_eq!(rendered.output_file, "/attempt/executor_output.json");
}

#[test]
fn artifacts_show_where_they_lie_locally() {
    let mut context = context();
    context.local_paths = vec![LocalPath { uri: "gs://bucket/model".to_owned(), path: "/local/model".to_owned() }];
    let texts = [
        "{{$.inputs.artifacts['model'].uri}}",
        "{{$.inputs.artifacts['model'].path}}",
        "{{$.outputs.artifacts['out'].uri}}",
    ];
    let show = |context: &RenderContext| render(&launch(&texts), context).argv_args;
    assert_eq!(show(&context), ["gs://bucket/model", "/local/model", "/root/job/5/out"]);
    context.are_uris_local = true;
    context.outputs_dir = "/local/5".to_owned();
    assert_eq!(show(&context), ["gs://bucket/model", "/local/model", "/local/5/out"]);
    let executor_input = render(&launch(&["{{$}}"]), &context).argv_args.join("");
    assert!(executor_input.contains("\"uri\":\"/local/model\""), "{executor_input}");
    context.outputs_uri = "s3://bucket/job/5".to_owned();
    assert_eq!(show(&context), ["gs://bucket/model", "/local/model", "s3://bucket/job/5/out"]);
    context.outputs_uri = "file:///local/5".to_owned();
    assert_eq!(show(&context)[2], "/local/5/out");
    context.outputs_uri = "/root/job/5".to_owned();
    let rendered = render(&launch(&[]), &context);
    let prepared = &rendered.output_artifacts[0];
    assert_eq!(prepared.path, "/local/5/out");
    assert_eq!(prepared.artifact.as_ref().unwrap().uri, "/root/job/5/out");
}

#[test]
fn bytes_go_in_and_come_out() {
    let bytes = render_bytes(&launch(&["x"]).encode(), &context().encode()).unwrap();
    assert_eq!(Rendered::decode(&bytes).unwrap().argv_args, ["x"]);
    assert!(render_bytes(&[0xff], &[]).is_err());
}

#[test]
fn it_is_said_whether_an_argument_names_the_folder_of_the_run() {
    let mut context = context();
    let is_used = |context: &RenderContext, text: &str| render(&launch(&["x", text]), context).uses_workspace;
    assert!(!is_used(&context, "/data/workspace/x"));
    context.settings.as_mut().unwrap().workspace_path = "/data/workspace".to_owned();
    assert!(is_used(&context, "--dir={{$.workspace_path}}/x"));
    assert!(is_used(&context, "/data/workspace/x"));
    assert!(!is_used(&context, "/data/work"));
}
