"""The deadline that kfp's Kubernetes extension gives a task: here it is that of each attempt."""

# No `from __future__ import annotations`: kfp reads them as objects.

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reprise.client import Client
from reprise.pb.v1 import rerun_pb2 as reruns
from served import Served

dsl = pytest.importorskip("kfp.dsl", reason="kfp is needed to compile pipelines")

from .conftest import Ended, Run  # noqa: E402

_DEADLINE_EXCEEDED = 4  # google.rpc.Code


@dsl.container_component
def late_at_first(ledger: str):  # type: ignore[no-untyped-def]
    """Its first attempt never ends by itself."""
    script = 'if [ -e "$1" ]; then exit 0; fi; touch "$1"; sleep 300'
    return dsl.ContainerSpec(image="none", command=["sh", "-ec", script, "sh"], args=[ledger])


@dsl.container_component
def late():  # type: ignore[no-untyped-def]
    return dsl.ContainerSpec(image="none", command=["sleep"], args=["300"])


def _with_deadline(text: str, executor: str, seconds: object) -> str:
    """As `kfp.kubernetes.set_timeout` compiles it: a second document."""
    return f"""{text}
---
platforms:
  kubernetes:
    deploymentSpec:
      executors:
        {executor}:
          activeDeadlineSeconds: {seconds}
"""


def _task(ended: Ended) -> Any:
    return ended.job.job_detail.task_details[0]


def test_a_deadline_is_that_of_each_attempt_and_not_of_the_task_over_its_retries(
    run: Run, compiled: Callable[[Any], str], tmp_path: Path
) -> None:
    @dsl.pipeline
    def patient(ledger: str) -> None:
        late_at_first(ledger=ledger).set_retry(num_retries=1)

    text = _with_deadline(compiled(patient), "exec-late-at-first", "'1'")
    ended = run(text, {"ledger": str(tmp_path / "begun")})
    assert _task(ended).attempts == 2
    said = [status.error.message for status in _task(ended).pipeline_task_status]
    assert any("its limit of 1 s" in message for message in said), said


def test_a_task_past_its_deadline_says_so_and_so_does_its_rerun(
    run: Run, compiled: Callable[[Any], str], server: Served
) -> None:
    @dsl.pipeline
    def hopeless() -> None:
        late()

    first = run(_with_deadline(compiled(hopeless), "exec-late", 1), expected="FAILED")
    assert _task(first).error.code == _DEADLINE_EXCEEDED
    assert "longer than its limit of 1 s" in _task(first).error.message
    with Client(server.grpc, project=first.job.name.split("/")[1]) as client:
        name = client.rerun(reruns.RerunPipelineJobRequest(name=first.job.name)).name
        again = Ended(client.get(client.wait(name, 60).name))
    assert again.state == "FAILED"
    assert "longer than its limit of 1 s" in _task(again).error.message
