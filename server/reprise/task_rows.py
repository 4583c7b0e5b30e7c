"""Rows of tasks that stay in the Rust core from the machine of a run to the store.

Invariant: whoever wants a row gets it; nothing makes one that nobody asks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from reprise import _core
from reprise.domain.run import TaskRow

_TASK_ROW = TaskRow._make


class TaskRows(Sequence[TaskRow]):
    """Equal to any other sequence of the same rows."""

    __slots__ = ("batch",)

    def __init__(self, batch: _core.TaskRows) -> None:
        self.batch = batch

    def __len__(self) -> int:
        return len(self.batch)

    @overload
    def __getitem__(self, place: int) -> TaskRow: ...
    @overload
    def __getitem__(self, place: slice) -> list[TaskRow]: ...
    def __getitem__(self, place: int | slice) -> TaskRow | list[TaskRow]:
        places = range(len(self.batch))[place]
        if isinstance(places, range):
            return [_TASK_ROW(self.batch[one]) for one in places]
        return _TASK_ROW(self.batch[places])

    def __iter__(self) -> Iterator[TaskRow]:
        return map(_TASK_ROW, self.batch)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __repr__(self) -> str:
        return f"TaskRows({list(self)!r})"
