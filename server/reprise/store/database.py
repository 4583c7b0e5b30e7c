"""The seam between what is written once (the contract in SQL) and what differs between the databases.

Invariants: a mutation is one transaction, durable when `mutate` returns; a read sees one snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from reprise.store.statement import LargeColumn, Row, Statement

T = TypeVar("T")


class Transaction(Protocol):
    """What the work of a transaction may do. It must not keep it."""

    def one(self, statement: Statement, *values: Any) -> Row | None: ...

    def all(self, statement: Statement, *values: Any) -> list[Row]: ...

    def all_in(self, statement: Statement, numbers: Sequence[int], *values: Any) -> list[Row]:
        """As `all`, for a statement with `ids()` in it."""
        ...

    def execute(self, statement: Statement, *values: Any) -> int:
        """Gives the number of rows concerned."""
        ...

    def execute_many(self, statement: Statement, rows: Sequence[Row]) -> None: ...

    def large(self, column: LargeColumn, row_id: int) -> bytes:
        """The column's value in the row of this number, which is there: the fastest way for many bytes."""
        ...

    def concerns(self, run_id: int) -> None:
        """Listeners hear of this run after the commit."""
        ...


class Database(Protocol):
    def mutate(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """Run `work` in a transaction; it is wholly durable, or raises and has done nothing.

        `work` may be run more than once, so it changes nothing outside the transaction. What is urgent goes
        through on a full disk too. Errors: those of `work`; Unavailable; ResourceExhausted.
        """
        ...

    def mutate_later(
        self,
        work: Callable[[Transaction], T],
        tell: Callable[[T | None, Exception | None], None],
        is_syncing: Callable[[], None],
        *,
        is_urgent: bool = False,
    ) -> None:
        """As `mutate`, without waiting: `tell` gets the result or the error, in a thread that it must not hold up.

        `is_syncing` is called there too, where nothing is left but to wait for the disk; a hint, that may be left out.
        Errors: Unavailable, where nothing is begun and nothing told.
        """
        ...

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Run `work`, which only reads, on one snapshot. Errors: those of `work`; Unavailable."""
        ...

    def read_one(self, statement: Statement, *values: Any) -> Row | None:
        """The first row of one statement: the shortest way, for what is asked most."""
        ...

    def add_listener(self, listener: Callable[[int], None]) -> Callable[[], None]: ...

    def close(self) -> None: ...
