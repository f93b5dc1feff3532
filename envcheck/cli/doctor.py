"""`envcheck doctor`: what this host has, and why FaceMesh would not use its GPU."""

from __future__ import annotations

from pathlib import Path

import click

from envcheck.cli.app import LONGEST_S, PATH, above_zero, command, look_of_stdout, write

DOCTOR_EPILOG = "Exit codes: 0 no finding speaks against the GPU (which proves nothing); 1 one does; 2 usage error."


@command(epilog=DOCTOR_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print facts and findings as JSON.")
@click.option(
    "--python",
    type=PATH,
    metavar="EXE",
    help="The interpreter to ask. Default: the active environment's, else envcheck's own.",
)
@click.option("--prefix", type=PATH, metavar="DIR", help="The environment's folder, in place of its interpreter.")
@click.option(
    "--deadline",
    type=float,
    default=20.0,
    callback=above_zero(LONGEST_S),
    metavar="SECONDS",
    help="Seconds that EGL, NVML or CUDA may take to answer.",
)
def doctor(as_json: bool, python: Path | None, prefix: Path | None, deadline: float) -> int:
    """Say what this host has, and why FaceMesh would not use its GPU; nothing is run or installed."""
    from envcheck.doctor import DoctorRequest, encode, exit_code
    from envcheck.doctor import doctor as run_doctor

    request = DoctorRequest(python=python, prefix=prefix, deadline_s=deadline)
    diagnosis = run_doctor(request)
    if as_json:
        write([encode(diagnosis)])
    else:
        from envcheck.report import doctor as report

        look = look_of_stdout()
        write([report.render(diagnosis, width=look.width, colour=look.colour, encoding=look.encoding)])
    return exit_code(diagnosis)
