"""The benchmarks' DAGs and runs are what these tests are made of too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
