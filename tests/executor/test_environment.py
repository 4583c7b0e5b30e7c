"""Environments for tasks: made from a wheel on this disk, with the real pip."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from reprise.executor.environment import (
    EnvironmentFailed,
    HostEnvironment,
    Interpreter,
    ManagedEnvironments,
    inherited_environment,
)
from reprise.executor.subprocess import SubprocessExecutor


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A package without dependencies that no index has."""
    path = tmp_path / "reprise_probe-1.0-py3-none-any.whl"
    info = "reprise_probe-1.0.dist-info"
    files = {
        "reprise_probe.py": "WORD = 'found'\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: reprise-probe\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        record = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
        archive.writestr(f"{info}/RECORD", record)
    return path


def within(folder: Path, use: Callable[[ManagedEnvironments], Awaitable[None]]) -> None:
    async def main() -> None:
        executor = SubprocessExecutor(folder / "data")
        await executor.open()
        try:
            await use(ManagedEnvironments(executor, folder / "environments"))
        finally:
            await executor.close()

    asyncio.run(main())


def output(interpreter: Interpreter, *arguments: str) -> str:
    command = [interpreter.python, *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


def test_an_environment_has_what_was_asked_for_and_nothing_of_the_server(tmp_path: Path, wheel: Path) -> None:
    async def use(environments: ManagedEnvironments) -> None:
        made = await environments.get((("--no-index", str(wheel)),))
        assert output(made, "-c", "import reprise_probe; print(reprise_probe.WORD)") == "found"
        assert output(made, "-c", "import importlib.util as u; print(u.find_spec('grpc'))") == "None"
        assert (made.bin_dir / "python").exists()

    within(tmp_path, use)


def test_pip_works_inside_an_environment_and_installs_there(tmp_path: Path, wheel: Path) -> None:
    async def use(environments: ManagedEnvironments) -> None:
        made = await environments.get(())
        output(made, "-m", "pip", "install", "--quiet", "--no-index", str(wheel))
        place = output(made, "-c", "import reprise_probe; print(reprise_probe.__file__)")
        assert place.startswith(str(made.environment))

    within(tmp_path, use)


def test_many_who_ask_at_once_share_one_build(tmp_path: Path, wheel: Path) -> None:
    async def use(environments: ManagedEnvironments) -> None:
        asked = [environments.get((("--no-index", str(wheel)),)) for _ in range(20)]
        made = await asyncio.gather(*asked)
        assert len(set(made)) == 1
        marker = made[0].bin_dir.parent / "READY"
        built_ns = marker.stat().st_mtime_ns
        assert await environments.get((("--no-index", str(wheel)),)) == made[0]
        assert marker.stat().st_mtime_ns == built_ns

    within(tmp_path, use)


def test_a_failed_build_says_what_pip_said_and_is_tried_again(tmp_path: Path, wheel: Path) -> None:
    hidden = wheel.rename(wheel.with_suffix(".hidden"))

    async def use(environments: ManagedEnvironments) -> None:
        requirements = (("--no-index", str(wheel)),)
        with pytest.raises(EnvironmentFailed, match="reprise_probe"):
            await environments.get(requirements)
        await asyncio.to_thread(hidden.rename, wheel)
        assert output(await environments.get(requirements), "-c", "import reprise_probe") == ""

    within(tmp_path, use)


def test_a_build_stops_with_its_last_asker_only(tmp_path: Path) -> None:
    fifo = tmp_path / "requirements.txt"
    os.mkfifo(fifo)  # pip opens it and waits, for as long as the test likes

    async def use(environments: ManagedEnvironments) -> None:
        requirements = (("--no-index", "-r", str(fifo)),)
        first = asyncio.create_task(environments.get(requirements))
        second = asyncio.create_task(environments.get(requirements))
        writer = await asyncio.to_thread(os.open, fifo, os.O_WRONLY)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert not second.done()
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        with pytest.raises(BrokenPipeError):
            os.write(writer, b"x")
        os.close(writer)
        left = {path.name for path in (tmp_path / "environments").iterdir()}
        assert left == {"pip"}

    within(tmp_path, use)


def test_a_build_that_a_killed_server_began_is_ended_before_it_is_begun_again(tmp_path: Path) -> None:
    fifo = tmp_path / "requirements.txt"
    os.mkfifo(fifo)
    server = (
        "import asyncio, pathlib, sys\n"
        "from reprise.executor.environment import ManagedEnvironments\n"
        "from reprise.executor.subprocess import SubprocessExecutor\n"
        "async def main():\n"
        "    folder = pathlib.Path(sys.argv[1])\n"
        "    executor = SubprocessExecutor(folder / 'data')\n"
        "    await executor.open()\n"
        "    await ManagedEnvironments(executor, folder / 'environments').get((('-r', sys.argv[2]),))\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", server, str(tmp_path), str(fifo)]) as process:
        first = os.open(fifo, os.O_WRONLY)
        process.kill()

    async def use(environments: ManagedEnvironments) -> None:
        again = asyncio.create_task(environments.get((("-r", str(fifo)),)))
        second = await asyncio.to_thread(_open_when_first_reader_is_gone, fifo, first)
        os.close(second)  # an empty list of requirements
        await again

    within(tmp_path, use)


def _open_when_first_reader_is_gone(fifo: Path, first: int) -> int:
    import select

    poller = select.poll()
    poller.register(first, 0)
    assert poller.poll(20_000)  # POLLERR: nobody reads
    os.close(first)
    return os.open(fifo, os.O_WRONLY)


def test_the_host_interpreter_is_used_as_it_is(tmp_path: Path) -> None:
    interpreter = asyncio.run(HostEnvironment(Path(sys.executable), tmp_path).get((("nothing",),)))
    found = subprocess.run(
        ["python3", "-c", "import sys; print(sys.prefix)"],
        env={"PATH": f"{interpreter.bin_dir}:{os.defpath}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == sys.prefix


def test_a_host_interpreter_under_another_name_gets_shims(tmp_path: Path) -> None:
    own = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(own)], check=True)
    (own / "bin" / "python3").rename(own / "bin" / "my-python")
    interpreter = asyncio.run(HostEnvironment(own / "bin" / "my-python", tmp_path / "shims").get(()))
    for name in ("python3", "python"):
        command = [str(interpreter.bin_dir / name), "-c", "import sys; print(sys.prefix)"]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == str(own)


def test_no_secret_of_the_server_is_inherited() -> None:
    server = {
        "PATH": "/bin",
        "HOME": "/h",
        "LC_ALL": "C",
        "PIP_INDEX_URL": "u",
        "REPRISE_TOKEN": "s",
        "AWS_KEY": "s",
    }
    assert inherited_environment(server, Path("/env/bin")) == {
        "PATH": "/env/bin:/bin",
        "HOME": "/h",
        "LC_ALL": "C",
        "PIP_INDEX_URL": "u",
    }
