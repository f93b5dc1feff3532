"""Evidence -> the entry that is kept of it, judged by the judge of today."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone

from envcheck.archive import digest_of
from envcheck.conclude import conclude_cell
from envcheck.errors import UsageError
from envcheck.kept import AHEAD, NOT_DELIVERED, Entry
from envcheck.model import CellResult, Evidence, Finding, Host, Nvml, Status
from envcheck.moving import facts_of


def entry_of(
    evidence: Evidence, run: str = "", result: CellResult | None = None, seconds: float | None = None
) -> Entry:
    """The entry of one cell. `result` is its judgement, where there is one already; `seconds` what it took."""
    judged = result or conclude_cell(evidence)
    return Entry(
        digest=digest_of(evidence),
        cell=evidence.cell.id,
        axes=evidence.cell.axes,
        recorded_at=utc(evidence.recorded_at),
        host=NOT_DELIVERED if evidence.lost else class_of(evidence.host),
        verdict=judged.verdict,
        status=judged.status,
        expected=judged.expected,
        met=judged.met,
        because=judged.because,
        codes=codes_of(judged.findings),
        bench=judged.bench,
        facts=facts_of(evidence),
        run=run,
        composed=evidence.composed,
        seconds=seconds,
    )


def codes_of(findings: Iterable[Finding]) -> tuple[str, ...]:
    """The codes of findings, the root cause first, without skipped ones."""
    return tuple(dict.fromkeys(one.code for one in findings if one.status is not Status.SKIP))


def class_of(host: Host) -> str:
    """The class of hosts that are taken for one: GPUs, driver, system."""
    system = f"{host.platform} {host.machine}"
    if not isinstance(host.nvml, Nvml):
        return f"no GPU, {system}"
    counts: dict[str, int] = {}
    for gpu in host.nvml.gpus:
        counts[gpu.name] = counts.get(gpu.name, 0) + 1
    names = " + ".join(name if count == 1 else f"{count} x {name}" for name, count in counts.items())
    return f"{names or 'no GPU'}, driver {host.nvml.driver}, {system}"


def utc(recorded_at: str) -> str:
    """A time as ISO 8601 in UTC, so that times sort as texts. Raises UsageError for what is none."""
    try:
        moment = datetime.fromisoformat(recorded_at.replace("Z", "+00:00"))
        if moment.tzinfo is not None:
            return moment.astimezone(timezone.utc).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        raise UsageError(f"recorded_at is {recorded_at[:40]!r}, which is no time") from None
    raise UsageError(f"recorded_at is {recorded_at[:40]!r}, which names no time zone")


def has_come(recorded_at: str, now: datetime) -> bool:
    """False for a time, in UTC as `Entry.recorded_at`, that lies so far ahead that a clock must have been wrong."""
    return recorded_at <= (now.astimezone(timezone.utc) + AHEAD).isoformat(timespec="seconds")


def since_of(text: str | None) -> str:
    """The time of `--since`, or of a day its beginning, in UTC; empty for none. Raises UsageError."""
    if text is None:
        return ""
    try:
        return utc(text if "T" in text else f"{text}T00:00:00+00:00")
    except UsageError:
        raise UsageError(
            f"--since {text!r} is no time with a zone, and no day", remedy="--since 2026-11-29T02:00Z"
        ) from None
