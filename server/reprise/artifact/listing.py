"""What lies at paths of an object store, found in as few requests as it takes, and the marks that tell a change.

Invariant: a path without objects is absent only when the store has said so; every other answer raises Unavailable.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reprise.artifact.filesystems import path_in_store, unreachable

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# A folder without files is nothing in an object store: an object of this name stands for it.
EMPTY_FOLDER = ".reprise-empty-folder"
# From so many artifacts of one run on, one listing of the run's folder is cheaper than one for each.
_LISTED_TOGETHER = 8
# Folders of tasks below the folder of their run are numbers, see `scheduler`.
_TASK_FOLDER = re.compile(r"\d+(-\d+)?")
# What stores call the mark that changes with every write, strongest first.
_MARKS = ("generation", "ETag", "etag", "content_md5")


@dataclass(frozen=True, slots=True)
class Entry:
    """One object: `name` is relative to the artifact, "" where the artifact is this one object."""

    name: str
    path: str
    size_bytes: int
    mark: str


@dataclass(frozen=True, slots=True)
class Contents:
    """The objects of one artifact, sorted by name; none: nothing is there."""

    entries: tuple[Entry, ...]

    @property
    def is_file(self) -> bool:
        return len(self.entries) == 1 and not self.entries[0].name

    @property
    def fingerprint(self) -> str:
        """Size and marks; "" where the store marks nothing, so that only the bytes can tell."""
        if not self.entries or not all(entry.mark for entry in self.entries):
            return ""
        if self.is_file:
            return f"{self.entries[0].size_bytes}:{self.entries[0].mark}"
        total = hashlib.sha256()
        for entry in self.entries:
            for part in (entry.name, str(entry.size_bytes), entry.mark):
                total.update(f"{len(part.encode())}:".encode() + part.encode())
        size_bytes = sum(entry.size_bytes for entry in self.entries)
        return f"{size_bytes}:{len(self.entries)}:{total.hexdigest()}"


def list_contents(
    file_system: Callable[[str], AbstractFileSystem], uris: Sequence[str], threads: Executor
) -> list[Contents]:
    """What is at each of the URIs, in order. Errors: Unavailable."""
    together: dict[str, list[str]] = defaultdict(list)
    for uri in dict.fromkeys(uris):
        together[_folder_of_run(uri)].append(uri)
    found: dict[str, Contents] = {}
    alone: list[str] = []
    folders: list[tuple[str, list[str]]] = []
    for folder, members in together.items():
        if folder and len(members) >= _LISTED_TOGETHER:
            folders.append((folder, members))
        else:
            alone += members
    listed = threads.map(lambda uri: _find(file_system(uri), uri), [folder for folder, _ in folders])
    singles = threads.map(lambda uri: _find(file_system(uri), uri), alone)
    for (_, members), infos in zip(folders, listed, strict=True):
        names = sorted(infos)
        for uri in members:
            found[uri] = _contents(path_in_store(uri), _below(names, path_in_store(uri)), infos)
    for uri, infos in zip(alone, singles, strict=True):
        found[uri] = _contents(path_in_store(uri), infos, infos)
    return [found[uri] for uri in uris]


def _folder_of_run(uri: str) -> str:
    """Of an artifact that a run has made, {root}/{run}/{task}/{output}: where those of its fellows are. Else ""."""
    task, separator, _ = uri.rstrip("/").rpartition("/")
    folder, _, number = task.rpartition("/")
    is_made_by_a_run = separator and _TASK_FOLDER.fullmatch(number) and "/" in path_in_store(folder)
    return folder if is_made_by_a_run else ""


def _find(file_system: AbstractFileSystem, uri: str) -> Mapping[str, Mapping[str, Any]]:
    """The objects at and below, by path."""
    path = path_in_store(uri)
    try:
        found = file_system.find(path, detail=True)
        if not found:
            # Listings leave out what they may not see; asking for the one name says whether it is that.
            file_system.info(path)
    except FileNotFoundError:
        return {}
    except Exception as error:
        raise unreachable(uri, "cannot be looked at", error) from error
    return {
        name.lstrip("/"): info
        for name, info in found.items()
        if info.get("type") != "directory" and not name.endswith("/")
    }


def _below(names: Sequence[str], path: str) -> Iterable[str]:
    at = bisect_left(names, path)
    if at < len(names) and names[at] == path:
        yield path
    at = bisect_left(names, f"{path}/")
    while at < len(names) and names[at].startswith(f"{path}/"):
        yield names[at]
        at += 1


def _contents(path: str, names: Iterable[str], infos: Mapping[str, Mapping[str, Any]]) -> Contents:
    entries = sorted(
        (
            Entry(name[len(path) :].lstrip("/"), name, int(infos[name].get("size") or 0), _mark(infos[name]))
            for name in names
        ),
        key=lambda entry: entry.name,
    )
    if len(entries) > 1 and not entries[0].name:
        entries = entries[1:]  # an object and a folder of one name: the folder is what can be taken whole
    return Contents(tuple(entries))


def _mark(info: Mapping[str, Any]) -> str:
    return next((str(info[name]) for name in _MARKS if info.get(name)), "")
