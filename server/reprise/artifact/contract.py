"""What a place for artifacts guarantees.

Invariant: a digest is of the bytes that were there when it was taken; `look` never says PRESENT for bytes that differ
from the digest, and never MISSING for a place that cannot be reached (that raises Unavailable).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Protocol

# The digest of an artifact that was declared and never written: nothing is there, and that is known.
ABSENT = "absent"


class Presence(IntEnum):
    """With the numbers of reprise.engine.v1.Presence."""

    PRESENT = 1
    MISSING = 2
    CHANGED = 3
    UNCHECKABLE = 4


@dataclass(frozen=True, slots=True)
class Known:
    """An artifact as it was seen last: `digest` and `fingerprint` are empty when it was never looked into."""

    uri: str
    digest: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Seen:
    """`digest` is ABSENT where nothing is at the URI, "" where it cannot be looked into."""

    uri: str
    digest: str
    fingerprint: str


class ArtifactLost(Exception):
    """What is at the URI is not the artifact that was known: it is gone, or it has other bytes."""


class TransferStopped(Exception):
    """A transfer was given up because its run was cancelled."""


class StopSign(Protocol):
    """Looked at while bytes are moved; a threading.Event is one."""

    def is_set(self) -> bool: ...


class NeverStopped:
    """For transfers that nobody can cancel."""

    def is_set(self) -> bool:
        return False


NEVER = NeverStopped()


class ArtifactPlace(Protocol):
    """All methods block and are safe to call from any number of threads."""

    def problem(self, uri: str) -> str:
        """Why this server can neither read nor write at the URI, and what would change that; "" where it can."""
        ...

    def local_path(self, uri: str) -> Path | None:
        """Where a process on this host finds the artifact as it lies; None: it would have to be fetched."""
        ...

    def digest(self, uris: Sequence[str], stop: StopSign = NEVER) -> list[Seen]:
        """The content digests, in order; parallel inside. Errors: Unavailable, TransferStopped."""
        ...

    def look(self, known: Sequence[Known]) -> list[Presence]:
        """Whether each is still what it was: by fingerprint, and by digest where that differs. Errors: Unavailable."""
        ...

    def fetch(self, known: Known, stop: StopSign) -> Path:
        """A path on this host with the artifact's bytes, held there until `release`.

        Errors: ArtifactLost, Unavailable, TransferStopped.
        """
        ...

    def hold(self, known: Known) -> Path:
        """The path that `fetch` has given for it, for an attempt that was started with it and still runs."""
        ...

    def release(self, paths: Sequence[Path]) -> None:
        """What `fetch` or `hold` gave is no longer needed by the one who asked."""
        ...

    def put(self, path: Path, uri: str, stop: StopSign) -> Seen:
        """Keep the file or folder at `path` under `uri`; where nothing is at `path`, see what is at `uri`.

        Repeatable. Errors: Unavailable, TransferStopped.
        """
        ...
