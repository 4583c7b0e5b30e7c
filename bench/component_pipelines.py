"""The pipelines of bench/components.py, and what `kfp.local` takes for them: a program that KFP's own interpreter runs.

    python bench/component_pipelines.py compile FOLDER TASKS    # writes fan-out.yaml and chain.yaml
    python bench/component_pipelines.py run fan-out|chain TASKS # prints the seconds that kfp.local takes

KFP reads the annotations of components as objects, so they may not be made texts here.
"""

import contextlib
import io
import logging
import sys
import tempfile
import time
from pathlib import Path

from kfp import compiler, dsl, local


# Without its pip line: what is compared is how a component is run, not how pip finds that there is nothing to do.
@dsl.component(install_kfp_package=False, base_image="python:3.11")
def add(a: int, b: int) -> int:
    return a + b


def fan_out(tasks: int) -> object:
    """Tasks that depend on nothing."""

    @dsl.pipeline(name="fan-out")
    def pipeline():  # type: ignore[no-untyped-def]
        for number in range(tasks):
            add(a=number, b=1).set_caching_options(False)

    return pipeline


def chain(tasks: int) -> object:
    """Tasks each of which takes the result of the one before."""

    @dsl.pipeline(name="chain")
    def pipeline():  # type: ignore[no-untyped-def]
        last = add(a=0, b=1).set_caching_options(False)
        for _ in range(tasks - 1):
            last = add(a=last.output, b=1).set_caching_options(False)

    return pipeline


SHAPES = {"fan-out": fan_out, "chain": chain}


def run(shape: str, tasks: int) -> float:
    """Seconds that kfp.local takes, each component in a process of its own, in this interpreter's environment."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=folder)
        pipeline = SHAPES[shape](tasks)
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            pipeline()  # type: ignore[operator]
        return time.perf_counter() - began


def main() -> None:
    match sys.argv[1:]:
        case ["compile", folder, tasks]:
            for name, shape in SHAPES.items():
                compiler.Compiler().compile(shape(int(tasks)), str(Path(folder) / f"{name}.yaml"))
        case ["run", shape, tasks]:
            print(run(shape, int(tasks)))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
