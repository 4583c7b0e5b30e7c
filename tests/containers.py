"""A real Podman for the tests: an API service with a store of its own, and an image made from this host's programs.

Nothing of it is shared with a Podman that the host may use, and nothing is fetched from anywhere.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

IMAGE = "localhost/reprise-test-shell:1"
# Where these tests run, the kernel may refuse the limits and networks that Podman would give by itself.
HOST_CONFIG = {
    "NetworkMode": "none",
    "Ulimits": [
        {"Name": "nofile", "Soft": 1024, "Hard": 1024},
        {"Name": "nproc", "Soft": 1024, "Hard": 1024},
    ],
}
_PROGRAMS = ("sh", "sleep", "cat", "head", "tail", "tr", "yes", "ls", "setsid", "mkdir", "env", "true", "id")


# Debian's EXTERNALLY-MANAGED forbids what a container is for: a pip of its own.
_LEFT_OUT = frozenset(
    {"test", "tests", "idlelib", "tkinter", "lib2to3", "ensurepip", "site-packages", "EXTERNALLY-MANAGED"}
)


class NoPodman(Exception):
    """Containers cannot be run here; the text says why."""


class Podman:
    """A service that listens at `socket`, until it is stopped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "podman.sock"
        self.command = [
            "podman",
            f"--root={folder / 'root'}",
            f"--runroot={folder / 'run'}",
            *(("--runtime=runc",) if shutil.which("runc") else ()),
            "--cgroup-manager=cgroupfs",
            "--events-backend=file",
        ]
        self._service: subprocess.Popen[bytes] | None = None

    def run(self, *arguments: str) -> str:
        """What a podman command prints."""
        done = subprocess.run(
            [*self.command, *arguments], capture_output=True, text=True, check=False, timeout=120
        )
        if done.returncode != 0:
            raise NoPodman(f"podman {arguments[0]}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def start(self) -> None:
        log = (self.folder / "service.log").open("ab")
        self._service = subprocess.Popen(
            [*self.command, "system", "service", "--time=0", f"unix://{self.socket}"],
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            cwd=self.folder,  # what looks after containers leaves a file `oom` where it was started
        )
        log.close()
        self._await_socket()

    def _await_socket(self) -> None:
        """Connections are refused until it listens; a service that ends instead has said why."""
        import socket
        import time

        assert self._service is not None
        deadline = time.monotonic() + 30
        while self._service.poll() is None and time.monotonic() < deadline:
            with socket.socket(socket.AF_UNIX) as attempt:
                try:
                    attempt.connect(str(self.socket))
                except OSError:
                    time.sleep(0.02)
                    continue
                return
        raise NoPodman((self.folder / "service.log").read_text()[-500:])

    def stop(self) -> None:
        """The service ends; containers go on."""
        if self._service is not None:
            self._service.send_signal(signal.SIGTERM)
            self._service.wait(timeout=30)
            self._service = None
        self.socket.unlink(missing_ok=True)

    def containers(self, data_dir: Path) -> list[dict[str, object]]:
        """Those of a data directory, whatever their state: the engine is shared with other tests."""
        identity = data_dir / "containers-id"
        if not identity.exists():
            return []
        ours = f"--filter=label=io.reprise.data-dir={identity.read_text().strip()}"
        found: list[dict[str, object]] = json.loads(self.run("ps", "--all", ours, "--format=json") or "[]")
        return found

    def remove_containers(self, data_dir: Path) -> None:
        """What a server of this data directory keeps until the end is committed; there is none any more."""
        found = [str(one["Id"]) for one in self.containers(data_dir)]
        if found:
            self.run("rm", "--force", "--time=0", *found)

    def import_image(
        self, paths: Iterable[Path], image: str, *changes: str, at: Mapping[str, Path] | None = None
    ) -> None:
        """Make an image of files of this host, each at its own path, and of those that are to be `at` another."""
        archive = self.folder / "image.tar"
        with tarfile.open(archive, "w") as tar:
            for name in ("tmp", "etc", "proc", "sys", "dev", "run", "var/tmp"):
                folder = tarfile.TarInfo(name)
                folder.type, folder.mode = tarfile.DIRTYPE, 0o1777 if name.endswith("tmp") else 0o755
                tar.addfile(folder)
            added: set[str] = set()
            for path in paths:
                _add(tar, path, added)
            for place, path in (at or {}).items():
                tar.add(path, place, filter=_needed)
        self.run("import", "--quiet", *(f"--change={change}" for change in changes), str(archive), image)
        archive.unlink()


def _needed(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Of a Python installation, what a component can do without is left out: it is half of the bytes."""
    parts = entry.name.split("/")
    is_left_out = any(part in _LEFT_OUT or part.startswith("config-") for part in parts)
    # Other packages than those that are named come in by `site-packages`.
    return None if is_left_out else entry


def _add(tar: tarfile.TarFile, path: Path, added: set[str]) -> None:
    """A file with what its symbolic links lead to; links to folders above it (/bin) are kept as they are."""
    for parent in reversed(path.parents):
        if parent.is_symlink() and str(parent) not in added:
            added.add(str(parent))
            tar.add(parent, recursive=False)
    real = path.parent.resolve() / path.name
    if str(real) in added:
        return
    added.add(str(real))
    tar.add(real, recursive=path.is_dir() and not path.is_symlink(), filter=_needed)
    if path.is_symlink():
        _add(tar, path.parent / path.readlink(), added)


def programs(names: Iterable[str] = _PROGRAMS) -> list[Path]:
    """The programs of this host, with the libraries that they load."""
    found: list[Path] = []
    for name in names:
        path = shutil.which(name)
        if path is None:
            raise NoPodman(f"this host has no {name} to make an image of")
        found.append(Path(path))
        found.extend(libraries(Path(path)))
    return found


def libraries(program: Path) -> list[Path]:
    """What the loader loads with a program."""
    said = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
    return [Path(word) for word in said.split() if word.startswith("/")]


@contextmanager
def podman() -> Iterator[Podman]:
    """A running service that has the image and has run it. Raises NoPodman."""
    if shutil.which("podman") is None:
        raise NoPodman("podman is not installed")
    # A short path: those of sockets are limited.
    folder = Path(tempfile.mkdtemp(prefix="reprise-podman-", dir="/tmp"))
    engine = Podman(folder)
    try:
        engine.import_image(programs(), IMAGE)
        limits = [f"--ulimit={one['Name']}={one['Soft']}:{one['Hard']}" for one in HOST_CONFIG["Ulimits"]]  # type: ignore[index]
        engine.run("run", "--rm", "--network=none", *limits, IMAGE, "true")
        engine.start()
        yield engine
    finally:
        engine.stop()
        subprocess.run(
            [*engine.command, "rm", "--all", "--force", "--time=0"], capture_output=True, check=False
        )
        subprocess.run(["umount", str(folder / "root" / "overlay")], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)
