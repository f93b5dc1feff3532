"""Payload: the system, NVIDIA's kernel module and device files, and the resources, as one JSON line.

Files and variables are read, nothing else. A part that cannot be looked at is {"unread": reason}.
"""

import json
import os
import re
import stat
import sys

LINUX = sys.platform.startswith("linux")
NOT_LINUX = {"unread": "looked at on Linux only; this is " + sys.platform}
PLATFORMS = {"win32": "windows", "cygwin": "windows"}
PCI_FILES = ("class", "vendor", "device")
NO_LIMIT = 1 << 60  # what cgroup v1 gives for "no limit" is the largest number of pages


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


# --- the system ---------------------------------------------------------------------------------------------------


def os_name(os_release):
    """The name in /etc/os-release."""
    found = dict(re.findall(r"^(\w+)=[\"']?(.*?)[\"']?\s*$", os_release, re.MULTILINE))
    return found.get("PRETTY_NAME") or " ".join(filter(None, (found.get("NAME"), found.get("VERSION_ID"))))


def mac_name(plist):
    """The name in SystemVersion.plist."""
    found = dict(re.findall(r"<key>(\w+)</key>\s*<string>([^<]*)</string>", plist))
    return " ".join(filter(None, (found.get("ProductName"), found.get("ProductVersion"))))


def is_wsl(kernel, interop=False):
    """True under the Windows Subsystem for Linux, whose kernels say so."""
    return interop or "microsoft" in kernel.lower() or "-wsl" in kernel.lower()


def jetson(model, release, kernel):
    """The board's name, from the device tree; in a container, where that is hidden, what the kernel is called."""
    model = model.strip("\0\n ")
    if "jetson" in model.lower() or (release and model.startswith("NVIDIA")):
        return model
    return "NVIDIA Tegra" if release or kernel.endswith("-tegra") else ""


def names_of(lines):
    """{number: name} from the text of /etc/passwd or /etc/group."""
    parts = (line.split(":") for line in lines.splitlines())
    return {one[2]: one[0] for one in parts if len(one) > 2}


def user_and_groups(env, users, groups):
    """By name where files tell it; directory services are not asked, because they may not answer."""
    if not hasattr(os, "geteuid"):
        return env.get("USERNAME", ""), []
    user, numbers = str(os.geteuid()), {os.getegid()} | set(os.getgroups())
    return users.get(user) or env.get("LOGNAME") or user, sorted(groups.get(str(one), str(one)) for one in numbers)


def system(env):
    users, groups = names_of(text(read("/etc/passwd"))), names_of(text(read("/etc/group")))
    user, memberships = user_and_groups(env, users, groups)
    machine = env.get("PROCESSOR_ARCHITEW6432") or env.get("PROCESSOR_ARCHITECTURE", "")
    release = ".".join(map(str, sys.getwindowsversion()[:3])) if hasattr(sys, "getwindowsversion") else ""
    found = {"platform": PLATFORMS.get(sys.platform, sys.platform), "user": user, "groups": memberships}
    if hasattr(os, "uname"):
        machine, release = os.uname().machine, os.uname().release
    found.update(machine=machine, release=release)
    if LINUX:
        interop = os.path.exists("/proc/sys/fs/binfmt_misc/WSLInterop")
        model, tegra = text(read("/proc/device-tree/model")), os.path.exists("/etc/nv_tegra_release")
        name = os_name(text(read("/etc/os-release")) or text(read("/usr/lib/os-release")))
        found.update(name=name, wsl=is_wsl(release, interop), jetson=jetson(model, tegra, release))
    elif sys.platform == "darwin":
        found["name"] = mac_name(text(read("/System/Library/CoreServices/SystemVersion.plist")))
    else:
        found["name"] = ("Windows " + release) if found["platform"] == "windows" else ""
    return found


# --- NVIDIA's kernel module and device files ------------------------------------------------------------------------


def kernel_module(version, sysfs, taint, modules):
    """The loaded kernel module from /proc/driver/nvidia/version, or from /sys/module/nvidia where /proc is masked.

    None where the kernel's list of modules does not have it; an empty list is none that could be read.
    """
    if isinstance(version, dict):
        if modules and "nvidia" not in modules:
            return None
        if not text(sysfs).strip():
            return version
        free = isinstance(taint, str) and "P" not in taint  # P: a proprietary module was loaded
        return {"kind": "kernel-module", "version": sysfs.strip(), "open": free}
    match = re.search(r"^NVRM version:.*?\s(\d+\.\d+(?:\.\d+)?)\s", version, re.MULTILINE)
    if not match:
        return {"unread": "no version in /proc/driver/nvidia/version"}
    return {"kind": "kernel-module", "version": match.group(1), "open": "Open Kernel Module" in version}


def device_paths():
    names = [name for name in listed("/dev") if re.match(r"nvidia|dxg$|kfd$|nvmap$|nvgpu|nvhost-gpu$", name)]
    folders = ("/dev/dri", "/dev/nvidia-caps")
    return ["/dev/" + name for name in names] + [
        os.path.join(folder, name) for folder in folders for name in listed(folder)
    ]


def device(path, users, groups):
    """A device file as ls shows it; a folder in its place is kept, because a bind mount of nothing leaves one."""
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode) and not re.search(r"/(nvidia\d+|nvidiactl|dxg|kfd|renderD\d+)$", path):
        return None
    return {
        "path": path,
        "mode": stat.filemode(status.st_mode),
        "owner": users.get(str(status.st_uid), str(status.st_uid)),
        "group": groups.get(str(status.st_gid), str(status.st_gid)),
        "usable": stat.S_ISCHR(status.st_mode) and os.access(path, os.R_OK | os.W_OK),
    }


def devices():
    try:
        os.listdir("/dev")
    except OSError as error:
        return why("/dev", error)
    users, groups = names_of(text(read("/etc/passwd"))), names_of(text(read("/etc/group")))
    found = []
    for path in device_paths():
        try:
            found.append(device(path, users, groups))
        except OSError:
            continue
    return [one for one in found if one]


def cards(base="/sys/bus/pci/devices"):
    """The display adapters on the PCI bus, with the kernel driver that has each."""
    try:
        addresses = sorted(os.listdir(base))
    except OSError as error:
        return why(base, error)
    found = []
    for address in addresses:
        kind, vendor, device = (text(read(os.path.join(base, address, name))).strip()[2:] for name in PCI_FILES)
        if kind.startswith("03"):  # PCI_BASE_CLASS_DISPLAY
            driver = os.path.basename(os.path.realpath(os.path.join(base, address, "driver")))
            known = {"address": address, "device": vendor + ":" + device}
            found.append(dict(known, driver="" if driver == "driver" else driver))
    return found


# --- resources ----------------------------------------------------------------------------------------------------


def mounts_of(mountinfo):
    """(root, mount point, file system, source, options) of every line of /proc/self/mountinfo."""
    found = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        first, last = before.split(" "), after.split(" ")
        if len(first) >= 6 and len(last) >= 3:
            found.append((first[3], first[4], last[0], last[1], last[2]))
    return found


def cgroup_folders(cgroup, mounts, controller):
    """Folders of this process' cgroup and of all above it that can be seen; v2 where `controller` is empty."""
    path = None
    for line in cgroup.splitlines():
        number, _, rest = line.partition(":")
        names, _, place = rest.partition(":")
        if controller in names.split(",") if controller else number == "0" and not names:
            path = place
    for root, point, fs, _source, options in mounts:
        if path is not None and (
            fs == "cgroup" and controller in options.split(",") if controller else fs == "cgroup2"
        ):
            inside = path[len(root.rstrip("/")) :] if (path + "/").startswith(root.rstrip("/") + "/") else ""
            parts = [] if ".." in inside else [one for one in inside.split("/") if one]
            return [os.path.join(point, *parts[:count]) for count in range(len(parts), -1, -1)]
    return []


def limits(cgroup, mounts, read):
    """(cores, bytes) that cgroups allow, the least of all levels; None where there is no limit."""
    cores, memory = [], []
    for folder in cgroup_folders(cgroup, mounts, ""):
        cores += quota(text(read(folder + "/cpu.max")).split())
        memory += number(text(read(folder + "/memory.max")))
    for folder in cgroup_folders(cgroup, mounts, "cpu"):
        cores += quota(
            [text(read(folder + "/cpu.cfs_quota_us")).strip(), text(read(folder + "/cpu.cfs_period_us")).strip()]
        )
    for folder in cgroup_folders(cgroup, mounts, "memory"):
        memory += number(text(read(folder + "/memory.limit_in_bytes")))
    memory = [one for one in memory if one < NO_LIMIT]
    return min(cores) if cores else None, min(memory) if memory else None


def number(value):
    return [int(value)] if re.match(r"\d+\s*$", value, re.ASCII) else []


def quota(words):
    """Cores, from a quota and its period in microseconds."""
    if len(words) != 2 or not all(re.match(r"[1-9]\d{0,15}$", word, re.ASCII) for word in words):
        return []
    return [int(words[0]) / int(words[1])]


def field(content, pattern, scale, name):
    """A number in a file's text, or why there is none."""
    if isinstance(content, dict):
        return content
    match = re.search(pattern, content, re.MULTILINE | re.ASCII)
    return scale(match.group(1)) if match else {"unread": "no number in " + name}


def pressure(name):
    path = "/proc/pressure/" + name
    return field(read(path), r"^some avg10=(\d+(?:\.\d+)?)", float, path)


def soft_limit(limits, name):
    """What the soft limit of this name in /proc/self/limits allows; None where it is unlimited."""
    if isinstance(limits, dict):
        return limits
    match = re.search(r"^Max %s\s+(unlimited|\d+)\s" % name, limits, re.MULTILINE | re.ASCII)
    if not match:
        return {"unread": "no %s in /proc/self/limits" % name}
    return None if match.group(1) == "unlimited" else int(match.group(1))


def tasks(limits, root, cgroup, mounts, read):
    """Processes and threads that there may be: by the user's limit, which is none of root's, and by control groups."""
    own = None if root else soft_limit(limits, "processes")
    folders = cgroup_folders(cgroup, mounts, "") + cgroup_folders(cgroup, mounts, "pids")
    known = [one for folder in folders for one in number(text(read(folder + "/pids.max")))]
    if isinstance(own, dict):
        return min(known) if known else own
    return min(known + ([] if own is None else [own]), default=None)


def core_count(online):
    """How many cores a list such as 0-7,16 names."""
    if not re.match(r"\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*$", online, re.ASCII):
        return None
    ranges = [one.partition("-") for one in online.split(",")]
    return sum(int(last or first) - int(first) + 1 for first, _, last in ranges) or None


def temperature(zones):
    """The hottest sensor of the processor among (name, millidegrees), or the board's where none is the processor's."""
    known = [(name, int(value)) for name, value in zones if re.match(r"-?\d{1,7}\s*$", value, re.ASCII)]
    for sensors in (r"x86_pkg_temp|cpu|soc|coretemp|k10temp|zenpower|tj", "acpitz"):
        values = [value for name, value in known if re.match(sensors, name, re.IGNORECASE)]
        if values:
            return max(values) / 1000
    return {"unread": "no thermal sensor of the processor can be read"}


def zones():
    base = "/sys/class/thermal"
    for name in listed(base):
        if name.startswith("thermal_zone"):
            yield text(read("%s/%s/type" % (base, name))).strip(), text(read("%s/%s/temp" % (base, name)))
    base = "/sys/class/hwmon"
    for name in listed(base):
        yield text(read("%s/%s/name" % (base, name))).strip(), text(read("%s/%s/temp1_input" % (base, name)))


def governor():
    base = "/sys/devices/system/cpu/cpufreq"
    found = {text(read("%s/%s/scaling_governor" % (base, name))).strip() for name in listed(base)} - {""}
    return ", ".join(sorted(found)) if found else {"unread": base + " names no governor"}


def resources():
    online = core_count(text(read("/sys/devices/system/cpu/online")).strip()) or os.cpu_count()
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = {
        "cores": allowed or {"unread": "the system does not tell"},
        "machine_cores": online,
        "load": part(lambda: os.getloadavg()[0]),
    }
    if not LINUX:
        looked = "cpu_pressure memory_pressure memory_available address_space tasks involuntary_switches temperature"
        return dict(found, **dict.fromkeys([*looked.split(), "governor"], NOT_LINUX))
    cgroup, mounts = text(read("/proc/self/cgroup")), mounts_of(text(read("/proc/self/mountinfo")))
    cores, memory = limits(cgroup, mounts, read)
    meminfo, status = read("/proc/meminfo"), read("/proc/self/status")
    total = field(meminfo, r"^MemTotal:\s+(\d+) kB", lambda kib: int(kib) << 10, "/proc/meminfo")
    found.update(
        quota_cores=cores,
        memory_limit=memory if memory and not (isinstance(total, int) and memory >= total) else None,
        address_space=soft_limit(read("/proc/self/limits"), "address space"),
        tasks=tasks(read("/proc/self/limits"), os.geteuid() == 0, cgroup, mounts, read),
        cpu_pressure=pressure("cpu"),
        memory_pressure=pressure("memory"),
        memory_available=field(meminfo, r"^MemAvailable:\s+(\d+) kB", lambda kib: int(kib) << 10, "/proc/meminfo"),
        involuntary_switches=field(status, r"^nonvoluntary_ctxt_switches:\s+(\d+)", int, "/proc/self/status"),
        temperature=temperature(zones()),
        governor=governor(),
    )
    return found


# --- all of it ----------------------------------------------------------------------------------------------------


def observe(env):
    seen = part(lambda: system(env))
    nodes = part(devices) if LINUX else NOT_LINUX
    module = NOT_LINUX
    if LINUX:
        version, taint = (read("/sys/module/nvidia/" + name) for name in ("version", "taint"))
        module = kernel_module(read("/proc/driver/nvidia/version"), version, taint, listed("/sys/module"))
    return {
        "system": seen,
        "module": module,
        "devices": nodes,
        "cards": part(cards) if LINUX else NOT_LINUX,
        "resources": part(resources),
    }


if __name__ == "__main__":
    sys.stdout.buffer.write(json.dumps(observe(os.environ), ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    sys.stdout.buffer.flush()
