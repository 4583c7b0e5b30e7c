"""Indices for every field by which lists are filtered; the details of long runs in parts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_PARENT = ("project", "location")
_CREATED = ("created_ns", "id")


def upgrade() -> None:
    for column in ("state", "display_name", "pipeline_name"):
        op.create_index(f"ix_runs_{column}", "runs", [*_PARENT, column, *_CREATED])
    for column in ("template_uri", "schedule_name"):
        given = sa.text(f"{column} <> ''")
        op.create_index(
            f"ix_runs_{column}",
            "runs",
            [*_PARENT, column, *_CREATED],
            sqlite_where=given,
            postgresql_where=given,
        )
    for name in ("updated", "started", "ended"):
        op.create_index(f"ix_runs_{name}", "runs", [*_PARENT, f"{name}_ns", "id"])
    op.create_table(
        "run_details_parts",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column(
            "run_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("first_task_id", sa.BigInteger(), nullable=False),
        sa.Column("details_wire", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_run_details_parts_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_details_parts")),
    )
    op.create_index(
        "ix_run_details_parts_place", "run_details_parts", ["run_id", "first_task_id"], unique=True
    )
    _label_the_labels()


def _label_the_labels() -> None:
    """The labels with their run's place in lists: as a new table, for the columns have no default."""
    op.rename_table("run_labels", "run_labels_before")
    op.drop_index("ix_run_labels_key_value", "run_labels_before")
    op.create_table(
        "run_labels",
        sa.Column(
            "run_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_run_labels_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "key", name=op.f("pk_run_labels")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO run_labels SELECT l.run_id, l.key, l.value, r.project, r.location, r.created_ns "
        "FROM run_labels_before l JOIN runs r ON r.id = l.run_id"
    )
    op.drop_table("run_labels_before")
    op.create_index("ix_run_labels_value", "run_labels", [*_PARENT, "key", "value", "created_ns", "run_id"])
