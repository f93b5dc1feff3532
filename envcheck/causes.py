"""Why a fact that moves can change a cell: a row for each fact of `moving`, with the reason and how likely it is.

`weights` say how likely such a move is the cause, from 0 (it can only follow from the change) to 9: of another speed,
of another device or a refusal, of a crash or a broken environment, of other landmarks. They rank; they prove nothing.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Symptom(IntEnum):
    """What changed."""

    SPEED = 0
    DEVICE = 1
    CRASH = 2
    LANDMARKS = 3


class Cause(NamedTuple):
    """What is known of a fact that may move.

    `follows`: facts that bring it along when they move. `slower`: whether a rise ("up") or a fall ("down") makes
    slower; None where neither does. `tolerance`: share by which a measured number differs from night to night.
    `always`: it is looked at every night, so that not seeing it is an observation.
    """

    why: str
    weights: tuple[int, int, int, int]
    follows: frozenset[str] = frozenset()
    slower: str | None = None
    tolerance: float = 0.0
    always: bool = False


def follows(*names: str) -> frozenset[str]:
    """Facts that bring another along."""
    return frozenset(names)


UNTABLED = Cause("Nobody has said how it matters.", (1, 1, 1, 1))
"""For a fact without a row: a fact of a newer envcheck, or one of somebody else's."""

SOFTWARE = {
    "MediaPipe": Cause(
        "Whether the wheel has GPU code, what it does when the GPU is refused, and its shaders differ by version.",
        (9, 9, 9, 9),
    ),
    "MediaPipe wheel": Cause(
        "The same version was installed from another file, which may have been built with other GPU support.",
        (8, 8, 8, 8),
        follows("MediaPipe"),
    ),
    "numpy": Cause(
        "MediaPipe hands frames over through it; a wheel built for another major does not load.", (3, 2, 8, 2)
    ),
    "Python": Cause(
        "Another interpreter loads other wheels and runs the code around inference differently.", (4, 4, 6, 3)
    ),
    "OpenCV": Cause("It brings libraries of its own into the process, and decodes what becomes frames.", (3, 5, 7, 4)),
    "package *": Cause("It is loaded into the same process, with libraries of its own.", (2, 4, 6, 2)),
    "shadowing module": Cause("A file of that name hides the installed package.", (2, 5, 9, 2)),
    "lock": Cause(
        "Other versions of dependencies were installed; compare the lock files for which.",
        (5, 6, 7, 4),
        follows("MediaPipe", "MediaPipe wheel", "numpy", "Python", "OpenCV", "package *"),
    ),
    "image digest": Cause(
        "The image was built anew or another one was pulled: anything in it may differ.",
        (6, 7, 8, 4),
        follows("base image digest", "lock", "MediaPipe", "MediaPipe wheel", "numpy", "Python", "OpenCV", "package *"),
    ),
    "base image digest": Cause(
        "The base brings the C library, the loader and the EGL vendor files, under a tag that moves.", (6, 7, 8, 3)
    ),
    "CUDA runtime": Cause("FaceMesh does not use CUDA; what is loaded beside it does.", (1, 1, 4, 1)),
    "envcheck": Cause(
        "Another envcheck measured or judged: rules, witnesses or timing may have changed.", (3, 3, 3, 3)
    ),
}

MATERIAL = {
    "workload": Cause("Another resolution, number of faces or mode is other work.", (9, 2, 2, 6)),
    "model": Cause("Another model bundle is other arithmetic, of another size.", (9, 4, 4, 9)),
    "input": Cause("Other frames are other work, and their landmarks lie elsewhere.", (8, 1, 2, 9)),
}

HARDWARE = {
    "driver": Cause(
        "The driver compiles the shaders, schedules the GPU and brings EGL: nothing on the GPU is independent of it.",
        (9, 9, 8, 8),
        always=True,
    ),
    "kernel module": Cause(
        "A module of another version than the libraries refuses them until the machine is restarted.",
        (5, 9, 7, 3),
        follows("driver"),
        always=True,
    ),
    "CUDA of the driver": Cause("It comes with the driver.", (1, 1, 2, 1), follows("driver")),
    "driver libraries": Cause(
        "GL needs the graphics half of the driver, of the very version of the kernel module.",
        (3, 9, 7, 3),
        follows("driver", "image digest"),
    ),
    "GPUs": Cause("Another GPU does the work, at its own speed and with its own limits.", (9, 8, 6, 6), always=True),
    "GPU units": Cause(
        "Another GPU of the same name does the work: its cooling, its slot and its health are its own.",
        (5, 3, 4, 4),
        follows("GPUs"),
    ),
    "GPU highest clock (MHz)": Cause(
        "The highest clock of the GPU was limited or freed.",
        (8, 0, 1, 0),
        follows("GPUs"),
        slower="down",
        tolerance=0.01,
    ),
    "MIG": Cause("A slice of a GPU has no graphics.", (5, 9, 6, 2), follows("GPUs")),
    "persistence mode": Cause(
        "Without it the driver is unloaded between uses, and every start pays for loading it.",
        (3, 2, 2, 1),
        follows("GPUs"),
    ),
    "compute mode": Cause("It says who may use the GPU beside others.", (1, 5, 5, 1), follows("GPUs")),
    "uncorrected ECC errors": Cause("A GPU with memory errors is unwell.", (3, 2, 6, 7), follows("GPUs"), slower="up"),
    "CPU": Cause("The baseline was measured on another CPU, which also feeds the GPU.", (8, 1, 3, 2), always=True),
    "system": Cause("It is another machine.", (7, 7, 7, 4), always=True),
}

SURROUNDINGS = {
    "GPU throttling": Cause(
        "The GPU held its clocks down while it worked: heat, power or a limit.",
        (9, 0, 1, 0),
        follows("GPUs"),
        slower="up",
    ),
    "GPU clock at work (MHz)": Cause(
        "The GPU worked at another clock.",
        (7, 0, 0, 0),
        follows("GPUs", "GPU throttling", "GPU highest clock (MHz)"),
        slower="down",
        tolerance=0.1,
    ),
    "foreign GPU processes": Cause(
        "Programs of others were on the GPU, and share its time and memory.", (8, 2, 4, 0), slower="up"
    ),
    "other programs": Cause("Others kept the machine at work while it was measured.", (7, 0, 2, 0)),
    "cores taken by other machines": Cause("The hypervisor gave cores to other machines.", (7, 0, 1, 0)),
    "held back by a CPU quota": Cause("A CPU quota held the workers back.", (7, 0, 1, 0)),
    "cores": Cause("The baseline had another number of cores.", (8, 0, 2, 0), follows("CPU"), always=True),
    "usable cores": Cause("The workers were allowed another number of cores.", (8, 0, 2, 0), follows("CPU", "cores")),
    "CPU quota (cores)": Cause("The workers were given another share of the machine.", (8, 0, 2, 0)),
    "governor": Cause("The CPU's clocks are steered in another way.", (6, 0, 0, 0), follows("CPU")),
    "kernel": Cause("Another kernel schedules the threads and loads the driver's module.", (4, 4, 4, 1)),
    "operating system": Cause(
        "Other system libraries, the loader among them.", (3, 5, 5, 2), follows("base image digest", "image digest")
    ),
    "glibc": Cause(
        "Another C library loads the driver's libraries.",
        (3, 5, 6, 1),
        follows("base image digest", "image digest", "operating system"),
    ),
    "variable *": Cause("It steers which GL implementation or which GPU is taken.", (4, 8, 5, 2), always=True),
    "container": Cause("What of the GPU is seen inside depends on the container.", (4, 7, 5, 1)),
    "GPU injection": Cause("How the GPU is handed in decides whether its graphics half comes along.", (3, 8, 5, 1)),
    "usable device files": Cause(
        "Without access to its device files there is no GPU.", (1, 8, 4, 0), follows("driver", "GPUs", "GPU injection")
    ),
    "graphics groups": Cause("Membership in render and video opens the device files.", (0, 7, 2, 0)),
    "EGL vendor files": Cause(
        "They say whose EGL is loaded first.",
        (3, 8, 4, 1),
        follows("base image digest", "image digest", "GPU injection"),
    ),
}

GRAPHICS = follows(
    "driver",
    "GPUs",
    "driver libraries",
    "EGL vendor files",
    "usable device files",
    "variable *",
    "image digest",
    "GPU injection",
    "kernel module",
)
EFFECTS = {
    "GL renderer": Cause("Another implementation of GL answered.", (4, 0, 0, 0), GRAPHICS),
    "GL version": Cause("Another implementation of GL answered.", (2, 0, 0, 0), GRAPHICS | {"GL renderer"}),
    "GL display": Cause("EGL was reached on another way.", (2, 0, 0, 0), GRAPHICS | {"GL renderer"}),
    "EGL vendor": Cause("Another implementation of EGL answered.", (3, 0, 0, 0), GRAPHICS | {"GL renderer"}),
    "EGL devices": Cause("EGL lists other devices.", (2, 0, 0, 0), GRAPHICS),
}

CAUSES: dict[str, Cause] = SOFTWARE | MATERIAL | HARDWARE | SURROUNDINGS | EFFECTS
