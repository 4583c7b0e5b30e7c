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


class ArtifactPlace(Protocol):
    def local_path(self, uri: str) -> Path | None:
        """Where a process on this host finds the artifact; None: not reachable as a file."""
        ...

    def digest(self, uris: Sequence[str]) -> list[Seen]:
        """The content digests, in order. Blocking; parallel inside."""
        ...

    def look(self, known: Sequence[Known]) -> list[Presence]:
        """Whether each is still what it was: by fingerprint, and by digest where that differs. Errors: Unavailable."""
        ...
