"""What `envcheck check --image` takes beyond the same proof in a virtual environment with the same packages.

    python bench/check_image.py IMAGE PREFIX [ROUNDS]

IMAGE and PREFIX hold the same MediaPipe. Rounds alternate; the median of each is compared. Mesa's shader cache is off
on both sides, because a read-only image has none.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from statistics import median

from ledger import note

ALLOWED_S = 1.5
OFF = {"MESA_SHADER_CACHE_DISABLE": "true"}


def seconds(*words: str) -> float:
    """How long one check takes."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        argv = [sys.executable, "-m", "envcheck", "check", *words, "--quiet", "--out", f"{folder}/out"]
        done = subprocess.run(argv, env={**os.environ, **OFF}, capture_output=True, text=True, check=False)
        taken = time.perf_counter() - begun
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    return taken


def main() -> int:
    """Print both medians; 1 where the difference is above what is allowed."""
    image, prefix, rounds = sys.argv[1], sys.argv[2], int((*sys.argv, "5")[3])
    inside, outside = [], []
    for _ in range(rounds):
        variables = [word for name, value in OFF.items() for word in ("--env", f"{name}={value}")]
        inside.append(seconds("--image", image, *variables))
        outside.append(seconds("--prefix", prefix))
    more = median(inside) - median(outside)
    print(f"image {median(inside):.2f} s, venv {median(outside):.2f} s, {more:+.2f} s (allowed {ALLOWED_S} s)")
    note("check --image: beyond the same proof in a venv", more, "s", f"at most {ALLOWED_S} s", met=more <= ALLOWED_S)
    return int(more > ALLOWED_S)


if __name__ == "__main__":
    raise SystemExit(main())
