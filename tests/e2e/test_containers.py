"""Pipelines whose tasks run in real containers: images, mounts, death, restarts."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from containers import HOST_CONFIG, IMAGE, Podman, libraries, programs
from google.protobuf import json_format
from reprise.client import Client, create_request
from reprise.client.pipeline_file import PipelineFile, load_pipeline
from reprise.pb.v1 import pipeline_state_pb2 as states
from served import Served

_SUCCEEDED, _FAILED = states.PIPELINE_STATE_SUCCEEDED, states.PIPELINE_STATE_FAILED


@pytest.fixture(scope="module")
def containers(engine: Podman, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all tests; each uses ids of its own."""
    server = Served(
        tmp_path_factory.mktemp("contained") / "data",
        "--executor=container",
        f"--container-socket={engine.socket}",
        f"--container-host-config={json.dumps(HOST_CONFIG)}",
        "--grace=0.3",
    )
    yield server
    server.stop()


def _container(script: str, **more: Any) -> dict[str, Any]:
    return {"container": {"image": IMAGE, "command": ["sh", "-ec"], "args": [script], **more}}


def _pipeline(
    tmp_path: Path, tasks: dict[str, Any], components: dict[str, Any], executors: dict[str, Any]
) -> PipelineFile:
    path = tmp_path / "pipeline.json"
    spec = {
        "schemaVersion": "2.1.0",
        "pipelineInfo": {"name": "contained"},
        "deploymentSpec": {"executors": executors},
        "components": components,
        "root": {"dag": {"tasks": tasks}},
    }
    path.write_text(json.dumps(spec))
    return load_pipeline(path)


def _one_task(tmp_path: Path, executor: dict[str, Any]) -> PipelineFile:
    task = {"taskInfo": {"name": "only"}, "componentRef": {"name": "comp-only"}}
    return _pipeline(
        tmp_path, {"only": task}, {"comp-only": {"executorLabel": "exec-only"}}, {"exec-only": executor}
    )


def _until(is_so: Callable[[], bool], text: str) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, f"not within 60 s: {text}"
        time.sleep(0.05)


def _is_one_up(engine: Podman, server: Served) -> bool:
    return any("Up" in str(one.get("Status")) for one in engine.containers(server.data_dir))


def _run(client: Client, pipeline: PipelineFile) -> Any:
    return client.wait(client.create(create_request(pipeline, {})).name, 120)


def _log(client: Client, run: str, task: str) -> bytes:
    return b"".join(piece.data for piece in client.logs(run, task))


def _messages(job: Any) -> str:
    return " ".join([job.error.message, *(task.error.message for task in job.job_detail.task_details)])


def test_artifacts_go_from_container_to_container_and_nothing_else_of_the_data_dir_is_seen(
    containers: Served, engine: Podman, tmp_path: Path
) -> None:
    artifact = {"artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}
    components = {
        "comp-make": {
            "executorLabel": "exec-make",
            "outputDefinitions": {
                "artifacts": {"data": artifact},
                "parameters": {"n": {"parameterType": "NUMBER_INTEGER"}},
            },
        },
        "comp-use": {
            "executorLabel": "exec-use",
            "inputDefinitions": {"artifacts": {"data": artifact}},
            "outputDefinitions": {"parameters": {"said": {"parameterType": "STRING"}}},
        },
    }
    executors = {
        "exec-make": _container(
            "echo payload > {{$.outputs.artifacts['data'].path}}; printf 7 > {{$.outputs.parameters['n'].output_file}}"
        ),
        "exec-use": _container(
            f"cat {{{{$.inputs.artifacts['data'].path}}}} > {{{{$.outputs.parameters['said'].output_file}}}}\n"
            f"if echo x > {{{{$.inputs.artifacts['data'].path}}}}; then exit 41; fi\n"
            f"for one in $(ls {containers.data_dir}); do test $one = artifacts || test $one = runs || exit 42; done\n"
            f"if cat {containers.data_dir}/reprise.db; then exit 43; fi\n"
            'echo kept > "$TMPDIR/scratch"'
        ),
    }
    tasks = {
        "make": {"taskInfo": {"name": "make"}, "componentRef": {"name": "comp-make"}},
        "use": {
            "taskInfo": {"name": "use"},
            "componentRef": {"name": "comp-use"},
            "dependentTasks": ["make"],
            "inputs": {
                "artifacts": {
                    "data": {"taskOutputArtifact": {"producerTask": "make", "outputArtifactKey": "data"}}
                }
            },
        },
    }
    with Client(containers.grpc) as client:
        job = _run(client, _pipeline(tmp_path, tasks, components, executors))
    assert job.state == _SUCCEEDED, _messages(job)
    details = {task.task_name: task for task in job.job_detail.task_details}
    metadata = {name: json_format.MessageToDict(task.execution.metadata) for name, task in details.items()}
    assert metadata["make"]["output:n"] == 7
    assert metadata["use"]["output:said"].strip() == "payload"
    _until(
        lambda: engine.containers(containers.data_dir) == [], "containers whose end is committed are removed"
    )


def test_an_image_that_cannot_be_had_fails_the_task_naming_it_with_the_words_of_the_engine(
    containers: Served, tmp_path: Path
) -> None:
    # Nothing listens there: the engine gives up at once.
    executor = _container("true")
    executor["container"]["image"] = "localhost:1/no/such:image"
    with Client(containers.grpc) as client:
        job = _run(client, _one_task(tmp_path, executor))
    assert job.state == _FAILED
    assert "localhost:1/no/such:image" in _messages(job)
    assert "could not pull it" in _messages(job)


def test_an_empty_command_is_the_entrypoint_of_the_image_with_the_arguments_after_it(
    containers: Served, engine: Podman, tmp_path: Path
) -> None:
    image = "localhost/reprise-test-entry:1"
    engine.import_image(programs(["sh", "cat"]), image, 'ENTRYPOINT ["sh", "-c"]', "WORKDIR /var/tmp")
    with Client(containers.grpc) as client:
        executor = {"container": {"image": image, "args": ["pwd; exit 9"]}}
        job = _run(client, _one_task(tmp_path, executor))
        log = _log(client, job.name, "only")
    assert job.state == _FAILED
    assert "exit code 9" in _messages(job)
    assert b"/var/tmp" in log


def test_a_task_that_uses_more_memory_than_its_limit_is_killed_and_says_so(
    containers: Served, tmp_path: Path
) -> None:
    executor = _container(
        "x=xxxxxxxx; while :; do x=$x$x; done", resources={"memoryLimit": 0.03, "cpuLimit": 1}
    )
    with Client(containers.grpc) as client:
        job = _run(client, _one_task(tmp_path, executor))
    assert job.state == _FAILED
    assert "memory" in _messages(job)


def test_a_run_goes_on_when_server_and_engine_are_killed_and_a_cancel_leaves_no_container(
    containers: Served, engine: Podman, tmp_path: Path
) -> None:
    with Client(containers.grpc) as client:
        name = client.create(create_request(_one_task(tmp_path, _container("sleep 3; echo over")), {})).name
        _until(
            lambda: any("Up" in str(one.get("Status")) for one in engine.containers(containers.data_dir)),
            "the container runs",
        )
        containers.kill()
        engine.stop()
        engine.start()
        containers.restart()
        job = client.wait(name, 60)
        assert job.state == _SUCCEEDED, _messages(job)
        name = client.create(
            create_request(_one_task(tmp_path, _container("trap '' TERM; while :; do sleep 1; done")), {})
        ).name
        _until(
            lambda: any("Up" in str(one.get("Status")) for one in engine.containers(containers.data_dir)),
            "the container runs",
        )
        containers.kill()
        containers.restart()
        client.cancel(name)
        job = client.wait(name, 60)
        assert job.state == states.PIPELINE_STATE_CANCELLED
        assert not _is_one_up(engine, containers)
    _until(lambda: engine.containers(containers.data_dir) == [], "all containers are removed")


def test_a_lightweight_component_runs_in_its_container_with_its_pip_line(
    containers: Served, engine: Podman, tmp_path: Path
) -> None:
    kfp = pytest.importorskip("kfp", reason="the component needs it")
    image = "localhost/reprise-test-python:1"
    _import_python(engine, image, Path(kfp.__file__).parents[1], kfp.__version__)

    from doubling import doubling_pipeline
    from kfp import compiler

    compiler.Compiler().compile(doubling_pipeline(image), str(tmp_path / "doubling.yaml"))
    with Client(containers.grpc) as client:
        job = _run(client, load_pipeline(tmp_path / "doubling.yaml"))
        log = _log(client, job.name, "double")
    assert job.state == _SUCCEEDED, _messages(job) + log.decode()
    details = {task.task_name: task for task in job.job_detail.task_details}
    assert json_format.MessageToDict(details["double"].execution.metadata)["output:Output"] == 8


def _import_python(engine: Podman, image: str, packages: Path, kfp_version: str) -> None:
    """An image with this interpreter, its pip, and the one package that components need."""
    prefix = Path(sys.base_prefix)
    python = prefix / "bin" / f"python3.{sys.version_info.minor}"
    library = prefix / "lib" / f"python3.{sys.version_info.minor}"
    extensions = (library / "lib-dynload").glob("*.so")
    needed = {path for program in (python, *extensions) for path in libraries(program)}
    wanted = [
        "kfp",
        f"kfp-{kfp_version}.dist-info",
        *(path.name for path in packages.glob("pip*") if path.is_dir()),
    ]
    engine.import_image(
        [*programs(["sh", "mktemp", "cat"]), *needed, python, prefix / "bin" / "python3", library],
        image,
        f"ENV PATH={prefix}/bin:/usr/bin:/bin",
        "ENV PYTHONPATH=/packages",
        at={f"packages/{name}": packages / name for name in wanted},
    )
