"""Plans, explanations and cache entries as messages of the public API.

Invariant: the tasks of a plan are put into an answer as the core wrote them; a page token names the plan that it is of.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reprise.domain.cache import CacheEntry, CachePage
from reprise.domain.errors import FieldProblem, InvalidArgument
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.pb.v1 import cache_pb2, explain_pb2, pipeline_job_pb2, rerun_pb2
from reprise.rpc.times import set_time

if TYPE_CHECKING:
    from reprise.comparison import Comparison
    from reprise.explanation import CacheExplanation, TaskExplanation
    from reprise.recent_plans import PlanView


def plan_page(view: PlanView, start: int, page_size: int) -> bytes:
    """A PlanRerunResponse with the tasks from `start` on."""
    end = min(start + page_size, view.size)
    token = _token(end, view.etag) if end < view.size else ""
    return _head(view, token) + view.plan.tasks(min(start, view.size), end)


def plan_stream(view: PlanView, page_size: int) -> Iterator[bytes]:
    """PlanRerunResponses: first all but the tasks, then the tasks, `page_size` to a message."""
    yield _head(view, "")
    for start in range(0, view.size, page_size):
        yield view.plan.tasks(start, min(start + page_size, view.size))


def _head(view: PlanView, next_page_token: str) -> bytes:
    head = view.plan.head
    answer = rerun_pb2.PlanRerunResponse(
        etag=view.etag,
        pipeline_name=head.pipeline_name,
        warnings=head.warnings,
        total_size=view.size,
        next_page_token=next_page_token,
    )
    return answer.SerializeToString() + view.plan.counts_wire


def _token(start: int, etag: str) -> str:
    return base64.urlsafe_b64encode(f"{start}/{etag}".encode()).decode()


def read_plan_token(token: str) -> tuple[int, str]:
    """Where the page begins, and the etag of its plan; (0, "") without a token. Errors: InvalidArgument."""
    if not token:
        return 0, ""
    try:
        start, _, etag = base64.urlsafe_b64decode(token.encode()).decode().partition("/")
        first = int(start)
    except (ValueError, binascii.Error):
        first, etag = -1, ""
    if first < 0 or not etag:
        raise InvalidArgument(FieldProblem("page_token", "expected a token of an earlier answer"))
    return first, etag


def explanation(found: TaskExplanation) -> bytes:
    """An ExplainTaskResponse."""
    record = found.record
    answer = explain_pb2.ExplainTaskResponse(
        task_unique_name=record.path,
        task_id=record.task_id,
        state=record.state,  # type: ignore[arg-type]  # the numbers are the engine's
        verdict=record.verdict,  # type: ignore[arg-type]
        reason=record.reason,  # type: ignore[arg-type]
        reason_field=record.reason_field,
        caused_by=record.caused_by,
        reused_from=_source(record.source) if record.HasField("source") else None,
        summary=found.summary,
        comparison=_comparison(found.comparison) if found.comparison else None,
        cache=_cache_explanation(found.cache) if found.cache else None,
    )
    return answer.SerializeToString()


def _comparison(found: Comparison) -> explain_pb2.TaskComparison:
    answer = explain_pb2.TaskComparison(
        pipeline_job=found.run_name,
        finding=int(found.finding),  # type: ignore[arg-type]  # the numbers are the wire's
        differences=[
            explain_pb2.FieldDifference(
                field=each.field,
                old_value=each.old,
                new_value=each.new,
                is_cut=each.is_cut,
                caused_by=each.caused_by,
            )
            for each in found.differences
        ],
    )
    if found.task is not None:
        answer.task_id, answer.task_unique_name = found.task.task_id, found.task.path
        answer.state = found.task.state  # type: ignore[assignment]
    return answer


def _cache_explanation(found: CacheExplanation) -> explain_pb2.CacheExplanation:
    answer = explain_pb2.CacheExplanation(
        answer=found.answer,  # type: ignore[arg-type]
        note=found.note,
        entry=_source(found.source) if found.source else None,
        nearest=_comparison(found.nearest) if found.nearest else None,
    )
    if found.kept_ns:
        set_time(answer.entry_time, found.kept_ns)
    return answer


def cache_page(page: CachePage) -> bytes:
    """A ListCacheEntriesResponse."""
    answer = cache_pb2.ListCacheEntriesResponse(
        cache_entries=[_cache_entry(entry) for entry in page.entries], next_page_token=page.next_token
    )
    return answer.SerializeToString()


def cache_dropped(count: int) -> bytes:
    """A DropCacheEntriesResponse."""
    return cache_pb2.DropCacheEntriesResponse(dropped_count=count).SerializeToString()


def _cache_entry(entry: CacheEntry) -> cache_pb2.CacheEntry:
    path = engine.TaskRecord.FromString(entry.row.record).path
    answer = cache_pb2.CacheEntry(
        pipeline_name=entry.pipeline_name,
        task=entry.row.task,
        key=entry.row.key.hex(),
        source=pipeline_job_pb2.ReusedFrom(
            pipeline_job=entry.run_name, task_id=entry.row.task_id, task_unique_name=path
        ),
        is_expired=entry.is_expired,
    )
    set_time(answer.create_time, entry.row.created_ns)
    return answer


def _source(source: engine.Source) -> pipeline_job_pb2.ReusedFrom:
    return pipeline_job_pb2.ReusedFrom(
        pipeline_job=source.run_name, task_id=source.task_id, task_unique_name=source.path
    )
