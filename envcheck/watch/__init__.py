"""Does this running program use the GPU? Samples what needs no cooperation, then decides in one pure function."""

from __future__ import annotations
