"""Options that several commands share and that mean one thing together: cells, a part of them, a whole run."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envcheck.cli.app import (
    backend_option,
    deadline_option,
    driver_option,
    durations_option,
    input_option,
    jobs_option,
    matrix_option,
    min_speedup_option,
    model_option,
    out_option,
    relock_option,
    select_option,
    shard_option,
    sign_key_option,
    suite_option,
    tier_option,
)

if TYPE_CHECKING:
    from envcheck.request import Choice, Portion

Body = Callable[..., int]


def which_cells(body: Body) -> Body:
    """The options that choose cells. The body takes them as `matrix` (a path, or None) and `choice`."""

    @matrix_option
    @tier_option
    @select_option
    @backend_option
    @wraps(body)
    def gathering(tier: str | None, select: str | None, backend: str | None, **others: Any) -> int:
        from envcheck.request import Choice

        return body(choice=Choice(tier=tier, select=select, backend=backend), **others)

    return gathering


def which_part(body: Body) -> Body:
    """The options that take a part of the chosen cells. The body takes them as `portion`."""

    @driver_option
    @shard_option
    @durations_option
    @wraps(body)
    def gathering(driver: str | None, shard: str | None, durations: Path | None, **others: Any) -> int:
        from envcheck.request import Portion

        return body(portion=Portion(driver, shard, durations), **others)

    return gathering


def what_run(body: Body) -> Body:
    """The options of a run of a part of the matrix. The body takes them as `request`."""

    @which_cells
    @which_part
    @min_speedup_option
    @model_option
    @input_option
    @out_option
    @jobs_option
    @deadline_option
    @suite_option
    @sign_key_option
    @relock_option
    @wraps(body)
    def gathering(
        matrix: Path | None,
        choice: Choice,
        portion: Portion,
        min_speedup: float | None,
        model: str,
        source: str | None,
        out: Path,
        jobs: int,
        deadline: float,
        suite: tuple[Path, ...],
        sign_key: Path | None,
        relock: bool,
        **others: Any,
    ) -> int:
        from envcheck.request import Request

        request = Request(
            matrix=matrix,
            choice=choice,
            portion=portion,
            min_speedup=min_speedup,
            model=model,
            input=source,
            out=out,
            jobs=jobs,
            deadline_s=deadline,
            suites=suite,
            sign_key=sign_key,
            relock=relock,
        )
        return body(request=request, **others)

    return gathering
