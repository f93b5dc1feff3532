"""What the payloads host, container and libraries print -> Facts."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from envcheck.facts import Facts, Packages
from envcheck.probes.answers import GARBAGE, QUOTE, as_tagged, decode_object
from envcheck.record import Unread

NO_PACKAGES = Unread(reason="not looked")
PARTS = ("system", "module", "devices", "container", "resources", "libraries", "gl", "cuda")
"""What the lines of a whole answer hold between them."""


def parse_devices(output: bytes) -> tuple[str, ...] | Unread:
    """The names in the last line that the payload tfdevices printed."""
    answer = decode_object(output.splitlines()[-1] if output.strip() else b"")
    if isinstance(answer, Unread):
        return answer
    try:
        return msgspec.convert(answer.get("gpus"), tuple[str, ...])
    except msgspec.ValidationError as error:
        return Unread(reason=f"the answer is no list of devices: {error}")


def parse_facts(output: bytes, packages: Packages | Unread = NO_PACKAGES) -> Facts | Unread:
    """The facts in the lines that the three payloads printed; Unread where a line is missing or is no answer."""
    answer: dict[str, object] = {}
    noise: Unread | None = None
    for line in output.splitlines():
        part = decode_object(line) if line.strip() else {}
        if isinstance(part, Unread):
            if not part.reason.startswith(GARBAGE):
                return part
            noise = noise or part
            continue
        if twice := sorted(answer.keys() & part.keys()):
            return Unread(reason=f"{GARBAGE}: {', '.join(twice)} told twice")
        answer |= part
    if missing := [name for name in PARTS if name not in answer]:
        return noise or Unread(reason=f"the answer is cut short: no {', '.join(missing)} in {output[-QUOTE:]!r}")
    driver = {"module": answer.pop("module"), "libraries": answer.pop("libraries")}
    try:
        facts = msgspec.convert(as_tagged(answer | {"driver": driver, "packages": {"unread": ""}}), Facts)
    except msgspec.ValidationError as error:
        return Unread(reason=f"the answer is not Facts: {error}")
    return replace(facts, packages=packages)
