"""Limits of addresses and of tasks: named first where MediaPipe did not fit into them, a remark where it did."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from envcheck import shortage
from envcheck.facts import OpenCv, Packages
from envcheck.judge import judge
from envcheck.model import Evidence, Status, WorkerRun
from envcheck.rules import findings
from tests.unit.worlds import (
    HEALTHY,
    NO_CONTEXT,
    NO_DISPLAY,
    NO_GPU_HOST,
    changed,
    healthy_facts,
    looked_at,
    no_driver_facts,
    ran,
    refused,
    tried,
)

GIB = 1 << 30


def cell(
    cpu: WorkerRun, gpu: WorkerRun | None = None, *, space: int | None = None, tasks: int | None = None
) -> Evidence:
    facts = no_driver_facts(resources=changed(HEALTHY.resources, address_space=space, tasks=tasks))
    later = gpu or WorkerRun(delegate="GPU", outcome="not-run")
    return changed(tried(later, facts, host=NO_GPU_HOST, gl=NO_CONTEXT), cpu=cpu)


def failed(outcome: str, stage: str, delegate: str = "CPU", **more: Any) -> WorkerRun:
    return WorkerRun(delegate=delegate, outcome=outcome, stage=stage, **more)


def answers(evidence: Evidence) -> dict[str, Status]:
    return {one.code: one.status for one in findings(evidence, judge(evidence))}


def first(evidence: Evidence) -> str:
    return next(iter(answers(evidence)))


@pytest.mark.parametrize(
    ("outcome", "stage", "waits"),
    [("died", "create", "RES601"), ("died", "frames", "RES601"), ("hung", "first-frame", "RES602")],
)
def test_a_worker_that_ends_in_native_code_without_room_ended_for_that(outcome: str, stage: str, waits: str) -> None:
    evidence = cell(failed(outcome, stage, exit="killed by SIGABRT"), space=GIB)

    assert first(evidence) == "RES613"
    assert answers(evidence)[waits] is Status.SKIP


@pytest.mark.parametrize(
    ("outcome", "stage", "space", "code"),
    [
        ("died", "create", None, "RES601"),
        ("died", "create", 4 * GIB, "RES601"),
        ("died", "import", GIB, "RES601"),
        ("hung", "create", 64 * GIB, "RES602"),
        ("garbage", "create", GIB, "RES603"),
    ],
    ids=["no limit", "room enough", "not MediaPipe's code", "roomy", "garbage"],
)
def test_where_there_was_room_or_something_else_spoke_the_end_itself_is_named(
    outcome: str, stage: str, space: int | None, code: str
) -> None:
    evidence = cell(failed(outcome, stage), space=space)

    assert first(evidence) == code
    assert answers(evidence).get("RES613") is not Status.FAIL


@pytest.mark.parametrize(
    "error",
    [
        "libmediapipe.so: failed to map segment from shared object",
        "can't start new thread",
        "RET_CHECK failure (runner.cc:303) interpreter->AllocateTensors() == kTfLiteOk (1 vs. 0)",
        "std::bad_alloc",
    ],
)
def test_words_that_mean_no_room_are_put_down_to_the_limit(error: str) -> None:
    broken = failed("refused", "create", error_type="RuntimeError", error=error)

    assert first(cell(broken, space=3 * GIB)) == "RES613"
    assert first(cell(broken, space=None)) == "MPP409"


def test_a_memory_error_is_told_by_its_type() -> None:
    assert first(cell(failed("import-failed", "import", error_type="MemoryError", error=""), space=GIB)) == "RES613"


def test_a_library_that_is_missing_is_missing_under_a_limit_too() -> None:
    error = "libEGL.so.1: cannot open shared object file: No such file or directory"
    evidence = cell(failed("refused", "create", error_type="OSError", error=error), space=GIB)

    assert first(evidence) == "MPP405"
    assert answers(evidence)["RES613"] is Status.UNKNOWN


def test_a_refusal_for_another_reason_keeps_it() -> None:
    evidence = cell(ran(), refused(NO_DISPLAY), space=GIB)

    assert first(evidence) == "GPU105"
    assert answers(evidence)["RES613"] is Status.UNKNOWN


def test_the_gpus_worker_may_lack_what_the_cpus_had() -> None:
    aborted = failed("died", "create", "GPU", exit="killed by SIGABRT", log=("what():  std::bad_alloc",))

    assert first(cell(ran(), aborted, space=3 * GIB)) == "RES613"


def test_a_look_names_what_cannot_suffice_and_remarks_on_what_may() -> None:
    for space, status in ((GIB - 1, Status.FAIL), (2 * GIB, Status.UNKNOWN), (8 * GIB, None), (None, None)):
        facts = healthy_facts(resources=changed(HEALTHY.resources, address_space=space))

        assert answers(looked_at(facts)).get("RES613") is status


def test_opencv_that_finds_no_room_is_not_told_to_install_a_library() -> None:
    error = "cv2.abi3.so: failed to map segment from shared object"
    opencv = OpenCv(owners=("opencv-python",), path="/venv/cv2.abi3.so", error=error)
    assert isinstance(HEALTHY.packages, Packages)
    facts = healthy_facts(
        packages=changed(HEALTHY.packages, opencv=opencv), resources=changed(HEALTHY.resources, address_space=2 * GIB)
    )

    assert first(looked_at(facts)) == "RES613"
    assert answers(looked_at(facts))["MPP411"] is Status.SKIP


REFUSED_A_THREAD = ("RuntimeError: can't start new thread",)


def test_a_thread_that_is_refused_is_put_down_to_the_limit_of_tasks_however_high() -> None:
    died = failed("died", "start", exit="exit status 1", log=REFUSED_A_THREAD)

    assert first(cell(died, tasks=4096)) == "RES614"
    assert answers(cell(died, tasks=4096))["RES601"] is Status.SKIP
    assert first(cell(died, tasks=None)) == "RES601"


def test_a_limit_of_addresses_has_the_same_words_and_goes_first() -> None:
    died = failed("died", "start", exit="exit status 1", log=REFUSED_A_THREAD)

    assert first(cell(died, tasks=4096, space=GIB)) == "RES613"


@pytest.mark.parametrize(("tasks", "code"), [(24, "RES614"), (64, "RES602")])
def test_a_worker_that_hangs_without_a_word_has_few_tasks_or_another_reason(tasks: int, code: str) -> None:
    assert first(cell(ran(), failed("hung", "import", "GPU"), tasks=tasks)) == code


def test_a_high_limit_of_tasks_is_not_spoken_of() -> None:
    for tasks, status in ((15, Status.FAIL), (63, Status.UNKNOWN), (64, None), (None, None)):
        facts = healthy_facts(resources=changed(HEALTHY.resources, tasks=tasks))

        assert answers(looked_at(facts)).get("RES614") is status


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (MemoryError(), "out of memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out of memory"),
        (ImportError("libx.so: failed to map segment from shared object"), "failed to map segment"),
        (RuntimeError("can't start new thread"), "can't start new thread"),
    ],
)
def test_no_room_for_envcheck_itself_is_no_fault_of_its(
    error: Exception, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortage, "address_space", lambda: 60 << 20)
    told = shortage.shortage(error)

    assert told is not None
    assert told.message.startswith(word)
    assert "ulimit -v unlimited" in told.remedy
    assert told.exit_code == 4


def test_a_thread_that_is_refused_without_a_limit_of_addresses_is_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortage, "address_space", lambda: None)
    told = shortage.shortage(RuntimeError("can't start new thread"))

    assert told is not None
    assert (told.message, "pids.max" in told.remedy) == ("can't start new thread", True)


def test_a_full_disk_is_named_with_the_file() -> None:
    told = shortage.shortage(OSError(errno.ENOSPC, "No space left on device", "/cache/quiet"))

    assert told is not None
    assert told.message == "the disk is full: /cache/quiet"


def test_other_errors_are_no_shortage() -> None:
    for error in (ValueError("x"), OSError(errno.ENOENT, "No such file"), ImportError("No module named 'x'")):
        assert shortage.shortage(error) is None


def test_the_limit_is_told_as_the_shell_takes_it() -> None:
    assert shortage.limit_in_words(512 << 20) == ": this process may have 512 MiB of addresses (ulimit -v 524288)"
    assert shortage.limit_in_words(None) == ""
