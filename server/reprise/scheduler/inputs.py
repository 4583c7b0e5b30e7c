"""Whether the artifacts that a leaf is about to read are still there, byte for byte.

Invariant: a place that cannot be reached is waited for, and never counts as a loss.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from reprise.artifact.contract import ArtifactPlace, Known, Presence
from reprise.domain.errors import Unavailable
from reprise.domain.run import Failure
from reprise.pb.engine.v1 import engine_pb2 as engine

T = TypeVar("T")
_UNAVAILABLE = 14  # google.rpc.Code
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0


async def find_lost(
    place: ArtifactPlace, launch: engine.Launch, show_error: Callable[[Failure], None]
) -> engine.Values:
    """The input artifacts that are gone or have changed, with their `presence`; none, if all are what they were.

    Looked at by fingerprint, and in full where that differs. What was never looked into cannot be lost.
    """
    held = [
        (group.name, artifact)
        for group in launch.inputs.artifacts
        for artifact in group.artifacts
        if artifact.digest
    ]
    lost = engine.Values()
    if not held:
        return lost
    known = [Known(artifact.uri, artifact.digest, artifact.fingerprint) for _, artifact in held]
    for (name, artifact), presence in zip(held, await _look(place, launch, known, show_error), strict=True):
        if presence in (Presence.MISSING, Presence.CHANGED):
            found = engine.Artifact()
            found.CopyFrom(artifact)
            found.presence = engine.MISSING if presence is Presence.MISSING else engine.CHANGED
            lost.artifacts.append(engine.ArtifactList(name=name, artifacts=[found]))
    return lost


async def _look(
    place: ArtifactPlace, launch: engine.Launch, known: list[Known], show_error: Callable[[Failure], None]
) -> list[Presence]:
    def tell(error: Unavailable) -> None:
        show_error(Failure(_UNAVAILABLE, f"task {launch.path} waits for its input artifacts: {error}"))

    return await once_reached(lambda: asyncio.to_thread(place.look, known), tell)


async def once_reached(ask: Callable[[], Awaitable[T]], tell: Callable[[Unavailable], None]) -> T:
    """The answer of a place; it is asked again, ever less often, as long as it cannot be reached.

    Errors: Unavailable, if it is there and does not let us in: that does not end by itself.
    """
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return await ask()
        except Unavailable as error:
            if _is_refused(error.__cause__):
                raise
            tell(error)
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _is_refused(cause: BaseException | None) -> bool:
    """The drivers say it as the system does, or with the store's own HTTP status."""
    return isinstance(cause, PermissionError) or getattr(cause, "code", None) in (401, 403)
