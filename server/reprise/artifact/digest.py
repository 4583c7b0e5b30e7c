"""The typed face of the host crate's digests: content read in parallel, with the interpreter's lock released.

Invariant: None means that there is nothing at the path; anything else that goes wrong raises OSError.
"""

from __future__ import annotations

from collections.abc import Sequence

from reprise import _core


def digest_paths(paths: Sequence[str]) -> list[tuple[str, str] | None]:
    """For each file or folder: ("sha256:<hex>" of its content, its fingerprint)."""
    return _core.digest_paths(list(paths))


def fingerprint_paths(paths: Sequence[str]) -> list[str | None]:
    """For each file or folder: a mark that changes when it is written to, without reading it."""
    return _core.fingerprint_paths(list(paths))
