"""Which CUDA an NVIDIA driver and a GPU can serve, from the tables alone.

A CUDA version without a patch ("12.8") stands for every patch of it that the table knows: the answer holds for all of
them. A driver given as a branch ("570") stands for the newest driver of that branch; `since` then names the oldest
driver of the branch for which the answer already holds, where that is not the whole branch. A driver with more
components ("570.124.06") stands for itself.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from envcheck.compat.tables import Architecture, CudaTable, Tables, Toolkit, load_tables
from envcheck.compat.versions import NEWEST, Version, components, is_branch, known_components, starts_with
from envcheck.model import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class CudaKind(str, Enum):
    """How a CUDA toolkit, a driver and a GPU go together."""

    NATIVE = "native"
    """The driver is at or above the one the toolkit was paired with."""
    MINOR = "minor"
    """Older than that, but at or above the floor of the CUDA major version. PTX of this toolkit cannot be compiled."""
    FORWARD_ONLY = "forward-only"
    """Below the floor; runs only with the cuda-compat package, and only on eligible GPUs."""
    TOO_OLD = "too-old"
    """The driver cannot serve this CUDA."""
    DROPPED = "dropped"
    """The toolkit or the driver no longer knows the GPU's architecture."""
    TOO_NEW = "too-new"
    """The toolkit or the driver does not know the GPU's architecture yet."""
    NEVER_RELEASED = "never-released"
    """There is no such CUDA."""
    UNKNOWN = "unknown"
    """A fact that is needed is in no table. Never the same as fine."""


class CudaSupport(Record, frozen=True):
    """The answer: `because` in words, `source` a key of the tables' sources ("" where no table speaks).

    `since`: for a driver branch, the oldest of its drivers for which `kind` holds; None where it holds for all.
    """

    kind: CudaKind
    because: str
    source: str = ""
    since: str | None = None


class DriverBranch(Record, frozen=True):
    """What is known of a driver branch. `ends`: the month (YYYY-MM) its support ends, "past", or None: not known."""

    branch: int
    kind: str
    ends: str | None
    source: str


class _Question(msgspec.Struct, frozen=True):
    """One driver and perhaps one GPU, to be held against toolkits. `driver`: in words; `point`: what is compared."""

    driver: str
    point: Version
    capability: str | None
    gpu_name: str


def cuda_support(
    cuda: str,
    driver: str,
    compute_capability: str | None = None,
    tables: Tables | None = None,
    *,
    gpu_name: str = "",
) -> CudaSupport:
    """How CUDA `cuda` goes with `driver`, and with a GPU of `compute_capability` if given. First match decides:

    | kind           | when                                                                                   |
    | -------------- | -------------------------------------------------------------------------------------- |
    | never-released | the number was skipped                                                                 |
    | unknown        | version, GPU or floor are in no table; or the patches of `cuda` fare differently       |
    | dropped        | driver branch or CUDA is past the last that knows the GPU                              |
    | too-new        | driver branch or CUDA is before the first that knows the GPU                           |
    | native         | driver >= the one the toolkit was paired with                                          |
    | minor          | driver >= the floor of the CUDA major version                                          |
    | forward-only   | cuda-compat exists for the pair, and `gpu_name` is not one it fails on                 |
    | too-old        | otherwise                                                                              |
    """
    table = (tables or load_tables()).cuda
    wanted, named = components(cuda), components(driver)
    if wanted is None or named is None:
        bad = cuda if wanted is None else driver
        return CudaSupport(CudaKind.UNKNOWN, f"{bad!r} is not a version of digits and dots")
    if any(starts_with(wanted, known_components(row.version)) for row in table.never_released.rows):
        return CudaSupport(CudaKind.NEVER_RELEASED, f"CUDA {cuda} was never released", table.never_released.source)
    toolkits = _toolkits(wanted, table)
    if not toolkits:
        return CudaSupport(CudaKind.UNKNOWN, f"CUDA {cuda} is not in the table of toolkits")
    if not is_branch(named):
        return _for_all(toolkits, _Question(f"driver {driver}", named, compute_capability, gpu_name), table)
    newest = _Question(f"the newest driver of branch {driver}", named + NEWEST, compute_capability, gpu_name)
    return _with_since(_for_all(toolkits, newest, table), toolkits, named, table)


def driver_branch(driver: str, tables: Tables | None = None) -> DriverBranch | None:
    """What the tables know of the branch a driver (or branch) belongs to; None where they do not know it."""
    version = components(driver)
    block = (tables or load_tables()).cuda.branches
    found = [row for row in block.rows if version is not None and row.branch == version[0]]
    return next((DriverBranch(row.branch, row.kind, row.ends, row.source or block.source) for row in found), None)


def newest_cuda(driver: str, tables: Tables | None = None) -> str | None:
    """Major and minor version of the newest CUDA that was paired with this driver or an older one.

    A branch stands for its newest driver. None where no table names one: a driver before CUDA 11, or no version.
    """
    named = components(driver)
    if named is None:
        return None
    point = named + NEWEST if is_branch(named) else named
    served = [
        known_components(row.cuda) for row in (tables or load_tables()).cuda.toolkits.rows if point >= _paired(row)
    ]
    return ".".join(map(str, max(served)[:2])) if served else None


def _toolkits(wanted: Version, table: CudaTable) -> tuple[Toolkit, ...]:
    """The toolkits `wanted` stands for, newest first; those whose paired driver is known, if there are any."""
    found = [row for row in table.toolkits.rows if starts_with(known_components(row.cuda), wanted)]
    paired = [row for row in found if row.driver is not None]
    return tuple(sorted(paired or found, key=lambda row: known_components(row.cuda), reverse=True))


def _for_all(toolkits: Iterable[Toolkit], question: _Question, table: CudaTable) -> CudaSupport:
    """One answer that is true of every toolkit, or `unknown` where no single one is."""
    answers = [(toolkit, _for_one(toolkit, question, table)) for toolkit in toolkits]
    kinds = {answer.kind for _, answer in answers}
    if len(kinds) == 1:
        return answers[0][1]
    if kinds == {CudaKind.NATIVE, CudaKind.MINOR}:
        return next(answer for _, answer in answers if answer.kind is CudaKind.MINOR)
    examples = ", ".join(
        f"{cuda}: {kind.value}" for kind, cuda in {answer.kind: row.cuda for row, answer in answers}.items()
    )
    return CudaSupport(CudaKind.UNKNOWN, f"it depends on the release (such as {examples})", answers[0][1].source)


def _for_one(toolkit: Toolkit, question: _Question, table: CudaTable) -> CudaSupport:
    if question.capability is not None:
        objection = _architecture_objection(toolkit, question, question.capability, table)
        if objection is not None:
            return objection
    return _on_driver(toolkit, question, table)


def _on_driver(toolkit: Toolkit, question: _Question, table: CudaTable) -> CudaSupport:
    major = known_components(toolkit.cuda)[0]
    paired = f"{_paired_words(toolkit)}, which CUDA {toolkit.cuda} was paired with"
    if question.point >= _paired(toolkit):
        because = f"{question.driver} is at or above {paired}"
        return CudaSupport(CudaKind.NATIVE, because, toolkit.source or table.toolkits.source)
    floor = next((row.driver for row in table.floors.rows if row.major == major), None)
    if floor is None:
        return CudaSupport(CudaKind.UNKNOWN, f"no table names the oldest driver for CUDA {major}.x")
    where = f"{floor}, the oldest driver for CUDA {major}.x"
    if question.point >= known_components(floor):
        because = (
            f"{question.driver} is {'below' if toolkit.driver else 'perhaps below'} {paired}, and not below {where}: "
            "programs start, but PTX of this toolkit cannot be compiled by this driver"
        )
        return CudaSupport(CudaKind.MINOR, because, table.floors.source)
    return _below_floor(toolkit, question, where, table)


def _below_floor(toolkit: Toolkit, question: _Question, where: str, table: CudaTable) -> CudaSupport:
    major, minor = (*known_components(toolkit.cuda), 0)[:2]
    seen = f"{question.driver} is below {where}"
    package = f"cuda-compat-{major}-{minor}"
    bridged = any(
        known_components(row.cuda) == (major, minor) and question.point[0] in row.branches for row in table.forward.rows
    )
    if bridged and not _ineligible(question.gpu_name, table):
        because = f"{seen}; {package} bridges it for {table.forward.eligible} (CUDA only, not OpenGL)"
        return CudaSupport(CudaKind.FORWARD_ONLY, because, table.forward.source)
    why = f"{package} fails on a {question.gpu_name} (error 804)" if bridged else f"{package} is not listed for it"
    return CudaSupport(CudaKind.TOO_OLD, f"{seen}, and {why}", table.floors.source)


def _architecture_objection(
    toolkit: Toolkit, question: _Question, capability: str, table: CudaTable
) -> CudaSupport | None:
    """Why this GPU does not go with the toolkit or the driver; None where it does."""
    row = next((row for row in table.architectures.rows if capability in row.capabilities), None)
    if row is None:
        return CudaSupport(CudaKind.UNKNOWN, f"compute capability {capability} is not in the table of architectures")
    source = row.source or table.architectures.source
    known_branches = [branch.branch for branch in table.branches.rows]
    branch = question.point[0]
    found = _out_of_range(row, toolkit, branch)
    if found is not None:
        kind, words = found
        return CudaSupport(kind, f"the GPU is {row.name} (compute capability {capability}): {words}", source)
    if row.last_branch is None and branch > max(known_branches, default=0):
        because = f"driver branch {branch} is in no table; whether it still drives {row.name} is not known"
        return CudaSupport(CudaKind.UNKNOWN, because, source)
    return None


def _out_of_range(row: Architecture, toolkit: Toolkit, branch: int) -> tuple[CudaKind, str] | None:
    cuda = known_components(toolkit.cuda)[:2]
    if row.last_branch is not None and branch > row.last_branch:
        return CudaKind.DROPPED, f"driver branch {row.last_branch} was the last to drive it, and this is {branch}"
    if row.last_cuda is not None and cuda > known_components(row.last_cuda):
        return CudaKind.DROPPED, f"CUDA {row.last_cuda} was the last with code for it, and this is {toolkit.cuda}"
    if row.first_branch is not None and branch < row.first_branch:
        return CudaKind.TOO_NEW, f"driver branch {row.first_branch} is the first to drive it, and this is {branch}"
    if row.first_cuda is not None and cuda < known_components(row.first_cuda):
        words = f"CUDA {row.first_cuda} is the first with code for it, and this is {toolkit.cuda}"
        return CudaKind.TOO_NEW, f"{words}; only programs that carry PTX could start"
    return None


def _with_since(answer: CudaSupport, toolkits: tuple[Toolkit, ...], branch: Version, table: CudaTable) -> CudaSupport:
    """The answer for a branch's newest driver, with the oldest driver of the branch that gets the same one."""

    def holds(point: Version) -> bool:
        return _for_all(toolkits, _Question("", point, None, ""), table).kind is answer.kind

    if answer.kind not in (CudaKind.NATIVE, CudaKind.MINOR) or holds(branch):
        return answer
    steps = {driver for driver in _steps(toolkits, table) if starts_with(known_components(driver), branch)}
    since = next((driver for driver in sorted(steps, key=known_components) if holds(known_components(driver))), None)
    because = f"{answer.because}; so it is from {since} on" if since else answer.because
    return msgspec.structs.replace(answer, because=because, since=since)


def _steps(toolkits: Iterable[Toolkit], table: CudaTable) -> Iterator[str]:
    """The drivers at which an answer can change."""
    yield from (toolkit.driver for toolkit in toolkits if toolkit.driver is not None)
    yield from (row.driver for row in table.floors.rows)


def _paired(toolkit: Toolkit) -> Version:
    """The driver from which on the toolkit is native; where only its branch is known, the newest of that branch."""
    if toolkit.driver is not None:
        return known_components(toolkit.driver)
    return (toolkit.branch, *NEWEST) if toolkit.branch is not None else NEWEST


def _paired_words(toolkit: Toolkit) -> str:
    return toolkit.driver or f"a driver of branch {toolkit.branch} that no table names"


def _ineligible(gpu_name: str, table: CudaTable) -> bool:
    return any(part in gpu_name for part in table.forward.ineligible)
