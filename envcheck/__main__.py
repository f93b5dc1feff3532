"""`python -m envcheck` and the `envcheck` command."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; the exit code."""
    from envcheck.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
