"""The standard services beside the API: health, for each service, and reflection.

Invariant: they parse for themselves, as the API does, so that broken bytes are INVALID_ARGUMENT here too; and no stream
of theirs holds a thread that answers calls.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2

from reprise.rpc.reflection import SERVICES as REFLECTION_SERVICES
from reprise.rpc.reflection import Reflection
from reprise.rpc.registration import status_for_trailers
from reprise.rpc.waiting_room import WaitingRoom
from reprise.rpc.wire import parse

HEALTH = "grpc.health.v1.Health"


class StandardServices:
    """Every service of `names`, and the server as a whole, is SERVING between `start` and `stop`."""

    def __init__(self, names: Sequence[str], vertex_methods: frozenset[str], waiting: WaitingRoom) -> None:
        self._names = tuple(names)
        self._waiting = waiting
        self._health = health.HealthServicer(experimental_thread_pool=waiting.pool)
        self._reflection = Reflection((*self._names, HEALTH), vertex_methods)
        self._tell(health_pb2.HealthCheckResponse.NOT_SERVING)

    def start(self) -> None:
        self._tell(health_pb2.HealthCheckResponse.SERVING)

    def stop(self) -> None:
        """For good."""
        self._health.enter_graceful_shutdown()

    def _tell(self, status: Any) -> None:
        for name in ("", HEALTH, *self._names, *REFLECTION_SERVICES):
            self._health.set(name, status)

    def handlers(self) -> tuple[grpc.GenericRpcHandler, ...]:
        encode = health_pb2.HealthCheckResponse.SerializeToString
        check = grpc.unary_unary_rpc_method_handler(self._check, response_serializer=encode)
        # Without a thread of its own: grpcio calls back with each answer.
        watch: Any = functools.partial(self._watch)
        watch.experimental_non_blocking = True
        watch.experimental_thread_pool = self._waiting.pool
        reflect: Any = functools.partial(self._reflect)
        reflect.experimental_thread_pool = self._waiting.pool
        reflection = {"ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(reflect)}
        return (
            grpc.method_handlers_generic_handler(
                HEALTH,
                {
                    "Check": check,
                    "Watch": grpc.unary_stream_rpc_method_handler(watch, response_serializer=encode),
                },
            ),
            *(grpc.method_handlers_generic_handler(name, reflection) for name in REFLECTION_SERVICES),
        )

    def _check(self, data: bytes, context: grpc.ServicerContext) -> Any:
        return self._health.Check(_asked(data, context), context)

    def _watch(self, data: bytes, context: grpc.ServicerContext, send: Callable[[Any], None]) -> None:
        self._health.Watch(_asked(data, context), context, send)

    def _reflect(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        try:
            with self._waiting.seat():
                yield from self._reflection.answer(requests)
        except grpc.RpcError:
            return  # the caller has gone
        except Exception as error:
            _abort(context, error)


def _asked(data: bytes, context: grpc.ServicerContext) -> health_pb2.HealthCheckRequest:
    try:
        return parse(health_pb2.HealthCheckRequest, data)
    except Exception as error:
        _abort(context, error)
        raise


def _abort(context: grpc.ServicerContext, error: Exception) -> None:
    code, message, trailers = status_for_trailers(error)
    context.set_trailing_metadata(trailers)
    context.abort(code, message)
