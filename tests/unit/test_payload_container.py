"""Containers told by their traces: recorded cgroups, mounts and variables of each kind."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

container: Any = importlib.import_module("envcheck.payload.container")

PATIENT = settings(max_examples=60)

ID = "5f3c9a1e" * 8
OVERLAY = "1084 1083 0:57 / / rw,relatime master:301 - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/u,workdir=/w\n"
PROC = "1085 1084 0:60 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n"
DOCKER = OVERLAY + PROC + (
    f"1092 1084 254:1 /var/lib/docker/containers/{ID}/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/vda1 rw\n"
    f"1093 1084 254:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw,relatime - ext4 /dev/vda1 rw\n"
)  # fmt: skip
PODMAN = OVERLAY + (
    f"823 810 0:24 /user/1000/containers/overlay-containers/{ID}/userdata/.containerenv /run/.containerenv "
    "rw,nosuid,nodev,relatime - tmpfs tmpfs rw,size=3211712k,mode=700,uid=1000\n"
)
KUBERNETES = OVERLAY + (
    "2301 2290 259:1 /var/lib/kubelet/pods/0b1c/etc-hosts /etc/hosts rw,noatime - ext4 /dev/nvme0n1p1 rw\n"
    "2302 2290 259:1 /var/lib/kubelet/pods/0b1c/containers/app/9d /dev/termination-log rw - ext4 /dev/nvme0n1p1 rw\n"
)
LXC = (
    "500 400 0:50 / / rw,relatime - zfs rpool/data/subvol-101 rw\n"
    "501 500 0:51 /proc/cpuinfo /proc/cpuinfo rw - fuse.lxcfs lxcfs rw\n"
)
MACHINE = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n22 27 0:21 / /proc rw,relatime - proc proc rw\n"
LEGACY = (
    "1200 1085 0:70 / /proc/driver/nvidia rw,relatime - tmpfs tmpfs rw,mode=555\n"
    "1201 1084 8:2 /usr/bin/nvidia-smi /usr/bin/nvidia-smi ro,nosuid,nodev,relatime - ext4 /dev/sda2 rw\n"
)
BY_CDI = (
    "1210 1084 8:2 /usr/lib/x86_64-linux-gnu/libcuda.so.570.124.06 /usr/lib/x86_64-linux-gnu/libcuda.so.570.124.06 "
    "ro,nosuid,nodev,relatime - ext4 /dev/sda2 rw\n"
)
GKE = "1220 1084 8:2 /home/kubernetes/bin/nvidia /usr/local/nvidia ro,relatime - ext4 /dev/sda1 rw\n"


def runtime(
    mountinfo: str = MACHINE,
    cgroup: str = "0::/\n",
    files: tuple[str, ...] = (),
    env: dict[str, str] | None = None,
    init: dict[str, str] | None = None,
) -> str:
    """The surest runtime, "" if nothing tells of a container."""
    mounts = container.mounts_of(mountinfo)
    signs = list(container.runtime_signs(set(files), env or {}, init or {}, cgroup, mounts))
    return signs[0][0] if signs else ""


@pytest.mark.parametrize(
    ("name", "world"),
    [
        ("docker", {"mountinfo": DOCKER, "files": ("/.dockerenv",)}),
        ("docker", {"mountinfo": DOCKER}),
        ("docker", {"mountinfo": OVERLAY, "files": ("/.dockerenv",)}),
        ("docker", {"mountinfo": OVERLAY, "cgroup": f"12:cpu,cpuacct:/docker/{ID}\n1:name=systemd:/docker/{ID}\n"}),
        ("docker", {"mountinfo": OVERLAY, "cgroup": f"0::/system.slice/docker-{ID}.scope\n"}),
        ("podman", {"mountinfo": PODMAN, "files": ("/run/.containerenv",)}),
        ("podman", {"mountinfo": OVERLAY, "cgroup": f"0::/machine.slice/libpod-{ID}.scope\n"}),
        ("podman", {"mountinfo": OVERLAY, "env": {"container": "podman"}}),
        ("kubernetes", {"mountinfo": KUBERNETES}),
        (
            "kubernetes",
            {"mountinfo": DOCKER, "env": {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "files": ("/.dockerenv",)},
        ),
        ("kubernetes", {"mountinfo": OVERLAY, "cgroup": "0::/kubepods.slice/kubepods-burstable.slice/cri-1.scope\n"}),
        ("lxc", {"mountinfo": LXC}),
        ("lxc", {"mountinfo": MACHINE, "init": {"container": "lxc"}}),
        ("nspawn", {"mountinfo": MACHINE, "init": {"container": "systemd-nspawn"}}),
        ("apptainer", {"mountinfo": OVERLAY, "env": {"APPTAINER_NAME": "image.sif"}}),
        ("unknown", {"mountinfo": OVERLAY, "init": {"container": "oci"}}),
        ("", {"mountinfo": MACHINE}),
        ("", {"mountinfo": MACHINE, "cgroup": "0::/user.slice/user-1000.slice/session-2.scope\n"}),
        ("", {"mountinfo": MACHINE, "cgroup": "0::/system.slice/docker.service\n"}),
    ],
)
def test_a_container_is_told_by_its_traces(name: str, world: dict[str, Any]) -> None:
    assert runtime(**world) == name


def test_a_machine_made_of_a_docker_image_is_no_container() -> None:
    assert runtime(MACHINE, files=("/.dockerenv",)) == ""


@pytest.mark.parametrize(
    ("name", "mountinfo", "devices"),
    [
        ("nvidia-runtime", DOCKER + LEGACY, ["/dev/nvidia0"]),
        ("cdi", DOCKER + BY_CDI, ["/dev/nvidia0"]),
        ("mounts", KUBERNETES + GKE, ["/dev/nvidia0"]),
        ("mounts", DOCKER, ["/dev/nvidia0", "/dev/nvidiactl"]),
        ("mounts", DOCKER, ["/dev/dxg"]),
        ("none", DOCKER, ["/dev/null"]),
    ],
)
def test_how_the_gpu_came_in_is_told_by_mounts(name: str, mountinfo: str, devices: list[str]) -> None:
    assert container.injection(container.mounts_of(mountinfo), devices) == name


YAML = """\
cdiVersion: 0.5.0
containerEdits:
  env:
  - NVIDIA_VISIBLE_DEVICES=void
  mounts:
  - containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.570.124.06
    hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.570.124.06
    options: [ro, nosuid]
  - hostPath: "/usr/lib/x86_64-linux-gnu/libEGL_nvidia.so.570.124.06"
    containerPath: /usr/lib/x86_64-linux-gnu/libEGL_nvidia.so.570.124.06
devices:
- containerEdits:
    deviceNodes:
    - hostPath: /dev/nvidia0
      path: /dev/nvidia0
  name: "0"
kind: nvidia.com/gpu
"""
EGLCORE = "  - hostPath: /usr/lib/x86_64-linux-gnu/libnvidia-eglcore.so.570.124.06\n    containerPath: /x\ndevices:\n"


def test_a_cdi_specification_in_yaml_is_read_by_its_lines() -> None:
    whole = container.cdi_spec("/etc/cdi/nvidia.yaml", YAML.replace("devices:\n", EGLCORE))

    assert whole == {"path": "/etc/cdi/nvidia.yaml", "kind": "nvidia.com/gpu", "driver": "570.124.06", "graphics": True}
    assert (
        container.cdi_spec("/etc/cdi/nvidia.yaml", YAML)["graphics"] is False
    )  # eglcore is what Debian's hosts lacked


def test_a_cdi_specification_in_json_is_read_whole() -> None:
    mounts = [{"hostPath": f"/lib/{name}.so.535.183.01"} for name in ("libEGL_nvidia", "libnvidia-eglcore")]
    spec = {"kind": "nvidia.com/gpu", "containerEdits": {"mounts": mounts}, "devices": []}

    found = container.cdi_spec("/var/run/cdi/nvidia.json", json.dumps(spec))
    assert (found["kind"], found["driver"], found["graphics"]) == ("nvidia.com/gpu", "535.183.01", True)


def test_a_cdi_specification_of_another_vendor_says_nothing_of_gl() -> None:
    assert container.cdi_spec("/etc/cdi/intel.yaml", "kind: intel.com/gpu\n")["graphics"] is None


@PATIENT
@given(st.text())
def test_any_text_is_some_cdi_specification(text: str) -> None:
    for name in ("a.json", "a.yaml"):
        assert set(container.cdi_spec(name, text)) >= {"path", "kind"}


@PATIENT
@given(st.text(), st.text(), st.text())
def test_any_text_in_proc_makes_some_answer(mountinfo: str, cgroup: str, environ: str) -> None:
    runtime(mountinfo, cgroup, init=container.variables_of(environ))
    assert container.injection(container.mounts_of(mountinfo), [environ])
