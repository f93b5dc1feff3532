"""Arguments in, one call, text out; one file per command. Heavy modules are imported by the command that needs them."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

import typer

from envcheck.cli import bench, check, doctor, explain, lint, plan, prune, replay, validate, watch, wheel
from envcheck.cli.app import app
from envcheck.errors import EnvcheckError, InterruptedRunError

COMMANDS = (validate, check, doctor, watch, bench, lint, plan, replay, explain, wheel, prune)
"""The modules whose import registers a command."""


def complain(error: EnvcheckError) -> int:
    """One clear message on standard error; the error's exit code."""
    typer.echo(f"envcheck: {error.message}", err=True)
    if error.remedy:
        typer.echo(error.remedy, err=True)
    return error.exit_code


def stop_like_ctrl_c(_signum: int, _frame: object) -> None:
    """SIGTERM ends a run the way Ctrl-C does: children are killed, results stay intact."""
    raise KeyboardInterrupt


def run(argv: Sequence[str]) -> int:
    """Run a command line; the exit code. Nothing that happens ends in a traceback unless ENVCHECK_DEBUG is set."""
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:  # nohup and its like are obeyed
        signal.signal(signal.SIGTERM, stop_like_ctrl_c)
    try:
        app(args=list(argv), prog_name="envcheck", standalone_mode=True)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except EnvcheckError as error:
        return complain(error)
    except KeyboardInterrupt:
        return complain(InterruptedRunError("interrupted"))
    except Exception as error:
        if os.environ.get("ENVCHECK_DEBUG"):
            raise
        remedy = "This is a fault in envcheck. Repeat with ENVCHECK_DEBUG=1 for the details, and report it."
        return complain(EnvcheckError(f"unexpected {type(error).__name__}: {error}", remedy=remedy))
    return 0
