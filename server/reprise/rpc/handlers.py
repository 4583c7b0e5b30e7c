"""The calls: decode, ask whether the caller may, one use case, encode. Bytes in, bytes out; nothing here knows grpc."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from reprise.domain.authorization import Permission
from reprise.rpc import cache_requests, decode, encode, plan_answers, requests, task_pages
from reprise.rpc.call import Call
from reprise.rpc.edge import Edge
from reprise.rpc.task_log import LogReader
from reprise.rpc.watch import Outlet, Watches

if TYPE_CHECKING:
    from reprise.service import PipelineService

Unary = Callable[[bytes, Call], bytes]
Streaming = Callable[[bytes, Call], Iterator[bytes]]
Telling = Callable[[bytes, Call, Outlet], None]

# So long at most an operation is waited for before it is seen whether anybody still waits for the answer.
_WAIT_SLICE_S = 2.0


class PipelineHandlers:
    """reprise.v1.PipelineService, and under two more names the part of it that Vertex AI has."""

    def __init__(
        self,
        service: PipelineService,
        logs: LogReader,
        watches: Watches | None = None,
        edge: Edge | None = None,
    ) -> None:
        edge = edge or Edge()
        self._service = service
        self._logs = logs
        self._watches = watches or Watches()
        self._projects = edge.projects
        self._limits = edge.limits
        self._get_requests = requests.GetRequests(edge.projects)

    def create_pipeline_job(self, data: bytes, call: Call) -> bytes:
        command = decode.create_run(data, call.request_id, self._projects, self._limits)
        call.needs(Permission.CREATE, command.parent)
        call.needs_for_inputs(command)
        return encode.run(self._service.create(command), command.spec)

    def get_pipeline_job(self, data: bytes, call: Call) -> bytes:
        name, mask = self._get_requests.read(data)
        call.needs(Permission.GET, name.parent)
        return encode.masked(name, mask, self._service.get_run, self._service.get)

    def list_pipeline_jobs(self, data: bytes, call: Call) -> bytes:
        query, mask = requests.list_runs(data, self._projects)
        call.needs(Permission.LIST, query.parent)
        return encode.page(self._service.list(query), mask, self._service.get)

    def delete_pipeline_job(self, data: bytes, call: Call) -> bytes:
        name = requests.delete_run(data, self._projects)
        call.needs(Permission.DELETE, name.parent)
        return encode.operation(self._service.delete(name, call.party))

    def batch_delete_pipeline_jobs(self, data: bytes, call: Call) -> bytes:
        parent, names = requests.batch_delete(data, self._projects, self._limits.batch_names)
        call.needs(Permission.DELETE, parent)
        return encode.operation(self._service.batch_delete(parent, names, call.party))

    def cancel_pipeline_job(self, data: bytes, call: Call) -> bytes:
        name = requests.cancel_run(data, self._projects)
        call.needs(Permission.CANCEL, name.parent)
        self._service.cancel(name)
        return encode.EMPTY

    def batch_cancel_pipeline_jobs(self, data: bytes, call: Call) -> bytes:
        parent, names = requests.batch_cancel(data, self._projects, self._limits.batch_names)
        call.needs(Permission.CANCEL, parent)
        return encode.operation(self._service.batch_cancel(parent, names, call.party))

    def rerun_pipeline_job(self, data: bytes, call: Call) -> bytes:
        with decode.in_rerun():
            command = decode.rerun(data, call.request_id, self._projects, self._limits)
            call.needs(Permission.CREATE, command.parent)
            call.needs(Permission.GET, command.parent)
            call.needs_for_inputs(command)
            return encode.run(self._service.create(command), command.spec)

    def plan_rerun(self, data: bytes, call: Call) -> bytes:
        query = decode.plan_rerun(data, self._projects, self._limits)
        call.needs(Permission.GET, query.command.parent)
        call.needs_for_inputs(query.command)
        start, etag = plan_answers.read_plan_token(query.page_token)
        with decode.in_rerun("rerun."):
            command = query.command
            view = self._service.plan_again(command, etag) if etag else self._service.plan(command)
        return plan_answers.plan_page(view, start, query.page_size)

    def stream_plan_rerun(self, data: bytes, call: Call) -> Iterator[bytes]:
        query = decode.plan_stream(data, self._projects, self._limits)
        call.needs(Permission.GET, query.command.parent)
        call.needs_for_inputs(query.command)
        with decode.in_rerun("rerun."):
            view = self._service.plan(query.command)
        return plan_answers.plan_stream(view, query.page_size)

    def explain_task(self, data: bytes, call: Call) -> bytes:
        query = cache_requests.explain_task(data, self._projects)
        call.needs(Permission.GET, query.name.parent)
        if query.against is not None:
            call.needs(Permission.GET, query.against.parent)
        return plan_answers.explanation(self._service.explain(query.name, query.task, query.against))

    def list_cache_entries(self, data: bytes, call: Call) -> bytes:
        asked = cache_requests.list_cache(data, self._projects)
        call.needs(Permission.LIST_CACHE, asked.parent)
        return plan_answers.cache_page(
            self._service.list_cache(asked.query, asked.page_size, asked.page_token)
        )

    def drop_cache_entries(self, data: bytes, call: Call) -> bytes:
        asked = cache_requests.drop_cache(data, self._projects)
        call.needs(Permission.DROP_CACHE, asked.parent)
        return plan_answers.cache_dropped(self._service.drop_cache(asked.query))

    def list_pipeline_tasks(self, data: bytes, call: Call) -> bytes:
        query = requests.list_tasks(data, self._projects)
        call.needs(Permission.GET, query.name.parent)
        return task_pages.page(query, self._service.tasks, call.is_active)

    def watch_pipeline_job(self, data: bytes, call: Call) -> Iterator[bytes]:
        return self._watches.pull(self._watch_query(data, call), self._service, call)

    def begin_watch(self, data: bytes, call: Call, outlet: Outlet) -> None:
        """`watch_pipeline_job` without a thread that waits."""
        self._watches.begin(self._watch_query(data, call), self._service, call, outlet)

    def _watch_query(self, data: bytes, call: Call) -> requests.WatchQuery:
        query = requests.watch_run(data, self._projects)
        call.needs(Permission.GET, query.name.parent)
        return query

    def get_task_log(self, data: bytes, call: Call) -> Iterator[bytes]:
        query = requests.task_log(data, self._projects)
        call.needs(Permission.GET, query.name.parent)
        return self._logs.read(query, self._service.task_log, call)


class OperationHandlers:
    """google.longrunning.Operations."""

    def __init__(self, service: PipelineService, edge: Edge | None = None) -> None:
        self._service = service
        self._projects = (edge or Edge()).projects

    def list_operations(self, data: bytes, call: Call) -> bytes:
        parent, page_size, page_token = requests.list_operations(data, self._projects)
        call.needs(Permission.LIST_OPERATIONS, parent)
        return encode.operations(self._service.list_operations(parent, page_size, page_token))

    def get_operation(self, data: bytes, call: Call) -> bytes:
        name = requests.get_operation(data, self._projects)
        call.needs(Permission.GET_OPERATION, name.parent)
        return encode.operation(self._service.get_operation(name))

    def delete_operation(self, data: bytes, call: Call) -> bytes:
        name = requests.delete_operation(data, self._projects)
        call.needs(Permission.DELETE_OPERATION, name.parent)
        self._service.delete_operation(name)
        return encode.EMPTY

    def cancel_operation(self, data: bytes, call: Call) -> bytes:
        name = requests.cancel_operation(data, self._projects)
        call.needs(Permission.CANCEL_OPERATION, name.parent)
        self._service.cancel_operation(name)
        return encode.EMPTY

    def wait_operation(self, data: bytes, call: Call) -> bytes:
        name, timeout_s = requests.wait_operation(data, self._projects)
        call.needs(Permission.GET_OPERATION, name.parent)
        found = self._service.get_operation(name)
        while not found.is_done and timeout_s > 0 and call.is_active():
            found = self._service.wait_operation(name, min(timeout_s, _WAIT_SLICE_S))
            timeout_s -= _WAIT_SLICE_S
        return encode.operation(found)
