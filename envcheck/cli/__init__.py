"""Arguments in, one call, text out; one file per command. Heavy modules are imported by the command that needs them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

import click

from envcheck import __version__
from envcheck.cli.app import EPILOG, drop, stdout
from envcheck.errors import UNMET, EnvcheckError, InterruptedRunError
from envcheck.shortage import shortage

COMMANDS = (
    *("bench", "cell", "check", "diff", "doctor", "explain", "fleet", "history", "lint"),
    *("merge", "nightly", "plan", "prune", "replay", "report", "validate", "watch", "wheel"),
)
"""Each is a module of this package with a command of its name, imported when it is asked for or listed."""


class Commands(click.Group):
    """The commands, none of which is imported for the sake of another."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - Click's signature
        """Their names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - Click's too
        """The command of that name; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = getattr(import_module(f"envcheck.cli.{cmd_name}"), cmd_name)
        return found


@click.group(
    cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "show_default": True}
)
@click.version_option(__version__, message="envcheck %(version)s", help="Print the version and exit.")
def envcheck() -> None:
    """Why isn't MediaPipe FaceMesh using the GPU? Builds environments, proves which device did the work, says why."""


def complain(error: EnvcheckError) -> int:
    """One clear message on standard error, where that can be written to; the error's exit code."""
    with suppress(OSError):
        click.echo(f"envcheck: {error.message}", err=True)
        if error.remedy:
            click.echo(error.remedy, err=True)
    return error.exit_code


def complain_of_use(error: click.ClickException) -> int:
    """How the command is used and what was wrong, on standard error; the exit code."""
    if sys.stderr is not None:  # Click would write to standard output instead
        with suppress(OSError):
            error.show()
    return error.exit_code


def stop_like_ctrl_c(_signum: int, _frame: object) -> None:
    """SIGTERM ends a run the way Ctrl-C does: children are killed, results stay intact."""
    raise KeyboardInterrupt


def call(argv: Sequence[str]) -> int:
    """Parse the arguments and call the command they name; its exit code."""
    try:
        with envcheck.make_context("envcheck", list(argv)) as context:
            code: int = envcheck.invoke(context)
            return code
    except click.exceptions.Exit as done:  # after --help and --version
        return done.exit_code


def run(argv: Sequence[str]) -> int:
    """Run a command line; the exit code. Nothing that happens ends in a traceback unless ENVCHECK_DEBUG is set."""
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:  # nohup and its like are obeyed
        signal.signal(signal.SIGTERM, stop_like_ctrl_c)
    try:
        return call(argv)
    except click.ClickException as error:
        return complain_of_use(error)
    except EnvcheckError as error:
        return complain(error)
    except KeyboardInterrupt:
        return complain(InterruptedRunError("interrupted"))
    except BrokenPipeError:  # whoever read the help has gone away
        drop(stdout())
        return UNMET
    except Exception as error:
        if os.environ.get("ENVCHECK_DEBUG"):
            raise
        remedy = "This is a fault in envcheck. Repeat with ENVCHECK_DEBUG=1 for the details, and report it."
        unexpected = EnvcheckError(f"unexpected {type(error).__name__}: {error}", remedy=remedy)
        return complain(shortage(error) or unexpected)
