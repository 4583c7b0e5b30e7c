"""The version of the stored schema. Apart from what brings a database up to it, which loads SQLAlchemy."""

from __future__ import annotations

SCHEMA_VERSION = "0005"  # the newest migration
VERSION_TABLE = "alembic_version"
