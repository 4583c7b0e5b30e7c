"""The handlers as gRPC methods, under every service name by which they can be called.

They mount in a server of ours or of a host's, synchronous or asyncio. Invariant: whatever a handler raises
leaves as a status with an ErrorInfo; an exception's own text never does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import grpc

from reprise.domain.authorization import Authorizer, Caller
from reprise.domain.run import Party
from reprise.rpc.asyncio_calls import streaming_coroutine, telling_coroutine, waiting_coroutine
from reprise.rpc.call import Call
from reprise.rpc.edge import Edge
from reprise.rpc.errors import status_of
from reprise.rpc.handlers import OperationHandlers, PipelineHandlers, Streaming, Telling, Unary
from reprise.rpc.json_requests import snake
from reprise.rpc.waiting_room import WaitingRoom

OPERATIONS = "google.longrunning.Operations"
SERVICES = {party: f"{party}.PipelineService" for party in Party}

# What Vertex AI's PipelineService has too; the rest is our own.
VERTEX_METHODS = (
    "CreatePipelineJob",
    "GetPipelineJob",
    "ListPipelineJobs",
    "DeletePipelineJob",
    "BatchDeletePipelineJobs",
    "CancelPipelineJob",
    "BatchCancelPipelineJobs",
)

# What reads one thing, in well under a millisecond. Its threads are few, for all that run Python take turns: of 16 that
# each ask SQLite for a row most wait for their turn, and changing over costs more than the row.
_QUICK_READS = frozenset({"GetPipelineJob", "GetOperation"})

_REQUEST_ID = "x-request-id"
_STATUS_DETAILS = "grpc-status-details-bin"
_GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}


def generic_handlers(
    pipelines: PipelineHandlers,
    operations: OperationHandlers,
    waiting: WaitingRoom,
    edge: Edge | None = None,
    *,
    readers: ThreadPoolExecutor | None = None,
    is_asyncio: bool = False,
) -> tuple[grpc.GenericRpcHandler, ...]:
    """To be given to `add_generic_rpc_handlers` of a grpc.Server, or with `is_asyncio` of a grpc.aio.Server.

    `readers`: the threads of a grpc.Server's quick reads; without them, and in a grpc.aio.Server, the server's own.
    """
    shared: dict[str, Unary] = {
        method: getattr(pipelines, snake(method).lower()) for method in VERTEX_METHODS
    }
    own: dict[str, Unary] = {
        "RerunPipelineJob": pipelines.rerun_pipeline_job,
        "PlanRerun": pipelines.plan_rerun,
        "ListPipelineTasks": pipelines.list_pipeline_tasks,
        "ExplainTask": pipelines.explain_task,
        "ListCacheEntries": pipelines.list_cache_entries,
        "DropCacheEntries": pipelines.drop_cache_entries,
    }
    streams: dict[str, Streaming] = {
        "StreamPlanRerun": pipelines.stream_plan_rerun,
        "GetTaskLog": pipelines.get_task_log,
    }
    running: dict[str, Unary] = {
        "ListOperations": operations.list_operations,
        "GetOperation": operations.get_operation,
        "DeleteOperation": operations.delete_operation,
        "CancelOperation": operations.cancel_operation,
    }
    methods = _Methods(waiting, (edge or Edge()).authorizer, readers, is_asyncio)
    services: dict[str, dict[str, grpc.RpcMethodHandler]] = {
        name: methods.unary(shared, party) for party, name in SERVICES.items()
    }
    reprise = services[SERVICES[Party.REPRISE]]
    reprise.update(methods.unary(own, Party.REPRISE))
    reprise.update(methods.streams(streams, Party.REPRISE))
    reprise["WatchPipelineJob"] = methods.telling(pipelines.begin_watch, Party.REPRISE)
    services[OPERATIONS] = methods.unary(running, Party.REPRISE)
    services[OPERATIONS]["WaitOperation"] = methods.waiting(operations.wait_operation, Party.REPRISE)
    return tuple(grpc.method_handlers_generic_handler(name, each) for name, each in services.items())


class _Methods:
    """Handlers as methods of one kind of server."""

    def __init__(
        self,
        waiting: WaitingRoom,
        authorizer: Authorizer,
        readers: ThreadPoolExecutor | None,
        is_asyncio: bool,
    ) -> None:
        self._waiting = waiting
        self._readers = readers
        self._authorizer = authorizer
        self._is_asyncio = is_asyncio

    def unary(self, handlers: Mapping[str, Unary], party: Party) -> dict[str, grpc.RpcMethodHandler]:
        # An asyncio server calls what is no coroutine in a pool of its own.
        return {name: self._unary(name, handler, party) for name, handler in handlers.items()}

    def streams(self, handlers: Mapping[str, Streaming], party: Party) -> dict[str, grpc.RpcMethodHandler]:
        return {name: self._streaming(handler, party) for name, handler in handlers.items()}

    def waiting(self, handler: Unary, party: Party) -> grpc.RpcMethodHandler:
        if self._is_asyncio:
            call = self._call_maker(party)
            return grpc.unary_unary_rpc_method_handler(
                waiting_coroutine(handler, call, self._waiting, status_for_trailers)
            )
        waiting = self._waiting

        def seated(data: bytes, call: Call) -> bytes:
            with waiting.seat():
                return handler(data, call)

        answer = self._answer(seated, party)
        answer.experimental_thread_pool = waiting.pool  # type: ignore[attr-defined]  # how grpcio is told
        return grpc.unary_unary_rpc_method_handler(answer)

    def telling(self, handler: Telling, party: Party) -> grpc.RpcMethodHandler:
        """A stream whose messages come from elsewhere: it holds a thread while it begins, and none after that."""
        make_call = self._call_maker(party)
        waiting = self._waiting
        if self._is_asyncio:
            return grpc.unary_stream_rpc_method_handler(
                telling_coroutine(handler, make_call, waiting, status_for_trailers)
            )

        def begin(data: bytes, context: grpc.ServicerContext, send: Callable[[bytes | None], None]) -> None:
            try:
                leave = waiting.take()
                if not context.add_callback(leave):
                    leave()
                    return
                handler(data, make_call(context), _GrpcOutlet(context, send))
            except Exception as error:
                _abort(context, error)

        begin.experimental_non_blocking = True  # type: ignore[attr-defined]  # how grpcio is told
        begin.experimental_thread_pool = waiting.pool  # type: ignore[attr-defined]
        return grpc.unary_stream_rpc_method_handler(begin)

    def _unary(self, name: str, handler: Unary, party: Party) -> grpc.RpcMethodHandler:
        answer = self._answer(handler, party)
        if self._readers is not None and name in _QUICK_READS:
            answer.experimental_thread_pool = self._readers  # type: ignore[attr-defined]  # how grpcio is told
        return grpc.unary_unary_rpc_method_handler(answer)

    def _answer(self, handler: Unary, party: Party) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        make_call = self._call_maker(party)

        def answer(data: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                return handler(data, make_call(context))
            except Exception as error:
                _abort(context, error)

        return answer

    def _streaming(self, handler: Streaming, party: Party) -> grpc.RpcMethodHandler:
        make_call = self._call_maker(party)
        waiting = self._waiting
        if self._is_asyncio:
            return grpc.unary_stream_rpc_method_handler(
                streaming_coroutine(handler, make_call, waiting, status_for_trailers)
            )

        def answer(data: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            try:
                with waiting.seat():
                    yield from handler(data, make_call(context))
            except Exception as error:
                _abort(context, error)

        answer.experimental_thread_pool = waiting.pool  # type: ignore[attr-defined]
        return grpc.unary_stream_rpc_method_handler(answer)

    def _call_maker(self, party: Party) -> Callable[[grpc.ServicerContext], Call]:
        authorizer = self._authorizer

        def make(context: grpc.ServicerContext) -> Call:
            request_id = ""
            for key, value in context.invocation_metadata() or ():
                if key == _REQUEST_ID:
                    request_id = value
                    break
            return Call(
                party,
                request_id,
                # An asyncio server's context for synchronous handlers cannot tell.
                getattr(context, "is_active", _always),
                getattr(context, "add_callback", _never),
                lambda: _caller(context),
                authorizer,
            )

        return make


class _GrpcOutlet:
    """The answers of one stream, given to grpcio from any thread. It tells nobody who has gone, and does not mind."""

    def __init__(self, context: grpc.ServicerContext, send: Callable[[bytes | None], None]) -> None:
        self._context = context
        self.send = send

    def end(self, error: Exception | None) -> None:
        if error is not None:
            code, message, trailers = status_for_trailers(error)
            self._context.set_trailing_metadata(trailers)
            self._context.set_code(code)
            self._context.set_details(message)
        self.send(None)


def _always() -> bool:
    return True


def _never(_callback: Callable[[], None]) -> bool:
    return False


def _caller(context: grpc.ServicerContext) -> Caller:
    metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
    identities = tuple(each.decode("utf-8", "replace") for each in context.peer_identities() or ())
    return Caller(metadata, context.peer() or "", identities)


def status_for_trailers(error: Exception) -> tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]:
    """The code, text and trailing metadata with which a call ends that has failed."""
    status = status_of(error)
    return _GRPC_CODES[status.code], status.message, ((_STATUS_DETAILS, status.SerializeToString()),)


def _abort(context: grpc.ServicerContext, error: Exception) -> NoReturn:
    code, message, trailers = status_for_trailers(error)
    context.set_trailing_metadata(trailers)
    context.abort(code, message)
    raise AssertionError("abort raises")
