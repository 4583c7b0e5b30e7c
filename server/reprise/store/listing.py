"""Pages of runs.

Invariants: across the pages of one query a run that is there all the while is given exactly once, whatever is
written meanwhile. By what never changes (creation, display name) a page goes on after the last run of the one
before. By what changes until a run has ended (update, end) it does too, and the runs that have not ended when the
first page is read keep the places that they had then. By several fields the order of the first page is kept whole. A
token is bound to the query that it came from, and opens nothing that the query does not.
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

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    bindparam,
    delete,
    insert,
    or_,
    select,
    text,
    tuple_,
)

from reprise.domain.errors import FieldProblem, InvalidArgument
from reprise.domain.filter import is_storable, parse
from reprise.domain.run import ListQuery, RunPage
from reprise.store.clauses import time_clause, to_clause
from reprise.store.counters import next_id
from reprise.store.database import Database, Transaction
from reprise.store.narrowing import FEW, Place, Way, created_between, everything, ways
from reprise.store.rows import SELECT_RUN, to_run
from reprise.store.statement import Row, Statement, ids, param
from reprise.store.tables import IS_ACTIVE, listings, runs
from reprise.store.walking import FromIndex, FromList, Key, Merged, Source, Without, walk

LARGEST_PAGE = 1000
# What is kept of first pages for the later ones: for a day, and not more than so many.
KEPT_NS = 24 * 3600 * 1_000_000_000
KEPT = 200
_DENSE = 1000

_ORDERS: dict[str, Column[Any]] = {
    "create_time": runs.c.created_ns,
    "display_name": runs.c.display_name,
    "update_time": runs.c.updated_ns,
    "end_time": runs.c.ended_ns,
}
# What places equal ones: an index that other things need goes on so.
_THEN: dict[str, tuple[Column[Any], ...]] = {"display_name": (runs.c.created_ns,)}
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
        self._node = parse(text)
        self._aliases = aliases
        self._condition = to_clause(self._node, aliases)
        self.field, self.is_descending = self._order[0]
        self.is_by_one = len(self._order) == 1
        self.is_by_constant = self.is_by_one and self.field in _CONSTANT

    @cached_property
    def all_ids(self) -> Statement:
        order = [(_ORDERS[field], is_descending) for field, is_descending in self._order]
        order.append((runs.c.id, self._order[-1][1]))
        statement = select(runs.c.id).where(*_of_parent(), self._condition).order_by(*_directed(order))
        return Statement(statement, *_PARENT)

    @cached_property
    def by_ids(self) -> Statement:
        """Those of some runs of the parent to which the filter applies.

        Without a word of the parent: it would lure the database into an index of all the parent's runs.
        """
        return Statement(SELECT_RUN.where(self._condition, runs.c.id.in_(ids())))

    @cached_property
    def active(self) -> Statement:
        """The keys of the runs that have not ended: those that may change."""
        return Statement(select(*self._key_columns).where(*_of_parent(), text(IS_ACTIVE)), *_PARENT)

    @cached_property
    def whole(self) -> tuple[Statement, Statement]:
        """Every run of the parent in the order: the first ones, and those beyond a key."""
        if self.field == "create_time":
            return self._at(everything().places[0])
        statement = select(*self._key_columns).where(*_of_parent())
        return self._directed(statement, self._key_columns)

    @cached_property
    def ways(self) -> list[Way]:
        return ways(self._node, self._aliases) if self.field == "create_time" and self.is_by_one else []

    @cached_property
    def _statements(self) -> dict[int, list[tuple[Statement, Statement]]]:
        return {}

    def statements(self, way: Way) -> list[tuple[Statement, Statement]]:
        """For each place of an ordered way: the first keys in the order, and those beyond a key."""
        known = self._statements.get(id(way))
        if known is None:
            known = self._statements[id(way)] = [self._at(place) for place in way.places]
        return known

    def fits(self, key: Sequence[Any]) -> bool:
        """Whether a key that a caller has brought can be one of this order."""
        kinds = [str if column is runs.c.display_name else int for column in self._key_columns]
        return len(key) == len(kinds) and all(
            type(value) is kind and _fits(value) for value, kind in zip(key, kinds, strict=True)
        )

    @property
    def _key_columns(self) -> list[Column[Any]]:
        return [_ORDERS[self.field], *_THEN.get(self.field, ()), runs.c.id]

    def _at(self, place: Place) -> tuple[Statement, Statement]:
        bounds = [
            time_clause(term, place.created_ns) for _, term in created_between(self._node, self._aliases)
        ]
        return self._directed(place.keys(*bounds), [place.created_ns, place.run_id])

    def _directed(
        self, statement: Select[*tuple[Any, ...]], columns: Sequence[Column[Any]]
    ) -> tuple[Statement, Statement]:
        ordered = statement.order_by(*_directed([(column, self.is_descending) for column in columns]))
        names = [f"key_{index}" for index in range(len(columns))]
        here = tuple_(*columns)
        there = tuple_(
            *(bindparam(f"p_{name}", type_=column.type) for name, column in zip(names, columns, strict=True))
        )
        is_beyond = here < there if self.is_descending else here > there
        return (
            Statement(ordered.limit(param("limit")), *_PARENT, "limit"),
            Statement(ordered.where(is_beyond).limit(param("limit")), *_PARENT, *names, "limit"),
        )


def _directed(order: Sequence[tuple[Column[Any], bool]]) -> list[ColumnElement[Any]]:
    return [column.desc() if is_descending else column.asc() for column, is_descending in order]


def _of_parent() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return runs.c.project == param("project"), runs.c.location == param("location")


@lru_cache(maxsize=256)
def _query(text: str, order_by: str, aliases: tuple[tuple[str, str], ...]) -> _Query:
    return _Query(text, order_by, dict(aliases))


def list_runs(database: Database, query: ListQuery, now_ns: Callable[[], int]) -> RunPage:
    prepared = _query(query.filter, query.order_by, tuple(sorted(query.aliases.items())))
    parent = (query.parent.project, query.parent.location)
    size = max(1, min(query.page_size, LARGEST_PAGE))
    arguments = _digest(query)
    place = _read_token(query.page_token, arguments)
    if prepared.is_by_one:
        if isinstance(place, _Kept):
            raise _bad_token()
        if place is not None and (place.is_moving is prepared.is_by_constant or not prepared.fits(place.key)):
            raise _bad_token()
        if prepared.is_by_constant:
            return _constant_page(database, prepared, parent, arguments=arguments, place=place, size=size)
        return _moving_page(
            database, prepared, parent, arguments=arguments, place=place, size=size, now_ns=now_ns
        )
    if isinstance(place, _After):
        raise _bad_token()
    if place is not None:
        return _later_page(database, prepared, parent, arguments=arguments, place=place, size=size)
    return _first_page(database, prepared, parent, arguments=arguments, size=size, now_ns=now_ns)


def _constant_page(
    database: Database,
    prepared: _Query,
    parent: tuple[str, str],
    *,
    arguments: bytes,
    place: _After | None,
    size: int,
) -> RunPage:
    def read(tx: Transaction) -> tuple[list[Row], Key | None]:
        source = _source(tx, prepared, parent)
        return walk(tx, source, _reader(tx, prepared), place.key if place else None, size)

    rows, last = database.read(read)
    token = "" if last is None else _make_token(arguments, ["after", *last])
    return RunPage(tuple(map(to_run, rows)), token)


def _source(tx: Transaction, prepared: _Query, parent: tuple[str, str]) -> Source:
    """The way with the fewest runs. Where every one has many, the runs that are asked for are not far apart."""
    best, fewest = None, _DENSE + 1
    for way in prepared.ways:
        most = _DENSE if way.is_ordered else FEW
        count = 0
        for statement in way.counts:
            row = tx.one(statement, *parent, most + 1)
            count += row[0] if row is not None else 0
        if not way.is_ordered and count > FEW:
            continue
        if best is None or count < fewest:
            best, fewest = way, count
    if best is None:
        return FromIndex(*prepared.whole, parent)
    if best.is_ordered:
        sources = [FromIndex(*statements, parent) for statements in prepared.statements(best)]
        return Merged(sources, prepared.is_descending)
    keys = {tuple(row) for statement in best.all_keys for row in tx.all(statement, *parent, FEW)}
    return FromList(sorted(keys, reverse=prepared.is_descending), prepared.is_descending)


def _moving_page(
    database: Database,
    prepared: _Query,
    parent: tuple[str, str],
    *,
    arguments: bytes,
    place: _After | None,
    size: int,
    now_ns: Callable[[], int],
) -> RunPage:
    """By a time that changes until a run has ended, and never after."""

    def read(tx: Transaction) -> tuple[list[Row], Key | None, list[Key]]:
        if place is None:
            moving = [tuple(row) for row in tx.all(prepared.active, *parent)]
        else:
            moving = _kept_keys(tx, arguments, place.listing_id)
        moving.sort(reverse=prepared.is_descending)
        settled = Without(FromIndex(*prepared.whole, parent), frozenset(key[-1] for key in moving))
        source = Merged([FromList(moving, prepared.is_descending), settled], prepared.is_descending)
        frozen = frozenset(key[-1] for key in moving)
        everyone = _reader(tx, prepared)

        def read_settled(run_ids: Sequence[int]) -> dict[int, Row]:
            # One that was made since, and still moves, could come twice.
            return {
                run_id: row
                for run_id, row in everyone(run_ids).items()
                if run_id in frozen or to_run(row).state.is_terminal
            }

        rows, last = walk(tx, source, read_settled, None if place is None else place.key, size)
        return rows, last, moving

    rows, last, moving = database.read(read)
    if last is None:
        return RunPage(tuple(map(to_run, rows)), "")
    listing_id = 0 if place is None else place.listing_id
    if place is None and moving:
        numbers = [number for key in moving for number in key]
        listing_id = database.mutate(lambda tx: _keep(tx, arguments, numbers, now_ns()))
    return RunPage(tuple(map(to_run, rows)), _make_token(arguments, ["moving", listing_id, *last]))


def _kept_keys(tx: Transaction, arguments: bytes, listing_id: int) -> list[Key]:
    if not listing_id:
        return []
    row = tx.one(_GET_LISTING, listing_id)
    if row is None or row[0] != arguments:
        raise _bad_token()
    numbers = struct.unpack(f">{len(row[1]) // 8}q", row[1])
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _reader(tx: Transaction, prepared: _Query) -> Callable[[Sequence[int]], dict[int, Row]]:
    return lambda run_ids: {row[0]: row for row in tx.all_in(prepared.by_ids, run_ids)}


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
        return run_ids, _read_runs(tx, prepared, run_ids[:size])

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
        return run_ids, _read_runs(tx, prepared, run_ids[:size])

    run_ids, rows = database.read(read)
    token = ""
    if len(run_ids) > size:
        token = _make_token(arguments, ["kept", place.listing_id, place.offset + size])
    return RunPage(tuple(map(to_run, rows)), token)


def _read_runs(tx: Transaction, prepared: _Query, run_ids: Sequence[int]) -> list[Row]:
    """In their order; without those that are gone, or to which the filter does not apply any more."""
    found = {row[0]: row for row in tx.all_in(prepared.by_ids, run_ids)}
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
    """After the run with this key. `is_moving`: by a time that may change; `listing_id`: where the keys of the runs
    that might have moved are kept, 0: there were none.
    """

    __slots__ = ("is_moving", "key", "listing_id")

    def __init__(self, key: Sequence[Any], *, is_moving: bool, listing_id: int = 0) -> None:
        self.key = tuple(key)
        self.is_moving = is_moving
        self.listing_id = listing_id


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
        case [_, "after", *key]:
            return _After(key, is_moving=False)
        case [_, "moving", int(listing_id), *key] if _fits(listing_id):
            return _After(key, is_moving=True, listing_id=listing_id)
        case [_, "kept", int(listing_id), int(offset)] if _fits(listing_id) and 0 <= offset < 2**31:
            return _Kept(listing_id, offset)
    raise _bad_token()


def _fits(value: int | str) -> bool:
    """Whether a database can compare with it: no half characters, no huge numbers."""
    return is_storable(value) if isinstance(value, str) else abs(value) < 2**63


def _bad_token() -> InvalidArgument:
    return InvalidArgument(FieldProblem("page_token", "expected the token of an earlier page, of today"))
