"""The tasks of a run as clients read them: PipelineTaskDetail from engine.TaskRecord.

Invariant: equal records give equal tasks, whether they are encoded while the run goes on or once at its end.
"""

from __future__ import annotations

from collections.abc import Iterable

from reprise.domain.run import DetailsPart, Run, TaskRow
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.plan import job_detail_in_parts
from reprise.rpc.wire import item_bytes

_TASKS_FIELD = 1  # of engine.TaskRecords
# About a megabyte: what is read for a page of tasks.
_TASKS_IN_A_PART = 2000


def task_details(run: Run, records: bytes, outputs: engine.Values | None = None) -> tuple[DetailsPart, ...]:
    """engine.TaskRecords as a PipelineJobDetail in parts, at least one: its task_details in the order given, that of
    their ids, then what the run as a whole gave.
    """
    given = outputs.SerializeToString() if outputs is not None else b""
    return job_detail_in_parts(records, given, str(run.name), run.id, _TASKS_IN_A_PART)


def row_details(run: Run, rows: Iterable[TaskRow]) -> bytes:
    """As `task_details`, whole, from records that are still bytes."""
    records = b"".join(item_bytes(_TASKS_FIELD, row.record) for row in rows)
    return b"".join(part.wire for part in task_details(run, records))
