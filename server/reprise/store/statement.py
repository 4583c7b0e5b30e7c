"""SQL that was written in SQLAlchemy Core and compiled for each database before it is needed, run by the driver itself.

Reasons: Core takes 69 us for a point read, the driver 11; and only loading it takes half the time in which a server can
be up. What Core adds is one text for two databases, and that can be had beforehand: the statements stand in
`store.definitions`, what they are compiled to in `store.prepared`. Nothing here loads SQLAlchemy.
Invariant: a statement's values are given in the order of its names, those of an INSERT in that of its columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

Row = tuple[Any, ...]

IDS = "ids"
IDS_TOKEN = f"__[POSTCOMPILE_{IDS}]"


class LargeColumn(NamedTuple):
    """A column of many bytes, which `Transaction.large` reads."""

    table: str
    name: str


class Form:
    """A statement's text for one database, and how its values are put into it."""

    __slots__ = ("bind", "constants", "places", "sql")

    def __init__(self, sql: str, places: Sequence[int] | None = None, constants: Row = ()) -> None:
        """`places`: for each mark of the text the place of its value, `constants` behind those that are given; None:
        one after the other, as they are given.
        """
        self.sql = sql
        self.places = places
        self.constants = constants
        self.bind: Callable[[Row], Sequence[Any]] = (
            _as_given if places is None else _arranged(places, constants)
        )

    def sql_for(self, numbers: Sequence[int]) -> str:
        """The text with these numbers in it. Written out, since a database may have a limit on values."""
        return self.sql.replace(IDS_TOKEN, ",".join(map(str, map(int, numbers))))


class Statement:
    """Its forms, by the database's name."""

    __slots__ = ("_forms",)

    def __init__(self, **forms: Form) -> None:
        self._forms = forms

    def form(self, database: str) -> Form:
        return self._forms[database]


def _as_given(values: Row) -> Sequence[Any]:
    return values


def _arranged(places: Sequence[int], constants: Row) -> Callable[[Row], Sequence[Any]]:
    if len(places) == 1:
        only = places[0]
        return lambda values: ((values + constants)[only],)
    pick = itemgetter(*places) if places else None
    return lambda values: pick(values + constants) if pick is not None else ()
