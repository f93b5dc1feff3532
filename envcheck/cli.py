"""Arguments in, one call, text out. Heavy modules are imported by the command that needs them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from envcheck import __version__
from envcheck.errors import EXIT_CODES, EnvcheckError, InterruptedRunError, UsageError

if TYPE_CHECKING:
    from envcheck.model import Results, Verdict

EPILOG = "Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + "."

app = typer.Typer(
    name="envcheck",
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


@app.command(epilog=EPILOG)
def validate(
    matrix: MatrixOption = None,
    tier: TierOption = None,
    select: SelectOption = None,
    backend: BackendOption = None,
    expect: Annotated[str | None, typer.Option(help="The verdict that every selected cell should come out as.")] = None,
    min_speedup: Annotated[
        float | None, typer.Option(help="How many times faster than the CPU the GPU must be.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="default, official (downloaded once, hash pinned) or a .task file.")
    ] = "default",
    source: Annotated[
        str | None, typer.Option("--input", help="portrait, an image, a folder, a video, or camera:0.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for results, report and evidence.")] = Path(".envcheck"),
    jobs: Annotated[
        int, typer.Option(min=0, help="Environments built at once; 0 means as many as there are cores.")
    ] = 0,
    deadline: Annotated[float, typer.Option(help="Seconds a worker may take for one answer.")] = 120.0,
    suite: Annotated[list[Path] | None, typer.Option(help="A folder of your own acceptance tests; repeatable.")] = None,
    no_preflight: Annotated[bool, typer.Option("--no-preflight", help="Run even cells predicted impossible.")] = False,
    relock: Annotated[
        bool, typer.Option("--relock", help="Resolve dependencies anew instead of using the kept locks.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be built and run, and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print results.json instead of the table.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Build, run and judge the cells this host can run; exit by the gate."""
    from envcheck.request import Choice, Request

    request = Request(
        matrix=matrix,
        choice=Choice(tier=tier, select=select, backend=backend),
        expect=verdict_named(expect),
        min_speedup=None if min_speedup is None else positive("--min-speedup", min_speedup),
        model=model,
        input=source,
        out=out,
        jobs=jobs,
        preflight=not no_preflight,
        relock=relock,
        deadline_s=positive("--deadline", deadline),
        suites=tuple(suite or ()),
    )
    if dry_run:
        from envcheck.dryrun import describe

        write(describe(request))
        return
    from envcheck.report.progress import Progress
    from envcheck.validate import validate as run_validate

    with Progress(quiet=quiet) as progress:
        outcome = run_validate(request, progress)
    show_results(outcome.results, as_json=as_json, exit_code=outcome.exit_code)
    if outcome.suite and request.suites:
        typer.echo(outcome.suite, err=True)
    raise typer.Exit(outcome.exit_code)


@app.command()
def plan(
    matrix: MatrixOption = None,
    tier: TierOption = None,
    select: SelectOption = None,
    backend: BackendOption = None,
    form: Annotated[str, typer.Option("--format", help="text, json or github.")] = "text",
) -> None:
    """Show the expanded matrix: reachable, impossible, unreachable and excluded cells, each with its reason."""
    from envcheck.engines.local import host_here
    from envcheck.matrix import PLAN_FORMATS, classify, render_plan
    from envcheck.request import plan_rules, read_matrix

    if form not in PLAN_FORMATS:
        raise UsageError(f"--format {form!r} is not one of {', '.join(PLAN_FORMATS)}")
    asked = read_matrix(matrix)
    rules = plan_rules(host_here(dict(os.environ)))
    write(render_plan(classify(asked, rules, tier=tier, expr=select, backend=backend), format=form))


@app.command(epilog=EPILOG)
def replay(
    folder: Annotated[Path, typer.Argument(help="A folder that validate wrote, or one evidence file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print results.json instead of the table.")] = False,
    expect: Annotated[str | None, typer.Option(help="The verdict that every cell should come out as.")] = None,
) -> None:
    """Judge recorded evidence again; nothing is built or run."""
    from envcheck import store
    from envcheck.conclude import conclude, expecting
    from envcheck.gate import exit_code

    results = conclude(expecting(store.load_evidence(folder), verdict_named(expect)))
    code = exit_code(results)
    show_results(results, as_json=as_json, exit_code=code)
    raise typer.Exit(code)


@app.command()
def explain(
    code: Annotated[
        str | None, typer.Argument(help="A finding's code, such as EGL202. Without one: all codes.")
    ] = None,
) -> None:
    """Print the page of a finding: what it means, why it matters, what to do."""
    from envcheck.rules.pages import index, page

    write([page(code) if code else index()])


def show_results(results: Results, *, as_json: bool, exit_code: int) -> None:
    """The table on a terminal, or results.json."""
    from envcheck import store
    from envcheck.report import terminal

    if as_json:
        write([store.encode(results)])
        return
    width = terminal.width_of(sys.stdout)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    write([terminal.render(results, width=width, colour=colour, exit_code=exit_code, encoding=encoding_of_stdout())])


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
    return sys.stdout.encoding or "utf-8"


def write(lines: Iterable[str]) -> None:
    """Text to standard output; what its encoding cannot take is escaped, a reader that went away early is no error."""
    encoding = encoding_of_stdout()
    try:
        for line in lines:
            text = line.encode(encoding, "backslashreplace").decode(encoding)
            sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
