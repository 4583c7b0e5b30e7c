"""Command lines of container components, against those that other interpreters resolved.

The cases are data that does not belong to the project: it is beside it, or where REPRISE_CORPUS says.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from reprise.pb.engine.v1 import engine_pb2 as engine

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "corpus"
CORPUS = Path(os.environ.get("REPRISE_CORPUS", _BESIDE)) / "reject"
CASES = CORPUS / "argv_cases.json"


def _cases() -> list[Any]:
    if not CASES.is_file():
        missing = "the folder of compiled pipelines (REPRISE_CORPUS) is missing"
        return [pytest.param(None, marks=pytest.mark.skip(reason=missing))]
    cases: list[dict[str, Any]] = json.loads(CASES.read_text())
    return [pytest.param(case, id=f"{case['id']}-{index}") for index, case in enumerate(cases)]


def _value(binding: dict[str, Any], root: dict[str, Any], args: dict[str, Any]) -> Any:
    if "componentInputParameter" in binding:
        name = binding["componentInputParameter"]
        return args.get(name, root["inputDefinitions"]["parameters"][name].get("defaultValue"))
    if "runtimeValue" in binding:
        return binding["runtimeValue"].get("constant")
    raise AssertionError(f"the case needs an output of another task: {binding}")


def _launch(spec: dict[str, Any], task_name: str, args: dict[str, Any]) -> engine.Launch:
    task = spec["root"]["dag"]["tasks"][task_name]
    component = spec["components"][task["componentRef"]["name"]]
    container = spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
    inputs: dict[str, Any] = {}
    for name, declared in component.get("inputDefinitions", {}).get("parameters", {}).items():
        inputs[name] = declared.get("defaultValue")
    for name, binding in task.get("inputs", {}).get("parameters", {}).items():
        inputs[name] = _value(binding, spec["root"], args)
    # Constants hold other inputs of their task; here as the machine resolves them before it launches.
    for name, value in inputs.items():
        resolved = value
        for other, text in inputs.items():
            if isinstance(resolved, str) and isinstance(text, str):
                resolved = resolved.replace("{{$.inputs.parameters['" + other + "']}}", text)
        inputs[name] = resolved
    outputs = component.get("outputDefinitions", {})
    return engine.Launch(
        name=task_name,
        kind=engine.CONTAINER,
        image=container["image"],
        command=container.get("command", []),
        args=container.get("args", []),
        inputs=engine.Values(
            parameters=[
                engine.Parameter(name=name, json=json.dumps(value))
                for name, value in sorted(inputs.items())
                if value is not None
            ]
        ),
        output_parameters=[
            engine.OutputParameter(name=name, type=declared["parameterType"])
            for name, declared in outputs.get("parameters", {}).items()
        ],
        output_artifacts=[
            engine.OutputArtifact(name=name, schema_title=declared["artifactType"]["schemaTitle"])
            for name, declared in outputs.get("artifacts", {}).items()
        ],
    )


@pytest.mark.parametrize("case", _cases())
def test_a_command_line_is_what_other_interpreters_make_of_it(case: dict[str, Any]) -> None:
    core = pytest.importorskip("reprise._core")
    spec = next(yaml.safe_load_all((CORPUS / f"{case['id']}.yaml").read_text()))
    context = engine.RenderContext(
        outputs_uri="$TASK_ROOT",
        outputs_dir="$TASK_ROOT",
        parameters_dir="$TASK_ROOT",
        output_file="$TASK_ROOT/executor_output.json",
    )
    for task_name, argv in case["argv"].items():
        launch = _launch(spec, task_name, case["args"])
        rendered = engine.Rendered.FromString(
            core.render(launch.SerializeToString(), context.SerializeToString())
        )
        assert not rendered.problems
        assert [*rendered.argv_command, *rendered.argv_args] == argv
