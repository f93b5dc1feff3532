"""A world -> the shell commands that build it and start the command inside."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.faults.worlds import World

HOLD_NO_FILES = frozenset(
    {
        "proc",
        "sysfs",
        "devpts",
        "devtmpfs",
        "mqueue",
        "nsfs",
        "cgroup",
        "cgroup2",
        "bpf",
        "tracefs",
        "debugfs",
        "autofs",
    }
)
"""File systems over which nothing can be laid, wherever they are mounted: a container in the making has its own."""
NODES = ("null", "zero", "full", "random", "urandom", "tty")
PSEUDO = ("/proc", "/sys", "/dev")


def script(world: World, scratch: Path, tree: Path, out: Path, mounts: Sequence[str]) -> str:
    """Everything from the private namespace on; the words that start the command are the script's arguments."""
    return "\n".join(
        [
            "set -eu",
            f"S={shlex.quote(str(scratch))}; R=$S/root",
            "mount --make-rprivate /",
            'mount -t tmpfs tmpfs "$S"',
            'mkdir "$R"',
            *overlays(mounts),
            *(f'rm -rf "$R"{path}' for path in world.hidden),  # unquoted: patterns are meant
            f'cp -a {shlex.quote(str(tree))}/. "$R/"',
            *proc(world),
            'mount --rbind /sys "$R/sys"',
            *dev(world),
            f'mkdir -p "$R{out}"; mount --bind {shlex.quote(str(out))} "$R{out}"',
            *world.setup,
            'exec chroot "$R" "$@"',
        ]
    )


def overlays(mounts: Sequence[str]) -> Iterator[str]:
    """A writable layer over each file system of this machine; what is a single file is bound.

    Others mount and unmount meanwhile, container engines above all. A place below the root that cannot be laid over is
    left as the layer above shows it; a command that needs it says so.
    """
    for number, place in enumerate(mounts):
        at = shlex.quote(place)
        yield f'mkdir "$S/up{number}" "$S/work{number}"'
        needed = "" if place == "/" else " || :"
        yield (
            f"if [ -d {at} ]; then mount -t overlay overlay -o "
            f'"lowerdir={place},upperdir=$S/up{number},workdir=$S/work{number}" "$R"{at}{needed}; '
            f'else mount --bind {at} "$R"{at}{needed}; fi'
        )


def proc(world: World) -> Iterator[str]:
    """/proc of this machine or of a PID namespace, with files laid over /proc/driver."""
    yield 'mount -t proc proc "$R/proc"' if "pid" in world.namespaces else 'mount --rbind /proc "$R/proc"'
    if world.proc:
        yield 'mount -t tmpfs tmpfs "$R/proc/driver"'
    for path, text in world.proc.items():
        yield f'mkdir -p "$R{Path(path).parent}"; printf %s {shlex.quote(text)} > "$R{path}"'


def dev(world: World) -> Iterator[str]:
    """A /dev of our own with the usual few nodes and those of this world."""
    yield 'mount -t tmpfs -o mode=755 tmpfs "$R/dev"; mkdir "$R/dev/shm" "$R/dev/pts"'
    yield 'mount -t tmpfs -o mode=1777 tmpfs "$R/dev/shm"'
    for name in NODES:
        yield f'touch "$R/dev/{name}"; mount --bind /dev/{name} "$R/dev/{name}"'
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        yield f'ln -s /proc/self/fd{target} "$R/dev/{name}"'
    for path, node in world.devices.items():
        at = f'"$R{path}"'
        yield f'mkdir -p "$R{Path(path).parent}"; mknod {at} c {node.major} {node.minor}'
        yield f"chown {node.owner} {at}; chmod {node.mode} {at}"


def file_systems(mountinfo: str) -> list[str]:
    """The mount points of /proc/self/mountinfo that hold files of this machine, outermost first."""
    points = set()
    for line in mountinfo.splitlines():
        place, _, kind = line.partition(" - ")
        point = place.split()[4].encode().decode("unicode_escape")
        pseudo = any(point == top or point.startswith(top + "/") for top in PSEUDO)
        if not pseudo and kind.split()[0] not in HOLD_NO_FILES:
            points.add(point)
    return sorted(points, key=lambda point: (point.count("/") if point != "/" else 0, point))


def wrapped(world: World, text: str, env: Mapping[str, str], cwd: Path, command: Sequence[str]) -> list[str]:
    """The argv that enters the world. Variables are set last, so that they break the command and not its way in."""
    inner = [
        "env",
        "-i",
        f"--chdir={cwd}",
        *(f"{name}={value}" for name, value in env.items()),
        *world.prefix,
        *command,
    ]
    if not world.built:
        return inner
    return [
        "unshare",
        "-m",
        *(f"--{name}" for name in world.namespaces),
        *forked(world),
        "sh",
        "-c",
        text,
        "sh",
        *inner,
    ]


def forked(world: World) -> list[str]:
    """What a PID namespace needs besides: its first process is a child, and dies with unshare."""
    return ["--fork", "--kill-child"] if "pid" in world.namespaces else []
