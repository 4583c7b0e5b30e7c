"""Reads the log of an attempt as a stream, to its end or as it grows.

Invariant: the pieces, joined, are the file from the offset asked for; the last one of a complete log says so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from reprise.domain.names import RunName
from reprise.pb.v1 import rerun_pb2
from reprise.rpc.call import Call
from reprise.rpc.requests import LogQuery

if TYPE_CHECKING:
    from reprise.service import TaskLog

Find = Callable[[RunName, str, int], "TaskLog"]

_PIECE_BYTES = 64 * 1024
_POLL_S = 0.2
_NO_LIMIT = 2**63 - 1


class LogReader:
    """Followed logs end when the attempt does, when the caller leaves, and when the server closes."""

    def __init__(self) -> None:
        self._closing = threading.Event()

    def close(self) -> None:
        self._closing.set()

    def read(self, query: LogQuery, find: Find, call: Call) -> Iterator[bytes]:
        """The GetTaskLogResponses. Errors: NotFound, before the first piece."""
        log = find(query.name, query.task, query.attempt)
        offset = query.offset if query.offset >= 0 else max(0, _size(log.path) + query.offset)
        left = query.limit or _NO_LIMIT
        while True:
            for data in _pieces(log.path, offset, left):
                yield _response(data, offset, log.attempt)
                offset += len(data)
                left -= len(data)
            if not left:
                return  # the page is full: whether more follows is for the next one to say
            if log.is_complete or not query.is_followed:
                yield _response(b"", offset, log.attempt, log.is_complete)
                return
            if self._closing.wait(_POLL_S) or not call.is_active():
                return
            # Asked before the file is read again: what was written until then is not missed.
            log = find(query.name, query.task, log.attempt)


def _pieces(path: Path, offset: int, most: int) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            while data := file.read(min(_PIECE_BYTES, most)):
                most -= len(data)
                yield data
    except FileNotFoundError:
        return  # nothing has been printed yet


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _response(data: bytes, offset: int, attempt: int, is_complete: bool = False) -> bytes:
    return rerun_pb2.GetTaskLogResponse(
        data=data, offset=offset, attempt=attempt, is_complete=is_complete
    ).SerializeToString()
