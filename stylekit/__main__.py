"""Let `python -m stylekit` be the command line."""

from __future__ import annotations

import sys

from stylekit.cli import main

if __name__ == "__main__":
    sys.exit(main())
