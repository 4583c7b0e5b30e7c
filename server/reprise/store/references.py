"""What several runs share: bytes kept once by their content, and folders below the data directory.

Invariants: a blob's reference count is the number of places in `runs` that name it, and at zero it is gone. A
folder is garbage when, and only when, its last reference has been given up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from sqlalchemy import delete, exists, insert, literal, select, update

from reprise.domain.errors import Unavailable
from reprise.store.counters import reserve_ids
from reprise.store.database import Database, Transaction
from reprise.store.statement import Statement, if_small, param
from reprise.store.tables import blob_bytes, blobs, file_references, garbage, runs

_GET_BLOB = Statement(
    select(blobs.c.id, if_small(blob_bytes.c.bytes))
    .select_from(blobs.join(blob_bytes, blob_bytes.c.id == blobs.c.id))
    .where(blobs.c.digest == param("digest")),
    "digest",
)

_COUNT_UP = Statement(
    update(blobs)
    .values(reference_count=blobs.c.reference_count + 1)
    .where(blobs.c.digest == param("digest")),
    "digest",
)
_COUNT_DOWN = Statement(
    update(blobs)
    .values(reference_count=blobs.c.reference_count - 1)
    .where(blobs.c.digest == param("digest")),
    "digest",
)
_DROP_UNREFERENCED = Statement(
    delete(blobs)
    .where(blobs.c.digest == param("digest"), blobs.c.reference_count <= 0)
    .returning(blobs.c.id),
    "digest",
)
_DROP_BYTES = Statement(delete(blob_bytes).where(blob_bytes.c.id == param("id")), "id")
_INSERT_BLOB = Statement(insert(blobs))
_INSERT_BYTES = Statement(insert(blob_bytes))

_INSERT_FILE = Statement(insert(file_references))
_GET_FILES = Statement(
    select(file_references.c.path)
    .where(file_references.c.run_id == param("run_id"))
    .order_by(file_references.c.path),
    "run_id",
)
_DROP_FILES = Statement(delete(file_references).where(file_references.c.run_id == param("run_id")), "run_id")
_IS_REFERENCED = Statement(
    select(literal(1)).where(exists().where(file_references.c.path == param("path"))), "path"
)
_IS_OF_PROJECT = Statement(
    select(file_references.c.run_id)
    .select_from(file_references.join(runs, runs.c.id == file_references.c.run_id))
    .where(file_references.c.path == param("path"), runs.c.project == param("project"))
    .limit(1),
    "path",
    "project",
)
_IS_GARBAGE = Statement(select(garbage.c.id).where(garbage.c.path == param("path")), "path")
_INSERT_GARBAGE = Statement(insert(garbage))
_GET_GARBAGE = Statement(
    select(garbage.c.id, garbage.c.path).order_by(garbage.c.id).limit(param("limit")), "limit"
)
_DROP_GARBAGE = Statement(delete(garbage).where(garbage.c.id == param("id")), "id")


def put_blob(tx: Transaction, content: bytes) -> bytes:
    """Keep `content`, or count one more reference to it; gives its digest."""
    digest = hashlib.sha256(content).digest()
    if not tx.execute(_COUNT_UP, digest):
        blob_id = reserve_ids(tx, "blob", 1)
        tx.execute(_INSERT_BLOB, digest, blob_id, 1)
        tx.execute(_INSERT_BYTES, blob_id, content)
    return digest


def find_blob(tx: Transaction, digest: bytes) -> bytes | None:
    row = tx.one(_GET_BLOB, digest)
    if row is None:
        return None
    blob_id, content = row
    return tx.large(blob_bytes.c.bytes, blob_id) if content is None else bytes(content)


def refer_to_blob(tx: Transaction, digest: bytes) -> None:
    if not tx.execute(_COUNT_UP, digest):
        raise AssertionError("a blob that a stored run names is missing")


def release_blob(tx: Transaction, digest: bytes) -> None:
    tx.execute(_COUNT_DOWN, digest)
    dropped = tx.one(_DROP_UNREFERENCED, digest)
    if dropped is not None:
        tx.execute(_DROP_BYTES, dropped[0])


def add_own_files(tx: Transaction, run_id: int, paths: Iterable[str]) -> None:
    """A folder that is still being removed cannot be taken into use again: Unavailable."""
    for path in paths:
        if tx.one(_IS_GARBAGE, path) is not None:
            raise Unavailable("the files of a deleted run are still being removed", {"path": path})
        tx.execute(_INSERT_FILE, path, run_id)


def share_files(tx: Transaction, run_id: int, sources: Iterable[int]) -> None:
    """Refer to all that the `sources` refer to; the caller has locked their rows."""
    held = {row[0] for row in tx.all(_GET_FILES, run_id)}
    for source in sources:
        wanted = [row[0] for row in tx.all(_GET_FILES, source) if row[0] not in held]
        tx.execute_many(_INSERT_FILE, [(path, run_id) for path in wanted])
        held.update(wanted)


def is_file_of(database: Database, project: str, path: str) -> bool:
    """Whether a run of the project refers to the folder."""
    return database.read_one(_IS_OF_PROJECT, path, project) is not None


def release_files(tx: Transaction, run_id: int) -> None:
    """Give up the run's references; what nobody refers to then becomes garbage."""
    paths = [row[0] for row in tx.all(_GET_FILES, run_id)]
    tx.execute(_DROP_FILES, run_id)
    unreferenced = [path for path in paths if tx.one(_IS_REFERENCED, path) is None]
    if unreferenced:
        first_id = reserve_ids(tx, "garbage", len(unreferenced))
        tx.execute_many(_INSERT_GARBAGE, list(enumerate(unreferenced, first_id)))


def take_garbage(tx: Transaction, limit: int) -> Sequence[tuple[int, str]]:
    return [(row[0], row[1]) for row in tx.all(_GET_GARBAGE, limit)]


def drop_garbage(tx: Transaction, ids: Sequence[int]) -> None:
    tx.execute_many(_DROP_GARBAGE, [(garbage_id,) for garbage_id in ids])
