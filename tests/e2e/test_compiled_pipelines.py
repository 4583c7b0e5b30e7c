"""The compiled pipelines in the repository are those of the sources beside them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

_ROOT = Path(__file__).parents[2]
_DEMO = _ROOT / "server" / "reprise" / "demo"
_CLIENTS = _ROOT / "tests" / "clients" / "pipelines"
_SOURCES = {
    _DEMO / "pipeline.yaml": (_DEMO / "pipeline.py", "demo_pipeline"),
    _DEMO / "long_pipeline.yaml": (_DEMO / "long_pipeline.py", "long_pipeline"),
    _CLIENTS / "steps.yaml": (_CLIENTS / "compile.py", "steps"),
    _CLIENTS / "waiting.yaml": (_CLIENTS / "compile.py", "waiting"),
}


@pytest.mark.parametrize("compiled", _SOURCES, ids=lambda path: path.stem)
def test_a_compiled_pipeline_is_that_of_its_source(
    compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = pytest.importorskip("kfp.compiler", reason="kfp is needed to compile a pipeline")
    source, name = _SOURCES[compiled]
    spec = importlib.util.spec_from_file_location("source_of_a_pipeline", source)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "source_of_a_pipeline", module)
    spec.loader.exec_module(module)
    compiler.Compiler().compile(getattr(module, name), str(tmp_path / "fresh.yaml"))
    assert _meaning(tmp_path / "fresh.yaml") == _meaning(compiled)


def _meaning(path: Path) -> Any:
    """All but what depends on the version of the compiler: its name, and the preamble that installs it."""
    document = yaml.safe_load(path.read_text())
    del document["sdkVersion"]
    for executor in document["deploymentSpec"]["executors"].values():
        command = executor["container"]["command"]
        if "_KFP_RUNTIME" in str(command):
            executor["container"]["command"] = command[-1:]  # the source of the component
    return document
