"""`python -m reprise.cli` is the command."""

from __future__ import annotations

import sys

from reprise.cli import main

sys.exit(main())
