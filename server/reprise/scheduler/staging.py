"""The local view of a task's artifacts: inputs are fetched before it starts, outputs put where they belong after it.

Invariant: an output is named by a record only when it is whole where its URI says; an input is given to a task only
with the bytes that its digest stands for. Nothing here blocks the loop, and a run that is cancelled stops transfers.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from reprise.artifact.contract import ArtifactLost, ArtifactPlace, Known, Seen, StopSign, TransferStopped
from reprise.domain.errors import Unavailable
from reprise.pb.engine.v1 import engine_pb2 as engine

T = TypeVar("T")
_TRANSFERS_AT_ONCE = 16
_UNAVAILABLE, _DATA_LOSS = 14, 15  # google.rpc.Code


class StagingFailed(Exception):
    """An artifact could not be brought to where it is needed."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class LocalView:
    """Where a task finds on this host what URIs name: its outputs below one folder, its inputs each by itself."""

    outputs_uri: str
    outputs_dir: str
    inputs: Mapping[str, str] = field(default_factory=dict)  # path by URI

    @property
    def is_remote(self) -> bool:
        return "://" in self.outputs_uri and not self.outputs_uri.startswith("file://")

    def uri_of(self, shown: str) -> str:
        """The URI of what a task calls by the path that it was shown."""
        if shown.startswith(f"{self.outputs_dir}/"):
            return self.outputs_uri + shown.removeprefix(self.outputs_dir)
        for uri, path in self.inputs.items():
            if shown == path or shown.startswith(f"{path}/"):
                return uri + shown.removeprefix(path)
        return shown

    def path_of(self, uri: str) -> Path | None:
        """Where the task has left an output of this URI."""
        if uri.startswith(f"{self.outputs_uri}/"):
            return Path(self.outputs_dir + uri.removeprefix(self.outputs_uri))
        return None


class Staging:
    """Of one scheduler; lives on its loop."""

    def __init__(self, artifacts: ArtifactPlace) -> None:
        self._artifacts = artifacts
        # Threads of its own: transfers take as long as they take, and nothing else shall wait for them.
        self._threads = ThreadPoolExecutor(_TRANSFERS_AT_ONCE, thread_name_prefix="reprise-staging")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def stage(self, inputs: engine.Values) -> dict[str, str]:
        """The path on this host of each artifact, by URI, held until `release`.

        Errors: StagingFailed, naming the input.
        """
        if not inputs.artifacts:
            return {}
        shown, remote = self._split(inputs)
        fetches = [asyncio.ensure_future(self._in_thread(self._fetch, known)) for _, known in remote]
        try:
            found = await asyncio.gather(*fetches, return_exceptions=True)
        except asyncio.CancelledError:
            self._artifacts.release([one.result() for one in fetches if _has_result(one)])
            raise
        for (_, known), path in zip(remote, found, strict=True):
            if isinstance(path, Path):
                shown[known.uri] = str(path)
        for (name, _), path in zip(remote, found, strict=True):
            if isinstance(path, BaseException):
                self.release(shown)
                if isinstance(path, ArtifactLost | Unavailable):
                    code = _DATA_LOSS if isinstance(path, ArtifactLost) else _UNAVAILABLE
                    raise StagingFailed(code, f"input artifact {name!r}: {path}") from path
                raise path
        return shown

    def is_needed(self, inputs: engine.Values) -> bool:
        return bool(inputs.artifacts and self._split(inputs)[1])

    def hold(self, inputs: engine.Values) -> dict[str, str]:
        """What `stage` gave for an attempt that an earlier server has started, and that may still run."""
        shown, remote = self._split(inputs)
        for _, known in remote:
            shown[known.uri] = str(self._artifacts.hold(known))
        return shown

    def release(self, shown: Mapping[str, str]) -> None:
        """For what `stage` or `hold` gave, once."""
        paths = [Path(path) for uri, path in shown.items() if self._artifacts.local_path(uri) is None]
        if paths:
            self._artifacts.release(paths)

    async def digest(self, uri: str) -> Seen:
        """What is at a URI. Errors: Unavailable."""
        return (await self._in_thread(self._digest, [uri]))[0]

    async def publish(self, values: engine.Values, view: LocalView) -> None:
        """Put the output artifacts where they belong, and note in each its URI, digest and fingerprint.

        Repeatable. Errors: StagingFailed, naming the output.
        """
        artifacts = [(group.name, artifact) for group in values.artifacts for artifact in group.artifacts]
        for _, artifact in artifacts:
            artifact.uri = view.uri_of(artifact.uri)
        uris = [artifact.uri for _, artifact in artifacts]
        if not view.is_remote:
            try:
                seen: Sequence[Seen | BaseException] = (
                    await self._in_thread(self._digest, uris) if uris else ()
                )
            except Unavailable as error:
                raise StagingFailed(_UNAVAILABLE, str(error)) from error
        else:
            puts = [self._in_thread(self._put, uri, view.path_of(uri)) for uri in uris]
            seen = await asyncio.gather(*puts, return_exceptions=True)
        for (output, artifact), one in zip(artifacts, seen, strict=True):
            if isinstance(one, Unavailable):
                raise StagingFailed(_UNAVAILABLE, f"output artifact {output!r}: {one}") from one
            if isinstance(one, BaseException):
                raise one
            artifact.digest, artifact.fingerprint = one.digest, one.fingerprint
        if view.is_remote:
            await self._in_thread(_remove, [view.path_of(uri) for uri in uris])

    def _split(self, inputs: engine.Values) -> tuple[dict[str, str], list[tuple[str, Known]]]:
        """What a process finds by itself; and what has to be fetched."""
        shown: dict[str, str] = {}
        remote: dict[str, tuple[str, Known]] = {}
        for group in inputs.artifacts:
            for artifact in group.artifacts:
                path = self._artifacts.local_path(artifact.uri)
                if path is not None:
                    shown[artifact.uri] = str(path)
                elif not self._artifacts.problem(artifact.uri):
                    known = Known(artifact.uri, artifact.digest, artifact.fingerprint)
                    remote[artifact.uri] = (group.name, known)
        return shown, list(remote.values())

    def _fetch(self, known: Known, stop: StopSign) -> Path:
        path = self._artifacts.fetch(known, stop)
        if stop.is_set():  # nobody waits for it any more
            self._artifacts.release([path])
            raise TransferStopped
        return path

    def _digest(self, uris: Sequence[str], stop: StopSign) -> list[Seen]:
        return self._artifacts.digest(uris, stop)

    def _put(self, uri: str, path: Path | None, stop: StopSign) -> Seen:
        if path is None or self._artifacts.local_path(uri) is not None:
            return self._artifacts.digest([uri], stop)[0]
        return self._artifacts.put(path, uri, stop)

    async def _in_thread(self, call: Callable[..., T], *args: object) -> T:
        """`call(*args, stop)` in a thread; when the caller is cancelled, it is told so and left."""
        stop = threading.Event()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: call(*args, stop))
        except asyncio.CancelledError:
            stop.set()
            raise


def _has_result(task: asyncio.Future[Path]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _remove(paths: Iterable[Path | None], _stop: StopSign) -> None:
    """What lies where it belongs need not lie here as well."""
    for path in paths:
        if path is None:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()
