"""The application object, and what every command shares: options, and text on its way out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from envcheck import __version__
from envcheck.errors import EXIT_CODES, EnvcheckError, UsageError

if TYPE_CHECKING:
    from envcheck.model import Results, Verdict

EPILOG = "Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + "."


class Sparing:
    """Options that a command line of nothing but flags cannot have changed are left out before they are looked at.

    Typer 0.26 and later import pydantic, a tenth of a second, to look at an option that was not given, even at --help.
    """

    spared = False

    def get_params(self, ctx: Any) -> list[Any]:
        """The flags, where nothing else was given; else everything."""
        every: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        return [option for option in every if is_flag(option)] if self.spared else every


def is_flag(option: Any) -> bool:
    """True for a switch of ours; --help is Typer's."""
    return getattr(option, "is_flag", False) and option.name != "help"


class QuickCommand(Sparing, TyperCommand):
    """A command that is quick where only its flags are given."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Look at the arguments; the others keep their defaults."""
        names = {name for option in self.params if is_flag(option) for name in option.opts}
        self.spared = names.issuperset(args)
        return super().parse_args(ctx, args)


class QuickGroup(Sparing, TyperGroup):
    """The application: quick where the command's name comes first."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Look at the first argument."""
        self.spared = bool(args) and not args[0].startswith("-")
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="envcheck",
    cls=QuickGroup,
    help="Why isn't MediaPipe FaceMesh using the GPU? Builds environments, proves which device did the work, says why.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

MatrixOption = Annotated[
    Path | None,
    typer.Option("--matrix", help="The matrix file. Default: ./matrix.yaml, else a small one that is shipped."),
]
TierOption = Annotated[str | None, typer.Option("--tier", help="A tier of the matrix, such as smoke, pr or nightly.")]
SelectOption = Annotated[
    str | None, typer.Option("--select", help="A cell id, or conditions: 'mediapipe==1.2.2,backend==venv'.")
]
BackendOption = Annotated[str | None, typer.Option("--backend", help="Only cells of this backend, such as venv.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the results.")]


def print_version(asked: bool) -> None:
    """`--version`."""
    if asked:
        typer.echo(f"envcheck {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options that come before the command."""


def show_results(results: Results, *, as_json: bool, exit_code: int) -> None:
    """The table on a terminal, or results.json."""
    from envcheck import store
    from envcheck.report import terminal

    if as_json:
        write([store.encode(results)])
        return
    look = look_of_stdout()
    text = terminal.render(results, width=look.width, colour=look.colour, exit_code=exit_code, encoding=look.encoding)
    write([text])


class Look(NamedTuple):
    """What standard output can show: columns, colours, characters."""

    width: int
    colour: bool
    encoding: str


def look_of_stdout() -> Look:
    """Colours go to a terminal only, and not where NO_COLOR is set."""
    from envcheck.report.terminal import UNKNOWN_WIDTH, width_of

    stream = stdout()
    if stream is None:
        return Look(UNKNOWN_WIDTH, colour=False, encoding="utf-8")
    return Look(width_of(stream), stream.isatty() and not os.environ.get("NO_COLOR"), encoding_of_stdout())


def stdout() -> IO[str] | None:
    """Standard output; None where the caller closed it, as `>&-` does."""
    return getattr(sys, "stdout", None)


def verdict_named(name: str | None) -> Verdict | None:
    """The verdict of that name, or None; an unknown name is a usage error that lists them all."""
    if name is None:
        return None
    from envcheck.model import Verdict

    try:
        return Verdict(name)
    except ValueError:
        known = ", ".join(verdict.value for verdict in Verdict)
        raise UsageError(f"--expect {name!r} is no verdict", remedy=f"Verdicts: {known}") from None


def positive(option: str, value: float) -> float:
    """`value` where it is a number above zero."""
    if not 0 < value < float("inf"):
        raise UsageError(f"{option} {value} is not a number above 0")
    return value


def encoding_of_stdout() -> str:
    """The encoding of standard output, where it has one."""
    return getattr(stdout(), "encoding", None) or "utf-8"


def write(lines: Iterable[str]) -> None:
    """Text to standard output; what its encoding cannot take is escaped, a reader that went away early is no error."""
    stream, encoding = stdout(), encoding_of_stdout()
    if stream is None:
        return
    try:
        for line in lines:
            text = line.encode(encoding, "backslashreplace").decode(encoding)
            stream.write(text if text.endswith("\n") else text + "\n")
        stream.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # what is buffered goes nowhere, without a word
        if not isinstance(error, BrokenPipeError):
            raise EnvcheckError(f"cannot write to standard output: {error.strerror}") from error
