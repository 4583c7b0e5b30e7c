"""An end outlives a power cut once there is nobody else to keep it: the kernel is asked whether it is on the disk."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import struct
from pathlib import Path

import pytest
from reprise.executor.attempt_files import EXIT_FILE, Handle, read_exit

from .conftest import Workbench, ended_of, is_gone_in_time

_FS_IOC_FIEMAP = 0xC020660B
_HEAD = struct.Struct("=QQLLLL")
_EXTENT = struct.Struct("=QQQ16xL12x")
_NOT_WRITTEN = 0x2 | 0x4 | 0x800  # its place is unknown, not chosen yet, or chosen and not written
_MOST_EXTENTS = 8


def _is_on_disk(file: Path) -> bool:
    """Whether what has been written to the file has left the memory of this host. Skips where no one can tell."""
    request = bytearray(_HEAD.pack(0, 1 << 40, 0, 0, _MOST_EXTENTS, 0) + bytes(_MOST_EXTENTS * _EXTENT.size))
    with file.open("rb") as opened:
        try:
            fcntl.ioctl(opened, _FS_IOC_FIEMAP, request)
        except OSError as error:
            if error.errno in (errno.EOPNOTSUPP, errno.ENOTTY):
                pytest.skip("this file system does not tell where a file lies")
            raise
    count = _HEAD.unpack_from(request)[3]
    extents = [_EXTENT.unpack_from(request, _HEAD.size + at * _EXTENT.size) for at in range(count)]
    # The first holds the end; what lies behind it is the reserve.
    return bool(extents) and not extents[0][3] & _NOT_WRITTEN


def _exit_file(handle: bytes) -> Path:
    return Path(Handle.decode(handle).path(EXIT_FILE))


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_an_end_that_no_server_hears_is_put_on_the_disk(bench: Workbench) -> None:
    async def main() -> bytes:
        executor = bench.executor()
        await executor.open()
        handle, is_gone = await bench.end_alone(executor)
        assert is_gone
        return handle

    handle = asyncio.run(main())
    end = read_exit(Handle.decode(handle))
    assert end is not None and end.is_success
    assert _is_on_disk(_exit_file(handle))


def test_ends_that_the_server_did_not_commit_are_put_on_the_disk_when_it_has_gone(bench: Workbench) -> None:
    async def main() -> list[bytes]:
        executor = bench.executor()
        await executor.open()
        handles = [(await ended_of(bench, executor, "sh", "-c", f"exit {code}"))[1] for code in range(3)]
        executor.release(handles[:1])
        spawner = os.pidfd_open(_parent_of(bench.supervisor(handles[0])))
        await executor.close()
        assert await asyncio.to_thread(is_gone_in_time, spawner)
        os.close(spawner)
        return handles

    handles = asyncio.run(main())
    assert [_is_on_disk(_exit_file(handle)) for handle in handles[1:]] == [True, True]
