"""The statements of `store.cancel`."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from reprise.domain.states import RunState
from reprise.store.construct import Construct, param
from reprise.store.definitions.columns import by_name
from reprise.store.tables import run_details, runs

LOCK_BY_NAME = by_name(select(runs.c.id, runs.c.state, runs.c.event_seq).with_for_update())
START_CANCELLING = Construct(
    update(runs)
    .values(state=int(RunState.CANCELLING), updated_ns=param("now_ns"), event_seq=runs.c.event_seq + 1)
    .where(runs.c.id == param("run_id")),
    "now_ns",
    "run_id",
)
END_CANCELLED = Construct(
    update(runs)
    .values(
        state=int(RunState.CANCELLED),
        updated_ns=param("now_ns"),
        ended_ns=param("now_ns"),
        error_code=1,
        error_message="cancelled",
        event_seq=runs.c.event_seq + 1,
        fence=runs.c.fence + 1,
        owner="",
        lease_until_ns=0,
    )
    .where(runs.c.id == param("run_id")),
    "now_ns",
    "run_id",
)
INSERT_DETAILS = Construct(insert(run_details))
