"""What all tests share: a real server, started once for the tests that only use it."""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from containers import NoPodman, Podman, podman
from served import PROJECT_ALIAS, Served


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long-faults",
        action="store_true",
        help="the long form of tests/faults: more than a thousand kills and power cuts, some 30 minutes",
    )


# Before anything imports gcsfs: it would ask a service of Google's over gRPC what kind of bucket a bucket is, and the
# servers of the tests have none.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """A thread that a failed test left behind must not keep the whole run from ending: it is named instead."""
    faulthandler.dump_traceback_later(60, exit=True, file=sys.__stderr__)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server for all tests: each uses ids of its own."""
    served = Served(tmp_path_factory.mktemp("served") / "data", "--environments=host", PROJECT_ALIAS)
    yield served
    served.stop()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts servers that end with the test."""
    started: list[Served] = []

    def start(*options: str) -> Served:
        started.append(Served(tmp_path / f"data-{len(started)}", "--environments=host", *options))
        return started[-1]

    yield start
    for served in started:
        served.stop()


@pytest.fixture(scope="session")
def engine() -> Iterator[Podman]:
    """A real Podman; skips where there is none, saying why."""
    with ExitStack() as opened:
        try:
            running = opened.enter_context(podman())
        except NoPodman as error:
            pytest.skip(f"no container engine for the tests: {error}")
        yield running
