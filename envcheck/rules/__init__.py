"""Evidence -> Findings: why, and what to do. One file per family; the order of RULES puts root causes first.

GPU1xx driver and devices, EGL2xx OpenGL ES and EGL, CTR3xx containers, MPP4xx MediaPipe, Python and packages,
BEN5xx measurement, RES6xx processes and resources, CUD7xx CUDA, SRC8xx source code.
"""

from __future__ import annotations

from envcheck.model import Evidence, Finding, Judgement
from envcheck.rules import (
    ben,
    ctr,
    cud,
    egl,
    egl_files,
    egl_steering,
    gpu,
    gpu_state,
    image,
    limits,
    load,
    mpp,
    packages,
    platforms,
    res,
    settings,
)
from envcheck.rules.rule import Case, Rule, apply

RULES: tuple[Rule, ...] = (
    *mpp.BUILD,
    *cud.BUILD,
    *limits.RULES,
    *res.RULES,
    *image.RULES,
    *platforms.RULES,
    *ctr.RULES,
    *gpu.DRIVER,
    *egl_files.RULES,
    *egl_steering.RULES,
    *mpp.LIBRARIES,
    *packages.RULES,
    *mpp.RUN,
    *gpu.VERDICTS,
    *egl.RULES,
    *ben.RULES,
    *cud.RUN,
    *gpu_state.RULES,
    *load.RULES,
    *settings.RULES,
)
"""Every rule, causes before consequences: what was known before, a process that ended badly, platform, container, driver, EGL's files and what
steers EGL, packages; then what the run itself said; last what is beside the question (CUDA at run time, remarks)."""

BY_CODE = {rule.code: rule for rule in RULES}


def findings(evidence: Evidence, judgement: Judgement) -> tuple[Finding, ...]:
    """What the rules say of one judged cell; the root cause first."""
    asked = (BY_CODE[res.LOST],) if evidence.lost else RULES
    return apply(asked, Case(evidence, judgement))


__all__ = ["BY_CODE", "RULES", "Case", "Rule", "findings"]
