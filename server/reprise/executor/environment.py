"""Python environments for tasks: one for each list of requirements, made once, shared by all who ask for it.

Invariant: an environment is given out only after all of its installs have succeeded and its files have
reached the disk. A build that failed, or that nobody waits for any more, leaves nothing that a later one
would trust. Builds run under a supervisor like attempts do, so that none outlives its last asker.
"""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reprise.executor.attempt_files import log_tail
from reprise.executor.contract import AttemptSpec, Cause, Executor

_FORMAT = "1"
_READY = "READY"
_LOG_TAIL_BYTES = 4000
_GRACE_S = 2.0
_BUILD_LIMIT_S = 3600.0

Requirements = tuple[tuple[str, ...], ...]


class EnvironmentFailed(Exception):
    """The packages of the task could not be installed."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python for tasks. `bin_dir` goes first on their PATH and has python3 and python."""

    python: str
    bin_dir: Path
    environment: Path | None = None


def _own_base() -> str:
    """The interpreter that the server's own environment was made from."""
    base = getattr(sys, "_base_executable", None)
    return str(base or sys.executable)


class HostEnvironment:
    """One interpreter, chosen by the operator, for every task; `pip install` lines are left undone.

    The packages that components ask for have to be there.
    """

    def __init__(self, task_python: Path, folder: Path) -> None:
        self._python = task_python
        self._folder = folder
        self._made: Interpreter | None = None

    async def get(self, requirements: Requirements) -> Interpreter:
        """The interpreter, whatever is required."""
        if self._made is None:
            self._made = await asyncio.to_thread(self._make)
        return self._made

    def at_once(self, requirements: Requirements) -> Interpreter | None:
        """The interpreter, once it has been asked for."""
        return self._made

    def _make(self) -> Interpreter:
        own = self._python.parent
        is_complete = (own / "python3").exists() and (own / "python").exists()
        if is_complete and (own / "python3").samefile(self._python):
            return Interpreter(str(self._python), own)
        shims = self._folder / "host-bin"
        shims.mkdir(parents=True, exist_ok=True)
        for name in ("python3", "python"):
            # A link would lose the interpreter's own environment, found by the path it was started with.
            content = f'#!/bin/sh\nexec "{self._python}" "$@"\n'
            shim = shims / name
            if not shim.exists() or shim.read_text(encoding="utf-8") != content:
                temporary = shims / f".{name}.{os.getpid()}"
                temporary.write_text(content, encoding="utf-8")
                temporary.chmod(0o755)
                temporary.replace(shim)
        return Interpreter(str(self._python), shims)


class ManagedEnvironments:
    """Makes environments below `folder`, with the interpreter that the server's own was made from."""

    def __init__(self, executor: Executor, folder: Path, base_python: str | None = None) -> None:
        self._executor = executor
        self._folder = folder
        self._python: str = base_python or _own_base()
        self._builds: dict[str, asyncio.Task[Interpreter]] = {}
        self._askers: dict[str, int] = {}
        self._given: dict[Requirements, Path] = {}

    def at_once(self, requirements: Requirements) -> Interpreter | None:
        """The environment of these requirements, where it was given out before and is still there."""
        folder = self._given.get(requirements)
        if folder is None or not (folder / _READY).exists():
            return None
        return _interpreter(folder)

    async def get(self, requirements: Requirements) -> Interpreter:
        """The environment of these requirements (the arguments of one `pip install` after the other).

        Makes it if need be, once for all who ask at the same time; cancelling the last of them stops that.
        Raises EnvironmentFailed with what pip said.
        """
        digest = self._digest(requirements)
        folder = self._folder / digest
        if await asyncio.to_thread((folder / _READY).exists):
            self._given[requirements] = folder
            return _interpreter(folder)
        build = self._builds.get(digest)
        if build is None:
            build = asyncio.create_task(self._build(requirements, folder))
            self._builds[digest] = build
            build.add_done_callback(lambda _: self._builds.pop(digest, None))
        self._askers[digest] = self._askers.get(digest, 0) + 1
        try:
            return await asyncio.shield(build)
        finally:
            self._askers[digest] -= 1
            if self._askers[digest] == 0:
                del self._askers[digest]
                if not build.done():
                    build.cancel()
                    with suppress(asyncio.CancelledError, EnvironmentFailed):
                        await build

    def _digest(self, requirements: Requirements) -> str:
        identity = [_FORMAT, self._python, sys.version, platform.platform(), requirements]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]

    async def _build(self, requirements: Requirements, folder: Path) -> Interpreter:
        work = folder.with_suffix(".build")
        await self._end_earlier_build(work)
        try:
            await asyncio.to_thread(self._make_empty, folder, work)
            for number, arguments in enumerate(requirements, start=1):
                await self._install(folder, work, number, arguments)
            await asyncio.to_thread(_make_durable, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return _interpreter(folder)

    async def _end_earlier_build(self, work: Path) -> None:
        """Stop a build that a server before this one was making when it was killed."""
        for handle in await asyncio.to_thread(_handles, work):
            await self._executor.cancel(handle)
            await self._executor.wait(handle)

    def _make_empty(self, folder: Path, work: Path) -> None:
        for leftover in (folder, work):
            shutil.rmtree(leftover, ignore_errors=True)
        work.mkdir(parents=True)
        builder = venv.EnvBuilder(symlinks=True, with_pip=False)
        if self._python == _own_base():
            builder.create(folder)
        else:
            command = [self._python, "-I", "-m", "venv", "--without-pip", str(folder)]
            done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
            if done.returncode != 0:
                raise EnvironmentFailed(f"cannot make an environment: {done.stderr.decode(errors='replace')}")
        (packages,) = folder.glob("lib/python*/site-packages")
        # By a path, not by a link: `pip install pip` then puts a pip of its own before it, and harms nobody.
        (packages / "reprise_pip.pth").write_text(f"{self._pip_folder()}\n", encoding="utf-8")

    def _pip_folder(self) -> Path:
        """A folder with a pip and nothing else in it: the server's, else the one that Python brings along."""
        shared = self._folder / "pip"
        if (shared / "pip" / "__main__.py").exists():
            return shared
        shared.mkdir(parents=True, exist_ok=True)
        found = importlib.util.find_spec("pip")
        if found is not None and found.submodule_search_locations:
            with suppress(FileExistsError):
                (shared / "pip").unlink(missing_ok=True)
                (shared / "pip").symlink_to(next(iter(found.submodule_search_locations)))
            return shared
        bundled = importlib.util.find_spec("ensurepip")
        wheels = (
            sorted(Path(bundled.origin).parent.glob("_bundled/pip-*.whl"))
            if bundled is not None and bundled.origin is not None
            else []
        )
        if not wheels:
            raise EnvironmentFailed("there is no pip on this host: install pip beside the server")
        with zipfile.ZipFile(wheels[-1]) as wheel:
            wheel.extractall(shared, [name for name in wheel.namelist() if name.startswith("pip/")])
        return shared

    async def _install(self, folder: Path, work: Path, number: int, arguments: Sequence[str]) -> None:
        options = ("--disable-pip-version-check", "--no-input", "--quiet", "--no-warn-script-location")
        spec = AttemptSpec(
            run_id=0,
            task_id=0,
            number=number,
            attempt_dir=str(work / str(number)),
            argv=(str(folder / "bin" / "python3"), "-m", "pip", "install", *options, *arguments),
            env=inherited_environment(os.environ, folder / "bin"),
            cwd=str(work),
            image="",
            grace_s=_GRACE_S,
            timeout_s=_BUILD_LIMIT_S,
        )
        handle = self._executor.handle(spec)
        await asyncio.to_thread((work / f"handle-{number}").write_bytes, handle)
        try:
            await self._executor.start(spec, handle)
            end = await self._executor.wait(handle)
        except asyncio.CancelledError:
            await self._executor.cancel(handle)
            await self._executor.wait(handle)
            raise
        finally:
            self._executor.release([handle])
        if end.is_success:
            return
        said = await asyncio.to_thread(log_tail, work / str(number) / "log", _LOG_TAIL_BYTES)
        what = end.message if end.cause is not Cause.EXITED else f"pip ended with exit code {end.exit_code}"
        raise EnvironmentFailed(f"pip install {' '.join(arguments)}: {what}\n{said}".rstrip())


def inheritable(source: Mapping[str, str]) -> dict[str, str]:
    """What a task may see of the server's environment: a short list, so that no secret is in it."""
    return {
        name: value
        for name, value in source.items()
        # Text only: what is not UTF-8 cannot be handed on.
        if (name in _INHERITED or name.startswith(_INHERITED_PREFIXES)) and value.isprintable()
    }


def inherited_environment(source: Mapping[str, str], bin_dir: Path) -> dict[str, str]:
    """What a task sees of the server's environment, with `bin_dir` first on its PATH."""
    return led_by(bin_dir, inheritable(source))


def led_by(bin_dir: Path, env: Mapping[str, str]) -> dict[str, str]:
    """The same environment with `bin_dir` first on its PATH."""
    return {**env, "PATH": f"{bin_dir}{os.pathsep}{env.get('PATH', os.defpath)}"}


_INHERITED = frozenset(
    {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "TZ",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "all_proxy",
        "CUDA_VISIBLE_DEVICES",
    }
)
_INHERITED_PREFIXES = ("LC_", "PIP_")


def _handles(work: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(work.glob("handle-*"))]


def _interpreter(folder: Path) -> Interpreter:
    return Interpreter(str(folder / "bin" / "python3"), folder / "bin", folder)


def _make_durable(folder: Path) -> None:
    """Everything of the environment reaches the disk before the marker that says it is whole."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if ctypes.CDLL(None).syncfs(descriptor) != 0:
            os.sync()
        (folder / _READY).touch()
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
