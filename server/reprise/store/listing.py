"""Pages of runs.

Invariants: across the pages of one query a run that is there all the while is given exactly once, whatever is
written meanwhile. By what never changes (creation, display name) a page goes on after the last row of the one
before; by what does change (update, end) the order of the first page is kept, and the later pages are read
from it. A token is bound to the query that it came from, and opens nothing that the query does not.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import Column, Select, and_, bindparam, delete, insert, or_, select, tuple_

from reprise.domain.errors import FieldProblem, InvalidArgument
from reprise.domain.filter import is_storable, parse
from reprise.domain.run import ListQuery, Run, RunPage
from reprise.store.clauses import to_clause
from reprise.store.counters import next_id
from reprise.store.database import Database, Transaction
from reprise.store.rows import SELECT_RUN, to_run
from reprise.store.statement import Row, Statement, ids, param
from reprise.store.tables import listings, runs

LARGEST_PAGE = 1000
# Orders of first pages that are kept for the later ones: for a day, and not more than this many.
KEPT_NS = 24 * 3600 * 1_000_000_000
KEPT = 200

_ORDERS: dict[str, Column[Any]] = {
    "create_time": runs.c.created_ns,
    "display_name": runs.c.display_name,
    "update_time": runs.c.updated_ns,
    "end_time": runs.c.ended_ns,
}
_PARENT = ("project", "location")
_CONSTANT = ("create_time", "display_name")

_INSERT_LISTING = Statement(insert(listings))
_newest = listings.alias()
_DROP_OLD = Statement(
    delete(listings).where(
        or_(
            listings.c.created_ns < param("before_ns"),
            listings.c.id
            <= select(_newest.c.id).order_by(_newest.c.id.desc()).limit(1).offset(KEPT).scalar_subquery(),
        )
    ),
    "before_ns",
)
_GET_LISTING = Statement(
    select(listings.c.arguments, listings.c.run_ids).where(listings.c.id == param("listing_id")), "listing_id"
)


_Order = Sequence[tuple[str, bool]]  # field, is descending


class _Query:
    """The statements for one filter and order, compiled when first needed."""

    def __init__(self, text: str, order_by: str, aliases: Mapping[str, str]) -> None:
        self._order = _parse_order(order_by)
        self._condition = and_(
            runs.c.project == param("project"),
            runs.c.location == param("location"),
            to_clause(parse(text), aliases),
        )
        self._field, self._is_descending = self._order[0]
        self.is_by_constant = len(self._order) == 1 and self._field in _CONSTANT

    @cached_property
    def first(self) -> Statement:
        """The first runs in the order, which is one of what never changes."""
        return Statement(self._ordered(SELECT_RUN).limit(param("limit")), *_PARENT, "limit")

    @cached_property
    def after(self) -> Statement:
        """The runs after a place in that order."""
        key = _ORDERS[self._field]
        here = tuple_(key, runs.c.id)
        there = tuple_(bindparam("p_value", type_=key.type), bindparam("p_run_id", type_=runs.c.id.type))
        is_beyond = here < there if self._is_descending else here > there
        statement = self._ordered(SELECT_RUN).where(is_beyond).limit(param("limit"))
        return Statement(statement, *_PARENT, "value", "run_id", "limit")

    @cached_property
    def all_ids(self) -> Statement:
        return Statement(self._ordered(select(runs.c.id)), *_PARENT)

    @cached_property
    def by_ids(self) -> Statement:
        """Those of some runs to which the filter applies."""
        return Statement(SELECT_RUN.where(self._condition, runs.c.id.in_(ids())), *_PARENT)

    def key_of(self, run: Run) -> int | str:
        return run.created_ns if self._field == "create_time" else run.display_name

    def has_key_like(self, value: int | str) -> bool:
        return isinstance(value, str) is (self._field == "display_name")

    def _ordered(self, statement: Select[Any]) -> Select[Any]:
        order = [(_ORDERS[field], is_descending) for field, is_descending in self._order]
        order.append((runs.c.id, self._order[-1][1]))
        return statement.where(self._condition).order_by(
            *(column.desc() if is_descending else column.asc() for column, is_descending in order)
        )


@lru_cache(maxsize=256)
def _query(text: str, order_by: str, aliases: tuple[tuple[str, str], ...]) -> _Query:
    return _Query(text, order_by, dict(aliases))


def list_runs(database: Database, query: ListQuery, now_ns: Callable[[], int]) -> RunPage:
    prepared = _query(query.filter, query.order_by, tuple(sorted(query.aliases.items())))
    parent = (query.parent.project, query.parent.location)
    size = max(1, min(query.page_size, LARGEST_PAGE))
    arguments = _digest(query)
    place = _read_token(query.page_token, arguments)
    if prepared.is_by_constant and not isinstance(place, _Kept):
        return _page_after(database, prepared, parent, arguments=arguments, place=place, size=size)
    if isinstance(place, _After) or (place is not None and prepared.is_by_constant):
        raise _bad_token()
    if place is not None:
        return _later_page(database, prepared, parent, arguments=arguments, place=place, size=size)
    return _first_page(database, prepared, parent, arguments=arguments, size=size, now_ns=now_ns)


def _page_after(
    database: Database,
    prepared: _Query,
    parent: tuple[str, str],
    *,
    arguments: bytes,
    place: _After | None,
    size: int,
) -> RunPage:
    if place is None:
        rows = database.read(lambda tx: tx.all(prepared.first, *parent, size + 1))
    elif prepared.has_key_like(place.value):
        value, run_id = place.value, place.run_id
        rows = database.read(lambda tx: tx.all(prepared.after, *parent, value, run_id, size + 1))
    else:
        raise _bad_token()
    page = tuple(map(to_run, rows[:size]))
    token = ""
    if len(rows) > size:
        token = _make_token(arguments, ["after", prepared.key_of(page[-1]), page[-1].id])
    return RunPage(page, token)


def _first_page(
    database: Database,
    prepared: _Query,
    parent: tuple[str, str],
    *,
    arguments: bytes,
    size: int,
    now_ns: Callable[[], int],
) -> RunPage:
    def read(tx: Transaction) -> tuple[list[int], list[Row]]:
        run_ids = [row[0] for row in tx.all(prepared.all_ids, *parent)]
        return run_ids, _read_runs(tx, prepared, parent, run_ids[:size])

    run_ids, rows = database.read(read)
    token = ""
    if len(run_ids) > size:
        listing_id = database.mutate(lambda tx: _keep(tx, arguments, run_ids[size:], now_ns()))
        token = _make_token(arguments, ["kept", listing_id, 0])
    return RunPage(tuple(map(to_run, rows)), token)


def _keep(tx: Transaction, arguments: bytes, run_ids: Sequence[int], now_ns: int) -> int:
    tx.execute(_DROP_OLD, now_ns - KEPT_NS)
    listing_id = next_id(tx, now_ns)
    tx.execute(_INSERT_LISTING, listing_id, now_ns, arguments, struct.pack(f">{len(run_ids)}q", *run_ids))
    return listing_id


def _later_page(
    database: Database,
    prepared: _Query,
    parent: tuple[str, str],
    *,
    arguments: bytes,
    place: _Kept,
    size: int,
) -> RunPage:
    def read(tx: Transaction) -> tuple[list[int], list[Row]]:
        row = tx.one(_GET_LISTING, place.listing_id)
        if row is None or row[0] != arguments:
            raise _bad_token()
        run_ids = list(struct.unpack(f">{len(row[1]) // 8}q", row[1]))[place.offset :]
        return run_ids, _read_runs(tx, prepared, parent, run_ids[:size])

    run_ids, rows = database.read(read)
    token = ""
    if len(run_ids) > size:
        token = _make_token(arguments, ["kept", place.listing_id, place.offset + size])
    return RunPage(tuple(map(to_run, rows)), token)


def _read_runs(
    tx: Transaction, prepared: _Query, parent: tuple[str, str], run_ids: Sequence[int]
) -> list[Row]:
    """In their order; without those that are gone, or to which the filter does not apply any more."""
    found = {row[0]: row for row in tx.all_in(prepared.by_ids, run_ids, *parent)}
    return [found[run_id] for run_id in run_ids if run_id in found]


def _parse_order(text: str) -> _Order:
    if not text.strip():
        return [("create_time", True)]
    order: list[tuple[str, bool]] = []
    for part in text.split(","):
        words = part.split()
        if len(words) not in (1, 2) or words[0] not in _ORDERS or words[1:] not in ([], ["asc"], ["desc"]):
            raise InvalidArgument(
                FieldProblem(
                    "order_by", f"expected one of {', '.join(_ORDERS)}, with asc or desc, got {part[:100]!r}"
                )
            )
        order.append((words[0], words[1:] == ["desc"]))
    if len({field for field, _ in order}) < len(order):
        raise InvalidArgument(FieldProblem("order_by", "names a field twice"))
    return order


class _After:
    __slots__ = ("run_id", "value")

    def __init__(self, value: int | str, run_id: int) -> None:
        self.value = value
        self.run_id = run_id


class _Kept:
    __slots__ = ("listing_id", "offset")

    def __init__(self, listing_id: int, offset: int) -> None:
        self.listing_id = listing_id
        self.offset = offset


def _digest(query: ListQuery) -> bytes:
    """What a token is bound to. The page size is free to change from page to page."""
    parts = [query.parent.project, query.parent.location, query.filter, query.order_by]
    return hashlib.sha256(json.dumps(parts).encode()).digest()[:16]


def _make_token(arguments: bytes, place: list[Any]) -> str:
    content = json.dumps([arguments.hex(), *place], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode()


def _read_token(token: str, arguments: bytes) -> _After | _Kept | None:
    if not token:
        return None
    try:
        content = json.loads(base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise _bad_token() from error
    match content:
        case [str(digest), *_] if digest != arguments.hex():
            raise InvalidArgument(
                FieldProblem("page_token", "is that of a list with another parent, filter or order")
            )
        case [_, "after", int() | str() as value, int(run_id)] if _fits(value) and _fits(run_id):
            return _After(value, run_id)
        case [_, "kept", int(listing_id), int(offset)] if _fits(listing_id) and 0 <= offset < 2**31:
            return _Kept(listing_id, offset)
    raise _bad_token()


def _fits(value: int | str) -> bool:
    """Whether a database can compare with it: no half characters, no huge numbers."""
    return is_storable(value) if isinstance(value, str) else abs(value) < 2**63


def _bad_token() -> InvalidArgument:
    return InvalidArgument(FieldProblem("page_token", "expected the token of an earlier page, of today"))
