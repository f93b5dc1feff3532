"""CUDA against driver and GPU: every answer, its opposite, and the edges."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envcheck.compat import CudaKind, cuda_support, driver_branch, load_tables
from envcheck.compat.tables import Branches

TABLES = load_tables()
RANK = {CudaKind.TOO_OLD: 0, CudaKind.FORWARD_ONLY: 0, CudaKind.UNKNOWN: 0, CudaKind.MINOR: 1, CudaKind.NATIVE: 2}


@pytest.mark.parametrize(
    ("cuda", "driver", "kind"),
    [
        pytest.param("12.8.1", "570.124.06", CudaKind.NATIVE, id="at-the-paired-driver"),
        pytest.param("12.8.1", "570.124.05", CudaKind.MINOR, id="just-below-the-paired-driver"),
        pytest.param("12.8.1", "570.26", CudaKind.MINOR, id="570.26-is-below-570.124.06"),
        pytest.param("12.8.0", "570.26", CudaKind.NATIVE, id="570.26-is-the-pair-of-12.8.0"),
        pytest.param("12.8.1", "570.124.6", CudaKind.NATIVE, id="leading-zero-left-out"),
        pytest.param("12.8.1", "615.31", CudaKind.NATIVE, id="newer-branches-run-older-cuda"),
        pytest.param("12.8.1", "525.60.13", CudaKind.MINOR, id="at-the-floor"),
        pytest.param("12.8.1", "525.60.12", CudaKind.TOO_OLD, id="just-below-the-floor"),
        pytest.param("12.8.1", "525.105.17", CudaKind.MINOR, id="105-is-above-60"),
        pytest.param("12.8.1", "525.9.1", CudaKind.TOO_OLD, id="9-is-below-60"),
        pytest.param("13.0.0", "580.65.06", CudaKind.NATIVE, id="floor-and-pair-are-one"),
        pytest.param("13.0.0", "580.65.05", CudaKind.TOO_OLD, id="580-itself-has-no-compat-package-for-13.0"),
        pytest.param("13.1", "580.65.05", CudaKind.FORWARD_ONLY, id="compat-package-for-13.1-on-580"),
        pytest.param("13.0", "570.124.06", CudaKind.FORWARD_ONLY, id="compat-package-bridges-570"),
        pytest.param("13.0", "575.57.08", CudaKind.TOO_OLD, id="no-compat-package-for-575"),
        pytest.param("12.8", "470.82.01", CudaKind.TOO_OLD, id="no-compat-package-for-470"),
        pytest.param("11.8", "450.80.02", CudaKind.MINOR, id="floor-of-11"),
        pytest.param("11.0.1", "450.36.06", CudaKind.NATIVE, id="11.0.1-shipped-below-the-floor-of-11"),
        pytest.param("11.0.3", "450.36.06", CudaKind.TOO_OLD, id="11.0.3-did-not"),
        pytest.param("12.7", "580.65.06", CudaKind.NEVER_RELEASED, id="12.7"),
        pytest.param("12.7.1", "580.65.06", CudaKind.NEVER_RELEASED, id="12.7.1"),
        pytest.param("12.10", "580.65.06", CudaKind.UNKNOWN, id="12.10-is-not-12.1"),
        pytest.param("12.70", "580.65.06", CudaKind.UNKNOWN, id="12.70-is-not-12.7"),
        pytest.param("14.0", "999.1", CudaKind.UNKNOWN, id="future-cuda"),
        pytest.param("10.2", "580.65.06", CudaKind.UNKNOWN, id="cuda-older-than-the-table"),
        pytest.param("12.8.9", "580.65.06", CudaKind.UNKNOWN, id="patch-that-is-not-in-the-table"),
        pytest.param("latest", "580.65.06", CudaKind.UNKNOWN, id="no-version-cuda"),
        pytest.param("12.8", "any", CudaKind.UNKNOWN, id="no-version-driver"),
        pytest.param("", "", CudaKind.UNKNOWN, id="empty"),
    ],
)
def test_a_driver_serves_a_cuda(cuda: str, driver: str, kind: CudaKind) -> None:
    assert cuda_support(cuda, driver).kind is kind


@pytest.mark.parametrize(
    ("cuda", "branch", "kind", "since"),
    [
        pytest.param("12.8", "570", CudaKind.NATIVE, "570.124.06", id="native-for-every-12.8-from-the-pair-of-12.8.1"),
        pytest.param("12.8.0", "570", CudaKind.NATIVE, "570.26", id="native-for-12.8.0-already-from-570.26"),
        pytest.param("12.8", "575", CudaKind.NATIVE, None, id="the-whole-next-branch-is-native"),
        pytest.param("12.8", "565", CudaKind.MINOR, None, id="the-whole-branch-before-is-minor"),
        pytest.param("12.8", "525", CudaKind.MINOR, "525.60.13", id="the-floor-is-inside-the-branch"),
        pytest.param("12.0.0", "525", CudaKind.NATIVE, "525.60.13", id="pair-and-floor-are-one"),
        pytest.param("12.8", "520", CudaKind.TOO_OLD, None, id="below-the-floor"),
        pytest.param("13.0", "580", CudaKind.NATIVE, "580.95.05", id="native-for-every-13.0"),
        pytest.param("13.0", "570", CudaKind.FORWARD_ONLY, None, id="forward-only"),
        pytest.param("11.0", "450", CudaKind.NATIVE, "450.51.06", id="below-the-floor-of-11-but-above-every-pair"),
    ],
)
def test_a_branch_stands_for_its_newest_driver_and_says_since_when(
    cuda: str, branch: str, kind: CudaKind, since: str | None
) -> None:
    support = cuda_support(cuda, branch)
    assert (support.kind, support.since) == (kind, since)
    if since is not None:
        assert since in support.because
        assert cuda_support(cuda, since).kind is kind


def test_since_is_the_oldest_driver_with_that_answer() -> None:
    assert cuda_support("12.8", "570.124.05").kind is CudaKind.MINOR
    assert cuda_support("12.8", "525.60.12").kind is CudaKind.TOO_OLD


def test_cuda_without_a_patch_answers_for_the_worst_of_its_patches() -> None:
    assert cuda_support("12.8.0", "570.100").kind is CudaKind.NATIVE
    assert cuda_support("12.8.1", "570.100").kind is CudaKind.MINOR
    assert cuda_support("12.8", "570.100").kind is CudaKind.MINOR


def test_cuda_whose_patches_differ_in_working_at_all_is_unknown() -> None:
    support = cuda_support("11.0", "450.36.06")
    assert support.kind is CudaKind.UNKNOWN
    assert "11.0.1: native" in support.because
    assert "too-old" in support.because


def test_a_major_version_alone_stands_for_all_its_releases() -> None:
    assert cuda_support("12", "580").kind is CudaKind.NATIVE
    assert cuda_support("12", "570").kind is CudaKind.MINOR
    assert cuda_support("12", "520").kind is CudaKind.TOO_OLD
    assert cuda_support("12", "580", "12.0").kind is CudaKind.UNKNOWN


def test_a_pair_of_which_only_the_branch_is_known_is_native_on_later_branches_only() -> None:
    assert cuda_support("12.8.2", "570.211.01").kind is CudaKind.MINOR
    assert "no table names" in cuda_support("12.8.2", "570.211.01").because
    assert cuda_support("12.8.2", "575.51.03").kind is CudaKind.NATIVE
    assert cuda_support("13.4", "615").kind is CudaKind.NATIVE
    assert cuda_support("13.4", "615").since is None


@pytest.mark.parametrize(
    ("cuda", "driver", "capability", "kind"),
    [
        pytest.param("12.9", "580.65.06", "6.1", CudaKind.NATIVE, id="pascal-last-cuda-and-driver"),
        pytest.param("13.0", "580.65.06", "6.1", CudaKind.DROPPED, id="pascal-dropped-by-cuda"),
        pytest.param("12.9", "590.48.01", "6.1", CudaKind.DROPPED, id="pascal-dropped-by-driver"),
        pytest.param("12.9.1", "580.65.06", "7.0", CudaKind.NATIVE, id="a-patch-of-the-last-cuda-is-not-past-it"),
        pytest.param("11.8", "470.82.01", "3.5", CudaKind.MINOR, id="kepler-last"),
        pytest.param("11.8", "495.29.05", "3.5", CudaKind.DROPPED, id="kepler-dropped-by-driver"),
        pytest.param("12.0", "525.60.13", "3.5", CudaKind.DROPPED, id="kepler-dropped-by-both"),
        pytest.param("13.0", "580.95.05", "7.5", CudaKind.NATIVE, id="turing-stays"),
        pytest.param("12.8", "580.65.06", "12.0", CudaKind.NATIVE, id="blackwell-first-cuda"),
        pytest.param("12.6", "580.65.06", "12.0", CudaKind.TOO_NEW, id="blackwell-too-new-for-12.6"),
        pytest.param("13.0", "580.65.06", "10.1", CudaKind.DROPPED, id="renumbered"),
        pytest.param("13.4", "615.31", "10.7", CudaKind.MINOR, id="rubin-first-branch"),
        pytest.param("13.4", "610.43.02", "10.7", CudaKind.TOO_NEW, id="rubin-too-new-for-610"),
        pytest.param("12.8", "580.65.06", "99.9", CudaKind.UNKNOWN, id="gpu-that-is-not-in-the-table"),
        pytest.param("12.8", "9999.1", "9.0", CudaKind.UNKNOWN, id="branch-that-is-not-in-the-table"),
        pytest.param("12.8", "9999.1", None, CudaKind.NATIVE, id="without-a-gpu-newer-drivers-run-older-cuda"),
        pytest.param("12.8", "9999.1", "6.1", CudaKind.DROPPED, id="dropped-stays-dropped"),
        pytest.param("12.8", "470.82.01", "9.0", CudaKind.TOO_OLD, id="gpu-fine-driver-too-old"),
        pytest.param("12.7", "580.65.06", "6.1", CudaKind.NEVER_RELEASED, id="never-released-comes-first"),
    ],
)
def test_a_gpu_is_served_between_its_first_and_its_last(
    cuda: str, driver: str, capability: str | None, kind: CudaKind
) -> None:
    assert cuda_support(cuda, driver, capability).kind is kind


def test_up_to_its_last_driver_branch_a_gpu_is_served_whatever_branches_are_known() -> None:
    cuda = msgspec.structs.replace(TABLES.cuda, branches=Branches())
    tables = msgspec.structs.replace(TABLES, cuda=cuda)
    assert cuda_support("12.9", "580.95.05", "6.1", tables).kind is CudaKind.NATIVE
    assert cuda_support("12.9", "580.95.05", "9.0", tables).kind is CudaKind.UNKNOWN


def test_an_answer_for_all_patches_names_the_newest() -> None:
    assert "CUDA 12.8.1" in cuda_support("12.8", "580").because
    assert "CUDA 12.8.1" in cuda_support("12.8", "535").because


def test_forward_compatibility_fails_on_geforce_only() -> None:
    geforce = cuda_support("13.0", "570.124.06", "8.9", gpu_name="NVIDIA GeForce RTX 4090")
    assert geforce.kind is CudaKind.TOO_OLD
    assert "804" in geforce.because
    assert cuda_support("13.0", "570.124.06", "9.0", gpu_name="NVIDIA H200").kind is CudaKind.FORWARD_ONLY


@pytest.mark.parametrize(
    ("cuda", "driver", "capability", "source"),
    [
        pytest.param("12.8", "580", None, "release-notes", id="native"),
        pytest.param("13.4", "615", None, "forward-compatibility", id="native-row-with-its-own-source"),
        pytest.param("12.8", "535", None, "minor-compatibility", id="minor"),
        pytest.param("13.0", "570", None, "forward-compatibility", id="forward-only"),
        pytest.param("12.8", "470", None, "minor-compatibility", id="too-old"),
        pytest.param("13.0", "580", "7.0", "architectures", id="dropped"),
        pytest.param("12.6", "580", "12.0", "architectures", id="too-new"),
        pytest.param("12.9", "590", "8.8", "llvm", id="too-new-row-with-its-own-source"),
        pytest.param("12.7", "580", None, "release-notes", id="never-released"),
    ],
)
def test_an_answer_carries_its_source(cuda: str, driver: str, capability: str | None, source: str) -> None:
    assert cuda_support(cuda, driver, capability).source == source
    assert source in TABLES.sources


def test_every_kind_is_tested() -> None:
    asked = [("12.8", "580", None), ("12.8", "535", None), ("13.0", "570", None), ("12.8", "470", None)]
    gpus = [("13.0", "580", "7.0"), ("12.6", "580", "12.0"), ("12.7", "580", None), ("14.0", "580", None)]
    assert {cuda_support(*question).kind for question in [*asked, *gpus]} == set(CudaKind)


cudas = st.sampled_from([row.cuda for row in TABLES.cuda.toolkits.rows] + ["11", "12", "12.8", "13.0", "13"])
drivers = st.tuples(st.integers(440, 620), st.integers(0, 220), st.integers(0, 30))


def text(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


@given(cudas, drivers, drivers)
def test_a_newer_driver_never_serves_less(cuda: str, one: tuple[int, ...], other: tuple[int, ...]) -> None:
    older, newer = sorted((one, other))
    assert RANK[cuda_support(cuda, text(older)).kind] <= RANK[cuda_support(cuda, text(newer)).kind]


@given(cudas, drivers, drivers, st.sampled_from(["6.1", "7.0", "7.5", "9.0", "12.0"]))
def test_with_a_gpu_a_newer_driver_serves_less_only_where_it_drops_it(
    cuda: str, one: tuple[int, ...], other: tuple[int, ...], capability: str
) -> None:
    older, newer = sorted((one, other))
    before, after = (cuda_support(cuda, text(driver), capability).kind for driver in (older, newer))
    if before is CudaKind.NATIVE:
        dropped = capability in {"6.1", "7.0"} and newer[0] > 580
        unknown = newer[0] > 615
        assert after is CudaKind.NATIVE or dropped or unknown


@given(cudas, drivers)
def test_a_branch_is_never_judged_worse_than_one_of_its_drivers(cuda: str, driver: tuple[int, ...]) -> None:
    assert RANK[cuda_support(cuda, text(driver)).kind] <= RANK[cuda_support(cuda, str(driver[0])).kind]


@given(cudas, drivers)
def test_every_driver_from_since_on_gets_the_answer_of_its_branch(cuda: str, driver: tuple[int, ...]) -> None:
    support = cuda_support(cuda, str(driver[0]))
    since = tuple(int(part) for part in (support.since or str(driver[0])).split("."))
    unnamed = "no table names" in support.because
    if support.kind in (CudaKind.NATIVE, CudaKind.MINOR) and driver >= since and not unnamed:
        assert cuda_support(cuda, text(driver)).kind is support.kind


@given(st.text(max_size=12), st.text(max_size=12), st.none() | st.text(max_size=5))
def test_no_text_makes_it_fail(cuda: str, driver: str, capability: str | None) -> None:
    assert cuda_support(cuda, driver, capability).because


@pytest.mark.parametrize(
    ("driver", "kind", "ends"),
    [
        pytest.param("580.65.06", "long-term", "2028-06", id="driver"),
        pytest.param("580", "long-term", "2028-06", id="branch"),
        pytest.param("550.54.15", "unknown", "past", id="ended"),
        pytest.param("615.31", "unknown", None, id="end-not-known"),
    ],
)
def test_a_driver_belongs_to_a_branch_with_an_end(driver: str, kind: str, ends: str | None) -> None:
    found = driver_branch(driver)
    assert found is not None
    assert (found.kind, found.ends) == (kind, ends)


@pytest.mark.parametrize("driver", ["571.1", "5800", "any", ""])
def test_a_branch_that_is_not_in_the_table_is_not_known(driver: str) -> None:
    assert driver_branch(driver) is None
