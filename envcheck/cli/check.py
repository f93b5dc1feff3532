"""`envcheck check`: the full proof on an environment that exists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from envcheck.cli.app import EPILOG, QuietOption, app, positive, show_results, verdict_named
from envcheck.errors import UsageError

if TYPE_CHECKING:
    from envcheck.check import CheckRequest
    from envcheck.publishing import Outcome
    from envcheck.report.progress import Progress

OURS = {
    *("--name", "--label", "-l", "--rm", "--detach", "-d", "--interactive", "-i", "--tty", "-t", "--entrypoint"),
    *("--pull", "--log-driver", "--attach", "-a", "--cidfile"),
}
"""Options of the engine's run on which it depends that a container is found, spoken to, and gone in the end."""


@app.command(epilog=EPILOG)
def check(
    python: Annotated[Path | None, typer.Option(help="The interpreter of the environment.")] = None,
    prefix: Annotated[Path | None, typer.Option(help="The environment's folder: a venv or a conda prefix.")] = None,
    image: Annotated[
        str | None, typer.Option(help="A container image; --python then names a path inside it.", show_default=False)
    ] = None,
    dockerfile: Annotated[
        Path | None, typer.Option(help="A folder with a Dockerfile: build it first, judge it, remove it.")
    ] = None,
    prove: Annotated[
        bool, typer.Option("--prove", help="Apply the findings' remedies in scratch images, and judge again.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the image that --dockerfile built.")] = False,
    engine: Annotated[str | None, typer.Option(help="docker, podman, or a command line that starts one.")] = None,
    variable: Annotated[
        list[str] | None, typer.Option("--env", help="NAME=VALUE for the container; repeatable.")
    ] = None,
    gpus: Annotated[
        str | None, typer.Option(help="none, or the value of `docker run --gpus`. Default: as the engine can.")
    ] = None,
    build_option: Annotated[
        list[str] | None, typer.Option(help="An option for the engine's build, such as --network=host; repeatable.")
    ] = None,
    run_option: Annotated[
        list[str] | None,
        typer.Option(help="An option for the engine's run, such as --memory=512m, as in production; repeatable."),
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="A CA bundle for --prove's downloads, such as a company proxy's.")
    ] = None,
    expect: Annotated[str | None, typer.Option(help="The verdict that it should come out as.")] = None,
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
    deadline: Annotated[float, typer.Option(help="Seconds a worker may take for one answer.")] = 120.0,
    suite: Annotated[list[Path] | None, typer.Option(help="A folder of your own acceptance tests; repeatable.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print results.json instead of the table.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Judge an environment that exists; nothing is installed or written in it."""
    from envcheck.check import CheckRequest
    from envcheck.check import check as run_check
    from envcheck.report.progress import Progress

    contained = image is not None or dockerfile is not None
    request = CheckRequest(
        python=None if contained else python,
        prefix=prefix,
        expect=verdict_named(expect),
        min_speedup=None if min_speedup is None else positive("--min-speedup", min_speedup),
        model=model,
        input=source,
        out=out,
        deadline_s=positive("--deadline", deadline),
        suites=tuple(suite or ()),
    )
    from_image: dict[str, Any] = {
        "image": image,
        "dockerfile": dockerfile,
        "prove": prove,
        "keep": keep,
        "engine": engine,
    }
    from_image |= {"gpus": gpus, "ca_file": ca_file, "variables": variable}
    from_image |= {"build_options": build_option, "run_options": run_option}
    with Progress(quiet=quiet) as progress:
        if contained:
            outcome, proofs = check_image(request, python, from_image, progress)
        else:
            only_for_images(from_image)
            outcome, proofs = run_check(request, progress), ""
    show_results(outcome.results, as_json=as_json, exit_code=outcome.exit_code)
    if proofs:
        typer.echo(proofs, err=as_json)
    if outcome.suite and request.suites:
        typer.echo(outcome.suite, err=True)
    raise typer.Exit(outcome.exit_code)


def only_for_images(options: Mapping[str, object]) -> None:
    """Options that mean nothing without an image are not swallowed."""
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
    if given:
        names = ", ".join(given).replace("--variables", "--env").replace("-options", "-option")
        raise UsageError(f"{names}: only with --image or --dockerfile", remedy="Such as --image my-app:latest")


def check_image(
    request: CheckRequest, python: Path | None, options: Mapping[str, Any], progress: Progress
) -> tuple[Outcome, str]:
    """The full proof inside an image; with --prove also what its remedies change, as text."""
    from envcheck.images.container import Wish
    from envcheck.images.judging import ImageRequest
    from envcheck.images.judging import check_image as run_check

    if options["image"] is not None and options["dockerfile"] is not None:
        raise UsageError("--image and --dockerfile are both given", remedy="One of them names the image.")
    if request.prefix is not None:
        raise UsageError("--prefix is for folders of this machine", remedy="Inside an image: --python PATH")
    if python is not None and not str(python).startswith("/"):
        raise UsageError(
            f"--python {python} is no path inside the image", remedy="Such as --python /opt/venv/bin/python"
        )
    wish = Wish(
        python=None if python is None else str(python),
        variables=tuple(map(pair, options["variables"] or ())),
        gpus=options["gpus"],
        extra=tuple(map(run_option_of, options["run_options"] or ())),
    )
    asked = ImageRequest(
        check=request,
        reference=options["image"],
        dockerfile=options["dockerfile"],
        keep=options["keep"],
        engine=options["engine"],
        wish=wish,
        build_options=tuple(options["build_options"] or ()),
        ca_file=options["ca_file"],
    )
    if not options["prove"]:
        return run_check(asked, progress), ""
    from envcheck.images.proving import prove

    return prove(asked, progress)


def run_option_of(text: str) -> str:
    """An option of the engine's run that leaves the container findable, ours, and spoken to."""
    name = text.partition("=")[0]
    if not text.startswith("-") or name in OURS:
        raise UsageError(
            f"--run-option {text!r} is {'set by envcheck' if name in OURS else 'no option'}",
            remedy="One word, such as --run-option=--memory=512m",
        )
    return text


def pair(text: str) -> tuple[str, str]:
    """NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not equals or not name or not name.isprintable() or " " in name:
        raise UsageError(f"--env {text!r} is not NAME=VALUE", remedy="Such as --env EGL_PLATFORM=surfaceless")
    return name, value
