"""The pipelines that the client tests submit: plain container commands, nothing from PyPI.

`python tests/clients/pipelines/compile.py` writes the YAML files beside it (kfp 2.17).
"""

# No `from __future__ import annotations`: kfp reads the annotations as objects.

from pathlib import Path

from kfp import compiler, dsl

_IMAGE = "python:3.12"

# Every task first writes its name to the ledger: what really ran is read there, not in what the server says.
_NOTE = "import json, os, sys, time; open(sys.argv[1], 'a').write(sys.argv[2] + '\\n'); a = sys.argv[3:]; "


@dsl.container_component
def prepare(ledger: str, text: str, data: dsl.Output[dsl.Dataset], length: dsl.OutputPath(int)):
    program = _NOTE + "open(a[1], 'w').write(a[0] * 3); open(a[2], 'w').write(str(len(a[0])))"
    return dsl.ContainerSpec(
        image=_IMAGE, command=["python3", "-c", program], args=[ledger, "prepare", text, data.path, length]
    )


@dsl.container_component
def multiply(ledger: str, number: int, factor: int, product: dsl.OutputPath(int)):
    program = _NOTE + "open(a[2], 'w').write(str(int(a[0]) * int(a[1])))"
    return dsl.ContainerSpec(
        image=_IMAGE, command=["python3", "-c", program], args=[ledger, "multiply", number, factor, product]
    )


@dsl.container_component
def check(ledger: str, product: int, limit: int):
    program = _NOTE + "int(a[0]) > int(a[1]) and sys.exit(f'{a[0]} is over the limit of {a[1]}')"
    return dsl.ContainerSpec(
        image=_IMAGE, command=["python3", "-c", program], args=[ledger, "check", product, limit]
    )


@dsl.container_component
def publish(ledger: str, data: dsl.Input[dsl.Dataset], product: int, page: dsl.Output[dsl.HTML]):
    program = _NOTE + "open(a[2], 'w').write(open(a[0]).read() + a[1])"
    return dsl.ContainerSpec(
        image=_IMAGE,
        command=["python3", "-c", program],
        args=[ledger, "publish", data.path, product, page.path],
    )


@dsl.container_component
def wait(ledger: str, seconds: float, done: dsl.OutputPath(str)):
    program = _NOTE + "print('it waits', flush=True); time.sleep(float(a[0])); "
    program += "open(a[1], 'w').write('waited'); print('it has waited')"
    return dsl.ContainerSpec(
        image=_IMAGE, command=["python3", "-c", program], args=[ledger, "wait", seconds, done]
    )


@dsl.pipeline(name="client-steps", description="Fails when the product is over the limit.")
def steps(ledger: str, text: str = "reprise", factor: int = 2, limit: int = 10):
    prepared = prepare(ledger=ledger, text=text)
    product = multiply(ledger=ledger, number=prepared.outputs["length"], factor=factor)
    checked = check(ledger=ledger, product=product.outputs["product"], limit=limit)
    publish(ledger=ledger, data=prepared.outputs["data"], product=product.outputs["product"]).after(checked)


@dsl.pipeline(name="client-waiting", description="Waits between two steps.")
def waiting(ledger: str, seconds: float = 600.0, text: str = "reprise"):
    prepared = prepare(ledger=ledger, text=text)
    waited = wait(ledger=ledger, seconds=seconds).after(prepared)
    multiply(ledger=ledger, number=prepared.outputs["length"], factor=3).after(waited)


if __name__ == "__main__":
    for pipeline in (steps, waiting):
        compiler.Compiler().compile(
            pipeline, str(Path(__file__).with_name(f"{pipeline.name.split('-')[1]}.yaml"))
        )
