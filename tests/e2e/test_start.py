"""How a server starts and ends. What it loads before it answers is time in which nobody is answered."""

from __future__ import annotations

import ctypes
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from reprise.client import Client, create_request, load_pipeline
from served import Served

_PIPELINES = Path(__file__).parents[1] / "clients" / "pipelines"
_LOADED = re.compile(r"^import time:.*\| +([\w.]+)$", re.MULTILINE)

# What only some calls, or other databases, have a use for.
_NOT_NEEDED = {"alembic", "sqlalchemy"}


def test_a_server_on_an_existing_data_directory_answers_get_and_list_without_what_other_calls_need(
    serve: Callable[..., Served], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    with Client(server.grpc) as client:
        pipeline = load_pipeline(_PIPELINES / "waiting.yaml")
        given = {"ledger": str(tmp_path / "ledger"), "seconds": 0.0}
        name = client.create(create_request(pipeline, given)).name
        client.wait(name, 60)
    server.stop()
    log = server.data_dir.parent / f"{server.data_dir.name}.stderr"
    log.write_text("")
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # each import is a line of the server's standard error
    server.restart()
    with Client(server.grpc) as client:
        assert client.get(name).name == name
        assert [job.name for job in client.list()] == [name]
        loaded = set(_LOADED.findall(log.read_text()))
        assert "reprise.store.listing" in loaded, "what is loaded is seen"
        assert not loaded & _NOT_NEEDED
        assert [job.name for job in client.list(filter='display_name="*"')] == [name]
        assert "sqlalchemy" in _LOADED.findall(log.read_text()), "a filter is made into SQL when there is one"


def test_a_server_ends_whichever_of_its_threads_the_signal_reaches(serve: Callable[..., Served]) -> None:
    server = serve()
    pid = server.process.pid
    others = [int(thread.name) for thread in Path(f"/proc/{pid}/task").iterdir() if int(thread.name) != pid]
    assert others
    _tgkill(pid, max(others), signal.SIGTERM)
    assert server.process.wait(30) == 0


def _tgkill(pid: int, thread: int, number: int) -> None:
    """`kill` lets the system choose the thread, and it nearly always takes the main one."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.tgkill(pid, thread, number) != 0:
        raise OSError(ctypes.get_errno(), "tgkill")
