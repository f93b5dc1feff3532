"""Commands that install something, as records: system packages and Python packages, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement

from envcheck.lint.shell import Command, Word

APT = frozenset(("apt-get", "apt", "aptitude", "apt-fast"))
DNF = frozenset(("dnf", "yum", "microdnf", "tdnf"))
CONDA = frozenset(("conda", "mamba", "micromamba", "pixi"))
WITH_VALUE = frozenset(
    """
    -o -t -c -a --target-release --option --config-file -i --index-url --extra-index-url -f --find-links --target
    --prefix --root --platform --python --python-version --abi --implementation --only-binary --no-binary --timeout
    --retries --cache-dir --trusted-host --cert --proxy --src --progress-bar --upgrade-strategy --config-settings -C
    --log -p --constraint --constraints --override --overrides --repository -X --index --default-index
    --index-strategy --group --extra --enablerepo -n --name
    """.split()  # noqa: SIM905 (it reads better so)
)
PROJECTS = frozenset(("poetry", "pipenv", "pdm"))
TAKES_PROJECT = frozenset(("install", "sync", "add", "update"))
SCRIPTS = frozenset(("bash", "sh", "source", ".", "dpkg", "xargs", "ansible-playbook", "rosdep", "playwright"))
CONSTRAINING = frozenset(("-c", "--constraint", "--constraints", "--override", "--overrides"))
PIP = re.compile(r"pip(?:3(?:\.\d+)?)?")
PYTHON = re.compile(r"python(?:3(?:\.\d+)?)?")
WHEEL = re.compile(r"(?:.*/)?(?P<name>[A-Za-z0-9_.]+)-(?P<version>\d[^-/]*)-[^/]*\.whl")
LOCAL = re.compile(r"(?:\.{0,2}/|\.\.?$|git\+|https?:|file:)")


class Package(NamedTuple):
    """A system package, or a word in its place; `manager`: debian, fedora, alpine."""

    manager: str
    name: str
    word: Word


class Pip(NamedTuple):
    """One `pip install` or `uninstall`: requirements, files of them, and words that are neither."""

    verb: str
    requirements: tuple[tuple[Requirement, Word], ...]
    files: tuple[Word, ...]
    unknown: tuple[Word, ...]
    dependencies: bool
    constrained: bool
    project: bool
    word: Word


class Other(NamedTuple):
    """A command that may install anything: a script of one's own, conda."""

    kind: str
    word: Word


Install = Package | Pip | Other


def installs(command: Command) -> Iterator[Install]:
    """What a command installs."""
    name, rest = command[0].text.rsplit("/", 1)[-1], command[1:]
    if name in ("uv", "python", "python3") or PYTHON.fullmatch(name):
        yield from by_python(name, command[0], rest)
    elif PIP.fullmatch(name):
        yield from pip(rest)
    elif name in APT or name in DNF or name == "apk":
        manager = "debian" if name in APT else "fedora" if name in DNF else "alpine"
        yield from packages(manager, rest)
    elif name in CONDA:
        yield Other("conda", command[0])
        yield from inside(rest)
    elif name in PROJECTS and any(word.text in TAKES_PROJECT for word in rest[:3]):
        yield Other("project", command[0])
    elif name in SCRIPTS or command[0].text.startswith(("./", "/", "$")) or name.endswith(".sh"):
        yield Other("script", command[0])


def inside(rest: Sequence[Word]) -> Iterator[Install]:
    """`conda run -n NAME pip install …`: what the command installs that is run in an environment."""
    plain = list(arguments(rest))
    if plain and plain[0].text == "run" and len(plain) > 1:
        yield from installs(tuple(rest[rest.index(plain[1]) :]))


def by_python(name: str, word: Word, rest: Sequence[Word]) -> Iterator[Install]:
    """`python -m pip`, `uv pip`, `uv add`, `uv sync`."""
    texts = [one.text for one in rest]
    if name == "uv":
        if texts[:1] == ["pip"]:
            yield from pip(rest[1:])
        elif texts[:1] == ["add"]:
            yield pip_of("install", word, rest[1:])
        elif texts[:1] == ["sync"]:
            yield Other("project", word)
        return
    if "-m" in texts and texts[texts.index("-m") + 1 : texts.index("-m") + 2] == ["pip"]:
        yield from pip(rest[texts.index("-m") + 2 :])


def packages(manager: str, rest: Sequence[Word]) -> Iterator[Install]:
    """The packages of a system's package manager."""
    plain = list(arguments(rest))
    verbs = ("add",) if manager == "alpine" else ("install", "reinstall", "groupinstall", "build-dep")
    at = next((number for number, word in enumerate(plain) if word.text in verbs), None)
    if at is None:
        return
    for word in plain[at + 1 :]:
        yield Package(manager, word.text, word)


def arguments(words: Sequence[Word]) -> Iterator[Word]:
    """The words that are no options, and no values of options."""
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.text.startswith("-"):
            skip = word.text in WITH_VALUE
        else:
            yield word


def pip(rest: Sequence[Word]) -> Iterator[Install]:
    """`pip install` and `pip uninstall`; `download` and `wheel` install nothing."""
    plain = next(arguments(rest), None)
    if plain is not None and plain.text in ("install", "uninstall", "sync"):
        yield pip_of(plain.text, plain, rest[rest.index(plain) + 1 :])


def pip_of(verb: str, place: Word, rest: Sequence[Word]) -> Pip:
    """One installation by pip."""
    requirements: list[tuple[Requirement, Word]] = []
    files, unknown, project = [], [], False
    take = ""
    for word in rest:
        if take:
            files += [word] if take in ("-r", "--requirement") else []
            project = project or (take in ("-e", "--editable") and LOCAL.match(word.text) is not None)
            take = ""
        elif word.text in ("-r", "--requirement", "-e", "--editable") or word.text in WITH_VALUE:
            take = word.text
        elif word.text.startswith(("-r", "--requirement=")) and not word.text.startswith("--r-"):
            name = word.text.removeprefix("--requirement=").removeprefix("-r")
            files.append(word._replace(text=name))
        elif word.text.startswith("-"):
            continue
        elif (wheel := WHEEL.fullmatch(word.text)) is not None:
            unknown.append(word._replace(text=wheel["name"]))
        elif re.match(r"\.?(?:/[\w./-]*)?(?:\[|$)", word.text):
            project = project or word.text.startswith(".")
        elif (found := requirement(word.text)) is not None:
            requirements.append((found, word))
        else:
            unknown.append(word)
    if verb == "sync":
        files += [word for word in unknown if word.text.endswith(".txt")]
    alone = {word.text for word in rest}
    constrained = bool(alone & CONSTRAINING)
    rows = tuple(requirements), tuple(files), tuple(unknown)
    return Pip(verb, *rows, "--no-deps" not in alone, constrained, project, place)


def requirement(text: str) -> Requirement | None:
    """A requirement, or None for what is none (a path, a URL, a variable)."""
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def listed(text: str) -> tuple[list[Requirement], bool]:
    """The requirements of a requirements.txt, and whether all of its lines were understood."""
    found: list[Requirement] = []
    complete = True
    for line in text.replace("\\\n", " ").splitlines():
        bare = re.sub(r"(?:^|\s)#.*", "", line).strip()
        bare = re.split(r"\s--(?:hash|config)", bare, maxsplit=1)[0].strip()
        if not bare or bare.startswith(("--hash", "-i", "--index", "--extra-index", "--find", "-f", "--no", "--pre")):
            continue
        one = requirement(bare)
        if one is None:
            complete = False
        elif one.marker is None or applies(one):
            found.append(one)
    return found, complete


LINUX = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"}


def applies(one: Requirement) -> bool:
    """Whether a requirement with a marker concerns Linux; what depends on the Python is taken to."""
    if one.marker is None or "python" in str(one.marker):
        return True
    try:
        return bool(one.marker.evaluate({**LINUX, "extra": ""}))
    except Exception:  # noqa: BLE001 (a marker of any kind: then it is taken to apply)
        return True
