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
from typing import TYPE_CHECKING, Any

from reprise.domain.errors import FieldProblem, InvalidArgument
from reprise.domain.filter import is_storable, parse
from reprise.domain.run import ListQuery, RunPage
from reprise.store.counters import next_id
from reprise.store.database import Database, Transaction
from reprise.store.order import KEY_KINDS, NEVER_CHANGES, parse_order
from reprise.store.prepared import listing as sql
from reprise.store.rows import to_run
from reprise.store.statement import Row, Statement
from reprise.store.walking import FromIndex, FromList, Key, Merged, Source, Without, walk

if TYPE_CHECKING:
    from reprise.store.narrowing import Way
    from reprise.store.query import Query

LARGEST_PAGE = 1000
# What is kept of first pages for the later ones: for a day, and not more than so many.
KEPT_NS = 24 * 3600 * 1_000_000_000
KEPT = 200
# Of runs that a way leads to: so many are read whole where it has no order, and so few make it worth being taken.
FEW = 5000
_DENSE = 1000


class _Query:
    """What is asked for, and the statements that find it: of the plain list those that are query."""

    def __init__(self, text: str, order_by: str, aliases: Mapping[str, str]) -> None:
        self._order = parse_order(order_by)
        self._node = parse(text)
        self._aliases = aliases
        self.field, self.is_descending = self._order[0]
        self.is_by_one = len(self._order) == 1
        self.is_by_constant = self.is_by_one and self.field in NEVER_CHANGES
        if self._node is not None:
            _ = self.built  # what is wrong with the filter is told at once

    @cached_property
    def built(self) -> Query:
        from reprise.store.query import Query

        return Query(self._node, self._order, self._aliases)

    @property
    def by_ids(self) -> Statement:
        return sql.BY_IDS if self._node is None else self.built.by_ids

    @property
    def whole(self) -> tuple[Statement, Statement]:
        if self._node is not None or self.field != "create_time":
            return self.built.whole
        return (sql.NEWEST, sql.OLDER) if self.is_descending else (sql.OLDEST, sql.NEWER)

    @property
    def ways(self) -> Sequence[Way]:
        return () if self._node is None else self.built.ways

    def fits(self, key: Sequence[Any]) -> bool:
        """Whether a key that a caller has brought can be one of this order."""
        kinds = KEY_KINDS[self.field]
        return len(key) == len(kinds) and all(
            type(value) is kind and _fits(value) for value, kind in zip(key, kinds, strict=True)
        )


@lru_cache(maxsize=256)
def _query(text: str, order_by: str, aliases: tuple[tuple[str, str], ...]) -> _Query:
    return _Query(text, order_by, dict(aliases))


def list_runs(database: Database, asked: ListQuery, now_ns: Callable[[], int]) -> RunPage:
    query = _query(asked.filter, asked.order_by, tuple(sorted(asked.aliases.items())))
    parent = (asked.parent.project, asked.parent.location)
    size = max(1, min(asked.page_size, LARGEST_PAGE))
    arguments = _digest(asked)
    place = _read_token(asked.page_token, arguments)
    if query.is_by_one:
        if isinstance(place, _Kept):
            raise _bad_token()
        if place is not None and (place.is_moving is query.is_by_constant or not query.fits(place.key)):
            raise _bad_token()
        if query.is_by_constant:
            return _constant_page(database, query, parent, arguments=arguments, place=place, size=size)
        return _moving_page(
            database, query, parent, arguments=arguments, place=place, size=size, now_ns=now_ns
        )
    if isinstance(place, _After):
        raise _bad_token()
    if place is not None:
        return _later_page(database, query, parent, arguments=arguments, place=place, size=size)
    return _first_page(database, query, parent, arguments=arguments, size=size, now_ns=now_ns)


def _constant_page(
    database: Database,
    query: _Query,
    parent: tuple[str, str],
    *,
    arguments: bytes,
    place: _After | None,
    size: int,
) -> RunPage:
    def read(tx: Transaction) -> tuple[list[Row], Key | None]:
        source = _source(tx, query, parent)
        return walk(tx, source, _reader(tx, query), place.key if place else None, size)

    rows, last = database.read(read)
    token = "" if last is None else _make_token(arguments, ["after", *last])
    return RunPage(tuple(map(to_run, rows)), token)


def _source(tx: Transaction, query: _Query, parent: tuple[str, str]) -> Source:
    """The way with the fewest runs. Where every one has many, the runs that are asked for are not far apart."""
    best, fewest = None, _DENSE + 1
    for way in query.ways:
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
        return FromIndex(*query.whole, parent)
    if best.is_ordered:
        sources = [FromIndex(*statements, parent) for statements in query.built.statements(best)]
        return Merged(sources, query.is_descending)
    keys = {tuple(row) for statement in best.all_keys for row in tx.all(statement, *parent, FEW)}
    return FromList(sorted(keys, reverse=query.is_descending), query.is_descending)


def _moving_page(
    database: Database,
    query: _Query,
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
            moving = [tuple(row) for row in tx.all(query.built.active, *parent)]
        else:
            moving = _kept_keys(tx, arguments, place.listing_id)
        moving.sort(reverse=query.is_descending)
        settled = Without(FromIndex(*query.whole, parent), frozenset(key[-1] for key in moving))
        source = Merged([FromList(moving, query.is_descending), settled], query.is_descending)
        frozen = frozenset(key[-1] for key in moving)
        everyone = _reader(tx, query)

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
    row = tx.one(sql.GET_LISTING, listing_id)
    if row is None or row[0] != arguments:
        raise _bad_token()
    numbers = struct.unpack(f">{len(row[1]) // 8}q", row[1])
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _reader(tx: Transaction, query: _Query) -> Callable[[Sequence[int]], dict[int, Row]]:
    return lambda run_ids: {row[0]: row for row in tx.all_in(query.by_ids, run_ids)}


def _first_page(
    database: Database,
    query: _Query,
    parent: tuple[str, str],
    *,
    arguments: bytes,
    size: int,
    now_ns: Callable[[], int],
) -> RunPage:
    def read(tx: Transaction) -> tuple[list[int], list[Row]]:
        run_ids = [row[0] for row in tx.all(query.built.all_ids, *parent)]
        return run_ids, _read_runs(tx, query, run_ids[:size])

    run_ids, rows = database.read(read)
    token = ""
    if len(run_ids) > size:
        listing_id = database.mutate(lambda tx: _keep(tx, arguments, run_ids[size:], now_ns()))
        token = _make_token(arguments, ["kept", listing_id, 0])
    return RunPage(tuple(map(to_run, rows)), token)


def _keep(tx: Transaction, arguments: bytes, run_ids: Sequence[int], now_ns: int) -> int:
    tx.execute(sql.DROP_OLD, now_ns - KEPT_NS, KEPT)
    listing_id = next_id(tx, now_ns)
    tx.execute(sql.INSERT_LISTING, listing_id, now_ns, arguments, struct.pack(f">{len(run_ids)}q", *run_ids))
    return listing_id


def _later_page(
    database: Database,
    query: _Query,
    parent: tuple[str, str],
    *,
    arguments: bytes,
    place: _Kept,
    size: int,
) -> RunPage:
    def read(tx: Transaction) -> tuple[list[int], list[Row]]:
        row = tx.one(sql.GET_LISTING, place.listing_id)
        if row is None or row[0] != arguments:
            raise _bad_token()
        run_ids = list(struct.unpack(f">{len(row[1]) // 8}q", row[1]))[place.offset :]
        return run_ids, _read_runs(tx, query, run_ids[:size])

    run_ids, rows = database.read(read)
    token = ""
    if len(run_ids) > size:
        token = _make_token(arguments, ["kept", place.listing_id, place.offset + size])
    return RunPage(tuple(map(to_run, rows)), token)


def _read_runs(tx: Transaction, query: _Query, run_ids: Sequence[int]) -> list[Row]:
    """In their order; without those that are gone, or to which the filter does not apply any more."""
    found = {row[0]: row for row in tx.all_in(query.by_ids, run_ids)}
    return [found[run_id] for run_id in run_ids if run_id in found]


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
