"""Which Python of an image: the candidates to start with, and the choice among all that are found."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence

import msgspec

from envcheck.existing import Identity
from envcheck.images.look import Config
from envcheck.model import PythonInside
from envcheck.record import Record

LONGEST = 4096
CHOOSE = "Another one: --python PATH, a path inside the image."


class Answer(Record, frozen=True):
    """What the payload find_python says."""

    version: tuple[int, int, int]
    prefix: str
    executable: str
    found: dict[str, str] = {}  # noqa: RUF012 - records are frozen
    pythons: tuple[PythonInside, ...] = ()
    shell: bool | None = None

    @property
    def identity(self) -> Identity:
        """Who the interpreter is that was started first."""
        return Identity(version=self.version, prefix=self.prefix, found=self.found)


class Chosen(Record, frozen=True):
    """The interpreter that is judged, and why this one."""

    python: str
    because: str


def parse(line: bytes) -> Answer | None:
    """The answer in a line; None for anything else. Paths that no program has are left out."""
    try:
        answer = msgspec.json.decode(line, type=Answer)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    usable = tuple(one for one in answer.pythons if is_path(one.path))
    return msgspec.structs.replace(answer, pythons=usable) if is_path(answer.executable) else None


def is_path(text: str) -> bool:
    """An absolute path in printable characters."""
    return text.startswith("/") and text.isprintable() and len(text) <= LONGEST


def candidates(config: Config) -> tuple[str, ...]:
    """What to start, in order: what the image itself starts, its environments, then its search path."""
    return tuple(dict.fromkeys(_candidates(config)))


def _candidates(config: Config) -> Iterator[str]:
    for words in (config.entrypoint, config.command):
        if words and posixpath.basename(words[0]).startswith("python"):
            yield words[0]
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if (folder := config.variables.get(variable, "")).startswith("/"):
            yield posixpath.join(folder, "bin/python")
    yield from ("python3", "python")


def choose(answer: Answer) -> Chosen:
    """The interpreter that the image itself would start, if it has MediaPipe; else the first that has; else it."""
    own = Chosen(answer.executable, "the first that the image's own search path leads to")
    if answer.identity.mediapipe is not None:
        return Chosen(own.python, f"{own.because}; it has MediaPipe {answer.identity.mediapipe}")
    having = [one for one in answer.pythons if one.mediapipe is not None]
    if not having:
        return own
    return Chosen(having[0].path, f"it has MediaPipe {having[0].mediapipe}, and {own.python} has none")


def others(pythons: Sequence[PythonInside], chosen: str, prefix: str) -> tuple[PythonInside, ...]:
    """The interpreters that were not chosen, of other environments."""
    return tuple(one for one in pythons if one.path != chosen and one.prefix != prefix)
