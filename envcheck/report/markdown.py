"""report.md: every cell with its verdict, reason, witnesses, findings and times.

Strings come from environments that nobody vouches for: what Markdown or HTML would obey is escaped, so that it reads
as it was seen, on GitHub as in any other renderer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envcheck.model import CellResult, Finding, Host, Nvml, Results, Shard, Status, Timing, Unread, Verdict, Witness
from envcheck.report.causes import answered, not_looked_at
from envcheck.report.part import told
from envcheck.report.plain import span, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIGN = {Status.PASS: "✅", Status.FAIL: "❌", Status.UNKNOWN: "❔", Status.SKIP: "⏭️"}
ABSENT = "–"
ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"})
"""Characters that are safe nowhere, not even behind a backslash: HTML and table columns."""
ACTIVE = re.compile(r"[\\`*\[\]~$#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
"""Characters that Markdown gives a meaning to anywhere; an underscore inside a word has none."""
AT_START = re.compile(r"^([+=-]|\d+(?=[.)](\s|$)))")
"""What makes a line a heading, a rule or an item of a list."""
ADDRESS = re.compile(r"(?i)(?<=https)(:)(?=//)|(?<=http)(:)(?=//)|(?<=ftp)(:)(?=//)|(?<=www)(\.)|@(?=[A-Za-z0-9])")
"""What GitHub makes a link or a mention of without being asked; links of ours stand between angle brackets."""
LINK = re.compile(r"https://[A-Za-z0-9._~:/?#&=%+-]+")
"""A URL that can stand between angle brackets as it is."""


def render(results: Results) -> str:
    """The text of report.md."""
    lines = [
        "# envcheck report",
        "",
        *shard_lines(results.shard),
        *host_lines(results.host),
        *date_lines(results.cells),
        "",
        *table_lines(results.cells),
    ]
    for cell in results.cells:
        lines += ["", *cell_lines(cell)]
    return "\n".join(lines) + "\n"


# --- escaping ---------------------------------------------------------------------------------------------------


def escape(text: str) -> str:
    """`text` so that Markdown shows it as it is, on one line, in a table as well; a dash for an empty one."""
    plain = ACTIVE.sub(lambda match: f"\\{match[0]}", visible(text)).translate(ENTITIES)
    plain = ADDRESS.sub(lambda match: f"&#{ord(match[0])};", plain)
    return AT_START.sub(first_escaped, plain) or ABSENT


def first_escaped(match: re.Match[str]) -> str:
    """A sign behind a backslash; a number with its dot or bracket behind one."""
    return f"{match[0]}\\" if match[0].isdigit() else f"\\{match[0]}"


def fenced(text: str) -> list[str]:
    """`text` as a code block, with a fence longer than any run of backticks in it."""
    shown = visible(text, keep_lines=True)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}sh", *shown.splitlines(), fence]


def link(url: str) -> str:
    """A link where it is a plain https address, else its text."""
    return f"<{url}>" if LINK.fullmatch(url) else escape(url)


def row(*columns: str) -> str:
    """A row of a table; the columns are Markdown already."""
    return f"| {' | '.join(columns)} |"


# --- parts ------------------------------------------------------------------------------------------------------


def shard_lines(shard: Shard | None) -> Iterator[str]:
    """That this is a part, and of what, before anybody takes it for the whole."""
    if shard is not None:
        yield f"**{escape(told(shard))}**"
        yield ""


def host_lines(host: Host) -> Iterator[str]:
    """The machine, as a list."""
    machine = ", ".join(filter(None, (host.platform, host.machine, host.glibc and f"glibc {host.glibc}")))
    yield f"- Host: {escape(machine)}"
    if host.cpu or host.cores:
        yield f"- CPU: {escape(host.cpu or 'of unknown model')}" + (f", {host.cores} cores" if host.cores else "")
    yield f"- GPU: {escape(gpus_of(host.nvml))}"
    if host.steering:
        named = ", ".join(f"{name}={value}" for name, value in sorted(host.steering.items()))
        yield f"- Variables that steer GL: {escape(named)}"


def date_lines(cells: Sequence[CellResult]) -> Iterator[str]:
    """From when to when cells were seen; nothing where none says."""
    if when := span(cell.recorded_at for cell in cells):
        yield f"- Recorded: {escape(when)}"


def gpus_of(nvml: Nvml | Unread) -> str:
    """Driver and GPUs, or why they are not known."""
    if isinstance(nvml, Unread):
        return f"not known: {nvml.reason}"
    names = ", ".join(gpu.name for gpu in nvml.gpus) or "none"
    return f"{names}; driver {nvml.driver}, which serves CUDA {nvml.cuda}"


def table_lines(cells: Sequence[CellResult]) -> Iterator[str]:
    """One row per cell."""
    if not cells:
        yield "No cell was run."
        return
    yield row("cell", "verdict", "expected", "speed-up (95% interval)", "CPU ms", "GPU ms")
    yield row("---", "---", "---", "--:", "--:", "--:")
    for cell in cells:
        bench = cell.bench
        times = (median_of(bench.cpu), median_of(bench.gpu)) if bench else (ABSENT, ABSENT)
        verdict = f"{SIGN[cell.status]} {cell.verdict.value}"
        yield row(escape(cell.id), verdict, expectation(cell), speedup_of(cell), *times)


def expectation(cell: CellResult) -> str:
    """The expected verdict and whether it was met."""
    if cell.verdict is Verdict.UNREACHABLE:
        return cell.expected.value
    return f"{cell.expected.value}, {'met' if cell.met else '**not met**'}"


def speedup_of(cell: CellResult) -> str:
    """The speed-up with its interval."""
    if cell.bench is None or cell.bench.speedup is None:
        return ABSENT
    low, high = cell.bench.speedup.ci95
    return f"{cell.bench.speedup.estimate:.3g} ({low:.3g} to {high:.3g})"


def median_of(timing: Timing | None) -> str:
    """The median."""
    return ABSENT if timing is None else f"{timing.median_ms:.4g}"


def cell_lines(cell: CellResult) -> Iterator[str]:
    """A section: verdict, reason, findings, witnesses, times."""
    yield f"## {escape(cell.id)}"
    yield ""
    yield f"{SIGN[cell.status]} **{cell.verdict.value}** (expected {expectation(cell)}): {escape(cell.because)}"
    for finding in answered(cell.findings):
        yield from finding_lines(finding)
    if waiting := not_looked_at(cell.findings):
        yield ""
        yield f"Not looked at: {escape(waiting)}"
    if cell.witnesses:
        yield from witness_lines(cell.witnesses)
    if cell.bench is not None:
        yield from time_lines(cell)
    if cell.evidence:
        yield ""
        yield f"Evidence: {escape(cell.evidence)}"


def finding_lines(finding: Finding) -> Iterator[str]:
    """A finding: what was seen, why it matters, what to do, where that is known from."""
    yield ""
    yield f"### {escape(finding.code)} {escape(finding.summary)}"
    yield ""
    yield escape(finding.because)
    yield ""
    yield from fenced(finding.remedy)
    yield ""
    yield f"Source: {link(finding.url)}"


def witness_lines(witnesses: Sequence[Witness]) -> Iterator[str]:
    """What each witness says, saw and would have to see."""
    yield ""
    yield row("witness", "says", "saw", "speaks for hardware if")
    yield row("---", "---", "---", "---")
    for witness in witnesses:
        yield row(escape(witness.name), witness.says.value, escape(witness.saw), escape(witness.needs))


def time_lines(cell: CellResult) -> Iterator[str]:
    """Times per frame of both delegates, and the speed-up."""
    bench = cell.bench
    if bench is None:
        return
    yield ""
    yield row("delegate", "median ms", "95th percentile ms", "frames")
    yield row("---", "--:", "--:", "--:")
    for name, timing in (("CPU", bench.cpu), ("GPU", bench.gpu)):
        if timing is not None:
            yield row(name, median_of(timing), f"{timing.p95_ms:.4g}", str(timing.n))
    if bench.speedup is not None:
        yield ""
        yield f"Speed-up: {speedup_of(cell)}, 95% interval in brackets, over {bench.baseline or 'the CPU'}."
    if bench.other_cpu is not None:
        yield f"The other way over the CPU, {bench.other_baseline}, takes {median_of(bench.other_cpu)} ms."
