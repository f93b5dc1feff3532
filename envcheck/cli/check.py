"""`envcheck check`: the full proof on an environment that exists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envcheck.cli.app import (
    EPILOG,
    PATH,
    command,
    deadline_option,
    input_option,
    keep_option,
    min_speedup_option,
    model_option,
    out_option,
    quiet_option,
    results_json_option,
    show_results,
    suite_option,
    verdict_named,
)
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


@command(epilog=EPILOG)
@click.option("--python", type=PATH, metavar="EXE", help="The interpreter of the environment.")
@click.option("--prefix", type=PATH, metavar="DIR", help="The environment's folder: a venv or a conda prefix.")
@click.option("--image", metavar="REF", help="A container image; --python then names a path inside it.")
@click.option(
    "--dockerfile", type=PATH, metavar="DIR", help="A folder with a Dockerfile: build it first, judge it, remove it."
)
@click.option("--prove", is_flag=True, help="Apply the findings' remedies in scratch images, and judge again.")
@click.option("--keep", is_flag=True, help="Keep the image that --dockerfile built.")
@click.option("--engine", metavar="COMMAND", help="docker, podman, or a command line that starts one.")
@click.option(
    "--env", "variables", multiple=True, metavar="NAME=VALUE", help="A variable for the container; repeatable."
)
@click.option("--gpus", metavar="GPUS", help="none, or the value of `docker run --gpus`. Default: as the engine can.")
@click.option(
    "--build-option",
    "build_options",
    multiple=True,
    metavar="OPTION",
    help="An option for the engine's build, such as --network=host; repeatable.",
)
@click.option(
    "--run-option",
    "run_options",
    multiple=True,
    metavar="OPTION",
    help="An option for the engine's run, such as --memory=512m, as in production; repeatable.",
)
@click.option(
    "--ca-file",
    type=PATH,
    metavar="FILE",
    help="A CA bundle for --prove's downloads, such as a company proxy's.",
)
@click.option("--expect", metavar="VERDICT", help="The verdict that it should come out as.")
@min_speedup_option
@model_option
@input_option
@out_option
@keep_option
@deadline_option
@suite_option
@results_json_option
@quiet_option
def check(
    python: Path | None,
    prefix: Path | None,
    expect: str | None,
    min_speedup: float | None,
    model: str,
    source: str | None,
    out: Path,
    history: Path | None,
    deadline: float,
    suite: tuple[Path, ...],
    as_json: bool,
    quiet: bool,
    **from_image: Any,
) -> int:
    """Judge an environment that exists; nothing is installed or written in it."""
    from envcheck.check import CheckRequest
    from envcheck.check import check as run_check
    from envcheck.report.progress import Progress

    contained = from_image["image"] is not None or from_image["dockerfile"] is not None
    request = CheckRequest(
        python=None if contained else python,
        prefix=prefix,
        expect=verdict_named(expect),
        min_speedup=min_speedup,
        model=model,
        input=source,
        out=out,
        history=history,
        deadline_s=deadline,
        suites=suite,
    )
    with Progress(quiet=quiet) as progress:
        if contained:
            outcome, proofs = check_image(request, python, from_image, progress)
        else:
            only_for_images(from_image)
            outcome, proofs = run_check(request, progress), ""
    show_results(outcome.results, as_json=as_json, exit_code=outcome.exit_code)
    if proofs:
        click.echo(proofs, err=as_json)
    if outcome.suite and request.suites:
        click.echo(outcome.suite, err=True)
    return outcome.exit_code


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
        variables=tuple(map(pair, options["variables"])),
        gpus=options["gpus"],
        extra=tuple(map(run_option_of, options["run_options"])),
    )
    asked = ImageRequest(
        check=request,
        reference=options["image"],
        dockerfile=options["dockerfile"],
        keep=options["keep"],
        engine=options["engine"],
        wish=wish,
        build_options=options["build_options"],
        ca_file=options["ca_file"],
        prove=options["prove"],
    )
    if not options["prove"]:
        return run_check(asked, progress), ""
    from envcheck.images.proving import prove

    return prove(asked, progress)


def run_option_of(text: str) -> str:
    """An option of the engine's run that leaves the container findable, ours, and spoken to."""
    ours = not OURS.isdisjoint(names_in(text))
    if not text.startswith("-") or ours:
        raise UsageError(
            f"--run-option {text!r} is {'set by envcheck' if ours else 'no option'}",
            remedy="One word, such as --run-option=--memory=512m",
        )
    return text


def names_in(text: str) -> list[str]:
    """The options in one word: -dit are three, -v/a:/b is one with its value."""
    name = text.partition("=")[0]
    if name.startswith("--"):
        return [name]
    flags = re.match("-[ditPq]*.?", name)
    return [f"-{letter}" for letter in flags[0][1:]] if flags else []


def pair(text: str) -> tuple[str, str]:
    """NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not equals or not name or not name.isprintable() or " " in name:
        raise UsageError(f"--env {text!r} is not NAME=VALUE", remedy="Such as --env EGL_PLATFORM=surfaceless")
    return name, value
