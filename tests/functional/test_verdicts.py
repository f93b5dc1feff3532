"""The verdict table on real wheels: software GL here, no NVIDIA driver. Each row, and its opposite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest

from tests.functional.conftest import Command, Ran

EMULATED = ("0.10.9", "0.10.14", "0.10.21", "0.10.33", "0.10.35")
IGNORED = ("0.10.30", "0.10.31")
NO_GPU_CODE = ("0.10.32", "1.0.0")
REFUSED = ("1.0.1", "1.1.1", "1.2.2", "1.2.3")
ALL = (*EMULATED, *IGNORED, *NO_GPU_CODE, *REFUSED)
SURFACELESS = {"EGL_PLATFORM": "surfaceless"}

# The first test of a run builds and runs a dozen cells.
pytestmark = [pytest.mark.software_gl, pytest.mark.network, pytest.mark.timeout(1800)]

MatrixOf = Callable[..., Path]


@pytest.fixture(scope="module")
def by_default(envcheck: Command, matrix_of: MatrixOf) -> Ran:
    return envcheck("validate", "--matrix", str(matrix_of(*ALL)), env=SURFACELESS)


@pytest.fixture(scope="module")
def no_preflight(envcheck: Command, matrix_of: MatrixOf) -> Ran:
    matrix = matrix_of(*IGNORED, *NO_GPU_CODE)
    return envcheck("validate", "--no-preflight", "--matrix", str(matrix), env=SURFACELESS)


@pytest.fixture(scope="module")
def no_display(envcheck: Command, matrix_of: MatrixOf) -> Ran:
    return envcheck("validate", "--matrix", str(matrix_of(*EMULATED, *REFUSED)))


@pytest.fixture(scope="module")
def empty_tables(envcheck: Command, matrix_of: MatrixOf, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    tables = tmp_path_factory.mktemp("tables")
    matrix = matrix_of("0.10.21", "0.10.31", "1.0.0", "1.2.2")
    return envcheck("validate", "--matrix", str(matrix), env=SURFACELESS | {"ENVCHECK_TABLES": str(tables)})


@pytest.mark.parametrize("version", EMULATED)
def test_software_gl_is_emulated_where_mediapipe_accepts_it(by_default: Ran, version: str) -> None:
    cell = by_default.cell(version)

    assert (cell["verdict"], cell["status"]) == ("emulated", "FAIL")
    assert by_default.codes(version) == ["GPU105", "EGL207"]
    assert "llvmpipe" in cell["because"]
    low, high = cell["bench"]["speedup"]["ci95"]
    assert 0 < low <= cell["bench"]["speedup"]["estimate"] <= high
    assert min(cell["bench"]["gpu"]["median_ms"], cell["bench"]["cpu"]["median_ms"]) > 0


def test_software_gl_is_not_faster_than_the_cpu(by_default: Ran) -> None:
    """By most of the cells: twelve frames of one, beside other work, may say anything."""
    benches = [by_default.cell(version)["bench"] for version in EMULATED]

    assert median(bench["speedup"]["estimate"] for bench in benches) < 1
    assert median(bench["gpu"]["median_ms"] / bench["cpu"]["median_ms"] for bench in benches) > 1


@pytest.mark.parametrize("version", REFUSED)
def test_software_gl_is_refused_from_1_0_1_on(by_default: Ran, version: str) -> None:
    assert by_default.cell(version)["verdict"] == "refused"
    assert by_default.codes(version) == ["GPU105", "EGL204"]
    # What is left is timed; what did not run is absent.
    assert set(by_default.cell(version)["bench"]) == {"cpu", "cpu_start", "baseline", "identity"}


@pytest.mark.parametrize("version", [*IGNORED, *NO_GPU_CODE])
def test_wheels_known_to_lack_the_gpu_are_impossible_and_not_built(by_default: Ran, version: str) -> None:
    cell = by_default.cell(version)

    assert cell["verdict"] == "impossible"
    assert by_default.codes(version)[0] == ("MPP402" if version in IGNORED else "MPP401")
    assert "bench" not in cell


@pytest.mark.parametrize("version", IGNORED)
def test_a_delegate_that_is_ignored_is_silent_cpu_by_behaviour(no_preflight: Ran, version: str) -> None:
    assert no_preflight.cell(version)["verdict"] == "silent-cpu"
    assert no_preflight.codes(version)[0] == "MPP402"


@pytest.mark.parametrize("version", NO_GPU_CODE)
def test_missing_gpu_code_is_refused_by_behaviour(no_preflight: Ran, version: str) -> None:
    assert no_preflight.cell(version)["verdict"] == "refused"
    assert no_preflight.codes(version)[0] == "MPP401"
    assert "GPU processing is disabled in build flags" in no_preflight.cell(version)["because"]


@pytest.mark.parametrize("version", [*EMULATED, *REFUSED])
def test_without_a_display_the_delegate_is_refused_and_the_finding_names_the_display(
    no_display: Ran, version: str
) -> None:
    cell = no_display.cell(version)

    assert cell["verdict"] == "refused"
    assert no_display.codes(version)[:2] == ["GPU105", "EGL202"]
    assert "no DISPLAY" in cell["findings"][1]["summary"]


@pytest.mark.parametrize(
    ("version", "verdict"),
    [("0.10.21", "emulated"), ("0.10.31", "silent-cpu"), ("1.0.0", "refused"), ("1.2.2", "refused")],
)
def test_verdicts_are_the_same_when_nothing_is_known_about_versions(
    empty_tables: Ran, version: str, verdict: str
) -> None:
    assert empty_tables.cell(version)["verdict"] == verdict


def test_every_run_without_an_accelerated_cell_exits_with_1(
    by_default: Ran, no_preflight: Ran, no_display: Ran, empty_tables: Ran
) -> None:
    assert [ran.code for ran in (by_default, no_preflight, no_display, empty_tables)] == [1, 1, 1, 1]


def test_an_expectation_that_is_met_exits_with_0(envcheck: Command, matrix_of: MatrixOf) -> None:
    matrix = str(matrix_of("1.2.2"))

    met = envcheck("validate", "--matrix", matrix, "--expect", "refused", env=SURFACELESS)
    assert met.code == 0
    assert envcheck("replay", str(met.out)).code == 0
    assert envcheck("replay", str(met.out), "--expect", "emulated").code == 1


def test_a_user_who_silences_the_native_log_gets_the_same_verdict(envcheck: Command, matrix_of: MatrixOf) -> None:
    silent = {
        "GLOG_minloglevel": "3",
        "GLOG_logtostderr": "0",
        "GLOG_stderrthreshold": "3",
        "GLOG_vmodule": "other=1,inference_calculator=0,inference_*=0",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    matrix = str(matrix_of("0.10.21", "0.10.31", "0.10.35"))
    ran = envcheck("validate", "--matrix", matrix, "--no-preflight", env=SURFACELESS | silent)
    heard = {
        version: {one["name"]: one["says"] for one in ran.cell(version)["witnesses"]}["calculators"]
        for version in ("0.10.21", "0.10.31", "0.10.35")
    }

    assert heard == {"0.10.21": "gl", "0.10.31": "cpu", "0.10.35": "gl"}
    assert ran.cell("0.10.21")["verdict"] == ran.cell("0.10.35")["verdict"] == "emulated"
    assert ran.cell("0.10.31")["verdict"] == "silent-cpu"


def test_recorded_evidence_is_judged_the_same_with_no_environment_at_all(by_default: Ran, envcheck: Command) -> None:
    replayed = envcheck("replay", str(by_default.out), "--json", env={"PATH": "/nonexistent"})

    assert replayed.code == 1
    assert [verdict for verdict in replayed.stdout.split('"') if verdict in ("emulated", "refused", "impossible")]
    for version in ALL:
        assert f'"{by_default.cell(version)["id"]}"' in replayed.stdout


def test_junit_names_one_claim_per_test(by_default: Ran) -> None:
    junit = (by_default.out / "junit.xml").read_text(encoding="utf-8")

    assert "test_gpu_is_hardware[venv-py3.11-mp0.10.35]" in junit
    assert "test_verdict_is_expected[venv-py3.11-mp1.2.2]" in junit


def test_the_native_log_is_kept_for_people(by_default: Ran) -> None:
    log = (by_default.out / "logs" / "venv-py3.11-mp0.10.35.log").read_text(encoding="utf-8")

    assert log.index("== delegate=CPU") < log.index("== delegate=GPU")
    assert "renderer: llvmpipe" in log
    assert not (by_default.out / "logs" / "venv-py3.11-mp1.0.0.log").exists()  # impossible, so nothing was run


LIBRARY_FOLDER = "/usr/lib/x86_64-linux-gnu"
HIDE_EGL = f"""
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$0"; mkdir "$0/upper" "$0/work"
mount -t overlay overlay -o "lowerdir={LIBRARY_FOLDER},upperdir=$0/upper,workdir=$0/work" {LIBRARY_FOLDER}
rm -f {LIBRARY_FOLDER}/libEGL.so* {LIBRARY_FOLDER}/libGLESv2.so*
exec "$@"
"""


@pytest.mark.root
@pytest.mark.parametrize("version", ["0.10.33", "0.10.35", "1.0.1", "1.2.2"])
def test_without_libegl_newer_wheels_are_broken_and_the_library_is_named(without_egl: Ran, version: str) -> None:
    cell = without_egl.cell(version)

    assert cell["verdict"] == "broken"
    assert without_egl.codes(version)[0] == "MPP405"
    assert "libGLESv2.so.2" in cell["findings"][0]["summary"] or "libEGL.so.1" in cell["findings"][0]["summary"]
    assert "apt-get install" in cell["findings"][0]["remedy"]


@pytest.mark.root
def test_without_libegl_wheels_that_bring_their_own_still_run(without_egl: Ran) -> None:
    assert without_egl.cell("0.10.21")["verdict"] == "emulated"


@pytest.fixture(scope="module")
def without_egl(envcheck: Command, matrix_of: MatrixOf, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A mount namespace in which the loader finds neither libEGL nor libGLESv2."""
    overlay = str(tmp_path_factory.mktemp("overlay"))
    matrix = str(matrix_of("0.10.21", "0.10.33", "0.10.35", "1.0.1", "1.2.2"))
    return envcheck(
        "validate", "--matrix", matrix, env=SURFACELESS, wrapper=("unshare", "-m", "sh", "-c", HIDE_EGL, overlay)
    )
