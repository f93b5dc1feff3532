"""The corpus: every case of every family."""

from __future__ import annotations

from tests.faults.case import Case
from tests.faults.cases import ctr, egl, gpu

CASES: tuple[Case, ...] = (*gpu.CASES, *egl.CASES, *ctr.CASES)
