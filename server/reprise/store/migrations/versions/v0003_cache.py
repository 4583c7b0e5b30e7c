"""The cache keeps one outcome for a key and tells of which task it is; leaders: who executes a key now."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from reprise.domain.cache import without_iterations
from reprise.pb.engine.v1 import engine_pb2 as engine

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NEWEST_FIRST = "SELECT project, pipeline_name, key, run_id, task_id, created_ns, record FROM cache_entries"


def _run_id() -> sa.Column[int]:
    return sa.Column(
        "run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
    )


def upgrade() -> None:
    connection = op.get_bind()
    newest: dict[tuple[str, str, bytes], dict[str, object]] = {}
    for row in connection.execute(sa.text(f"{_NEWEST_FIRST} ORDER BY created_ns DESC, run_id DESC")):
        path = engine.TaskRecord.FromString(row.record).path
        newest.setdefault(
            (row.project, row.pipeline_name, bytes(row.key)),
            {**row._mapping, "task": without_iterations(path), "component": ""},
        )
    op.drop_table("cache_entries")
    entries = op.create_table(
        "cache_entries",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("pipeline_name", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        _run_id(),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_cache_entries_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project", "pipeline_name", "key", name=op.f("pk_cache_entries")),
    )
    op.create_index("ix_cache_entries_run_id", "cache_entries", ["run_id"], unique=False)
    op.create_index(
        "ix_cache_entries_task", "cache_entries", ["project", "pipeline_name", "task", "key"], unique=False
    )
    op.create_index(
        "ix_cache_entries_component",
        "cache_entries",
        ["project", "pipeline_name", "component", "created_ns"],
        unique=False,
    )
    if newest:
        op.bulk_insert(entries, list(newest.values()))
    op.create_table(
        "cache_leaders",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("pipeline_name", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        _run_id(),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_cache_leaders_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project", "pipeline_name", "key", name=op.f("pk_cache_leaders")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_cache_leaders_run_id", "cache_leaders", ["run_id", "task_id"], unique=False)
