"""The images of components: there, or pulled when they are first asked for.

Invariant: an image is pulled once for all who ask for it at the same time; when the last of them gives up, so does
the pull.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from reprise.executor.engine_api import EngineApi, EngineRefused, EngineUnreachable

_PULL_S = 3600.0


class ImageUnavailable(Exception):
    """The engine has no such image and cannot get it."""


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What an image says of the containers made from it."""

    has_program: bool  # an entrypoint or a command
    working_dir: str
    user: str


class Images:
    """The images that one engine has or can get. To be used from one event loop."""

    def __init__(self, api: EngineApi) -> None:
        self._api = api
        self._pulls: dict[str, asyncio.Task[None]] = {}
        self._askers: dict[str, int] = {}

    async def get(self, image: str) -> ImageConfig:
        """The image, pulled if need be. Raises ImageUnavailable, naming it, with the engine's words."""
        try:
            found = await self._look(image)
            if found is None:
                await self._pulled(image)
                found = await self._look(image)
        except EngineUnreachable as error:
            raise ImageUnavailable(f"the image {image!r} cannot be looked for: {error}") from error
        except EngineRefused as error:
            raise ImageUnavailable(f"the engine refused the image {image!r}: {error}") from error
        if found is None:
            raise ImageUnavailable(f"the image {image!r} was pulled, and the engine does not have it")
        return found

    async def _look(self, image: str) -> ImageConfig | None:
        try:
            answer = await self._api.call("GET", f"/images/{image}/json")
        except EngineRefused as error:
            if error.status == 404:
                return None
            raise
        config: Mapping[str, Any] = answer.get("Config") or {}
        return ImageConfig(
            has_program=bool(config.get("Entrypoint") or config.get("Cmd")),
            working_dir=str(config.get("WorkingDir") or ""),
            user=str(config.get("User") or ""),
        )

    async def _pulled(self, image: str) -> None:
        pull = self._pulls.get(image)
        if pull is None:
            pull = asyncio.create_task(self._pull(image))
            self._pulls[image] = pull
            pull.add_done_callback(lambda _: self._pulls.pop(image, None))
        self._askers[image] = self._askers.get(image, 0) + 1
        try:
            await asyncio.shield(pull)
        finally:
            self._askers[image] -= 1
            if self._askers[image] == 0:
                del self._askers[image]
                if not pull.done():
                    pull.cancel()
                    with suppress(asyncio.CancelledError, ImageUnavailable, EngineUnreachable):
                        await pull

    async def _pull(self, image: str) -> None:
        name, tag = _split(image)
        query = {"fromImage": name} | ({"tag": tag} if tag else {})
        try:
            answer = await self._api.call("POST", "/images/create", query, within_s=_PULL_S)
        except EngineRefused as error:
            raise ImageUnavailable(_cannot_pull(image, str(error))) from error
        # What goes wrong on the way comes within the answer, whose status is 200.
        messages: Sequence[Any] = answer if isinstance(answer, list) else [answer or {}]
        for message in messages:
            if isinstance(message, dict) and message.get("error"):
                raise ImageUnavailable(_cannot_pull(image, str(message["error"])))


def _cannot_pull(image: str, words: str) -> str:
    return f"the image {image!r} is not on this host, and the container engine could not pull it: {words}"


def _split(image: str) -> tuple[str, str]:
    """Name, and tag or digest. Without either the newest is meant; an engine would pull all there are."""
    name, at, digest = image.partition("@")
    if at:
        return name, digest
    last = image.rpartition("/")[2]
    if ":" in last:
        name, _, tag = image.rpartition(":")
        return name, tag
    return image, "latest"
