"""Runs of the real machine with simulated tasks, and what they leave, in both representations.

Invariant: what a simulated task produces is a function of its code and its inputs alone.
"""

from __future__ import annotations

import json
import random
import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from past import Config, Past, Slot, Task
from reprise.domain.run import AttemptRow
from reprise.domain.states import AttemptState
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.plan import Pieces, RunMachine
from struct_bytes import spec_bytes
from values import ArtifactValue

_PARENT = "projects/p/locations/l/pipelineJobs/"


@dataclass
class Run:
    """A run that has ended: for the core `records`, for the oracle `past`."""

    run_id: int
    spec: dict[str, Any]
    past: Past
    records: engine.TaskRecords
    request: engine.RunRequest
    ended: list[engine.LeafEnded]
    state: str
    decisions: list[engine.Decision] = field(default_factory=list)


def request_for(
    run_id: int,
    spec: dict[str, Any],
    given: dict[str, Any],
    original: Run | None = None,
    configs: list[Config] | None = None,
) -> engine.RunRequest:
    is_same = original is not None and original.spec is spec
    request = engine.RunRequest(spec=original.request.spec if original and is_same else spec_bytes(spec))
    settings = request.settings
    settings.job_id, settings.run_id = f"run-{run_id}", run_id
    settings.resource_name = _PARENT + settings.job_id
    settings.create_time_utc = settings.schedule_time_utc = "2026-01-02T03:04:05Z"
    settings.pipeline_root = "/root"
    for name in sorted(given):
        settings.parameters.add(name=name, json=json.dumps(given[name]))
    if original is not None:
        request.original.run_id = original.run_id
        request.original.resource_name = f"{_PARENT}run-{original.run_id}"
        request.original.spec = original.request.spec
        request.original.pipeline_root = "/root"
        request.original.records = original.records.SerializeToString()
        for name, value in sorted(original.past.parameters.items()):
            request.original.parameters.add(name=name, json=json.dumps(value))
    for number, config in enumerate(configs or []):
        sent = request.configs.add(field=f"pipeline_job.pipeline_task_rerun_configs[{number}]")
        known = original.past.tasks.get(config.path) if original is not None else None
        if known is not None:
            sent.task_id = known.task_id
        sent.task_name = config.path
        sent.skip_task, sent.skip_downstream_tasks = config.skip_task, config.skip_downstream
        sent.drop_overrides.extend(config.drop_overrides)
        if config.inputs is not None:
            sent.has_inputs = True
            for (section, name), value in sorted(config.inputs.items()):
                if section == "parameters":
                    sent.input_parameters.add(name=name, json=json.dumps(value))
                else:
                    artifact = as_artifact(value)
                    sent.input_artifacts.add(name=name, artifacts=[artifact])
    return request


def as_artifact(value: ArtifactValue) -> engine.Artifact:
    return engine.Artifact(
        name=value.uri.rsplit("/", 1)[-1],
        uri=value.uri,
        schema_title=value.schema_title,
        schema_version="0.0.1",
        digest=value.digest,
    )


@dataclass
class World:
    """How simulated tasks end: which fail, and whether the run is cancelled at some point."""

    chance: random.Random
    failure_rate: float = 0.0
    cancel_after: int | None = None
    noise: int = 0  # another world produces other values from the same inputs
    is_wide: bool = False  # very many tasks wait: all end at once, and no decision is kept

    def take(self, waiting: list[engine.Launch]) -> list[engine.Launch]:
        """Those that end next, which wait no longer: one in the midst of all, or all."""
        if not self.is_wide:
            return [waiting.pop(self.chance.randrange(len(waiting)))]
        taken, waiting[:] = waiting[:], []
        return taken

    def end(self, launch: engine.Launch) -> engine.LeafEnded:
        event = engine.LeafEnded(task_id=launch.task_id)
        if self.chance.random() < self.failure_rate:
            event.state = engine.FAILED
            event.error.code, event.error.message = 2, "simulated"
            return event
        event.state = engine.SUCCEEDED
        event.outputs.CopyFrom(produce(launch, self.noise))
        return event


def produce(launch: engine.Launch, noise: int = 0) -> engine.Values:
    read = [(one.name, json.loads(one.json)) for one in launch.inputs.parameters]
    seen = [[(a.schema_title, a.digest) for a in one.artifacts] for one in launch.inputs.artifacts]
    meaning = json.dumps([launch.path.split(".")[-1], launch.args[0], read, seen, noise], sort_keys=True)
    number = zlib.crc32(meaning.encode())
    values: dict[str, Any] = {
        "o": number % 3,
        "s": ["heads", "tails"][number // 3 % 2],
        "l": [number // (7 * (n + 1)) % 3 for n in range(number // 5 % 4)],
    }
    outputs = engine.Values()
    for parameter in sorted(launch.output_parameters, key=lambda one: one.name):
        outputs.parameters.add(name=parameter.name, json=json.dumps(values[parameter.name]))
    for declared in launch.output_artifacts:
        held = outputs.artifacts.add(name=declared.name)
        held.artifacts.add(
            name=f"{launch.task_id}-{declared.name}",
            uri=f"/root/{launch.task_id}/{declared.name}",
            schema_title=declared.schema_title,
            schema_version=declared.schema_version,
            digest=f"sha256:{number % 4:064x}",
            output_name=declared.name,
        )
    return outputs


def execute(
    run_id: int,
    request: engine.RunRequest,
    spec: dict[str, Any],
    world: World,
    parameters: dict[str, Any],
    items: dict[str, list[Any]],
    past: Past | None,
) -> Run:
    """Drive the machine to the end of the run, ending the launched leaves in random order."""
    machine = RunMachine(Pieces(request))
    recorded = RunMachine(Pieces(request))
    waiting: list[engine.Launch] = []
    ended: list[engine.LeafEnded] = []
    made: list[engine.Decision] = []
    clock = 1
    decisions = machine.advance(engine.Events())
    to_do = recorded.begin(clock)
    while True:
        if not world.is_wide:
            made.extend(decisions.decisions)
        launches = [decision.launch for decision in decisions.decisions if decision.HasField("launch")]
        assert len(launches) == len(to_do.decisions)
        assert world.is_wide or launches == [decision.launch for decision in to_do.decisions]
        waiting.extend(launches)
        if decisions.HasField("run_ended"):
            assert decisions.run_ended == to_do.run_ended
            state = engine.State.Name(decisions.run_ended.state)
            break
        if not waiting:
            raise AssertionError("the machine waits for nothing")
        events = engine.Events()
        if world.cancel_after is not None and len(ended) >= world.cancel_after:
            events.cancel = True
            for launch in waiting:
                events.ended.append(engine.LeafEnded(task_id=launch.task_id, state=engine.CANCELLED))
            waiting = []
        else:
            events.ended.extend([world.end(launch) for launch in world.take(waiting)])
        clock += 1
        recorded.start_attempts([attempt(event.task_id, clock) for event in events.ended], clock)
        ended.extend(events.ended)
        to_do = recorded.tell([(event, "") for event in events.ended], [], clock, cancel=events.cancel)
        decisions = machine.advance(engine.Events(cancel=events.cancel))
        decisions.MergeFrom(machine.advance(engine.Events(ended=events.ended)))
    stored = engine.TaskRecords.FromString(recorded.all_records())
    tasks = {record.path: as_task(record) for record in stored.tasks}
    return Run(run_id, spec, Past(spec, parameters, tasks, past, items), stored, request, ended, state, made)


def attempt(task_id: int, started_ns: int) -> AttemptRow:
    return AttemptRow(task_id, 1, AttemptState.RUNNING, "world", b"", started_ns)


def as_task(record: engine.TaskRecord) -> Task:
    return Task(
        task_id=record.task_id,
        path=record.path,
        kind=engine.Kind.Name(record.kind),
        state=engine.State.Name(record.state),
        is_left_out=record.is_left_out,
        was_started=record.attempts > 0,
        inputs=as_values(record.inputs),
        outputs=as_values(record.outputs),
        overrides=as_values(record.override_inputs),
        reason=engine.Reason.Name(record.reason),
    )


def as_values(values: engine.Values) -> dict[Slot, Any]:
    found: dict[Slot, Any] = {("parameters", one.name): _parsed(one.json) for one in values.parameters}
    for one in values.artifacts:
        held = [ArtifactValue(a.schema_title, a.digest, a.uri) for a in one.artifacts]
        found["artifacts", one.name] = held if one.is_list or len(held) != 1 else held[0]
    return found


def _parsed(text: str) -> Any:
    """What JSON says; of small texts, of which there are few different ones, looked up."""
    return json.loads(text) if text[:1] in "[{" else _scalar(text)


@lru_cache(maxsize=4_000)
def _scalar(text: str) -> Any:
    return json.loads(text)
