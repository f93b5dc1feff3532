"""Cases run two at a time from the first test on; each test waits for its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import unable
from tests.faults.case import Case
from tests.faults.running import Ground, Ran
from tests.faults.worlds import World

PYTHON = "3.11"
AT_ONCE = 2
KEPT = "ENVCHECK_FAULT_ENVIRONMENTS"
"""A folder in which environments under test are kept from one run of the tests to the next."""

Question = tuple[World, tuple[str, ...], float]


class Corpus:
    """Worlds and commands on their way. What several cases ask is asked once."""

    def __init__(self, ground: Ground, pool: ThreadPoolExecutor) -> None:
        self.ground, self.pool = ground, pool
        self.asked: dict[str, Future[Ran]] = {}

    def ask(self, world: World, case: Case) -> Future[Ran]:
        """What the case's command says in a world, as soon as it is known."""
        key = repr((world, case.command))
        if key not in self.asked:
            command = (sys.executable, "-m", "envcheck", *case.command)
            self.asked[key] = self.pool.submit(self.ground.run, world, command, case.deadline_s)
        return self.asked[key]


def built_environments(folder: Path, versions: set[str]) -> dict[str, Path]:
    """An environment with each MediaPipe version, its interpreter by version."""
    for version in sorted(versions):
        prefix = folder / version
        if not (prefix / "ready").exists():
            run = [sys.executable, "-m", "uv"]
            subprocess.run([*run, "venv", "-q", "--clear", "--python", PYTHON, prefix], check=True)
            subprocess.run([*run, "pip", "install", "-q", "--python", prefix, f"mediapipe=={version}"], check=True)
            (prefix / "ready").touch()
    return {version: folder / version / "bin" / "python" for version in versions}


@pytest.fixture(scope="session")
def corpus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    """Ask everything that the selected tests will want, in their order."""
    if shutil.which("gcc") is None:
        unable("needs gcc; enable with: apt-get install gcc")
    selected = [item.callspec.params.get("case") for item in request.session.items if hasattr(item, "callspec")]
    cases = list({case.id: case for case in selected if isinstance(case, Case)}.values())
    folder = Path(os.environ[KEPT]) if KEPT in os.environ else tmp_path_factory.mktemp("environments")
    versions = {world.mediapipe for case in cases for world in (case.world, case.twin) if world.mediapipe}
    ground = Ground(tmp_path_factory.mktemp("ground"), built_environments(folder, versions))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        corpus = Corpus(ground, pool)
        for case in cases:
            corpus.ask(case.world, case)
            corpus.ask(case.twin, case)
        yield corpus
        pool.shutdown(cancel_futures=True)
