"""Which of the wheels on an index is meant by a version, a platform and a Python."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from envcheck.errors import UsageError
from envcheck.index.listing import Offered, versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LATEST = "latest"
ANY_PYTHON = "py3"


def as_version(text: str) -> str | None:
    """`text` as a version that can be looked for: "1.2.2", "mediapipe==1.2.2", "latest"; None where it is none."""
    wanted = text.strip().lower().removeprefix("mediapipe==")
    if wanted == LATEST:
        return LATEST
    try:
        return str(Version(wanted))
    except InvalidVersion:
        return None


def choose(wheels: Sequence[Offered], version: str, platform: str, python: str | None, fallback: str) -> Offered:
    """The wheel. `python` such as "3.11" must fit; without it, `fallback` is preferred and any other will do.

    Raises UsageError that names what there is.
    """
    exact = _version(wheels, version)
    found = [wheel for wheel in wheels if wheel.version == exact]
    here = [wheel for wheel in found if platform in wheel.platforms]
    if not here:
        others = ", ".join(sorted({name for wheel in found for name in wheel.platforms}))
        raise UsageError(f"MediaPipe {exact} has no wheel for {platform}", remedy=f"--platform can be: {others}.")
    fits = [wheel for wheel in here if python is None or _tag(python) in wheel.pythons or ANY_PYTHON in wheel.pythons]
    if not fits:
        tags = ", ".join(sorted({_python(tag) for wheel in here for tag in wheel.pythons}, key=Version))
        message = f"MediaPipe {exact} has no wheel for Python {python} on {platform}"
        raise UsageError(message, remedy=f"--python can be: {tags}.")
    return preferred(fits, fallback, platform)


def preferred(wheels: Iterable[Offered], python: str, platform: str) -> Offered:
    """Of several wheels for a platform: that of `python`, else of the newest one; made for that platform alone."""

    def rank(wheel: Offered) -> tuple[bool, bool, list[int], str]:
        newest = [max(int(_python(tag).partition(".")[2] or 0) for tag in wheel.pythons)]
        return _tag(python) in wheel.pythons, wheel.platforms == (platform,), newest, wheel.name

    return max(wheels, key=rank)


def _version(wheels: Sequence[Offered], wanted: str) -> str:
    known = versions(wheels)
    if not known:
        raise UsageError("the package index has no wheel of MediaPipe", remedy="Check your index settings.")
    if wanted == LATEST:
        return next((v for v in reversed(known) if not Version(v).is_prerelease and not _yanked(wheels, v)), known[-1])
    if wanted in known:
        return wanted
    near = difflib.get_close_matches(wanted, known, n=4, cutoff=0.5) or list(known[-4:])
    raise UsageError(
        f"MediaPipe {wanted} is not on the package index",
        remedy=f"It has {len(known)} versions, from {known[0]} to {known[-1]}; near: {', '.join(near)}.",
    )


def _yanked(wheels: Sequence[Offered], version: str) -> bool:
    return all(wheel.yanked for wheel in wheels if wheel.version == version)


def _tag(python: str) -> str:
    return "cp" + "".join(python.split(".")[:2])


def _python(tag: str) -> str:
    """ "cp311" as "3.11", "py3" as "3"."""
    digits = tag[2:]
    return f"{digits[:1]}.{digits[1:]}" if len(digits) > 1 else digits
