"""The machine of a run and the records that it keeps, as the scheduler uses them."""

from __future__ import annotations

import pytest
from google.protobuf import json_format, struct_pb2
from reprise.domain.run import AttemptRow
from reprise.domain.states import AttemptState
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.plan import Pieces, RunMachine

_SPEC = {
    "schemaVersion": "2.1.0",
    "pipelineInfo": {"name": "two"},
    "deploymentSpec": {"executors": {"exec-a": {"container": {"image": "none", "command": ["true"]}}}},
    "components": {"comp-a": {"executorLabel": "exec-a"}},
    "root": {
        "dag": {
            "tasks": {
                "first": {"taskInfo": {"name": "first"}, "componentRef": {"name": "comp-a"}},
                "second": {
                    "taskInfo": {"name": "second"},
                    "componentRef": {"name": "comp-a"},
                    "dependentTasks": ["first"],
                },
            }
        }
    },
}


def machine(stored: list[bytes] | None = None) -> RunMachine:
    spec = json_format.ParseDict(_SPEC, struct_pb2.Struct()).SerializeToString()
    return RunMachine(Pieces(engine.RunRequest(), spec), stored or [])


def started(run: RunMachine) -> int:
    """The id of `first`, which runs."""
    [decision] = run.begin(1).decisions
    task_id = decision.launch.task_id
    run.start_attempts([AttemptRow(task_id, 1, AttemptState.RUNNING, "none", b"", 2)], 2)
    return task_id


def test_an_end_that_is_told_with_the_cancel_of_its_run_is_no_failure_of_it() -> None:
    """As after a restart: the earlier server had asked the task to stop, and the core of this one is told both at
    once."""
    run = machine()
    ended = engine.LeafEnded(task_id=started(run), state=engine.CANCELLED)
    decisions = run.tell([(ended, "")], [], 3, cancel=True)
    assert decisions.run_ended.state == engine.CANCELLED


@pytest.mark.parametrize("is_told_so", [False, True])
def test_a_machine_takes_up_a_run_where_its_rows_left_it(is_told_so: bool) -> None:
    run = machine()
    task_id = started(run)
    ended = engine.LeafEnded(task_id=task_id, state=engine.SUCCEEDED, outputs=engine.Values())
    told = ([], [(task_id, "")]) if is_told_so else ([(ended, "")], [])
    [launched] = run.tell(*told, 3).decisions
    rows = {row.task_id: row.record for row in run.take_dirty()}
    again = machine(list(rows.values()))
    assert list(again.begin(4).decisions) == [launched]
    assert again.all_records() == run.all_records()
    assert again.record(task_id).end_order == 1
    assert not again.has_failed and again.any_running() is None


def test_a_start_that_is_taken_back_is_stored_as_it_was_before() -> None:
    run = machine()
    [decision] = run.begin(1).decisions
    before = run.take_dirty()
    [row] = run.start_attempts(
        [AttemptRow(decision.launch.task_id, 1, AttemptState.RUNNING, "none", b"", 2)], 2
    )
    assert row.state == engine.RUNNING
    run.take_back({row.task_id})
    assert run.take_dirty() == [one for one in before if one.task_id == row.task_id]


def test_the_rows_of_a_machine_are_a_sequence_like_any_other() -> None:
    run = machine()
    run.begin(1)
    rows = run.take_dirty()
    first, second = rows
    assert [first.path, second.path] == ["first", "second"]
    assert engine.TaskRecord.FromString(second.record).task_id == second.task_id
    assert (rows[0], rows[-1], rows[1:], rows[::-1]) == (first, second, [second], [second, first])
    assert rows == (first, second) and rows != [first] and second in rows and rows.index(second) == 1
    for place in (2, -3):
        with pytest.raises(IndexError):
            rows[place]
    assert not run.take_dirty()
