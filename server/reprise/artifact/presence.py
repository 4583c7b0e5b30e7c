"""Whether the artifacts of kept outcomes are still what they were.

Invariant: an outcome without a loss is one whose artifacts are there with the bytes of their digests, or lie where this
server cannot look.
"""

from __future__ import annotations

from collections.abc import Sequence

from reprise.artifact.contract import ArtifactPlace, Known, Presence
from reprise.pb.engine.v1 import engine_pb2 as engine

_GONE = {Presence.MISSING: "is missing", Presence.CHANGED: "has other content now"}


def losses_of(records: Sequence[engine.TaskRecord], place: ArtifactPlace) -> list[str]:
    """For each outcome what is wrong with it, as a person reads it; "" where nothing is. Blocking; looks at all of
    them at once. Errors: Unavailable."""
    owned = [
        (index, artifact)
        for index, record in enumerate(records)
        for group in record.outputs.artifacts
        for artifact in group.artifacts
    ]
    losses = [""] * len(records)
    if owned:
        seen = place.look(
            [Known(artifact.uri, artifact.digest, artifact.fingerprint) for _, artifact in owned]
        )
        for (index, artifact), presence in zip(owned, seen, strict=True):
            if presence in _GONE and not losses[index]:
                losses[index] = f"its artifact {artifact.uri} {_GONE[presence]}"
    return losses
