"""The client programs of several languages: what each needs, and how it is started against a server.

Invariant: nothing is downloaded without being asked for. REPRISE_CLIENTS names the languages whose packages may be
fetched and built (`go,java`, or `all`).
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import yaml
from served import Served

HERE = Path(__file__).resolve().parent
_PROTOS = HERE.parents[1] / "protos"
_BUILD_S = 1500
_PROTOC_GEN_GO = "google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.11"
_PROTOC_GEN_GO_GRPC = "google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.5.1"
_GO_PACKAGE = "reprise.example/conformance/reprisev1"


class Missing(Exception):
    """The client cannot be run here; the text says why."""


@dataclass(frozen=True)
class Command:
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.arguments,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )


# --- which client, from what ---------------------------------------------------------------------------------------


def python_grpc(server: Served, folder: Path) -> Command:
    return _python(server, folder, f"localhost:{_port(server.grpc_tls)}", "grpc")


def python_rest(server: Served, folder: Path) -> Command:
    return _python(server, folder, f"http://{server.http}", "rest")


def _python(server: Served, folder: Path, endpoint: str, transport: str) -> Command:
    arguments = [
        _sdk_python(),
        str(HERE / "python_sdk.py"),
        f"--endpoint={endpoint}",
        f"--transport={transport}",
        f"--pipelines={HERE / 'pipelines'}",
        f"--folder={folder}",
    ]
    return Command(arguments, {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(server.data_dir / "tls" / "ca.pem")})


def _sdk_python() -> str:
    """An interpreter that has the SDK: this one, or the one that REPRISE_SDK_PYTHON names."""
    if named := os.environ.get("REPRISE_SDK_PYTHON"):
        return named
    try:
        has_sdk = importlib.util.find_spec("google.cloud.aiplatform") is not None
    except ModuleNotFoundError:
        has_sdk = False
    if not has_sdk:
        raise Missing(
            "google-cloud-aiplatform is not installed (nor does REPRISE_SDK_PYTHON name a Python with it)"
        )
    return sys.executable


def node(server: Served, folder: Path) -> Command:
    modules = _node_modules(folder)
    program = ["node", str(HERE / "node" / "client.js")]
    return Command([*program, *_arguments(server, folder)], {"NODE_PATH": str(modules)})


def _node_modules(folder: Path) -> Path:
    """A folder that has the client: beside the program, or where REPRISE_NODE_MODULES points.

    115 MB are not fetched without being asked: with REPRISE_NPM_INSTALL=1 they are.
    """
    if shutil.which("node") is None:
        raise Missing("no node on this machine")
    named = Path(os.environ.get("REPRISE_NODE_MODULES", "/nonexistent"))
    for modules in (HERE / "node" / "node_modules", named):
        if (modules / "@google-cloud" / "aiplatform" / "package.json").exists():
            return modules
    if os.environ.get("REPRISE_NPM_INSTALL") != "1" or shutil.which("npm") is None:
        raise Missing(
            "@google-cloud/aiplatform is not installed (REPRISE_NODE_MODULES, or REPRISE_NPM_INSTALL=1)"
        )
    shutil.copy(HERE / "node" / "package.json", folder)
    _build(["npm", "install", "--no-audit", "--no-fund"], folder)
    return folder / "node_modules"


def go(server: Served, folder: Path) -> Command:
    """Google's Go clients, and one generated from protos/ where there is a protoc."""
    _check_wanted("go")
    build = _build_folder("go", HERE / "go", _PROTOS)
    program = build / "client"
    if not program.exists():
        has_own = _generate_go(build)
        # Not `tidy`: it would also fetch what the packages' own tests need.
        options = ["-tags=own"] if has_own else []
        _build(["go", "build", *options, "-o", "client.part", "."], build)
        (build / "client.part").rename(program)
    return Command([str(program), *_arguments(server, folder)])


def _generate_go(build: Path) -> bool:
    """Go code of protos/ beside the program; False where there is no protoc."""
    if shutil.which("protoc") is None:
        return False
    tools = build / "bin"
    for tool in (_PROTOC_GEN_GO, _PROTOC_GEN_GO_GRPC):
        _build(["go", "install", tool], build, {"GOBIN": str(tools)})
    common = Path(str(metadata.distribution("googleapis-common-protos").locate_file("")))
    # It is registered under the name that the rest of the world imports, but stored under another.
    operations = build / "renamed" / "google" / "longrunning" / "operations.proto"
    operations.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(common / "google" / "longrunning" / "operations_proto.proto", operations)
    files = [str(path.relative_to(_PROTOS)) for path in sorted((_PROTOS / "reprise" / "v1").glob("*.proto"))]
    options = ["module=reprise.example/conformance", *(f"M{name}={_GO_PACKAGE}" for name in files)]
    _build(
        [
            "protoc",
            *(f"-I{path}" for path in (_PROTOS, build / "renamed", common)),
            *(f"--{kind}_out={build}" for kind in ("go", "go-grpc")),
            *(f"--{kind}_opt={option}" for kind in ("go", "go-grpc") for option in options),
            *files,
        ],
        build,
        {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
    )
    return True


def java(server: Served, folder: Path) -> Command:
    """Google's Java clients, by Maven; the program is run from its source."""
    _check_wanted("java")
    if shutil.which("mvn") is None:
        raise Missing("no mvn on this machine")
    build = _build_folder("java", HERE / "java")
    found = build / "classpath"
    if not found.exists():
        _build(["mvn", "-q", "-B", "dependency:build-classpath", f"-Dmdep.outputFile={found}.part"], build)
        Path(f"{found}.part").rename(found)
    program = ["java", "-cp", found.read_text().strip(), str(HERE / "java" / "Client.java")]
    return Command([*program, *_arguments(server, folder)])


CLIENTS: Mapping[str, Callable[[Served, Path], Command]] = {
    "Python gRPC": python_grpc,
    "Python REST": python_rest,
    "Node": node,
    "Go": go,
    "Java": java,
}


# --- what they share -----------------------------------------------------------------------------------------------


def _arguments(server: Served, folder: Path) -> list[str]:
    """PORT FOLDER STEPS_JSON WAITING_JSON"""
    files = []
    for name in ("steps", "waiting"):
        document = yaml.safe_load((HERE / "pipelines" / f"{name}.yaml").read_text())
        for task in document["root"]["dag"]["tasks"].values():
            task["cachingOptions"] = {}  # what one rerun has made is no answer for the next
        files.append(folder / f"{name}.json")
        files[-1].write_text(json.dumps(document))
    return [_port(server.grpc), str(folder), *map(str, files)]


def _port(address: str) -> str:
    return address.rpartition(":")[2]


def _check_wanted(language: str) -> None:
    wanted = os.environ.get("REPRISE_CLIENTS", "").replace(",", " ").split()
    if language not in wanted and "all" not in wanted:
        raise Missing(f"building it takes minutes; REPRISE_CLIENTS={language} asks for it")
    if shutil.which(language) is None:
        raise Missing(f"no {language} on this machine")


def _build_folder(language: str, *sources: Path) -> Path:
    """A copy of the first source outside the repository, a new one for every version of all of them."""
    digest = hashlib.sha256()
    for path in sorted(path for source in sources for path in source.rglob("*") if path.is_file()):
        if path.suffix in {".go", ".mod", ".sum", ".java", ".xml", ".proto"}:
            digest.update(f"{path.name}\0".encode() + path.read_bytes())
    root = Path(os.environ.get("REPRISE_CLIENTS_DIR", Path.home() / ".cache" / "reprise-clients"))
    build = root / f"{language}-{digest.hexdigest()[:16]}"
    shutil.copytree(sources[0], build, dirs_exist_ok=True)
    return build


def _build(arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
    """Errors: Missing when it does not work, with what it said."""
    try:
        done = subprocess.run(
            arguments,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=_BUILD_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"{' '.join(arguments[:2])} did not end within {_BUILD_S} s") from None
    if done.returncode != 0:
        raise Missing(f"{' '.join(arguments[:3])} failed: {(done.stderr + done.stdout).strip()[-800:]}")
