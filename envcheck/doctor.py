"""What this host has, and why FaceMesh would not use its GPU: everything is asked at once, and nothing is run.

Each question has a process and a deadline of its own, so that a driver that hangs costs its own answer and no other.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from envcheck.errors import EnvcheckError, InterruptedRunError
from envcheck.existing import Choice, activated, active, identify, named
from envcheck.facts import Facts
from envcheck.model import (
    NOT_LOOKED,
    Axes,
    Build,
    Cell,
    Diagnosis,
    Evidence,
    Finding,
    Foresight,
    Gate,
    Judgement,
    Nvml,
    Status,
    Unread,
    Verdict,
    Workload,
)
from envcheck.payload import BOOTSTRAP, preamble
from envcheck.process import interruptible, resume, run

if TYPE_CHECKING:
    from envcheck.model import CudaDriver, GlContext

Answer = TypeVar("Answer")

NOTHING_RAN = Judgement(Verdict.UNKNOWN, "nothing was run")
BESIDE = frozenset({"BEN505"})
"""What is true of every doctor's visit and needs no finding: nothing was run, so nothing is proven."""
NO_MEDIAPIPE = "MPP413"
NO_PROCESSES = Unread(reason="envcheck starts processes on Linux and macOS only")


@dataclass(frozen=True)
class DoctorRequest:
    """What the user asked for. Without `python` or `prefix` the active environment's interpreter is asked."""

    python: Path | None = None
    prefix: Path | None = None
    deadline_s: float = 20.0
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


class Asked(Generic[Answer]):
    """A question on its way: asked in a thread of its own."""

    def __init__(self, question: Callable[[], Answer | Unread]) -> None:
        self._question = question
        self._answer: Answer | Unread = NOT_LOOKED
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            self._answer = self._question()
        except EnvcheckError as error:
            self._answer = Unread(reason=error.message)
        except Exception as error:  # noqa: BLE001 - a question that fails is a fact that is not known, like any other
            self._answer = Unread(reason=f"{type(error).__name__}: {error}")

    def answer(self) -> Answer | Unread:
        """What came of it; waits for it."""
        self._thread.join()
        return self._answer


def doctor(request: DoctorRequest) -> Diagnosis:
    """Ask everything, and what the rules say of it. Raises UsageError for an interpreter that is none."""
    chosen = named(request.python, request.prefix) if request.python or request.prefix else active(request.env)
    try:
        with interruptible():
            evidence = observe(chosen, request)
    except KeyboardInterrupt:
        raise InterruptedRunError("interrupted") from None
    finally:
        resume()
    return diagnose(evidence, chosen, request.env)


def observe(chosen: Choice, request: DoctorRequest) -> Evidence:
    """Everything that can be seen without running a program, as the evidence of a cell that was not run."""
    python, env, deadline_s = (str(chosen.python), "-B"), activated(request.env, chosen.python), request.deadline_s
    gl, facts, cuda_driver = ask_inside(python, env, deadline_s)  # first, for they take longest
    nvml = Asked(lambda: observe_nvml(env, deadline_s))
    from envcheck import redact, rules  # noqa: F401 - loaded while the answers are on their way
    from envcheck.host import observe_host

    if isinstance(gl.answer(), Unread) and isinstance(facts.answer(), Unread) and os.name == "posix":
        identify(chosen.python, env, deadline_s)  # what is no Python at all is the user's error, not a fact
    return Evidence(
        cell=Cell(id="here", axes=Axes(backend="existing")),
        host=observe_host(nvml.answer(), env),
        foresight=Foresight(state="reachable"),
        gate=Gate(),
        workload=Workload(),
        build=Build(outcome="existing", because=chosen.because),
        gl=gl.answer(),
        facts=facts.answer(),
        cuda_driver=cuda_driver.answer(),
    )


def ask_inside(
    python: tuple[str, ...], env: Mapping[str, str], deadline_s: float
) -> tuple[Asked[GlContext], Asked[Facts], Asked[CudaDriver]]:
    """The questions that the environment's own interpreter must answer."""
    if os.name != "posix":
        return Asked(lambda: NO_PROCESSES), Asked(lambda: NO_PROCESSES), Asked(lambda: NO_PROCESSES)
    from envcheck.cell.glprobe import observe_gl
    from envcheck.cell.observe import observe_cuda_driver, observe_facts

    gl = Asked(lambda: observe_gl(python, env, deadline_s))
    facts = Asked(lambda: observe_facts(python, env, deadline_s))
    return gl, facts, Asked(lambda: observe_cuda_driver(python, env, deadline_s))


def observe_nvml(env: Mapping[str, str], deadline_s: float) -> Nvml | Unread:
    """Driver and GPUs as NVML tells them, in envcheck's own interpreter, where nvidia-ml-py is."""
    from envcheck.probes.answers import parse_answer

    asked = preamble("nvml") + b'{"do": "facts"}\n'
    done = run([sys.executable, "-I", "-c", BOOTSTRAP], stdin=asked, env=env, deadline_s=deadline_s)
    if done.timed_out:
        return Unread(reason=f"NVML did not answer within {deadline_s:g} s")
    if not done.stdout.strip():
        return Unread(reason=f"NVML gave no answer ({done.describe()})")
    return parse_answer(done.stdout, Nvml)


def diagnose(evidence: Evidence, chosen: Choice, env: Mapping[str, str]) -> Diagnosis:
    """Facts and findings, the root cause first, without the secrets of `env`."""
    from envcheck.rules import findings

    found = findings(evidence, NOTHING_RAN)
    diagnosis = Diagnosis(
        host=evidence.host,
        findings=root_first(news(found, own=str(chosen.python) == sys.executable)),
        python=str(chosen.python),
        chosen=chosen.because,
        facts=evidence.facts,
        gl=evidence.gl,
        cuda_driver=evidence.cuda_driver,
    )
    return cleaned(diagnosis, env)


def news(findings: Sequence[Finding], *, own: bool) -> list[Finding]:
    """The findings without what is true of every visit; where envcheck's own interpreter was asked because nobody
    named one, that MediaPipe is missing in it says nothing, nor do its other packages."""
    from envcheck.rules import packages

    empty = own and any(finding.code == NO_MEDIAPIPE for finding in findings)
    beside = BESIDE.union(rule.code for rule in packages.RULES) if empty else BESIDE
    return [one for one in findings if one.code not in beside]


def root_first(findings: list[Finding]) -> tuple[Finding, ...]:
    """Failures before doubts, in the order of the rules; what was skipped comes last."""
    order = {Status.FAIL: 0, Status.UNKNOWN: 1, Status.PASS: 1, Status.SKIP: 2}
    return tuple(sorted(findings, key=lambda finding: order[finding.status]))


def exit_code(diagnosis: Diagnosis) -> int:
    """1 where a finding says that the GPU would not be used, else 0, which proves nothing."""
    return int(any(finding.status is Status.FAIL for finding in diagnosis.findings))


def cleaned(diagnosis: Diagnosis, env: Mapping[str, str]) -> Diagnosis:
    """The same without secrets, in any string at any depth."""
    from envcheck.redact import is_secret_name, redact

    telling = {name: value for name, value in env.items() if is_secret_name(name) or "://" in value}

    def clean(value: object) -> object:
        if isinstance(value, str) and type(value) is str:
            return redact(value, telling)
        if isinstance(value, msgspec.Struct):
            return type(value)(**{name: clean(getattr(value, name)) for name in value.__struct_fields__})
        if isinstance(value, tuple):
            return tuple(clean(part) for part in value)
        if isinstance(value, dict):
            return {key: clean(part) for key, part in value.items()}
        return value

    result = clean(diagnosis)
    assert isinstance(result, Diagnosis)  # noqa: S101 - for mypy: clean keeps types
    return result


def encode(diagnosis: Diagnosis) -> str:
    """What `envcheck doctor --json` prints."""
    return msgspec.json.format(msgspec.json.encode(diagnosis, order="deterministic"), indent=2).decode() + "\n"
