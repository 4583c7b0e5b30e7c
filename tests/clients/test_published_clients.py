"""Google's clients of every language, unmodified, against a real server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from published import CLIENTS, Command, Missing
from served import PROJECT_ALIAS, Served

# Google's clients give a call five seconds. A machine that stood still for as long says nothing of the server.
_OUT_OF_PATIENCE = ("DeadlineExceeded", "DEADLINE_EXCEEDED", "Read timed out", "ReadTimeout", "504 Deadline")


# Time to build what has to be built; none of it is unless it is asked for.
@pytest.mark.timeout(2000)
@pytest.mark.parametrize("make", CLIENTS.values(), ids=CLIENTS)
def test_a_client_submits_reruns_cancels_lists_and_deletes_as_it_does_on_vertex(
    server: Served,
    serve: Callable[..., Served],
    tmp_path: Path,
    make: Callable[[Served, Path], Command],
) -> None:
    try:
        command = make(server, tmp_path)
    except Missing as error:
        pytest.skip(str(error))
    done = command.run()
    if done.returncode != 0 and any(text in done.stdout + done.stderr for text in _OUT_OF_PATIENCE):
        (tmp_path / "again").mkdir()
        done = make(serve(PROJECT_ALIAS), tmp_path / "again").run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("all good\n")
