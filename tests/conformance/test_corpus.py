"""Compiled pipelines that nobody here wrote: each ends as its manifest says, and so do its reruns.

In the suite: so many pipelines that every construct is met, with the interpreter of the tests. All of them, each rerun
with each of its tasks asked for: REPRISE_CORPUS_ALL=1; with the packages that some need: `corpus.py`.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from corpus import DEFAULT_CORPUS, Corpus, chosen, rejected, run_one, running_server
from reprise.client import CallError, Client, create_request, parse_pipeline

_FOLDER = Path(os.environ.get("REPRISE_CORPUS", DEFAULT_CORPUS))
_IS_LONG = os.environ.get("REPRISE_CORPUS_ALL") == "1"
_MISSING = not (_FOLDER / "visible" / "manifest.json").is_file()

pytestmark = [
    pytest.mark.skipif(_MISSING, reason="the folder of compiled pipelines (REPRISE_CORPUS) is missing"),
    pytest.mark.skipif(importlib.util.find_spec("kfp") is None, reason="kfp is needed to run components"),
]


def _entries() -> list[dict[str, Any]]:
    """The plain ones; in the short form, for each construct one that shows as many others as possible."""
    if _MISSING:
        return []
    plain = [entry for entry in chosen(Corpus(_FOLDER), (), True) if _IS_LONG or not _waits(entry)]
    if _IS_LONG:
        return plain
    left = {construct for entry in plain for construct in entry["constructs"]}
    covering = []
    while left:
        best = max(plain, key=lambda entry: len(left.intersection(entry["constructs"])))
        covering.append(best)
        left.difference_update(best["constructs"])
    return covering


def _waits(entry: dict[str, Any]) -> bool:
    """It spends its time asleep."""
    return "sleep" in (_FOLDER / "visible" / entry["file"]).read_text()


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus(_FOLDER)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with running_server(tmp_path_factory.mktemp("corpus") / "data", sys.executable, _FOLDER) as client:
        yield client


@pytest.mark.slow
@pytest.mark.parametrize("entry", _entries(), ids=lambda entry: entry["id"])
def test_a_pipeline_ends_as_its_manifest_says_and_so_do_its_reruns(
    entry: dict[str, Any], corpus: Corpus, client: Client
) -> None:
    result = run_one(client.server, corpus, entry, corpus.compare(), is_rerun=True, is_each_asked=_IS_LONG)
    assert result.differences == []


@pytest.mark.parametrize("name", ["kfp__artifact_cache"])
def test_a_second_run_finds_all_in_the_cache(
    name: str, corpus: Corpus, client: Client, tmp_path: Path
) -> None:
    (entry,) = chosen(corpus, (name,), True)
    with Client(client.server, project=f"{entry['id']}-twice".lower()) as caller:
        pipeline = parse_pipeline(corpus.load("visible", entry["file"], tmp_path))
        executed = []
        for _ in range(2):
            request = create_request(pipeline, corpus.arguments(entry, tmp_path), is_cached=True)
            job = caller.wait(caller.create(request).name, 60)
            tasks = caller.get(job.name).job_detail.task_details
            executed.append([task.task_name for task in tasks if task.attempts])
    assert executed[0] and not executed[1]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("visible/kfp__identity.yaml", {"value": 5}),
        ("reject/literal_input.yaml", {"size": "outside of them"}),
    ],
)
def test_create_refuses_what_it_should(
    name: str, arguments: dict[str, Any], corpus: Corpus, client: Client, tmp_path: Path
) -> None:
    kind, _, file = name.partition("/")
    pipeline = parse_pipeline(corpus.load(kind, file, tmp_path))
    with pytest.raises(CallError) as refused:
        client.create(create_request(pipeline, arguments, is_cached=None))
    assert refused.value.code == "INVALID_ARGUMENT"


# Their files hold an `echo` and nothing that could be refused: what they are about is in the cluster they were run on.
_PLAIN_ECHO = {
    "kfp__mounted_cabundle_configmap",
    "kfp__mounted_cabundle_secret",
    "kfp__run_as_user_cache_disabled",
    "kfp__run_as_user_cache_enabled",
}
# They try for minutes to reach a network before they fail.
_TRY_FOR_LONG = {"sample__secret", "sample__sequential"}


def _to_reject() -> list[dict[str, Any]]:
    left_out = _PLAIN_ECHO if _IS_LONG else _PLAIN_ECHO | _TRY_FOR_LONG
    return [] if _MISSING else [entry for entry in Corpus(_FOLDER).to_reject() if entry["id"] not in left_out]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("entry", _to_reject(), ids=lambda entry: entry["id"])
def test_what_no_plain_host_can_run_is_refused_or_fails_with_its_reason(
    entry: dict[str, Any], corpus: Corpus, client: Client
) -> None:
    is_expected, how = rejected(client, corpus, entry, within_s=500)
    assert is_expected, how
