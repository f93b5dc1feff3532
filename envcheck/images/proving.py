"""`--prove`: each finding's remedy is applied to a scratch image or to the run, and the image is judged again.

A remedy that helps stays for the next one, so that what lies behind a first cause is found. The image itself is left as
it is; its own verdict is the result, and what the remedies change is printed and kept beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

import msgspec

from envcheck import cache as files
from envcheck import store
from envcheck.cell.stage import Setting
from envcheck.conclude import conclude_cell
from envcheck.errors import UsageError
from envcheck.images import container, prescription, scratch
from envcheck.images.judging import ImageRequest, Subject, begin, cache_of, engine_for, first_look, observe, unbuilt
from envcheck.images.look import Config, inspect
from envcheck.images.prescription import Proof, Proofs
from envcheck.judge import judge
from envcheck.model import Build, CellResult, Evidence
from envcheck.publishing import Outcome, Target, publish
from envcheck.report.progress import Progress
from envcheck.rules.remedies import Remedy, remedies

MOST = 8
"""Remedies that are tried."""
CA_NAME = "envcheck-ca.crt"
CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
PASSED = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy")
"""Variables of the user's that a download in a build needs."""
FILE = "proofs.json"


def prove(request: ImageRequest, progress: Progress) -> tuple[Outcome, str]:
    """Judge an image, try the remedies, publish its own results; with the text of what was proven."""
    from envcheck.check import setting_of

    env = request.check.env
    target = Target(request.check.out, request.check.suites, env, request.check.history)
    certificates(request)
    with engine_for(request, progress) as engine, scratch.built(request, engine, progress) as made:
        if isinstance(made, Build):
            setting = setting_of(request.check, env, cache_of(request), progress)
            return publish(target, [unbuilt(request, made, setting)], progress), ""
        subject = Subject(engine, inspect(engine, made, env), request.wish, request)
        evidence, setting = first_look(subject, target, progress)
        proofs = tuple(attempts(subject, evidence, setting, progress))
        outcome = publish(target, [evidence], progress)
    kept = Proofs(image=subject.config.reference, id=subject.config.id, proofs=proofs)
    path = request.check.out / FILE
    with store.explained(request.check.out):
        store.commit([(store.stage(path, msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n"), path)])
    return outcome, prescription.render(kept)


def attempts(subject: Subject, evidence: Evidence, setting: Setting, progress: Progress) -> Iterator[Proof]:
    """One proof for each remedy, until none is left."""
    applied: list[Remedy] = []
    tried: set[tuple[str, str]] = set()
    before = conclude_cell(evidence)
    with ExitStack() as made:
        while len(tried) < MOST:
            found = remedies(evidence, judge(evidence), before.findings)
            remedy = next((one for one in found if (one.code, one.title) not in tried), None)
            if remedy is None:
                return
            tried.add((remedy.code, remedy.title))
            if why := not_here(subject, remedy):
                yield prescription.proof(subject.config, remedy, before, None, why)
                continue
            progress.say("envcheck", f"trying the remedy of {remedy.code}: {remedy.title}")
            try:
                seen = judged_with(subject, [*applied, remedy], setting, made, progress)
            except scratch.BuildFailedError as error:
                yield prescription.proof(subject.config, remedy, before, None, scratch.cause_in(error.log))
                continue
            after = conclude_cell(seen)
            yield prescription.proof(subject.config, remedy, before, after, "")
            if helped(remedy, before, after):
                applied.append(remedy)
                evidence, before = seen, after


def not_here(subject: Subject, remedy: Remedy) -> str:
    """Why a remedy cannot be tried on this machine, or an empty text."""
    if remedy.gpus and subject.engine.gpu.mode == "none":
        return f"cannot be tried here: {subject.engine.gpu.because or 'the engine offers no GPU'}"
    return ""


def helped(remedy: Remedy, before: CellResult, after: CellResult) -> bool:
    """The verdict is another one, and no worse, or the finding is gone."""
    if prescription.is_worse(before, after):
        return False
    return before.verdict is not after.verdict or prescription.is_gone(remedy, before, after)


def judged_with(
    subject: Subject, applied: Sequence[Remedy], setting: Setting, made: ExitStack, progress: Progress
) -> Evidence:
    """The evidence of the image with remedies applied. Raises BuildFailedError."""
    config, env = subject.config, subject.request.check.env
    lines = [line for remedy in applied for line in remedy.lines]
    if lines:
        base = config
        if config.triggers:  # they would run first, and be taken for what the remedy does
            bare = scratch.without_triggers(subject.engine, config, env)
            made.callback(scratch.remove, subject.engine, [bare], env)
            base = inspect(subject.engine, bare, env)
        tag = scratch.fresh_tag()
        made.callback(scratch.remove, subject.engine, [tag], env)
        build(subject, base, lines, tag)
        config = replace(inspect(subject.engine, tag, env), reference=config.reference)
    variables = [pair for remedy in applied for pair in remedy.variables]
    wish = container.with_variables(subject.wish, variables)
    if any(remedy.gpus for remedy in applied):
        wish = replace(wish, gpus=None)
    changed = replace(subject, config=config, wish=wish)
    return observe(changed, setting, begin(changed), progress)


def build(subject: Subject, on: Config, lines: Sequence[str], tag: str) -> None:
    """Build the scratch image on the image as it is called. Raises BuildFailedError."""
    request, engine = subject.request, subject.engine
    certificate = certificates(request)
    names = [name for name in PASSED if name in request.check.env]
    base, env = scratch.base_of(engine, on, request.check.env)
    with files.workspace(cache_of(request) / "staging") as context:
        if certificate is not None:
            (context / CA_NAME).write_bytes(certificate)
        text = prescription.scratch_dockerfile(
            base, subject.config.user, lines, CA_NAME if certificate else "", CA_VARIABLES, names, scratch.label()
        )
        (context / "Dockerfile").write_text(text, encoding="utf-8")
        arguments = [word for name in names for word in ("--build-arg", name)]
        scratch.build(engine, context, tag, (*scratch.ours(), *arguments, *request.build_options), env)


def certificates(request: ImageRequest) -> bytes | None:
    """The CA bundle for downloads: --ca-file's. Raises UsageError for one that cannot be read."""
    if request.ca_file is None:
        return None
    try:
        return request.ca_file.read_bytes()
    except OSError as error:
        raise UsageError(f"--ca-file {request.ca_file}: {error.strerror}", remedy="Name a file in PEM form.") from None
