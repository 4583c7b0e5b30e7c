"""The calls: decode, one use case, encode. Bytes in, bytes out; nothing here knows grpc."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from reprise.rpc import decode, encode, requests
from reprise.rpc.call import Call
from reprise.rpc.task_log import LogReader

if TYPE_CHECKING:
    from reprise.service import PipelineService

Unary = Callable[[bytes, Call], bytes]
Streaming = Callable[[bytes, Call], Iterator[bytes]]

# So long at most an operation is waited for before it is seen whether anybody still waits for the answer.
_WAIT_SLICE_S = 2.0


class PipelineHandlers:
    """reprise.v1.PipelineService, and under two more names the part of it that Vertex AI has."""

    def __init__(self, service: PipelineService, logs: LogReader) -> None:
        self._service = service
        self._logs = logs

    def create_pipeline_job(self, data: bytes, call: Call) -> bytes:
        command = decode.create_run(data, call.request_id)
        return encode.run(self._service.create(command), command.spec)

    def get_pipeline_job(self, data: bytes, call: Call) -> bytes:
        name, mask = requests.get_run(data)
        return encode.details(self._service.get(name), mask)

    def list_pipeline_jobs(self, data: bytes, call: Call) -> bytes:
        query, mask = requests.list_runs(data)
        return encode.page(self._service.list(query), mask, self._service.get)

    def delete_pipeline_job(self, data: bytes, call: Call) -> bytes:
        return encode.operation(self._service.delete(requests.delete_run(data), call.party))

    def batch_delete_pipeline_jobs(self, data: bytes, call: Call) -> bytes:
        parent, names = requests.batch_delete(data)
        return encode.operation(self._service.batch_delete(parent, names, call.party))

    def cancel_pipeline_job(self, data: bytes, call: Call) -> bytes:
        self._service.cancel(requests.cancel_run(data))
        return encode.EMPTY

    def batch_cancel_pipeline_jobs(self, data: bytes, call: Call) -> bytes:
        parent, names = requests.batch_cancel(data)
        return encode.operation(self._service.batch_cancel(parent, names, call.party))

    def rerun_pipeline_job(self, data: bytes, call: Call) -> bytes:
        with decode.in_rerun():
            command = decode.rerun(data, call.request_id)
            return encode.run(self._service.create(command), command.spec)

    def plan_rerun(self, data: bytes, call: Call) -> bytes:
        query = decode.plan_rerun(data)
        with decode.in_rerun("rerun."):
            view = self._service.plan(query.command)
        return encode.plan(view, query.page_size, query.page_token)

    def get_task_log(self, data: bytes, call: Call) -> Iterator[bytes]:
        return self._logs.read(requests.task_log(data), self._service.task_log, call)


class OperationHandlers:
    """google.longrunning.Operations."""

    def __init__(self, service: PipelineService) -> None:
        self._service = service

    def list_operations(self, data: bytes, call: Call) -> bytes:
        return encode.operations(self._service.list_operations(*requests.list_operations(data)))

    def get_operation(self, data: bytes, call: Call) -> bytes:
        return encode.operation(self._service.get_operation(requests.get_operation(data)))

    def delete_operation(self, data: bytes, call: Call) -> bytes:
        self._service.delete_operation(requests.delete_operation(data))
        return encode.EMPTY

    def cancel_operation(self, data: bytes, call: Call) -> bytes:
        self._service.cancel_operation(requests.cancel_operation(data))
        return encode.EMPTY

    def wait_operation(self, data: bytes, call: Call) -> bytes:
        name, timeout_s = requests.wait_operation(data)
        found = self._service.get_operation(name)
        while not found.is_done and timeout_s > 0 and call.is_active():
            found = self._service.wait_operation(name, min(timeout_s, _WAIT_SLICE_S))
            timeout_s -= _WAIT_SLICE_S
        return encode.operation(found)
