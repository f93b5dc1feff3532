"""What a remedy did, and the exact lines to paste: Dockerfile, docker run, compose, Kubernetes. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence

from envcheck.images.look import Config
from envcheck.model import CellResult, Status, Verdict
from envcheck.record import Record
from envcheck.report.plain import visible
from envcheck.rules.remedies import Remedy

NOT_STARTED = frozenset({Verdict.BROKEN, Verdict.CRASHED, Verdict.IMPOSSIBLE, Verdict.UNKNOWN})
"""Verdicts of cells in which nobody came as far as asking for the GPU."""


class Side(Record, frozen=True):
    """A verdict and its reason."""

    verdict: str
    because: str


class Proof(Record, frozen=True):
    """One remedy: the verdict without it and with it. `after` is None where it could not be tried; `why` tells."""

    code: str
    title: str
    before: Side
    after: Side | None
    mended: bool
    """The finding is gone."""
    worse: bool = False
    """MediaPipe comes less far with it, or nobody could look."""
    why: str = ""
    dockerfile: str = ""
    docker_run: str = ""
    compose: str = ""
    kubernetes: str = ""


class Proofs(Record, frozen=True, tag_field="schema", tag="envcheck.proofs/1"):
    """Every remedy that was tried on an image, in order; those that helped stay applied for the next."""

    image: str
    id: str
    proofs: tuple[Proof, ...]


def proof(config: Config, remedy: Remedy, before: CellResult, after: CellResult | None, why: str) -> Proof:
    """The proof of one remedy."""
    return Proof(
        code=remedy.code,
        title=remedy.title,
        before=Side(before.verdict.value, before.because),
        after=None if after is None else Side(after.verdict.value, after.because),
        mended=after is not None and is_gone(remedy, before, after),
        worse=after is not None and is_worse(before, after),
        why=why,
        dockerfile=dockerfile(config, remedy),
        docker_run=docker_run(config, remedy),
        compose=compose(config, remedy),
        kubernetes=kubernetes(remedy),
    )


def is_worse(before: CellResult, after: CellResult) -> bool:
    """MediaPipe came further without the remedy, or nobody could look: what is not seen any more is not gone."""
    return after.verdict is Verdict.UNKNOWN or (after.verdict in NOT_STARTED and before.verdict not in NOT_STARTED)


def is_gone(remedy: Remedy, before: CellResult, after: CellResult) -> bool:
    """What the finding saw was looked for and is not there; the next library that is missing is another one."""
    if is_worse(before, after) or any(one.code == remedy.code and one.status is Status.SKIP for one in after.findings):
        return False
    had = {(one.code, one.summary) for one in before.findings if one.code == remedy.code}
    return had.isdisjoint((one.code, one.summary) for one in after.findings if one.status is Status.FAIL)


# --- lines to paste --------------------------------------------------------------------------------------------------


def dockerfile(config: Config, remedy: Remedy) -> str:
    """The lines for the end of the image's Dockerfile; the user is as before."""
    lines = [*remedy.lines]
    if lines and needs_root(config):
        lines = ["USER root", *lines, f"USER {config.user}"]
    lines += [f"ENV {name}={json.dumps(value)}" for name, value in remedy.variables]
    return "\n".join(lines)


def needs_root(config: Config) -> bool:
    """The image's user may not install."""
    return config.user.partition(":")[0] not in ("", "0", "root")


def docker_run(config: Config, remedy: Remedy) -> str:
    """The run line, where the run can mend it."""
    if remedy.lines:
        return ""
    gpus = ["--gpus", "all"] if remedy.gpus else []
    words = [word for name, value in remedy.variables for word in ("-e", f"{name}={value}")]
    return shlex.join(["docker", "run", *gpus, *words, config.reference])


def compose(config: Config, remedy: Remedy) -> str:
    """The service, where the run can mend it."""
    if remedy.lines:
        return ""
    lines = ["services:", "  app:", f"    image: {json.dumps(config.reference)}"]
    if remedy.variables:
        lines += ["    environment:"]
        lines += [f"      {name}: {json.dumps(value)}" for name, value in remedy.variables]
    if remedy.gpus:
        device = "[{driver: nvidia, count: all, capabilities: [gpu]}]"
        lines += ["    deploy:", "      resources:", "        reservations:", f"          devices: {device}"]
    return "\n".join(lines)


def kubernetes(remedy: Remedy) -> str:
    """Lines of the pod's container, where the run can mend it."""
    if remedy.lines:
        return ""
    lines = ["env:"] if remedy.variables else []
    lines += [f"- {{name: {name}, value: {json.dumps(value)}}}" for name, value in remedy.variables]
    return "\n".join([*lines, *(["resources: {limits: {nvidia.com/gpu: 1}}"] if remedy.gpus else [])])


# --- the scratch image -----------------------------------------------------------------------------------------------


def scratch_dockerfile(
    base: str,
    user: str,
    lines: Sequence[str],
    certificate: str,
    variables: Sequence[str],
    passed: Sequence[str],
    label: str,
) -> str:
    """The scratch image: the remedy's lines on top of the image, with what downloads need while it is built.

    The label comes first, so that what the builder makes before a line that fails has it too.
    """
    text = [f"FROM {base}", f"LABEL {label}", "USER root", *(f"ARG {name}" for name in passed)]
    if certificate:
        text += [f"COPY {certificate} /{certificate}", *(f"ARG {name}=/{certificate}" for name in variables)]
    text += [*lines, f"USER {user or '0'}"]
    return "\n".join(text) + "\n"


# --- as text ---------------------------------------------------------------------------------------------------------


def render(proofs: Proofs) -> str:
    """All proofs, for a terminal."""
    if not proofs.proofs:
        return "No finding has a remedy that is a change to the image or to the run.\n"
    return visible_lines("\n".join(line for one in proofs.proofs for line in render_one(one)))


def visible_lines(text: str) -> str:
    """Text of which nothing steers the terminal."""
    lines = ((len(line) - len(line.lstrip(" ")), line) for line in text.splitlines())
    return "\n".join(" " * indent + visible(line) for indent, line in lines) + "\n"


def render_one(one: Proof) -> Iterator[str]:
    """One proof."""
    yield f"{one.code}  {one.title}"
    yield f"  before  {one.before.verdict}: {one.before.because}"
    if one.after is None:
        yield f"  after   not tried: {one.why}"
    else:
        yield f"  after   {one.after.verdict}: {one.after.because}"
        yield f"  proof   {sentence(one)}"
    named = {"Dockerfile": one.dockerfile, "docker run": one.docker_run}
    named |= {"compose.yaml": one.compose, "Kubernetes, in the pod's container": one.kubernetes}
    for name, text in named.items():
        if text:
            yield f"  {name}:"
            yield from (f"    {line}" for line in text.splitlines())
    yield ""


def sentence(one: Proof) -> str:
    """What the remedy changed."""
    if one.worse:
        return "this remedy does no good: MediaPipe comes less far with it, or nobody could look"
    same = one.after is not None and one.after.verdict == one.before.verdict
    if same and not one.mended:
        return "this remedy changes nothing: the verdict is the same, and the finding stays"
    if same:
        return f"what {one.code} saw is gone; the verdict stays {one.before.verdict}, for another reason"
    gone = f"what {one.code} saw is gone" if one.mended else f"{one.code} stays"
    return f"the verdict changes; {gone}"
