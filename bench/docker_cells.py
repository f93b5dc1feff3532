"""Build cells in images: from nothing, one that differs in MediaPipe only, and one that is there.

    python bench/docker_cells.py BASE [--versions 0.10.35 1.2.2] [--network host]

BASE is an image with a Python 3.11 or with apt. It gets a layer of this run's own, so that no earlier build serves the
first cell. Wheels are in uv's cache already, or the first cell would also be timed while it downloads.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ledger import note

from envcheck.backends import configured
from envcheck.engines.local import host_here
from envcheck.environments import prepare
from envcheck.matrix import load
from envcheck.model import Build
from envcheck.request import Choice, selected

REUSED_S = 2.0
"""A cell that is there must be ready within so many seconds."""
FASTER = 3.0
"""A cell that differs in MediaPipe only must be built so many times faster than the first one."""


def main(argv: Sequence[str] | None = None) -> int:
    """Print the three times; 0 if both bars are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base")
    parser.add_argument("--versions", nargs=2, default=("0.10.35", "1.2.2"))
    parser.add_argument("--network", default="null")
    options = parser.parse_args(argv)
    base = f"localhost/envcheck-bench:{secrets.token_hex(6)}"
    docker("build", "--tag", base, "-", given=f"FROM {options.base}\nRUN echo {base} >/bench\n")
    first, other = options.versions
    with tempfile.TemporaryDirectory(prefix="envcheck-bench-") as folder:
        warm(Path(folder), options.versions)
        builds = [built(version, base, options.network, Path(folder)) for version in (first, other, other)]
    docker("image", "rm", "--force", base, *{build.image for build in builds})
    nothing, differs, there = (build.seconds or 0.0 for build in builds)
    print(f"{first} from nothing {nothing:.1f} s, {other} after it {differs:.1f} s, {other} again {there:.2f} s")
    print(f"{nothing / differs:.1f} times faster (bar {FASTER:g}); again {there:.2f} s (bar {REUSED_S:g} s)")
    faster = nothing / differs
    note("docker: build from nothing / of another MediaPipe", faster, "x", f"at least {FASTER:g}", met=faster >= FASTER)
    note("docker: second build", there, "s", f"at most {REUSED_S:g} s", met=there <= REUSED_S)
    return int(faster < FASTER or there > REUSED_S)


def docker(*words: str, given: str = "") -> None:
    """Run docker; its own words where it fails."""
    done = subprocess.run(["docker", *words], input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)


def built(version: str, base: str, network: str, folder: Path, backend: str = "docker") -> Build:
    """How a cell was built."""
    path = folder / "matrix.yaml"
    axes = f'axes: {{backend: [{backend}], python: ["3.11"], mediapipe: ["{version}"]}}'
    path.write_text(f'version: 1\n{axes}\nbackends: {{docker: {{images: {{none: "{base}"}}, network: {network}}}}}\n')
    asked, env = load(path), dict(os.environ)
    (cell,) = selected(asked, Choice(), None)
    known = configured(asked.backends, host_here(env), env)
    build = prepare(cell, cache=folder / "cache", env=env, backends=known).build
    if build.outcome not in ("built", "reused"):
        raise SystemExit(f"{cell.id}: {build.outcome}: {build.because}\n{build.log}")
    return build


def warm(folder: Path, versions: Sequence[str]) -> None:
    """Put the wheels into uv's cache, by a virtual environment of each version."""
    for version in versions:
        built(version, "none", "null", folder, backend="venv")


if __name__ == "__main__":
    sys.exit(main())
