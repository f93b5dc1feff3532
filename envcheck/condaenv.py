"""Steps of conda plans, as a program: `python -I -m envcheck.condaenv VERB …`.

A process of its own, so that a plan can be printed and interrupted, and the solver's memory and threads end with it.

solve    ask channels, choose packages, write them as an explicit list and as pixi.lock
install  download and link the packages of a pixi.lock
list     write what a prefix holds as an explicit list
finish   put the final path in place of the one the prefix was made in, and rename its folder
join     write several files into one lock

solve and install need py-rattler; the others need nothing. What fails is said in one line on standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from envcheck.plan import conda

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_NETWORK = re.compile(
    r"error sending request|client error|tcp connect|dns error|timed out|status (?:client|server) error"
    r"|could not find subdir|failed to open file|[Ff]ailed to fetch|failed to parse repodata|error decoding response"
    r"|certificate"
)


ANEW = "where that is meant, --relock solves anew"


class VerbError(Exception):
    """Why a verb came to no end: an outcome of a build, and one sentence."""

    def __init__(self, outcome: str, because: str) -> None:
        super().__init__(because)
        self.outcome = outcome


# --- with py-rattler -----------------------------------------------------------------------------------------------


def solve(asked: argparse.Namespace) -> None:
    """Choose packages and write both lists."""
    records = asyncio.run(_solve(asked))
    entries = sorted((record.url, _hex(record.md5), _hex(record.sha256)) for record in records)
    Path(asked.explicit).write_text(explicit(asked.subdir, entries), encoding="utf-8")
    _write_lock(asked, records)


async def _solve(asked: argparse.Namespace) -> list[Any]:
    import rattler
    from rattler.exceptions import SolverError

    client = rattler.Client.default_client()
    try:
        records: list[Any] = await rattler.solve(
            sources=[rattler.Channel(name) for name in asked.channel],
            specs=[rattler.MatchSpec(spec) for spec in asked.specs],
            gateway=rattler.Gateway(client=client),
            platforms=[rattler.Subdir(asked.subdir), rattler.Subdir("noarch")],
            virtual_packages=[_virtual(package) for package in asked.virtual],
        )
    except SolverError as error:
        raise VerbError("unsolvable", reason(str(error), asked.virtual)) from None
    return records


def _virtual(package: str) -> Any:
    import rattler
    from rattler.package import BuildString

    name, version, build = package.split("=")
    return rattler.GenericVirtualPackage(rattler.PackageName(name), rattler.Version(version), BuildString(build))


def reason(said: str, virtual: Iterable[str]) -> str:
    """The solver's words in one sentence, with the __cuda it was given where it speaks of that."""
    words = " ".join(re.sub(r"[│├─└×╰╭]+", " ", said).split()).replace(" ,", ",")
    words = words.removeprefix("Cannot solve the request because of: ").rstrip(". ")
    if "__cuda" not in words:
        return words
    served = next((package.split("=")[1] for package in virtual if package.startswith("__cuda=")), None)
    given = f"the driver of this cell serves CUDA {served}" if served else "neither the cell nor this host has a driver"
    return f"{words}; {given}"


def _write_lock(asked: argparse.Namespace, records: Sequence[Any]) -> None:
    import rattler

    platform = rattler.LockPlatform(asked.subdir)
    lock = rattler.LockFile([platform])
    lock.set_channels("default", [rattler.LockChannel(rattler.Channel(name).base_url) for name in asked.channel])
    for record in records:
        lock.add_conda_package("default", platform, record)
    lock.to_path(asked.lock)


def install(asked: argparse.Namespace) -> None:
    """Link the packages of a lock into a prefix, with the path it will have in the end written into their files."""
    import rattler

    locked = rattler.LockFile.from_path(asked.lock).default_environment()
    platforms = locked.platforms() if locked else []
    platform = next((one for one in platforms if one.name == asked.subdir), None)
    records = locked.conda_repodata_records_for_platform(platform) if locked and platform else None
    if not records:
        raise VerbError("failed", f"{asked.lock} holds no packages for {asked.subdir}")
    for record in records:
        check_local(record.url, _hex(record.sha256))
    asyncio.run(
        rattler.install(
            records,
            target_prefix=asked.prefix,
            alternative_target_prefix=asked.final,
            show_progress=False,
            client=rattler.Client.default_client(),
        )
    )


# --- without it ----------------------------------------------------------------------------------------------------


def check_local(url: str, sha256: str) -> None:
    """Compare a package in a folder of this machine with the lock: py-rattler does so only for what it downloads."""
    if not sha256 or not url.startswith("file:"):
        return
    path = Path(url2pathname(urlsplit(url).path))
    if not path.exists():
        raise VerbError("unavailable", f"the channel does not hold a package of the lock any more: {path}; {ANEW}")
    seen = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            seen.update(chunk)
    if seen.hexdigest() != sha256:
        raise VerbError("failed", f"the channel holds a file that differs from its hash in the lock: {path}; {ANEW}")


def list_(asked: argparse.Namespace) -> None:
    """What a prefix holds, by the records that every conda program leaves in it."""
    records = list(_records(Path(asked.prefix)))
    if not records:
        raise VerbError("failed", f"{asked.prefix} has no conda-meta: the program made no environment")
    entries = sorted((one.get("url", ""), one.get("md5") or "", one.get("sha256") or "") for one in records)
    Path(asked.out).write_text(explicit(asked.subdir, entries), encoding="utf-8")


def explicit(subdir: str, entries: Iterable[tuple[str, str, str]]) -> str:
    """The list that conda and its kin install from: one address a line, with its MD5, or else its SHA-256."""
    lines = (f"{url}#{md5}" if md5 else f"{url}#sha256:{sha256}" if sha256 else url for url, md5, sha256 in entries)
    return "\n".join([f"# platform: {subdir}", "@EXPLICIT", *lines, ""])


def _hex(digest: bytes | None) -> str:
    return digest.hex() if digest else ""


def join(asked: argparse.Namespace) -> None:
    """Several files, each under a heading, as one."""
    parts = {name: Path(name).read_text(encoding="utf-8") for name in asked.parts}
    Path(asked.out).write_text(conda.join(parts), encoding="utf-8")


def finish(asked: argparse.Namespace) -> None:
    """Replace the path the prefix was made in wherever it was written, then rename its folder."""
    prefix = Path(asked.prefix)
    old, new = os.fsencode(asked.prefix), os.fsencode(asked.final)
    for path, mode in _written_to(prefix):
        _replace(path, mode, old, new)
    prefix.rename(prefix.with_name(asked.rename))


def _records(prefix: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(prefix.glob("conda-meta/*.json")):
        yield json.loads(path.read_text(encoding="utf-8"))


def _written_to(prefix: Path) -> Iterator[tuple[Path, str]]:
    """Files that may hold the prefix: those that conda packages declare, and the scripts that wheels bring."""
    declared = {}
    for record in _records(prefix):
        for entry in record.get("paths_data", {}).get("paths", ()):
            if entry.get("prefix_placeholder"):
                declared[prefix / entry["_path"]] = str(entry.get("file_mode") or "text")
    scripts = {path: "text" for path in prefix.glob("bin/*") if _is_script(path)}
    yield from {**scripts, **declared}.items()


def _is_script(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(2) == b"#!"


def _replace(path: Path, mode: str, old: bytes, new: bytes) -> None:
    if path.is_symlink() or not path.is_file() or old not in (data := path.read_bytes()):
        return
    changed = data.replace(old, new) if mode == "text" else patched(data, old, new)
    part = path.with_name(f".{path.name}.part")  # never in place: the file may be a hard link into a cache
    part.write_bytes(changed)
    part.chmod(stat.S_IMODE(path.stat().st_mode))
    part.replace(path)


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    """A binary with one path in place of another; each string that holds it keeps its length, filled up with zeros."""
    if len(new) > len(old):
        raise VerbError("failed", f"a binary cannot take the path {os.fsdecode(new)}: it is longer than the one in it")

    def shortened(match: re.Match[bytes]) -> bytes:
        return match[0].replace(old, new).ljust(len(match[0]), b"\0")

    return re.sub(re.escape(old) + rb"[^\0]*", shortened, data)


# --- the program ---------------------------------------------------------------------------------------------------


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The verb and what it is given."""
    parser = argparse.ArgumentParser(prog="envcheck.condaenv", description=__doc__)
    verbs = parser.add_subparsers(required=True)
    options = {
        solve: ("--subdir", "--explicit", "--lock"),
        install: ("--subdir", "--lock", "--prefix", "--final"),
        list_: ("--subdir", "--prefix", "--out"),
        finish: ("--prefix", "--final", "--rename"),
        join: ("--out",),
    }
    of_verb = {}
    for act, names in options.items():
        of_verb[act] = verbs.add_parser(act.__name__.strip("_"))
        of_verb[act].set_defaults(act=act)
        for name in names:
            of_verb[act].add_argument(name, required=True)
    of_verb[solve].add_argument("--channel", action="append", required=True)
    of_verb[solve].add_argument("--virtual", action="append", default=[])
    of_verb[solve].add_argument("specs", nargs="+")
    of_verb[join].add_argument("parts", nargs="+")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Do what a verb says; 0, or 1 with a line on standard error."""
    asked = parse(argv)
    try:
        asked.act(asked)
    except VerbError as failure:
        return _complain(failure.outcome, str(failure))
    except ModuleNotFoundError as error:
        return _complain("failed", f"{error}: {conda.INSTALL}")
    except Exception as error:  # noqa: BLE001 - py-rattler's exceptions share no base; each becomes one line
        words = with_channels(" ".join(str(error).split()) or type(error).__name__, getattr(asked, "channel", ()))
        return _complain("unavailable" if _NETWORK.search(words) and not _is_local(words) else "failed", words)
    return 0


def with_channels(words: str, channels: Sequence[str]) -> str:
    """What went wrong, and with which channels where it does not say that: of repodata, py-rattler tells no address."""
    told = not channels or "://" in words
    return words if told else f"{words} (asked: {', '.join(channels)})"


def _is_local(words: str) -> bool:
    return any(cause in words for cause in ("No space left on device", "Permission denied", "hash mismatch"))


def _complain(outcome: str, because: str) -> int:
    said = "the disk is full" if "No space left on device" in because else because
    sys.stderr.write(f"{conda.VOICE}: {outcome}: {' '.join(said.split())}\n")
    return 1


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads of the solver may still be at work, and crash while the interpreter is torn down
