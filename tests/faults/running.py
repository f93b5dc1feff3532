"""A world and a command -> what came of it: built for real, run with a hard deadline, and looked after."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import envcheck
from tests.faults import entering
from tests.faults.worlds import Built, Content, Link, Script, World

NATIVE = Path(__file__).parent / "native"
SHARED_NATIVE = Path(__file__).parents[1] / "functional"
"""Stand-ins that other tests use as well."""
PORTRAIT = Path(envcheck.__file__).parent / "data" / "portrait.png"
STEERING = (
    "EGL_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY", "LD_LIBRARY_PATH", "LD_PRELOAD", "VIRTUAL_ENV", "CONDA_PREFIX",
    "__EGL_VENDOR_LIBRARY_FILENAMES", "__EGL_VENDOR_LIBRARY_DIRS", "LIBGL_ALWAYS_SOFTWARE", "GALLIUM_DRIVER",
    "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "CUDA_VISIBLE_DEVICES", "ENVCHECK_TABLES", "PYTHONPATH",
)  # fmt: skip
LEAVING_S = 30.0
MARK = "ENVCHECK_FAULT"
"""A variable that every process of one run inherits, so that those left over can be found."""


@dataclass(frozen=True)
class Ran:
    """What one run of the command left."""

    exit: int | None
    """None where the deadline passed."""
    seconds: float
    stdout: str
    stderr: str
    left_over: tuple[str, ...]
    answer: Mapping[str, Any]
    """The JSON that the command wrote, empty where there is none."""

    def written(self) -> str:
        """As JSON, for another process."""
        return json.dumps(asdict(self))

    @staticmethod
    def read(text: str) -> Ran:
        """What `written` wrote; a text that is no JSON says why there is none."""
        try:
            known = json.loads(text)
        except ValueError:
            raise AssertionError(f"the world could not be built: {text}") from None
        return Ran(**known | {"left_over": tuple(known["left_over"])})

    @property
    def cells(self) -> list[dict[str, Any]]:
        """The rows of results.json; none for a command that judges nothing."""
        return list(self.answer.get("cells", ()))

    @property
    def verdict(self) -> str | None:
        """The verdict of the one cell, or None."""
        return self.cells[0]["verdict"] if self.cells else None

    @property
    def findings(self) -> list[dict[str, Any]]:
        """The findings, the root cause first."""
        return list(self.cells[0]["findings"] if self.cells else self.answer.get("findings", ()))

    @property
    def codes(self) -> list[str]:
        """The codes of what was found; what was not looked at is left out."""
        return [one["code"] for one in self.findings if one.get("status") != "SKIP"]

    @property
    def passed(self) -> bool:
        """True where anything at all calls itself a pass."""
        statuses = [one.get("status") for one in (*self.cells, *self.findings)]
        return "PASS" in statuses or self.verdict == "accelerated"


@dataclass
class Ground:
    """Where worlds are built: compiled libraries, environments under test, and a folder for each run."""

    folder: Path
    environments: Mapping[str, Path] = field(default_factory=dict)
    """The interpreter of each MediaPipe version."""

    def library(self, built: Built) -> Path:
        """The compiled library; compiled once."""
        library = self.folder / "native" / "-".join(filter(None, (built.source, built.needs, built.symbols)))
        if not library.exists():
            self.compile(built, library)
        return library

    def compile(self, built: Built, library: Path) -> None:
        """With gcc, next to its place and then moved there."""
        library.parent.mkdir(exist_ok=True)
        new = library.with_name(f"{library.name}.{uuid.uuid4().hex}")
        gcc = ("gcc", "-shared", "-fPIC", "-w", "-o")
        linked: list[str | Path] = []
        if built.needs:
            other, versions = new.with_suffix(".needed.so"), new.with_suffix(".map")
            versions.write_text(f"{built.symbols or 'NEEDED'} {{ global: needed; }};\n", encoding="utf-8")
            named = (f"-Wl,-soname={built.needs}", f"-Wl,--version-script={versions}")
            subprocess.run([*gcc, other, NATIVE / "needed.c", *named], check=True)
            linked = ["-Wl,--no-as-needed", other]
        source = next(folder / built.source for folder in (NATIVE, SHARED_NATIVE) if (folder / built.source).exists())
        subprocess.run([*gcc, new, source, *linked], check=True)
        new.rename(library)

    def words(self, world: World) -> dict[str, str]:
        """What stands for itself in the paths and texts of a world."""
        python = self.environments.get(world.mediapipe, Path(sys.executable))
        prefix = python.parent.parent
        site = next(iter(sorted((prefix / "lib").glob("python3*/site-packages"))), prefix)
        return {
            "{python}": str(python),
            "{prefix}": str(prefix),
            "{site}": str(site),
            "{portrait}": str(PORTRAIT),
            "{uv}": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv")),
            "{roads}": roads(
                python, prefix, Path(sys.executable), Path(sys.prefix), PORTRAIT, self.folder / "runs" / "x"
            ),
        }

    def run(self, world: World, command: tuple[str, ...], deadline_s: float) -> Ran:
        """Build the world, run the command in it, and see what is left."""
        folder = self.folder / "runs" / uuid.uuid4().hex[:12]
        tree, scratch, out = folder / "tree", folder / "scratch", folder / "out"
        for one in (tree, scratch, out):
            one.mkdir(parents=True)
        words, mark = self.words(world) | {"{out}": str(out)}, folder.name
        for path, content in world.files.items():
            inside = Path("/") if path.startswith("{out}") else tree
            self.lay(inside, filled(path, words), content, words)
        env = self.variables(world, words, folder, mark)
        mounts = entering.file_systems(Path("/proc/self/mountinfo").read_text(encoding="utf-8"))
        text = entering.script(filled_world(world, words), scratch, tree, out, mounts)
        argv = [filled(word, words) for word in command]
        ran = execute(entering.wrapped(world, text, env, out, argv), deadline_s, mark)
        answer = read_answer(ran[2], out)
        shutil.rmtree(tree)
        return Ran(*ran, answer=answer)

    def lay(self, tree: Path, path: str, content: Content, words: Mapping[str, str]) -> None:
        """One file of a world, in the tree that is copied over the machine."""
        at = tree / path.lstrip("/")
        at.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            at.symlink_to(filled(content.target, words))
        elif isinstance(content, Built):
            os.link(self.library(content), at)
        else:
            at.write_text(filled(content.text if isinstance(content, Script) else content, words), encoding="utf-8")
            at.chmod(0o755 if isinstance(content, Script) else 0o644)

    def variables(self, world: World, words: Mapping[str, str], folder: Path, mark: str) -> dict[str, str]:
        """The environment of the command: ours without what steers GL, and this world's."""
        ours = {name: value for name, value in os.environ.items() if name not in STEERING}
        theirs = {name: filled(value, words) for name, value in world.env.items()}
        return ours | {"ENVCHECK_CACHE": str(folder / "cache"), MARK: mark} | theirs


def roads(*ends: Path) -> str:
    """The folders that lead to these places, as words of the shell."""
    known = {folder for end in ends for one in (end, end.resolve()) for folder in one.parents}
    return shlex.join(sorted(map(str, known - {Path("/")})))


def filled(text: str, words: Mapping[str, str]) -> str:
    """A text with the words of the environment under test in it."""
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    return text


def filled_world(world: World, words: Mapping[str, str]) -> World:
    """The world with its hidden paths and shell lines filled in."""
    return replace(
        world,
        hidden=tuple(filled(path, words) for path in world.hidden),
        setup=tuple(filled(line, words) for line in world.setup),
    )


def execute(argv: list[str], deadline_s: float, mark: str) -> tuple[int | None, float, str, str, tuple[str, ...]]:
    """Run it in a session of its own; at the deadline everything that bears the mark is killed."""
    started = time.monotonic()
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        stdout, stderr = process.communicate(timeout=deadline_s)
        code: int | None = process.returncode
    except subprocess.TimeoutExpired:
        code = None
        kill_marked(mark)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        stdout, stderr = process.communicate()
    seconds = time.monotonic() - started
    return code, seconds, stdout.decode("utf-8", "replace"), stderr.decode("utf-8", "replace"), left_over(mark)


def left_over(mark: str) -> tuple[str, ...]:
    """Processes of this run that are still there a while later, longer than those take that end; they are killed."""
    until = time.monotonic() + LEAVING_S
    while marked(mark) and time.monotonic() < until:
        time.sleep(0.02)
    names = tuple(name for _, name in marked(mark))
    kill_marked(mark)
    return names


def marked(mark: str) -> list[tuple[int, str]]:
    """(number, command line) of the living processes that inherited the mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((int(folder.name), (folder / "cmdline").read_text().replace("\0", " ").strip()))
    return found


def kill_marked(mark: str) -> None:
    """End what bears the mark."""
    for number, _ in marked(mark):
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def read_answer(stdout: str, out: Path) -> Mapping[str, Any]:
    """results.json where the command wrote one, else the JSON on its standard output."""
    results = out / ".envcheck" / "results.json"
    with suppress(ValueError, OSError):
        answer = json.loads(results.read_text(encoding="utf-8") if results.exists() else stdout)
        if isinstance(answer, dict):
            return answer
    return {}
