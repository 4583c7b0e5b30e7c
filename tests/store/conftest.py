from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from reprise.store.open import open_store
from reprise.store.sql import SqlStore

from .looking import Look, SqliteLook


@pytest.fixture(params=["sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def reopen(backend: str, tmp_path: Path) -> Iterator[Callable[[], SqlStore]]:
    """Gives the store; each further call closes it and opens it again, as a restart of the server does."""
    opened: list[SqlStore] = []

    def open_again() -> SqlStore:
        for store in opened:
            store.close()
        opened.append(open_store(tmp_path / "data", ballast_bytes=4096))
        return opened[-1]

    yield open_again
    for store in opened:
        store.close()


@pytest.fixture
def store(reopen: Callable[[], SqlStore]) -> SqlStore:
    return reopen()


@pytest.fixture
def look(store: SqlStore, tmp_path: Path) -> Iterator[Look]:
    """Reads the tables past the store, as an oracle does."""
    look = SqliteLook(tmp_path / "data" / "reprise.db")
    yield look
    look.close()
