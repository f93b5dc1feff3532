"""What goes to a worker and what comes back, as JSON: data only, read strictly, refused where it is of another cell.

A plan says all that a worker needs for one cell. A delivery is what the worker answers: evidence, or why there is none,
with the run, the cell, the hash of the plan and the nonce of the run that it answers to.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

from envcheck import __version__, compat, store
from envcheck.entries import utc
from envcheck.errors import EnvcheckError, UsageError
from envcheck.matrix import Backends
from envcheck.matrix.conditions import value_fault
from envcheck.matrix.structure import settings_fault
from envcheck.model import AXES, Cell, Evidence, Gate, Record, Workload, cell_id

PLAN_SCHEMA = "envcheck.plan/1"
DELIVERY_SCHEMA = "envcheck.delivery/1"

PLAN_LIMIT = 1 << 20
"""Bytes of a plan: a matrix file may have as many."""
DELIVERY_LIMIT = 16 << 20
"""Bytes of a delivery: a cell with the longest log and a minute of blocks takes less than 2 MB."""
WORDS = 600
"""Characters that are kept of what a worker says in its own words."""

_VALUE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+]{0,31}")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\U0010ffff]+")


class Plan(Record, frozen=True, kw_only=True, tag_field="schema", tag=PLAN_SCHEMA, forbid_unknown_fields=True):
    """One cell, and everything that it is run with. No code, no command."""

    version: str
    """Of the envcheck that wrote it; a worker of another version refuses it."""
    run: str
    nonce: str
    cell: Cell
    gate: Gate
    workload: Workload
    model: str
    """As for --model; its content must have this hash, and so must the frames."""
    model_sha256: str
    frames_sha256: str
    deadline_s: float
    preflight: bool = True
    relock: bool = False
    backends: Backends = Backends()


class Delivery(Record, frozen=True, kw_only=True, tag_field="schema", tag=DELIVERY_SCHEMA, forbid_unknown_fields=True):
    """A worker's answer to a plan: `evidence`, or in `failed` why there is none."""

    run: str
    cell: str
    plan: str
    """SHA-256 of the plan's bytes."""
    nonce: str
    evidence: Evidence | None = None
    failed: str = ""


class RefusedError(Exception):
    """A delivery that is not believed, and why."""


def encode(record: Plan | Delivery) -> bytes:
    """The JSON of a plan or a delivery, always the same for the same content."""
    return msgspec.json.encode(record, order="deterministic")


def answer(plan: Plan, evidence: Evidence) -> Delivery:
    """The delivery that brings the evidence of a plan's cell."""
    return Delivery(run=plan.run, cell=plan.cell.id, plan=digest(encode(plan)), nonce=plan.nonce, evidence=evidence)


def failure(plan: Plan, error: EnvcheckError) -> Delivery:
    """The delivery that says why there is no evidence."""
    failed = printable(f"{error.message} {error.remedy}".strip())
    return Delivery(run=plan.run, cell=plan.cell.id, plan=digest(encode(plan)), nonce=plan.nonce, failed=failed)


def digest(plan: bytes) -> str:
    """The hash of a plan by which its answer names it."""
    return hashlib.sha256(plan).hexdigest()


def read_plan(data: bytes, place: str) -> Plan:
    """The plan in some bytes. Raises UsageError, naming the place, for whatever else they are."""
    if len(data) > PLAN_LIMIT:
        raise UsageError(f"{place}: larger than {PLAN_LIMIT >> 20} MiB, which no plan is")
    try:
        plan = msgspec.json.decode(data, type=Plan)
    except msgspec.ValidationError as error:
        raise UsageError(f"{place}: not what {PLAN_SCHEMA} should be: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{place}: not JSON, or cut short: {error}") from error
    if wrong := fault_of(plan):
        raise UsageError(f"{place}: {wrong}")
    return plan


def fault_of(plan: Plan) -> str:
    """Why a plan of the right form cannot be followed, or an empty text."""
    if plan.version != __version__:
        return f"written by envcheck {plan.version}, and this is {__version__}; install the same on every host"
    if not 0 < plan.deadline_s < float("inf"):
        return "deadline_s is not a number above 0"
    values = {axis: value for axis in AXES if (value := getattr(plan.cell.axes, axis)) is not None}
    for axis, value in values.items():
        if not _VALUE.fullmatch(value):
            return f"cell.axes.{axis}: {printable(value)!r} is no value of a matrix"
        if fault := value_fault(axis, value):
            return f"cell.axes.{axis}: {fault}"
    if plan.cell.id != cell_id(plan.cell.axes):
        return f"cell.id is {printable(plan.cell.id)!r} where the axes make {cell_id(plan.cell.axes)!r}"
    return printable(settings_fault(settings_of(plan)))


def settings_of(plan: Plan) -> dict[str, Any]:
    """Gate, workload and backends of a plan as a matrix file would have them; --min-speedup may be above its bounds."""
    gate = msgspec.to_builtins(plan.gate) | {"min_speedup": min(plan.gate.min_speedup, 1.0)}
    return {
        "gate": gate,
        "workload": msgspec.to_builtins(plan.workload),
        "backends": msgspec.json.decode(msgspec.json.encode(plan.backends)),
    }


def accept(plan: Plan, data: bytes) -> Evidence:
    """The evidence of a delivery that answers this plan. Raises RefusedError for whatever else came."""
    if len(data) > DELIVERY_LIMIT:
        raise RefusedError(f"it is larger than {DELIVERY_LIMIT >> 20} MiB")
    try:
        delivery = msgspec.json.decode(data, type=Delivery)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(f"it is not what {DELIVERY_SCHEMA} should be: {printable(str(error))}") from error
    asked = {"run": plan.run, "cell": plan.cell.id, "nonce": plan.nonce, "plan": digest(encode(plan))}
    for name, value in asked.items():
        if getattr(delivery, name) != value:
            raise RefusedError(f"it is of another {name}: {printable(getattr(delivery, name))!r}, not {value!r}")
    if delivery.evidence is None:
        raise RefusedError(f"the worker could not run the cell: {printable(delivery.failed) or 'it does not say why'}")
    if wrong := contradiction(plan, delivery.evidence):
        raise RefusedError(wrong)
    return delivery.evidence


def contradiction(plan: Plan, evidence: Evidence) -> str:
    """How evidence contradicts the plan that it answers to or itself, or an empty text."""
    for name in ("cell", "gate", "workload"):
        if getattr(evidence, name) != getattr(plan, name):
            return f"its {name} is not the one that was asked for"
    if evidence.composed or evidence.lost:
        return "it was not observed by a worker"
    if evidence.model is not None and evidence.model.sha256 != plan.model_sha256:
        return "it was observed with another model"
    if evidence.frames is not None and evidence.frames.sha256 != plan.frames_sha256:
        return "it was observed with other frames"
    foreseen = compat.foresee(plan.cell.axes, evidence.host).state
    if evidence.foresight.state != foreseen:
        return f"it says that the cell is {printable(evidence.foresight.state)} on a host where it is {foreseen}"
    try:
        utc(evidence.recorded_at)
    except UsageError as error:
        return printable(error.message)
    return store.implausible(evidence)


def printable(text: str) -> str:
    """A worker's own words, for people: one line, nothing that steers a terminal, and not too many of them."""
    found = _UNPRINTABLE.sub(" ", text).strip()
    return found if len(found) <= WORDS else f"{found[:WORDS]} …"
