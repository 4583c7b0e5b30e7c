"""The statements of `store.references`."""

from __future__ import annotations

from sqlalchemy import delete, exists, insert, literal, select, update

from reprise.store.construct import Construct, if_small, large, param
from reprise.store.tables import blob_bytes, blobs, file_references, garbage, runs

GET_BLOB = Construct(
    select(blobs.c.id, if_small(blob_bytes.c.bytes))
    .select_from(blobs.join(blob_bytes, blob_bytes.c.id == blobs.c.id))
    .where(blobs.c.digest == param("digest")),
    "digest",
)
COUNT_UP = Construct(
    update(blobs)
    .values(reference_count=blobs.c.reference_count + 1)
    .where(blobs.c.digest == param("digest")),
    "digest",
)
COUNT_DOWN = Construct(
    update(blobs)
    .values(reference_count=blobs.c.reference_count - 1)
    .where(blobs.c.digest == param("digest")),
    "digest",
)
DROP_UNREFERENCED = Construct(
    delete(blobs)
    .where(blobs.c.digest == param("digest"), blobs.c.reference_count <= 0)
    .returning(blobs.c.id),
    "digest",
)
DROP_BYTES = Construct(delete(blob_bytes).where(blob_bytes.c.id == param("id")), "id")
INSERT_BLOB = Construct(insert(blobs))
INSERT_BYTES = Construct(insert(blob_bytes))
INSERT_FILE = Construct(insert(file_references))
GET_FILES = Construct(
    select(file_references.c.path)
    .where(file_references.c.run_id == param("run_id"))
    .order_by(file_references.c.path),
    "run_id",
)
DROP_FILES = Construct(delete(file_references).where(file_references.c.run_id == param("run_id")), "run_id")
IS_REFERENCED = Construct(
    select(literal(1)).where(exists().where(file_references.c.path == param("path"))), "path"
)
IS_OF_PROJECT = Construct(
    select(file_references.c.run_id)
    .select_from(file_references.join(runs, runs.c.id == file_references.c.run_id))
    .where(file_references.c.path == param("path"), runs.c.project == param("project"))
    .limit(1),
    "path",
    "project",
)
IS_GARBAGE = Construct(select(garbage.c.id).where(garbage.c.path == param("path")), "path")
INSERT_GARBAGE = Construct(insert(garbage))
GET_GARBAGE = Construct(
    select(garbage.c.id, garbage.c.path).order_by(garbage.c.id).limit(param("limit")), "limit"
)
DROP_GARBAGE = Construct(delete(garbage).where(garbage.c.id == param("id")), "id")
BYTES = large(blob_bytes.c.bytes)
