"""The history of the schema leads to the schema."""

from __future__ import annotations

import importlib
import pkgutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from reprise.domain.errors import FailedPrecondition, IllegalMove
from reprise.domain.states import AttemptState, RunState, TaskState
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.store import prepared
from reprise.store.connection import DATABASE
from reprise.store.definitions.__main__ import stale_files
from reprise.store.open import open_store
from reprise.store.schema import bring_up_to_date, migrate, stored_version
from reprise.store.schema_version import SCHEMA_VERSION
from reprise.store.statement import Statement
from sqlalchemy import Connection, Engine, create_engine, text

from .building import attempt, claim, name_of, new_run, task

PREPARED = [f"{prepared.__name__}.{info.name}" for info in pkgutil.iter_modules(prepared.__path__)]


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


def test_a_run_that_an_older_release_left_goes_on_and_the_attempts_of_ended_ones_are_kept(
    tmp_path: Path,
) -> None:
    database = tmp_path / "reprise.db"
    store = open_store(tmp_path)
    store.create_run(new_run("ended"))
    ended = claim(store, "ended")
    ended.begin()
    ended.finish()
    store.create_run(new_run("going"))
    first = claim(store, "going")
    first.begin()
    store.close()
    old = create_engine(f"sqlite:///{database}")
    with old.begin() as connection:
        _go_back_to_rows(connection)
        for task_id in (3, 300):
            connection.execute(
                text("INSERT INTO tasks VALUES (:run, :task, :path, 2, :record)"),
                {"run": first.run.id, "task": task_id, "path": f"task-{task_id}", "record": b"r%d" % task_id},
            )
        for run, task_id, number, state in (
            (ended.run.id, 1, 1, AttemptState.SUCCEEDED),
            (first.run.id, 3, 1, AttemptState.LOST),
            (first.run.id, 3, 2, AttemptState.RUNNING),
            (first.run.id, 300, 1, AttemptState.SUCCEEDED),
        ):
            connection.execute(
                text(
                    "INSERT INTO attempts VALUES (:run, :task, :number, :state, 'subprocess', :handle, 5, 0, 1, "
                    ":exit, :fence, :path)"
                ),
                {
                    **{
                        "run": run,
                        "task": task_id,
                        "number": number,
                        "state": int(state),
                        "handle": b"\xff\x00",
                    },
                    **{"exit": b"{}", "fence": first.run.fence, "path": f"task-{task_id}"},
                },
            )
    old.dispose()
    store = open_store(tmp_path)
    later = claim(store, "going", "the next server")
    assert [(row.task_id, row.path, row.state, row.record) for row in later.claimed.tasks] == [
        (3, "task-3", TaskState.RUNNING, b"r3"),
        (300, "task-300", TaskState.RUNNING, b"r300"),
    ]
    assert [(row.task_id, row.number, row.state, row.handle, row.exit) for row in later.claimed.attempts] == [
        (3, 1, AttemptState.LOST, b"\xff\x00", b"{}"),
        (3, 2, AttemptState.RUNNING, b"\xff\x00", b"{}"),
        (300, 1, AttemptState.SUCCEEDED, b"\xff\x00", b"{}"),
    ]
    with pytest.raises(IllegalMove, match="attempt 2 is RUNNING"):
        later.write(starts=[attempt(3, 3)])
    with pytest.raises(IllegalMove, match="attempt 1 is SUCCEEDED"):
        later.write(starts=[attempt(300, 2)])
    later.write(attempts=[attempt(3, 2, AttemptState.FAILED)], tasks=[task(3, TaskState.FAILED)])
    later.write(tasks=[task(300, TaskState.SUCCEEDED)])
    later.finish(RunState.FAILED)
    assert store.find_attempt(name_of("ended"), "task-1", 0).is_complete
    assert store.find_attempt(name_of("going"), "task-3", 0).number == 2
    store.close()


def _go_back_to_rows(connection: Connection) -> None:
    """What release 0004 had in the place of segments."""
    for table in ("task_segments", "task_entries", "attempt_entries"):
        connection.execute(text(f"DROP TABLE {table}"))
    older = create_engine("sqlite://")
    with older.begin() as there:
        migrate(there, "", to="0004")
        made = there.execute(text("SELECT sql FROM sqlite_master WHERE name IN ('tasks', 'attempts')")).all()
    for (sql,) in made:
        connection.execute(text(sql))
    connection.execute(text("UPDATE alembic_version SET version_num = '0004'"))


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
        for module in map(importlib.import_module, PREPARED)
        for name, value in vars(module).items()
        if isinstance(value, Statement)
    ]
    assert len(statements) > 100
    scans: dict[str, list[str]] = {}
    for name, statement in statements:
        sql = statement.form(DATABASE).sql_for([1, 2])
        steps = connection.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?")).fetchall()
        bad = [step[3] for step in steps if step[3].startswith("SCAN") and "CONSTANT" not in step[3]]
        if bad and bad != ["SCAN runs USING INDEX ix_runs_active"]:
            scans[name.removeprefix(f"{prepared.__name__}.")] = bad
    connection.close()
    pruned = {"pruning.OLD_OPERATIONS", "pruning.OLD_REQUESTS"}
    assert set(scans) == {"references.GET_GARBAGE", "listing.DROP_OLD"} | pruned


def test_the_prepared_statements_are_those_that_are_defined() -> None:
    assert stale_files() == [], "run `python -m reprise.store.definitions`"


def test_a_store_whose_schema_is_current_is_opened_written_and_read_without_alembic_and_sqlalchemy(
    tmp_path: Path,
) -> None:
    open_store(tmp_path).close()
    code = f"""if True:
        import sys
        from reprise.domain.run import ListQuery
        from reprise.store.open import open_store
        from store.building import PARENT, claim, name_of, new_run
        store = open_store({str(tmp_path)!r})
        store.create_run(new_run("one"))
        store.get_details(name_of("one"))
        for order_by in ("", "create_time"):
            query = ListQuery(PARENT, order_by=order_by, page_size=1)
            assert [run.name for run in store.list_runs(query).runs] == [name_of("one")]
        claim(store, "one")
        store.request_cancel(name_of("one"), 1)
        store.close()
        print({{name.split(".")[0] for name in sys.modules}} & {{"alembic", "mako", "sqlalchemy"}})"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join([*sys.path, str(Path(__file__).parents[1])])},
    )
    assert (run.stdout.strip(), run.stderr) == ("set()", "")
    store = open_store(tmp_path)
    assert store.get_run(name_of("one")).name == name_of("one")
    store.close()
