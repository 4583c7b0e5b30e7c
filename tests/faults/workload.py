"""Pipelines whose tasks keep a ledger: every line is on the disk before the task goes on.

A line says `begin` or `end`, the mark of the attempt (run.task.number.random), the task's name and its process. A
task's `end` is the last thing that it does.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format, struct_pb2
from reprise.pb.v1 import pipeline_service_pb2 as service
from reprise.pb.v1.pipeline_job_pb2 import PipelineJob

# dd opens with O_APPEND and syncs before it ends.
_SAY = 'say() { echo "$1 $REPRISE_ATTEMPT $2 $$" | dd of="$LEDGER" oflag=append conv=notrunc,fsync status=none; }\n'
SHAPES = ("chain", "fan", "diamond", "failing", "stubborn")


@dataclass(frozen=True)
class Line:
    word: str
    run_id: int
    task_id: int
    number: int
    mark: str
    task: str
    pid: int


def read_ledger(path: Path) -> list[Line]:
    lines = []
    for text in path.read_text().splitlines() if path.exists() else []:
        word, mark, task, pid = text.split()
        run_id, task_id, number, _ = mark.split(".")
        lines.append(Line(word, int(run_id), int(task_id), int(number), mark, task, int(pid)))
    return lines


def spec(tasks: Mapping[str, tuple[str, Sequence[str]]]) -> dict[str, Any]:
    """tasks: name -> (script between begin and end, names of what it comes after). Each gives a random output."""
    return {
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.14.3",
        "pipelineInfo": {"name": "faults"},
        "components": {
            f"comp-{name}": {
                "executorLabel": f"exec-{name}",
                "outputDefinitions": {"parameters": {"out": {"parameterType": "STRING"}}},
            }
            for name in tasks
        },
        "deploymentSpec": {
            "executors": {
                f"exec-{name}": {
                    "container": {
                        "image": "none",
                        "command": [
                            "sh",
                            "-ec",
                            f"{_SAY}say begin {name}\n{script}\n"
                            f'cat /proc/sys/kernel/random/uuid > "$1"\nsay end {name}\n',
                            "sh",
                        ],
                        "args": ["{{$.outputs.parameters['out'].output_file}}"],
                    }
                }
                for name, (script, _) in tasks.items()
            }
        },
        "root": {
            "dag": {
                "tasks": {
                    name: {
                        "taskInfo": {"name": name},
                        "componentRef": {"name": f"comp-{name}"},
                        "cachingOptions": {"enableCache": False},
                        **({"dependentTasks": list(after)} if after else {}),
                    }
                    for name, (_, after) in tasks.items()
                }
            }
        },
    }


def commands(tasks: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """tasks: name -> names of what it comes after. Each is a command that ends with its name, for a scripted host."""
    plain = spec({name: ("", after) for name, after in tasks.items()})
    for name in tasks:
        plain["deploymentSpec"]["executors"][f"exec-{name}"]["container"] = {
            "image": "none",
            "command": ["true", name],
        }
        del plain["components"][f"comp-{name}"]["outputDefinitions"]
    return plain


# Deaf to SIGTERM, in a session of its own, orphaned.
_LEAVES_A_DAEMON = """setsid sh -c "trap '' TERM; sleep 300" < /dev/null > /dev/null 2>&1 &"""


def shape(name: str, chance: random.Random) -> dict[str, Any]:
    """One of the shapes; how long its tasks take is left to `chance`."""

    def nap() -> str:
        return f"sleep {chance.choice((0, 0, 0.05, 0.2))}"

    match name:
        case "chain":
            return spec({"a": (nap(), ()), "b": (nap(), ("a",)), "c": (nap(), ("b",))})
        case "fan":
            fan = {f"f{index}": (nap(), ("a",)) for index in range(4)}
            return spec({"a": (nap(), ()), **fan, "z": (nap(), tuple(fan))})
        case "diamond":
            return spec(
                {
                    "a": (nap(), ()),
                    "b": (nap(), ("a",)),
                    "c": (_LEAVES_A_DAEMON, ("a",)),
                    "d": ("", ("b", "c")),
                }
            )
        case "failing":
            return spec({"a": (nap(), ()), "b": ("exit 3", ("a",)), "c": ("", ("b",)), "d": (nap(), ("a",))})
        case "stubborn":
            return spec({"a": (f"trap '' TERM\n{_LEAVES_A_DAEMON}\nsleep 0.5", ()), "b": ("", ("a",))})
    raise AssertionError(name)


def create_request(parent: str, job_id: str, pipeline: Mapping[str, Any]) -> service.CreatePipelineJobRequest:
    request = service.CreatePipelineJobRequest(
        parent=parent, pipeline_job_id=job_id, request_id=f"id-{job_id}"
    )
    spec_ = struct_pb2.Struct()
    json_format.ParseDict(pipeline, spec_)
    request.pipeline_job.pipeline_spec.CopyFrom(spec_)
    return request


def run_id_of(job: PipelineJob) -> int:
    return int(job.labels["vertex-ai-pipelines-run-billing-id"])
