"""What the docker backend writes down: Dockerfiles, commands, and what failed builds mean."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from envcheck.boxes import Engine
from envcheck.errors import UsageError
from envcheck.model import Axes
from envcheck.plan import dockerfile, render
from envcheck.plan.docker import Docker, Settings, diagnose, mirrored, split

PLAIN = Engine(("docker",), "docker", "20.10", architecture="x86_64")
BUILDKIT = replace(PLAIN, buildkit=True)
AXES = Axes(backend="docker", python="3.11", mediapipe="1.2.2")
LOCK = """absl-py==2.5.1 \\
    --hash=sha256:aa
mediapipe==1.2.2 \\
    --hash=sha256:bb \\
    --hash=sha256:cc
mediapipe-model-maker==1 \\
    --hash=sha256:dd
"""


def backend(engine: Engine = PLAIN, **settings: object) -> Docker:
    return Docker(settings=Settings(**settings), engine=lambda: engine)  # type: ignore[arg-type]


def text(axes: Axes = AXES, engine: Engine = PLAIN, **settings: object) -> str:
    return dockerfile.text(backend(engine, **settings).recipe(axes, LOCK))


def test_every_instruction_has_a_comment_that_names_what_it_prevents() -> None:
    lines = text().splitlines()
    instructions = [index for index, line in enumerate(lines) if line[:1].isalpha()]

    for index in instructions:
        before = lines[index - 1]
        assert before.startswith("# ") or lines[index].split()[0] == before.split()[0] or lines[index].startswith("CMD")


def test_layers_go_from_what_is_shared_to_what_is_the_cells_own() -> None:
    whole = text()
    places = [whole.index(part) for part in ("libegl1", "10_nvidia.json", "venv", " packages/", " mediapipe/", "LABEL")]

    assert places == sorted(places)


def test_cells_that_differ_in_mediapipe_share_all_but_the_end() -> None:
    other = dockerfile.text(backend().recipe(Axes(backend="docker", python="3.11", mediapipe="0.10.35"), LOCK))

    assert text().partition("LABEL")[0] == other.partition("LABEL")[0]


def test_a_cache_is_mounted_by_buildkit_and_not_by_podman_which_would_wait_for_itself() -> None:
    podman = Engine(("podman",), "podman", "4.3.1", buildkit=True)

    assert "type=cache" in text(engine=BUILDKIT)
    assert "type=cache" not in text(engine=podman)
    assert "type=secret" in text(engine=podman, ca_bundle="/etc/ca.pem")


def test_the_headless_opencv_needs_no_libgl() -> None:
    headless = text(Axes(backend="docker", python="3.11", mediapipe="1.2.2", opencv="headless"))

    assert "libgl1" not in headless
    assert "libgl1 libglib2.0-0" in text()


def test_software_gl_comes_only_where_it_is_asked_for() -> None:
    assert "libgl1-mesa-dri" not in text()
    assert "libgl1-mesa-dri" in text(software_gl=True)


def test_mounts_are_for_builders_that_know_them() -> None:
    assert "--mount" not in text()
    assert "--mount=type=cache,target=/var/cache/apt" in text(engine=BUILDKIT)
    assert "rm -rf /tmp/apt /var/lib/apt/lists" in text()


def test_certificates_are_lent_to_a_step_or_refused() -> None:
    whole = text(engine=BUILDKIT, ca_bundle="/etc/company.pem")
    plan = render(backend(BUILDKIT, ca_bundle="/etc/company.pem").build(AXES, LOCK))

    assert "--mount=type=secret,id=ca" in whole
    assert "COPY" not in [line.split()[0] for line in whole.splitlines() if "company" in line]
    assert "--secret id=ca,src=/etc/company.pem" in plan
    with pytest.raises(UsageError, match="plain builder"):
        text(ca_bundle="/etc/company.pem")


def test_a_package_mirror_is_not_left_in_the_image() -> None:
    whole = text(apt_mirror="http://mirror.example")

    assert "-o Dir::Etc=/tmp/apt" in whole
    assert "rm -rf /tmp/apt" in whole


def test_the_base_is_that_of_the_cuda_axis() -> None:
    cell = Axes(backend="docker", python="3.11", mediapipe="1.2.2", cuda="12.8")
    named = {"12.8": "nvidia/cuda:12.8.1-base-ubuntu22.04"}

    assert "FROM nvidia/cuda:12.8.1-base-ubuntu22.04\n" in text(cell, images=named)
    assert "FROM docker.io/library/python:3.11-slim-bookworm\n" in text()
    assert "nvidia-cuda-runtime" not in render(backend(images=named).resolve(cell))
    with pytest.raises(UsageError, match=r"images names no base image for CUDA 12\.8"):
        backend().resolve(cell)


@pytest.mark.parametrize(
    ("reference", "asked"),
    [
        ("python:3.11", "m.example/hub/library/python:3.11"),
        ("nvidia/cuda:12.8.1", "m.example/hub/nvidia/cuda:12.8.1"),
        ("nvcr.io/nvidia/cuda:12.8.1", "m.example/hub/nvidia/cuda:12.8.1"),
        ("localhost:5000/a@sha256:00", "m.example/hub/a@sha256:00"),
    ],
)
def test_a_mirror_takes_the_place_of_the_registry(reference: str, asked: str) -> None:
    assert mirrored(reference, "m.example/hub/") == asked
    assert mirrored(reference, None) == reference


def test_a_lock_is_installed_in_two_parts_that_lose_nothing() -> None:
    others, own = split(LOCK)

    assert own == "mediapipe==1.2.2 \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n"
    assert "mediapipe-model-maker" in others
    assert sorted((others + own).splitlines()) == sorted(LOCK.splitlines())


def test_locks_are_for_the_image_and_not_for_this_host() -> None:
    plan = render(backend(replace(PLAIN, architecture="aarch64")).resolve(AXES))

    assert "--python-version 3.11 --python-platform aarch64-manylinux_2_28" in plan


def test_a_plan_is_the_same_whoever_carries_it_out() -> None:
    assert backend().build(AXES, LOCK).key == backend().build(AXES, LOCK).key
    assert backend().build(AXES, LOCK).key != backend(software_gl=True).build(AXES, LOCK).key


def layers(*names: str) -> dict[str, Any]:
    """As engines tell of what an image is made of, the lowest first."""
    return {"RootFS": {"Type": "layers", "Layers": [f"sha256:{name}" for name in names]}}


def test_the_image_is_told_from_its_base() -> None:
    mine = {"Id": "sha256:1", "RepoTags": ["localhost/envcheck/cell:abc"], **layers("a", "b", "c")}
    base = {"Id": "sha256:2", "RepoTags": ["python:3.11"], "RepoDigests": ["python@sha256:22"], **layers("a", "b")}
    seen = backend().account(json.dumps([mine, base]).encode())

    assert seen is not None
    assert (seen["image"], seen["base_digest"]) == ("sha256:1", "python@sha256:22")
    assert backend().account(json.dumps([base]).encode()) is None
    assert backend().account(b"Error: no such image") is None


@pytest.mark.parametrize("found", [layers("a", "new"), layers(), {}], ids=["pulled again", "no layer", "not told"])
def test_a_base_that_has_moved_since_is_not_what_the_image_is_made_of(found: dict[str, Any]) -> None:
    mine = {"Id": "sha256:1", "RepoTags": ["localhost/envcheck/cell:abc"], **layers("a", "b", "c")}
    base = {"Id": "sha256:3", "RepoTags": ["python:3.11"], "RepoDigests": ["python@sha256:33"], **found}
    seen = backend().account(json.dumps([mine, base]).encode())

    assert seen is not None
    assert (seen["image"], seen["base_digest"]) == ("sha256:1", "")


@pytest.mark.parametrize(
    ("output", "outcome", "words"),
    [
        ("Step 6/9 : RUN echo 'envcheck: no Python 3.11'\nenvcheck: no Python 3.12 in this base or in its packages\n",
         "no-interpreter", "3.12"),
        ("#9 1.25 envcheck: no apt-get in this base, and it lacks: libEGL.so.1\n", "failed", "libEGL.so.1"),
        ("E: Failed to fetch http://deb.debian.org/x  Temporary failure resolving\n", "unavailable", "package mirror"),
        ("pull access denied for nobody/has, repository does not exist\n", "unavailable", "base image"),
        ("write /x: no space left on device\n", "failed", "disk"),
        ("Cannot connect to the Docker daemon at unix:///x\n", "no-engine", "engine"),
        ("  × No solution found when resolving dependencies:\n  ╰─▶ Because mediapipe==9 has no wheels",
         "no-wheel", "mediapipe"),
        ("", "failed", "without a word"),
    ],
)  # fmt: skip
def test_what_a_failed_build_means(output: str, outcome: str, words: str) -> None:
    told = diagnose(output)

    assert told.outcome == outcome
    assert words in told.because
