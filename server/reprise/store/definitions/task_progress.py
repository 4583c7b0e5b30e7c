"""The statements of `store.task_progress`."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from reprise.store.construct import Construct, ids, param
from reprise.store.tables import attempts, tasks

GET_STATES = Construct(
    select(tasks.c.task_id, tasks.c.state).where(
        tasks.c.run_id == param("run_id"), tasks.c.task_id.in_(ids())
    ),
    "run_id",
)
GET_STATES_BETWEEN = Construct(
    select(tasks.c.task_id, tasks.c.state).where(
        tasks.c.run_id == param("run_id"),
        tasks.c.task_id >= param("first"),
        tasks.c.task_id <= param("last"),
    ),
    "run_id",
    "first",
    "last",
)
GET_PATH = Construct(
    select(tasks.c.path).where(tasks.c.run_id == param("run_id"), tasks.c.task_id == param("task_id")),
    "run_id",
    "task_id",
)
INSERT_TASK = Construct(insert(tasks))
UPDATE_TASK = Construct(
    update(tasks)
    .values(state=param("state"), record=param("record"))
    .where(tasks.c.run_id == param("run_id"), tasks.c.task_id == param("task_id")),
    "state",
    "record",
    "run_id",
    "task_id",
)
GET_ATTEMPTS = Construct(
    select(attempts.c.task_id, attempts.c.number, attempts.c.state, attempts.c.fence).where(
        attempts.c.run_id == param("run_id"), attempts.c.task_id.in_(ids())
    ),
    "run_id",
)
GET_ATTEMPTS_BETWEEN = Construct(
    select(attempts.c.task_id, attempts.c.number, attempts.c.state, attempts.c.fence).where(
        attempts.c.run_id == param("run_id"),
        attempts.c.task_id >= param("first"),
        attempts.c.task_id <= param("last"),
    ),
    "run_id",
    "first",
    "last",
)
INSERT_ATTEMPT = Construct(insert(attempts))
UPDATE_ATTEMPT = Construct(
    update(attempts)
    .values(
        state=param("state"),
        executor=param("executor"),
        handle=param("handle"),
        started_ns=param("started_ns"),
        ended_ns=param("ended_ns"),
        is_counted=param("is_counted"),
        exit=param("exit"),
    )
    .where(
        attempts.c.run_id == param("run_id"),
        attempts.c.task_id == param("task_id"),
        attempts.c.number == param("number"),
    ),
    "state",
    "executor",
    "handle",
    "started_ns",
    "ended_ns",
    "is_counted",
    "exit",
    "run_id",
    "task_id",
    "number",
)
