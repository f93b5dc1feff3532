"""What kind of device a GL vendor, renderer and version string speak of. Names can lie: never believed alone."""

from __future__ import annotations

import re

from envcheck.model import Says

SOFTWARE = re.compile(r"llvmpipe|softpipe|swrast|swiftshader|software|lavapipe|microsoft basic render", re.IGNORECASE)
NVIDIA_DRIVER = re.compile(r"\bNVIDIA \d+(\.\d+)+")
NOTHING_NAMED = frozenset({"", "(null)"})
INDIRECT = re.compile(r"mesa|d3d12|zink|virgl|nouveau|angle|venus", re.IGNORECASE)


def classify(renderer: str | None, version: str, vendor: str = "") -> Says:
    """HARDWARE for NVIDIA's own GL driver, SOFTWARE for a rasteriser, OTHER_GPU for any other named device.

    NVIDIA hardware behind Mesa (nouveau, zink), D3D12 or a virtual GPU is OTHER_GPU: not the driver that was asked for.
    Where no renderer is told (None), the version of NVIDIA's driver is enough, and no other version tells the device.
    """
    if renderer is None:
        return Says.HARDWARE if NVIDIA_DRIVER.search(version) and not INDIRECT.search(version) else Says.CANNOT_KNOW
    if renderer.strip() in NOTHING_NAMED:
        return Says.CANNOT_KNOW
    if SOFTWARE.search(renderer):
        return Says.SOFTWARE
    words = f"{vendor} {renderer} {version}"
    if NVIDIA_DRIVER.search(version) and not INDIRECT.search(words):
        return Says.HARDWARE
    return Says.OTHER_GPU
