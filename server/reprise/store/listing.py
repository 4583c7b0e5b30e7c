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
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, delete, insert, select, tuple_

from reprise.domain.errors import FieldProblem, InvalidArgument
from reprise.domain.run import ListQuery, RunPage
from reprise.store.clauses import to_clause
from reprise.store.counters import next_id
from reprise.store.database import Database, Transaction
from reprise.store.filter import is_storable, parse
from reprise.store.rows import SELECT_RUN, to_run
from reprise.store.statement import Row, Statement, param
from reprise.store.tables import listings, runs

LARGEST_PAGE = 1000
KEPT_NS = 24 * 3600 * 1_000_000_000
_ID_CHUNK = 500

_ORDERS: dict[str, Column[Any]] = {
    "create_time": runs.c.created_ns,
    "display_name": runs.c.display_name,
    "update_time": runs.c.updated_ns,
    "end_time": runs.c.ended_ns,
}
_CONSTANT = ("create_time", "display_name")

_INSERT_LISTING = Statement(insert(listings))
_DROP_OLD = Statement(delete(listings).where(listings.c.created_ns < param("before_ns")), "before_ns")
_GET_LISTING = Statement(
    select(listings.c.arguments, listings.c.run_ids).where(listings.c.id == param("listing_id")), "listing_id"
)

_Order = Sequence[tuple[str, bool]]  # field, is descending


def list_runs(database: Database, query: ListQuery, now_ns: Callable[[], int]) -> RunPage:
    order = _parse_order(query.order_by)
    condition = _conditions(query)
    size = max(1, min(query.page_size, LARGEST_PAGE))
    arguments = _digest(query)
    place = _read_token(query.page_token, arguments)
    if isinstance(place, _Kept):
        return _later_page(database, condition, arguments, place, size)
    if len(order) == 1 and order[0][0] in _CONSTANT:
        return _page_after(database, condition, order[0], arguments=arguments, place=place, size=size)
    if place is not None:
        raise _bad_token()
    return _first_page(database, condition, order, arguments=arguments, size=size, now_ns=now_ns)


def _conditions(query: ListQuery) -> ColumnElement[bool]:
    parent = query.parent
    of_parent = (runs.c.project == parent.project) & (runs.c.location == parent.location)
    return of_parent & to_clause(parse(query.filter), query.aliases)


def _page_after(
    database: Database,
    condition: ColumnElement[bool],
    order: tuple[str, bool],
    *,
    arguments: bytes,
    place: _After | None,
    size: int,
) -> RunPage:
    field, is_descending = order
    key = _ORDERS[field]
    if place is not None:
        if isinstance(place.value, str) is not (field == "display_name"):
            raise _bad_token()
        here = tuple_(key, runs.c.id)
        there = (place.value, place.run_id)
        condition = condition & (here < there if is_descending else here > there)
    columns = (key, runs.c.id)
    ordered = SELECT_RUN.where(condition).order_by(*(_directed(column, is_descending) for column in columns))
    rows = database.read(lambda tx: tx.query(ordered.limit(size + 1)))
    page = tuple(map(to_run, rows[:size]))
    token = ""
    if len(rows) > size:
        last = page[-1]
        value = last.created_ns if field == "create_time" else last.display_name
        token = _make_token(arguments, ["after", value, last.id])
    return RunPage(page, token)


def _first_page(
    database: Database,
    condition: ColumnElement[bool],
    order: _Order,
    *,
    arguments: bytes,
    size: int,
    now_ns: Callable[[], int],
) -> RunPage:
    columns = [_directed(_ORDERS[field], is_descending) for field, is_descending in order]
    statement = select(runs.c.id).where(condition).order_by(*columns, _directed(runs.c.id, order[-1][1]))

    def read(tx: Transaction) -> tuple[list[int], list[Row]]:
        ids = [row[0] for row in tx.query(statement)]
        return ids, _read_runs(tx, condition, ids[:size])

    ids, rows = database.read(read)
    token = ""
    if len(ids) > size:
        listing_id = database.mutate(lambda tx: _keep(tx, arguments, ids[size:], now_ns()))
        token = _make_token(arguments, ["kept", listing_id, 0])
    return RunPage(tuple(map(to_run, rows)), token)


def _keep(tx: Transaction, arguments: bytes, ids: Sequence[int], now_ns: int) -> int:
    tx.execute(_DROP_OLD, now_ns - KEPT_NS)
    listing_id = next_id(tx, now_ns)
    tx.execute(_INSERT_LISTING, listing_id, now_ns, arguments, struct.pack(f">{len(ids)}q", *ids))
    return listing_id


def _later_page(
    database: Database, condition: ColumnElement[bool], arguments: bytes, place: _Kept, size: int
) -> RunPage:
    def read(tx: Transaction) -> tuple[list[int], list[Row]]:
        row = tx.one(_GET_LISTING, place.listing_id)
        if row is None or row[0] != arguments:
            raise _bad_token()
        ids = list(struct.unpack(f">{len(row[1]) // 8}q", row[1]))[place.offset :]
        return ids, _read_runs(tx, condition, ids[:size])

    ids, rows = database.read(read)
    token = ""
    if len(ids) > size:
        token = _make_token(arguments, ["kept", place.listing_id, place.offset + size])
    return RunPage(tuple(map(to_run, rows)), token)


def _read_runs(tx: Transaction, condition: ColumnElement[bool], ids: Sequence[int]) -> list[Row]:
    """In the order of `ids`; without those that are gone, or to which the filter does not apply any more."""
    found: dict[int, Row] = {}
    for start in range(0, len(ids), _ID_CHUNK):
        chunk = ids[start : start + _ID_CHUNK]
        found.update((row[0], row) for row in tx.query(SELECT_RUN.where(condition, runs.c.id.in_(chunk))))
    return [found[run_id] for run_id in ids if run_id in found]


def _directed(column: Column[Any], is_descending: bool) -> ColumnElement[Any]:
    return column.desc() if is_descending else column.asc()


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
