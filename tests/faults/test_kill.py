"""kill -9 of the server, of supervisors and of the spawner, at random moments and at named places."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .campaign import Campaign
from .conftest import Scale


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_what_was_told_and_what_was_run_survive_kill_9(tmp_path: Path, scale: Scale) -> None:
    campaign = Campaign(tmp_path, seed=scale.seed, progress=scale.progress)
    try:
        figures = campaign.run(scale.kills, scale.within_s)
    finally:
        campaign.lives.close()
    print(json.dumps(figures))
    if scale.progress is not None:
        with scale.progress.open("a") as file:
            print(json.dumps(figures), file=file)
