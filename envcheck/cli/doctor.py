"""`envcheck doctor`: what this host has, and why FaceMesh would not use its GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envcheck.cli.app import QuickCommand, app, look_of_stdout, positive, write


@app.command(
    cls=QuickCommand,
    epilog="Exit codes: 0 no finding speaks against the GPU (which proves nothing); 1 one does; 2 usage error.",
)
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print facts and findings as JSON.")] = False,
    python: Annotated[
        Path | None,
        typer.Option(help="The interpreter to ask. Default: the active environment's, else envcheck's own."),
    ] = None,
    prefix: Annotated[Path | None, typer.Option(help="The environment's folder, in place of its interpreter.")] = None,
    deadline: Annotated[
        float | None, typer.Option(help="Seconds that EGL, NVML or CUDA may take to answer. Default: 20.")
    ] = None,
) -> None:
    """Say what this host has, and why FaceMesh would not use its GPU; nothing is run or installed."""
    from envcheck.doctor import DoctorRequest, encode, exit_code
    from envcheck.doctor import doctor as run_doctor

    deadline_s = 20.0 if deadline is None else positive("--deadline", deadline)
    diagnosis = run_doctor(DoctorRequest(python=python, prefix=prefix, deadline_s=deadline_s))
    if as_json:
        write([encode(diagnosis)])
    else:
        from envcheck.report import doctor as report

        look = look_of_stdout()
        write([report.render(diagnosis, width=look.width, colour=look.colour, encoding=look.encoding)])
    raise typer.Exit(exit_code(diagnosis))
