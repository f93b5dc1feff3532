"""Fleet -> a child pipeline of GitLab: one job per kind of host with a row for each shard, and one that merges.

What may vary reaches a script through variables alone; `rows` are shards, which are digits and a stroke.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from envcheck.pipelines.jobs import Fleet, Job
from envcheck.pipelines.runners import Runners
from envcheck.pipelines.yamltext import render as render_yaml

MOST = 200
"""Jobs of one `parallel:matrix` (docs.gitlab.com/ci/yaml, parallel:matrix, 2026-11); here of all of them together."""
HEADING = (
    "Made by `envcheck plan --format gitlab`: a child pipeline, docs/fleet.md#gitlab.",
    "The parent gives PARENT_PIPELINE_ID, in which the job `plan` left plan.json and durations.json.",
)
FROM_PLAN = {"pipeline": "$PARENT_PIPELINE_ID", "job": "plan"}
INSTALL = ("python3 -m venv .venv", '.venv/bin/pip install --quiet "$ENVCHECK_PACKAGE"')
VALIDATE = (
    'set -- --quiet --driver "$DRIVER" --shard "$SHARD" --durations durations.json',
    'set -- "$@" --out "results/$KIND-$CI_NODE_INDEX"',
    'if [ -n "${ENVCHECK_MATRIX:-}" ]; then set -- "$@" --matrix "$ENVCHECK_MATRIX"; fi',
    'if [ -n "${ENVCHECK_TIER:-}" ]; then set -- "$@" --tier "$ENVCHECK_TIER"; fi',
    'if [ -n "${ENVCHECK_KEY_FILE:-}" ]; then set -- "$@" --sign-key "$ENVCHECK_KEY_FILE"; fi',
    '.venv/bin/envcheck validate "$@"',
)
MERGE = (
    "set -- --expected plan.json --history history.sqlite",
    'if [ -n "${ENVCHECK_KEY_FILE:-}" ]; then set -- "$@" --verify-key "$ENVCHECK_KEY_FILE"; fi',
    'status=0; .venv/bin/envcheck merge "$@" results || status=$?',
    ".venv/bin/envcheck report --history history.sqlite --format html --output table.html",
    ".venv/bin/envcheck report --history history.sqlite --format junit --output junit.xml",
    'exit "$status"',
)


def render(fleet: Fleet, runners: Runners) -> str:
    """The text of the child pipeline."""
    kinds = [(driver, list(jobs)) for driver, jobs in groupby(fleet.jobs, key=lambda job: job.driver)]
    named = {name_of(driver): cells_job(driver, jobs, runners) for driver, jobs in kinds}
    base: dict[str, Any] = {"stages": ["cells", "merge"], "variables": {"ENVCHECK_PACKAGE": "envcheck"}}
    document = {**base, ".cells": template(), **named, "merge": merge_job(list(named), runners)}
    return render_yaml([document], HEADING)


def name_of(driver: str) -> str:
    """The name of the job for one kind of host."""
    return f"cells-r{re.sub(r'[^A-Za-z0-9.]', '-', driver)}"


def template() -> dict[str, Any]:
    """What all jobs that run cells have in common."""
    return {
        "stage": "cells",
        "needs": [FROM_PLAN],
        "before_script": list(INSTALL),
        "script": list(VALIDATE),
        "retry": {"max": 1, "exit_codes": [75]},
        "artifacts": {"when": "always", "expire_in": "30 days", "paths": ["results/"]},
    }


def cells_job(driver: str, jobs: Sequence[Job], runners: Runners) -> dict[str, Any]:
    """The job of one kind of host, a row for each shard."""
    return {
        "extends": ".cells",
        "tags": list(runners.labels(driver)),
        "variables": {"DRIVER": driver, "KIND": name_of(driver)},
        "parallel": {"matrix": [{"SHARD": [job.shard for job in jobs]}]},
    }


def merge_job(names: Sequence[str], runners: Runners) -> dict[str, Any]:
    """The job that brings the results together, whatever became of the others: what one did not deliver is its news."""
    needed = [{"job": name, "artifacts": True, "optional": True} for name in names]
    return {
        "stage": "merge",
        "tags": list(runners.base),
        "needs": [FROM_PLAN, *needed],
        "when": "always",
        "before_script": list(INSTALL),
        "script": list(MERGE),
        "artifacts": {
            "when": "always",
            "expire_in": "90 days",
            "paths": ["history.sqlite", "table.html"],
            "reports": {"junit": "junit.xml"},
        },
    }
