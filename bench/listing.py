"""What a page of a list costs when a million runs are stored, for each way to filter and order them.

    python bench/listing.py [--runs 1000000] [--data-dir DIR]

The runs are put in by bulk inserts, into a store that the store's own code has made; then each query is asked through
`Store.list_runs`, `--rounds` times in alternation: median, min and max of a page of 100. Says which medians are above
50 ms, and ends with 1 if any is. The last lines are what an insert costs: creating runs in the full store and in an
empty one.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from reprise.domain.names import Parent, RunName
from reprise.domain.run import ListQuery, NewRun
from reprise.store.open import open_store
from reprise.store.sql import SqlStore

PARENT = Parent("bench", "here")
T0 = 1_700_000_000_000_000_000
STEP_NS = 60_000_000_000
GOAL_MS = 50.0
TEAMS = 500

QUERIES = [
    ("", ""),
    ('display_name="training 123456"', ""),
    ('display_name="training 1234*"', ""),
    ('display_name="*99999*"', ""),
    ('display_name:"no such text"', ""),
    ("state=FAILED", ""),
    ("state=RUNNING", ""),
    ("state=CANCELLED OR state=RUNNING", ""),
    ("NOT state=SUCCEEDED", ""),
    ('pipeline_name="pipeline-7"', ""),
    ('pipeline_name="pipeline-*"', ""),
    ('template_uri="https://host/rare"', ""),
    ("labels.team=t7", ""),
    ("labels.team:*", ""),
    ("labels.none:*", ""),
    ("labels.owner=common", ""),
    ("labels.team=t7 AND state=FAILED", ""),
    ("labels.owner=common AND NOT state=SUCCEEDED", ""),
    ("labels.team=t7 OR labels.team=t8", ""),
    ('create_time<"2023-11-20T00:00:00Z"', ""),
    ('create_time>"2023-12-01T00:00:00Z" AND create_time<"2023-12-02T00:00:00Z" AND state=FAILED', ""),
    ('end_time>"2025-10-01T00:00:00Z"', ""),
    ('update_time<"2023-11-15T00:00:00Z"', ""),
    ("", "create_time"),
    ("", "display_name"),
    ("", "update_time desc"),
    ("state=FAILED", "end_time desc"),
    ("labels.team=t7", "update_time desc"),
    ("labels.team=t7", "display_name"),
]


def rows(count: int) -> Iterator[tuple[object, ...]]:
    generator = random.Random(5)
    for number in range(count):
        created = T0 + number * STEP_NS
        is_active = number >= count - 200
        state = 3 if is_active else generator.choices((4, 5, 7), (90, 9, 1))[0]
        labels = {"team": f"t{generator.randrange(TEAMS)}", "owner": "common"}
        yield (
            number + 1,
            f"run-{number}",
            state,
            f"training {number}",
            f"pipeline-{generator.randrange(50)}",
            json.dumps(labels),
            "https://host/rare" if number % 100_000 == 0 else "",
            created,
            created if is_active else created + 30_000_000_000,
            0 if is_active else created + 30_000_000_000,
            labels,
        )


def fill(path: Path, count: int) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA foreign_keys=OFF")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-400000")
    connection.execute("BEGIN")
    [(digest,)] = connection.execute("SELECT digest FROM blobs LIMIT 1")
    run = (
        "INSERT INTO runs VALUES (?,'bench','here',?,?,?,?,?,'[]',?,'',?,?,?,?,NULL,NULL,?,0,'',NULL,NULL,0,'',NULL,"
        "x'',0,'',0,1)"
    )
    batch: list[tuple[object, ...]] = []
    for row in [*rows(count), None]:  # type: ignore[list-item]
        if row is not None:
            batch.append(row)
        if batch and (row is None or len(batch) == 20_000):
            connection.executemany(
                run,
                [
                    (n, job, state, display, name, labels, uri, created, updated, created, ended, digest)
                    for n, job, state, display, name, labels, uri, created, updated, ended, _ in batch
                ],
            )
            connection.executemany(
                "INSERT INTO run_payloads VALUES (?, x'', x'')", [(each[0],) for each in batch]
            )
            connection.executemany(
                "INSERT INTO run_labels VALUES (?, ?, ?, 'bench', 'here', ?)",
                [
                    (each[0], key, value, each[7])
                    for each in batch
                    for key, value in each[10].items()  # type: ignore[attr-defined]
                ],
            )
            batch.clear()
    connection.execute("COMMIT")
    connection.close()


def new_run(parent: Parent) -> NewRun:
    return NewRun(
        name=RunName(parent, f"new-{time.time_ns()}"),
        display_name=f"training {random.randrange(10**6)}",
        pipeline_name="pipeline-3",
        labels={"team": "t1", "owner": "common"},
        header_wire=b"x" * 200,
        spec=b"spec",
        request=b"y" * 300,
        created_ns=time.time_ns(),
    )


def create_ms(store: SqlStore, count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        store.create_run(new_run(PARENT))
    return (time.perf_counter() - begin) / count * 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--data-dir", type=Path, help="kept, and used again when it is there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reprise-listing-") as scratch:
        folder: Path = arguments.data_dir or Path(scratch) / "full"
        is_new = not (folder / "reprise.db").exists()
        store = open_store(folder)
        if is_new:
            store.create_run(new_run(Parent("other", "here")))
            store.close()
            begin = time.perf_counter()
            fill(folder / "reprise.db", arguments.runs)
            print(f"{arguments.runs} runs stored in {time.perf_counter() - begin:.0f} s")
            store = open_store(folder)
        took: dict[tuple[str, str], list[float]] = {query: [] for query in QUERIES}
        found: dict[tuple[str, str], str] = {}
        for _ in range(arguments.rounds):
            for query in QUERIES:
                begin = time.perf_counter()
                page = store.list_runs(ListQuery(PARENT, filter=query[0], order_by=query[1], page_size=100))
                took[query].append((time.perf_counter() - begin) * 1000)
                found[query] = f"{len(page.runs)}{' and more' if page.next_token else ''}"
        print(f"{'median':>8} {'min':>7} {'max':>7}  ms for a page;  filter | order: runs on it")
        slow = []
        for query, times in took.items():
            median = statistics.median(times)
            text = " | ".join(each for each in query if each) or "everything"
            if median > GOAL_MS:
                slow.append(text)
            print(f"{median:8.2f} {min(times):7.2f} {max(times):7.2f}  {text}: {found[query]}")
        print(f"over {GOAL_MS:.0f} ms: {len(slow)} of {len(QUERIES)}")
        for text in slow:
            print(f"  {text}")
        empty = open_store(Path(scratch) / "empty")
        rounds = [(create_ms(store, 50), create_ms(empty, 50)) for _ in range(arguments.rounds)]
        for name, each in zip(("full", "empty"), zip(*rounds, strict=True), strict=True):
            print(
                f"create a run, {name} store: {statistics.median(each):.2f} ms ({min(each):.2f} to {max(each):.2f})"
            )
        empty.close()
        store.close()
    return int(bool(slow))


if __name__ == "__main__":
    sys.exit(main())
