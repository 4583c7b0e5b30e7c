"""The history of the schema leads to the schema."""

from __future__ import annotations

import importlib
import pkgutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import reprise.store
from reprise.domain.errors import FailedPrecondition
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.store.connection import DIALECT
from reprise.store.open import open_store
from reprise.store.schema import bring_up_to_date, migrate, stored_version
from reprise.store.statement import Statement
from reprise.store.tables import SCHEMA_VERSION
from sqlalchemy import Engine, create_engine, text

from .building import name_of, new_run

STORE_MODULES = [f"reprise.store.{info.name}" for info in pkgutil.iter_modules(reprise.store.__path__)]


def tables(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%'"))
        return {name: "".join((sql or "").split()) for name, sql in rows}


def test_the_migrations_replayed_are_the_tables_of_the_code() -> None:
    replayed, made = create_engine("sqlite://"), create_engine("sqlite://")
    with replayed.begin() as connection:
        migrate(connection, "")
        assert stored_version(connection) == SCHEMA_VERSION
    with made.begin() as connection:
        bring_up_to_date(connection)
        assert stored_version(connection) == SCHEMA_VERSION
    assert tables(replayed) == tables(made)


def test_outcomes_that_an_older_release_has_kept_are_kept_on_the_newest_of_each_key() -> None:
    old = create_engine("sqlite://")
    with old.begin() as connection:
        migrate(connection, "", to="0001")
        row = {"project": "p", "pipeline_name": "n", "task_id": 1}
        for run_id, key, path in ((1, b"k", "a"), (2, b"k", "loop[3].a"), (1, b"l", "b")):
            record = engine.TaskRecord(path=path).SerializeToString()
            connection.execute(
                text(
                    "INSERT INTO cache_entries VALUES (:project, :pipeline_name, :key, :run_id, :task_id, :at, :record)"
                ),
                {**row, "key": key, "run_id": run_id, "at": run_id, "record": record},
            )
        migrate(connection, "0001")
        kept = connection.execute(
            text("SELECT key, run_id, created_ns, task, component FROM cache_entries ORDER BY key")
        )
        assert [tuple(each) for each in kept] == [(b"k", 2, 2, "loop.a", ""), (b"l", 1, 1, "b", "")]


def test_a_schema_that_is_current_stays_as_it_is() -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        bring_up_to_date(connection)
    before = tables(engine)
    with engine.begin() as connection:
        bring_up_to_date(connection)
    assert tables(engine) == before


def test_a_schema_from_the_future_is_refused() -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        bring_up_to_date(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = '0999'"))
        with pytest.raises(FailedPrecondition):
            bring_up_to_date(connection)


def test_no_statement_reads_a_table_from_end_to_end(tmp_path: Path) -> None:
    """But for the runs that have not ended, by their own index, two tables that are kept short, and the look for what
    is to be forgotten, now and then and on a snapshot."""
    open_store(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "reprise.db")
    statements = [
        (f"{module.__name__}.{name}", value)
        for module in map(importlib.import_module, STORE_MODULES)
        for name, value in vars(module).items()
        if isinstance(value, Statement)
    ]
    assert len(statements) > 50
    scans: dict[str, list[str]] = {}
    for name, statement in statements:
        sql = statement.form(DIALECT).sql_for([1, 2])
        steps = connection.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?")).fetchall()
        bad = [step[3] for step in steps if step[3].startswith("SCAN") and "CONSTANT" not in step[3]]
        if bad and bad != ["SCAN runs USING INDEX ix_runs_active"]:
            scans[name.removeprefix("reprise.store.")] = bad
    connection.close()
    pruned = {"pruning._OLD_OPERATIONS", "pruning._OLD_REQUESTS"}
    assert set(scans) == {"references._GET_GARBAGE", "listing._DROP_OLD"} | pruned


def test_alembic_is_not_loaded_for_a_schema_that_is_current(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.create_run(new_run("one"))
    store.close()
    code = (
        "import sys; from reprise.store.open import open_store\n"
        f"store = open_store({str(tmp_path)!r})\n"
        "print([name for name in sys.modules if name.startswith(('alembic', 'mako'))])\n"
        "store.close()"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert run.stdout.strip() == "[]"
    store = open_store(tmp_path)
    store.get_run(name_of("one"))
    store.close()
