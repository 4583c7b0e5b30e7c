"""What a cache key costs (P3): from the protobuf bytes of a task's parameters to the SHA-256 of their canonical text.

    pip install '.[bench]' && python bench/cache_keys.py [--keys 20000] [--rounds 7]

Every side starts from the same bytes, a google.protobuf.Value for each key, and must come to the same digests first:

- the core (core_rs/benches/keys.rs, built by this command with cargo): bytes to canonical text to SHA-256;
- Python: upb parses, the message becomes a dict with whole numbers as integers, orjson sorts and writes, hashlib
  hashes;
- the same without the first half: orjson and hashlib over dicts that exist already, which a server that gets its
  parameters as protobuf never has.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import statistics
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson
from google.protobuf import json_format, struct_pb2

MANIFEST = Path(__file__).parent.parent / "core_rs" / "Cargo.toml"


def parameters(dice: random.Random) -> dict[str, Any]:
    """About 400 bytes of what tasks are given."""
    return {
        "learning_rate": dice.uniform(0.001, 1),  # smaller ones have a text of their own in each JSON writer
        "epochs": dice.randrange(1000),
        "dataset": f"gs://bucket/datasets/2026-01-{dice.randrange(10, 30)}/train-{dice.randrange(10**6)}.csv",
        "is_verbose": dice.random() < 0.5,
        "columns": ["age", "income", "region", f"target-{dice.randrange(100)}"],
        "options": {"seed": dice.randrange(100), "depth": 6, "gamma": 0.5, "note": 'as "before", é'},
        "label": f"batch {dice.randrange(10**6)} of the nightly run",
    }


def plain(value: struct_pb2.Value) -> Any:
    """What json would have read: whole numbers are integers."""
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return {key: plain(item) for key, item in value.struct_value.fields.items()}
    if kind == "list_value":
        return [plain(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    return None if kind == "null_value" else getattr(value, kind)


def from_dicts(dicts: list[Any]) -> str:
    digests = b"".join(
        [hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).digest() for value in dicts]
    )
    return hashlib.sha256(digests).hexdigest()


def from_bytes(values: list[bytes]) -> str:
    parse = struct_pb2.Value.FromString
    digests = b"".join(
        [
            hashlib.sha256(orjson.dumps(plain(parse(value)), option=orjson.OPT_SORT_KEYS)).digest()
            for value in values
        ]
    )
    return hashlib.sha256(digests).hexdigest()


def built() -> str:
    """The program of the core's benchmark."""
    command = ["cargo", "bench", "--manifest-path", str(MANIFEST), "--bench", "keys", "--no-run"]
    done = subprocess.run([*command, "--message-format=json"], check=True, capture_output=True, text=True)
    made = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return next(
        found["executable"]
        for found in made
        if found.get("executable") and found.get("target", {}).get("name") == "keys"
    )


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--keys", type=int, default=20_000)
    options.add_argument("--rounds", type=int, default=7)
    asked = options.parse_args()
    dice = random.Random(1)
    values = [
        json_format.ParseDict(parameters(dice), struct_pb2.Value()).SerializeToString()
        for _ in range(asked.keys)
    ]
    dicts = [plain(struct_pb2.Value.FromString(value)) for value in values]
    program = built()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "values"
        path.write_bytes(b"".join(struct.pack("<I", len(value)) + value for value in values))
        rows: dict[str, list[float]] = {"core": [], "bytes": [], "dicts": []}
        for _ in range(asked.rounds):
            done = subprocess.run(
                [program, "--values", str(path)], check=True, capture_output=True, text=True
            )
            nanoseconds, digest = done.stdout.split()
            rows["core"].append(int(nanoseconds))
            for row, call, given in (("bytes", from_bytes, values), ("dicts", from_dicts, dicts)):
                started = time.perf_counter_ns()
                found = call(given)
                rows[row].append(time.perf_counter_ns() - started)
                assert found == digest, "the digests differ"
    print(f"{asked.keys} keys of {sum(map(len, values)) / len(values):.0f} bytes each")
    for row, name in (
        ("core", "the core, from bytes"),
        ("bytes", "orjson and hashlib, from bytes"),
        ("dicts", "orjson and hashlib, over dicts that exist"),
    ):
        each = [taken / asked.keys for taken in rows[row]]
        ratios = [other / own for other, own in zip(rows[row], rows["core"], strict=True)]
        print(
            f"    {name:<44}{statistics.median(each):8.0f} ns a key (min {min(each):.0f}, max {max(each):.0f})  "
            f"{statistics.median(ratios):5.1f}x the core's (min {min(ratios):.1f}, max {max(ratios):.1f})"
        )


if __name__ == "__main__":
    main()
