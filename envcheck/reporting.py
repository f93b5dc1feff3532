"""`envcheck report`: the compatibility table of stored results, in one of the formats, written whole or not at all."""

from __future__ import annotations

import gc
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from envcheck import matrix, store
from envcheck.contents import DETAILED, Material, contents_of, of_archive, of_folder, together
from envcheck.errors import NothingSelectedError, UsageError
from envcheck.matrix import Matrix
from envcheck.model import Host, Unread
from envcheck.report import badge, csv, html, json, junit, prometheus, readme, summary
from envcheck.report.html import Contents
from envcheck.report.markdown import escape
from envcheck.report.table import STALE_DAYS, Slot
from envcheck.request import plan_rules, read_matrix

HISTORY = "history.sqlite"
"""The archive in a results folder."""
MOST_SLOTS = 20_000
"""A larger table is none that anyone reads."""


def partly(contents: Contents, text: str) -> str:
    """Markdown with a word before it where it is of a part."""
    return f"**{escape(contents.part)}**\n\n{text}" if contents.part else text


def whole(contents: Contents) -> Contents:
    """The contents, if they are no part. Raises UsageError: a badge has no room to say so."""
    if contents.part:
        raise UsageError(f"no badge is made of a part. {contents.part}", remedy="Report on the archive: --history FILE")
    return contents


FORMATS: dict[str, Callable[[Contents], str]] = {
    "markdown": lambda contents: partly(contents, readme.render(contents.table)),
    "html": html.render,
    "json": lambda contents: json.render(contents.table),
    "csv": lambda contents: csv.render(contents.table),
    "junit": lambda contents: junit.render(contents.table),
    "prometheus": lambda contents: prometheus.render(contents.table),
    "badge": lambda contents: badge.render(whole(contents).table),
    "summary": lambda contents: partly(contents, summary.render(contents.table, contents.changes)),
}
WHERE = "Name a folder that `envcheck validate` wrote (--out DIR), or an archive (--history FILE)."


@dataclass(frozen=True)
class ReportRequest:
    """What the user asked for. `out` and `history` are None where they were not named; `target` is the file written."""

    at: datetime
    form: str = "markdown"
    out: Path | None = None
    history: Path | None = None
    matrix: Path | None = None
    tier: str | None = None
    select: str | None = None
    backend: str | None = None
    stale_days: float = STALE_DAYS
    detailed: int = DETAILED
    target: Path | None = None


def report(request: ReportRequest) -> str:
    """The text of the report. Raises NothingSelectedError where neither a result nor a matrix is there."""
    if request.form not in FORMATS:
        raise UsageError(f"--format {request.form!r} is not one of {', '.join(FORMATS)}")
    with uncollected():
        material, slots = material_of(request), slots_of(request)
        if not material.entries and not slots:
            raise NothingSelectedError("there is nothing to report", remedy=WHERE)
        links = links_from(request.target, material)
        contents = contents_of(material, slots, at=request.at, stale_days=request.stale_days, links=links)
        return FORMATS[request.form](contents)


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the collector of cycles: entries have none, and it would look at all of them again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


# --- what there is ----------------------------------------------------------------------------------------------


def material_of(request: ReportRequest) -> Material:
    """The archive that was named; else the results folder, with the archive in it where there is one."""
    if request.history is not None:
        archived = archive_of(request.history, request)
        return together(archived, of_folder(request.out)) if request.out is not None else archived
    out = request.out or Path(".envcheck")
    inside = out / HISTORY
    archived = archive_of(inside, request) if inside.exists() else Material()
    if not (out / store.RESULTS).exists() and (archived.entries or request.out is None):
        return archived
    return together(archived, of_folder(out))


def archive_of(path: Path, request: ReportRequest) -> Material:
    """An archive, and of it what the format shows."""
    detailed = request.detailed if request.form == "html" else 0
    return of_archive(path, detailed, with_changes=request.form in ("html", "summary"))


def slots_of(request: ReportRequest) -> list[Slot]:
    """The cells of the matrix that was named, or that lies here, as they are foreseen for any host."""
    if request.matrix is None and not Path("matrix.yaml").exists():
        return []
    return planned(read_matrix(request.matrix), request)


def planned(asked: Matrix, request: ReportRequest) -> list[Slot]:
    """Every cell of a matrix. Raises UsageError where there are more than a table can hold."""
    host = Host(sys.platform, platform.machine(), Unread(reason="the table is for every host"))
    plan = matrix.classify(asked, plan_rules(host), tier=request.tier, expr=request.select, backend=request.backend)
    count = sum(group.count for group in matrix.plan_groups(plan))
    if count > MOST_SLOTS:
        remedy = "Choose some of them: --tier, --select or --backend"
        raise UsageError(f"the matrix has {count:,} cells, and a table holds at most {MOST_SLOTS:,}", remedy=remedy)
    return [Slot(cell.id, cell.axes, cell.state, cell.because) for cell in matrix.planned_cells(plan)]


def links_from(target: Path | None, material: Material) -> dict[str, str]:
    """Where the evidence lies, seen from the folder of the file that links to it."""
    start = Path() if target is None else target.parent
    found = {digest: path for digest, path in material.links.items() if path.is_file()}
    return {digest: Path(os.path.relpath(path, start)).as_posix() for digest, path in found.items()}


# --- where it goes ----------------------------------------------------------------------------------------------


def update_readme(path: Path, block: str) -> bool:
    """Replace the block in a file that people write; True where that changed it."""
    try:
        before = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {reason(error)}", remedy="Name a text file: --readme FILE") from error
    after = readme.updated(before, block, str(path))
    if after != before:
        write_whole(path, after)
    return after != before


def write_whole(path: Path, text: str) -> None:
    """Write a file in one go, through a link where it is one and with the rights that it has. Raises UsageError."""
    target = path.resolve()
    staged: Sequence[Path] = ()
    try:
        staged = (store.stage(target, text.encode("utf-8", "backslashreplace")),)
        if target.exists():
            staged[0].chmod(target.stat().st_mode & 0o777)
        store.commit([(staged[0], target)])
    except OSError as error:
        store.discard(staged)
        raise UsageError(f"cannot write {path}: {reason(error)}", remedy="Name another file: --output FILE") from error


def reason(error: OSError | UnicodeDecodeError) -> str:
    """A few words for what went wrong with a file."""
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror or str(error)
