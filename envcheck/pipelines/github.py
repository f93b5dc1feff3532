"""Fleet -> the matrix of a job of GitHub Actions, on one line: a step's output ends at a line break."""

from __future__ import annotations

import msgspec

from envcheck.model import Axes
from envcheck.pipelines.jobs import Fleet, Job
from envcheck.pipelines.runners import Runners

MOST = 256
"""Jobs that a matrix may have in one run, on runners of one's own too (docs.github.com, Actions limits, 2026-11)."""


def render(fleet: Fleet, runners: Runners) -> str:
    """{"include": [{"id", "driver", "shard", "cells", "runs_on"}]}, and the axes where a job has one cell."""
    axes = {cell.id: cell.axes for cell in fleet.cells}
    rows = [row(job, runners, axes.get(job.id)) for job in fleet.jobs]
    return msgspec.json.encode({"include": rows}).decode() + "\n"


def row(job: Job, runners: Runners, axes: Axes | None) -> dict[str, object]:
    """One job, with `driver` and `shard` as `envcheck validate` takes them."""
    given = {} if axes is None else msgspec.to_builtins(axes)
    told = {"id": job.id, "driver": job.driver, "shard": job.shard, "cells": len(job.cells)}
    return {**given, **told, "runs_on": runners.labels(job.driver)}
