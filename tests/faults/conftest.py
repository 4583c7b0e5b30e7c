from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

# What the oracle found is shown with its values, as in a test.
pytest.register_assert_rewrite(
    *(f"faults.{name}" for name in ("campaign", "caller", "lives", "oracle", "embedded", "scripted")),
    "store.looking",
)


@dataclass(frozen=True)
class Scale:
    """How much is tried: a little in the suite, much with `--long-faults` or REPRISE_FAULTS=long."""

    is_long: bool

    @property
    def kills(self) -> int:
        return int(os.environ.get("REPRISE_FAULTS_KILLS", "1000" if self.is_long else "30"))

    @property
    def within_s(self) -> float:
        return float(os.environ.get("REPRISE_FAULTS_WITHIN_S", "2700" if self.is_long else "90"))

    @property
    def seed(self) -> int:
        return int(os.environ.get("REPRISE_FAULTS_SEED", "5"))

    @property
    def images(self) -> int:
        return 1200 if self.is_long else 120

    @property
    def cancels(self) -> int:
        return 100 if self.is_long else 6

    @property
    def progress(self) -> Path | None:
        """Where a long form says how far it is."""
        path = os.environ.get("REPRISE_FAULTS_PROGRESS")
        return Path(path) if path else None


@pytest.fixture(scope="session")
def scale(request: pytest.FixtureRequest) -> Scale:
    return Scale(request.config.getoption("--long-faults") or os.environ.get("REPRISE_FAULTS") == "long")
