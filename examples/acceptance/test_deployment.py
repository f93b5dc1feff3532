"""An acceptance test of one's own: what this deployment needs, beyond what `envcheck validate` asserts itself.

envcheck validate --suite examples/acceptance
"""


def test_fast_enough_for_thirty_frames_a_second(bench):
    assert bench.cpu.p95_ms < 33, "one face at 640x480 must fit into a frame even where the GPU is lost"


def test_a_software_rasteriser_never_serves_us(judgement):
    assert judgement.verdict.value != "emulated", judgement.because


def test_the_landmarks_are_those_of_the_cpu(judgement):
    assert judgement.verdict.value != "wrong", judgement.because
