"""`envcheck watch`: does this running program use the GPU?"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from envcheck.cli.app import LONGEST_S, PATH, argument, command, positive
from envcheck.errors import MET, UNMET, UsageError

if TYPE_CHECKING:
    from envcheck.watched import WatchReport

WATCH_EPILOG = (
    "Exit codes: the command's own, and its signal if one ended it; 127 no such command; 126 it cannot be executed; "
    "with --require-gpu 1 where the command succeeded and its GPU use is not proven. "
    "With --pid: 0 proven on the GPU; 1 not proven; 2 no such process."
)


@command(epilog=WATCH_EPILOG, context_settings={"allow_interspersed_args": False})
@argument(
    "program",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="[-- COMMAND...]",
    about="The program and its arguments, after --.",
)
@click.option("--pid", type=int, metavar="N", help="Watch this running process and its children.")
@click.option(
    "--seconds", type=float, metavar="SECONDS", help="With --pid: watch for so long. Default: until it ends, or Ctrl-C."
)
@click.option(
    "--native-log",
    is_flag=True,
    help="Make MediaPipe 0.10.8 to 0.10.35 name its calculators; standard error then passes through a pipe.",
)
@click.option(
    "--require-gpu", is_flag=True, help="Exit with 1 where the command succeeds and is not proven on the GPU."
)
@click.option("--report", type=PATH, metavar="FILE", help="Write the report to this file, not to standard error.")
@click.option("--json", "as_json", type=PATH, metavar="FILE", help="Write the report as JSON to this file as well.")
def watch(
    program: tuple[str, ...],
    pid: int | None,
    seconds: float | None,
    native_log: bool,
    require_gpu: bool,
    report: Path | None,
    as_json: Path | None,
) -> int:
    """Run a command, or attach to a running one, and say whether it works on the GPU.

    The command keeps its standard streams, signals, terminal and exit code; the report comes after it has ended.
    """
    check_options(program, pid, seconds, attached_only=(native_log, require_gpu))
    from envcheck.watch import session

    outputs = Outputs(report, as_json)
    if pid is not None:
        session.attach(pid, os.environ, seconds=seconds, publish=outputs.publish)
        return MET if outputs.proven else UNMET
    ended = session.launch(program, os.environ, native_log=native_log, publish=outputs.publish)
    if ended.status == 0 and require_gpu and not outputs.proven:
        return UNMET
    from envcheck.foreground import end_like

    return end_like(ended)


def check_options(
    program: Sequence[str], pid: int | None, seconds: float | None, *, attached_only: tuple[bool, bool]
) -> None:
    """Raise UsageError where the options do not say what to watch."""
    if not sys.platform.startswith("linux"):
        raise UsageError(
            "watch reads Linux' /proc, which this system does not have; nothing was run",
            remedy="No MediaPipe wheel has GPU code on Windows; on macOS it uses Metal, which this does not see.",
        )
    if pid is None and not program:
        raise UsageError(
            "there is nothing to watch", remedy="envcheck watch -- python app.py\nenvcheck watch --pid 1234"
        )
    if pid is not None and program:
        raise UsageError("--pid and a command exclude each other", remedy=f"envcheck watch --pid {pid}")
    if pid is not None and any(attached_only):
        raise UsageError(
            "--native-log and --require-gpu need a command to start",
            remedy="--pid already exits with 1 where GPU use is not proven.",
        )
    if seconds is not None:
        if pid is None:
            raise UsageError("--seconds needs --pid; a command is watched to its end")
        positive("--seconds", seconds, LONGEST_S)


class Outputs:
    """Where the report goes. Files are opened before anything runs, so that a bad path does not waste a run."""

    def __init__(self, report: Path | None, as_json: Path | None) -> None:
        check_files(report, as_json)
        self._text = opened("--report", report)
        self._json = opened("--json", as_json)
        self.proven = False

    def publish(self, report: WatchReport) -> None:
        """Write it; neither a full disk nor a reader that has gone away changes what the program ended with."""
        from envcheck.model import Status
        from envcheck.report.terminal import width_of
        from envcheck.report.watch import render

        self.proven = report.status is Status.PASS
        if self._json is not None:
            import msgspec

            written("--json", self._json, msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n")
        if self._text is None or not written("--report", self._text, render(report, width=120)):
            say(render(report, width=width_of(sys.stderr)))


def check_files(report: Path | None, as_json: Path | None) -> None:
    """Raise UsageError for what is no file's name: `--json -- python` would take the dashes for one."""
    for option, path in (("--report", report), ("--json", as_json)):
        if path is not None and str(path).startswith("-"):
            raise UsageError(
                f"{option} needs a file, and got {path}; standard output is the program's",
                remedy=f"envcheck watch {option} FILE -- COMMAND   # ./{path} for a file of that name",
            )
    if report is not None and as_json is not None and report.resolve() == as_json.resolve() and is_plain(report):
        raise UsageError(f"--report and --json both name {report}", remedy="Give each a file of its own.")


def is_plain(path: Path) -> bool:
    """True for a file of the disk, there or not; /dev/null can be named twice."""
    return path.is_file() or not path.exists()


def opened(option: str, path: Path | None) -> IO[str] | None:
    """The file, emptied; None where there is none."""
    if path is None:
        return None
    try:
        return path.open("w", encoding="utf-8", errors="backslashreplace")
    except (OSError, ValueError) as error:
        raise UsageError(f"{option} {path} cannot be written: {getattr(error, 'strerror', error)}") from None


def written(option: str, file: IO[str], text: str) -> bool:
    """Write and close; False, and a sentence on standard error, where that fails."""
    try:
        with file:
            file.write(text)
    except OSError as error:
        say(f"envcheck: {option} {file.name} cannot be written: {error.strerror}\n")
        return False
    return True


def say(text: str) -> None:
    """Text to standard error, in what its encoding can take."""
    if sys.stderr is None:  # it was closed before we were started
        return
    encoding = sys.stderr.encoding or "utf-8"
    try:
        sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stderr.flush()
    except (OSError, ValueError):
        return
