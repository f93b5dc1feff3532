"""What the host payloads print -> Facts, or why it is none."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from envcheck.cell.observe import redacted
from envcheck.facts import Container, Facts, KernelModule, Packages
from envcheck.model import CudaDriver
from envcheck.probes.answers import parse_last
from envcheck.probes.host import parse_devices, parse_facts
from envcheck.record import Unread

PATIENT = settings(max_examples=60)

LIBRARY = {
    "name": "libcuda.so.1",
    "path": "/lib/libcuda.so.1",
    "target": "/lib/libcuda.so.570.86.15",
    "version": "570.86.15",
}
WHOLE: dict[str, Any] = {
    "system": {"platform": "linux", "machine": "x86_64", "groups": ["render"]},
    "module": {"kind": "kernel-module", "version": "570.86.15", "open": True},
    "devices": {"unread": "/dev: Permission denied"},
    "container": {"kind": "container", "runtime": "docker", "variables": {"NVIDIA_KEY": "hunter22"}, "cdi": []},
    "resources": {"cores": 4, "quota_cores": None, "load": {"unread": "not here"}},
    "libraries": [LIBRARY | {"loadable": True}],
    "gl": {"libraries": [], "vendors": [], "variables": {"DISPLAY": ":0"}},
    "cuda": {"runtime": [], "cudnn": [], "compat": [], "compat_branches": {"unread": "none"}},
}


def lines(answer: dict[str, Any]) -> bytes:
    """As the payloads print it: in several lines."""
    return b"".join(json.dumps({name: value}).encode() + b"\n" for name, value in answer.items())


def test_the_lines_of_three_payloads_make_facts() -> None:
    facts = parse_facts(lines(WHOLE))

    assert isinstance(facts, Facts)
    assert facts.driver.module == KernelModule(version="570.86.15", open=True)
    assert isinstance(facts.driver.libraries, tuple)
    assert facts.driver.libraries[0].loadable
    assert facts.devices == Unread(reason="/dev: Permission denied")
    assert facts.resources.load == Unread(reason="not here")
    assert facts.resources.memory_limit is None


def test_lines_that_a_start_up_hook_prints_around_the_answer_are_passed_over() -> None:
    assert parse_facts(b"Welcome\n" + lines(WHOLE) + b"[1]\n\xff\n") == parse_facts(lines(WHOLE))
    alone = parse_facts(b"Welcome\n")
    assert isinstance(alone, Unread)
    assert alone.reason == "garbage instead of an answer: 'Welcome'"


def test_a_part_that_is_told_twice_is_believed_neither_time() -> None:
    other = json.dumps({"module": {"kind": "kernel-module", "version": "570.86.15"}}).encode() + b"\n"
    for output in (other + lines(WHOLE), lines(WHOLE) + other):
        assert parse_facts(output) == Unread(reason="garbage instead of an answer: module told twice")


def test_a_module_that_is_not_loaded_is_none_and_cards_may_be_unread() -> None:
    facts = parse_facts(lines(WHOLE | {"module": None, "cards": {"unread": "/sys/bus/pci/devices: no such folder"}}))

    assert isinstance(facts, Facts)
    assert facts.driver.module is None
    assert facts.cards == Unread(reason="/sys/bus/pci/devices: no such folder")
    assert isinstance(parse_facts(lines({name: value for name, value in WHOLE.items() if name != "module"})), Unread)


def test_the_devices_of_tensorflow_are_names_or_a_reason() -> None:
    assert parse_devices(b'noise\n{"gpus": ["NVIDIA H200"]}\n') == ("NVIDIA H200",)
    assert parse_devices(b'{"gpus": []}') == ()
    assert parse_devices(b'{"unread": "ImportError: numpy"}') == Unread(reason="ImportError: numpy")
    for garbage in (b"", b"\n", b"[]", b"{}", b'{"gpus": [1]}', b"\xff"):
        assert isinstance(parse_devices(garbage), Unread)


def test_a_libcuda_that_is_not_there_was_looked_for() -> None:
    line = b'{"library": "", "error": "libcuda.so.1: cannot open shared object file: No such file or directory"}'

    assert parse_last(line, CudaDriver) == CudaDriver(
        library="", error="libcuda.so.1: cannot open shared object file: No such file or directory"
    )


def test_packages_that_cannot_be_listed_leave_the_rest() -> None:
    facts = parse_facts(lines(WHOLE), Unread(reason="crashed"))

    assert isinstance(facts, Facts)
    assert facts.packages == Unread(reason="crashed")


def test_an_answer_that_is_cut_short_or_none_is_unread() -> None:
    missing = parse_facts(lines({name: value for name, value in WHOLE.items() if name != "cuda"}))
    garbage = parse_facts(b"Traceback (most recent call last):\n")
    other = parse_facts(lines(WHOLE | {"devices": 7}))

    assert isinstance(missing, Unread)
    assert "no cuda" in missing.reason
    assert isinstance(garbage, Unread)
    assert "garbage" in garbage.reason
    assert isinstance(other, Unread)
    assert "devices" in other.reason


def test_secrets_in_variables_are_hidden() -> None:
    facts = parse_facts(lines(WHOLE))
    assert isinstance(facts, Facts)
    cleaned = redacted(facts, {"NVIDIA_KEY": "hunter22", "DISPLAY": ":0"})

    assert isinstance(cleaned.container, Container)
    assert "hunter22" not in cleaned.container.variables["NVIDIA_KEY"]
    assert cleaned.gl.variables == {"DISPLAY": ":0"}


def test_packages_are_the_last_whole_line() -> None:
    first = {"kind": "packages", "python": "3.11.7", "executable": "/p", "prefix": "/", "distributions": []}
    cv2 = {"kind": "opencv", "owners": ["opencv-python"], "path": "/cv2.so", "error": "libGL.so.1: …", "cuda": True}
    output = json.dumps(first | {"opencv": {"unread": "it ended"}}) + "\n" + json.dumps(first | {"opencv": cv2})

    whole = parse_last(output.encode(), Packages)
    cut = parse_last(output[:-9].encode(), Packages)
    assert isinstance(whole, Packages)
    assert isinstance(cut, Packages)
    assert (getattr(whole.opencv, "error", None), cut.opencv) == ("libGL.so.1: …", Unread(reason="it ended"))


def test_a_driver_that_hangs_leaves_the_place() -> None:
    assert parse_last(b'{"unread": "the probe ended inside cuInit of /lib/libcuda.so.1"}\n', CudaDriver) == Unread(
        reason="the probe ended inside cuInit of /lib/libcuda.so.1"
    )


@PATIENT
@given(st.binary())
def test_any_output_makes_facts_or_a_reason(output: bytes) -> None:
    assert isinstance(parse_facts(output), Unread)


PARTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just({"unread": "x"}),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "version", "cores"]), inner),
    max_leaves=6,
)


@PATIENT
@given(st.dictionaries(st.sampled_from(sorted(WHOLE)), PARTS))
def test_any_parts_make_facts_or_a_reason(parts: dict[str, Any]) -> None:
    assert isinstance(parse_facts(lines(WHOLE | parts)), Facts | Unread)
