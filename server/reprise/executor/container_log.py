"""The output of a container, from the engine's own log into the attempt's.

Invariant: what the engine still has reaches the attempt's log once, in order, within the limits of every attempt's
log, whoever reads it and however often a reader is interrupted: each reader begins at the engine's beginning, and the
log knows what it has already.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from reprise.executor import native
from reprise.executor.engine_api import EngineApi, EngineRefused, EngineUnreachable

_LINE_LIMIT_BYTES = 256 * 1024
_FRAME_HEAD_BYTES = 8


async def copy_log(api: EngineApi, container: str, path: str, limit_bytes: int, is_followed: bool) -> bool:
    """Copy what the container has said; with `is_followed`, until it has ended. True: all of it was read.

    Cancelling it leaves a log that the next reader goes on with.
    """
    log = await asyncio.to_thread(native.AttemptLog, path, limit_bytes, _LINE_LIMIT_BYTES)
    query = {"stdout": "1", "stderr": "1", "follow": "1" if is_followed else "0"}
    is_whole = False
    try:
        async with api.stream("GET", f"/containers/{container}/logs", query) as chunks:
            async for output in _unframed(chunks):
                # Some kilobytes into the page cache: cheaper here than in another thread.
                log.write(output)
        is_whole = True
    except (EngineUnreachable, EngineRefused):
        pass
    finally:
        log.finish()
    return is_whole


async def _unframed(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The output within the engine's frames: one byte for the stream, three of zero, four of size, the output."""
    kept = b""
    left = 0
    async for chunk in chunks:
        kept += chunk
        output = []
        while kept:
            if left > 0:
                output.append(kept[:left])
                left -= len(output[-1])
                kept = kept[len(output[-1]) :]
            elif len(kept) >= _FRAME_HEAD_BYTES:
                left = int.from_bytes(kept[4:_FRAME_HEAD_BYTES], "big")
                kept = kept[_FRAME_HEAD_BYTES:]
            else:
                break
        if output:
            yield b"".join(output)
