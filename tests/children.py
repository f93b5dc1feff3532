"""Processes that a test starts and looks at while they run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def child(argv: Sequence[Any], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A process that is gone at the end, its pipes closed, however the test ends: one left would fail another test."""
    with subprocess.Popen(argv, **options) as popen:
        try:
            yield popen
        finally:
            popen.kill()


def compile_imports(python: Any) -> None:
    """Let an interpreter keep the bytecode of what FaceMesh imports, 2 s of each start; checks write nothing."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    imports = "import mediapipe, mediapipe.tasks.python.vision"
    subprocess.run([python, "-c", imports], env=env, capture_output=True, check=False)  # what fails is a test's matter
