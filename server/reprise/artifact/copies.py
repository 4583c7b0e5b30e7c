"""Copies on this host of what lies in object stores: for tasks to read, kept by content, bounded in size.

Invariant: a copy is whole or not there, and is given out only while it has the bytes that it was made with; one that
somebody holds makes no room for others. What is remembered of a store's marks is true for the bytes that they marked.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from reprise.artifact.digest import digest_paths, fingerprint_paths

_UNFINISHED = ".part"


class Copies:
    """For any thread. Nothing is touched on disk before the first use."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._held: Counter[Path] = Counter()
        self._making: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._is_clean = False
        self._kept_bytes: int | None = None  # None: not counted yet

    def path(self, digest: str, name: str) -> Path:
        """Where the copy of these bytes under this name is, if it is there."""
        key = hashlib.sha256(f"{digest}\0{name}".encode()).hexdigest()[:32]
        return self._folder / key / "content" / name

    def nothing(self, name: str) -> Path:
        """A path at which there is nothing, for an artifact that was never written."""
        return self._folder / "absent" / name

    def hold(self, path: Path) -> None:
        with self._lock:
            self._held[path] += 1

    def release(self, paths: Sequence[Path]) -> None:
        with self._lock:
            for path in paths:
                self._held[path] -= 1
                if self._held[path] <= 0:
                    del self._held[path]

    def get_or_make(self, digest: str, name: str, make: Callable[[Path], None]) -> Path:
        """The copy, held; `make` puts it at a path. Two at once that want the same make it once."""
        path = self.path(digest, name)
        self.hold(path)
        try:
            with self._making[path.parent.parent.name]:
                if not self._is_whole(path):
                    with self.unfinished(name) as place:
                        make(place)
                        self._keep(place, path)
        except BaseException:
            self.release([path])
            raise
        return path

    def adopt(self, made: Path, digest: str, name: str) -> None:
        """Share what was made here, so that nobody needs to fetch it."""

        def link(place: Path) -> None:
            copy_file_or_folder(made, place, _link)

        self.release([self.get_or_make(digest, name, link)])

    @contextmanager
    def unfinished(self, name: str) -> Iterator[Path]:
        """A path of one's own to make something at; gone afterwards, if it was not taken over."""
        self._clean_up_once()
        folder = self._folder / f"{secrets.token_hex(8)}{_UNFINISHED}"
        (folder / "content").mkdir(parents=True)
        try:
            yield folder / "content" / name
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def remembered(self, uri: str, fingerprint: str) -> str:
        """The digest of what the store marks so; "": not known."""
        if not fingerprint:
            return ""
        try:
            return self._memory(uri, fingerprint).read_text()
        except OSError:
            return ""

    def remember(self, uri: str, fingerprint: str, digest: str) -> None:
        if fingerprint:
            _write(self._memory(uri, fingerprint), digest)

    def _memory(self, uri: str, fingerprint: str) -> Path:
        key = hashlib.sha256(f"{uri}\0{fingerprint}".encode()).hexdigest()
        return self._folder / "marks" / key[:2] / key

    def _is_whole(self, path: Path) -> bool:
        """Whether the copy is there with the bytes that it was made with. One that is not is removed."""
        record = path.parent.parent / "made.json"
        try:
            fingerprint = json.loads(record.read_text())["fingerprint"]
            is_whole = bool(fingerprint_paths([str(path)]) == [fingerprint])
        except (OSError, ValueError, KeyError):
            is_whole = False
        if is_whole:
            with suppress(OSError):
                os.utime(record)  # when it was used last
        else:
            shutil.rmtree(path.parent.parent, ignore_errors=True)
        return is_whole

    def _keep(self, made: Path, path: Path) -> None:
        folder = path.parent.parent
        path.parent.mkdir(parents=True, exist_ok=True)
        made.rename(path)
        made_of = {"fingerprint": fingerprint_paths([str(path)])[0], "size_bytes": _size_bytes(path)}
        _write(folder / "made.json", json.dumps(made_of))
        self._make_room(int(made_of["size_bytes"] or 0))

    def _make_room(self, more_bytes: int) -> None:
        """Remove what was used longest ago until the rest is within the bound."""
        with self._lock:
            if self._kept_bytes is not None and self._kept_bytes + more_bytes <= self._most_bytes:
                self._kept_bytes += more_bytes
                return
            kept = self._all_kept()
            self._kept_bytes = sum(size_bytes for _, size_bytes, _ in kept)
            held = {path.parent.parent for path in self._held}
            gone = []
            for _, size_bytes, folder in sorted(kept):
                if self._kept_bytes <= self._most_bytes:
                    break
                if folder not in held:
                    # Out of the way in one step: nobody finds half of it.
                    with suppress(OSError):
                        gone.append(folder.rename(self._folder / f"{secrets.token_hex(8)}{_UNFINISHED}"))
                        self._kept_bytes -= size_bytes
        for folder in gone:
            shutil.rmtree(folder, ignore_errors=True)

    def _all_kept(self) -> list[tuple[int, int, Path]]:
        """When each was used last, its size, its folder."""
        kept = []
        for record in self._folder.glob("*/made.json"):
            with suppress(OSError, ValueError, KeyError):
                size_bytes = int(json.loads(record.read_text())["size_bytes"])
                kept.append((record.stat().st_mtime_ns, size_bytes, record.parent))
        return kept

    def _clean_up_once(self) -> None:
        """What a server that was killed left half made."""
        with self._lock:
            if self._is_clean:
                return
            self._is_clean = True
            self._folder.mkdir(parents=True, exist_ok=True)
            for folder in self._folder.glob(f"*{_UNFINISHED}"):
                shutil.rmtree(folder, ignore_errors=True)


def digest_of(path: Path) -> str:
    """The digest of a file or folder of this host; "": nothing is there. Errors: OSError."""
    found = digest_paths([str(path)])[0]
    return "" if found is None else found[0]


def copy_file_or_folder(source: Path, target: Path, copy_file: Callable[[str, str], Any]) -> None:
    """What links in it lead to is copied in their place. Errors: OSError, shutil.Error."""
    if source.is_dir():
        shutil.copytree(source, target, copy_function=copy_file)
    else:
        copy_file(str(source), str(target))


def _link(source: str, target: str) -> None:
    """The same bytes under a second name, without copying them where the file system can do that."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _size_bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _write(path: Path, text: str) -> None:
    """In one step: readers see the whole of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    unfinished.write_text(text)
    unfinished.replace(path)
