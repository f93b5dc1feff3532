"""What a Dockerfile's image will hold, as far as its text and the files beside it tell: the last stage, its bases."""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from envcheck.lint.bases import OLD, Base, base_of
from envcheck.lint.dockerfile import Instruction, Stage, instructions, pairs, stages, trigger_of
from envcheck.lint.installs import Other, Package, Pip, installs, listed, requirement
from envcheck.lint.shell import Command, Word, commands
from envcheck.lint.textual import Text, Words

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Beside = Callable[[str], "bytes | None"]
"""The content of a file by its path from the folder of the file that is read; None where there is none."""

SCRIPT_SHELLS = frozenset(("sh", "bash", "dash", "ash", "zsh"))
CARRIES_PYTHON = re.compile(
    r"venv|site-packages|dist-packages|\.local|^/usr/local/?$|^/install|^/opt|^/app/?$|^/root|wheel|^/$"
)
GL_FILE = re.compile(r"lib(?:EGL|GLES|GLX|GL)|/usr/lib|lib/x86_64")
PINNED_IN_LOCK = r'name = "{}"\nversion = "([^"]+)"'
MOST_DEEP = 8


@dataclass(kw_only=True)
class Image:
    """What is known of an image. `sure`: nothing may have brought system packages that are not listed;
    `complete`: the Python packages are all known.
    """

    base: Base
    name: str
    origin: Instruction
    platform: str
    env: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    packages: list[Package] = field(default_factory=list)
    python: dict[str, tuple[Requirement | None, Word]] = field(default_factory=dict)
    bare: set[str] = field(default_factory=set)
    """Python packages that were installed without what they need."""
    removed: set[str] = field(default_factory=set)
    """Python packages that were uninstalled in the end, whoever brought them."""
    extents: list[tuple[int, int]] = field(default_factory=list)
    """Where the instructions stand, in the order of the file."""
    sure: bool = True
    complete: bool = True
    limited: bool = False
    """A file that could not be read may limit the versions of Python packages."""
    conda: bool = False
    other_python: bool = False

    def value(self, name: str) -> str | None:
        """A variable of the image."""
        found = self.env.get(name)
        return found[0] if found else None


def image_of(text: Text, beside: Beside, target: str = "") -> Image:
    """The image of a Dockerfile: of its last stage, or of a named one. Raises Unreadable."""
    written = instructions(text)
    every = stages(text, written)
    wanted = next((one for one in every if target and one.name == target.lower()), every[-1])
    chain = chain_of(wanted, every)
    first = chain[0]
    image = Image(
        base=base_of(first.image), name=first.image, origin=first.origin,
        platform=next((one.platform for one in chain if one.platform), ""),
    )  # fmt: skip
    image.limited = OLD.search(first.image) is not None
    image.extents = [(one.start, one.end) for one in written]
    image.complete = "onbuild" not in first.image  # what its triggers install nobody knows
    read_chain(image, chain, every, beside, set())
    return image


def read_chain(
    image: Image, chain: list[Stage], every: list[Stage], beside: Beside, taken: set[int], depth: int = 0
) -> None:
    """What the stages of a chain add to an image; triggers of a stage run first in the one that is FROM it."""
    triggers: tuple[Instruction, ...] = ()
    for one in chain:
        reader = Reader(image, one, every, beside, depth)
        reader.taken = taken
        reader.read(triggers)
        triggers = tuple(found for each in one.body if (found := trigger_of(each)) is not None)


def chain_of(wanted: Stage, every: list[Stage]) -> list[Stage]:
    """A stage with those that it is FROM, the first one first."""
    chain = [wanted]
    while (parent := parent_of(chain[0], every)) is not None:
        chain.insert(0, parent)
    return chain


def parent_of(stage: Stage, every: list[Stage]) -> Stage | None:
    """The earlier stage that a stage is FROM."""
    before = every[: next(number for number, one in enumerate(every) if one is stage)]
    return next((one for one in reversed(before) if one.name and one.name == stage.image.lower()), None)


class Reader:
    """Goes through one stage and writes down what it adds to an image."""

    def __init__(self, image: Image, stage: Stage, every: list[Stage], beside: Beside, depth: int = 0) -> None:
        self.image, self.stage, self.every, self.beside, self.depth = image, stage, every, beside, depth
        self.known = {name: value for name, (value, _, _) in image.env.items()}
        self.sources: list[str] = []
        self.taken: set[int] = set()
        """Stages whose Python packages were copied: each is read once."""

    def read(self, triggers: Sequence[Instruction] = ()) -> None:
        """All instructions, in their order, those that the stage before has left for this one first."""
        acts = {"ENV": self.env, "ARG": self.arg, "COPY": self.copy, "ADD": self.copy, "RUN": self.run}
        for one in (*triggers, *self.stage.body):
            if one.keyword in acts:
                acts[one.keyword](one)

    def env(self, one: Instruction) -> None:
        """Variables of the image."""
        for name, value in pairs(one, self.known):
            self.image.env[name] = (value, one.start, one.end)
            self.known[name] = value

    def arg(self, one: Instruction) -> None:
        """Variables of the build: with their default, or the global one's; those of ENV go first."""
        for part in one.words.text.split():
            name = part.partition("=")[0]
            if name not in self.image.env and "=" not in part and name in self.stage.globals:
                self.known[name] = self.stage.globals[name]
        for name, value in pairs(one, self.known):
            if name not in self.image.env:
                self.known[name] = value

    def copy(self, one: Instruction) -> None:
        """Where files come from; Python packages can come from another stage."""
        words = one.array() or one.words.text.split()
        origin = one.flag("from")
        if not origin:
            self.sources += [word for word in words[:-1] if not word.startswith("<<")]
            return
        if any(GL_FILE.search(word) for word in words):
            self.image.sure = False
        stage = self.named(origin)
        if stage is not None and any(CARRIES_PYTHON.search(word) for word in words) and self.depth < MOST_DEEP:
            self.take_python(stage)

    def named(self, name: str) -> Stage | None:
        """A stage by its name or number."""
        if name.isascii() and name.isdigit():
            return self.every[int(name)] if len(name) < 5 and int(name) < len(self.every) else None
        return next((one for one in self.every if one.name == name.lower()), None)

    def take_python(self, stage: Stage) -> None:
        """The Python packages of another stage."""
        if stage is self.stage or id(stage) in self.taken:
            return
        self.taken.add(id(stage))
        other = Image(base=self.image.base, name="", origin=stage.origin, platform="")
        read_chain(other, chain_of(stage, self.every), self.every, self.beside, self.taken, self.depth + 1)
        self.image.python.update(other.python)
        self.image.bare |= other.bare
        self.image.removed |= other.removed
        self.image.complete = self.image.complete and other.complete
        self.image.limited |= other.limited

    def run(self, one: Instruction) -> None:
        """The commands of one RUN."""
        bind = re.findall(
            r"type=bind\S*?source=([^,\s]+)", " ".join(value for name, value in one.flags if name == "mount")
        )
        self.sources += bind
        for command in self.commands(one):
            for found in installs(command):
                self.add(found)
            if "requirements" in command[-1].text and command[0].text in ("mv", "cp"):
                self.image.complete = False

    def commands(self, one: Instruction) -> Iterator[Command]:
        """The simple commands of a RUN, those inside `bash -c` too."""
        array = one.array()
        if array is not None:
            yield from inner(tuple(Word(text, one.start, one.end) for text in array), self.known)
            return
        for command in commands(one.words, self.known):
            yield from inner(command, self.known)
        if one.heredocs and re.match(r"\s*(?:<<|(?:ba|da)?sh\b|/bin/(?:ba)?sh\b)", one.words.text):
            for _, body in one.heredocs:
                if not re.match(r"#!.*python", body.text):
                    yield from commands(body, self.known)

    def add(self, found: Package | Pip | Other) -> None:
        """One installation."""
        if isinstance(found, Package):
            self.image.packages.append(found)
            self.image.other_python |= re.match(r"python3?\.\d+", found.name) is not None
        elif isinstance(found, Pip):
            self.pip(found)
        elif found.kind == "project":
            self.project(found.word)
        elif found.kind == "conda":
            self.image.conda = self.image.other_python = True
            self.image.sure = self.image.complete = False
        else:
            self.image.sure = self.image.complete = False

    def pip(self, found: Pip) -> None:
        """The requirements of one call of pip, with those in files."""
        rows = list(found.requirements)
        self.image.limited |= found.constrained
        for word in found.files:
            wanted, complete = self.file(word.text)
            self.image.complete = self.image.complete and complete
            self.image.limited |= not complete
            rows += [(one, word) for one in wanted]
        if found.verb == "uninstall":
            for one, _ in rows:
                self.image.python.pop(canonicalize_name(one.name), None)
                self.image.removed.add(canonicalize_name(one.name))
            return
        for one, word in rows:
            self.install(one, word, found.dependencies)
        for word in found.unknown:
            name = canonicalize_name(re.split(r"[=<>!~\[@ ]", word.text, maxsplit=1)[0])
            self.image.python[name] = (None, word)
            self.image.complete = False
        if found.project:
            self.project(found.word)

    def install(self, one: Requirement, word: Word, dependencies: bool) -> None:
        """One Python package. Installed before and asked for again without a version, it stays as it is."""
        name = canonicalize_name(one.name)
        before = self.image.python.get(name)
        if before is not None and not one.specifier and one.url is None:
            return
        self.image.python[name] = (one if one.url is None else None, word)
        self.image.removed.discard(name)
        if not dependencies:
            self.image.bare.add(name)

    def file(self, name: str, depth: int = 0) -> tuple[list[Requirement], bool]:
        """The requirements of a file of the build context."""
        if name.endswith(".toml"):
            return project_requirements(self.beside)
        data = self.found(name)
        if data is None or depth > MOST_DEEP:
            return [], False
        text = data.decode("utf-8", "replace")
        wanted, complete = listed(text)
        for other in re.findall(r"^\s*(?:-r|--requirement)[ =]+(\S+)", text, re.MULTILINE):
            more, whole = self.file(posixpath.join(posixpath.dirname(name), other), depth + 1)
            wanted, complete = wanted + more, complete and whole
        return wanted, complete or bool(re.fullmatch(r"(?s)(?:\s*-r \S+\s*)+", text))

    def found(self, name: str) -> bytes | None:
        """A file of the build context: as it was copied, or beside the Dockerfile."""
        base = posixpath.basename(name)
        sources = [one.removeprefix("./") for one in self.sources]
        same = [one for one in sources if posixpath.basename(one) == base]
        inside = [posixpath.join(one.rstrip("/"), base) for one in sources if "*" not in one and one not in (".", "")]
        for path in dict.fromkeys((*same, name.lstrip("/").removeprefix("./"), *inside, base)):
            for up in ("", "../"):
                if "$" not in path and not path.startswith("/") and (data := self.beside(up + path)) is not None:
                    return data
        return None

    def project(self, word: Word) -> None:
        """The dependencies of the project beside the Dockerfile."""
        wanted, complete = project_requirements(self.beside)
        self.image.complete = self.image.complete and complete
        for one in wanted:
            self.install(one, word, dependencies=True)


def inner(command: Command, known: dict[str, str]) -> Iterator[Command]:
    """A command, or those that a shell is given in one word."""
    name = posixpath.basename(command[0].text) if command else ""
    script = next((n for n, word in enumerate(command[:4]) if re.fullmatch(r"-[a-z]*c", word.text)), None)
    if name in (".", "source") and command[-1].text.endswith(("activate", ".bashrc", "profile", ".cargo/env")):
        return
    if name == "dpkg" and not any(word.text in ("-i", "--install") for word in command):
        return
    if name not in SCRIPT_SHELLS or script is None or script + 1 >= len(command):
        yield from (command,) if command else ()
        return
    text = command[script + 1]
    for found in commands(Words(text.text, ((0, 0),)), known):
        yield tuple(Word(word.text, text.start, text.end) for word in found)


def project_requirements(beside: Beside) -> tuple[list[Requirement], bool]:
    """The dependencies that pyproject.toml names, pinned as a lock file says; and whether they are all known."""
    data = beside("pyproject.toml")
    if data is None:
        return [], False
    try:
        document: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
        names = [str(one) for one in document.get("project", {}).get("dependencies", [])]
        poetry = document.get("tool", {}).get("poetry", {}).get("dependencies", {})
        names += [f"{name}{of_poetry(value)}" for name, value in poetry.items() if name != "python"]
    except (ValueError, AttributeError, TypeError):
        return [], False
    found = [one for name in names if (one := requirement(name)) is not None]
    return [locked(one, beside) for one in found], False


def of_poetry(value: object) -> str:
    """A version of Poetry as a specifier."""
    text = value if isinstance(value, str) else value.get("version", "") if isinstance(value, dict) else ""
    exact = re.fullmatch(r"=?=?\s*(\d+(?:\.\d+)*)", str(text))
    if exact:
        return f"=={exact[1]}"
    return text if str(text)[:1] in "<>!~" else ""


def locked(one: Requirement, beside: Beside) -> Requirement:
    """A requirement with the version that a lock file gives it. Only MediaPipe's matters."""
    if canonicalize_name(one.name) != "mediapipe":
        return one
    for name in ("uv.lock", "poetry.lock"):
        found = re.search(PINNED_IN_LOCK.format("mediapipe"), (beside(name) or b"").decode("utf-8", "replace"))
        if found:
            return requirement(f"mediapipe=={found[1]}") or one
    return one
