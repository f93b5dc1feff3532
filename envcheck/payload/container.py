"""Payload: the container around us, and how a GPU was handed into it, as one JSON line.

Files and variables are read, nothing else. A part that cannot be looked at is {"unread": reason}.
"""

import json
import os
import re
import sys

LINUX = sys.platform.startswith("linux")


def why(path, error):
    return {"unread": "%s: %s" % (path, getattr(error, "strerror", None) or error)}


def read(path, limit=4 << 20):
    """A file's text, or {"unread": reason}."""
    try:
        with open(path, "rb") as file:
            return file.read(limit).decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        return why(path, error)


def text(value):
    """The text, or none where it could not be read."""
    return value if isinstance(value, str) else ""


def listed(folder):
    """Names in a folder; none where it is not there or may not be read."""
    try:
        return sorted(os.listdir(folder))
    except (OSError, ValueError):
        return []


def part(look):
    """What `look` finds; what it raises is the reason why nobody could look."""
    try:
        return look()
    except Exception as error:
        return {"unread": "%s: %s" % (type(error).__name__, error)}


def mounts_of(mountinfo):
    """(root, mount point, file system, source, options) of every line of /proc/self/mountinfo."""
    found = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        first, last = before.split(" "), after.split(" ")
        if len(first) >= 6 and len(last) >= 3:
            found.append((first[3], first[4], last[0], last[1], last[2]))
    return found


def runtime_signs(files, env, init, cgroup, mounts):
    """(runtime, sign) for everything that tells of a container, the surest first."""
    told = env.get("container") or init.get("container", "")
    places = [(root + " " + source, "mount at " + point) for root, point, _fs, source, _options in mounts]
    if "KUBERNETES_SERVICE_HOST" in env:
        yield "kubernetes", "KUBERNETES_SERVICE_HOST"
    yield from in_cgroup(cgroup, "kubernetes", r"kubepods")
    yield from in_places(places, "kubernetes", r"/kubelet/pods/")
    yield from ((kind, path) for kind, path in (("podman", "/run/.containerenv"),) if path in files)
    yield from in_cgroup(cgroup, "podman", r"/libpod-")
    yield from (
        (kind, name)
        for kind, name in (("apptainer", "APPTAINER_NAME"), ("apptainer", "SINGULARITY_NAME"))
        if name in env
    )
    yield from in_cgroup(cgroup, "docker", r"/docker[/-]")
    yield from in_places(places, "docker", r"/docker/containers/")
    if "/.dockerenv" in files and not is_machine(mounts):
        yield "docker", "/.dockerenv"
    yield from in_cgroup(cgroup, "lxc", r"/lxc[./]")
    yield from (
        ("lxc", "mount at " + point)
        for _root, point, fs, *_ in mounts
        if fs == "fuse.lxcfs" and point == "/proc/cpuinfo"
    )
    if told:
        kinds = {"systemd-nspawn": "nspawn", "lxc-libvirt": "lxc"}
        kind = kinds.get(told, told)
        yield kind if kind in ("docker", "podman", "lxc", "nspawn", "wsl") else "unknown", "container=" + told
    yield from in_cgroup(cgroup, "unknown", r"/(containerd|crio|ecs|garden|buildkit)[/-]")


def in_cgroup(cgroup, runtime, pattern):
    return [(runtime, "/proc/self/cgroup")] if re.search(pattern, cgroup) else []


def in_places(places, runtime, pattern):
    return [(runtime, name) for place, name in places if re.search(pattern, place)][:1]


def is_machine(mounts):
    """True where the root is a disk and nothing is laid over /etc: an image that was turned into a machine."""
    root = [fs for _root, point, fs, _source, _options in mounts if point == "/"]
    over = [point for _root, point, *_ in mounts if point in ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")]
    return bool(root) and root[-1] in ("ext4", "xfs") and not over


def injection(mounts, paths):
    """How a GPU came into a container. The runtime's older way lays a file system over /proc/driver/nvidia
    (libnvidia-container, nvc_mount.c); a CDI specification mounts each library under its versioned name."""
    points = [point for _root, point, *_ in mounts]
    if "/proc/driver/nvidia" in points:
        return "nvidia-runtime"
    if any(re.search(r"/lib(cuda|nvidia-ml)\.so\.\d{3,}[\d.]*$", point) for point in points):
        return "cdi"
    by_hand = any(
        re.search(r"/(usr/local/nvidia|\.singularity\.d/libs|usr/lib/wsl)(/|$)|libcuda\.so", one) for one in points
    )
    return "mounts" if by_hand or any(re.match(r"/dev/(nvidia|dxg|nvmap)", path) for path in paths) else "none"


def cdi_spec(path, content):
    """A CDI specification; YAML by its lines, of which two kinds matter."""
    try:
        root = json.loads(content) if path.endswith(".json") else None
    except (ValueError, RecursionError):
        return {"path": path, "kind": ""}
    if isinstance(root, dict):
        kind, content = str(root.get("kind", "")), json.dumps(root, indent=1)
    else:
        match = re.search(r"^kind:\s*[\"']?([^\s\"'#]+)", content, re.MULTILINE)
        kind = match.group(1) if match else ""
    hosts = re.findall(r"hostPath[\"']?\s*:\s*[\"']?([^\s\"',}]+)", content)
    versions = [
        found.group(1) for found in (re.search(r"\.so\.(\d{3,}\.\d+(?:\.\d+)?)$", one) for one in hosts) if found
    ]
    graphics = all(any(part in host for host in hosts) for part in ("libEGL_nvidia.so", "libnvidia-eglcore.so"))
    common = max(sorted(set(versions)), key=versions.count) if versions else ""
    # Specifications for GPUs alone mount GL (nvidia-ctk makes others, such as nvidia.com/gds); under WSL there is none.
    mounts_gl = kind == "nvidia.com/gpu" and "/dev/dxg" not in content
    return {"path": path, "kind": kind, "driver": common, "graphics": graphics if mounts_gl else None}


def cdi():
    found, unread = [], None
    for folder in ("/etc/cdi", "/var/run/cdi"):
        if os.path.isdir(folder) and not os.access(folder, os.R_OK | os.X_OK):
            unread = {"unread": folder + ": Permission denied"}
        for name in listed(folder):
            if name.endswith((".json", ".yaml", ".yml")):
                content = read(os.path.join(folder, name))
                if isinstance(content, dict):
                    unread = content
                else:
                    found.append(cdi_spec(os.path.join(folder, name), content))
    return found if found or unread is None else unread


def variables_of(environ):
    """The variables in the text of /proc/PID/environ."""
    return dict(one.split("=", 1) for one in environ.split("\0") if "=" in one)


def container(env):
    mountinfo, cgroup = read("/proc/self/mountinfo"), read("/proc/self/cgroup")
    files = {path for path in ("/.dockerenv", "/run/.containerenv") if os.path.exists(path)}
    init = variables_of(text(read("/proc/1/environ")))
    manager = text(read("/run/systemd/container")).strip()
    if manager:
        init.setdefault("container", manager)
    mounts = mounts_of(text(mountinfo))
    signs = list(runtime_signs(files, env, init, text(cgroup), mounts))
    if not signs and re.search("microsoft|-wsl", text(read("/proc/sys/kernel/osrelease")), re.IGNORECASE):
        signs = [("wsl", "the kernel's name")]
    if not signs and isinstance(mountinfo, dict) and isinstance(cgroup, dict):
        return mountinfo
    return {
        "kind": "container",
        "runtime": signs[0][0] if signs else "",
        "signs": list(dict.fromkeys(sign for _runtime, sign in signs)),
        "injection": injection(mounts, ["/dev/" + name for name in listed("/dev")]) if signs and mounts else "",
        "variables": {name: env[name] for name in sorted(env) if name.startswith("NVIDIA_")},
        "cdi": part(cdi),
    }


def observe(env):
    return {"container": part(lambda: container(env)) if LINUX else {"kind": "container", "runtime": ""}}


if __name__ == "__main__":
    sys.stdout.buffer.write(json.dumps(observe(os.environ), ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    sys.stdout.buffer.flush()
