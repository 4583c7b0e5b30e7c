"""Makes the Python modules under server/reprise/pb from the .proto files beside this script.

Guarantee: the output depends only on the .proto files and on the pinned generator; `--check` writes nothing
and fails when the checked-in modules are not what the generator makes now.

Run it with an interpreter that has the pinned tools (they are the oldest that the declared protobuf range
loads):

    python -m venv /tmp/gen && /tmp/gen/bin/pip install grpcio-tools==1.74.0 googleapis-common-protos
    /tmp/gen/bin/python protos/generate.py
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from importlib import metadata
from pathlib import Path

PINNED_TOOLS = "1.74.0"
PROTOS = Path(__file__).resolve().parent
TARGET = PROTOS.parent / "server" / "reprise" / "pb"
# `from reprise.v1 import x_pb2 as ...` in the modules and in their stubs; the .proto packages stay as they
# are.
_OWN_IMPORT = re.compile(r"^(from|import) reprise\.(v1|engine\.v1|wire\.v1)\b", re.MULTILINE)
# The package of common protos has this module under two names; this one does not import grpc.
_OPERATIONS_IMPORT = (
    "from google.longrunning import operations_pb2",
    "from google.longrunning import operations_proto_pb2",
)


def source_files() -> list[str]:
    """The .proto files, relative to their root, in a fixed order."""
    return sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))


def generate() -> dict[str, str]:
    """Each generated file's path below TARGET with its text."""
    import grpc_tools
    from grpc_tools import protoc

    installed = metadata.version("grpcio-tools")
    if installed != PINNED_TOOLS:
        raise SystemExit(f"expected grpcio-tools=={PINNED_TOOLS}, this interpreter has {installed}")
    include = Path(grpc_tools.__file__).parent / "_proto"
    # google/api and google/longrunning come with the package that is the run time's dependency too.
    common = Path(str(metadata.distribution("googleapis-common-protos").locate_file("")))
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory() as renamed:
        # It is registered under the name that the rest of the world imports, but stored under another.
        operations = Path(renamed, "google", "longrunning", "operations.proto")
        operations.parent.mkdir(parents=True)
        operations.write_text((common / "google/longrunning/operations_proto.proto").read_text())
        arguments = [
            "protoc",
            f"-I{PROTOS}",
            f"-I{renamed}",
            f"-I{include}",
            f"-I{common}",
            f"--python_out={scratch}",
            f"--pyi_out={scratch}",
        ]
        if protoc.main([*arguments, *source_files()]) != 0:
            raise SystemExit("protoc failed")
        root = Path(scratch) / "reprise"
        made = {
            str(path.relative_to(root)): _OWN_IMPORT.sub(
                r"\1 reprise.pb.\2", path.read_text().replace(*_OPERATIONS_IMPORT)
            )
            for path in sorted(root.rglob("*_pb2.py*"))
        }
    for folder in {str(parent) for name in made for parent in Path(name).parents}:
        made[str(Path(folder, "__init__.py"))] = '"""Made by protos/generate.py."""\n'
    return made


def stale_files() -> list[str]:
    """What differs between the checked-in modules and what the generator makes."""
    made = generate()
    present = {
        str(path.relative_to(TARGET)) for path in TARGET.rglob("*.py*") if "__pycache__" not in path.parts
    }
    different = {
        name for name, text in made.items() if name in present and (TARGET / name).read_text() != text
    }
    return sorted(different | (present ^ made.keys()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether the modules are current")
    if parser.parse_args().check:
        stale = stale_files()
        for name in stale:
            print(f"not current: {name}", file=sys.stderr)
        return 1 if stale else 0
    made = generate()
    for path in TARGET.rglob("*_pb2.py*"):
        if str(path.relative_to(TARGET)) not in made and "__pycache__" not in path.parts:
            path.unlink()
    for name, text in made.items():
        (TARGET / name).parent.mkdir(parents=True, exist_ok=True)
        (TARGET / name).write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
