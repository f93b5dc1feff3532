"""A worker: one plan in, one delivery out. Everything is looked at on this machine; nothing is judged here."""

from __future__ import annotations

from collections.abc import Mapping

from envcheck import validate
from envcheck.engines import plans
from envcheck.engines.local import InterruptedJobError
from envcheck.engines.plans import Delivery, Plan
from envcheck.errors import EnvcheckError, InterruptedRunError, UsageError
from envcheck.matrix import Matrix
from envcheck.model import Evidence
from envcheck.report.progress import Progress
from envcheck.request import Request


def work(plan: Plan, env: Mapping[str, str], progress: Progress) -> tuple[Delivery, EnvcheckError | None]:
    """What is delivered for a plan, and the error where that is only why there is no evidence.

    Raises InterruptedRunError: who interrupts a worker does not wait for its answer.
    """
    try:
        return plans.answer(plan, observe(plan, env, progress)), None
    except InterruptedJobError:
        raise InterruptedRunError("interrupted") from None
    except InterruptedRunError:
        raise
    except EnvcheckError as error:
        return plans.failure(plan, error), error


def observe(plan: Plan, env: Mapping[str, str], progress: Progress) -> Evidence:
    """The evidence of the plan's cell on this host."""
    asked = Matrix(name="the plan", axes={}, workload=plan.workload, gate=plan.gate, backends=plan.backends)
    request = Request(
        model=plan.model, preflight=plan.preflight, relock=plan.relock, deadline_s=plan.deadline_s, jobs=1, env=env
    )
    job = validate.job_of(request, asked, [plan.cell], progress)
    check_material(plan, job.setting.model.sha256, job.setting.material.frames.record.sha256)
    (evidence,) = validate.run(job, progress)
    return evidence


def check_material(plan: Plan, model: str, frames: str) -> None:
    """Raise UsageError where this host has another model or input than the plan means."""
    if model != plan.model_sha256:
        raise UsageError(f"the model {plan.model} is another file here", remedy="Put the same on every host.")
    if frames != plan.frames_sha256:
        raise UsageError(
            f"the input {plan.workload.input} gives other frames here", remedy="Put the same on every host."
        )
