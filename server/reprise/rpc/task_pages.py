"""Pages of the tasks of one run, of which only what a page needs is read.

Invariant: across the pages of one query a task is given exactly once, also when the run ends in between. Work for
one page is bounded: where a filter passes over many tasks, a page may be short, and still has a token.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from reprise.domain.names import RunName
from reprise.domain.run import TaskSlice
from reprise.pb.v1 import pipeline_job_pb2
from reprise.rpc.requests import TasksQuery
from reprise.rpc.task_details import row_details
from reprise.rpc.wire import field_bytes, fields, item_bytes

Read = Callable[[RunName, int, int], TaskSlice]

_TASK_DETAILS_FIELD = 3  # of a PipelineJobDetail
_TASK_ID_KEY = b"\x08"  # how every PipelineTaskDetail of ours begins: its task_id
_TASKS_FIELD = 1  # of a ListPipelineTasksResponse
_TOKEN_FIELD = 2
_LONGEST_SEARCH_S = 0.1
_ROWS_AT_ONCE = 1000


def page(query: TasksQuery, read: Read, is_active: Callable[[], bool]) -> bytes:
    """A ListPipelineTasksResponse. Errors: NotFound."""
    found: list[bytes] = []
    after, token_after = query.after_task_id, 0
    until = time.monotonic() + _LONGEST_SEARCH_S
    while True:
        wanted = _ROWS_AT_ONCE if query.filter.test is not None else query.page_size
        part = read(query.name, after, wanted)
        last_seen = after
        for task_id, wire in tasks_of(part):
            if task_id <= after:
                continue
            if len(found) == query.page_size:
                token_after = last_seen
                break
            last_seen = task_id
            encoded = _encoded(query, wire)
            if encoded is not None:
                found.append(item_bytes(_TASKS_FIELD, encoded))
        if token_after or not part.next_task_id:
            break
        after = max(last_seen, part.next_task_id - 1)
        if len(found) == query.page_size or time.monotonic() > until or not is_active():
            token_after = after
            break
    token = f"{query.arguments}.{token_after}" if token_after else ""
    return b"".join((*found, field_bytes(_TOKEN_FIELD, token.encode())))


def tasks_of(part: TaskSlice) -> Iterator[tuple[int, bytes]]:
    """The id and the PipelineTaskDetail of each task of a slice, in order."""
    wire = part.details_wire or row_details(part.run, part.rows)
    for number, start, end in fields(wire):
        if number == _TASK_DETAILS_FIELD:
            yield _task_id(wire, start), wire[start:end]


def paths_of(name: RunName, task_ids: set[int], read: Read) -> dict[int, str]:
    """The path of each of these tasks that the run has."""
    paths: dict[int, str] = {}
    left = sorted(task_ids)
    while left:
        part = read(name, left[0] - 1, _ROWS_AT_ONCE)
        if part.rows:
            paths |= {row.task_id: row.path for row in part.rows}
            last = part.rows[-1].task_id
        else:
            wanted, last = set(left), 0
            for task_id, wire in tasks_of(part):
                last = task_id
                if task_id in wanted:
                    paths[task_id] = pipeline_job_pb2.PipelineTaskDetail.FromString(wire).task_unique_name
        left = [task_id for task_id in left if task_id > max(last, left[0])]
    return {task_id: paths[task_id] for task_id in task_ids if task_id in paths}


def _encoded(query: TasksQuery, wire: bytes) -> bytes | None:
    """The task as it is asked for; None: it is not."""
    if query.filter.test is None and query.mask.tree is None:
        return wire
    task = pipeline_job_pb2.PipelineTaskDetail.FromString(wire)
    if query.filter.test is not None and not query.filter.test(task):
        return None
    if query.mask.tree is None:
        return wire
    query.mask.prune(task)
    return task.SerializeToString()


def _task_id(wire: bytes, at: int) -> int:
    if wire[at : at + 1] != _TASK_ID_KEY:
        raise ValueError("a stored task does not begin with its id")
    number, shift = 0, 0
    while True:
        at += 1
        number |= (wire[at] & 0x7F) << shift
        shift += 7
        if wire[at] < 0x80:
            return number
