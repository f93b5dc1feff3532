"""The corpus: every case of every family."""

from __future__ import annotations

from tests.faults.case import Case
from tests.faults.cases import ctr, cud, egl, gpu, mpp, res, src

CASES: tuple[Case, ...] = (
    *gpu.CASES,
    *egl.CASES,
    *ctr.CASES,
    *mpp.CASES,
    *res.CASES,
    *cud.CASES,
    *src.CASES,
)
