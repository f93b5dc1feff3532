"""The corpus: every case of every family."""

from __future__ import annotations

from tests.faults.case import Case
from tests.faults.cases import ben, ctr, cud, egl, gpu, lie, mpp, res, src

CASES: tuple[Case, ...] = (
    *lie.CASES,
    *res.CASES,
    *mpp.CASES,
    *egl.CASES,
    *gpu.CASES,
    *ctr.CASES,
    *cud.CASES,
    *ben.CASES,
    *src.CASES,
)
"""Those that take long come first, so that none of them is left alone at the end."""
