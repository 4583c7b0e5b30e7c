"""Runs the same pipelines by kfp.local, the nearest open peer, and counts by construct what ends as the manifest says.

    python tests/conformance/kfp_local.py --task-python PATH

Lenient: of kfp.local only the end of the run and its output parameters are compared, since that is what it tells; a
task that it leaves out by mistake goes unseen unless an output hangs on it. It runs by its SubprocessRunner without
environments of its own, in the interpreter that is given (with kfp in it), one process for each pipeline.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_ONE = """
import json, sys
from kfp import components, dsl, local
text, arguments, inputs = json.load(open(sys.argv[1]))
local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[2], raise_on_error=True)
pipeline = components.load_component_from_text(text)
for name, uri in inputs.items():
    arguments[name] = dsl.Artifact(name=name, uri=uri)
task = pipeline(**arguments)
outputs = {name: value for name, value in task.outputs.items() if not isinstance(value, (dsl.Artifact, list))
           or isinstance(value, list) and not any(isinstance(item, dsl.Artifact) for item in value)}
json.dump(outputs, open(sys.argv[3], "w"))
"""
SEED = "1"


def difference(corpus: Path, entry: dict[str, Any], match: Any, python: str, within_s: float) -> str:
    """ "" where the run ends as it should."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)

        def filled(text: str) -> str:
            return text.replace("__DATA__", str(corpus / "data")).replace("__TMP__", folder)

        inputs = {}
        for name, text in entry["input_artifacts_text"].items():
            (scratch / name).write_text(text)
            inputs[name] = str(scratch / name)
        text = filled((corpus / "visible" / entry["file"]).read_text())
        arguments = json.loads(filled(json.dumps(entry["args"])))
        (scratch / "job.json").write_text(json.dumps([text, arguments, inputs]))
        process = subprocess.Popen(
            [python, "-c", _ONE, str(scratch / "job.json"), f"{folder}/root", f"{folder}/outputs.json"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=folder,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(corpus / "tools" / "shim"), "KFP_CORPUS_SEED": SEED},
        )
        try:
            _, stderr = process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return f"not within {within_s:g} s"
        expected = entry["expected"]
        expected = expected["by_seed"][SEED] if "by_seed" in expected else expected
        state = "SUCCEEDED" if process.returncode == 0 else "FAILED"
        if state != expected["run_state"]:
            last = stderr.decode(errors="replace").strip().splitlines()[-1:] or [""]
            return f"run: want {expected['run_state']} got {state}: {last[0][:200]}"
        if state == "FAILED":
            return ""
        outputs = json.loads((scratch / "outputs.json").read_text())
        wanted = expected["outputs"] or {}
        wrong = [name for name, value in wanted.items() if not match(value, outputs.get(name))]
        return f"outputs: want {wanted} got {outputs}" if wrong else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parents[3] / "shared" / "corpus"
    parser.add_argument("--corpus", type=Path, default=default)
    parser.add_argument("--task-python", default=sys.executable)
    parser.add_argument("--within", type=float, default=120.0, metavar="SECONDS", help="for each pipeline")
    parser.add_argument("--at-once", type=int, default=2)
    options = parser.parse_args()
    sys.path.insert(0, str(options.corpus / "tools"))
    from compare import match

    entries = json.loads((options.corpus / "visible" / "manifest.json").read_text())
    entries = [entry for entry in entries if not entry["runtime"].startswith("kfp==")]
    total: Counter[str] = Counter()
    passed: Counter[str] = Counter()

    def run(entry: dict[str, Any]) -> tuple[dict[str, Any], str]:
        return entry, difference(options.corpus, entry, match, options.task_python, options.within)

    with ThreadPoolExecutor(options.at_once) as pool:
        for entry, wrong in pool.map(run, entries):
            print("FAIL" if wrong else "pass", entry["id"], wrong, flush=True)
            for construct in [*entry["constructs"], "(all)"]:
                total[construct] += 1
                passed[construct] += not wrong
    print("| construct | kfp.local | pipelines |\n|---|---|---|")
    for name, count in sorted(total.items()):
        print(f"| {name} | {passed[name]} | {count} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
