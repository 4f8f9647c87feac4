"""`python -m court`: the same as the `court` command."""

from __future__ import annotations

import sys

from court.cli import main

sys.exit(main())
