"""Engines by their recorded answers, the command that starts a container, and whose containers are removed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from envcheck import boxes
from envcheck.boxes import engine, lifecycle, options
from envcheck.cell.inside import inner, seen_inside
from envcheck.outcomes import Completed, Exit

DOCKER: dict[str, Any] = {  # `docker info` of 20.10.24 by a client of 28.2, shortened
    "ID": "WSZX:4HTE", "Driver": "overlay2", "Architecture": "x86_64", "ServerVersion": "20.10.24+dfsg1",
    "Runtimes": {"io.containerd.runc.v2": {"path": "runc"}, "runc": {"path": "runc"}}, "DefaultRuntime": "runc",
    "SecurityOptions": ["name=seccomp,profile=default"], "CDISpecDirs": None, "Warnings": None,
    "ClientInfo": {"Debug": False, "Version": "28.2.2", "Plugins": []},
}  # fmt: skip
OLD_CLIENT = DOCKER | {"ClientInfo": {"Debug": False, "Context": "default", "Plugins": [], "Warnings": None}}
PODMAN: dict[str, Any] = {  # `podman info` of 4.3.1, shortened
    "host": {
        "arch": "amd64", "buildahVersion": "1.28.2", "cgroupManager": "cgroupfs", "cgroupVersion": "v1",
        "security": {"apparmorEnabled": False, "rootless": False, "seccompEnabled": True}, "serviceIsRemote": False,
    },
    "store": {"graphDriverName": "overlay"}, "version": {"APIVersion": "4.3.1", "Version": "4.3.1"},
}  # fmt: skip
NO_DAEMON = {
    "ServerErrors": ["Cannot connect to the Docker daemon at unix:///nope. Is the docker daemon running?"],
    "ClientInfo": {"Version": "28.2.2"},
}
BARE = engine.Surroundings()


def found(told: object, around: engine.Surroundings = BARE) -> boxes.Engine:
    seen = engine.parse(("docker",), json.dumps(told).encode(), around)
    assert seen is not None
    return seen


def test_docker_is_known_by_its_answer() -> None:
    seen = found(DOCKER)

    assert (seen.kind, seen.version, seen.architecture) == ("docker", "20.10.24+dfsg1", "x86_64")
    assert not seen.rootless
    assert not seen.buildkit


def test_a_program_named_docker_may_be_podman() -> None:
    seen = found(PODMAN)

    assert (seen.kind, seen.version, seen.architecture, seen.buildkit) == ("podman", "4.3.1", "x86_64", True)


def test_buildkit_is_a_plugin_or_built_into_old_clients() -> None:
    plugin = DOCKER | {"ClientInfo": {"Version": "28.2.2", "Plugins": [{"Name": "buildx"}]}}

    assert found(plugin).buildkit
    assert found(OLD_CLIENT).buildkit
    assert not engine.with_builder(found(plugin), {"DOCKER_BUILDKIT": "0"}).buildkit


def test_rootless_is_seen() -> None:
    security = {"security": {"rootless": True}, "arch": "arm64"}

    assert found(DOCKER | {"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]}).rootless
    assert found({"host": security, "version": {"Version": "5.0"}}).rootless


@pytest.mark.parametrize(
    ("told", "around", "mode"),
    [
        (DOCKER, BARE, "none"),
        (DOCKER | {"Runtimes": {"runc": {}, "nvidia": {"path": "nvidia-container-runtime"}}}, BARE, "nvidia-runtime"),
        (DOCKER | {"DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}]}, BARE, "cdi"),
        (DOCKER | {"CDISpecDirs": ["/etc/cdi"]}, engine.Surroundings(cdi=True), "cdi"),
        (DOCKER, engine.Surroundings(hook=True), "hook"),
        (PODMAN, engine.Surroundings(cdi=True), "cdi"),
        (PODMAN, engine.Surroundings(hook=True), "none"),
    ],
)
def test_the_way_of_the_gpu(told: object, around: engine.Surroundings, mode: str) -> None:
    assert found(told, around).gpu.mode == mode


@pytest.mark.parametrize("told", [DOCKER, PODMAN])
def test_a_driver_without_a_way_is_a_fault_with_a_remedy(told: object) -> None:
    gpu = found(told, engine.Surroundings(driver=True)).gpu

    assert "NVIDIA's driver runs here" in gpu.because
    assert "nvidia-ctk" in gpu.remedy
    assert found(told).gpu.remedy == ""


@pytest.mark.parametrize("answer", [b"", b"null", b"[]", b"{}", b"no json", json.dumps(NO_DAEMON).encode()])
def test_no_engine_speaks(answer: bytes) -> None:
    assert engine.parse(("docker",), answer, BARE) is None


def test_what_every_program_said_is_in_the_error() -> None:
    def run(argv: Sequence[str], **_: object) -> Completed:
        if argv[0] == "docker":
            return Completed(argv=tuple(argv), returncode=1, stdout=json.dumps(NO_DAEMON).encode())
        return Completed(argv=tuple(argv), started=False, reason="No such file or directory: podman")

    with pytest.raises(boxes.EngineMissingError) as caught:
        boxes.find({}, run=run, surroundings=BARE)

    assert "docker: Cannot connect to the Docker daemon" in caught.value.message
    assert "podman: not installed" in caught.value.message
    assert "Start the engine" in caught.value.remedy
    assert caught.value.exit_code == 75


def test_a_named_engine_is_the_only_one_that_is_asked() -> None:
    asked = []

    def run(argv: Sequence[str], **_: object) -> Completed:
        asked.append(tuple(argv))
        return Completed(argv=tuple(argv), returncode=0, stdout=json.dumps(PODMAN).encode())

    seen = boxes.find({"ENVCHECK_ENGINE": "podman --cgroup-manager=cgroupfs"}, run=run, surroundings=BARE)

    assert asked == [("podman", "--cgroup-manager=cgroupfs", *engine.INFO)]
    assert seen.words == ("podman", "--cgroup-manager=cgroupfs")


# --- the command -----------------------------------------------------------------------------------------------------

ASKED = boxes.RunOptions(image="some/image:1", command=("/opt/python", "-B"), passed=("GLOG_vmodule",))


def test_a_container_may_do_nothing_but_compute() -> None:
    words = " ".join(boxes.argv(found(DOCKER), ASKED))

    assert words.startswith("docker run --rm --interactive --pull never --network none ")
    for part in ("--cap-drop ALL", "--security-opt no-new-privileges", "--read-only", "--log-driver none",
                 "--pids-limit 1024", "--tmpfs /tmp", "--env GLOG_vmodule "):  # fmt: skip
        assert part in words
    assert words.endswith("--entrypoint /opt/python some/image:1 -B")
    assert "--user" not in words


@pytest.mark.parametrize(
    ("mode", "flags"),
    [
        ("nvidia-runtime", ("--runtime", "nvidia", "--gpus", "all")),
        ("cdi", ("--device", "nvidia.com/gpu=all")),
        ("hook", ("--gpus", "all")),
        ("none", ()),
    ],
)
def test_gpus_are_given_as_the_engine_can(mode: str, flags: tuple[str, ...]) -> None:
    able = replace(found(DOCKER), gpu=boxes.Gpu(mode))

    assert options.gpu_flags(able) == flags
    assert "--gpus" not in boxes.argv(able, replace(ASKED, gpus=False))


def test_every_start_has_a_name_of_its_own_and_the_label_of_the_run() -> None:
    command = boxes.argv(found(DOCKER), ASKED)
    first, second = (boxes.box_of(boxes.fresh(command), {}) for _ in range(2))

    assert first is not None
    assert second is not None
    assert first.name != second.name
    assert first.words == ("docker",)
    assert f"envcheck.run={boxes.run_label()}" in boxes.fresh(command)


def test_a_command_that_starts_no_container_stays_as_it_is() -> None:
    command = ("/venvs/{start}/bin/python", "run")

    assert boxes.fresh(command) == command
    assert boxes.box_of(command, {}) is None


def test_a_process_counts_only_where_the_kernel_places_it_in_the_container(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7/cgroup").write_text("0::/system.slice/docker-abc123.scope\n")

    assert lifecycle.belongs(7, "abc123", tmp_path)
    assert not lifecycle.belongs(7, "fff", tmp_path)
    assert not lifecycle.belongs(8, "abc123", tmp_path)


def test_only_what_a_run_of_this_machine_has_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7/stat").write_text("7 (a b) c) S " + " ".join(str(number) for number in range(4, 30)))
    alive = lifecycle.started_at(7, tmp_path)

    assert not lifecycle.is_gone(f"boot-1-7-{alive}", "boot-1", tmp_path)
    assert lifecycle.is_gone("boot-1-7-99999", "boot-1", tmp_path)
    assert lifecycle.is_gone("boot-1-8-1", "boot-1", tmp_path)
    assert not lifecycle.is_gone("other-1-8-1", "boot-1", tmp_path)
    assert not lifecycle.is_gone("", "boot-1", tmp_path)


def test_a_client_tells_a_signal_as_128_and_its_number() -> None:
    assert inner(Exit(139)) == Exit(signal="SIGSEGV")
    assert inner(Exit(1)) == Exit(1)
    assert inner(Exit(255)) == Exit(255)


def test_a_container_that_was_refused_never_started() -> None:
    done = seen_inside(Completed(argv=(), returncode=127, stderr=b"docker: no such file: /opt/python\n"))

    assert not done.started
    assert done.reason == "its program is not there: docker: no such file: /opt/python"
