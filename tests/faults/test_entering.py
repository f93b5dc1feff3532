"""How a world is entered: over which of this machine's mounts a layer is laid."""

from __future__ import annotations

from tests.faults import entering

MOUNTINFO = """\
1 0 254:0 / / rw shared:1 - ext4 /dev/vda rw
20 1 0:5 / /proc rw - proc proc rw
21 1 0:6 / /sys rw - sysfs sysfs rw
22 1 0:7 / /dev rw - devtmpfs devtmpfs rw
23 1 0:30 / /home rw - ext4 /dev/vdb rw
24 1 0:31 / /home/with\\040space rw - xfs /dev/vdc rw
25 1 0:5 / /tmp/image/base/proc rw - proc proc rw
26 1 0:6 / /tmp/image/base/sys rw - sysfs sysfs rw
27 1 0:4 net:[4026532281] /run/engine/netns/default rw - nsfs nsfs rw
"""


def test_only_places_that_hold_files_are_laid_over_the_root_first() -> None:
    assert entering.file_systems(MOUNTINFO) == ["/", "/home", "/home/with space"]


def test_a_place_that_is_gone_meanwhile_keeps_no_world_from_being_built_and_the_root_is_needed() -> None:
    root, home = list(entering.overlays(["/", "/home"]))[1::2]

    assert "|| :" not in root
    assert home.count("|| :") == 2
