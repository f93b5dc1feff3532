"""System, kernel module, devices and resources, from recorded texts of Linux, WSL, Jetson, macOS and Windows."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envcheck.host import kernel_driver
from envcheck.record import Unread

host: Any = importlib.import_module("envcheck.payload.host")

PATIENT = settings(max_examples=60)

NO_FILE = {"unread": "/proc/driver/nvidia/version: No such file or directory"}
UNREAD = Unread(reason=NO_FILE["unread"])
OPEN = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build  (root@host)  Tue Feb 25\n"
    "GCC version:  gcc version 12.3.0 (Ubuntu 12.3.0-1ubuntu1~22.04)\n"
)
CLOSED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\n"
JETSON = "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  540.3.0  Release Build  (buildbrain@mobile)\n"


@pytest.mark.parametrize(
    ("text", "version", "free"), [(OPEN, "570.124.06", True), (CLOSED, "535.183.01", False), (JETSON, "540.3.0", True)]
)
def test_the_kernel_module_and_its_flavour_are_read(text: str, version: str, free: bool) -> None:
    found = host.kernel_module(text, NO_FILE, NO_FILE, [])

    assert (found["version"], found["open"]) == (version, free)
    assert kernel_driver(text, UNREAD, ()) == version  # envcheck's own look at the same file


def test_where_proc_is_masked_the_module_is_read_from_sys() -> None:
    assert host.kernel_module(NO_FILE, "570.124.06\n", "POE\n", ["nvidia"])["open"] is False
    assert host.kernel_module(NO_FILE, "570.124.06\n", "OE\n", ["nvidia"])["open"] is True
    assert kernel_driver(UNREAD, "570.124.06\n", {"nvidia"}) == "570.124.06"


def test_no_module_is_said_only_where_the_kernels_list_could_be_read() -> None:
    assert host.kernel_module(NO_FILE, NO_FILE, NO_FILE, ["ext4", "nouveau"]) is None
    assert kernel_driver(UNREAD, UNREAD, {"ext4", "nouveau"}) == ""
    for modules in ([], ["nvidia"]):
        assert host.kernel_module(NO_FILE, NO_FILE, NO_FILE, modules) == NO_FILE
        assert kernel_driver(UNREAD, UNREAD, modules) == UNREAD


def test_cards_are_the_display_adapters_of_the_bus_with_the_driver_that_has_them(tmp_path: Path) -> None:
    rows = (
        ("0000:00:01.0", "0x030000", "0x8086", "0x9bc5", "i915"),
        ("0000:00:1f.3", "0x040300", "0x10de", "0x06c8", "snd_hda_intel"),
        ("0000:17:00.0", "0x030200", "0x10de", "0x2335", ""),
    )
    for address, *contents, driver in rows:
        (tmp_path / address).mkdir()
        for name, content in zip(host.PCI_FILES, contents, strict=True):
            (tmp_path / address / name).write_text(f"{content}\n", encoding="utf-8")
        if driver:
            (tmp_path / "drivers" / driver).mkdir(parents=True)
            (tmp_path / address / "driver").symlink_to(tmp_path / "drivers" / driver)

    assert host.cards(str(tmp_path)) == [
        {"address": "0000:00:01.0", "device": "8086:9bc5", "driver": "i915"},
        {"address": "0000:17:00.0", "device": "10de:2335", "driver": ""},
    ]
    assert "unread" in host.cards(str(tmp_path / "nowhere"))


def test_a_module_without_a_version_is_unread() -> None:
    assert "unread" in host.kernel_module("garbage", NO_FILE, NO_FILE, [])
    assert isinstance(kernel_driver("garbage", UNREAD, ()), Unread)


def test_the_system_is_named_as_its_own_files_name_it() -> None:
    debian = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nID=debian\n'
    plist = (
        "<dict>\n<key>ProductName</key>\n<string>macOS</string>\n"
        "<key>ProductVersion</key>\n\t<string>15.1</string>\n</dict>"
    )

    assert host.os_name(debian) == "Debian GNU/Linux 12 (bookworm)"
    assert host.os_name("NAME=Alpine\nVERSION_ID='3.20'\n") == "Alpine 3.20"
    assert host.os_name("") == ""
    assert host.mac_name(plist) == "macOS 15.1"


def test_wsl_is_told_by_its_kernel() -> None:
    assert host.is_wsl("5.15.167.4-microsoft-standard-WSL2")
    assert host.is_wsl("4.4.0-19041-Microsoft")
    assert not host.is_wsl("6.8.0-60-generic")


def test_a_jetson_is_told_by_its_device_tree_or_its_kernel() -> None:
    assert host.jetson("NVIDIA Jetson AGX Orin Developer Kit\0", True, "5.15.148-tegra").startswith("NVIDIA Jetson AGX")
    assert host.jetson("", False, "5.15.148-tegra") == "NVIDIA Tegra"
    assert host.jetson("Raspberry Pi 5 Model B Rev 1.0\0", False, "6.6.31-rpi") == ""
    assert host.jetson("", False, "6.8.0-1015-nvidia") == ""  # DGX OS


def test_users_without_a_name_keep_their_number() -> None:
    assert host.names_of("root:x:0:0:root:/root:/bin/bash\nbroken\n") == {"0": "root"}
    assert host.user_and_groups({}, {}, {})[0].isdigit()


V2_MOUNTS = "31 22 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n"
V1_MOUNTS = (
    "40 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
    "41 31 0:30 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
)


def limits(cgroup: str, mountinfo: str, files: dict[str, str]) -> Any:
    """Cores and bytes that cgroups allow, with these files under /sys/fs/cgroup."""
    return host.limits(cgroup, host.mounts_of(mountinfo), lambda path: files.get(path, {"unread": path}))


def test_a_quota_above_our_cgroup_counts_too() -> None:
    files = {
        "/sys/fs/cgroup/user.slice/cpu.max": "150000 100000\n",
        "/sys/fs/cgroup/user.slice/app.scope/cpu.max": "max 100000\n",
        "/sys/fs/cgroup/user.slice/app.scope/memory.max": "1073741824\n",
        "/sys/fs/cgroup/memory.max": "max\n",
    }

    assert limits("0::/user.slice/app.scope\n", V2_MOUNTS, files) == (1.5, 1 << 30)


def test_in_a_namespace_of_its_own_the_mount_is_our_cgroup() -> None:
    assert limits("0::/\n", V2_MOUNTS, {"/sys/fs/cgroup/cpu.max": "50000 100000"}) == (0.5, None)
    assert limits("0::/../../other\n", V2_MOUNTS, {"/sys/fs/cgroup/cpu.max": "50000 100000"}) == (0.5, None)


def test_version_1_is_read_below_what_is_mounted() -> None:
    cgroup = "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n0::/\n"
    files = {
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "200000\n",
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n",
    }

    assert limits(cgroup, V1_MOUNTS, files) == (2.0, 512 << 20)


def test_no_limit_is_none_in_both_versions() -> None:
    v1 = {
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    }

    assert limits("4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n", V1_MOUNTS, v1) == (None, None)
    assert limits(
        "0::/\n", V2_MOUNTS, {"/sys/fs/cgroup/cpu.max": "max 100000", "/sys/fs/cgroup/memory.max": "max"}
    ) == (
        None,
        None,
    )


def test_cores_are_counted_from_ranges() -> None:
    assert host.core_count("0-7,16,18-19") == 11
    assert host.core_count("0") == 1
    assert host.core_count("") is None


@pytest.mark.parametrize(
    ("line", "limit"),
    [
        ("Max address space         unlimited            unlimited            bytes", None),
        ("Max address space         1073741824           unlimited            bytes", 1 << 30),
        ("Max address space         0                    0                    bytes", 0),
    ],
)
def test_the_soft_limit_of_the_address_space_is_the_one_that_counts(line: str, limit: int | None) -> None:
    text = (
        f"Limit                     Soft Limit           Hard Limit           Units\nMax cpu time  unlimited\n{line}\n"
    )

    assert host.soft_limit(text, "address space") == limit


PROCESSES = "Max processes             4096                 8192                 processes\n"


@pytest.mark.parametrize(
    ("limits", "root", "group", "found"),
    [
        (PROCESSES, False, "max", 4096),
        (PROCESSES, True, "max", None),
        (PROCESSES, True, "100", 100),
        (PROCESSES, False, "100", 100),
        (NO_FILE, False, "100", 100),
        (NO_FILE, False, "max", NO_FILE),
    ],
    ids=["the user's", "none of root's", "the group's", "the lower one", "the group's alone", "nobody could look"],
)
def test_processes_are_limited_by_the_user_and_by_the_group(limits: Any, root: bool, group: str, found: Any) -> None:
    mounts = [("/", "/sys/fs/cgroup", "cgroup2", "cgroup2", "rw")]
    files = {"/sys/fs/cgroup/app/pids.max": f"{group}\n"}

    assert host.tasks(limits, root, "0::/app\n", mounts, lambda path: files.get(path, NO_FILE)) == found


def test_a_limit_that_cannot_be_read_is_unread() -> None:
    assert host.soft_limit(NO_FILE, "address space") == NO_FILE
    assert "unread" in host.soft_limit("Max cpu time  unlimited  unlimited  seconds\n", "address space")


def test_the_processor_is_preferred_over_other_sensors() -> None:
    assert host.temperature([("acpitz", "27800"), ("x86_pkg_temp", "81000"), ("nvme", "90000")]) == 81.0
    assert host.temperature([("acpitz", "27800"), ("nvme", "90000")]) == 27.8
    assert "unread" in host.temperature([("nvme", "90000"), ("coretemp", "")])


@PATIENT
@given(st.text(), st.text(), st.text())
def test_any_text_makes_some_answer(one: str, two: str, three: str) -> None:
    host.limits(one, host.mounts_of(two), lambda _path: three)
    host.kernel_module(one, two, three, [one])
    (
        host.os_name(one),
        host.mac_name(two),
        host.names_of(three),
        host.core_count(one),
        host.soft_limit(one, "address space"),
    )
    host.temperature([(one, two), ("cpu", three)])
    host.jetson(one, True, two)
