"""Any pipeline of kfp gives what plain Python gives; a rerun of it with other parameters gives what a new run would,
without running again what has run before; and a rerun of a failed run runs what had not succeeded, no more.

`REPRISE_GENERATED=N` runs N of them instead of a few, from `REPRISE_GENERATED_FROM` on.
"""

import json
import os
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("kfp.dsl", reason="kfp is needed to compile pipelines")

from google.protobuf import json_format
from kfp import compiler
from reprise.client import Client, create_request, parse_pipeline
from reprise.client.requests import to_value
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import rerun_pb2 as reruns
from served import Served

from .generated import Program, Ran

_FIRST = int(os.environ.get("REPRISE_GENERATED_FROM", "0"))
_SEEDS = range(_FIRST, _FIRST + int(os.environ.get("REPRISE_GENERATED", "4")))
_BEFORE = {"a": 2, "b": 5, "text": "t", "items": [3, 1, 1]}
_AFTER = {"a": 2, "b": 8, "text": "t", "items": [4, 3, 1, 1]}
# A run of more would take longer than it tells.
_MOST_TASKS = 80
_State = jobs.PipelineTaskDetail.State
SUCCEEDED, SKIPPED = _State.Value("SUCCEEDED"), _State.Value("SKIPPED")


@dataclass(frozen=True)
class Made:
    """A generated pipeline that can be run, the file that makes tasks of it fail, and a client."""

    program: Program
    text: str
    trap: Path
    client: Client

    def run(self, parameters: Mapping[str, Any]) -> jobs.PipelineJob:
        return self._ended(self.client.create(create_request(parse_pipeline(self.text), parameters)))

    def rerun(self, original: jobs.PipelineJob, parameters: Mapping[str, Any]) -> jobs.PipelineJob:
        request = reruns.RerunPipelineJobRequest(name=original.name)
        for name, value in parameters.items():
            request.parameter_values[name].CopyFrom(to_value(name, value))
        return self._ended(self.client.rerun(request))

    def lasting(self, ran: Iterable[Ran]) -> Counter[Ran]:
        """Without the exit task, which runs in every rerun."""
        return Counter(one for one in ran if one[0] != self.program.exit_tag)

    def _ended(self, job: jobs.PipelineJob) -> jobs.PipelineJob:
        return self.client.get(self.client.wait(job.name, 120).name)


@pytest.fixture(params=_SEEDS)
def made(request: pytest.FixtureRequest, server: Served, tmp_path: Path) -> Iterator[Made]:
    seed, trap, path = request.param, tmp_path / "trap", tmp_path / "pipeline.yaml"
    try:
        program = Program(seed, str(trap))
    except AssertionError:
        pytest.skip("kfp's compiler loses an input of this one")
    if max(program.expected(_BEFORE).total(), program.expected(_AFTER).total()) > _MOST_TASKS:
        pytest.skip("more tasks than a test should run")
    compiler.Compiler().compile(program.pipeline, str(path))
    text = path.read_text()
    if lost := _undeclared(yaml.safe_load(text)):
        pytest.skip(f"kfp's compiler declares no {lost[0]}")
    # The cache of a project of its own knows nothing yet.
    project = f"{request.function.__name__[:40]}-{seed}".replace("_", "-")
    with Client(server.grpc, project=project) as client:
        yield Made(program, text, trap, client)


def test_a_run_and_its_rerun_with_other_parameters_give_what_plain_python_gives(made: Made) -> None:
    before, after = made.program.expected(_BEFORE), made.program.expected(_AFTER)
    first = made.run(_BEFORE)
    _as_expected(first, before)
    second = made.rerun(first, _AFTER)
    _as_expected(second, after)
    again = made.lasting(_ran(second, SUCCEEDED)) & before
    assert not again, "the original had run these with these inputs"


def test_a_rerun_of_a_failed_run_runs_exactly_what_had_not_succeeded(made: Made) -> None:
    expected = made.program.expected(_BEFORE)
    reached = sorted({tag for tag, _, _ in expected} & set(made.program.fragile))
    if not reached:
        pytest.skip("nothing in it can fail")
    chosen = random.Random(reached[-1]).sample(reached, min(2, len(reached)))
    made.trap.write_text(" ".join(chosen))
    failed = made.run(_BEFORE)
    assert failed.state == states.PIPELINE_STATE_FAILED
    succeeded = made.lasting(_ran(failed, SUCCEEDED))
    assert succeeded < made.lasting(expected.elements())
    made.trap.unlink()
    repaired = made.rerun(failed, {})
    _as_expected(repaired, expected)
    missing = made.lasting(expected.elements()) - succeeded
    # What an equal task has given elsewhere in the pipeline, the cache knows.
    assert made.lasting(_ran(repaired, SUCCEEDED)) == Counter(
        one for one in missing.elements() if one not in succeeded
    )


def test_a_rerun_of_a_cancelled_run_runs_exactly_what_had_not_succeeded(made: Made) -> None:
    expected = made.program.expected(_BEFORE)
    enough = random.Random(made.text).randrange(expected.total())
    begun = made.client.create(create_request(parse_pipeline(made.text), _BEFORE))
    succeeded_by_now = 0
    for told in made.client.changes(begun.name):
        succeeded_by_now += sum(change.task_state == SUCCEEDED for change in told.changes)
        if succeeded_by_now > enough:
            break
    made.client.cancel(begun.name)
    cancelled = made.client.get(made.client.wait(begun.name, 120).name)
    succeeded = made.lasting(_ran(cancelled, SUCCEEDED))
    assert succeeded <= made.lasting(expected.elements())
    resumed = made.rerun(cancelled, {})
    _as_expected(resumed, expected)
    missing = made.lasting(expected.elements()) - succeeded
    assert made.lasting(_ran(resumed, SUCCEEDED)) == Counter(
        one for one in missing.elements() if one not in succeeded
    )


def _as_expected(job: jobs.PipelineJob, expected: Counter[Ran]) -> None:
    details = [(task.task_unique_name, _State.Name(task.state)) for task in job.job_detail.task_details]
    assert job.state == states.PIPELINE_STATE_SUCCEEDED, (job.error.message, details)
    assert Counter(_ran(job, SUCCEEDED, SKIPPED)) == expected


def _undeclared(spec: dict[str, Any]) -> list[str]:
    """Inputs and outputs that tasks read and nobody declares: no service can run that."""
    lost = []
    components = {"root": spec["root"], **spec["components"]}

    def declared(name: str, definitions: str) -> dict[str, Any]:
        found: dict[str, Any] = components[name].get(definitions, {}).get("parameters", {})
        return found

    for name, component in components.items():
        tasks = component.get("dag", {}).get("tasks", {})
        for task in tasks.values():
            for given in task.get("inputs", {}).get("parameters", {}).values():
                read = given.get("componentInputParameter")
                # The item of a task's own loop is made by the loop.
                is_item = read and read.startswith("pipelinechannel--loop-item")
                if read and not is_item and read not in declared(name, "inputDefinitions"):
                    lost.append(f"{name}.{read}")
                if output := given.get("taskOutputParameter"):
                    producer = tasks[output["producerTask"]]["componentRef"]["name"]
                    if output["outputParameterKey"] not in declared(producer, "outputDefinitions"):
                        lost.append(f"{producer}.{output['outputParameterKey']}")
    return lost


def _ran(job: jobs.PipelineJob, *wanted: int) -> Iterator[Ran]:
    """The leaf tasks in these states, as the generator tells them."""
    for task in job.job_detail.task_details:
        shown = json_format.MessageToDict(task.execution.metadata)
        if task.state not in wanted or "input:tag" not in shown:
            continue
        went_in = [
            _whole(shown[name])
            for name in sorted(shown)
            if name.startswith("input:") and name not in ("input:tag", "input:trap", "input:status")
        ]
        came_out = json.dumps(_whole(shown["output:Output"])) if "output:Output" in shown else None
        yield shown["input:tag"], json.dumps(went_in), came_out


def _whole(value: Any) -> Any:
    """JSON has no integers of its own."""
    if isinstance(value, list):
        return [_whole(one) for one in value]
    return int(value) if isinstance(value, float) else value
