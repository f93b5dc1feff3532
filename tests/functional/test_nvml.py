"""NVML through the real nvidia-ml-py, on a compiled stand-in for the driver's library."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from envcheck.cell.observe import NvmlSampler
from envcheck.model import GpuProcess, Nvml, Unread
from tests.conftest import unable
from tests.functional.conftest import Command

MatrixOf = Callable[..., Path]


def built(folder: Path, *flags: str) -> dict[str, str]:
    """The environment in which the loader finds a stand-in that was compiled so."""
    if shutil.which("gcc") is None:
        unable("needs gcc; enable with: apt-get install gcc")
    source = Path(__file__).with_name("nvml.c")
    command = ["gcc", "-shared", "-fPIC", *flags, "-o", str(folder / "libnvidia-ml.so.1"), str(source)]
    subprocess.run(command, check=True)
    return {"LD_LIBRARY_PATH": str(folder)}


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which the loader finds the stand-in."""
    return built(tmp_path_factory.mktemp("nvml"))


def test_driver_and_gpus_are_read(standin: dict[str, str]) -> None:
    with NvmlSampler.start({**os.environ, **standin}) as sampler:
        found = sampler.facts()

    assert isinstance(found, Nvml)
    assert (found.driver, found.cuda) == ("570.124.06", "12.8")
    (gpu,) = found.gpus
    assert (gpu.name, gpu.compute_capability, gpu.mig, gpu.memory_total) == ("NVIDIA H200", "9.0", False, 150 << 30)


def nvml_of(standin: dict[str, str], **settings: str) -> Nvml:
    """What the sampler says of the stand-in."""
    with NvmlSampler.start({**os.environ, **standin, **settings}) as sampler:
        found = sampler.facts()
    assert isinstance(found, Nvml)
    return found


def test_the_state_of_a_gpu_is_read(standin: dict[str, str]) -> None:
    (gpu,) = nvml_of(standin).gpus

    assert (gpu.pci, gpu.compute_mode, gpu.persistence, gpu.display_active) == ("0000:17:00.0", "default", True, False)
    assert (gpu.sm_mhz, gpu.sm_max_mhz, gpu.temperature) == (345, 1980, 41)
    assert (gpu.throttle, gpu.processes) == ((), ())
    assert isinstance(gpu.ecc_errors, Unread)
    assert "NotSupported" in gpu.ecc_errors.reason


def test_what_holds_a_gpu_back_has_names(standin: dict[str, str]) -> None:
    (gpu,) = nvml_of(standin, STANDIN_MODE="2", STANDIN_THROTTLE="0x8E3", STANDIN_ECC="7").gpus

    assert (gpu.compute_mode, gpu.ecc_errors) == ("prohibited", 7)
    assert gpu.throttle == (
        "sw_thermal_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown", "reason 0x800",
    )  # fmt: skip


def test_processes_of_others_are_listed_once_each(standin: dict[str, str]) -> None:
    (gpu,) = nvml_of(standin, STANDIN_COMPUTE="11,13", STANDIN_PIDS="11,12").gpus

    assert isinstance(gpu.processes, tuple)
    assert [(one.pid, one.memory) for one in gpu.processes] == [(11, 1 << 30), (13, 1 << 30), (12, 64 << 20)]


def test_processes_of_others_that_may_not_be_listed_are_unread(standin: dict[str, str]) -> None:
    (gpu,) = nvml_of(standin, STANDIN_PIDS="denied").gpus

    assert isinstance(gpu.processes, Unread)


def test_a_driver_without_gpus_answers_that_it_has_none(standin: dict[str, str]) -> None:
    assert nvml_of(standin, STANDIN_GPUS="0").gpus == ()


def test_a_lost_gpu_does_not_hide_the_others(standin: dict[str, str]) -> None:
    first, lost, last = nvml_of(standin, STANDIN_GPUS="3", STANDIN_LOST="1").gpus

    assert [gpu.pci for gpu in (first, last)] == ["0000:17:00.0", "0000:19:00.0"]
    assert (lost.index, lost.name, lost.memory_total) == (1, "", None)
    told = (lost.compute_capability, lost.mig, lost.throttle, lost.processes, lost.temperature)
    assert all(isinstance(value, Unread) and "GpuIsLost" in value.reason for value in told)


def test_without_a_libcuda_the_driver_and_its_gpus_are_told_all_the_same(standin: dict[str, str]) -> None:
    """As in a container that was given the graphics half of the driver alone: nvidia-smi then shows CUDA as ERR!."""
    found = nvml_of(standin, STANDIN_CUDA="missing")

    assert (found.driver, found.cuda, len(found.gpus)) == ("570.124.06", "12.8", 1)


def test_a_lost_gpu_does_not_hide_what_the_others_do(standin: dict[str, str]) -> None:
    settings = {"STANDIN_GPUS": "2", "STANDIN_LOST": "1", "STANDIN_PIDS": "11"}
    with NvmlSampler.start({**os.environ, **standin, **settings}) as sampler:
        sample = sampler.sample()
        work = json.loads(bytes_of(sampler.ask(b'{"do": "work", "since": 0}\n')))

    assert not isinstance(sample, Unread)
    assert sample[0].graphics == (GpuProcess(pid=11, memory=64 << 20),)
    assert isinstance(sample[1].graphics, Unread)
    assert "GpuIsLost" in sample[1].graphics.reason
    assert [one["index"] for one in work["gpus"]] == [0, 1]


def bytes_of(line: bytes | Unread) -> bytes:
    """The answer, which there must be."""
    assert isinstance(line, bytes)
    return line


@pytest.mark.parametrize(
    ("flag", "driver"),
    [("-DNO_THIRD_LISTS", "470.256.02"), ("-DWIDE_LISTS", "535.54.03"), ("-DNO_THIRD_LISTS", "535.98")],
    ids=["not there yet", "of another length", "taken away again"],
)
def test_lists_are_read_where_their_third_form_is_of_no_use(flag: str, driver: str, tmp_path: Path) -> None:
    """Drivers before 510 do not have it, 535.43.02 to 535.86 have it wrong, 535.98 has it not."""
    settings = {"STANDIN_PIDS": "11,12", "STANDIN_COMPUTE": "13", "STANDIN_DRIVER": driver}
    with NvmlSampler.start({**os.environ, **built(tmp_path, flag), **settings}) as sampler:
        sample = sampler.sample()

    assert not isinstance(sample, Unread)
    assert sample[0].graphics == (GpuProcess(pid=11, memory=64 << 20), GpuProcess(pid=12, memory=64 << 20))
    assert sample[0].compute == (GpuProcess(pid=13, memory=1 << 30),)


def test_a_list_of_unknown_form_is_unread_not_a_list_without_us(tmp_path: Path) -> None:
    settings = {"STANDIN_PIDS": "11,12", "STANDIN_DRIVER": "999.10"}
    with NvmlSampler.start({**os.environ, **built(tmp_path, "-DWIDE_LISTS"), **settings}) as sampler:
        sample = sampler.sample()

    assert not isinstance(sample, Unread)
    assert isinstance(sample[0].graphics, Unread)
    assert "process numbers that cannot be" in sample[0].graphics.reason


def test_a_sample_tells_what_was_seen_from_what_could_not_be_read(standin: dict[str, str]) -> None:
    with NvmlSampler.start({**os.environ, **standin, "STANDIN_PIDS": "11,12"}) as sampler:
        sample = sampler.sample()

    assert not isinstance(sample, Unread)
    assert sample[0].graphics == (GpuProcess(pid=11, memory=64 << 20), GpuProcess(pid=12, memory=64 << 20))
    assert sample[0].compute == ()
    assert sample[0].utilisation == 7
    assert isinstance(sample[0].energy_mj, Unread)


def test_processes_that_may_not_be_listed_are_unread_not_none(standin: dict[str, str]) -> None:
    with NvmlSampler.start({**os.environ, **standin, "STANDIN_PIDS": "denied"}) as sampler:
        sample = sampler.sample()

    assert not isinstance(sample, Unread)
    assert isinstance(sample[0].graphics, Unread)
    assert "NoPermission" in sample[0].graphics.reason


def test_a_library_of_another_version_is_unread_with_its_reason(standin: dict[str, str]) -> None:
    with NvmlSampler.start({**os.environ, **standin, "STANDIN_DRIVER": "unmatched"}) as sampler:
        found = sampler.facts()

    assert isinstance(found, Unread)
    assert "Mismatch" in found.reason


def test_without_a_driver_nvml_is_unread() -> None:
    with NvmlSampler.start(dict(os.environ)) as sampler:
        found = sampler.facts()

    if isinstance(found, Nvml):
        pytest.skip("this machine has an NVIDIA driver; the case needs one without")
    assert found.reason == "NVMLError_LibraryNotFound: NVML Shared Library Not Found"


def test_a_library_that_does_not_load_has_the_loaders_word(tmp_path: Path) -> None:
    (tmp_path / "libnvidia-ml.so.1").write_bytes(b"not a library")
    with NvmlSampler.start({**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}) as sampler:
        found = sampler.facts()

    assert isinstance(found, Unread)
    assert found.reason.startswith("NVMLError_LibraryNotFound: ")
    assert f"{tmp_path}/libnvidia-ml.so.1" in found.reason


DRIVERS = '  driver: ["570", "580", any]\n  cuda: ["12.8", "13.0"]\n'


def test_cells_are_matched_to_the_driver_of_the_host(
    envcheck: Command, matrix_of: MatrixOf, standin: dict[str, str]
) -> None:
    """CUDA 13.0 is too new for driver 570; forward compatibility serves data-centre GPUs, and GeForce not."""
    geforce = standin | {"STANDIN_NAME": "NVIDIA GeForce RTX 4090"}
    ran = envcheck("plan", "--matrix", str(matrix_of("1.2.2", axes=DRIVERS)), env=geforce)
    state = {line.split()[1]: line.split()[0] for line in ran.stdout.splitlines() if " venv-" in line}

    assert state["venv-py3.11-mp1.2.2-cu12.8-r570"] == "reachable"
    assert state["venv-py3.11-mp1.2.2-cu12.8-rany"] == "reachable"
    assert state["venv-py3.11-mp1.2.2-cu12.8-r580"] == "unreachable"
    assert state["venv-py3.11-mp1.2.2-cu13.0-r570"] == "impossible"
    assert state["venv-py3.11-mp1.2.2-cu13.0-rany"] == "impossible"
    assert state["venv-py3.11-mp1.2.2-cu13.0-r580"] == "unreachable"


def test_this_host_as_a_fleet_serves_what_its_driver_can_and_the_rest_asks_for_one_more_host(
    envcheck: Command, matrix_of: MatrixOf, standin: dict[str, str]
) -> None:
    geforce = standin | {"STANDIN_NAME": "NVIDIA GeForce RTX 4090"}
    ran = envcheck("fleet", "--json", "--matrix", str(matrix_of("1.2.2", axes=DRIVERS)), env=geforce)
    found = json.loads(ran.stdout)
    (here,) = found["groups"]
    standing = {cell["id"].partition("-cu")[2]: cell["state"] for cell in found["cells"]}

    assert (ran.code, here["driver"], here["gpus"], here["free"]) == (1, "570.124.06", 1, 1)
    assert (standing["12.8-r570"], standing["12.8-rany"], standing["13.0-rany"]) == ("served", "served", "unserved")
    assert {one["driver"]: one.get("forward", False) for one in found["missing"]} == {"570": True, "580": False}
    table = envcheck("fleet", "--matrix", str(matrix_of("1.2.2", axes=DRIVERS)), env=geforce).stdout
    assert "here   570.124.06  1     1     0     0" in table
    assert "one host with driver 580" in table


def test_a_gpu_in_mig_mode_makes_a_cell_impossible(
    envcheck: Command, matrix_of: MatrixOf, standin: dict[str, str]
) -> None:
    matrix = str(matrix_of("1.2.2"))

    assert "GPU102" in envcheck("plan", "--matrix", matrix, env={**standin, "STANDIN_MIG": "1"}).stdout
    assert "GPU102" not in envcheck("plan", "--matrix", matrix, env=standin).stdout


@pytest.mark.software_gl
@pytest.mark.network
def test_a_driver_beside_software_gl_is_still_emulated_and_the_missing_half_is_the_cause(
    envcheck: Command, matrix_of: MatrixOf, standin: dict[str, str]
) -> None:
    """NVML answers, EGL goes to llvmpipe: the popular broken container. It must not pass, and not blame the driver."""
    env = standin | {"EGL_PLATFORM": "surfaceless"}
    ran = envcheck("validate", "--matrix", str(matrix_of("0.10.35")), env=env)
    cell = ran.cell("0.10.35")

    assert (ran.code, cell["verdict"]) == (1, "emulated")
    assert ran.codes("0.10.35") == ["EGL208", "EGL207"]
    says = {witness["name"]: witness["says"] for witness in cell["witnesses"]}
    assert says["nvml-process"] == "cpu"
    assert says["native-log"] == "software"
