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
_PROTOC_GEN_GRPC_JAVA = "1.62.2"
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


def _gapic(version: str, transport: str) -> Callable[[Served, Path], Command]:
    def make(server: Served, folder: Path) -> Command:
        _, _, steps, waiting = _arguments(server, folder)
        return Command(
            [
                _sdk_python(),
                str(HERE / "python_gapic.py"),
                f"--version={version}",
                f"--transport={transport}",
                f"--grpc={server.grpc}",
                f"--http={server.http}",
                f"--folder={folder}",
                f"--steps={steps}",
                f"--waiting={waiting}",
            ]
        )

    return make


def python_own(server: Served, folder: Path) -> Command:
    """A client generated from protos/, which does not use the package of Reprise."""
    python = _generator_python()
    common, renamed = _google_protos(folder)
    made = folder / "generated"
    made.mkdir()
    program = (
        "import sys, os, grpc_tools; from grpc_tools import protoc;"
        "own = os.path.join(os.path.dirname(grpc_tools.__file__), '_proto');"
        "sys.exit(protoc.main(['protoc', f'-I{own}', *sys.argv[1:]]))"
    )
    files = [str(path.relative_to(_PROTOS)) for path in sorted((_PROTOS / "reprise" / "v1").glob("*.proto"))]
    includes = [f"-I{path}" for path in (_PROTOS, renamed, common)]
    _build(
        [python, "-c", program, *includes, f"--python_out={made}", f"--grpc_python_out={made}", *files],
        folder,
    )
    for module in made.rglob(
        "*.py"
    ):  # stored under another name than it is registered, as in protos/generate.py
        text = module.read_text().replace(
            "from google.longrunning import operations_pb2",
            "from google.longrunning import operations_proto_pb2",
        )
        module.write_text(text)
    # Without it an installed Reprise would come before it.
    (made / "reprise" / "__init__.py").touch()
    _, _, steps, _ = _arguments(server, folder)
    arguments = [
        python,
        str(HERE / "python_own.py"),
        str(made),
        server.grpc,
        steps,
        str(folder / "own.ledger"),
    ]
    return Command(arguments, {"PYTHONPATH": ""})


def _generator_python() -> str:
    """An interpreter that has grpcio-tools: the one that REPRISE_GENERATOR_PYTHON names, or this one."""
    if named := os.environ.get("REPRISE_GENERATOR_PYTHON"):
        return named
    if importlib.util.find_spec("grpc_tools") is None:
        raise Missing(
            "grpcio-tools is not installed (nor does REPRISE_GENERATOR_PYTHON name a Python with it)"
        )
    return sys.executable


def _google_protos(folder: Path) -> tuple[Path, Path]:
    """Where Google's common protos lie, and one of them under the name that the rest of the world imports."""
    common = Path(str(metadata.distribution("googleapis-common-protos").locate_file("")))
    operations = folder / "renamed" / "google" / "longrunning" / "operations.proto"
    operations.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(common / "google" / "longrunning" / "operations_proto.proto", operations)
    return common, folder / "renamed"


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


def _node(version: str) -> Callable[[Served, Path], Command]:
    def make(server: Served, folder: Path) -> Command:
        modules = _node_modules(folder)
        program = ["node", str(HERE / "node" / "client.js")]
        return Command([*program, *_arguments(server, folder), version], {"NODE_PATH": str(modules)})

    return make


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


def _go(version: str) -> Callable[[Served, Path], Command]:
    def make(server: Served, folder: Path) -> Command:
        return Command([str(_go_program()), *_arguments(server, folder), version])

    return make


def _go_program() -> Path:
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
    return program


def _generate_go(build: Path) -> bool:
    """Go code of protos/ beside the program; False where there is no protoc."""
    if shutil.which("protoc") is None:
        return False
    tools = build / "bin"
    for tool in (_PROTOC_GEN_GO, _PROTOC_GEN_GO_GRPC):
        _build(["go", "install", tool], build, {"GOBIN": str(tools)})
    common, renamed = _google_protos(build)
    files = [str(path.relative_to(_PROTOS)) for path in sorted((_PROTOS / "reprise" / "v1").glob("*.proto"))]
    options = ["module=reprise.example/conformance", *(f"M{name}={_GO_PACKAGE}" for name in files)]
    _build(
        [
            "protoc",
            *(f"-I{path}" for path in (_PROTOS, renamed, common)),
            *(f"--{kind}_out={build}" for kind in ("go", "go-grpc")),
            *(f"--{kind}_opt={option}" for kind in ("go", "go-grpc") for option in options),
            *files,
        ],
        build,
        {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
    )
    return True


def _java(version: str) -> Callable[[Served, Path], Command]:
    def make(server: Served, folder: Path) -> Command:
        google = _java_classpath()
        build = _build_folder("java", HERE / "java")
        classes = build / "classes"
        if not classes.exists():
            sources = [str(build / name) for name in ("Client.java", "Versions.java")]
            _build(["javac", "-nowarn", "-cp", google, "-d", "classes.part", *sources], build)
            (build / "classes.part").rename(classes)
        program = ["java", "-cp", f"{classes}{os.pathsep}{google}", "Client"]
        return Command([*program, *_arguments(server, folder), version])

    return make


def _java_classpath() -> str:
    """Google's Java clients and what they need, by Maven."""
    _check_wanted("java")
    if shutil.which("mvn") is None:
        raise Missing("no mvn on this machine")
    build = _build_folder("java", HERE / "java")
    found = build / "classpath"
    if not found.exists():
        _build(["mvn", "-q", "-B", "dependency:build-classpath", f"-Dmdep.outputFile={found}.part"], build)
        Path(f"{found}.part").rename(found)
    return found.read_text().strip()


def java_own(server: Served, folder: Path) -> Command:
    """A Java client generated from protos/ by protoc and its plug-in for gRPC, which Maven fetches."""
    google = _java_classpath()  # what Google's clients need, it needs too
    if shutil.which("protoc") is None:
        raise Missing("no protoc on this machine")
    build = _build_folder("java-own", HERE / "java", _PROTOS)
    classes = build / "classes"
    if not classes.exists():
        plugin = f"io.grpc:protoc-gen-grpc-java:{_PROTOC_GEN_GRPC_JAVA}:exe:linux-x86_64"
        copy = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={plugin}", f"-DoutputDirectory={build}"]
        _build([*copy, "-Dmdep.stripVersion=true"], build)
        found = next(build.glob("protoc-gen-grpc-java*.exe"))
        found.chmod(0o755)
        common, renamed = _google_protos(build)
        files = sorted((_PROTOS / "reprise" / "v1").glob("*.proto"))
        sources = build / "generated"
        sources.mkdir(exist_ok=True)
        _build(
            [
                "protoc",
                *(f"-I{path}" for path in (_PROTOS, renamed, common)),
                f"--plugin=protoc-gen-grpc-java={found}",
                f"--java_out={sources}",
                f"--grpc-java_out={sources}",
                *(str(path.relative_to(_PROTOS)) for path in files),
            ],
            build,
        )
        generated = [str(path) for path in sorted(sources.rglob("*.java"))]
        _build(["javac", "-nowarn", "-cp", google, "-d", "classes.part", *generated], build)
        (build / "classes.part").rename(classes)
    path = f"{classes}{os.pathsep}{google}"
    return Command(["java", "-cp", path, str(HERE / "java" / "Own.java"), *_arguments(server, folder)])


CLIENTS: Mapping[str, Callable[[Served, Path], Command]] = {
    "Python gRPC": python_grpc,
    "Python REST": python_rest,
    "GAPIC v1 gRPC": _gapic("v1", "grpc"),
    "GAPIC v1 REST": _gapic("v1", "rest"),
    "GAPIC v1beta1 gRPC": _gapic("v1beta1", "grpc"),
    "GAPIC v1beta1 REST": _gapic("v1beta1", "rest"),
    "Python own": python_own,
    "Node v1": _node("v1"),
    "Node v1beta1": _node("v1beta1"),
    "Go v1": _go("v1"),
    "Go v1beta1": _go("v1beta1"),
    "Java v1": _java("v1"),
    "Java v1beta1": _java("v1beta1"),
    "Java own": java_own,
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
