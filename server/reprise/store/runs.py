"""Runs: storing one, and reading one.

Invariant: a rerun holds references of its own to everything of its original that it needs (spec, records,
folders), taken in the transaction that stores it, so that deleting the original breaks nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from reprise.domain.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    FieldProblem,
    NotFound,
    RequestIdReused,
)
from reprise.domain.names import Parent, RunName
from reprise.domain.run import NewRun, OriginalRun, Run
from reprise.domain.states import RunState
from reprise.store.counters import LARGEST_ID, next_id
from reprise.store.database import Database, Transaction
from reprise.store.prepared import runs as sql
from reprise.store.references import (
    add_own_files,
    find_blob,
    put_blob,
    refer_to_blob,
    share_files,
)
from reprise.store.rows import RUN_WIDTH, to_run
from reprise.store.statement import Row


def log_changes(tx: Transaction, run_id: int, seq: int, at_ns: int, changes: Sequence[str]) -> None:
    """Keep changes of states, items of a JSON list: (task id, attempt, from, to) of each. The last of them is the run's
    `seq`-th."""
    tx.execute(sql.INSERT_EVENT, run_id, seq, at_ns, f"[{','.join(changes)}]")


def change_of_run(before: int, after: int) -> str:
    """Of the run itself, for `log_changes`."""
    return f"[0,0,{before},{after}]"


def no_run(name: RunName | str) -> NotFound:
    return NotFound(f"{name} does not exist", {"resource_type": "PipelineJob", "resource_name": str(name)})


def create_run(tx: Transaction, new: NewRun, request_id: str, fingerprint: bytes) -> tuple[Run, bool]:
    parent = new.name.parent
    if request_id:
        earlier = find_request(tx, parent, request_id, fingerprint)
        if earlier is not None:
            return earlier, False
    _check_name_is_free(tx, new.name, fingerprint)
    run_id = next_id(tx, new.created_ns)
    original = _NO_ORIGINAL if new.original is None else _bind_original(tx, parent, new.original.run_id)
    spec_digest = _refer_to_spec_of(tx, original) if new.is_spec_of_original else put_blob(tx, new.spec)
    tx.execute(
        sql.INSERT_RUN,
        run_id,
        parent.project,
        parent.location,
        new.name.job_id,
        int(RunState.PENDING),
        new.display_name,
        new.pipeline_name,
        json.dumps(dict(new.labels), ensure_ascii=False),
        json.dumps(list(new.warnings), ensure_ascii=False),
        new.template_uri,
        new.schedule_name,
        new.created_ns,
        new.created_ns,
        0,
        0,
        None,
        None,
        spec_digest,
        *original,
        None,
        fingerprint,
        0,
        "",
        0,
        1,
    )
    tx.execute(sql.INSERT_PAYLOAD, run_id, new.header_wire, new.request)
    place = (parent.project, parent.location, new.created_ns)
    tx.execute_many(sql.INSERT_LABEL, [(run_id, key, value, *place) for key, value in new.labels.items()])
    log_changes(tx, run_id, 1, new.created_ns, [change_of_run(0, int(RunState.PENDING))])
    add_own_files(tx, run_id, [path.replace("{run_id}", str(run_id)) for path in new.files])
    share_files(tx, run_id, _lock_sources(tx, new))
    if request_id:
        tx.execute(
            sql.INSERT_REQUEST_ID,
            parent.project,
            parent.location,
            request_id,
            fingerprint,
            run_id,
            new.created_ns,
        )
    tx.concerns(run_id)
    return to_run(_must(tx.one(sql.GET_RUN_BY_ID, run_id))), True


def _refer_to_spec_of(tx: Transaction, original: _Original) -> bytes:
    digest = original[2]
    if digest is None:
        raise AssertionError("a run without an original has no spec of one")
    refer_to_blob(tx, digest)
    return digest


def find_request(tx: Transaction, parent: Parent, request_id: str, fingerprint: bytes) -> Run | None:
    row = tx.one(sql.GET_REQUEST_ID, parent.project, parent.location, request_id)
    if row is None:
        return None
    if row[0] != fingerprint:
        raise RequestIdReused(
            FieldProblem("request_id", "was used before, with another request"), {"request_id": request_id}
        )
    run = tx.one(sql.GET_RUN_BY_ID, row[1])
    if run is None:
        raise FailedPrecondition("the run of this request has been deleted", {"request_id": request_id})
    return to_run(run)


def _check_name_is_free(tx: Transaction, name: RunName, fingerprint: bytes) -> None:
    row = tx.one(sql.GET_FINGERPRINT, name.parent.project, name.parent.location, name.job_id)
    if row is not None:
        is_same = bool(fingerprint) and row[0] == fingerprint
        raise AlreadyExists(
            f"{name} exists",
            {
                "resource_type": "PipelineJob",
                "resource_name": str(name),
                "same_request": "true" if is_same else "false",
            },
        )


# What a run keeps of its original: id, name, digest of the spec, digest of the records and whose these are.
_Original = tuple[int, str, bytes | None, bytes | None, int, str]
_NO_ORIGINAL: _Original = (0, "", None, None, 0, "")


def _bind_original(tx: Transaction, parent: Parent, run_id: int) -> _Original:
    row = tx.one(sql.LOCK_ORIGINAL, run_id) if abs(run_id) <= LARGEST_ID else None
    if row is None or row[:2] != (parent.project, parent.location):
        raise no_run(f"the original {run_id} under {parent}")
    name = str(RunName(parent, row[2]))
    check_has_ended(name, RunState(row[3]))
    spec_digest, records_digest, records_id, records_name = row[4:]
    refer_to_blob(tx, spec_digest)
    if records_digest is not None:
        refer_to_blob(tx, records_digest)
    return run_id, name, spec_digest, records_digest, records_id or run_id, records_name or name


def check_has_ended(name: str, state: RunState) -> None:
    if not state.is_terminal:
        raise FailedPrecondition(
            f"{name} has not ended: {state.name}", {"resource_name": name, "state": state.name}
        )


def _lock_sources(tx: Transaction, new: NewRun) -> list[int]:
    """The runs whose folders the new one refers to. A cached outcome may be gone since the plan."""
    sources = sorted(set(new.reuses) - {0 if new.original is None else new.original.run_id})
    if not are_there(tx, sources):
        raise Aborted("an outcome that the plan reuses has been deleted; plan again")
    return sources if new.original is None else [new.original.run_id, *sources]


def are_there(tx: Transaction, run_ids: list[int]) -> bool:
    """Whether all these runs are stored; locks them, in the order of their ids."""
    return all(tx.one(sql.LOCK_SOURCE, run_id) is not None for run_id in run_ids)


def get_run(database: Database, name: RunName) -> Run:
    row = database.read_one(sql.GET_RUN, name.parent.project, name.parent.location, name.job_id)
    if row is None:
        raise no_run(name)
    return to_run(row)


def get_run_by_id(database: Database, parent: Parent, run_id: int) -> Run:
    row = database.read_one(sql.GET_RUN_BY_ID, run_id) if abs(run_id) <= LARGEST_ID else None
    if row is None or row[1:3] != (parent.project, parent.location):
        raise no_run(f"the run {run_id} under {parent}")
    return to_run(row)


def get_spec(database: Database, digest: bytes) -> bytes:
    spec = database.read(lambda tx: find_blob(tx, digest))
    if spec is None:
        raise NotFound("no such spec", {"digest": digest.hex()})
    return spec


def get_original(tx: Transaction, parent: Parent, run_id: int) -> OriginalRun:
    row = tx.one(sql.GET_ORIGINAL, run_id) if abs(run_id) <= LARGEST_ID else None
    if row is None or row[1:3] != (parent.project, parent.location):
        raise no_run(f"the original {run_id} under {parent}")
    run = to_run(row)
    check_has_ended(str(run.name), run.state)
    request, records_digest, records_id, records_name = row[RUN_WIDTH:]
    return OriginalRun(
        run=run,
        spec=get_blob(tx, run.spec_digest),
        request=request,
        records=get_blob(tx, records_digest),
        records_run_id=records_id or run.id,
        records_run_name=records_name or str(run.name),
        records_digest=records_digest or b"",
    )


def get_blob(tx: Transaction, digest: bytes | None) -> bytes:
    """b"" where there is none: a run cancelled before it started has no records."""
    if digest is None:
        return b""
    content = find_blob(tx, digest)
    if content is None:
        raise AssertionError("bytes that a stored run names are missing")
    return content


def _must(row: Row | None) -> Row:
    if row is None:
        raise AssertionError("a row that a stored run names is missing")
    return row
