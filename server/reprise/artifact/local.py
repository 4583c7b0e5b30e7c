"""Artifacts that are files or folders of this host: absolute paths and file:// URIs.

Invariant: a URI with another scheme has no local path here, and is UNCHECKABLE, never missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from reprise.artifact.contract import ABSENT, Known, Presence, Seen
from reprise.artifact.digest import digest_paths, fingerprint_paths
from reprise.domain.errors import Unavailable


class LocalArtifacts:
    def local_path(self, uri: str) -> Path | None:
        if uri.startswith("/"):
            return Path(uri)
        parts = urlsplit(uri)
        if parts.scheme == "file" and parts.netloc in ("", "localhost"):
            return Path(unquote(parts.path))
        return None

    def digest(self, uris: Sequence[str]) -> list[Seen]:
        """Errors: Unavailable for what is there and cannot be read."""
        paths = [self.local_path(uri) for uri in uris]
        try:
            found = iter(digest_paths([str(path) for path in paths if path is not None]))
        except OSError as error:
            raise Unavailable(f"an artifact cannot be read: {error}") from error
        seen = []
        for uri, path in zip(uris, paths, strict=True):
            digest, fingerprint = ("", "") if path is None else next(found) or (ABSENT, "")
            seen.append(Seen(uri, digest, fingerprint))
        return seen

    def look(self, known: Sequence[Known]) -> list[Presence]:
        paths = [self.local_path(one.uri) for one in known]
        try:
            marks = iter(fingerprint_paths([str(path) for path in paths if path is not None]))
        except OSError as error:
            raise Unavailable(f"an artifact cannot be looked at: {error}") from error
        presences: list[Presence] = []
        doubtful: list[int] = []
        for index, (one, path) in enumerate(zip(known, paths, strict=True)):
            if path is None:
                presences.append(Presence.UNCHECKABLE)
                continue
            mark = next(marks)
            if one.digest == ABSENT:
                presences.append(Presence.PRESENT if mark is None else Presence.CHANGED)
            elif mark is None:
                presences.append(Presence.MISSING)
            elif one.fingerprint == mark:
                presences.append(Presence.PRESENT)
            else:
                doubtful.append(index)
                presences.append(Presence.CHANGED)
        for index, seen in zip(doubtful, self.digest([known[i].uri for i in doubtful]), strict=True):
            if seen.digest == known[index].digest:
                presences[index] = Presence.PRESENT
        return presences
