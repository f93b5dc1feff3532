"""Cases run two at a time from the first test on; each test waits for its own."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.children import compile_imports
from tests.conftest import unable
from tests.faults.case import Case
from tests.faults.running import Ground, Ran
from tests.faults.worlds import World

PYTHON = "3.11"
AT_ONCE = 2
KEPT = "ENVCHECK_FAULT_ENVIRONMENTS"
"""A folder in which environments under test are kept from one run of the tests to the next."""


@dataclass
class Corpus:
    """Worlds and commands on their way. What several cases ask is asked once, by whichever of pytest's workers comes
    first: it claims the question by a folder in `answers`."""

    ground: Ground
    answers: Path
    ended: threading.Event = field(default_factory=threading.Event)

    def place(self, world: World, case: Case) -> Path:
        """Where the answer lies: the same for cases that ask the same."""
        return self.answers / hashlib.sha256(repr((world, case.command)).encode()).hexdigest()[:24]

    def ask(self, cases: Sequence[Case]) -> None:
        """Answer what nobody has claimed, in the order of the cases."""
        for case in cases:
            for world in (case.world, case.twin.world):
                if not self.ended.is_set() and claimed(self.place(world, case)):
                    self.answer(world, case)

    def answer(self, world: World, case: Case) -> None:
        """Run the command in the world, and write down what came of it."""
        try:
            command = (sys.executable, "-m", "envcheck", *case.command)
            text = self.ground.run(world, command, case.deadline_s).written()
        except Exception as error:  # noqa: BLE001 - whoever waits for the answer shall see it
            text = repr(error)
        unfinished = self.place(world, case) / "unfinished"
        unfinished.write_text(text, encoding="utf-8")
        unfinished.rename(unfinished.with_name("answer"))

    def ran(self, world: World, case: Case) -> Ran:
        """What the case's command says in a world, as soon as it is known."""
        answer = self.place(world, case) / "answer"
        while not answer.exists():
            time.sleep(0.05)
        return Ran.read(answer.read_text(encoding="utf-8"))


def claimed(place: Path) -> bool:
    """True for the first who asks."""
    try:
        place.mkdir(parents=True)
    except FileExistsError:
        return False
    return True


def built_environments(folder: Path, versions: set[str]) -> dict[str, Path]:
    """An environment with each MediaPipe version, its interpreter by version; built by one worker at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for version in sorted(versions):
            prefix = folder / version
            if not (prefix / "ready").exists():
                run = [sys.executable, "-m", "uv"]
                subprocess.run([*run, "venv", "-q", "--clear", "--python", PYTHON, prefix], check=True)
                subprocess.run([*run, "pip", "install", "-q", "--python", prefix, f"mediapipe=={version}"], check=True)
                compile_imports(prefix / "bin" / "python")
                (prefix / "ready").touch()
    return {version: folder / version / "bin" / "python" for version in versions}


def of_all_workers(factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run of pytest share."""
    base = factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "faults"


@pytest.fixture(scope="session")
def corpus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    """Ask everything that the selected tests will want, in their order."""
    if shutil.which("gcc") is None:
        unable("needs gcc; enable with: apt-get install gcc")
    selected = [item.callspec.params.get("case") for item in request.session.items if hasattr(item, "callspec")]
    cases = list({case.id: case for case in selected if isinstance(case, Case)}.values())
    shared = of_all_workers(tmp_path_factory)
    folder = Path(os.environ.get(KEPT, shared / "environments"))
    versions = {world.mediapipe for case in cases for world in (case.world, case.twin.world) if world.mediapipe}
    ground = Ground(tmp_path_factory.mktemp("ground"), built_environments(folder, versions))
    corpus = Corpus(ground, shared / "answers")
    askers = [threading.Thread(target=corpus.ask, args=(cases,)) for _ in range(AT_ONCE)]
    for asker in askers:
        asker.start()
    yield corpus
    corpus.ended.set()
    for asker in askers:
        asker.join()
