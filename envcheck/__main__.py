"""`python -m envcheck` and the `envcheck` command."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; the exit code."""
    from envcheck.cli import run

    code = run(sys.argv[1:])
    forget_interrupts()
    return code


def forget_interrupts() -> None:
    """Let an interrupt that was caught not decide how the process ends: the exit code does.

    CPython notes a KeyboardInterrupt that leaves text being executed, which imports do (namedtuple, dataclasses), and
    under `-m` ends by SIGINT in the end even where it was caught long before. Executing anything clears the note
    (run_eval_code_obj in Python/pythonrun.c, 3.10 to 3.13).
    """
    exec("")  # noqa: S102 - a constant


if __name__ == "__main__":
    sys.exit(main())
