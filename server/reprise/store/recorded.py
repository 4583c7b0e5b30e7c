"""The task records of a run, while it goes on and after, and of its original as the run has bound it."""

from __future__ import annotations

from reprise.domain.names import RunName
from reprise.domain.run import RecordedRun
from reprise.store.database import Transaction
from reprise.store.entries import read_tasks_of_run
from reprise.store.prepared import recorded as sql
from reprise.store.rows import RUN_WIDTH, to_run
from reprise.store.runs import get_blob, no_run


def get_recorded(tx: Transaction, name: RunName) -> RecordedRun:
    row = tx.one(sql.GET, name.parent.project, name.parent.location, name.job_id)
    if row is None:
        raise no_run(name)
    run = to_run(row)
    records_digest, *original = row[RUN_WIDTH:]
    if records_digest is not None:
        return RecordedRun(run, get_blob(tx, records_digest), *original)
    records = b"".join(_item(row.record) for row in read_tasks_of_run(tx, run.id))
    return RecordedRun(run, records, *original)


def _item(record: bytes) -> bytes:
    """One entry of engine.TaskRecords, which the store writes as the bytes that it has."""
    length, varint = len(record), bytearray()
    while length > 0x7F:
        varint.append(length & 0x7F | 0x80)
        length >>= 7
    varint.append(length)
    return b"\x0a" + bytes(varint) + record
