"""SQL written in SQLAlchemy Core, compiled once for a dialect, run by the driver itself.

Reason: Core takes 69 us for a point read, the driver 11; what Core adds is the text for two databases, and
that can be had once. Invariant: a statement's values are given in the order of its `names`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, bindparam, case, func, literal_column, null
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.elements import CompilerElement

Row = tuple[Any, ...]

_IDS = "ids"
_IDS_TOKEN = f"__[POSTCOMPILE_{_IDS}]"


def param(name: str) -> BindParameter[Any]:
    """A value that is given when the statement runs."""
    # The prefix keeps it apart from the names that Core gives to the columns of an UPDATE.
    return bindparam("p_" + name)


def ids() -> BindParameter[Any]:
    """The numbers of an IN, given when the statement runs (see `Form.sql_for`)."""
    return bindparam(_IDS, expanding=True)


SMALL_BYTES = 64 * 1024


def if_small(column: ColumnElement[bytes]) -> ColumnElement[bytes | None]:
    """The bytes, or NULL where they are many: those are better read by `Transaction.large`."""
    # Written out: a value given at each run of the statement would have to be bound each time.
    return case((func.length(column) <= literal_column(str(SMALL_BYTES)), column), else_=null())


class Form:
    """A statement compiled for one dialect."""

    __slots__ = ("bind", "sql")

    def __init__(self, sql: str, bind: Callable[[Row], Sequence[Any]]) -> None:
        self.sql = sql
        self.bind = bind

    def sql_for(self, numbers: Sequence[int]) -> str:
        """The text with these numbers in it. Written out, since a database may have a limit on values."""
        return self.sql.replace(_IDS_TOKEN, ",".join(map(str, map(int, numbers))))


class Statement:
    """A construct and the names of its values; those of an INSERT are its columns."""

    __slots__ = ("_forms", "construct", "names")

    def __init__(self, construct: CompilerElement, *names: str) -> None:
        self.construct = construct
        self.names = names
        self._forms: dict[str, Form] = {}

    def form(self, dialect: Dialect) -> Form:
        form = self._forms.get(dialect.name)
        if form is None:
            # Two threads may both compile it; either result will do.
            form = self._forms[dialect.name] = self._compile(dialect)
        return form

    def _compile(self, dialect: Dialect) -> Form:
        compiled = self.construct.compile(dialect=dialect)
        sql, constants = str(compiled), compiled.params
        order = list(getattr(compiled, "positiontup", None) or ())
        given = {"p_" + name: place for place, name in enumerate(self.names)}
        order = [name for name in order if name != _IDS]
        if not self.names:
            given = {name: place for place, name in enumerate(order) if constants[name] is None}
        places: list[int] = []
        extra: list[Any] = []
        for name in order:
            place = given.get(name)
            if place is None:
                place = len(given) + len(extra)
                extra.append(constants[name])
            places.append(place)
        missing = [name for name in given if name not in order]
        if missing:
            raise AssertionError(f"{missing} do not occur in {sql}")
        if places == list(range(len(given))):
            return Form(sql, _as_given)
        return Form(sql, _arranged(places, tuple(extra)))


def _as_given(values: Row) -> Sequence[Any]:
    return values


def _arranged(places: Sequence[int], extra: Row) -> Callable[[Row], Sequence[Any]]:
    if len(places) == 1:
        only = places[0]
        return lambda values: ((values + extra)[only],)
    pick = itemgetter(*places) if places else None
    return lambda values: pick(values + extra) if pick is not None else ()
