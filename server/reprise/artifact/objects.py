"""Artifacts that lie in object stores, by fsspec.

Invariant: the digest of an artifact there is that of the same bytes on this host, folders included; it is taken from
bytes, or remembered for a mark of the store that changes with every write, never guessed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from reprise.artifact.contract import (
    ABSENT,
    NEVER,
    ArtifactLost,
    Known,
    Presence,
    Seen,
    StopSign,
    TransferStopped,
)
from reprise.artifact.copies import Copies, copy_file_or_folder, digest_of
from reprise.artifact.filesystems import FileSystems, path_in_store, unreachable
from reprise.artifact.listing import EMPTY_FOLDER, Contents, Entry, list_contents
from reprise.domain.errors import Unavailable

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_TRANSFERS_AT_ONCE = 16
_TRIES = 3


class ObjectArtifacts:
    """For any thread. Connects to a store when the first artifact of its scheme is asked for."""

    def __init__(self, file_systems: FileSystems, copies: Copies) -> None:
        self._file_systems = file_systems
        self._copies = copies
        # Threads of its own: a slow store must not hold up those who wait for something else.
        self._threads = ThreadPoolExecutor(_TRANSFERS_AT_ONCE, thread_name_prefix="reprise-objects")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def problem(self, uri: str) -> str:
        return self._file_systems.problem(uri)

    def digest(self, uris: Sequence[str], stop: StopSign = NEVER) -> list[Seen]:
        listed = list_contents(self._file_systems.of, uris, self._threads)
        return [self._seen(uri, contents, stop) for uri, contents in zip(uris, listed, strict=True)]

    def look(self, known: Sequence[Known]) -> list[Presence]:
        listed = list_contents(self._file_systems.of, [one.uri for one in known], self._threads)
        return [self._presence(one, contents) for one, contents in zip(known, listed, strict=True)]

    def fetch(self, known: Known, stop: StopSign) -> Path:
        name = _name(known.uri)
        if known.digest == ABSENT:
            return self._copies.nothing(name)
        digest = known.digest or self.digest([known.uri], stop)[0].digest
        if digest == ABSENT:
            raise ArtifactLost(f"there is nothing at {known.uri}")

        def make(place: Path) -> None:
            contents = self._list(known.uri)
            if not contents.entries:
                raise ArtifactLost(f"there is nothing at {known.uri} any more")
            self._download(known.uri, contents, place, stop)
            if digest_of(place) != digest:
                raise ArtifactLost(f"what is at {known.uri} has changed since it was recorded")

        return self._copies.get_or_make(digest, name, make)

    def hold(self, known: Known) -> Path:
        if known.digest in ("", ABSENT):
            return self._copies.nothing(_name(known.uri))
        path = self._copies.path(known.digest, _name(known.uri))
        self._copies.hold(path)
        return path

    def release(self, paths: Sequence[Path]) -> None:
        self._copies.release(paths)

    def put(self, path: Path, uri: str, stop: StopSign) -> Seen:
        name = _name(uri)
        with ExitStack() as opened:
            try:
                if _has_links(path):
                    # An object store has no links: what they lead to is what is kept.
                    plain = opened.enter_context(self._copies.unfinished(name))
                    copy_file_or_folder(path, plain, shutil.copyfile)
                    path = plain
                digest = digest_of(path)
            except (OSError, shutil.Error) as error:
                raise Unavailable(f"{path} cannot be read: {error}") from error
            if not digest:
                # The task may have written to the store by itself; or this was done before, by an earlier server.
                return self.digest([uri], stop)[0]
            files = _files(path)
            self._upload(uri, path, files, stop)
            contents = self._list(uri)
            if {entry.name: entry.size_bytes for entry in contents.entries} != dict(files):
                raise Unavailable(f"{uri}: what is there after the upload is not what was put there")
            fingerprint = contents.fingerprint
            self._copies.remember(uri, fingerprint, digest)
            self._copies.adopt(path, digest, name)
        return Seen(uri, digest, fingerprint)

    def _list(self, uri: str) -> Contents:
        return list_contents(self._file_systems.of, [uri], self._threads)[0]

    def _seen(self, uri: str, contents: Contents, stop: StopSign) -> Seen:
        for _ in range(_TRIES):
            if not contents.entries:
                return Seen(uri, ABSENT, "")
            fingerprint = contents.fingerprint
            if digest := self._copies.remembered(uri, fingerprint):
                return Seen(uri, digest, fingerprint)
            with self._copies.unfinished(_name(uri)) as place:
                self._download(uri, contents, place, stop)
                digest = digest_of(place)
                after = self._list(uri)
                if after == contents:
                    self._copies.remember(uri, fingerprint, digest)
                    self._copies.adopt(place, digest, _name(uri))
                    return Seen(uri, digest, fingerprint)
            contents = after
        raise Unavailable(f"{uri} does not hold still: it changed each time while it was read")

    def _presence(self, known: Known, contents: Contents) -> Presence:
        if known.digest == ABSENT:
            return Presence.CHANGED if contents.entries else Presence.PRESENT
        if not contents.entries:
            return Presence.MISSING
        if not known.digest:
            return Presence.UNCHECKABLE
        fingerprint = contents.fingerprint
        if fingerprint and fingerprint == known.fingerprint:
            return Presence.PRESENT
        if fingerprint and known.fingerprint and fingerprint.split(":")[0] != known.fingerprint.split(":")[0]:
            return Presence.CHANGED  # other sizes are other bytes: nothing has to be read to know it
        seen = self._seen(known.uri, contents, NEVER)
        if seen.digest == ABSENT:
            return Presence.MISSING
        return Presence.PRESENT if seen.digest == known.digest else Presence.CHANGED

    def _download(self, uri: str, contents: Contents, place: Path, stop: StopSign) -> None:
        """Errors: ArtifactLost for what vanishes meanwhile; Unavailable; TransferStopped."""
        file_system = self._file_systems.of(uri)

        def get(entry: Entry) -> None:
            target = place if not entry.name else place / _inside(uri, entry.name)
            if target.name == EMPTY_FOLDER:
                target.parent.mkdir(parents=True, exist_ok=True)
                return
            target.parent.mkdir(parents=True, exist_ok=True)
            file_system.get_file(entry.path, str(target), callback=_stopping(stop))

        self._transfer([partial(get, entry) for entry in contents.entries], uri, "cannot be read", stop)

    def _upload(self, uri: str, path: Path, files: Sequence[tuple[str, int]], stop: StopSign) -> None:
        file_system = self._file_systems.of(uri)
        root = path_in_store(uri)

        def put(name: str) -> None:
            target = f"{root}/{name}" if name else root
            if PurePosixPath(name).name == EMPTY_FOLDER:
                file_system.pipe_file(target, b"")
                return
            _put_file(file_system, path / name if name else path, target, stop)

        self._transfer([partial(put, name) for name, _ in files], uri, "cannot be written", stop)

    def _transfer(self, jobs: Sequence[Callable[[], None]], uri: str, what: str, stop: StopSign) -> None:
        """All of the jobs, some at a time; after the first that fails no other is begun."""
        failed: list[BaseException] = []

        def work(job: Callable[[], None]) -> None:
            if failed:
                return
            try:
                _check(stop)
                job()
            except BaseException as error:
                failed.append(error)

        if len(jobs) == 1:
            work(jobs[0])
        else:
            list(self._threads.map(work, jobs))
        if not failed:
            return
        error = failed[0]
        if isinstance(error, TransferStopped | ArtifactLost | Unavailable):
            raise error
        if isinstance(error, FileNotFoundError) and what == "cannot be read":
            raise ArtifactLost(f"{uri} was removed while it was read") from error
        raise unreachable(uri, what, error) from error


def _put_file(file_system: AbstractFileSystem, source: Path, target: str, stop: StopSign) -> None:
    file_system.put_file(str(source), target, callback=_stopping(stop))


def _stopping(stop: StopSign) -> Any:
    """What drivers call between blocks: the one place where a transfer can be given up half way."""
    from fsspec.callbacks import Callback

    class Stopping(Callback):  # type: ignore[misc]
        def relative_update(self, inc: int = 1) -> None:
            _check(stop)

        def absolute_update(self, value: int) -> None:
            _check(stop)

    return Stopping()


def _check(stop: StopSign) -> None:
    if stop.is_set():
        raise TransferStopped


def _name(uri: str) -> str:
    """The last part, which components take for the name of the file."""
    return path_in_store(uri).rpartition("/")[2] or "artifact"


def _inside(uri: str, name: str) -> str:
    if any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name:
        raise Unavailable(f"{uri}: the object {name!r} in it cannot be a file of a folder")
    return name


def _has_links(path: Path) -> bool:
    return path.is_symlink() or any(
        entry.is_symlink() for folder, _, _ in os.walk(path) for entry in os.scandir(folder)
    )


def _files(path: Path) -> list[tuple[str, int]]:
    """Relative names and sizes, "" for a file alone; an empty folder is one file that stands for it."""
    if not path.is_dir():
        return [("", path.stat().st_size)]
    found = []
    for folder, folders, files in os.walk(path):
        inside = Path(folder)
        for file in files:
            found.append(((inside / file).relative_to(path).as_posix(), (inside / file).stat().st_size))
        if not folders and not files:
            found.append(((inside / EMPTY_FOLDER).relative_to(path).as_posix(), 0))
    return sorted(found)
