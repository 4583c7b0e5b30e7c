"""Makes the modules of `store.prepared` from those beside this one.

Guarantee: the output depends only on the definitions and on the release of SQLAlchemy; `--check` writes nothing, and
fails when what is checked in is not what is made now.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from reprise.store import definitions
from reprise.store.construct import DIALECTS, Construct
from reprise.store.statement import Form, LargeColumn

TARGET = Path(__file__).parent.parent / "prepared"
_HEAD = '"""Made by `python -m reprise.store.definitions`."""\n'


def generate() -> dict[str, str]:
    """The text of each module, by its file's name."""
    made = {"__init__.py": _HEAD}
    for found in pkgutil.iter_modules(definitions.__path__):
        module = importlib.import_module(f"{definitions.__name__}.{found.name}")
        lines = list(_assignments(module))
        if lines:
            used = [
                name
                for name in ("Form", "LargeColumn", "Statement")
                if any(f"{name}(" in line for line in lines)
            ]
            imports = f"from reprise.store.statement import {', '.join(used)}\n"
            made[f"{found.name}.py"] = "\n".join([_HEAD, imports, *lines])
    return made


def stale_files() -> list[str]:
    """What differs between the modules that are checked in and what is made now."""
    made = generate()
    present = {path.name: path.read_text() for path in TARGET.glob("*.py")}
    return sorted(name for name in made.keys() | present.keys() if made.get(name) != present.get(name))


def _assignments(module: ModuleType) -> Iterator[str]:
    for name, value in vars(module).items():
        if name.startswith("_"):
            continue
        if isinstance(value, LargeColumn):
            yield f"{name} = {value!r}\n"
        elif isinstance(value, Construct):
            forms = "".join(f"    {database}={_form(value.form(database))},\n" for database in DIALECTS)
            yield f"{name} = Statement(\n{forms})\n"


def _form(form: Form) -> str:
    lines = "".join(f"        {line!r}\n" for line in form.sql.splitlines(keepends=True))
    rest = "" if form.places is None else f"        , {form.places!r}, {form.constants!r}\n"
    return f"Form(\n{lines}{rest}    )"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether the modules are current")
    if parser.parse_args().check:
        stale = stale_files()
        for name in stale:
            print(f"not current: {name}", file=sys.stderr)
        return 1 if stale else 0
    for name in stale_files():
        (TARGET / name).unlink(missing_ok=True)
    for name, text in generate().items():
        (TARGET / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
