"""Google's clients of every language, unmodified, against a real server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from published import CLIENTS, Command, Missing
from served import Served


# Time to build what has to be built; none of it is unless it is asked for.
@pytest.mark.timeout(2000)
@pytest.mark.parametrize("make", CLIENTS.values(), ids=CLIENTS)
def test_a_client_submits_reruns_cancels_lists_and_deletes_as_it_does_on_vertex(
    server: Served, tmp_path: Path, make: Callable[[Served, Path], Command]
) -> None:
    try:
        command = make(server, tmp_path)
    except Missing as error:
        pytest.skip(str(error))
    done = command.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("all good\n")
