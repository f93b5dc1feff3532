"""Evidence from elsewhere, read with distrust: what is damaged, foreign or changed on its way is refused by name.

A source is a results folder, a folder of evidence files, one evidence file, another archive, a log with parcels, or a
folder of results folders.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from envcheck import parcel, seal, store
from envcheck.archive import is_archive, open_archive
from envcheck.errors import EnvcheckError, UsageError
from envcheck.kept import Refused
from envcheck.model import CellResult, Evidence, Results, Shard, cell_id

DEEPEST = 5
"""Folders in folders that are looked into: a platform's artifacts lie two or three deep."""
NO_SIGNATURES = "an archive carries no signatures, and a key is demanded; name the results folders"


class Found(NamedTuple):
    """Evidence somewhere: `told` is what results.json says of it, `run` the run it belonged to in another archive."""

    source: str
    evidence: Evidence
    told: CellResult | None = None
    run: str = ""
    shard: Shard | None = None
    """The part of a matrix that it was delivered with."""


class Sealed(NamedTuple):
    """A results folder, and the digests of its files by name; None where it has no list."""

    root: Path
    digests: dict[str, str] | None


def read(source: Path, refused: list[Refused], key: bytes | None = None) -> Iterator[Found]:
    """All evidence of a source; what cannot be believed goes to `refused`, the rest is read."""
    if not exists(source):
        refused.append(Refused(str(source), "no such file or folder"))
        return
    if is_archive(source):
        if key is None:
            yield from from_archive(source, refused)
        else:
            refused.append(Refused(str(source), NO_SIGNATURES))
        return
    if parcel.is_log(source):
        yield from from_log(source, refused, key)
        return
    for folder in [source] if holds_evidence(source) else folders_in(source) or [source]:
        yield from from_folder(folder, refused, key)


def exists(source: Path) -> bool:
    """Whether something is there; a name that no system call takes names nothing."""
    try:
        return source.exists()
    except (OSError, ValueError):
        return False


def refusal(source: Path, error: UsageError) -> Refused:
    """A file that is not read; the error names it as well."""
    return Refused(str(source), error.message.removeprefix(f"{source}: "))


def holds_evidence(source: Path) -> bool:
    """True for what is no folder of folders."""
    return (
        not source.is_dir()
        or (source / store.RESULTS).exists()
        or any(source.glob("*.json"))
        or (source / store.EVIDENCE).is_dir()
    )


def folders_in(source: Path, deep: int = DEEPEST) -> list[Path]:
    """The folders inside that hold evidence, sorted; what one of them contains is its own."""
    found: list[Path] = []
    for one in sorted(source.iterdir()):
        if one.is_symlink() or not one.is_dir():
            continue
        if holds_evidence(one):
            found.append(one)
        elif deep:
            found += folders_in(one, deep - 1)
    return found


# --- a folder ---------------------------------------------------------------------------------------------------


def from_folder(folder: Path, refused: list[Refused], key: bytes | None) -> Iterator[Found]:
    """The evidence of one folder or file."""
    try:
        sealed = sealed_in(folder, key)
        results = results_of(folder, sealed)
        files = store.evidence_files(folder)
    except UsageError as error:
        refused.append(refusal(folder, error))
        return
    if folder == sealed.root:
        refused += [Refused(str(sealed.root / name), "it is listed, and not there") for name in missing(sealed, files)]
    yield from from_files(files, results, sealed, refused)


def sealed_in(folder: Path, key: bytes | None) -> Sealed:
    """The list of digests that a folder comes with. Raises UsageError where it is not to be believed."""
    root = root_of(folder)
    sums, signed = (optional(root / name) for name in (seal.SUMS, seal.SIGNATURE))
    if why := seal.broken(sums, signed, key):
        raise UsageError(why)
    digests = None if sums is None else seal.parsed(sums)
    if sums is not None and digests is None:
        raise UsageError(f"{seal.SUMS} is no list of digests")
    return Sealed(root, digests)


def root_of(path: Path) -> Path:
    """The results folder that a folder or an evidence file belongs to."""
    folder = path if path.is_dir() else path.parent
    return folder.parent if folder.name == store.EVIDENCE else folder


def optional(path: Path) -> bytes | None:
    """The content of a file; None where there is none."""
    return store.read_limited(path) if path.exists() else None


def results_of(folder: Path, sealed: Sealed) -> Results | None:
    """What results.json says. Raises UsageError where it was changed."""
    path = folder / store.RESULTS
    if not folder.is_dir() or not path.exists():
        return None
    return store.decoded(unchanged(path, sealed), path, Results)


def unchanged(path: Path, sealed: Sealed) -> bytes:
    """The content of a file, if it is what the list says. Raises UsageError."""
    data = store.read_limited(path)
    if sealed.digests is None:
        return data
    listed = sealed.digests.get(name_of(path, sealed))
    if listed is None:
        raise UsageError(f"{seal.SUMS} does not list it: it came from elsewhere")
    if listed != seal.digest(data):
        raise UsageError(f"its content is not what {seal.SUMS} says: it was changed")
    return data


def name_of(path: Path, sealed: Sealed) -> str:
    """The name of a file in the list."""
    return path.relative_to(sealed.root).as_posix()


def missing(sealed: Sealed, files: Iterable[tuple[Path, str | None]]) -> list[str]:
    """What is listed and would not be read."""
    read_too = {name_of(path, sealed) for path, _ in files} | {store.RESULTS}
    return sorted(set(sealed.digests or ()) - read_too)


def from_files(
    files: Iterable[tuple[Path, str | None]], results: Results | None, sealed: Sealed, refused: list[Refused]
) -> Iterator[Found]:
    """The evidence in files, each read by itself: one that is damaged keeps no other out."""
    told = {} if results is None else {cell.id: cell for cell in results.cells}
    for path, cell in files:
        try:
            evidence = believed(path, unchanged(path, sealed))
        except UsageError as error:
            refused.append(refusal(path, error))
            continue
        if cell not in (None, evidence.cell.id):
            why = f"evidence of the cell {evidence.cell.id}, named by {store.RESULTS} for {cell}"
            refused.append(Refused(str(path), why))
            continue
        yield Found(str(path), evidence, told.get(evidence.cell.id), shard=results.shard if results else None)


def believed(path: Path, data: bytes) -> Evidence:
    """The evidence in a file's content. Raises UsageError for what no worker can have seen."""
    evidence = store.decoded(data, path, Evidence)
    if wrong := store.implausible(evidence) or misnamed(evidence):
        raise UsageError(f"{path}: {wrong}")
    return evidence


def misnamed(evidence: Evidence) -> str:
    """How evidence of one cell goes by the name of another; an empty text where it does not."""
    named, made = evidence.cell.id, cell_id(evidence.cell.axes)
    return "" if named == made else f"it is named {named[:200]!r}, and its axes make {made[:200]!r}"


def from_log(path: Path, refused: list[Refused], key: bytes | None) -> Iterator[Found]:
    """The evidence in a log that workers wrote parcels to."""
    with tempfile.TemporaryDirectory(prefix="envcheck-log-") as made:
        folders, faults = parcel.unpack(path, Path(made))
        refused += [Refused(str(path), fault) for fault in faults]
        for folder in folders:
            yield from (found._replace(source=f"{path} {folder.name}") for found in from_folder(folder, refused, key))


# --- an archive -------------------------------------------------------------------------------------------------


def from_archive(path: Path, refused: list[Refused]) -> Iterator[Found]:
    """The evidence of another archive."""
    with open_archive(path, readonly=True) as other:
        for entry in list(other.entries()):
            source = f"{path} {entry.digest[:12]}"
            try:
                evidence = other.evidence(entry.digest)
            except EnvcheckError as error:
                refused.append(Refused(source, error.message))
                continue
            if wrong := store.implausible(evidence) or misnamed(evidence):
                refused.append(Refused(source, wrong))
            else:
                yield Found(source, evidence, run=entry.run)
