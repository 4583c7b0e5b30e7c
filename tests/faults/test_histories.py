"""Cancel, the end of the last task, Rerun, Delete and Get at the same moment, on one run: as if one after the other."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from reprise.client import Client
from reprise.client.errors import CallError
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import rerun_pb2 as reruns

from . import workload
from .conftest import Scale
from .linearizability import Call, order_of
from .scripted import ScriptedHost, server_on


class History:
    """What several callers at once were told of one run."""

    def __init__(self, client: Client, host: ScriptedHost, job_id: str, chance: random.Random) -> None:
        self._client = client
        self._host = host
        self._job_id = job_id
        self._reruns: list[str] = []
        pipeline = workload.commands({"only": ()})
        job = client.create(workload.create_request(client.parent, job_id, pipeline))
        self.run_id = workload.run_id_of(job)
        host.await_start(self.run_id, "only")
        # The completion is asked of the host and comes to the server later, so it may take effect until the end.
        self.calls: list[Call] = []
        self._plans = [self._plan(caller, chance) for caller in range(4)]

    def go(self) -> None:
        together = threading.Barrier(len(self._plans))
        threads = [
            threading.Thread(target=self._follow, args=(plan, together), daemon=True) for plan in self._plans
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()

    def _plan(self, caller: int, chance: random.Random) -> list[tuple[str, float]]:
        """(what to do, the pause before it)."""
        kinds = ("get", "cancel", "delete", "rerun", "get")
        plan = [(chance.choice(kinds), chance.choice((0.0, 0.0, 0.002))) for _ in range(chance.randint(2, 4))]
        if caller == 0:
            plan.insert(chance.randrange(len(plan)), ("complete", 0.0))
        return plan

    def _follow(self, plan: list[tuple[str, float]], together: threading.Barrier) -> None:
        calls: dict[str, Callable[[], str]] = {
            "get": self._get,
            "cancel": self._cancel,
            "delete": self._delete,
            "rerun": self._rerun,
        }
        together.wait()
        for what, pause_s in plan:
            time.sleep(pause_s)
            begin = time.perf_counter()
            if what == "complete":
                self._host.end(self.run_id, "only")
                self.calls.append(Call(what, begin, math.inf))
                continue
            try:
                said = calls[what]()
            except CallError as error:
                said = error.code
            self.calls.append(Call(what, begin, time.perf_counter(), said))

    def _get(self) -> str:
        state = self._client.get(self._job_id, ("state",)).state
        return states.PipelineState.Name(state).removeprefix("PIPELINE_STATE_")

    def _cancel(self) -> str:
        self._client.cancel(self._job_id)
        return "OK"

    def _delete(self) -> str:
        self._client.delete(self._job_id)
        return "OK"

    def _rerun(self) -> str:
        request = reruns.RerunPipelineJobRequest(name=self._client.run_name(self._job_id))
        self._reruns.append(self._client.rerun(request).name)
        return "OK"

    def give_back(self) -> None:
        """End what still runs: a task that nobody ends has one of the host's places for good."""
        self._host.end(self.run_id, "only")
        for rerun in self._reruns:
            self._client.cancel(rerun)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_calls_at_the_same_moment_answer_as_if_one_came_after_the_other(tmp_path: Path, scale: Scale) -> None:
    chance = random.Random(scale.seed)
    seen: set[str] = set()
    host = ScriptedHost()
    with server_on(host, tmp_path / "data") as client:
        for index in range(2000 if scale.is_long else 40):
            history = History(client, host, f"run-{index}", chance)
            history.go()
            told = "\n".join(map(str, sorted(history.calls, key=lambda call: call.begin)))
            assert order_of(history.calls) is not None, f"no order explains these answers:\n{told}"
            seen.update(f"{call.what} {call.said}" for call in history.calls)
            history.give_back()
    # Else the calls did not meet.
    assert {"delete OK", "delete FAILED_PRECONDITION", "rerun OK", "get NOT_FOUND", "get RUNNING"} <= seen


@pytest.mark.parametrize(
    "calls",
    [
        [Call("cancel", 0, 1, "OK"), Call("get", 2, 3, "RUNNING")],
        [Call("get", 0, 1, "CANCELLED"), Call("cancel", 2, 3, "OK")],
        [Call("cancel", 0, 9, "OK"), Call("get", 1, 2, "CANCELLED"), Call("get", 3, 4, "CANCELLING")],
        [Call("complete", 0, math.inf), Call("delete", 1, 2, "OK"), Call("get", 3, 4, "SUCCEEDED")],
        [Call("complete", 0, math.inf), Call("get", 1, 2, "SUCCEEDED"), Call("get", 3, 4, "CANCELLED")],
        [Call("delete", 0, 1, "OK"), Call("complete", 2, math.inf)],
        [Call("rerun", 0, 1, "OK"), Call("get", 2, 3, "RUNNING")],
    ],
    ids=lambda calls: " ".join(f"{call.what}-{call.said}" for call in calls),
)
def test_answers_that_no_order_explains_are_found(calls: list[Call]) -> None:
    assert order_of(calls) is None


def test_answers_of_calls_that_overlap_may_come_in_either_order() -> None:
    overlap = [Call("cancel", 0, 9, "OK"), Call("get", 1, 2, "RUNNING"), Call("get", 3, 4, "CANCELLING")]
    assert order_of(overlap) is not None
    late = [Call("complete", 0, math.inf), Call("cancel", 1, 2, "OK"), Call("get", 3, 4, "SUCCEEDED")]
    assert order_of(late) is not None
