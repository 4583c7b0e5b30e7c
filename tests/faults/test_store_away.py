"""A store that does not answer for a while kills no task, starts none, and loses no acknowledgement (I-19)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from reprise.client.errors import UnavailableError
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.store.open import open_store

from .embedded import embedded, until
from .workload import read_ledger


def test_runs_go_on_when_the_store_comes_back_and_nothing_was_killed_or_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "reprise.main.open_store", lambda place, now_ns: open_store(place, busy_timeout_s=0.05)
    )
    gate, ledger = tmp_path / "gate", tmp_path / "ledger"
    waits = f"while ! test -e {gate}; do sleep 0.02; done"
    with embedded(tmp_path / "data", ledger) as stage:
        stage.submit("held", {"a": (waits, ()), "b": ("", ("a",))})
        until(lambda: stage.begun() == ["a"])
        stage.submit("kept", {"a": ("", ())})
        stage.client.wait("kept", 60)
        holder = sqlite3.connect(tmp_path / "data" / "reprise.db")
        holder.isolation_level = None
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError) as refused:
            stage.submit("refused", {"a": ("", ())})
        assert refused.value.reason == "STORE_UNAVAILABLE"
        gate.touch()
        until(lambda: any(line.word == "end" and line.task == "a" for line in read_ledger(ledger)[3:]))
        with pytest.raises(UnavailableError):
            stage.client.cancel("held")
        assert stage.state("kept") == states.PIPELINE_STATE_SUCCEEDED, "reads go on"
        assert stage.begun().count("b") == 0, "nothing starts meanwhile"
        holder.execute("ROLLBACK")
        holder.close()
        job = stage.client.wait("held", 60)
        assert job.state == states.PIPELINE_STATE_SUCCEEDED and not job.error.code
        details = {task.task_unique_name: task for task in stage.client.get("held").job_detail.task_details}
        assert {path: task.attempts for path, task in details.items()} == {"a": 1, "b": 1}
