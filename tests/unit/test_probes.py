"""Parsers of payload answers, native logs and renderer strings."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envcheck.model import CudaRuntime, GlContext, Nvml, Says, Unread
from envcheck.probes import facemesh, nativelog, renderer
from envcheck.probes.answers import parse_answer, parse_sample

LLVMPIPE = (
    "I0000 00:00:1795212674.874195 9438 gl_context_egl.cc:113] Successfully initialized EGL. Major : 1 Minor: 5",
    "I0000 9255 gl_context.cc:385] GL version: 3.2 (OpenGL ES 3.2 Mesa 22.3.6), renderer: llvmpipe (LLVM 15.0.6)",
)
GPU_0_10_35 = (
    "I20261120 22:11:15.011396  9247 inference_calculator.cc:104] Using GlAdvanced for InferenceCalculator with x",
    "I20261120 22:11:15.011593  9247 inference_calculator.cc:104] Using GlAdvanced for InferenceCalculator with y",
    "I20261120 22:11:15.011636  9247 inference_calculator.cc:104] Using Xnnpack for InferenceCalculator with z",
)


@pytest.mark.parametrize(
    ("text", "version", "vendor", "says"),
    [
        ("NVIDIA GeForce RTX 5090", "OpenGL ES 3.2 NVIDIA 570.144", "NVIDIA Corporation", Says.HARDWARE),
        ("NVIDIA H200/PCIe/SSE2", "OpenGL ES 3.2 NVIDIA 580.95.05", "", Says.HARDWARE),
        ("llvmpipe (LLVM 15.0.6, 256 bits)", "OpenGL ES 3.2 Mesa 22.3.6", "Mesa", Says.SOFTWARE),
        ("Google SwiftShader", "OpenGL ES 3.1 SwiftShader", "Google", Says.SOFTWARE),
        ("Mesa Intel(R) UHD Graphics 630", "OpenGL ES 3.2 Mesa 23.1", "Intel", Says.OTHER_GPU),
        ("D3D12 (NVIDIA GeForce RTX 3070)", "OpenGL ES 3.1 Mesa 23.2", "Microsoft Corporation", Says.OTHER_GPU),
        ("zink Vulkan 1.3(NVIDIA GeForce (NVIDIA_PROPRIETARY))", "OpenGL ES 3.2 Mesa 24", "Mesa", Says.OTHER_GPU),
        ("NV137", "OpenGL ES 3.2 Mesa 22 nouveau", "nouveau", Says.OTHER_GPU),
        ("NVIDIA GeForce RTX 5090", "OpenGL ES 3.2", "", Says.OTHER_GPU),
        ("", "", "", Says.CANNOT_KNOW),
    ],
    ids=["nvidia", "h200", "llvmpipe", "swiftshader", "intel", "wsl", "zink", "nouveau", "name alone", "nothing"],
)
def test_only_nvidias_own_driver_is_hardware(text: str, version: str, vendor: str, says: Says) -> None:
    assert renderer.classify(text, version, vendor) is says


def test_a_version_with_parentheses_in_it_is_read_whole() -> None:
    line = (
        "I0000 gl_context.cc:369] GL version: 3.0 (OpenGL ES 3.0.0 (ANGLE 2.1 git hash: ab)), renderer: ANGLE (Intel)"
    )

    assert nativelog.gl_line([line]) == nativelog.GlLine("OpenGL ES 3.0.0 (ANGLE 2.1 git hash: ab)", "ANGLE (Intel)")


def test_the_gl_line_names_version_and_renderer() -> None:
    line = nativelog.gl_line(LLVMPIPE)

    assert line is not None
    assert (line.version, line.renderer) == ("OpenGL ES 3.2 Mesa 22.3.6", "llvmpipe (LLVM 15.0.6)")


def test_calculators_are_read_in_order() -> None:
    assert nativelog.calculators(GPU_0_10_35) == ("GlAdvanced", "GlAdvanced", "Xnnpack")


@pytest.mark.parametrize(
    ("names", "on_gl"),
    [(("Gl", "Gl", "Cpu"), True), (("Gl", "Cpu", "Cpu"), False), (("Cpu", "Cpu", "Xnnpack"), False), ((), False)],
    ids=["both models", "one model", "none", "not named"],
)
def test_detection_and_landmarks_must_both_run_on_gl(names: tuple[str, ...], on_gl: bool) -> None:
    assert nativelog.ran_on_gl(names) is on_gl


def test_popular_lines_prove_nothing() -> None:
    log = ("INFO: Created TensorFlow Lite XNNPACK delegate for CPU.", "INFO: Created TensorFlow Lite delegate for GPU.")

    assert nativelog.calculators(log) == ()
    assert nativelog.gl_line(log) is None


def test_a_payload_that_could_not_look_is_unread_with_its_reason() -> None:
    found = parse_answer(b'{"unread": "NVMLError_LibraryNotFound: NVML Shared Library Not Found"}', Nvml)

    assert found == Unread(reason="NVMLError_LibraryNotFound: NVML Shared Library Not Found")


def test_unread_parts_stay_apart_from_empty_ones() -> None:
    gpu = {"index": 0, "utilisation": {"unread": "not supported"}, "memory_used": 5, "energy_mj": 7, "compute": []}
    sample = parse_sample(json.dumps({"gpus": [gpu | {"graphics": {"unread": "no permission"}}]}).encode())

    assert not isinstance(sample, Unread)
    assert sample[0].compute == ()
    assert sample[0].graphics == Unread(reason="no permission")
    assert sample[0].utilisation == Unread(reason="not supported")


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_never_an_observation(line: bytes) -> None:
    for kind in (GlContext, CudaRuntime, Nvml):
        assert isinstance(parse_answer(line, kind), Unread)  # type: ignore[type-var]
    assert isinstance(parse_sample(line), Unread)
    assert isinstance(facemesh.parse(line, "token"), Unread)


def test_an_answer_with_another_token_is_refused() -> None:
    line = b'{"say": "loaded", "token": "forged", "first_ms": 1.0}'

    assert isinstance(facemesh.parse(line, "ours"), Unread)
    assert isinstance(facemesh.parse(line, "forged"), facemesh.Loaded)


def test_paths_that_could_not_be_read_carry_the_reason() -> None:
    assert facemesh.looked({"unread": "PermissionError"}) == Unread(reason="PermissionError")
    assert facemesh.looked(()) == ()
