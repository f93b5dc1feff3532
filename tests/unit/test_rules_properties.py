"""No rule raises, whatever was read, half read or not read."""

from __future__ import annotations

import functools
import types
import typing
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from envcheck import facts, model
from envcheck.model import Finding, Judgement, Status, Verdict
from envcheck.rules import findings
from envcheck.rules.world import MEASURED
from tests.unit import worlds

WORDS = (
    "", "linux", "windows", "docker", "podman", "mediapipe", "numpy", "torch", "1.2.2", "0.10.31", "570.124.06", "575",
    "libEGL_nvidia.so.0", "libnvidia-ml.so.1", "libcuda.so.1", "libEGL.so.1", "/dev/nvidia0", "/dev/nvidiactl",
    "/dev/dri/renderD128", "nvidia.com/gpu", "prohibited", "powersave", "llvmpipe", "default", "device", "none", "void",
    "OpenGL ES 3.2 NVIDIA 570.124.06", "version `GLIBCXX_3.4.30' not found", "libGL.so.1: cannot open shared object",
    "numpy<2", "broken ][", "NVML/RM version mismatch", "Permission denied", "GPU is lost", "\x1b[31m",
)  # fmt: skip
NAMES = (
    "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "NVIDIA_REQUIRE_CUDA", "DISPLAY", "EGL_PLATFORM",
    "LIBGL_ALWAYS_SOFTWARE", "__EGL_VENDOR_LIBRARY_FILENAMES", "GALLIUM_DRIVER",
)  # fmt: skip
TEXT = st.sampled_from(WORDS) | st.text(max_size=8)
SCALARS: dict[object, st.SearchStrategy[Any]] = {
    str: TEXT,
    bool: st.booleans(),
    int: st.integers(-1, 1 << 40),
    float: st.floats(),
    type(None): st.none(),
}


@functools.cache
def anything(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in SCALARS:
        return SCALARS[kind]
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(anything, arguments))
    if origin is tuple:
        return st.lists(anything(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(st.sampled_from(NAMES), TEXT, max_size=3)
    return records(kind)


@functools.cache
def records(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Records with any values in all of their fields."""
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{field.name: anything(hints[field.name]) for field in msgspec.structs.fields(kind)})


SETTINGS = settings(max_examples=150, suppress_health_check=list(HealthCheck))


def answered(evidence: model.Evidence, verdict: Verdict | None) -> tuple[Finding, ...]:
    """The findings; without a verdict those of a look."""
    return findings(evidence, Judgement(verdict=verdict or Verdict.UNKNOWN, because="reason"))


def any_evidence(*, half: bool) -> st.SearchStrategy[model.Evidence]:
    """Evidence with arbitrary facts; `half` keeps the healthy world's part here and there."""
    names = [field.name for field in msgspec.structs.fields(facts.Facts)]
    hints = typing.get_type_hints(facts.Facts)
    kept = {name: st.just(getattr(worlds.HEALTHY, name)) for name in names}
    parts = {name: (kept[name] | anything(hints[name])) if half else anything(hints[name]) for name in names}
    changes = {
        "facts": st.builds(facts.Facts, **parts) | records(model.Unread),
        "gl": anything(model.GlContext | model.Unread),
        "cuda_driver": anything(model.CudaDriver | model.Unread),
        "host": st.builds(
            lambda nvml, kernel: replace(worlds.HOST, nvml=nvml, kernel_driver=kernel),
            anything(model.Nvml | model.Unread),
            anything(str | model.Unread | None),
        ),
    }
    return st.fixed_dictionaries(changes).map(lambda made: replace(worlds.looked_at(), **made))


@SETTINGS
@given(any_evidence(half=True) | any_evidence(half=False), st.none() | st.sampled_from(Verdict))
def test_no_rule_raises_and_every_finding_is_whole(evidence: model.Evidence, verdict: Verdict | None) -> None:
    if verdict is not None:
        evidence = replace(evidence, cell=replace(evidence.cell, id="venv-mp1.2.2"), gpu=worlds.refused(WORDS[-1]))
    for finding in answered(evidence, verdict):
        assert f"rule {finding.code} failed" not in finding.summary
        assert finding.because
        assert finding.remedy.strip()


@SETTINGS
@given(any_evidence(half=True), st.sampled_from(sorted(MEASURED)))
def test_facts_never_speak_against_a_gpu_that_was_proven_to_work(evidence: model.Evidence, verdict: Verdict) -> None:
    seen = replace(evidence, cell=replace(evidence.cell, id="venv-mp1.2.2"), gpu=worlds.ran("GPU"), cpu=worlds.ran())

    failing = [one.code for one in answered(seen, verdict) if one.status is Status.FAIL]
    assert [code for code in failing if not code.startswith("BEN")] == []


@SETTINGS
@given(any_evidence(half=True))
def test_failures_come_first_and_rules_that_wait_name_a_failure(evidence: model.Evidence) -> None:
    found = answered(evidence, None)
    order = [finding.status for finding in found]
    failing = {finding.code for finding in found if finding.status is Status.FAIL}

    assert order == sorted(order, key=[Status.FAIL, Status.PASS, Status.UNKNOWN, Status.SKIP].index)
    for finding in found:
        if finding.status is Status.SKIP:
            assert any(f"because {code} was found" in finding.summary for code in failing)
