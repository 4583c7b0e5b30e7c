"""The handlers as gRPC methods, under every service name by which they can be called.

They mount in a server of ours or of a host's, synchronous or asyncio. Invariant: whatever a handler raises
leaves as a status with an ErrorInfo; an exception's own text never does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NoReturn

import grpc

from reprise.domain.errors import ResourceExhausted
from reprise.domain.run import Party
from reprise.rpc.call import Call
from reprise.rpc.errors import status_of
from reprise.rpc.handlers import OperationHandlers, PipelineHandlers, Streaming, Unary

OPERATIONS = "google.longrunning.Operations"
SERVICES = {party: f"{party}.PipelineService" for party in Party}

_REQUEST_ID = "x-request-id"
_STATUS_DETAILS = "grpc-status-details-bin"
_GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}
# Threads beyond the limit, which only say that the limit is reached.
_SPARE_THREADS = 4


class WaitingRoom:
    """Threads for calls that hold one for long: their own, so that they cannot starve the others."""

    def __init__(self, limit: int) -> None:
        self.pool = ThreadPoolExecutor(limit + _SPARE_THREADS, thread_name_prefix="reprise-waiting")
        self._limit = limit
        self._free = threading.BoundedSemaphore(limit)

    @contextmanager
    def seat(self) -> Iterator[None]:
        """Errors: ResourceExhausted when all are taken."""
        if not self._free.acquire(blocking=False):
            raise ResourceExhausted(f"{self._limit} calls are waiting or following a log already")
        try:
            yield
        finally:
            self._free.release()


def generic_handlers(
    pipelines: PipelineHandlers, operations: OperationHandlers, waiting: WaitingRoom
) -> tuple[grpc.GenericRpcHandler, ...]:
    """To be given to `add_generic_rpc_handlers` of a grpc.Server or a grpc.aio.Server."""
    shared: dict[str, Unary] = {
        "CreatePipelineJob": pipelines.create_pipeline_job,
        "GetPipelineJob": pipelines.get_pipeline_job,
        "ListPipelineJobs": pipelines.list_pipeline_jobs,
        "DeletePipelineJob": pipelines.delete_pipeline_job,
        "BatchDeletePipelineJobs": pipelines.batch_delete_pipeline_jobs,
        "CancelPipelineJob": pipelines.cancel_pipeline_job,
        "BatchCancelPipelineJobs": pipelines.batch_cancel_pipeline_jobs,
    }
    own: dict[str, Unary] = {
        "RerunPipelineJob": pipelines.rerun_pipeline_job,
        "PlanRerun": pipelines.plan_rerun,
    }
    running: dict[str, Unary] = {
        "ListOperations": operations.list_operations,
        "GetOperation": operations.get_operation,
        "DeleteOperation": operations.delete_operation,
        "CancelOperation": operations.cancel_operation,
    }
    services: dict[str, dict[str, grpc.RpcMethodHandler]] = {
        name: {method: _unary(handler, party) for method, handler in shared.items()}
        for party, name in SERVICES.items()
    }
    reprise = services[SERVICES[Party.REPRISE]]
    reprise.update({method: _unary(handler, Party.REPRISE) for method, handler in own.items()})
    reprise["GetTaskLog"] = _streaming(pipelines.get_task_log, Party.REPRISE, waiting)
    services[OPERATIONS] = {method: _unary(handler, Party.REPRISE) for method, handler in running.items()}
    services[OPERATIONS]["WaitOperation"] = _waiting(operations.wait_operation, Party.REPRISE, waiting)
    return tuple(grpc.method_handlers_generic_handler(name, methods) for name, methods in services.items())


def _unary(handler: Unary, party: Party) -> grpc.RpcMethodHandler:
    def answer(data: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            return handler(data, _call(party, context))
        except Exception as error:
            _abort(context, error)

    return grpc.unary_unary_rpc_method_handler(answer)


def _waiting(handler: Unary, party: Party, waiting: WaitingRoom) -> grpc.RpcMethodHandler:
    def answer(data: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            with waiting.seat():
                return handler(data, _call(party, context))
        except Exception as error:
            _abort(context, error)

    answer.experimental_thread_pool = waiting.pool  # type: ignore[attr-defined]  # how grpcio is told
    return grpc.unary_unary_rpc_method_handler(answer)


def _streaming(handler: Streaming, party: Party, waiting: WaitingRoom) -> grpc.RpcMethodHandler:
    def answer(data: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        try:
            with waiting.seat():
                yield from handler(data, _call(party, context))
        except Exception as error:
            _abort(context, error)

    answer.experimental_thread_pool = waiting.pool  # type: ignore[attr-defined]
    return grpc.unary_stream_rpc_method_handler(answer)


def _call(party: Party, context: grpc.ServicerContext) -> Call:
    request_id = next((value for key, value in context.invocation_metadata() or () if key == _REQUEST_ID), "")
    # An asyncio server's context for synchronous handlers cannot tell.
    return Call(party, request_id, getattr(context, "is_active", _always))


def _always() -> bool:
    return True


def _abort(context: grpc.ServicerContext, error: Exception) -> NoReturn:
    status = status_of(error)
    context.set_trailing_metadata(((_STATUS_DETAILS, status.SerializeToString()),))
    context.abort(_GRPC_CODES[status.code], status.message)
    raise AssertionError("abort raises")
