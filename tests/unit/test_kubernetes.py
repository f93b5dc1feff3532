"""What the Kubernetes engine makes and reads, without a server: manifests, pods, logs, options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envcheck.engines import plans
from envcheck.engines.kubernetes.manifests import CELLS, MOST_CONFIG, NONCE, Tag, manifests_of
from envcheck.engines.kubernetes.objects import Phase, Pod, indexes_of, no_node_matches, phase_of
from envcheck.engines.kubernetes.options import parse
from envcheck.engines.packing import packed, unpacked
from envcheck.errors import UsageError
from tests.inprocess import ended
from tests.unit.fleet import work_of
from tests.unit.test_pipelines import IMAGE, KUBERNETES

OPTIONS = parse({"image": IMAGE, "minutes": "5", "requeue": "3"})
TAG = Tag("0123456789abcdef", "f" * 32)
WORKS = [work_of("1.2.2", "560"), work_of("1.2.2", "any"), work_of("1.2.1", "560")]


# --- manifests --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", KUBERNETES)
def test_what_is_sent_has_the_form_that_kubernetes_publishes(version: str) -> None:
    for pair in manifests_of(range(3), WORKS, TAG, OPTIONS):
        for manifest in pair:
            kubernetes_validate.validate(json.loads(json.dumps(manifest)), version, strict=True)


def test_there_is_a_job_for_each_driver_whose_indexes_are_its_cells() -> None:
    pairs = list(manifests_of(range(3), WORKS, TAG, OPTIONS))

    assert [job["metadata"]["annotations"] for _, job in pairs] == [
        {CELLS: "0,2"}, {CELLS: "1"},
    ]  # fmt: skip
    config, job = pairs[0]
    assert job["spec"]["template"]["metadata"]["labels"][NONCE] == TAG.nonce
    assert plans.read_plan(config["data"]["1.json"].encode(), "plan") == WORKS[2].plan
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert (spec["completions"], spec["backoffLimitPerIndex"], pod["activeDeadlineSeconds"]) == (2, 3, 300)
    assert pod["containers"][0]["args"][2:] == ["--plan", "/etc/envcheck/$(JOB_COMPLETION_INDEX).json", "--parcel"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert "570" not in json.dumps(pod["affinity"])
    assert "affinity" not in pairs[1][1]["spec"]["template"]["spec"]
    assert len({one["metadata"]["name"] for pair in pairs for one in pair}) == 2


def test_more_cells_than_a_config_map_holds_are_several_jobs() -> None:
    works = [work_of(f"1.{number}.0") for number in range(2500)]
    pairs = list(manifests_of(range(len(works)), works, TAG, OPTIONS))

    assert len(pairs) >= 3
    assert sum(job["spec"]["completions"] for _, job in pairs) == 2500
    assert all(len(json.dumps(config["data"])) < MOST_CONFIG * 1.3 for config, _ in pairs)
    assert len({job["metadata"]["name"] for _, job in pairs}) == len(pairs)


# --- pods -------------------------------------------------------------------------------------------------------


def pod(**status: Any) -> Pod:
    return msgspec.convert({"status": status, "spec": {"nodeName": "n1"}}, Pod)


def terminated(code: int, reason: str | None = None) -> list[Any]:
    return [{"state": {"terminated": {"exitCode": code, "reason": reason}}}]


@pytest.mark.parametrize(
    ("status", "phase", "words"),
    [
        ({"phase": "Succeeded"}, Phase.SUCCEEDED, ""),
        ({"phase": "Running"}, Phase.RUNNING, "on node n1"),
        ({"phase": "Pending"}, Phase.WAITING, "Pending"),
        ({"phase": "Unknown"}, Phase.WAITING, ""),
        ({}, Phase.WAITING, ""),
        ({"phase": "Failed", "reason": "DeadlineExceeded"}, Phase.OVERDUE, "longer than it may on node n1"),
        ({"phase": "Failed", "reason": "Evicted", "message": "disk"}, Phase.TAKEN, "Evicted: disk"),
        ({"phase": "Failed", "reason": "NodeLost"}, Phase.TAKEN, "NodeLost"),
        ({"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "False"}]}, Phase.FAILED, "no"),
        ({"phase": "Failed", "containerStatuses": terminated(137, "OOMKilled")}, Phase.FAILED, "137 on node n1: OOM"),
        ({"phase": "Failed", "containerStatuses": None, "conditions": None}, Phase.FAILED, "no reason is given"),
        (
            {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]},
            Phase.WAITING, "ContainerCreating",
        ),
        (
            {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}]},
            Phase.STUCK, "ErrImagePull on node n1",
        ),
    ],
)  # fmt: skip
def test_a_pod_is_read(status: dict[str, Any], phase: Phase, words: str) -> None:
    found, because = phase_of(pod(**status))

    assert found is phase
    assert words in because


LABELS = "node(s) didn't match Pod's node affinity/selector"


@pytest.mark.parametrize(
    ("message", "nowhere"),
    [
        (f"0/3 nodes are available: 3 {LABELS}. preemption: 0/3", True),
        (f"0/3 nodes are available: 1 Insufficient nvidia.com/gpu, 2 {LABELS}.", False),
        (f"0/3 nodes are available: 2 {LABELS}, 1 node(s) were unschedulable.", False),
        ("0/2 nodes are available: 2 Insufficient nvidia.com/gpu.", False),
        ("no nodes available to schedule pods", False),
        ("", False),
    ],
)
def test_only_where_no_label_of_any_node_fits_a_cell_is_unreachable(message: str, nowhere: bool) -> None:
    assert no_node_matches(message) is nowhere


@pytest.mark.parametrize(
    ("text", "count", "found"),
    [
        (None, 5, set()), ("", 5, set()), ("0", 5, {0}), ("1,3-4", 5, {1, 3, 4}), ("3-9", 5, {3, 4}),
        ("a,-1,2-b", 5, set()),
        ("0-99999999999999999999", 5, set()), ("0-9999999", 3, {0, 1, 2}), ("7", 5, set()),
    ],
)  # fmt: skip
def test_indexes_are_read_within_bounds(text: str | None, count: int, found: set[int]) -> None:
    assert indexes_of(text, count) == found


# --- logs -------------------------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(st.binary(max_size=30_000), st.binary(max_size=50).filter(lambda data: b"envcheck" not in data))
def test_a_delivery_comes_out_of_a_log_as_it_went_in(delivery: bytes, noise: bytes) -> None:
    lines = [f"2026-11-29T12:00:00Z stdout F {line}".encode() for line in packed(delivery)]

    assert unpacked(noise + b"\n" + b"\r\n".join(lines) + b"\n" + noise) == delivery
    assert isinstance(unpacked(b"\n".join(lines[:-1])), str)


@settings(max_examples=100)
@given(st.data())
def test_a_log_that_was_changed_brings_nothing_else(data: st.DataObject) -> None:
    log = bytearray("\n".join(packed(b"x" * 500)).encode())
    log[data.draw(st.integers(0, len(log) - 1))] ^= data.draw(st.integers(1, 255))

    assert unpacked(bytes(log)) == b"x" * 500 or isinstance(unpacked(bytes(log)), str)


def test_of_two_deliveries_in_a_log_the_last_whole_one_counts() -> None:
    first, second = ("\n".join(packed(text)).encode() for text in (b"first", b"second"))

    assert unpacked(first + b"\n" + second) == b"second"
    assert unpacked(first + b"\n" + second[:-3]) == b"first"


def test_a_worker_is_told_where_its_delivery_goes(tmp_path: Path) -> None:
    for arguments in ([], ["--out", "x", "--parcel"]):
        done = ended("cell", "--plan", "plan.json", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "--out FILE or --parcel" in done.stderr


# --- options ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "needs an image by digest"),
        ({"image": "envcheck:1"}, "names no digest"),
        ({"image": IMAGE, "namespace": "A/B"}, "is no name"),
        ({"image": IMAGE, "wait": "soon"}, "not a number"),
        ({"image": IMAGE, "requeue": "-1"}, "not a number"),
        ({"image": IMAGE, "partition": "gpu"}, "no option partition"),
    ],
)
def test_a_bad_option_is_named_before_a_cluster_is_asked(given: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse(given)


def test_a_backend_may_have_an_image_of_its_own() -> None:
    other = IMAGE.replace("a" * 64, "b" * 64)

    assert parse({"image": IMAGE, "image.conda": other}).cluster.image("conda") == other
    assert parse({"image": IMAGE, "image.conda": other}).cluster.image("venv") == IMAGE
