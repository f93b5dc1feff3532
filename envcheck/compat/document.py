"""The tables as Markdown, for docs/compatibility.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envcheck.compat.wheels import wheel_facts
from envcheck.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from envcheck.compat.tables import Block, Tables, Toolkit
    from envcheck.compat.wheels import WheelFacts

BEGIN = "<!-- begin: written by `python -m envcheck.compat` from envcheck/data/*.toml -->"
END = "<!-- end -->"

MAIN_PLATFORM = "linux-x86_64"
NONE = "–"

_GPU = {"gl": "OpenGL ES", "metal": "Metal", "none": "**none**"}
_GL = {"bundled": "in the wheel", "system": "", "none": NONE}


def with_tables(page: str, tables: Tables) -> str:
    """The page with everything between its two markers written anew.

    Raises UsageError where a marker is missing, so that a page is never emptied or appended to by mistake.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UsageError(f"the page lacks the lines {BEGIN!r} and {END!r}", remedy="restore them where the tables go")
    return f"{before}{BEGIN}\n\n{render(tables)}\n{END}{after}"


def render(tables: Tables) -> str:
    """All tables as Markdown sections."""
    sections: tuple[Callable[[Tables], list[str]], ...] = (
        _main_wheels,
        _other_wheels,
        _toolkits,
        _architectures,
        _branches,
        _libraries,
        _sources,
    )
    return "\n".join("\n".join((*section(tables), "")) for section in sections)


def _main_wheels(tables: Tables) -> list[str]:
    facts = [
        found
        for release in tables.mediapipe.releases.rows
        if (found := wheel_facts(release.version, MAIN_PLATFORM, tables)) is not None
    ]
    head = (
        "MediaPipe",
        "Python",
        "GPU code",
        "delegate=GPU",
        "members",
        "EGL, GLES",
        "software GL",
        "API",
        "glibc",
        "log",
    )
    rows = [_wheel_row(wheel) for wheel in facts]
    return _section("MediaPipe wheels, Linux x86_64", head, rows, tables.mediapipe.wheels, tables)


def _wheel_row(facts: WheelFacts) -> tuple[str, ...]:
    pythons = [name.removeprefix("cp3") for name in facts.pythons]
    return (
        facts.version,
        f"3.{pythons[0]}–3.{pythons[-1]}" if len(pythons) > 1 else f"{facts.oldest_python or 'any'} and newer",
        _GPU[facts.gpu],
        "passed" if facts.delegate_passed else "**ignored**",
        " ".join(f"{name}={number}" for name, number in facts.members.items()),
        _GL[facts.gl] or ", ".join(facts.needs),
        facts.software_gl or NONE,
        facts.api,
        facts.glibc or NONE,
        "GLOG_vmodule" if facts.vmodule else "callback" if facts.log_callback else NONE,
    )


def _other_wheels(tables: Tables) -> list[str]:
    block = tables.mediapipe.wheels
    platforms = sorted({row.platform for row in block.rows} - {MAIN_PLATFORM})
    rows = [
        (release.version, *(_gpu_on(release.version, platform, tables) for platform in platforms))
        for release in tables.mediapipe.releases.rows
    ]
    return _section("MediaPipe wheels, GPU code on other platforms", ("MediaPipe", *platforms), rows, block, tables)


def _gpu_on(version: str, platform: str, tables: Tables) -> str:
    facts = wheel_facts(version, platform, tables)
    if facts is None:
        return "no wheel"
    words = _GPU[facts.gpu]
    return words if facts.delegate_passed or facts.gpu == "none" else f"{words}, **delegate ignored**"


def _toolkits(tables: Tables) -> list[str]:
    cuda = tables.cuda
    floors = {str(row.major): row.driver for row in cuda.floors.rows}
    forward = {row.cuda: row.branches for row in cuda.forward.rows}
    minors = dict.fromkeys(_minor(row) for row in cuda.toolkits.rows)
    rows = [
        (
            minor,
            ", ".join(_paired(row) for row in cuda.toolkits.rows if _minor(row) == minor),
            floors.get(minor.split(".")[0], NONE),
            ", ".join(str(branch) for branch in forward.get(minor, ())) or NONE,
        )
        for minor in minors
    ]
    skipped = ", ".join(row.version for row in cuda.never_released.rows)
    head = ("CUDA", "native from driver", "starts from driver", "cuda-compat for branch")
    lines = _section("CUDA toolkits and Linux drivers", head, rows, cuda.toolkits, tables)
    floors_from, forward_from = _cite(cuda.floors, tables), _cite(cuda.forward, tables)
    return [*lines, "", f"Never released: {skipped or NONE}. Floors: {floors_from}. cuda-compat: {forward_from}."]


def _minor(row: Toolkit) -> str:
    return ".".join(row.cuda.split(".")[:2])


def _paired(row: Toolkit) -> str:
    return f"{row.cuda}: {row.driver or f'some of {row.branch}'}"


def _architectures(tables: Tables) -> list[str]:
    block = tables.cuda.architectures
    rows = [
        (
            row.name,
            ", ".join(row.capabilities),
            row.first_cuda or NONE,
            row.last_cuda or NONE,
            str(row.first_branch or NONE),
            str(row.last_branch or NONE),
        )
        for row in block.rows
    ]
    head = ("GPU", "compute capability", "first CUDA", "last CUDA", "first driver branch", "last driver branch")
    return _section("GPU architectures", head, rows, block, tables)


def _branches(tables: Tables) -> list[str]:
    block = tables.cuda.branches
    rows = [(str(row.branch), row.kind, row.ends or NONE) for row in block.rows]
    return _section("Driver branches", ("branch", "kind", "support ends"), rows, block, tables)


def _libraries(tables: Tables) -> list[str]:
    table = tables.libraries
    head = ("library", "for", *(row.system for row in table.distributions.rows))
    rows = [
        (
            f"`{row.library}`",
            row.purpose,
            *(row.packages.get(system.key, NONE) for system in table.distributions.rows),
        )
        for row in table.libraries.rows
    ]
    advice = [f"- `{row.library}`: {row.advice}" for row in table.libraries.rows if row.advice]
    return [*_section("Shared libraries and their packages", head, rows, table.libraries, tables), "", *advice]


def _sources(tables: Tables) -> list[str]:
    rows = [
        (f"`{key}`", f"[{source.title}]({source.url})", source.confidence, source.read.isoformat())
        for key, source in tables.sources.items()
    ]
    return ["### Sources", "", *_table(("key", "source", "confidence", "read"), rows)]


def _section(title: str, head: Sequence[str], rows: Iterable[Sequence[str]], block: Block, tables: Tables) -> list[str]:
    return [f"### {title}", "", *_table(head, rows), "", f"Source: {_cite(block, tables)}."]


def _cite(block: Block, tables: Tables) -> str:
    source = tables.sources.get(block.source)
    words = f"[{source.title}]({source.url})" if source else "none"
    return f"{words}, read {block.date.isoformat()}" if block.date else words


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_line(head), _line(["---"] * len(head)), *(_line(row) for row in rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
