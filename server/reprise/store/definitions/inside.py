"""The statements of `store.inside`."""

from __future__ import annotations

from sqlalchemy import select

from reprise.store.construct import if_small
from reprise.store.definitions.columns import RUN_COLUMNS, by_name
from reprise.store.tables import blob_bytes, blobs, run_details, run_payloads, runs

# Asked most of all. Each column costs: the driver names and converts it anew in every answer. One statement is one
# snapshot without a transaction around it.
GET_ENDED = by_name(
    select(runs.c.id, if_small(blob_bytes.c.bytes), if_small(run_details.c.details_wire)).select_from(
        runs.join(run_details, run_details.c.run_id == runs.c.id)
        .join(blobs, blobs.c.digest == runs.c.spec_digest)
        .join(blob_bytes, blob_bytes.c.id == blobs.c.id)
    )
)
GET = by_name(
    select(*RUN_COLUMNS, if_small(blob_bytes.c.bytes), run_details.c.run_id).select_from(
        runs.join(run_payloads)
        .join(blobs, blobs.c.digest == runs.c.spec_digest)
        .join(blob_bytes, blob_bytes.c.id == blobs.c.id)
        .outerjoin(run_details, run_details.c.run_id == runs.c.id)
    )
)
