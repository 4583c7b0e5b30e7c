"""From Cancel to CANCELLED, for tasks that do not want to die; and one that cannot be killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from reprise.pb.v1 import pipeline_state_pb2 as states

from .conftest import Scale
from .embedded import embedded, until
from .lives import processes_with

_GRACE_S = 0.3
_TASKS = {
    "deaf to SIGTERM": "trap '' TERM\nsleep 300 & wait\nsleep 300",
    "another session": "setsid sh -c \"trap '' TERM; sleep 300\" < /dev/null > /dev/null 2>&1 &\nsleep 300",
    "double fork": "( ( setsid sleep 300 & ) & )\nsleep 300",
    "forks in a loop": "trap '' TERM\nwhile :; do (trap '' TERM; sleep 0.2 &) ; sleep 0.01; done",
    "stops itself": "kill -STOP $$",
}


@pytest.mark.timeout(900)
def test_cancelled_is_reached_within_the_grace_and_a_second_and_nothing_survives(
    tmp_path: Path, scale: Scale
) -> None:
    ledger, took_s = tmp_path / "ledger", []
    with embedded(tmp_path / "data", ledger) as stage:
        for index in range(max(len(_TASKS), scale.cancels)):
            script = list(_TASKS.values())[index % len(_TASKS)]
            before = len(stage.begun())
            stage.submit(f"run-{index}", {"a": (script, ())})
            until(lambda before=before: len(stage.begun()) > before)  # type: ignore[misc]
            began = time.monotonic()
            stage.client.cancel(f"run-{index}")
            job = stage.client.wait(f"run-{index}", 60)
            took_s.append(time.monotonic() - began)
            assert job.state == states.PIPELINE_STATE_CANCELLED
            assert processes_with(b"LEDGER=" + str(ledger).encode()) == []
    took_s.sort()
    p99 = took_s[min(len(took_s) - 1, int(len(took_s) * 0.99))]
    print(
        f"{len(took_s)} cancels: median {took_s[len(took_s) // 2]:.2f} s, p99 {p99:.2f} s, grace {_GRACE_S} s"
    )
    assert p99 <= _GRACE_S + 1.0


@pytest.fixture
def freezer(tmp_path: Path) -> Iterator[Path]:
    """A cgroup (v1) in which even SIGKILL has to wait."""
    place = Path(f"/sys/fs/cgroup/freezer/reprise-test-{os.getpid()}")
    try:
        place.mkdir()
    except OSError:
        pytest.skip("a process that cannot be killed takes the v1 freezer")
    yield place
    (place / "freezer.state").write_text("THAWED")
    deadline = time.monotonic() + 10
    while pids := (place / "cgroup.procs").read_text().split():
        assert time.monotonic() < deadline
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.01)
    place.rmdir()


@pytest.mark.slow
def test_a_run_that_cannot_be_proven_dead_says_which_process_and_ends_when_it_is(
    tmp_path: Path, freezer: Path, scale: Scale
) -> None:
    if not scale.is_long:
        pytest.skip("killing is tried for 30 s: long form")
    ledger = tmp_path / "ledger"
    with embedded(tmp_path / "data", ledger) as stage:
        stage.submit("frozen", {"a": ("exec sleep 300", ())})
        until(lambda: stage.begun() == ["a"])
        pid = processes_with(b"LEDGER=" + str(ledger).encode())[0]
        (freezer / "cgroup.procs").write_text(str(pid))
        (freezer / "freezer.state").write_text("FROZEN")
        stage.client.cancel("frozen")
        until(lambda: bool(stage.client.get("frozen").error.message))
        job = stage.client.get("frozen")
        assert job.state == states.PIPELINE_STATE_CANCELLING and str(pid) in job.error.message
        (freezer / "freezer.state").write_text("THAWED")
        assert stage.client.wait("frozen", 60).state == states.PIPELINE_STATE_CANCELLED
