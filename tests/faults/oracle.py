"""Compares what a server keeps with what it told its callers and with what its tasks wrote down.

It reads the database past the store's code. Each check names the invariant that it holds.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from reprise.domain.states import RUN_MOVES, TASK_MOVES, AttemptState, RunState, TaskState
from reprise.executor.attempt_files import Handle, read_launch
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.pb.v1 import operations_pb2
from store.looking import (
    Look,
    SqliteLook,
    assert_blobs_are_counted,
    assert_states_moved_legally,
    attempts_of,
    changes_of,
)

from .lives import processes_with, supervisors_of
from .told import Told
from .workload import Line, read_ledger

_TERMINAL = tuple(int(state) for state in RunState if state.is_terminal)


class Oracle:
    """For a server that has stopped and whose runs have all ended."""

    def __init__(self, data_dir: Path, ledger: Path, told: Told) -> None:
        self._data_dir = data_dir
        self._ledger_path = ledger
        self._ledger = read_ledger(ledger)
        self._told = told
        self._look: Look = SqliteLook(data_dir / "reprise.db")
        self._runs = {
            row[0]: row
            for row in self._look.rows("SELECT id, job_id, state, error_code, error_message FROM runs")
        }
        self._attempts = [
            (one["run_id"], one["task_id"], one["number"], one["state"], one["handle"])
            for one in attempts_of(self._look)
        ]
        self._records = {run_id: self._records_of(run_id) for run_id in self._runs}

    def check(self) -> None:
        assert self._told.faults == [], self._told.faults[:5]
        self.check_database()
        self.check_outcomes()
        self.check_order()
        self.check_starts()
        self.check_moves()
        self.check_acknowledged()
        self.check_operations()
        self.check_successes()
        self.check_reuse()
        self.check_survivors()

    def check_database(self) -> None:
        """I-7, I-22: nothing that a stored run names is missing, nothing is kept for nothing."""
        assert self._look.rows("PRAGMA integrity_check") == [("ok",)]
        assert self._look.rows("PRAGMA foreign_key_check") == []
        assert_blobs_are_counted(self._look)
        assert_states_moved_legally(self._look)

    def check_outcomes(self) -> None:
        """I-1: one outcome for an attempt, one success for a task."""
        successes = Counter(row[:2] for row in self._attempts if row[3] == AttemptState.SUCCEEDED)
        assert not [task for task, count in successes.items() if count > 1]
        for run_id in self._runs:
            ends = Counter(
                (task, attempt)
                for task, attempt, _, after in changes_of(self._look, run_id)
                if attempt and AttemptState(after).is_terminal
            )
            assert not [key for key, count in ends.items() if count > 1], f"run {run_id}: {ends}"
        assert not [row for row in self._attempts if not AttemptState(row[3]).is_terminal]

    def check_order(self) -> None:
        """I-2: by the ledger, everything that a task comes after had ended when it began, or was reused."""
        by_id = {run.run_id: run for run in self._told.runs.values()}
        ended: set[tuple[int, str]] = set()
        for line in self._ledger:
            asked = by_id.get(line.run_id)
            if line.word == "end":
                ended.add((line.run_id, line.task))
            elif asked is not None:
                reused = self._reused(line.run_id)
                late = [
                    name
                    for name in asked.tasks[line.task]
                    if (line.run_id, name) not in ended and name not in reused
                ]
                deleted = line.run_id not in self._runs
                assert not late or (deleted and asked.original), (
                    f"{asked.job_id}: {line.task} began before {late}"
                )

    def check_starts(self) -> None:
        """I-3, I-8: an attempt runs at most once, and only after its start was committed; none after a cancel."""
        begins = Counter(line.mark for line in self._ledger if line.word == "begin")
        assert not [mark for mark, count in begins.items() if count > 1]
        committed = {json.loads(row[4])["marker"] for row in self._attempts}
        stray = [line for line in self._ledger if line.run_id in self._runs and line.mark not in committed]
        assert stray == []
        for run_id in self._runs:
            is_cancelling = False
            for task_id, attempt, before, after in changes_of(self._look, run_id):
                if task_id == 0 and after in (RunState.CANCELLING, RunState.CANCELLED):
                    is_cancelling = True
                assert not (is_cancelling and attempt and before == 0), (
                    f"run {run_id}: a start after the cancel"
                )

    def check_moves(self) -> None:
        """I-5: only along the edges."""
        for run_id in self._runs:
            for task_id, attempt, before, after in changes_of(self._look, run_id):
                if before == 0:
                    continue
                if attempt:
                    assert not AttemptState(before).is_terminal
                elif task_id:
                    assert TaskState(after) in TASK_MOVES[TaskState(before)]
                else:
                    assert RunState(after) in RUN_MOVES[RunState(before)]

    def check_acknowledged(self) -> None:
        """I-10, I-11, I-12, I-20: what was told is so, what was not told is whole or not there."""
        by_job = {row[1]: row for row in self._runs.values()}
        assert len(by_job) == len(self._runs)
        requests = self._look.rows("SELECT request_id, run_id FROM request_ids")
        assert len({run_id for _, run_id in requests}) == len(requests)
        for asked in self._told.runs.values():
            row = by_job.get(asked.job_id)
            if asked.is_delete_acknowledged:
                assert row is None, f"{asked.job_id} was deleted and is there"
            elif asked.run_id and not asked.is_delete_asked:
                assert row is not None and row[0] == asked.run_id, f"{asked.job_id} is lost"
            if row is None:
                continue
            assert row[2] in _TERMINAL, f"{asked.job_id} has not ended: {RunState(row[2]).name}, {row[4]}"
            assert asked.ended_as in (0, row[2]), f"{asked.job_id} changed after its end"
            assert row[3] != 13, f"{asked.job_id}: {row[4]}"
            if asked.is_cancel_acknowledged:
                # It may have ended before; then nothing of it was cancelled.
                was_cancelled = any(
                    task_id == 0 and after in (RunState.CANCELLING, RunState.CANCELLED)
                    for task_id, attempt, _, after in changes_of(self._look, row[0])
                    if not attempt
                )
                assert was_cancelled or row[2] in (RunState.SUCCEEDED, RunState.FAILED), asked.job_id
        whole = self._look.rows(
            "SELECT count(*) FROM runs JOIN run_payloads ON run_payloads.run_id = runs.id "
            "JOIN run_details ON run_details.run_id = runs.id JOIN blobs ON digest = spec_digest"
        )
        assert whole == [(len(self._runs),)]

    def check_operations(self) -> None:
        """I-13, I-14: a batch names each run once, is done, and says what it said before."""
        for name, jobs in self._told.batches.items():
            operation_id = int(name.rpartition("/")[2])
            targets = self._look.rows(
                f"SELECT name, outcome, state FROM operation_targets WHERE operation_id = {operation_id}"
            )
            assert [target[0].rpartition("/")[2] for target in targets] == jobs
            assert all(outcome in ("cancelled", "already_ended") for _, outcome, _ in targets), targets
            assert self._look.rows(f"SELECT is_done FROM operations WHERE id = {operation_id}") == [(1,)]
            if name in self._told.done:
                metadata = operations_pb2.BatchCancelPipelineJobsOperationMetadata()
                assert self._told.done[name].metadata.Unpack(metadata)
                said = {target.name: target.outcome for target in metadata.targets}
                words = operations_pb2.OperationTarget.Outcome
                assert said == {target: words.Value(outcome.upper()) for target, outcome, _ in targets}

    def check_successes(self) -> None:
        """I-17: who wrote its last line has succeeded, unless the run was cancelled or its supervisor killed."""
        states = {(run_id, task_id, number): state for run_id, task_id, number, state, _ in self._attempts}
        cancelled = {
            run_id
            for run_id in self._runs
            if any(
                task == 0 and after == RunState.CANCELLING
                for task, _, _, after in changes_of(self._look, run_id)
            )
        }
        for line in self._ledger:
            if line.word == "end" and line.run_id in self._runs and line.run_id not in cancelled:
                if line.mark in self._told.killed_supervisors or self._was_to_crash(line):
                    continue
                state = states[line.run_id, line.task_id, line.number]
                assert state == AttemptState.SUCCEEDED, f"{line} is {AttemptState(state).name}"

    def check_reuse(self) -> None:
        """I-6: a reused outcome is the one of the run and task that it names."""
        for run_id, records in self._records.items():
            for task in records.tasks:
                if task.HasField("source") and task.source.run_id in self._records:
                    source = next(
                        one
                        for one in self._records[task.source.run_id].tasks
                        if one.task_id == task.source.task_id
                    )
                    assert task.outputs.SerializeToString() == source.outputs.SerializeToString(), (
                        run_id,
                        task.path,
                    )

    def check_survivors(self) -> None:
        """I-4: nothing is alive, by the environment of the processes, the ledger, and the supervisors' own marks."""
        assert processes_with(b"LEDGER=" + str(self._ledger_path).encode()) == []
        assert supervisors_of(self._data_dir) == {}

    @property
    def runs(self) -> int:
        return len(self._told.runs)

    @property
    def begun(self) -> int:
        return sum(line.word == "begin" for line in self._ledger)

    def _was_to_crash(self, line: Line) -> bool:
        attempt = self._data_dir / f"runs/{line.run_id}/{line.task_id}/{line.number}"
        return bool(read_launch(Handle(str(attempt), "")).get("crash_at"))

    def _reused(self, run_id: int) -> set[str]:
        records = self._records.get(run_id)
        return (
            {task.path for task in records.tasks if task.HasField("source")} if records is not None else set()
        )

    def _records_of(self, run_id: int) -> Any:
        rows = self._look.rows(
            f"SELECT bytes FROM runs JOIN blobs ON digest = records_digest JOIN blob_bytes ON blob_bytes.id = blobs.id "
            f"WHERE runs.id = {run_id}"
        )
        return engine.TaskRecords.FromString(rows[0][0]) if rows else engine.TaskRecords()
