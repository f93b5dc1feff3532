"""bench.json and its pictures, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from envcheck import store
from envcheck.swept import BenchReport

NAME = "bench.json"
STEM = "bench"


def check(out: Path) -> None:
    """Raise UsageError now for a folder that cannot be written when everything is measured."""
    with store.explained(out):
        out.mkdir(parents=True, exist_ok=True)
        store.stage(out / "probe", b"\n").unlink()


def encode(report: BenchReport) -> str:
    """The JSON: keys in a fixed order, numbers of one list on one line."""
    return store.layout(msgspec.to_builtins(report), "") + "\n"


def keep(out: Path, report: BenchReport, pictures: Mapping[str, bytes]) -> None:
    """Write all files; those of the run before stay where that fails. Raises UsageError and EnvcheckError."""
    files = {f"{STEM}.{form}": data for form, data in pictures.items()} | {NAME: encode(report).encode()}
    staged: list[tuple[Path, Path]] = []
    with store.explained(out):
        try:
            for name, data in files.items():
                staged.append((store.stage(out / name, data), out / name))
            store.commit(staged)
        finally:
            store.discard(temporary for temporary, _ in staged)
