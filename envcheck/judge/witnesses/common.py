"""What several witnesses share: origins, the driver's version, and the contrast with the CPU worker."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from envcheck.facts import Facts, KernelModule
from envcheck.model import Evidence, Nvml, Says, Witness, WorkerRun
from envcheck.probes import nativelog

WORDS, MAPS, DESCRIPTORS, NVML, RESULTS = "words", "maps", "descriptors", "nvml", "results"
"""Origins: what libraries print of themselves; the kernel's view of the worker's memory; of its open files; the
driver's management interface; what came out of the work."""

DRIVER_WORD = re.compile(r"\bNVIDIA (?P<version>\d+(\.\d+)+)")

BUILT_IMAGES = "docker"
"""The backend whose cells run in images that envcheck builds."""
BY_THE_IMAGES_ACCOUNT = (
    "by the image's own account; only the kernel's is believed, which is shown to root on the engine's machine"
)
BY_ITS_OWN_ACCOUNT = (
    "by the worker's own account; only the kernel's is believed, which it keeps from this user: look as root, on the "
    "machine on which the worker runs"
)

Sign = Callable[[WorkerRun], tuple[Says, str]]


def contrasted(evidence: Evidence, witness: tuple[str, str, str], sign: Sign) -> Witness:
    """The GPU worker's sign, weighed against the CPU worker's: what both show proves nothing by itself.

    `witness` is (name, needs, origin).
    """
    name, needs, origin = witness
    says, saw = sign(evidence.gpu)
    on_gl = nativelog.ran_on_gl(nativelog.calculators(evidence.gpu.log))
    if says is Says.HARDWARE and not on_gl and sign(evidence.cpu)[0] is Says.HARDWARE:
        return Witness(name, Says.NOTHING, f"{saw}; the CPU worker shows the same", needs, origin)
    if says is Says.HARDWARE and (doubt := own_account(evidence, origin)):
        return Witness(name, Says.CANNOT_KNOW, f"{saw}, {doubt}", needs, origin)
    return Witness(name, says, saw, needs, origin)


def own_account(evidence: Evidence, origin: str) -> str:
    """Why what the GPU worker shows of itself does not speak for hardware; empty where the kernel or the driver showed
    it, and in a container whose image envcheck built: there the kernel shows the process to root alone."""
    if evidence.gpu.looked_from == "outside":
        return ""
    if evidence.image is not None:
        return BY_THE_IMAGES_ACCOUNT
    told_by_itself = origin in (MAPS, DESCRIPTORS) and evidence.cell.axes.backend != BUILT_IMAGES
    return BY_ITS_OWN_ACCOUNT if told_by_itself else ""


def module_versions(evidence: Evidence) -> frozenset[str]:
    """Versions of the NVIDIA kernel module, by all who could say; empty where nobody could.

    NVML's is the driver's own answer; the files under /proc are the kernel's. Where envcheck could not read them, the
    environment's account of them counts, and of an image's never.
    """
    host, facts = evidence.host, evidence.facts
    module = facts.driver.module if isinstance(facts, Facts) and evidence.image is None else None
    told = module.version if isinstance(module, KernelModule) else ""
    said = (
        host.kernel_driver if isinstance(host.kernel_driver, str) else told,
        host.nvml.driver if isinstance(host.nvml, Nvml) else "",
    )
    return frozenset(filter(None, said))


def of_another_driver(evidence: Evidence, versions: Sequence[str]) -> str:
    """Why these versions of user-mode parts cannot have worked with the kernel module; empty where they can.

    The driver's halves work together only where their versions are equal (NVIDIA driver README, "API mismatch").
    """
    known = module_versions(evidence)
    strange = sorted(set(versions) - known) if known else []
    return f"{', '.join(strange)} cannot work with kernel module {', '.join(sorted(known))}" if strange else ""


def spoken_version(text: str) -> tuple[str, ...]:
    """The driver version that a GL version string names, as a tuple of at most one."""
    found = DRIVER_WORD.search(text)
    return (found["version"],) if found else ()


def names_of(paths: Sequence[str]) -> str:
    """File names of a few paths, in order."""
    return ", ".join(dict.fromkeys(path.rsplit("/", 1)[-1] for path in paths[:4]))
