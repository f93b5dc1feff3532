"""`docker run`, `podman run` and `nerdctl run` in scripts and Makefiles."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from envcheck.lint.image import Beside, inner
from envcheck.lint.imagechecks import speaks_of_mediapipe
from envcheck.lint.running import Place, Run, built, folder_speaks, judged
from envcheck.lint.shell import Command, Word, commands
from envcheck.lint.textual import Spot, Text, Words, joined

ENGINES = frozenset(("docker", "podman", "nerdctl", "nvidia-docker"))
NEAR = re.compile(r"(?:docker|podman|nerdctl)\b")
FLAGS = frozenset(
    """
    --detach --interactive --tty --rm --privileged --init --read-only --publish-all --no-healthcheck
    --oom-kill-disable --sig-proxy --disable-content-trust --quiet --help --replace --rmi --tls-verify --env-host
    --http-proxy --no-hosts --no-hostname --rootful --read-only-tmpfs --unsetenv-all --passwd --use-api-socket
    """.split()  # noqa: SIM905 (it reads better so)
)
CLIENT_FLAGS = frozenset(
    ["-D", "--debug", "--tls", "--tlsverify", "-r", "--remote", "--syslog", "--noout", "--transient-store"]
)
"""Options of the client itself, before `run`, that have no value."""
WRAPPERS = frozenset(
    """
    ssh timeout nice ionice xargs srun flock watch setsid stdbuf doas chrt taskset numactl systemd-run parallel nohup
    """.split()  # noqa: SIM905 (it reads better so)
)
"""Programs that run others."""
TAKEN = re.compile(r"\$\(([^()]*)\)|`([^`]*)`")
SHORT_FLAGS = frozenset("ditPq")
NAMES = {"-e": "--env", "-u": "--user"}
MAKE = re.compile(r"^\t[@+-]*")


def faults(text: Text, beside: Beside, about: bool) -> Iterator[Spot]:
    """What is wrong with the containers that a script starts. `about`: they are known to be MediaPipe's."""
    found = list(runs(text, beside))
    if not found:
        return
    speaks = about or speaks_of_mediapipe(text.text) or folder_speaks(beside)
    for run in found if speaks else ():
        yield from judged(run)


def runs(text: Text, beside: Beside) -> Iterator[Run]:
    """The containers that a script starts."""
    for parts in logical_lines(text):
        line = joined(parts)
        if NEAR.search(line.text):
            found = (run_of(command, beside) for command in started(line))
            yield from (run for run in found if run is not None)


def started(line: Words) -> Iterator[Command]:
    """The commands of a line: also those whose output it takes, and those that another program is told to run."""
    for part in (line, *(line.part(*inside.span(inside.lastindex or 0)) for inside in TAKEN.finditer(line.text))):
        for command in commands(part):
            yield from unwrapped(command)


def unwrapped(command: Command) -> Iterator[Command]:
    """A command; of a program that runs others, what it is told to run, in its words or in one of them."""
    if posixpath.basename(command[0].text) not in WRAPPERS:
        yield from inner(command, {})
        return
    for number, word in enumerate(command):
        if is_engine(word.text):
            yield command[number:]
            return
        if " " in word.text and NEAR.search(word.text):
            yield from (told(word, one) for one in commands(Words(word.text, ((0, 0),))))
            return


def told(word: Word, command: Command) -> Command:
    """A command that stands in one word, with the place of that word."""
    return tuple(Word(one.text, word.start, word.end) for one in command)


def is_engine(text: str) -> bool:
    """Whether a word is the name of an engine's client."""
    return posixpath.basename(text) in ENGINES


def logical_lines(text: Text) -> Iterator[list[tuple[str, int]]]:
    """Lines with those that continue them. A Makefile's marks before a command are cut off."""
    parts: list[tuple[str, int]] = []
    for number, offset in enumerate(text.starts, 1):
        line = text.line(number).rstrip("\r\n")
        if not parts and line.lstrip().startswith("#"):
            continue
        mark = MAKE.match(line)
        skip = mark.end() if mark and not parts else 0
        goes_on = line.endswith("\\")
        parts.append((line[skip:-1] + " " if goes_on else line[skip:], offset + skip))
        if not goes_on:
            yield parts
            parts = []
    if parts:
        yield parts


def run_of(command: Command, beside: Beside) -> Run | None:
    """The container that a command starts."""
    engine, at = posixpath.basename(command[0].text), subcommand(command)
    if at is None or not is_engine(engine):
        return None
    extent = (command[0].start, command[-1].end)
    run = Run(family="SRC85", place=(command[0].start, command[at].end), extent=extent)
    if engine == "nvidia-docker":
        run.gpu = run.place
    image = options(run, command[at + 1 :], engine)
    if image is None:
        return None
    run.name = image.text if "$" not in image.text else ""
    found, about = built(beside, "Dockerfile")
    run.image = found if about and "/" not in run.name.partition(":")[0] else None
    return run


def subcommand(command: Command) -> int | None:
    """Where `run` or `create` stands, behind the client's own options and `container`; None for other commands."""
    at = 1
    while at < len(command) and command[at].text not in ("run", "create"):
        text = command[at].text
        if text.startswith("-"):
            at += 1 if "=" in text or text in CLIENT_FLAGS else 2
        elif text == "container":
            at += 1
        else:
            return None
    return at if at < len(command) else None


def options(run: Run, words: tuple[Word, ...], engine: str) -> Word | None:
    """What the options say; the first word that is none names the image."""
    at = 0
    while at < len(words):
        word = words[at]
        name, equals, value = word.text.partition("=")
        if word.text == "--":
            return words[at + 1] if at + 1 < len(words) else None
        if not word.text.startswith("-"):
            if not word.text.startswith(("$", "`")) or at == len(words) - 1 or not following(words[at + 1 :]):
                return word
            run.unsure = True
            at += 1
            continue
        at += 1
        if not name.startswith("--"):
            name, equals, value = short(word.text)
        place = (word.start, word.end)
        if not equals and name not in FLAGS and name:
            if at >= len(words):
                return None
            value, place = words[at].text, (word.start, words[at].end)
            at += 1
        option(run, name, value, place, engine)
    return None


def following(words: tuple[Word, ...]) -> bool:
    """Whether options, or an image, may follow a variable that may hold options."""
    return bool(words) and (
        words[0].text.startswith(("-", "$")) or re.fullmatch(r"[\w./:@${}()-]+", words[0].text) is not None
    )


def short(text: str) -> tuple[str, str, str]:
    """A short option, or several in one word: its name, "=" where its value is in the word, and that value."""
    for number, letter in enumerate(text[1:], 1):
        if letter not in SHORT_FLAGS:
            rest = text[number + 1 :]
            name = NAMES.get(f"-{letter}", f"-{letter}")
            return name, "=" if rest else "", rest.removeprefix("=")
    return "", "=", ""


def option(run: Run, name: str, value: str, place: Place, engine: str) -> None:
    """One option."""
    if name == "--gpus":
        gpus(run, value, place, engine)
    elif name == "--runtime":
        run.gpu = place if "nvidia" in value else run.gpu
    elif name == "--device":
        device(run, value, place)
    elif name == "--env":
        variable, equals, text = value.partition("=")
        run.env[variable] = (text if equals else None, place)
    elif name == "--env-file":
        run.unsure = True
    elif name == "--user":
        run.user = (value, place)
    elif name == "--group-add":
        run.groups = True
    elif name == "--privileged":
        run.privileged = value != "false"


def gpus(run: Run, value: str, place: Place, engine: str) -> None:
    """`--gpus`: podman and nerdctl go by CDI; Docker's request can name capabilities."""
    run.gpu = place
    run.cdi = run.cdi or engine in ("podman", "nerdctl")
    named = re.search(r"capabilities=([\w,]+)", value)
    if named:
        run.capabilities = tuple(one for one in named[1].split(",") if one and one != "gpu")


def device(run: Run, value: str, place: Place) -> None:
    """`--device`: a CDI name, or a file."""
    if re.match(r"nvidia\.com/gpu=|\S+/\S+=", value):
        run.cdi = True
    elif value.startswith("/dev/dri"):
        run.dri = place
    elif value.startswith("/dev/nvidia"):
        run.unsure = True
