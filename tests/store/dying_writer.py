"""A server that writes until it is killed: tells, line by line, what has been acknowledged to it."""

from __future__ import annotations

import sys
import threading

from reprise.store.open import open_store

from .building import T0, new_run


def main(data_dir: str, seed: str) -> None:
    store = open_store(data_dir)
    telling = threading.Lock()

    def write(thread: int) -> None:
        number = 0
        while True:
            job_id = f"run-{seed}-{thread}-{number}"
            store.create_run(new_run(job_id), f"request-{job_id}", b"print")
            with telling:
                print("created", job_id, flush=True)
            store.request_cancel(new_run(job_id).name, T0)
            with telling:
                print("cancelled", job_id, flush=True)
            number += 1

    for thread in range(4):
        threading.Thread(target=write, args=(thread,)).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
