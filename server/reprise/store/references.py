"""What several runs share: bytes kept once by their content, and folders below the data directory.

Invariants: a blob's reference count is the number of places in `runs` that name it, and at zero it is gone. A
folder is garbage when, and only when, its last reference has been given up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from reprise.domain.errors import Unavailable
from reprise.store.counters import reserve_ids
from reprise.store.database import Database, Transaction
from reprise.store.prepared import references as sql


def put_blob(tx: Transaction, content: bytes) -> bytes:
    """Keep `content`, or count one more reference to it; gives its digest."""
    digest = hashlib.sha256(content).digest()
    if not tx.execute(sql.COUNT_UP, digest):
        blob_id = reserve_ids(tx, "blob", 1)
        tx.execute(sql.INSERT_BLOB, digest, blob_id, 1)
        tx.execute(sql.INSERT_BYTES, blob_id, content)
    return digest


def find_blob(tx: Transaction, digest: bytes) -> bytes | None:
    row = tx.one(sql.GET_BLOB, digest)
    if row is None:
        return None
    blob_id, content = row
    return tx.large(sql.BYTES, blob_id) if content is None else bytes(content)


def refer_to_blob(tx: Transaction, digest: bytes) -> None:
    if not tx.execute(sql.COUNT_UP, digest):
        raise AssertionError("a blob that a stored run names is missing")


def release_blob(tx: Transaction, digest: bytes) -> None:
    tx.execute(sql.COUNT_DOWN, digest)
    dropped = tx.one(sql.DROP_UNREFERENCED, digest)
    if dropped is not None:
        tx.execute(sql.DROP_BYTES, dropped[0])


def add_own_files(tx: Transaction, run_id: int, paths: Iterable[str]) -> None:
    """A folder that is still being removed cannot be taken into use again: Unavailable."""
    for path in paths:
        if tx.one(sql.IS_GARBAGE, path) is not None:
            raise Unavailable("the files of a deleted run are still being removed", {"path": path})
        tx.execute(sql.INSERT_FILE, path, run_id)


def share_files(tx: Transaction, run_id: int, sources: Iterable[int]) -> None:
    """Refer to all that the `sources` refer to; the caller has locked their rows."""
    held = {row[0] for row in tx.all(sql.GET_FILES, run_id)}
    for source in sources:
        wanted = [row[0] for row in tx.all(sql.GET_FILES, source) if row[0] not in held]
        tx.execute_many(sql.INSERT_FILE, [(path, run_id) for path in wanted])
        held.update(wanted)


def is_file_of(database: Database, project: str, path: str) -> bool:
    """Whether a run of the project refers to the folder."""
    return database.read_one(sql.IS_OF_PROJECT, path, project) is not None


def release_files(tx: Transaction, run_id: int) -> None:
    """Give up the run's references; what nobody refers to then becomes garbage."""
    paths = [row[0] for row in tx.all(sql.GET_FILES, run_id)]
    tx.execute(sql.DROP_FILES, run_id)
    unreferenced = [path for path in paths if tx.one(sql.IS_REFERENCED, path) is None]
    if unreferenced:
        first_id = reserve_ids(tx, "garbage", len(unreferenced))
        tx.execute_many(sql.INSERT_GARBAGE, list(enumerate(unreferenced, first_id)))


def take_garbage(tx: Transaction, limit: int) -> Sequence[tuple[int, str]]:
    return [(row[0], row[1]) for row in tx.all(sql.GET_GARBAGE, limit)]


def drop_garbage(tx: Transaction, ids: Sequence[int]) -> None:
    tx.execute_many(sql.DROP_GARBAGE, [(garbage_id,) for garbage_id in ids])
