"""Pages of runs: what is on them, in which order, and that writes between them do no harm."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from reprise.domain.errors import InvalidArgument
from reprise.domain.names import Parent
from reprise.domain.run import ListQuery, OperationKind, Party, Run
from reprise.domain.states import RunState
from reprise.store import listing, query, walking
from reprise.store.connection import DATABASE
from reprise.store.listing import KEPT, KEPT_NS
from reprise.store.open import open_store
from reprise.store.sql import SqlStore

from .building import PARENT, SECOND, T0, claim, ended_run, job_ids, name_of, new_run
from .looking import Look

ORDERS = [
    "",
    "create_time",
    "create_time desc",
    "display_name",
    "display_name desc",
    "update_time",
    "update_time desc",
    "end_time",
    "end_time desc",
    "display_name desc, create_time",
]


def pages(store: SqlStore, size: int, between: Callable[[], None] = lambda: None, **query: Any) -> list[Run]:
    runs: list[Run] = []
    token = ""
    while True:
        page = store.list_runs(ListQuery(PARENT, page_size=size, page_token=token, **query))
        assert len(page.runs) <= size
        runs.extend(page.runs)
        token = page.next_token
        if not token:
            return runs
        between()


def found(store: SqlStore, text: str, **query: Any) -> set[str]:
    return set(job_ids(store.list_runs(ListQuery(PARENT, filter=text, **query)).runs))


def test_runs_are_listed_newest_first(store: SqlStore) -> None:
    for index in (2, 0, 1):
        store.create_run(new_run(f"run-{index}", created_ns=T0 + index))
    store.create_run(new_run("elsewhere", Parent("other", "here")))
    assert job_ids(pages(store, 10)) == ["run-2", "run-1", "run-0"]


def test_a_listed_run_is_as_it_is_read(store: SqlStore) -> None:
    run = ended_run(store, "one", RunState.FAILED, labels={"a": "b"})
    assert pages(store, 10) == [run]


@pytest.mark.parametrize("order_by", ORDERS)
@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_pages_make_up_the_whole_in_its_order(store: SqlStore, order_by: str, size: int) -> None:
    generator = random.Random(7)
    for index in range(12):
        # Equal times and names too.
        create_ns = T0 + generator.randrange(4) * SECOND
        ended_run(store, f"run-{index}", display_name=generator.choice("abAB"), created_ns=create_ns)
    runs = pages(store, size, order_by=order_by)
    assert len({run.id for run in runs}) == len(runs) == 12
    keys: dict[str, Callable[[Run], Any]] = {
        "create_time": lambda run: run.created_ns,
        "display_name": lambda run: run.display_name,
        "update_time": lambda run: run.updated_ns,
        "end_time": lambda run: run.ended_ns,
    }
    field, *direction = (order_by or "create_time desc").split(",")[0].split()
    assert runs == sorted(runs, key=keys[field], reverse=direction == ["desc"]) or [
        keys[field](run) for run in runs
    ] == sorted(map(keys[field], runs), reverse=direction == ["desc"])


@pytest.mark.parametrize("order_by", ORDERS)
def test_writes_between_pages_neither_repeat_nor_hide_a_run(store: SqlStore, order_by: str) -> None:
    there_all_the_while = set()
    for index in range(30):
        run, _ = store.create_run(new_run(f"run-{index}", display_name=f"{index:02}", created_ns=T0 + index))
        there_all_the_while.add(run.name.job_id)
    for index in range(0, 30, 3):
        ended_run(store, f"doomed-{index}", display_name=f"{index:02}", created_ns=T0 + index)
    generator = random.Random(3)
    made = iter(range(1000))

    def write() -> None:
        number = next(made)
        store.create_run(new_run(f"new-{number}", display_name=f"{number:02}", created_ns=T0 + number))
        for job_id in generator.sample(sorted(there_all_the_while), 3):
            # Moves the run to the other end of the order by update, and by end.
            store.request_cancel(name_of(job_id), T0 + (100 + number) * SECOND)
        if number < 10:
            doomed = [name_of(f"doomed-{number * 3}")]
            store.delete_runs(PARENT, doomed, OperationKind.DELETE, Party.REPRISE, T0)

    listed = job_ids(pages(store, 4, write, order_by=order_by))
    assert len(listed) == len(set(listed))
    assert there_all_the_while <= set(listed)


def test_a_token_survives_a_restart(reopen: Callable[[], SqlStore]) -> None:
    store = reopen()
    for index in range(3):
        store.create_run(new_run(f"run-{index}", created_ns=T0 + index))
    for order_by in ("", "update_time"):
        first = store.list_runs(ListQuery(PARENT, order_by=order_by, page_size=2))
        store = reopen()
        second = store.list_runs(
            ListQuery(PARENT, order_by=order_by, page_size=2, page_token=first.next_token)
        )
        assert len({*job_ids(first.runs), *job_ids(second.runs)}) == 3


def test_orders_are_kept_for_later_pages_but_not_without_end(store: SqlStore, look: Look) -> None:
    for index in range(3):
        store.create_run(new_run(f"run-{index}"))
    query = ListQuery(PARENT, order_by="update_time", page_size=1)
    first = store.list_runs(query).next_token
    for _ in range(KEPT + 1):
        last = store.list_runs(query).next_token
    assert look.rows("SELECT count(*) FROM listings") == [(KEPT + 1,)]
    assert store.list_runs(replace(query, page_token=last)).runs
    with pytest.raises(InvalidArgument):
        store.list_runs(replace(query, page_token=first))


def test_an_order_is_kept_for_a_day(tmp_path: Path) -> None:
    now_ns = [T0]
    store = open_store(tmp_path / "clock", now_ns=lambda: now_ns[0])
    for index in range(3):
        store.create_run(new_run(f"run-{index}"))
    query = ListQuery(PARENT, order_by="update_time", page_size=1)
    token = store.list_runs(query).next_token
    now_ns[0] += KEPT_NS
    store.list_runs(query)
    assert store.list_runs(replace(query, page_token=token)).runs
    now_ns[0] += 1
    store.list_runs(query)
    with pytest.raises(InvalidArgument):
        store.list_runs(replace(query, page_token=token))
    store.close()


@pytest.mark.parametrize("order_by", ["", "update_time"])
def test_a_token_is_bound_to_its_query(store: SqlStore, order_by: str) -> None:
    for index in range(3):
        store.create_run(new_run(f"run-{index}"))
    token = store.list_runs(ListQuery(PARENT, order_by=order_by, page_size=1)).next_token
    for other in (
        ListQuery(Parent("other", "here"), order_by=order_by, page_token=token),
        ListQuery(PARENT, filter="state=RUNNING", order_by=order_by, page_token=token),
        ListQuery(PARENT, order_by="end_time", page_token=token),
    ):
        with pytest.raises(InvalidArgument) as refused:
            store.list_runs(other)
        assert refused.value.problems[0].field == "page_token"


def test_a_token_that_somebody_made_up_opens_nothing(store: SqlStore) -> None:
    for index in range(3):
        store.create_run(new_run(f"run-{index}"))
    token = store.list_runs(ListQuery(PARENT, order_by="update_time", page_size=1)).next_token
    digest, kind, listing_id, *key = json.loads(base64.urlsafe_b64decode(token))
    other = store.list_runs(ListQuery(Parent("other", "here"), page_size=1))
    assert other.next_token == ""
    mine = store.list_runs(ListQuery(PARENT, filter="labels.a=b", order_by="update_time", page_size=1))
    assert mine.next_token == ""
    contents: list[Any] = [
        [digest],
        [digest, kind, listing_id + 1, *key],
        [digest, kind, listing_id, key[0]],
        [digest, kind, listing_id, *key, 1],
        [digest, kind, listing_id, "x", key[1]],
        [digest, kind, listing_id, True, key[1]],
        [digest, kind, 2**70, *key],
        [digest, kind, None, *key],
        [digest, "kept", listing_id, 0],
        [digest, "after", T0, 1],
        [digest, "after", [], 1],
        [digest, "after", T0, 2**70],
        [digest, "after", True, {}],
        [digest, "after", "\ud800", 1],
        {},
        None,
    ]
    for content in contents:
        made_up = base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
        with pytest.raises(InvalidArgument):
            store.list_runs(ListQuery(PARENT, order_by="update_time", page_token=made_up))
    for order_by, value in (("", "x"), ("display_name", 1), ("display_name", "\ud800")):
        page = store.list_runs(ListQuery(PARENT, order_by=order_by, page_size=1))
        digest = json.loads(base64.urlsafe_b64decode(page.next_token))[0]
        made_up = base64.urlsafe_b64encode(json.dumps([digest, "after", value, 1]).encode()).decode()
        with pytest.raises(InvalidArgument):
            store.list_runs(ListQuery(PARENT, order_by=order_by, page_token=made_up))
    for text in ("x", "é", "[" * 100_000, base64.urlsafe_b64encode(b"[" * 100_000).decode()):
        with pytest.raises(InvalidArgument):
            store.list_runs(ListQuery(PARENT, order_by="update_time", page_token=text))


@pytest.mark.parametrize(
    "order_by", ["state", "create_time up", "end_time desc desc", ",", "end_time,end_time"]
)
def test_a_wrong_order_is_refused(store: SqlStore, order_by: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        store.list_runs(ListQuery(PARENT, order_by=order_by))
    assert refused.value.problems[0].field == "order_by"


@pytest.fixture
def filled(store: SqlStore) -> SqlStore:
    ended_run(store, "alpha", display_name="Train 100% model_a", labels={"team": "red", "x": "1"})
    ended_run(store, "beta", RunState.FAILED, pipeline_name="other", created_ns=T0 + 3600 * SECOND)
    half_past = T0 + SECOND // 2
    store.create_run(new_run("gamma", display_name="gamma/*", labels={"team": "blue"}, created_ns=half_past))
    store.create_run(new_run("delta", template_uri="https://host/a/b", schedule_name="nightly"))
    claim(store, "delta").begin()
    return store


ALL = {"alpha", "beta", "gamma", "delta"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ALL),
        ('display_name="Train 100% model_a"', {"alpha"}),
        ('display_name="train 100% model_a"', set()),
        ('display_name="*100%*"', {"alpha"}),
        ('display_name="*100_*"', set()),
        ('display_name="Train*_a"', {"alpha"}),
        ('display_name:"odel"', {"alpha"}),
        ('display_name:"*odel*"', {"alpha"}),
        ('display_name:"odel*"', set()),
        (r'display_name="gamma/\*"', {"gamma"}),
        ('display_name!="display*"', {"alpha", "gamma"}),
        ('display_name>"display"', {"beta", "delta", "gamma"}),
        ("pipeline_name=other", {"beta"}),
        ("pipeline_name!=other", {"alpha", "gamma", "delta"}),
        ("labels.team=red", {"alpha"}),
        ("labels.team:*", {"alpha", "gamma"}),
        ("labels:team", {"alpha", "gamma"}),
        ("labels:t*", {"alpha", "gamma"}),
        ("labels:*", ALL),
        ("NOT labels:*", set()),
        ("NOT state=PIPELINE_STATE_PAUSED", ALL),
        ("labels.team!=red", {"beta", "gamma", "delta"}),
        ("NOT labels.team:*", {"beta", "delta"}),
        ("labels.team=r* AND labels.x=1", {"alpha"}),
        ("labels.team=red OR labels.team=blue", {"alpha", "gamma"}),
        ("state=PIPELINE_STATE_SUCCEEDED", {"alpha"}),
        ('state="FAILED"', {"beta"}),
        ("state=4", {"alpha"}),
        ("state=PIPELINE_STATE_PAUSED", set()),
        ("state!=PIPELINE_STATE_FAILED", {"alpha", "gamma", "delta"}),
        ("state=RUNNING OR state=PENDING", {"gamma", "delta"}),
        ("template_uri=https\\://host/*", {"delta"}),
        ('template_uri="https://host/*"', {"delta"}),
        ("schedule_name=nightly", {"delta"}),
        ("pipeline_job_user_id=alpha", {"alpha"}),
        ('create_time>"2027-01-15T08:00:00Z"', {"beta", "gamma"}),
        ("create_time>2027-01-15T08:00:00.5Z", {"beta"}),
        ("create_time>=2027-01-15T08:00:00.5Z", {"beta", "gamma"}),
        ("create_time=2027-01-15T08:00:00.500Z", {"gamma"}),
        ("create_time>=2027-01-15T10:00:00+01:00", {"beta"}),
        ('create_time>="2027-01-15" create_time<"2027-01-15T08:30:00Z"', {"alpha", "gamma", "delta"}),
        ("end_time>2020-01-01", {"alpha", "beta"}),
        ("end_time<2099-01-01", {"alpha", "beta"}),
        ("NOT end_time<2099-01-01", {"gamma", "delta"}),
        ("end_time:*", {"alpha", "beta"}),
        ("update_time<2099-01-01", ALL),
        ("NOT state=FAILED AND -labels.team=red", {"gamma", "delta"}),
        ("labels.team=red AND (state=FAILED OR state=SUCCEEDED)", {"alpha"}),
    ],
)
def test_a_filter_finds(filled: SqlStore, text: str, expected: set[str]) -> None:
    assert found(filled, text) == expected
    assert found(filled, text, order_by="end_time") == expected


def test_a_field_may_have_other_names(filled: SqlStore) -> None:
    assert found(filled, "displayName=gamma*", aliases={"displayName": "display_name"}) == {"gamma"}


def test_a_page_is_never_larger_than_the_limit_nor_empty_by_request(store: SqlStore) -> None:
    store.create_run(new_run("one"))
    for size in (-1, 0, 10**9):
        assert job_ids(store.list_runs(ListQuery(PARENT, page_size=size)).runs) == ["one"]


_FILTERS = [
    'display_name="a"',
    'display_name="a" AND state=FAILED',
    'display_name="a" OR display_name="b"',
    "state=FAILED OR state=CANCELLED OR state=SUCCEEDED",
    "labels.team=red",
    "labels.team=red AND labels.team=blue",
    "(labels.team=red OR labels.team=blue) state=SUCCEEDED",
    "labels.team=red OR state=FAILED OR pipeline_name=other",
    "NOT labels.team=red",
    'display_name="a*"',
    'display_name>"a" AND display_name<="b"',
    'pipeline_name:"oth*" labels.team:*',
    "template_uri=t",
    'template_uri=""',
    "schedule_name=s AND NOT state=FAILED",
    "pipeline_job_user_id=run-7",
    "create_time>=2027-01-15T08:00:03Z AND create_time<2027-01-15T08:00:09Z",
    "create_time>2027-01-15T08:00:03Z AND labels.team=red",
    "end_time>2020-01-01 AND end_time<2020-01-02",
    "update_time>=2027-01-15T08:00:00Z AND state=PENDING",
]


@pytest.mark.parametrize("order_by", ["", "create_time", "display_name desc", "update_time"])
def test_whichever_way_leads_to_them_a_filter_finds_the_same_runs_in_the_same_order(
    store: SqlStore, order_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = random.Random(11)
    for index in range(40):
        values: dict[str, Any] = {
            "display_name": generator.choice(["a", "b", "ab", "c"]),
            "pipeline_name": generator.choice(["pipeline", "other"]),
            "labels": {"team": generator.choice(["red", "blue"])} if index % 3 else {},
            "created_ns": T0 + generator.randrange(12) * SECOND,
            "template_uri": generator.choice(["", "t"]),
            "schedule_name": generator.choice(["", "s"]),
        }
        if index % 4:
            state = generator.choice([RunState.SUCCEEDED, RunState.FAILED])
            ended_run(store, f"run-{index}", state, **values)
        else:
            store.create_run(new_run(f"run-{index}", **values))
    everything = pages(store, 100, order_by=order_by)
    for text in _FILTERS:
        narrowed = pages(store, 3, filter=text, order_by=order_by)
        with monkeypatch.context() as patch:
            patch.setattr(query, "ways", lambda *_: [])
            listing._query.cache_clear()
            plain = pages(store, 100, filter=text, order_by=order_by)
        listing._query.cache_clear()
        assert narrowed == plain
        # Nothing is asked of the narrowing that the filter itself would not say: the order is that of all runs.
        assert narrowed == [run for run in everything if run in plain]


def test_a_filter_that_few_of_many_runs_pass_makes_short_pages_that_lead_to_all_of_them(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "_LONGEST_SEARCH_S", 0.0)  # each page looks at one window
    for index in range(60):
        store.create_run(new_run(f"run-{index}", display_name=f"{index:02}", created_ns=T0 + index))
    calls = []
    found = pages(store, 5, lambda: calls.append(1), filter='display_name:"*7"')
    assert job_ids(found) == [f"run-{number}" for number in (57, 47, 37, 27, 17, 7)]
    assert len(calls) >= 3


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("state=FAILED", "ix_runs_state"),
        ('display_name="x"', "ix_runs_display_name"),
        ('display_name="x*"', "ix_runs_display_name"),
        ('display_name:"x*"', "ix_runs_display_name"),
        ('pipeline_name="x"', "ix_runs_pipeline_name"),
        ("template_uri=x", "ix_runs_template_uri"),
        ("schedule_name=x", "ix_runs_schedule_name"),
        ("labels.k=v", "ix_run_labels_value"),
        ("update_time>2026-01-01", "ix_runs_updated"),
        ("start_time>2026-01-01", "ix_runs_started"),
        ("end_time>2026-01-01 AND end_time<2026-01-02", "ix_runs_ended"),
        ("pipeline_job_user_id=x", "sqlite_autoindex_runs_1"),
    ],
)
def test_each_field_has_an_index_that_leads_in_the_order_of_creation(
    store: SqlStore, look: Look, text: str, index: str
) -> None:
    asked = listing._query(text, "", ())
    [way] = asked.ways
    statements = [each for pair in asked.built.statements(way) for each in pair] if way.is_ordered else []
    for statement in [*statements, *way.counts, *way.all_keys]:
        form = statement.form(DATABASE)
        values = tuple("x" if name in ("project", "location") else 1 for name in statement.names)
        plan = look.plan(form.sql, form.bind(values))
        assert any(f"{index} (" in step and step.startswith("SEARCH") for step in plan), plan
        if statement in statements and "autoindex" not in index:
            assert not any("TEMP B-TREE" in step for step in plan), plan


@pytest.mark.parametrize("order_by", ["", "display_name", "update_time desc", "end_time"])
def test_each_order_by_one_field_is_read_from_an_index(store: SqlStore, look: Look, order_by: str) -> None:
    for statement in listing._query("", order_by, ()).whole:
        sql = statement.form(DATABASE).sql
        plan = look.plan(sql, (1,) * sql.count("?"))
        assert all(step.startswith("SEARCH") for step in plan), plan
