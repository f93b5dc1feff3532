"""The options of the Slurm engine, each checked before anything is written or asked."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from envcheck.engines.options import REMEDY, number, refusal
from envcheck.errors import UsageError

OF_DRIVER = "driver."
"""Before a value of the driver axis: names the feature of nodes that have this driver."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:=+@-]*(,[A-Za-z0-9][A-Za-z0-9._:=+@-]*)*")
_FEATURES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+-]*(&[A-Za-z0-9][A-Za-z0-9._=+-]*)*")
_PATTERN = re.compile(r"[A-Za-z0-9._=+-]*\{\}[A-Za-z0-9._=+-]*")
_UNUSABLE = re.compile(r"[%\\\n\r\"']")
"""In a path Slurm would take these for something else."""


@dataclass(frozen=True)
class Options:
    """What the user may set. Times are in minutes."""

    folder: Path
    """Shared by this host and the nodes, under the same path."""
    partition: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    """Features that every node must have, beside the driver's."""
    driver_feature: str = "driver-{}"
    """How the features are written that tell a node's driver."""
    drivers: Mapping[str, str] = field(default_factory=dict)
    """Features of single values of the driver axis, where nodes do not follow the pattern."""
    gres: str = "auto"
    """auto: a GPU is requested where the nodes offer any; none; or what is requested."""
    exclusive: bool = True
    """Whole nodes, so that the CPU baseline has all cores, and nobody else disturbs the measurement."""
    cpus: int = 0
    minutes: float = 30.0
    """What one cell may take, from an empty cache to its evidence."""
    time: float = 0.0
    """Time limit of a job; 0: what its cells may take together."""
    wait: float = 720.0
    """How long a job may wait for a node while nothing else of the run moves."""
    patience: float = 15.0
    """How long Slurm may fail to answer."""
    settle: float = 60.0
    """Seconds that a file may take to be seen here once its job has ended: NFS shows a folder as it was up to a minute
    ago (acdirmax in nfs(5))."""
    requeue: int = 2
    """How often a cell is run again whose node was lost."""
    batch: int = 0
    """Cells in a task; 0: so that each node gets a few tasks."""
    throttle: int = 0
    """Tasks of a job that run at once; 0: as many as there is room for."""
    command: tuple[str, ...] = (sys.executable, "-m", "envcheck", "cell")
    """What is run on a node for one cell."""


def matching(pattern: re.Pattern[str], what: str) -> Callable[[str, str], str]:
    """A parser of texts that must look like something."""

    def parse(key: str, text: str) -> str:
        if not pattern.fullmatch(text):
            raise refusal(key, text, f"not {what}")
        return text

    return parse


def switch(key: str, text: str) -> bool:
    """Yes or no."""
    if text not in ("yes", "no"):
        raise refusal(key, text, "not yes or no")
    return text == "yes"


def folder(key: str, text: str) -> Path:
    """An absolute path that Slurm takes as it is."""
    if not text or _UNUSABLE.search(text):
        raise refusal(key, text, "not a path that Slurm takes as it is")
    return Path(text).expanduser().absolute()


def command(key: str, text: str) -> tuple[str, ...]:
    """A command line, split here and never again."""
    try:
        found = tuple(shlex.split(text))
    except ValueError as error:
        raise refusal(key, text, error) from None
    if not found:
        raise UsageError(f"--engine-option {key}: empty", remedy=REMEDY)
    return found


_name = matching(_NAME, "a name, or names with commas between")
_count, _time = number(int, 0), number(float, 0)
PARSERS: Mapping[str, Callable[[str, str], Any]] = {
    "folder": folder,
    "partition": _name,
    "account": _name,
    "qos": _name,
    "constraint": matching(_FEATURES, "a feature, or features with & between"),
    "driver_feature": matching(_PATTERN, "a feature with {} in place of the driver"),
    "gres": _name,
    "exclusive": switch,
    "cpus": _count,
    "minutes": number(float, 0.01),
    "time": _time,
    "wait": _time,
    "patience": _time,
    "settle": _time,
    "requeue": _count,
    "batch": _count,
    "throttle": _count,
    "command": command,
}


def parse(given: Mapping[str, str], out: Path) -> Options:
    """The options as given, the shared folder within the results folder where none is. Raises UsageError."""
    drivers = {key: value for key, value in given.items() if key.startswith(OF_DRIVER)}
    unknown = sorted(set(given) - set(PARSERS) - set(drivers))
    if unknown:
        known = ", ".join([*PARSERS, f"{OF_DRIVER}VALUE"])
        raise UsageError(f"the slurm engine has no option {', '.join(unknown)}; it has {known}", remedy=REMEDY)
    features = matching(_FEATURES, "a feature")
    values = {key: PARSERS[key](key, text) for key, text in given.items() if key in PARSERS}
    return Options(
        **{"folder": folder("folder", str(out / "slurm")), **values},
        drivers={key.removeprefix(OF_DRIVER): features(key, value) for key, value in drivers.items()},
    )
