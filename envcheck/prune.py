"""What envcheck has left on this machine: found, sized, and removed where nobody uses it.

Only what has the place and the name that envcheck gives is looked at, no link is followed, and a folder that holds
anything else is refused. A thing is moved to `staging/` by one rename and removed there: what still lies in
its place is whole.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec

from envcheck import boxes
from envcheck import cache as files
from envcheck.boxes import stock
from envcheck.disk import blocks_of, used_at
from envcheck.engines import abandoned
from envcheck.engines.local import QUIET
from envcheck.environments import BACKENDS, IN_USE, MANIFEST
from envcheck.errors import EnvcheckError, UsageError
from envcheck.plan import conda, docker, venv
from envcheck.pruned import Item, Survey

DAY_S = 86400.0
RUN = "run"
RUN_GOES_ON = "a run goes on that may use it"
ONLY_ALL = "kept unless --all: it is asked of the network again"

_TOP = re.compile(
    r"environments|locks|held|staging|interpreters|wheels|CACHEDIR\.TAG|lost\+found"
    r"|quiet(-[0-9a-f]{12})?\.lock"
    rf"|{re.escape(IN_USE)}|\.?face_landmarker-[0-9a-f]+\.task.*"
)
_FOLDERS = ("environments", "locks", "held", "staging", "interpreters", "wheels")
_ENVIRONMENT = re.compile(r"[0-9a-f]{32}")
_LOCK = re.compile(r"[0-9a-f]{32}\.txt")
_NOTE = re.compile(r"[0-9a-f]{32,64}\.json")
_WHEELS = re.compile(r"[0-9a-f]{64}|unhashed")
_MODEL = re.compile(r"face_landmarker-[0-9a-f]+\.task")
_WORKSPACE = re.compile(r"[0-9a-f]{16}")
_PACKAGE = re.compile(r"mediapipe-(?P<version>[^-]+)\.dist-info")


class Asked(NamedTuple):
    """What the user wants gone."""

    yes: bool = False
    older_than: float | None = None
    """Days."""
    backend: str | None = None
    every: bool = False
    out: Path | None = None
    """A results folder, in which engines keep their runs; None: none is looked into."""
    shared: tuple[Path, ...] = ()
    """Folders that nodes of Slurm share."""


class _Found(NamedTuple):
    """An item, where it lies, and the blocks of its files by inode."""

    item: Item
    path: Path | None = None
    blocks: Mapping[tuple[int, int], tuple[int, int, int]] = {}
    engine: boxes.Engine | None = None
    held: stock.Held | None = None
    run: abandoned.Abandoned | None = None


def prune(cache: Path, asked: Asked, env: Mapping[str, str], engines: Sequence[str] | None = None) -> Survey:
    """List what is there, and with `yes` remove what nobody keeps. Raises UsageError and EnvcheckError."""
    check(asked)
    check_folder(cache, env)
    with ExitStack() as stack:
        idle = is_idle(cache, stack)
        answering, unread = engines_here(env, asked, engines)
        held = (one for engine in answering for one in held_by(engine, env, cache))
        try:
            runs = list(runs_of(asked, env))
        except OSError as error:
            runs, unread = [], [*unread, f"runs of engines: {error.filename}: {error.strerror}"]
        found = [*files_of(cache), *held, *runs]
        chosen = [decide(one, asked, idle=idle) for one in found if of_backend(one.item, asked.backend)]
        going = [one for one in chosen if not one.item.kept]
        failed = remove(cache, going, env) if asked.yes and going else {}
        return Survey(
            cache=str(cache),
            items=tuple(outcome(one, asked, failed) for one in chosen),
            frees=freed(one for one in going if one.item.name not in failed),
            images=sum(
                one.item.bytes or 0 for one in going if one.item.kind == "image" and one.item.name not in failed
            ),
            unread=tuple(unread),
            failed=tuple(f"{name}: {why}" for name, why in failed.items()),
        )


def check(asked: Asked) -> None:
    """Raise UsageError for what cannot be meant."""
    if asked.backend is not None and asked.backend not in BACKENDS:
        raise UsageError(f"--backend {asked.backend!r} is none of {', '.join(BACKENDS)}")
    if asked.older_than is not None and not 0 <= asked.older_than < float("inf"):
        raise UsageError(f"--older-than {asked.older_than} is not a number of days")
    if absent := [str(one) for one in asked.shared if not one.is_dir()]:
        raise UsageError(f"--shared {absent[0]}: no such folder", remedy="It is what --engine-option folder=DIR named.")


def check_folder(cache: Path, env: Mapping[str, str]) -> None:
    """Raise UsageError for a folder that is not, or not only, a cache of envcheck."""
    remedy = "ENVCHECK_CACHE names the cache; nothing was removed."
    home = Path(env.get("HOME") or "/").absolute()
    real = cache.resolve()
    if real == home.resolve() or real in home.resolve().parents:
        raise UsageError(f"{cache} is a home folder, or holds one, and no cache", remedy=remedy)
    try:
        entries = sorted(os.scandir(cache), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"the cache folder {cache} cannot be read: {error.strerror}", remedy=remedy) from error
    for entry in entries:
        if not _TOP.fullmatch(entry.name):
            raise UsageError(f"{cache} holds {entry.name!r}, which is not envcheck's: is it a cache?", remedy=remedy)
        if entry.name in _FOLDERS and not entry.is_dir(follow_symlinks=False):
            raise UsageError(f"{cache / entry.name} is a link or a file; a folder was expected", remedy=remedy)


def is_idle(cache: Path, stack: ExitStack) -> bool:
    """True if no run uses the cache; runs that begin then wait until `stack` is closed."""
    if not cache.is_dir():
        return True
    try:
        return all(stack.enter_context(files.hold_if_free(cache / name)) for name in (IN_USE, QUIET))
    except OSError as error:
        raise UsageError(f"the cache folder {cache} cannot be used: {error.strerror}") from error


def of_backend(item: Item, backend: str | None) -> bool:
    """True for what belongs to a backend; all does where none is named."""
    if backend is None:
        return True
    return item.kind == backend or (backend == docker.NAME and item.kind in ("image", "container"))


def decide(one: _Found, asked: Asked, *, idle: bool) -> _Found:
    """The thing with the reason why it stays, if there is one."""
    return one._replace(item=msgspec.structs.replace(one.item, kept=one.item.kept or why_kept(one.item, asked, idle)))


def why_kept(item: Item, asked: Asked, idle: bool) -> str:
    """The reason of the cache or of the request; a workspace and a container carry their own."""
    if item.kind in ("staging", "container"):
        return ""
    if not idle and item.kind != RUN:
        return RUN_GOES_ON
    if item.kind in ("lock", "note", "wheel", "model") and not asked.every:
        return ONLY_ALL
    if asked.older_than is not None and (item.used is None or time.time() - item.used < asked.older_than * DAY_S):
        return f"used within {asked.older_than:g} days" if item.used is not None else "nobody knows when it was used"
    return ""


def outcome(one: _Found, asked: Asked, failed: Mapping[str, str]) -> Item:
    """The thing as it was left."""
    if one.item.kept or not asked.yes:
        return one.item
    if why := failed.get(one.item.name):
        return msgspec.structs.replace(one.item, kept=f"could not be removed: {why}")
    return msgspec.structs.replace(one.item, removed=True)


# --- files ---------------------------------------------------------------------------------------------------------


def files_of(cache: Path) -> Iterator[_Found]:
    """Everything of ours in the cache."""
    for path in listed(cache / "environments", _ENVIRONMENT, folders=True):
        yield environment(path)
    yield from (plain("lock", path, about="a resolved lock") for path in listed(cache / "locks", _LOCK))
    for path in listed(cache / "staging", _WORKSPACE, folders=True):
        yield leftover(path)
    yield from (plain("note", path, about="uv's choice") for path in listed(cache / "interpreters", _NOTE))
    yield from (
        plain("wheel", path, about="a fetched wheel") for path in listed(cache / "wheels", _WHEELS, folders=True)
    )
    yield from (plain("model", path, about="the official model") for path in listed(cache, _MODEL))


def listed(folder: Path, names: re.Pattern[str], *, folders: bool = False) -> list[Path]:
    """Files, or folders, with such a name; links are neither."""
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EnvcheckError(f"{folder} cannot be read: {error.strerror}") from error
    fits = [one for one in entries if names.fullmatch(one.name)]
    return sorted(
        Path(one.path)
        for one in fits
        if (one.is_dir(follow_symlinks=False) if folders else one.is_file(follow_symlinks=False))
    )


def environment(path: Path) -> _Found:
    """A built environment, whole or not."""
    manifest = path / MANIFEST
    kind = kind_of(path)
    about = "" if manifest.is_file() else "without its manifest"
    return plain(kind, path, about=about or content(path), used_file=manifest)


def kind_of(folder: Path) -> str:
    """The backend that made an environment."""
    if (folder / conda.PREFIX).is_dir():
        return conda.NAME
    return docker.NAME if (folder / "Dockerfile").is_file() else venv.name


def content(folder: Path) -> str:
    """The MediaPipe of an environment, by its lock."""
    lock = files.read_text(folder / "lock.txt") or ""
    said = re.search(r"(?m)^mediapipe==(\S+)", lock)
    if said is None:
        found = (_PACKAGE.fullmatch(one.name) for one in folder.glob("*/lib/python*/site-packages/mediapipe-*"))
        said = next(filter(None, found), None)
    return f"mediapipe {said[1]}" if said else ""


def leftover(path: Path) -> _Found:
    """A folder in staging: of a build that goes on, or of a process that is gone."""
    lock = path.with_suffix(".lock")
    if not lock.exists():
        return plain("staging", path, about="left by a process that is gone")
    with files.hold_if_free(lock) as free:
        found = plain("staging", path, about="left by a process that is gone" if free else "being made")
    return found if free else found._replace(item=msgspec.structs.replace(found.item, kept=RUN_GOES_ON))


def plain(kind: str, path: Path, about: str = "", used_file: Path | None = None) -> _Found:
    """A file or folder with its size and the time of its last use."""
    blocks = blocks_of(path)
    used = used_at(used_file or path) or used_at(path)
    item = Item(
        kind=kind,
        name=f"{path.parent.name}/{path.name}" if kind != "model" else path.name,
        about=about,
        bytes=sum(size for size, _, _ in blocks.values()),
        frees=sum(size for size, seen, links in blocks.values() if seen >= links),
        used=used,
        used_by="marked at each use" if kind in BACKENDS or kind == "lock" else "the file's time",
    )
    return _Found(item, path, blocks)


def freed(going: Iterable[_Found]) -> int:
    """The bytes that come back when all of them go: those of files that have no other name."""
    names: dict[tuple[int, int], int] = {}
    known: dict[tuple[int, int], tuple[int, int]] = {}
    for one in going:
        for key, (size, seen, links) in one.blocks.items():
            names[key] = names.get(key, 0) + seen
            known[key] = (size, links)
    return sum(size for key, (size, links) in known.items() if names[key] >= links)


def remove(cache: Path, going: Sequence[_Found], env: Mapping[str, str]) -> dict[str, str]:
    """Remove all of them; what could not be, with the reason. Containers go first: they use images."""
    failed: dict[str, str] = {}
    order = sorted(going, key=lambda one: ("container", "image").index(one.item.kind) if one.engine else 2)
    for one in order:
        if one.engine is not None and one.held is not None and (why := stock.remove(one.engine, one.held, env)):
            failed[one.item.name] = why
    for one in going:
        if one.run is not None and (why := abandoned.remove(one.run)):
            failed[one.item.name] = why
    if not cache.is_dir():
        return failed
    with files.workspace(cache / "staging") as work:  # which sweeps what dead processes have left
        for number, one in enumerate(going):
            if one.path is not None and one.run is None and (why := moved_away(one.path, work / str(number))):
                failed[one.item.name] = why
    return failed


def moved_away(path: Path, trash: Path) -> str:
    """Take a thing from its place in one step, and remove it; why it could not be, or an empty text."""
    try:
        path.rename(trash)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return error.strerror or str(error)
    if trash.is_dir():
        shutil.rmtree(trash, ignore_errors=True)
    else:
        trash.unlink(missing_ok=True)
    return f"parts of it are left in {trash.parent}" if trash.exists() else ""


# --- runs of engines -----------------------------------------------------------------------------------------------


def runs_of(asked: Asked, env: Mapping[str, str]) -> Iterator[_Found]:
    """Runs that were sent to a cluster, and what this machine keeps of them."""
    if asked.out is None or asked.backend is not None:
        return
    for one in abandoned.abandoned_runs(asked.out, asked.shared, env):
        found = plain(RUN, one.path, about=f"{one.engine}{f', {one.about}' if one.about else ''}")
        item = msgspec.structs.replace(
            found.item, name=str(one.path), used=one.begun or found.item.used, kept=one.kept,
            used_by="begun" if one.begun else found.item.used_by,
        )  # fmt: skip
        yield found._replace(item=item, run=one)


# --- engines -------------------------------------------------------------------------------------------------------


def engines_here(
    env: Mapping[str, str], asked: Asked, named: Sequence[str] | None = None
) -> tuple[list[boxes.Engine], list[str]]:
    """The engines that answer, and why others were not asked."""
    if asked.backend not in (None, docker.NAME):
        return [], []
    if named is None:
        chosen = env.get("ENVCHECK_ENGINE")
        there = [name for name in ("docker", "podman") if shutil.which(name, path=env.get("PATH"))]
        named = [chosen] if chosen else there
    found: dict[tuple[str, str], boxes.Engine] = {}
    unread = [] if named else ["images and containers: no docker and no podman is here to ask"]
    for name in named:
        engine = answer_of(name, env)
        if isinstance(engine, str):
            unread.append(f"images and containers: {engine}")
        else:
            found.setdefault((engine.kind, engine.version), engine)
    return list(found.values()), unread


def answer_of(name: str, env: Mapping[str, str]) -> boxes.Engine | str:
    """The engine of that name, or why there is none."""
    try:
        return boxes.find(env, named=name)
    except boxes.EngineMissingError as error:
        return error.message


def held_by(engine: boxes.Engine, env: Mapping[str, str], cache: Path) -> Iterator[_Found]:
    """Images and containers of ours in an engine."""
    uses = uses_of_images(cache)
    for held in (*stock.containers(engine, env), *stock.images(engine, env)):
        known = uses.get((held.labels.get(stock.LOCK, ""), held.labels.get(stock.CELL, "")))
        item = Item(
            kind=held.kind,
            name=(held.names or (held.identifier[:12],))[0],
            about=held.labels.get(stock.CELL, "") or "built to be judged" if held.kind == "image" else engine.kind,
            bytes=held.size,
            used=known or held.created,
            used_by="marked at each use" if known else "created",
            kept=held.kept,
        )
        yield _Found(item, engine=engine, held=held)


def uses_of_images(cache: Path) -> dict[tuple[str, str], float]:
    """When this cache's docker cells were used, by the lock's hash and the cell that their image is labelled with."""
    found: dict[tuple[str, str], float] = {}
    for folder in listed(cache / "environments", _ENVIRONMENT, folders=True):
        text = files.read_text(folder / "Dockerfile")
        if text is None:
            continue
        lock = hashlib.sha256((files.read_text(folder / "lock.txt") or "").encode()).hexdigest()
        cell = re.search(rf'{re.escape(stock.CELL)}="([^"]*)"', text)
        if cell and (used := used_at(folder / MANIFEST)):
            found[lock, cell[1]] = used
    return found
