"""A whole server inside the test's process, and a stage of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from reprise.main import Server, Settings
from stage import Stage


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("embedded")
    settings = Settings(folder / "data", grpc="127.0.0.1:0", environments="host", max_tasks=4, grace_s=0.5)
    with Server(settings) as server:
        yield server


@pytest.fixture
def stage(embedded: Server, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(embedded.grpc_address, tmp_path)
    yield made
    made.client.close()
