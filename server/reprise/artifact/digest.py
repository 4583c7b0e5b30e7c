"""The typed face of the host crate's digests: content read in parallel, with the interpreter's lock released.

Invariant: None means that there is nothing at the path; anything else that goes wrong raises OSError.
"""

from __future__ import annotations

from collections.abc import Sequence

from reprise import _core


def digest_paths(paths: Sequence[str]) -> list[tuple[str, str] | None]:
    """For each file or folder: ("sha256:<hex>" of its content, its fingerprint)."""
    return _core.digest_paths(list(paths))


def are_artifacts_unchanged(labels: bytes, plan: bytes, *, all_of_them: bool) -> bool:
    """Whether the artifacts that an engine.UnchangedPlan rests on are local, and as they were: one call for any number.

    `labels` are those of the compiled run that the plan was made of. `all_of_them`: also those that nothing will read,
    for which an etag stands too. False where that is not sure. Errors: ValueError for bytes that are no such things.
    """
    return _core.are_artifacts_unchanged(labels, plan, all_of_them)


def fingerprint_paths(paths: Sequence[str]) -> list[str | None]:
    """For each file or folder: a mark that changes when it is written to, without reading it."""
    return _core.fingerprint_paths(list(paths))
