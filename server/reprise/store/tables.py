"""The tables, one text for SQLite and PostgreSQL.

Invariants: what is written once and has no bound (specs, records, requests) never shares a row with what
changes, or every change of a state would rewrite it. Times are nanoseconds since the epoch, 0: not yet.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

# `BIGINT PRIMARY KEY` would not be SQLite's row id, so the variant is needed there.
_ID = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id(name: str) -> Column[int]:
    return Column(name, _ID, primary_key=True, autoincrement=False)


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _bytes(name: str, nullable: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=nullable)


def _run_id(primary_key: bool = True) -> Column[int]:
    return Column(
        "run_id",
        _ID,
        ForeignKey("runs.id", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
        autoincrement=False,
    )


def _partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    # `postgresql_where` would load that dialect, and twice the time of all else here, for SQLite too: the
    # condition is taken from `info` where PostgreSQL is opened.
    return Index(name, *columns, unique=unique, sqlite_where=text(where), info={"where": where})


IS_ACTIVE = "state IN (1, 2, 3, 6)"
"""A run that has not ended: QUEUED, PENDING, RUNNING, CANCELLING."""

HAS_TEMPLATE_URI = "template_uri <> ''"
HAS_SCHEDULE_NAME = "schedule_name <> ''"

# Written out wherever it is asked for: a condition with a value still to be given does not use the index.
IS_PENDING = "outcome = 'pending'"

runs = Table(
    "runs",
    metadata,
    _id("id"),
    _text("project"),
    _text("location"),
    _text("job_id"),
    _number("state"),
    _text("display_name"),
    _text("pipeline_name"),
    _text("labels"),  # JSON
    _text("warnings"),  # JSON
    _text("template_uri"),
    _text("schedule_name"),
    _number("created_ns"),
    _number("updated_ns"),
    _number("started_ns"),
    _number("ended_ns"),
    Column("error_code", Integer, nullable=True),
    Column("error_message", Text, nullable=True),
    _bytes("spec_digest"),
    _number("original_id"),  # no foreign key: the original may be deleted
    _text("original_name"),
    _bytes("original_spec_digest", nullable=True),
    _bytes("original_records_digest", nullable=True),
    _number("original_records_id"),  # the run whose records these are: the original, or an ancestor
    _text("original_records_name"),
    _bytes("records_digest", nullable=True),
    _bytes("fingerprint"),
    _number("fence"),
    _text("owner"),
    _number("lease_until_ns"),
    _number("event_seq"),
    UniqueConstraint("project", "location", "job_id"),
    Index("ix_runs_created", "project", "location", "created_ns", "id"),
    # Lists are filtered by what is equal, and stay in the order of creation; see `store.narrowing`.
    Index("ix_runs_state", "project", "location", "state", "created_ns", "id"),
    Index("ix_runs_display_name", "project", "location", "display_name", "created_ns", "id"),
    Index("ix_runs_pipeline_name", "project", "location", "pipeline_name", "created_ns", "id"),
    # Most runs have neither: those that have none need no entry.
    _partial_index(
        "ix_runs_template_uri",
        *("project", "location", "template_uri", "created_ns", "id"),
        where=HAS_TEMPLATE_URI,
    ),
    _partial_index(
        "ix_runs_schedule_name",
        *("project", "location", "schedule_name", "created_ns", "id"),
        where=HAS_SCHEDULE_NAME,
    ),
    Index("ix_runs_updated", "project", "location", "updated_ns", "id"),
    Index("ix_runs_started", "project", "location", "started_ns", "id"),
    Index("ix_runs_ended", "project", "location", "ended_ns", "id"),
    _partial_index("ix_runs_active", "id", where=IS_ACTIVE),
)

run_payloads = Table(
    "run_payloads",
    metadata,
    _run_id(),
    _bytes("header_wire"),
    _bytes("request"),
)

run_details = Table("run_details", metadata, _run_id(), _bytes("details_wire"))

# The details of a long run, in parts of about a megabyte, so that a page of its tasks is read without the rest:
# in one value of 440 MB the last bytes are 340 ms away, for the database follows a chain of pages to them.
run_details_parts = Table(
    "run_details_parts",
    metadata,
    _id("id"),
    _run_id(primary_key=False),
    _number("first_task_id"),
    _bytes("details_wire"),
    Index("ix_run_details_parts_place", "run_id", "first_task_id", unique=True),
)

# What an ended run leaves for its reruns; a run without a row is planned from its records.
run_compiled = Table("run_compiled", metadata, _run_id(), _bytes("graph"), _bytes("labels"))

run_labels = Table(
    "run_labels",
    metadata,
    _run_id(),
    _key("key"),
    _text("value"),
    # The run's own, so that the runs with a label can be read in the order of lists without looking at each.
    _text("project"),
    _text("location"),
    _number("created_ns"),
    Index("ix_run_labels_value", "project", "location", "key", "value", "created_ns", "run_id"),
    sqlite_with_rowid=False,
)

blobs = Table(
    "blobs",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    _number("id"),
    _number("reference_count"),
    sqlite_with_rowid=False,
)

# Apart from the counts, so that counting does not rewrite the bytes.
blob_bytes = Table("blob_bytes", metadata, _id("id"), _bytes("bytes"))

# What becomes of the tasks of a run is kept by segments of neighbours: a row for each task and one for each attempt
# took most of the time of a write. Each write adds entries, and the last that speaks of a task, or of an attempt,
# holds; `task_segments`, fixed in length, says where they all stand now. See `store.segments`.
task_segments = Table(
    "task_segments",
    metadata,
    _run_id(),
    _id("segment"),
    _number("entries"),  # the number of the last one
    # One number for each task, 0: there is none.
    _bytes("states"),
    _bytes("attempt_states"),  # of a task's last attempt, as the next two
    _bytes("attempt_numbers"),
    _bytes("attempt_fences"),
    sqlite_with_rowid=False,
)

task_entries = Table(
    "task_entries",
    metadata,
    _run_id(),
    _id("segment"),
    _id("number"),
    _text("tasks"),  # JSON: [[task id, state, path, bytes of its record]]
    _bytes("records"),  # one after the other
    sqlite_with_rowid=False,
)

# Kept when the run has ended, unlike those of tasks.
attempt_entries = Table(
    "attempt_entries",
    metadata,
    _run_id(),
    _id("segment"),
    _id("number"),
    _text("attempts"),  # JSON, see `store.entries`
    sqlite_with_rowid=False,
)

# One row for each transaction that changed states; a row for each change took a third of the time of a write.
events = Table(
    "events",
    metadata,
    _run_id(),
    _id("seq"),  # of the last change in it; the changes of a run are numbered from 1, without gaps
    _number("at_ns"),
    _text("changes"),  # JSON: [[task id (0: the run), attempt (0: the task), from (0: none), to]]
    sqlite_with_rowid=False,
)

operations = Table(
    "operations",
    metadata,
    _id("id"),
    _text("project"),
    _text("location"),
    _text("kind"),
    _text("party"),
    _number("is_done"),
    _number("created_ns"),
    _number("updated_ns"),
    Column("error_code", Integer, nullable=True),
    Column("error_message", Text, nullable=True),
    Index("ix_operations_parent", "project", "location", "id"),
)

operation_targets = Table(
    "operation_targets",
    metadata,
    Column("operation_id", _ID, primary_key=True, autoincrement=False),
    _id("position"),
    _text("name"),
    _number("run_id"),  # no foreign key: what became of a run is told after its deletion
    _text("outcome"),
    Column("state", BigInteger, nullable=True),
    _bytes("snapshot", nullable=True),  # the run as the operation answers with it
    ForeignKeyConstraint(["operation_id"], ["operations.id"], ondelete="CASCADE"),
    _partial_index("ix_operation_targets_pending", "run_id", where=IS_PENDING),
)

request_ids = Table(
    "request_ids",
    metadata,
    _key("project"),
    _key("location"),
    _key("request_id"),
    _bytes("fingerprint"),
    _number("run_id"),  # no foreign key: a retry after the deletion must not make the run again
    _number("created_ns"),
)

cache_entries = Table(
    "cache_entries",
    metadata,
    _key("project"),
    _key("pipeline_name"),
    Column("key", LargeBinary, primary_key=True),  # the newest outcome of a key replaces the one before
    _run_id(primary_key=False),
    _number("task_id"),
    _number("created_ns"),
    _bytes("record"),
    _text("task"),  # its path without the indices of iterations
    _text("component"),
    Index("ix_cache_entries_run_id", "run_id"),
    Index("ix_cache_entries_task", "project", "pipeline_name", "task", "key"),
    Index("ix_cache_entries_component", "project", "pipeline_name", "component", "created_ns"),
)

# The task that executes a key now; see `leaders` for when it leads.
cache_leaders = Table(
    "cache_leaders",
    metadata,
    _key("project"),
    _key("pipeline_name"),
    Column("key", LargeBinary, primary_key=True),
    _run_id(primary_key=False),
    _number("task_id"),
    Index("ix_cache_leaders_run_id", "run_id", "task_id"),
    sqlite_with_rowid=False,
)

file_references = Table(
    "file_references",
    metadata,
    _key("path"),  # a folder, relative to the data directory
    _run_id(),
    Index("ix_file_references_run_id", "run_id"),
    sqlite_with_rowid=False,
)

garbage = Table("garbage", metadata, _id("id"), Column("path", Text, nullable=False, unique=True))

counters = Table("counters", metadata, _key("name"), _number("value"))

listings = Table(
    "listings",
    metadata,
    _id("id"),
    _number("created_ns"),
    _bytes("arguments"),  # digest of the query that it answers
    _bytes("run_ids"),  # int64, big endian
)
