"""All the places for artifacts of one server: this host's files, and the object stores that it can speak to.

Invariant: each artifact is asked for at the place that its URI names; what no place
knows is UNCHECKABLE, never missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from reprise.artifact.contract import NEVER, Known, Presence, Seen, StopSign
from reprise.artifact.copies import Copies
from reprise.artifact.filesystems import FileSystems, StorageOptions
from reprise.artifact.local import LocalArtifacts
from reprise.artifact.objects import ObjectArtifacts

A = TypeVar("A")
B = TypeVar("B")

COPIES_AT_MOST_BYTES = 20 * 1024**3


class ArtifactPlaces:
    """Is an ArtifactPlace. Makes no connection and touches no file before one is needed."""

    def __init__(
        self,
        copies_dir: Path,
        storage_options: StorageOptions | None = None,
        most_copied_bytes: int = COPIES_AT_MOST_BYTES,
    ) -> None:
        """`copies_dir`: where what tasks read from object stores is kept, up to `most_copied_bytes`."""
        self._local = LocalArtifacts()
        self._objects = ObjectArtifacts(FileSystems(storage_options), Copies(copies_dir, most_copied_bytes))

    def close(self) -> None:
        self._objects.close()

    def problem(self, uri: str) -> str:
        return "" if self._local.local_path(uri) is not None else self._objects.problem(uri)

    def local_path(self, uri: str) -> Path | None:
        return self._local.local_path(uri)

    def digest(self, uris: Sequence[str], stop: StopSign = NEVER) -> list[Seen]:
        return self._routed(
            uris,
            lambda uri: uri,
            self._local.digest,
            lambda some: self._objects.digest(some, stop),
            lambda uri: Seen(uri, "", ""),
        )

    def look(self, known: Sequence[Known]) -> list[Presence]:
        return self._routed(
            known,
            lambda one: one.uri,
            self._local.look,
            self._objects.look,
            lambda _one: Presence.UNCHECKABLE,
        )

    def fetch(self, known: Known, stop: StopSign) -> Path:
        return self._local.local_path(known.uri) or self._objects.fetch(known, stop)

    def hold(self, known: Known) -> Path:
        return self._local.local_path(known.uri) or self._objects.hold(known)

    def release(self, paths: Sequence[Path]) -> None:
        self._objects.release(paths)

    def put(self, path: Path, uri: str, stop: StopSign) -> Seen:
        if self._local.local_path(uri) is not None:
            return self._local.digest([uri])[0]  # it was written where it belongs
        return self._objects.put(path, uri, stop)

    def _routed(
        self,
        items: Sequence[A],
        uri_of: Callable[[A], str],
        local: Callable[[Sequence[A]], list[B]],
        remote: Callable[[Sequence[A]], list[B]],
        unknown: Callable[[A], B],
    ) -> list[B]:
        """The answers in the order of the items, each place asked once for all of its own."""
        if all(uri_of(item).startswith("/") for item in items):
            return local(items)  # by far the most common case, and up to a million items
        here, there = [], []
        answers: dict[int, B] = {}
        for index, item in enumerate(items):
            uri = uri_of(item)
            if self._local.local_path(uri) is not None:
                here.append(index)
            elif self._objects.problem(uri):
                answers[index] = unknown(item)
            else:
                there.append(index)
        for indices, ask in ((here, local), (there, remote)):
            if indices:
                answers.update(zip(indices, ask([items[index] for index in indices]), strict=True))
        return [answers[index] for index in range(len(items))]
