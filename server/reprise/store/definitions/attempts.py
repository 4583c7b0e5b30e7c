"""The statements of `store.attempts`."""

from __future__ import annotations

from sqlalchemy import literal_column, select, text

from reprise.store.construct import Construct, param, place_of
from reprise.store.tables import IS_ACTIVE, attempt_entries, runs

HOLDING = Construct(
    select(attempt_entries.c.attempts).where(
        attempt_entries.c.run_id == param("run_id"),
        place_of(attempt_entries.c.attempts, param("text")) > literal_column("0"),
    ),
    "run_id",
    "text",
)
OF_ACTIVE_RUNS = Construct(
    # By way of the few runs that have not ended, which the order asks for: attempts are kept for ever.
    select(runs.c.id, attempt_entries.c.attempts)
    .join(attempt_entries, attempt_entries.c.run_id == runs.c.id)
    .where(text(f"runs.{IS_ACTIVE}"))
    .order_by(runs.c.id, attempt_entries.c.segment, attempt_entries.c.number)
)
