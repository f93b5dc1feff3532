"""Keep evidence of a real run as golden: `python tests/golden/record.py OUT/evidence/CELL.json WHAT`.

Writes tests/golden/recorded/VERDICT/WHAT.json, judged again by test_recorded.py. WHAT says which MediaPipe, GPU, driver
and date. Paths of the home and of the cache are shortened, and the log of the build is left out; look through the rest.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from msgspec.structs import replace

from envcheck import environments, store
from envcheck.judge import judge

RECORDED = Path(__file__).parent / "recorded"


def shortened(text: str) -> str:
    """The text without this machine's cache and home."""
    for path, short in ((str(environments.cache_folder(os.environ)), "/cache"), (str(Path.home()), "~")):
        text = text.replace(path, short)
    return text


def main(source: Path, what: str) -> Path:
    """Write the golden file; its path."""
    (evidence,) = store.load_evidence(source)
    build = evidence.build and replace(evidence.build, log="", lock=None)
    evidence = replace(evidence, build=build)
    target = RECORDED / judge(evidence).verdict.value / f"{what}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(shortened(store.encode_evidence(evidence)), encoding="utf-8")
    return target


if __name__ == "__main__":
    sys.stdout.write(f"{main(Path(sys.argv[1]), sys.argv[2])}\n")
