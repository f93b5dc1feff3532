# /// script
# requires-python = ">=3.10"
# dependencies = ["pip>=24"]
# ///
"""Write envcheck/data/portrait.png: the astronaut of scikit-image, taken from its pinned wheel unchanged.

    uv run scripts/make_portrait.py [--wheel FILE] [--output FILE]

`--wheel` names the wheel if it was downloaded before; otherwise pip fetches it, by hash, under the user's own settings.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pinned_wheel import PinnedWheel, publish

PORTRAIT = Path(__file__).resolve().parents[1] / "envcheck" / "data" / "portrait.png"
MEMBER = "skimage/data/astronaut.png"
MEMBER_SHA256 = "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"
WHEEL = PinnedWheel(
    requirement="scikit-image==0.26.0",
    filename="scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
    sha256="74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
    python="3.11",
    platform="manylinux_2_28_x86_64",
)


def main() -> None:
    """Extract, check and write the portrait."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, help=WHEEL.filename)
    parser.add_argument("--output", type=Path, default=PORTRAIT)
    arguments = parser.parse_args()
    publish(WHEEL.members({MEMBER: MEMBER_SHA256}, arguments.wheel)[MEMBER], arguments.output)


if __name__ == "__main__":
    main()
