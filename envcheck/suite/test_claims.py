"""One claim per test, one test per cell. Nothing runs here: the evidence was recorded before."""

from __future__ import annotations

from envcheck.gate import nothing_ran
from envcheck.suite.claims import Claim
from envcheck.suite.recorded import Recorded


def test_something_ran(recorded_cells: tuple[Recorded, ...]) -> None:
    why = nothing_ran([cell.result for cell in recorded_cells])
    assert not why, f"nothing ran: {why}"


def test_environment_was_built(recorded_cell: Recorded) -> None:
    recorded_cell.uphold(Claim.BUILT)


def test_face_landmarker_runs_on_cpu(recorded_cell: Recorded) -> None:
    recorded_cell.uphold(Claim.CPU_RUNS)


def test_gpu_delegate_initialises(recorded_cell: Recorded) -> None:
    recorded_cell.uphold(Claim.INITIALISES)


def test_gpu_is_hardware(recorded_cell: Recorded) -> None:
    recorded_cell.uphold(Claim.HARDWARE)


def test_inference_ran_on_gpu(recorded_cell: Recorded) -> None:
    recorded_cell.uphold(Claim.ON_GPU)


def test_landmarks_agree(recorded_cell: Recorded) -> None:
    recorded_cell.uphold(Claim.AGREE)


def test_faster_than_cpu(recorded_cell: Recorded) -> None:
    recorded_cell.uphold(Claim.FASTER)


def test_verdict_is_expected(recorded_cell: Recorded) -> None:
    recorded_cell.uphold_expectation()
