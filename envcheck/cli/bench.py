"""`envcheck bench`: which delegate, and how many processes, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from envcheck.cli.app import (
    LONGEST_S,
    PATH,
    command,
    deadline_option,
    input_option,
    look_of_stdout,
    positive,
    quiet_option,
    write,
)
from envcheck.errors import MET, InterruptedRunError, NothingSelectedError

if TYPE_CHECKING:
    from envcheck.sweep.space import Space
    from envcheck.swept import BenchReport

BENCH_EPILOG = (
    "Exit codes: 0 something was measured; 2 usage or configuration error; 3 nothing could be measured; "
    "4 envcheck itself failed; 130 interrupted (what was measured is shown and written)."
)


@command(epilog=BENCH_EPILOG)
@click.option("--python", type=PATH, metavar="EXE", help="The interpreter of an environment that exists.")
@click.option("--prefix", type=PATH, metavar="DIR", help="The folder of one: a venv or a conda prefix.")
@click.option("--delegates", default="cpu,gpu", metavar="LIST", help="cpu, gpu or both.")
@click.option("--resolutions", default="640x480", metavar="LIST", help="Sizes of the frames.")
@click.option("--faces", default="1", metavar="LIST", help="Numbers of faces.")
@click.option("--modes", default="video", metavar="LIST", help="video, image or both.")
@click.option("--blendshapes", default="off", metavar="LIST", help="off, on or both; on needs a model that has them.")
@click.option("--streams", metavar="LIST", help="Numbers of processes. Default: 1, doubling up to the cores.")
@click.option("--seconds", type=float, default=3.0, metavar="SECONDS", help="Time for each delegate at each point.")
@click.option("--latency-limit", type=float, metavar="MS", help="Milliseconds that 95 of 100 frames must keep to.")
@click.option("--leaks", is_flag=True, help="Also look whether memory grows.")
@click.option("--model", default="default", metavar="MODEL", help="default, official or a .task file.")
@input_option
@click.option(
    "--out", type=PATH, default=Path(".envcheck"), metavar="DIR", help="Folder for bench.json, bench.svg and bench.png."
)
@click.option("--plots/--no-plots", default=None, help="Pictures. Default: where matplotlib is installed.")
@deadline_option
@click.option("--json", "as_json", is_flag=True, help="Print bench.json instead of the table.")
@quiet_option
def bench(
    python: Path | None,
    prefix: Path | None,
    delegates: str,
    resolutions: str,
    faces: str,
    modes: str,
    blendshapes: str,
    streams: str | None,
    seconds: float,
    latency_limit: float | None,
    leaks: bool,
    model: str,
    source: str | None,
    out: Path,
    plots: bool | None,
    deadline: float,
    as_json: bool,
    quiet: bool,
) -> int:
    """Measure an environment: both delegates, side by side, over sizes, faces, modes and numbers of processes.

    Several values of an option are separated by commas: --resolutions 640x480,1280x720 --streams 1,2,4. Without
    --python or --prefix an environment with the matrix' MediaPipe is built.
    """
    from envcheck.report.plots import are_wanted, pictures
    from envcheck.report.progress import Progress
    from envcheck.sweep import keeping
    from envcheck.sweep.session import BenchRequest
    from envcheck.sweep.session import bench as run_bench

    drawing = are_wanted(plots)
    request = BenchRequest(
        space=space_of(delegates, resolutions, faces, modes, blendshapes, streams),
        python=python,
        prefix=prefix,
        seconds=positive("--seconds", seconds, LONGEST_S),
        latency_limit_ms=None if latency_limit is None else positive("--latency-limit", latency_limit),
        leak=leaks,
        model=model,
        input=source,
        deadline_s=deadline,
    )
    keeping.check(out)
    with Progress(quiet=quiet) as progress:
        report = run_bench(request, progress)
    keeping.keep(out, report, pictures(report) if drawing else {})
    show(report, as_json=as_json)
    if report.interrupted:
        raise InterruptedRunError("interrupted", remedy=f"What was measured is in {out / keeping.NAME}.")
    if not any(row.figures for row in report.rows):
        raise NothingSelectedError("nothing could be measured", remedy="The table says why for each delegate.")
    return MET


def space_of(delegates: str, resolutions: str, faces: str, modes: str, blendshapes: str, streams: str | None) -> Space:
    """The sweep that the options name. Raises UsageError."""
    from envcheck.host import allowed_cores
    from envcheck.sweep.space import (
        DELEGATES,
        MODES,
        MOST_STREAMS,
        SWITCHES,
        Space,
        count_up_to,
        default_streams,
        listed,
        one_of,
    )
    from envcheck.workload.motion import MAX_FACES

    counts = count_up_to(MOST_STREAMS)
    return Space(
        delegates=listed("--delegates", delegates, one_of(DELEGATES, upper=True), "cpu or gpu", "cpu,gpu"),
        resolutions=listed("--resolutions", resolutions, str, "WIDTHxHEIGHT", "640x480,1280x720"),
        faces=listed("--faces", faces, count_up_to(MAX_FACES), f"a number from 1 to {MAX_FACES}", "1,2"),
        modes=listed("--modes", modes, one_of(MODES), "video or image", "video,image"),
        blendshapes=listed("--blendshapes", blendshapes, lambda word: SWITCHES[word.lower()], "off or on", "off,on"),
        streams=default_streams(allowed_cores() or 1)
        if streams is None
        else listed("--streams", streams, counts, f"a number from 1 to {MOST_STREAMS}", "1,2,4"),
    )


def show(report: BenchReport, *, as_json: bool) -> None:
    """The text or the JSON, on standard output."""
    from envcheck.report.bench import render
    from envcheck.sweep.keeping import encode

    look = look_of_stdout()
    write([encode(report) if as_json else render(report, width=look.width, encoding=look.encoding)])
