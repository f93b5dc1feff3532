"""`envcheck watch` run to its end, and what it left: shared by the tests of how it watches and of what it concludes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.functional.conftest import environment

ENVCHECK = (sys.executable, "-m", "envcheck")
DEADLINE_S = 600
"""Only a hang takes this long."""


@dataclass(frozen=True)
class Watched:
    """What one watched run left."""

    code: int
    stdout: bytes
    stderr: bytes
    report: dict[str, Any]

    @property
    def verdict(self) -> str:
        """The word."""
        return str(self.report["verdict"])

    @property
    def codes(self) -> list[str]:
        """Codes of the findings, in their order."""
        return [finding["code"] for finding in self.report["findings"]]


def watch(
    *command: str,
    options: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    wrapper: Sequence[str] = (),
    folder: Path,
    envcheck: Sequence[str] = ENVCHECK,
) -> Watched:
    """Run `envcheck watch OPTIONS -- COMMAND` to its end."""
    path = folder / "report.json"
    path.unlink(missing_ok=True)
    argv = [*wrapper, *envcheck, "watch", "--json", str(path), *options, *(("--", *command) if command else ())]
    done = subprocess.run(
        argv, input=stdin, capture_output=True, env=environment(env or {}), timeout=DEADLINE_S, check=False, cwd=folder
    )
    report = json.loads(path.read_text(encoding="utf-8") or "{}") if path.exists() else {}
    return Watched(done.returncode, done.stdout, done.stderr, report)
