"""logs/<cell>.log: what the installer and MediaPipe's native code printed, for people who read logs."""

from __future__ import annotations

from envcheck.model import Evidence, WorkerRun
from envcheck.report.plain import visible


def render(evidence: Evidence) -> str:
    """The logs of one cell, each under a heading; what steers a terminal is shown, never obeyed. Empty without any."""
    build = [("environment", evidence.build.log)] if evidence.build is not None and evidence.build.log else []
    runs = {"delegate=CPU": evidence.cpu, "delegate=GPU": evidence.gpu, "legacy FaceMesh": evidence.legacy}
    workers = [(title, log_of(run)) for title, run in runs.items() if run and (run.log or run.error)]
    return "\n".join(f"== {title}\n{visible(text, keep_lines=True)}\n" for title, text in (*build, *workers))


def log_of(run: WorkerRun) -> str:
    """The native log of a worker and the error it ended with, if it did."""
    dropped = [f"({run.log_dropped} lines in the middle were dropped)"] if run.log_dropped else []
    error = [f"{run.error_type}: {run.error}"] if run.error else []
    return "\n".join((*run.log, *dropped, *error))
