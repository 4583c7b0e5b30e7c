"""A stream whose messages are given by one thread and taken by another, one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

# So often it is seen whether anybody still takes what is given.
_PRESENCE_S = 1.0


class PulledStream:
    """An Outlet whose `send` returns when the message has been taken, or when nobody is there to take it."""

    def __init__(self, is_active: Callable[[], bool]) -> None:
        self._is_active = is_active
        self._changed = threading.Condition()
        self._message: bytes | None = None
        self._error: Exception | None = None
        self._has_ended = False
        self._is_left = False

    def send(self, message: bytes) -> None:
        with self._changed:
            self._message = message
            self._changed.notify_all()
            while self._message is not None and not self._is_left and self._is_active():
                self._changed.wait(_PRESENCE_S)

    def end(self, error: Exception | None) -> None:
        with self._changed:
            self._error = error
            self._has_ended = True
            self._changed.notify_all()

    def messages(self) -> Iterator[bytes]:
        """Until the end. Errors: the one that it ended with."""
        try:
            while True:
                with self._changed:
                    while self._message is None and not self._has_ended and self._is_active():
                        self._changed.wait(_PRESENCE_S)
                    message, self._message = self._message, None
                    self._changed.notify_all()
                    error = self._error
                if message is not None:
                    yield message
                elif error is not None:
                    raise error
                else:
                    return
        finally:
            with self._changed:
                self._is_left = True
                self._changed.notify_all()
