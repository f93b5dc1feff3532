"""What every command shares: how one is declared, options, and text on its way out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import click

from envcheck.errors import EXIT_CODES, EnvcheckError, UsageError

if TYPE_CHECKING:
    from envcheck.model import Results, Verdict

EPILOG = "Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + "."
PATH = click.Path(path_type=Path)
LONGEST_S = 1e6
"""Eleven days for one answer; the system's clocks do not count for ever."""
LONGEST_DAYS = 36500.0
"""A century: further back the calendar ends."""


class Argument(click.Argument):
    """An argument with a help text, which Click has of its own only from 8.5 on."""

    def __init__(self, declarations: Sequence[str], *, about: str, **settings: Any) -> None:
        super().__init__(declarations, **settings)
        self.about = about


class Command(click.Command):
    """A command whose help lists its arguments too, and which the list of commands shows with a whole sentence."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the arguments, then the options."""
        rows = [(one.make_metavar(ctx), one.about) for one in self.params if isinstance(one, Argument)]
        if rows:
            with formatter.section("Arguments"):
                formatter.write_dl(rows)
        super().format_options(ctx, formatter)

    def get_short_help_str(self, limit: int = 45) -> str:  # noqa: ARG002 - Click would cut the sentence there
        """The first paragraph of the help."""
        return " ".join((self.help or "").partition("\n\n")[0].split())


def command(*, epilog: str | None = None, **settings: Any) -> Callable[[Callable[..., int]], Command]:
    """Declare a command: a function that takes the options and gives the exit code."""
    return click.command(cls=Command, epilog=epilog, **settings)


def argument(name: str, *, about: str, **settings: Any) -> Callable[[click.decorators.FC], click.decorators.FC]:
    """Declare an argument of a command."""
    return click.argument(name, cls=Argument, about=about, **settings)


def positive(option: str, value: float, most: float = float("inf")) -> float:
    """`value` where it is a number above zero, and not above `most`."""
    if not 0 < value < float("inf"):
        raise UsageError(f"{option} {value} is not a number above 0")
    if value > most:
        raise UsageError(f"{option} {value:g} is more than {most:g}")
    return value


def above_zero(most: float = float("inf")) -> Callable[[click.Context, click.Parameter, float | None], float | None]:
    """An option's callback: its value, where one is given, is a number above zero and not above `most`."""

    def checked(_ctx: click.Context, option: click.Parameter, value: float | None) -> float | None:
        return None if value is None else positive(option.opts[0], value, most)

    return checked


matrix_option = click.option(
    "--matrix",
    type=PATH,
    metavar="FILE",
    help="The matrix file. Default: ./matrix.yaml, else a small one that is shipped.",
)
tier_option = click.option("--tier", metavar="TIER", help="A tier of the matrix, such as smoke, pr or nightly.")
select_option = click.option(
    "--select", metavar="EXPR", help="A cell id, or conditions: 'mediapipe==1.2.2,backend==venv'."
)
backend_option = click.option("--backend", metavar="BACKEND", help="Only cells of this backend, such as venv.")
driver_option = click.option(
    "--driver", metavar="DRIVER", help="Only cells that need this driver of their host: a value of the axis, or any."
)
shard_option = click.option(
    "--shard", metavar="I/N", help="Only shard I of N, such as 2/5; `env`: as the variables of an engine say."
)
durations_option = click.option(
    "--durations",
    type=PATH,
    metavar="FILE",
    help="How long cells take, to divide them by: an archive, or what `plan --format durations` wrote.",
)
sign_key_option = click.option(
    "--sign-key", type=PATH, metavar="FILE", help="Sign the evidence, so that `envcheck merge` knows it for ours."
)
min_speedup_option = click.option(
    "--min-speedup",
    type=float,
    callback=above_zero(),
    metavar="X",
    help="How many times faster than the CPU the GPU must be.",
)
model_option = click.option(
    "--model",
    default="default",
    metavar="MODEL",
    help="default, official (downloaded once, hash pinned) or a .task file.",
)
input_option = click.option(
    "--input", "source", metavar="INPUT", help="portrait, an image, a folder, a video, or camera:0."
)
out_option = click.option(
    "--out", type=PATH, default=Path(".envcheck"), metavar="DIR", help="Folder for results, report and evidence."
)
deadline_option = click.option(
    "--deadline",
    type=float,
    default=120.0,
    callback=above_zero(LONGEST_S),
    metavar="SECONDS",
    help="Seconds a worker may take for one answer.",
)
jobs_option = click.option(
    "--jobs",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Environments built at once; 0 means as many as there are cores.",
)
relock_option = click.option(
    "--relock", is_flag=True, help="Resolve dependencies anew instead of using the kept locks."
)
engine_option = click.option(
    "--engine",
    default="local",
    metavar="NAME",
    help="Where cells run: local, slurm, kubernetes, or an engine that another package brings.",
)
engine_setting_option = click.option(
    "--engine-option",
    "engine_options",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the engine, such as partition=gpu; repeatable.",
)
suite_option = click.option(
    "--suite",
    type=PATH,
    multiple=True,
    metavar="DIR",
    help="A folder of your own acceptance tests; repeatable.",
)
results_json_option = click.option("--json", "as_json", is_flag=True, help="Print results.json instead of the table.")
history_option = click.option(
    "--history",
    "archive",
    type=PATH,
    default=Path(".envcheck/history.sqlite"),
    metavar="FILE",
    help="The archive of all nights.",
)
keep_option = click.option(
    "--history", type=PATH, metavar="FILE", help="An archive that takes the results as well, for `envcheck history`."
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="No progress, only the results.")


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


def settings_of(option: str, given: Sequence[str]) -> dict[str, str]:
    """KEY=VALUE texts as a mapping."""
    found: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise UsageError(f"{option} {text!r} is not KEY=VALUE")
        if key in found:
            raise UsageError(f"{option} {key} is given twice")
        found[key] = value
    return found


def policy_of(keep: int | None, keep_days: float | None) -> tuple[int, float] | None:
    """What --keep and --keep-days say that an archive is to keep; None where neither is given. Raises UsageError."""
    if keep is None and keep_days is None:
        return None
    if keep is None or keep_days is None:
        raise UsageError("--keep and --keep-days belong together", remedy="Such as: --keep 30 --keep-days 90")
    return keep, positive("--keep-days", keep_days, LONGEST_DAYS)


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
        drop(stream)
        if not isinstance(error, BrokenPipeError):
            raise EnvcheckError(f"cannot write to standard output: {error.strerror}") from error


def write_json(record: object) -> None:
    """A record as JSON to standard output."""
    import msgspec

    write([msgspec.json.format(msgspec.json.encode(record, order="deterministic"), indent=2).decode()])


def drop(stream: IO[str] | None) -> None:
    """What is still buffered in a stream goes nowhere, without a word."""
    if stream is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
