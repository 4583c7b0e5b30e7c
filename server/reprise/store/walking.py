"""Walks runs in an order, some entries of an index at a time, and puts a filter to each, until a page is full.

Invariant: a page takes bounded time whatever the filter: one that many runs do not pass makes short pages, whose token
says how far the search has come.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from reprise.store.database import Transaction
from reprise.store.statement import Row, Statement

# The key of a run in the order, its id last: no two are equal.
Key = tuple[Any, ...]

_LONGEST_SEARCH_S = 0.025
_LARGEST_WINDOW = 1000


class Source(Protocol):
    """Keys in the order of a walk."""

    def after(self, tx: Transaction, key: Key | None, size: int) -> list[Key]:
        """The first `size` keys beyond `key`."""
        ...


@dataclass(frozen=True, slots=True)
class FromIndex:
    first: Statement
    beyond: Statement
    parent: tuple[str, str]

    def after(self, tx: Transaction, key: Key | None, size: int) -> list[Key]:
        if key is None:
            return tx.all(self.first, *self.parent, size)
        return tx.all(self.beyond, *self.parent, *key, size)


@dataclass(frozen=True, slots=True)
class FromList:
    """Keys that are all known, in their order."""

    keys: Sequence[Key]
    is_descending: bool

    def after(self, tx: Transaction, key: Key | None, size: int) -> list[Key]:
        keys = self.keys
        if key is not None:
            keys = [each for each in keys if (each < key if self.is_descending else each > key)]
        return list(keys[:size])


@dataclass(frozen=True, slots=True)
class Merged:
    """Several sources as one; a key that several have comes once."""

    sources: Sequence[Source]
    is_descending: bool

    def after(self, tx: Transaction, key: Key | None, size: int) -> list[Key]:
        if len(self.sources) == 1:
            return self.sources[0].after(tx, key, size)
        each = [source.after(tx, key, size) for source in self.sources]
        merged = dict.fromkeys(heapq.merge(*each, reverse=self.is_descending))
        return [next_key for next_key, _ in zip(merged, range(size), strict=False)]


@dataclass(frozen=True, slots=True)
class Without:
    """A source without some runs."""

    source: Source
    run_ids: frozenset[int]

    def after(self, tx: Transaction, key: Key | None, size: int) -> list[Key]:
        found: list[Key] = []
        while len(found) < size:
            keys = self.source.after(tx, key, size)
            found += [each for each in keys if each[-1] not in self.run_ids]
            if len(keys) < size:
                break
            key = keys[-1]
        return found[:size]


def walk(
    tx: Transaction,
    source: Source,
    read: Callable[[Sequence[int]], dict[int, Row]],
    start: Key | None,
    size: int,
) -> tuple[list[Row], Key | None]:
    """A page of rows that `read` gives, and the key after which the next page begins; None: there are no more."""
    found: list[Row] = []
    seen = start
    window = size + 1
    begun = time.monotonic()
    until = begun + _LONGEST_SEARCH_S
    while True:
        keys = source.after(tx, seen, window)
        is_end = len(keys) < window
        rows = read([key[-1] for key in keys])
        for key in keys:
            row = rows.get(key[-1])
            if row is not None:
                if len(found) == size:
                    return found, seen
                found.append(row)
            seen = key
        if is_end:
            return found, None
        now = time.monotonic()
        took_s, left_s, begun = now - begun, until - now, now
        if left_s < 0:
            return found, seen
        # The next window is as large as the time that is left lets it be: it is not to take longer than that.
        fitting = int(window * left_s / max(took_s, 1e-6))
        window = max(size + 1, min(4 * window, fitting, _LARGEST_WINDOW))
