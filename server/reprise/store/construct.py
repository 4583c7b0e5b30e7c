"""What statements are made of in SQLAlchemy Core, and how they become text."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Integer,
    bindparam,
    case,
    func,
    literal_column,
    null,
)
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import CompilerElement
from sqlalchemy.sql.functions import FunctionElement

from reprise.store.statement import IDS, Form, LargeColumn, Statement

# As the driver of each wants its values marked.
DIALECTS: dict[str, Dialect] = {"sqlite": sqlite_dialect.dialect(paramstyle="qmark")}

SMALL_BYTES = 64 * 1024


def param(name: str) -> BindParameter[Any]:
    """A value that is given when the statement runs."""
    # The prefix keeps it apart from the names that Core gives to the columns of an UPDATE.
    return bindparam("p_" + name)


def ids() -> BindParameter[Any]:
    """The numbers of an IN, given when the statement runs (see `Form.sql_for`)."""
    return bindparam(IDS, expanding=True)


def if_small(column: ColumnElement[bytes]) -> ColumnElement[bytes | None]:
    """The bytes, or NULL where they are many: those are better read by `Transaction.large`."""
    # Written out: a value given at each run of the statement would have to be bound each time.
    return case((func.length(column) <= literal_column(str(SMALL_BYTES)), column), else_=null())


def large(column: Column[bytes]) -> LargeColumn:
    return LargeColumn(column.table.name, column.name)


class place_of(FunctionElement[int]):  # noqa: N801 (called like a function)
    """Where the second text begins in the first, from 1; 0: nowhere. (LIKE has a largest pattern.)"""

    type = Integer()
    inherit_cache = True
    name = "strpos"


@compiles(place_of)
def _place_of(element: place_of, compiler: SQLCompiler, **options: Any) -> str:
    function = "instr" if compiler.dialect.name == "sqlite" else element.name
    return f"{function}({compiler.process(element.clauses, **options)})"


class Construct(Statement):
    """A construct and the names of its values; those of an INSERT are its columns. Compiled when it is first run."""

    __slots__ = ("_construct", "names")

    def __init__(self, construct: CompilerElement, *names: str) -> None:
        super().__init__()
        self._construct = construct
        self.names = names

    def form(self, database: str) -> Form:
        form = self._forms.get(database)
        if form is None:
            # Two threads may both compile it; either result will do.
            form = self._forms[database] = self._compile(DIALECTS[database])
        return form

    def _compile(self, dialect: Dialect) -> Form:
        compiled = self._construct.compile(dialect=dialect)
        sql, constants = str(compiled), compiled.params
        order = [name for name in getattr(compiled, "positiontup", None) or () if name != IDS]
        given = {"p_" + name: place for place, name in enumerate(self.names)}
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
            return Form(sql)
        return Form(sql, tuple(places), tuple(extra))
