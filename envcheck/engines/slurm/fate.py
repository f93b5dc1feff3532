"""What is to become of a cell whose task has ended without a delivery: decided from what Slurm says, nothing else.

state of its task                          the worker had begun         it had not
COMPLETED, TIMEOUT, OUT_OF_MEMORY          lost                         again, within the limit
NODE_FAIL, FAILED, PREEMPTED, gone, …      again, within the limit      again, within the limit
CANCELLED, by somebody else                lost                         lost

The script of a task ends well whatever its workers do: FAILED says that somebody killed it, as a host does that is shut
down.
"""

from __future__ import annotations

from dataclasses import dataclass

NODE_LOST = frozenset({"NODE_FAIL", "BOOT_FAIL", "FAILED", "PREEMPTED", "REVOKED", "GONE"})
"""The host was taken away; the cell is not to blame."""
GONE = "GONE"
"""Neither the controller nor accounting knows the task any more."""
ENDED = NODE_LOST | {"COMPLETED", "TIMEOUT", "OUT_OF_MEMORY", "DEADLINE", "CANCELLED"}
TIMED_OUT = "124"
"""Exit status of `timeout`."""


@dataclass(frozen=True)
class Trace:
    """What is known of a cell whose task has ended: state and node of the task, and the marks that its job has left."""

    state: str
    node: str = ""
    started_on: str = ""
    status: str = ""
    words: str = ""


@dataclass(frozen=True)
class Fate:
    """Again, or lost; and why."""

    again: bool
    because: str


def fate_of(trace: Trace, tries: int, limit: int, minutes: float) -> Fate:
    """What is to become of a cell that was sent `tries` times, where it may be sent again `limit` times."""
    because = reason_of(trace, minutes)
    if trace.state == "CANCELLED" or (trace.started_on and trace.state not in NODE_LOST):
        return Fate(again=False, because=because)
    if tries <= limit:
        return Fate(again=True, because=because)
    return Fate(again=False, because=f"{because}; it was sent {tries} times" if tries > 1 else because)


def reason_of(trace: Trace, minutes: float) -> str:
    """Why nothing was delivered, as far as that is known."""
    where = f" on node {trace.started_on or trace.node}" if trace.started_on or trace.node else ""
    said = f": {trace.words}" if trace.words else ""
    if trace.status == TIMED_OUT:
        return f"the cell took longer than its {minutes:g} min{where}{said}"
    if trace.status and trace.status != "0":
        return f"the worker ended with exit status {trace.status}{where} and delivered nothing{said}"
    if trace.state == "TIMEOUT":
        return f"the job was ended at its time limit{where} (TIMEOUT)"
    if trace.state == GONE:
        return f"Slurm no longer knows the job{where}, and nothing was delivered"
    if trace.state in NODE_LOST:
        return f"the job was killed or lost its node{where} ({trace.state})"
    if trace.state == "COMPLETED" and not trace.started_on:
        return f"the job ended{where}, and left no trace of the cell; is the shared folder full, or not shared?"
    return f"the job ended{where} ({trace.state}), and nothing was delivered{said}"
