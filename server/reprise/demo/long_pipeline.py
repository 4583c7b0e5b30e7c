"""The pipeline that `reprise demo` cancels: a task that waits, with a child that has left its session.

Compiled by `python -m reprise.demo.long_pipeline` into long_pipeline.yaml.
"""

# No `from __future__ import annotations`: kfp reads the annotations as objects.

from pathlib import Path

from kfp import compiler, dsl


@dsl.component(base_image="python:3.12")
def wait_with_child(seconds: int, marker: str) -> str:
    """`marker` stands in the command line of every process, so that one can look for them from outside."""
    import signal
    import subprocess
    import sys
    import time

    # A child of another session that ignores SIGTERM: no signal to the task's process group ever reaches it.
    program = f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep({seconds})"
    child = subprocess.Popen([sys.executable, "-c", program, marker], start_new_session=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"waiting {seconds} s, with a child", flush=True)
    time.sleep(seconds)
    child.kill()
    return marker


@dsl.component(base_image="python:3.12")
def never_reached(marker: str):
    print(f"nobody cancelled {marker}")


@dsl.pipeline(name="reprise-demo-long", description="Waits, to be cancelled.")
def long_pipeline(marker: str, seconds: int = 600):
    waiting = wait_with_child(seconds=seconds, marker=marker).set_caching_options(False)
    never_reached(marker=waiting.output)


if __name__ == "__main__":
    compiler.Compiler().compile(long_pipeline, str(Path(__file__).with_name("long_pipeline.yaml")))
